/** Pauses between attempts: exponential backoff with jitter that honors Retry-After. */
import type { Clock } from '../../system/clock.ts';
import type { Random } from '../../system/random.ts';
import { KubernetesError } from '../kubernetes-error.ts';

/** A server that asks for more does not stop a client for hours. */
const MAX_RETRY_AFTER_S = 600;
/** The part of Retry-After that is added at random at most: a server names the same time to all clients. */
const RETRY_AFTER_JITTER = 0.2;

interface BackoffOptions {
  /** Milliseconds. */
  readonly first: number;
  readonly longest: number;
  /** Resets itself when the last failure is longer ago than this; default: only `reset` does. */
  readonly resetAfter?: number;
}

/** Pauses that double with each failure, times a random factor of 0.5 to 1.5, so that clients do not retry simultaneously. */
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

  /** Milliseconds to wait after this failure; the server's Retry-After, which counts up to ten minutes, or up to a fifth more. */
  next(error?: unknown): number {
    const now = this.#clock.monotonic();
    if (now - this.#lastAt > (this.#options.resetAfter ?? Number.POSITIVE_INFINITY)) this.#failures = 0;
    const pause = Math.min(this.#options.longest, this.#options.first * 2 ** Math.min(this.#failures, 30));
    const random = this.#random();
    const jittered = Math.min(this.#options.longest, pause * (0.5 + random));
    const requested =
      error instanceof KubernetesError ? Math.min(error.retryAfterSeconds ?? 0, MAX_RETRY_AFTER_S) * 1000 : 0;
    this.#failures++;
    const ms = Math.max(jittered, Math.round(requested * (1 + RETRY_AFTER_JITTER * random)));
    this.#lastAt = now + ms;
    return ms;
  }

  reset(): void {
    this.#failures = 0;
  }
}
