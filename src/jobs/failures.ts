/** Retries until success, with growing pauses. */
import { type Clock, sleep } from '../system/clock.ts';

const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 30_000;

/**
 * Calls `attempt` until it neither throws nor says 'again', with growing pauses. Rejects only when the signal ends;
 * `onFailure` hears of each error.
 */
export async function persist<T>(
  clock: Clock,
  signal: AbortSignal,
  onFailure: (error: unknown) => void,
  attempt: () => Promise<T | 'again'>,
): Promise<T> {
  for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(pause * 2, LONGEST_PAUSE_MS)) {
    signal.throwIfAborted();
    try {
      const result = await attempt();
      if (result !== 'again') return result;
    } catch (error) {
      signal.throwIfAborted();
      onFailure(error);
    }
    await sleep(clock, pause, signal);
  }
}
