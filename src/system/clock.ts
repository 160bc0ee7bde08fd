/**
 * Time as the program sees it. It is passed in, so that tests decide what time it is.
 */
export interface Clock {
  /** Milliseconds since 1970, of this machine. Never compared with times of other machines. */
  readonly now: () => number;
  /** Milliseconds that only ever grow; for durations and deadlines. */
  readonly monotonic: () => number;
  /** Runs `run` once after `ms` (0 to 2^31 - 1) and returns what cancels it. */
  readonly after: (ms: number, run: () => void) => () => void;
}

/** The clock of this machine. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after: (ms, run) => {
    const timer = setTimeout(run, ms);
    return () => clearTimeout(timer);
  },
};

/** Resolves after `ms`; rejects with the signal's reason as soon as it is aborted. */
export function sleep(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(signal.reason);
      return;
    }
    const onAbort = (): void => {
      cancel();
      reject(signal?.reason);
    };
    const cancel = clock.after(ms, () => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    });
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}
