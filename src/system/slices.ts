/**
 * Computations that take longer than the event loop may pause: generators that yield where other work may run. They take
 * turns, one slice in an iteration of the event loop, and so do their users.
 */
import { RoundRobin } from './round-robin.ts';

/** Yields where other work may run, with a promise where the computation has to wait for it. */
export type Sliced<T> = Generator<Promise<void> | undefined, T, undefined>;

/** Runs a computation that waits for nothing, without a pause. */
export function runAtOnce<T>(work: Sliced<T>): T {
  for (;;) {
    const { done, value } = work.next();
    if (done === true) return value;
    if (value !== undefined) throw new Error('a computation that waits was run without a pause');
  }
}

/** Milliseconds of CPU after which other work runs. With 8, other users wait two to three times as long beside a user of templates. */
const SLICE_MS = 2;

/** Turns of all computations that share an event loop: one of each user, then the next one of each. */
export class Turns {
  readonly #waiting = new RoundRobin<() => void>();

  /** Resolves in an iteration of the event loop of which no other turn is a part. */
  next(user: string): Promise<void> {
    return new Promise((resolve) => {
      if (this.#waiting.isEmpty) setImmediate(this.#give);
      this.#waiting.push(user, resolve);
    });
  }

  readonly #give = (): void => {
    this.#waiting.shift()?.item();
    if (!this.#waiting.isEmpty) setImmediate(this.#give);
  };
}

/** Runs the computations for one job in slices; its clock is the CPU time of these slices. */
export class Slices {
  readonly #turns: Turns;
  readonly #cpu: () => number;
  readonly #user: string;
  #spent = 0;
  #from: number | undefined;

  /** `cpu`: milliseconds of CPU time of this thread; `user`: the user of the job. */
  constructor(turns: Turns, cpu: () => number, user = '') {
    this.#turns = turns;
    this.#cpu = cpu;
    this.#user = user;
  }

  /** Milliseconds of CPU time. */
  readonly cpuTime = (): number => this.#spent + (this.#from === undefined ? 0 : this.#cpu() - this.#from);

  async run<T>(work: Sliced<T>, signal?: AbortSignal): Promise<T> {
    for (;;) {
      await this.#turns.next(this.#user);
      signal?.throwIfAborted();
      const slice = this.#slice(work);
      if (slice.done === true) {
        // What follows a long computation is often long too, such as sending its result.
        if (this.#spent > SLICE_MS) await this.#turns.next(this.#user);
        return slice.value;
      }
      await slice.value;
    }
  }

  #slice<T>(work: Sliced<T>): IteratorResult<Promise<void> | undefined, T> {
    const from = this.#cpu();
    this.#from = from;
    try {
      for (;;) {
        const result = work.next();
        if (result.done === true || result.value !== undefined || this.#cpu() - from > SLICE_MS) return result;
      }
    } finally {
      this.#spent += this.#cpu() - from;
      this.#from = undefined;
    }
  }
}
