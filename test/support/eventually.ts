/** Waits for what comes by itself: asks again and again, for a limited time. */

/**
 * How long anything may take. A busy node of a real cluster needs its time: a kubelet 1.20 took 76 s to end a container that
 * started while its pod was being deleted.
 */
export const PATIENCE_MS = process.env['TEST_ON'] === 'cluster' ? 240_000 : 90_000;
const PAUSE_MS = 50;

/** Resolves with the first answer that is neither undefined nor false; rejects after `longestMs`, PATIENCE_MS unless given, saying what never came. */
export async function eventually<T>(
  ask: () => T | undefined | false | Promise<T | undefined | false>,
  what: string = ask.toString(),
  longestMs: number = PATIENCE_MS,
): Promise<T> {
  const latest = Date.now() + longestMs;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined && answer !== false) return answer;
    if (Date.now() > latest) throw new Error(`not within ${longestMs / 1000} s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}
