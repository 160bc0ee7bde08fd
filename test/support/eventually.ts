/** Waits for what comes by itself: asks again and again, for a limited time. */
const LONGEST_MS = 60_000;
const PAUSE_MS = 50;

/** Resolves with the first answer that is neither undefined nor false; rejects after `longestMs`, a minute unless given, saying what never came. */
export async function eventually<T>(
  ask: () => T | undefined | false | Promise<T | undefined | false>,
  what: string = ask.toString(),
  longestMs: number = LONGEST_MS,
): Promise<T> {
  const latest = Date.now() + longestMs;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined && answer !== false) return answer;
    if (Date.now() > latest) throw new Error(`not within ${longestMs / 1000} s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}
