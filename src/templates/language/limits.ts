/** Counts what one rendering costs: steps, time, output, text that functions build, and nested calls. */

import { DEFAULT_LIMITS, type Limits, type RenderOptions } from '../contract.ts';
import type { Budget } from '../values.ts';

/** Functions may build this many times the output limit: most of it is indented, quoted or included again. */
const FUNCTION_TEXT_FACTOR = 4;

/** Steps between two looks at the clock. */
const CLOCK_STEPS = 256;

/** Steps between two places where other work may run. */
const PAUSE_STEPS = 256;

/** Milliseconds of one call of a function during which no other work runs. */
const CALL_MILLISECONDS = 40;

/** A limit of the rendering was reached; the evaluator adds the place. */
export class LimitError extends Error {
  override readonly name = 'LimitError';
}

export class Meter implements Budget {
  readonly #limits: Limits;
  readonly #monotonic: () => number;
  readonly #deadline: number;
  #steps = 0;
  #clockAt = 0;
  #pauseAt = PAUSE_STEPS;
  #written = 0;
  #built = 0;
  #calls = 0;
  /** The number of the call that no other work interrupts; 0 outside of such calls. */
  #call = 0;
  #lastCall = 0;
  /** The call that the clock was read in, and when that was first. */
  #timedCall = 0;
  #timedFrom = 0;

  constructor({ limits = DEFAULT_LIMITS, monotonic }: RenderOptions) {
    this.#limits = limits;
    this.#monotonic = monotonic;
    this.#deadline = monotonic() + limits.milliseconds;
  }

  readonly step = (count = 1): void => {
    this.#steps += count;
    if (this.#steps > this.#limits.steps) throw new LimitError(`more than ${this.#limits.steps} steps`);
    if (this.#steps < this.#clockAt) return;
    this.#clockAt = this.#steps + CLOCK_STEPS;
    const now = this.#monotonic();
    if (now > this.#deadline) throw new LimitError(`it takes longer than ${this.#limits.milliseconds} ms`);
    if (this.#call === 0) return;
    if (this.#timedCall !== this.#call) {
      this.#timedCall = this.#call;
      this.#timedFrom = now;
    } else if (now - this.#timedFrom > CALL_MILLISECONDS)
      throw new LimitError(`one call of this function takes longer than ${CALL_MILLISECONDS} ms`);
  };

  /** Begins a call that no other work interrupts, and which therefore has a limit of its own. An error ends the rendering. */
  beginCall(): void {
    this.#call = ++this.#lastCall;
  }

  endCall(): void {
    this.#call = 0;
  }

  readonly reserve = (bytes: number): void => {
    this.#built += bytes;
    const most = this.#limits.outputBytes * FUNCTION_TEXT_FACTOR;
    if (this.#built > most) throw new LimitError(`functions build more than ${most} bytes of text`);
  };

  /** Counts output. */
  write(bytes: number): void {
    this.#written += bytes;
    const { outputBytes } = this.#limits;
    if (this.#written > outputBytes) throw new LimitError(`the output is longer than ${outputBytes} bytes`);
  }

  /** Whether enough steps were made since the last pause. */
  mayPause(): boolean {
    if (this.#steps < this.#pauseAt) return false;
    this.#pauseAt = this.#steps + PAUSE_STEPS;
    return true;
  }

  /** Begins a nested call of a template. An error ends the rendering, so that only calls without one must `leave`. */
  enter(): void {
    if (this.#calls >= this.#limits.nestedCalls) {
      throw new LimitError(`templates call each other more than ${this.#limits.nestedCalls} levels deep`);
    }
    this.#calls++;
  }

  leave(): void {
    this.#calls--;
  }
}
