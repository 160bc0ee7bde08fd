/** Waiting with an end: deadlines, conditions, abort signals and repetition, each of which leaves no timer or listener behind. */
import { type Clock, sleep } from './clock.ts';

/** Longest delay of a timer. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/**
 * AbortSignal that follows its parent and is aborted when its time is over. The code that creates one calls `end`: after
 * that neither a timer nor a listener is left.
 */
export class Deadline {
  readonly signal: AbortSignal;
  readonly #clock: Clock;
  readonly #controller = new AbortController();
  readonly #parent: AbortSignal | undefined;
  readonly #follow = (): void => this.#controller.abort(this.#parent?.reason);
  #due = 0;
  #reason: (() => Error) | undefined;
  #cancel: (() => void) | undefined;
  #timerDue = 0;
  #expired = false;

  constructor(clock: Clock, parent?: AbortSignal) {
    this.#clock = clock;
    this.#parent = parent;
    this.signal = this.#controller.signal;
    if (parent?.aborted) this.#follow();
    else parent?.addEventListener('abort', this.#follow, { once: true });
  }

  /** True if the signal was aborted by the deadline, not by the parent. */
  get expired(): boolean {
    return this.#expired;
  }

  /** Aborts the signal with this reason in `ms` from now; replaces the time that was set before. */
  set(ms: number, reason: () => Error): void {
    this.#due = this.#clock.monotonic() + ms;
    this.#reason = reason;
    // Called for each chunk of a stream: a timer that fires early costs less than a new timer.
    if (this.#cancel === undefined || this.#due < this.#timerDue) this.#startTimer(ms);
  }

  /** Removes the time limit until the next `set`. A timer that runs is kept for it: streams call both for each chunk. */
  clear(): void {
    this.#due = Number.POSITIVE_INFINITY;
  }

  end(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    this.#parent?.removeEventListener('abort', this.#follow);
  }

  #startTimer(ms: number): void {
    this.#cancel?.();
    this.#timerDue = this.#due;
    this.#cancel = this.#clock.after(Math.min(ms, MAX_TIMER_MS), () => {
      this.#cancel = undefined;
      const left = this.#due - this.#clock.monotonic();
      if (left <= 0) this.#expire();
      else if (left !== Number.POSITIVE_INFINITY) this.#startTimer(left);
    });
  }

  #expire(): void {
    if (this.signal.aborted || this.#reason === undefined) return;
    this.#expired = true;
    this.#controller.abort(this.#reason());
  }
}

/** Set of listeners; `add` returns the function that removes the listener again. */
export class Listeners<A extends readonly unknown[] = []> {
  readonly #listeners = new Set<(...args: A) => void>();

  get size(): number {
    return this.#listeners.size;
  }

  add(listener: (...args: A) => void): () => void {
    // Wrapped, so that one function may be added twice.
    const own = (...args: A): void => listener(...args);
    this.#listeners.add(own);
    return () => this.#listeners.delete(own);
  }

  notify(...args: A): void {
    if (this.#listeners.size === 0) return;
    for (const listener of [...this.#listeners]) listener(...args);
  }
}

/** Resolves when `signal` is aborted; rejects with the reason of `end` if that comes first. */
export function untilAborted(signal: AbortSignal, end?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    end?.throwIfAborted();
    if (signal.aborted) {
      resolve();
      return;
    }
    const onAbort = (): void => {
      end?.removeEventListener('abort', onEnd);
      resolve();
    };
    const onEnd = (): void => {
      signal.removeEventListener('abort', onAbort);
      reject(end?.reason);
    };
    signal.addEventListener('abort', onAbort, { once: true });
    end?.addEventListener('abort', onEnd, { once: true });
  });
}

/**
 * Resolves with what `look` returns as soon as that is not undefined: looks at once, and after each change that `subscribe`
 * reports. Rejects with the signal's reason, or with what `look` throws.
 */
export async function waitFor<T>(
  subscribe: (check: () => void) => () => void,
  look: () => T | undefined,
  signal: AbortSignal,
): Promise<T> {
  signal.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const check = (): void => {
    try {
      const found = look();
      if (found !== undefined) resolve(found);
    } catch (error) {
      reject(error);
    }
  };
  const onAbort = (): void => reject(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  const unsubscribe = subscribe(check);
  try {
    check();
    return await promise;
  } finally {
    unsubscribe();
    signal.removeEventListener('abort', onAbort);
  }
}

/**
 * Resolves with the result of `work`, or with undefined after `ms`, when the signal that `work` was given is aborted; work
 * that ignores the signal goes on unobserved. Rejects as `work` does, or with the parent's reason.
 */
export async function within<T>(
  clock: Clock,
  ms: number,
  work: (signal: AbortSignal) => Promise<T>,
  parent?: AbortSignal,
): Promise<T | undefined> {
  parent?.throwIfAborted();
  const deadline = new Deadline(clock, parent);
  deadline.set(ms, () => new Error(`not done within ${ms} ms`));
  const over = untilAborted(deadline.signal).then(() => {
    if (!deadline.expired) throw deadline.signal.reason;
    return undefined;
  });
  try {
    return await Promise.race([work(deadline.signal), over]);
  } catch (error) {
    if (deadline.expired) return undefined;
    throw error;
  } finally {
    deadline.end();
  }
}

/** Calls `run` after `firstMs`, and again `ms` after it has resolved, until the signal is aborted. Rejects only if `run` does. */
export async function repeat(
  clock: Clock,
  ms: number,
  signal: AbortSignal,
  run: () => Promise<void>,
  firstMs = 0,
): Promise<void> {
  const pause = (pauseMs: number): Promise<void> =>
    sleep(clock, Math.min(pauseMs, MAX_TIMER_MS), signal).catch(() => {});
  if (firstMs > 0) await pause(firstMs);
  while (!signal.aborted) {
    await run();
    await pause(ms);
  }
}

/** Places for a number of tasks; further ones wait in the order of their calls of `take`. */
export class Places {
  #free: number;
  readonly #waiting = new Set<() => void>();

  constructor(count: number) {
    this.#free = count;
  }

  /** Resolves with a place, for `giveBack`. Rejects with the signal's reason if it is aborted before. */
  async take(signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    if (this.#free > 0) {
      this.#free--;
      return;
    }
    await new Promise<void>((resolve, reject) => {
      const onAbort = (): void => {
        this.#waiting.delete(enter);
        reject(signal?.reason);
      };
      const enter = (): void => {
        signal?.removeEventListener('abort', onAbort);
        resolve();
      };
      this.#waiting.add(enter);
      signal?.addEventListener('abort', onAbort, { once: true });
    });
  }

  /** Does work at one of the places. Rejects as `take` and the work do. */
  async use<T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    await this.take(signal);
    try {
      return await work();
    } finally {
      this.giveBack();
    }
  }

  giveBack(): void {
    const [enter] = this.#waiting;
    if (enter === undefined) {
      this.#free++;
      return;
    }
    this.#waiting.delete(enter);
    enter();
  }
}

/** Resolves in the next turn of the event loop. `node:timers/promises` has the same, and a start takes longer with that module. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

/** The same function, of which at most this many calls run at the same time, in the order of the calls. */
export function atMost<A extends readonly unknown[], R>(
  limit: number,
  run: (...args: A) => Promise<R>,
): (...args: A) => Promise<R> {
  const places = new Places(limit);
  return (...args) => places.use(() => run(...args));
}
