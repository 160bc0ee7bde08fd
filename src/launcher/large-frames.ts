/**
 * Frames that take long to parse, such as submits with a large environment: they wait while the launcher sends more, so that
 * a small request behind them is answered first, and users take turns.
 */
import { RoundRobin } from '../system/round-robin.ts';

/** Smaller frames are handled when they are read. */
export const LARGE_FRAME_BYTES = 64 * 1024;

/** While more arrives all the time, one large frame is handled after this number of iterations of the event loop. */
const ITERATIONS = 64;

export class LargeFrames<T> {
  readonly #handle: (frame: T) => void;
  readonly #waiting = new RoundRobin<T>();
  #count = 0;
  #isDue = false;
  #hasArrived = false;
  /** Iterations since the last frame was handled. */
  #iterations = 0;

  /** `handle` must not throw. */
  constructor(handle: (frame: T) => void) {
    this.#handle = handle;
  }

  get count(): number {
    return this.#count;
  }

  add(user: string, frame: T): void {
    this.#waiting.push(user, frame);
    this.#count++;
    this.#schedule();
  }

  /** Bytes of the launcher have arrived. */
  arrived(): void {
    this.#hasArrived = true;
  }

  close(): void {
    while (this.#waiting.shift() !== undefined) this.#count--;
  }

  #schedule(): void {
    if (this.#isDue || this.#count === 0) return;
    this.#isDue = true;
    setImmediate(() => {
      this.#isDue = false;
      this.#next();
      this.#schedule();
    });
  }

  /** Not in an iteration of the event loop in which more arrived. */
  #next(): void {
    const hasArrived = this.#hasArrived;
    this.#hasArrived = false;
    if (hasArrived && ++this.#iterations < ITERATIONS) return;
    this.#iterations = 0;
    const next = this.#waiting.shift();
    if (next === undefined) return;
    this.#count--;
    this.#handle(next.item);
  }
}
