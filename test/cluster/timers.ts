/**
 * The time of a cluster: this machine's, or one that somebody drives (agreement/drive.ts). Timers end with their owner:
 * a controller or kubelet that is closed leaves none behind.
 */
export interface ClusterClock {
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** The same with a fraction, for what is dated in nanoseconds. */
  readonly precise: () => number;
  /** Runs `run` once after `ms`; returns what cancels it. */
  readonly after: (ms: number, run: () => void) => () => void;
  /** Set where the time is driven: containers must wait by it, and it waits for them. */
  readonly containers?: ContainerTime;
}

/** What a driven time and containers, which are processes of this machine, know of each other. */
export interface ContainerTime {
  /** A folder with the `sleep` of kubelet/sleep.ts; it comes first in the PATH of containers. */
  readonly programs: string;
  /** Time does not go on while `isAtRest` says false, until the returned function is called. */
  readonly waitFor: (isAtRest: () => boolean) => () => void;
}

export const machineClock: ClusterClock = {
  now: () => Date.now(),
  precise: () => performance.timeOrigin + performance.now(),
  after: (ms, run) => {
    const timer = setTimeout(run, Math.min(ms, 2 ** 31 - 1));
    return () => clearTimeout(timer);
  },
};

export interface Timers {
  /** Runs `run` once after `ms`; returns what cancels it. Errors of `run` end the process, as they are bugs. */
  readonly after: (ms: number, run: () => void) => () => void;
  /** Runs `run` again and again. */
  readonly every: (ms: number, run: () => void) => void;
  /** Resolves after `ms`; never if closed before. */
  readonly sleep: (ms: number) => Promise<void>;
  readonly now: () => number;
  readonly close: () => void;
}

export function createTimers(clock: ClusterClock): Timers {
  const cancels = new Set<() => void>();
  let closed = false;

  function after(ms: number, run: () => void): () => void {
    if (closed) return () => {};
    const stop = clock.after(ms, () => {
      cancels.delete(stop);
      run();
    });
    cancels.add(stop);
    return () => {
      stop();
      cancels.delete(stop);
    };
  }

  function every(ms: number, run: () => void): void {
    after(ms, () => {
      every(ms, run);
      run();
    });
  }

  return {
    after,
    every,
    sleep: (ms) => new Promise((resolve) => after(ms, resolve)),
    now: clock.now,
    close: () => {
      closed = true;
      for (const cancel of cancels) cancel();
      cancels.clear();
    },
  };
}
