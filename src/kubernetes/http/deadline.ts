/** Time limits as AbortSignals, with one timer each. */
import type { Clock } from '../../system/clock.ts';

/**
 * A signal that follows another one and can run out of time. Whoever makes one ends it: then neither a timer nor a
 * listener is left.
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

  constructor(clock: Clock, parent?: AbortSignal) {
    this.#clock = clock;
    this.#parent = parent;
    this.signal = this.#controller.signal;
    if (parent?.aborted) this.#follow();
    else parent?.addEventListener('abort', this.#follow, { once: true });
  }

  /** Aborts with the reason in `ms` from now, instead of when it was set before. */
  set(ms: number, reason: () => Error): void {
    this.#due = this.#clock.monotonic() + ms;
    this.#reason = reason;
    // Set for each piece of a stream: a timer that is too early is cheaper than another one.
    if (this.#cancel === undefined || this.#due < this.#timerDue) this.#startTimer(ms);
  }

  #startTimer(ms: number): void {
    this.#cancel?.();
    this.#timerDue = this.#due;
    this.#cancel = this.#clock.after(ms, () => {
      this.#cancel = undefined;
      const left = this.#due - this.#clock.monotonic();
      if (left > 0) this.#startTimer(left);
      else if (this.#reason !== undefined) this.#controller.abort(this.#reason());
    });
  }

  /** No limit until the next `set`. */
  clear(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }

  /** Aborts at once. */
  abort(reason: Error): void {
    this.#controller.abort(reason);
  }

  end(): void {
    this.clear();
    this.#parent?.removeEventListener('abort', this.#follow);
  }
}
