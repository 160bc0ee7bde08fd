/**
 * Timers that end with their owner: a controller or kubelet that is closed leaves none behind.
 */
export interface Timers {
  /** Runs `run` once after `ms`; returns what cancels it. Errors of `run` end the process, as they are bugs. */
  readonly after: (ms: number, run: () => void) => () => void;
  /** Resolves after `ms`; never if closed before. */
  readonly sleep: (ms: number) => Promise<void>;
  readonly close: () => void;
}

export function createTimers(): Timers {
  const timers = new Set<NodeJS.Timeout>();
  let closed = false;

  function after(ms: number, run: () => void): () => void {
    if (closed) return () => {};
    const timer = setTimeout(
      () => {
        timers.delete(timer);
        run();
      },
      Math.min(ms, 2 ** 31 - 1),
    );
    timers.add(timer);
    return () => {
      clearTimeout(timer);
      timers.delete(timer);
    };
  }

  return {
    after,
    sleep: (ms) => new Promise((resolve) => after(ms, resolve)),
    close: () => {
      closed = true;
      for (const timer of timers) clearTimeout(timer);
      timers.clear();
    },
  };
}
