/** Clock and timers, passed in so that tests control the time. */
export interface Clock {
  /** Milliseconds since 1970, from this host's clock. Never compared with times of other hosts. */
  readonly now: () => number;
  /** Milliseconds that never decrease; for durations and deadlines. */
  readonly monotonic: () => number;
  /** Runs `run` once after `ms` (0 to 2^31 - 1). Returns a function that cancels it. */
  readonly after: (ms: number, run: () => void) => () => void;
}

/** The clock of this host. */
export const systemClock: Clock = {
  now: () => Date.now(),
  // `performance` loads ten modules of Node.js, which a start does not need.
  monotonic: () => {
    const [seconds, nanoseconds] = process.hrtime();
    return seconds * 1e3 + nanoseconds / 1e6;
  },
  after: (ms, run) => {
    const timer = setTimeout(run, ms);
    return () => clearTimeout(timer);
  },
};

/** Resolves after `ms`; rejects with the signal's reason when it is aborted. */
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
