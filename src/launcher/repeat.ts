/** Work that is done every so often, until it is ended. */
import type { Clock } from '../system/clock.ts';

/** Longest time that a timer can wait. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** Calls again and again, `seconds` after the last call has resolved. Returns what ends it. */
export function every(clock: Clock, seconds: number, run: () => Promise<void>): () => void {
  let stopped = false;
  let cancel = (): void => {};
  const wait = (): void => {
    cancel = clock.after(Math.min(seconds * 1000, MAX_TIMER_MS), () => {
      void run().then(() => {
        if (!stopped) wait();
      });
    });
  };
  wait();
  return () => {
    stopped = true;
    cancel();
  };
}

/** The same function, of which a call begins only when the one before has ended. */
export function oneAtATime<A extends readonly unknown[], R>(
  run: (...args: A) => Promise<R>,
): (...args: A) => Promise<R> {
  let last: Promise<unknown> = Promise.resolve();
  return (...args) => {
    const next = last.then(() => run(...args));
    last = next.catch(() => {});
    return next;
  };
}
