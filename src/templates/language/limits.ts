/** Counts what one rendering costs: steps, time, output, text that functions build, and nested calls. */

import { DEFAULT_LIMITS, type Limits, type RenderOptions } from '../contract.ts';
import type { Budget } from '../values.ts';

/** Functions may build this many times the output limit: most of it is indented, quoted or included again. */
const FUNCTION_TEXT_FACTOR = 4;

/** Steps between two looks at the clock. */
const CLOCK_STEPS = 64;

/** Steps between two places where other work may run. */
const PAUSE_STEPS = 64;

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
    if (this.#monotonic() > this.#deadline)
      throw new LimitError(`it takes longer than ${this.#limits.milliseconds} ms`);
  };

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
