/** Pauses between attempts: they grow, are not the same for everybody, and heed Retry-After. */
import type { Clock } from '../../system/clock.ts';
import type { Random } from '../../system/random.ts';
import { KubernetesError } from '../kubernetes-error.ts';

interface BackoffOptions {
  /** Milliseconds. */
  readonly first: number;
  readonly longest: number;
  /** Begins anew when the last failure is longer ago than this; default: only by `reset`. */
  readonly resetAfter?: number;
}

/** Pauses that double from failure to failure, with jitter (half to one and a half), so that clients do not march in step. */
export class Backoff {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #options: BackoffOptions;
  #failures = 0;
  #lastAt = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock, random: Random, options: BackoffOptions) {
    this.#clock = clock;
    this.#random = random;
    this.#options = options;
  }

  /** Milliseconds to wait after this failure; never less than the server's Retry-After, up to ten minutes. */
  next(error?: unknown): number {
    const now = this.#clock.monotonic();
    if (now - this.#lastAt > (this.#options.resetAfter ?? Number.POSITIVE_INFINITY)) this.#failures = 0;
    const pause = Math.min(this.#options.longest, this.#options.first * 2 ** Math.min(this.#failures, 30));
    const jittered = Math.min(this.#options.longest, pause * (0.5 + this.#random()));
    const asked = error instanceof KubernetesError ? Math.min(error.retryAfterSeconds ?? 0, 600) * 1000 : 0;
    this.#failures++;
    const ms = Math.max(jittered, asked);
    this.#lastAt = now + ms;
    return ms;
  }

  reset(): void {
    this.#failures = 0;
  }
}
