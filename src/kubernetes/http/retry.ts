/** Retries: which failures are retried, and for how long. */

import { type Clock, sleep } from '../../system/clock.ts';
import type { Random } from '../../system/random.ts';
import {
  isMissingPermission,
  isTransient,
  isUnreachable,
  KubernetesError,
  type KubernetesErrorCode,
} from '../kubernetes-error.ts';
import { Backoff } from './backoff.ts';
import type { Timings } from './timings.ts';

interface RetryOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly timings: Timings;
  /** Every method but GET changes something. */
  readonly method: string;
  /** Ends all attempts. */
  readonly signal: AbortSignal;
  /** True if it may be sent twice; otherwise it is retried only if it certainly was not carried out. */
  readonly idempotent: boolean;
}

/** A starting server refuses valid tokens with the authorizer's 403 (kubernetes-facts.md 108). */
const MAX_REFUSALS = 1;

/** A 500 may come from an etcd election of a few seconds, or from a missing webhook, which is reported soon (kubernetes-facts.md 141). */
const MAX_INTERNAL_ERRORS = 5;

/**
 * Repeats an attempt until it succeeds, fails permanently, or the signal is aborted. Refused connections, lost answers, 429 and
 * 5xx are retried; a 403 of the authorizer is retried once. A write that is refused after an attempt with a lost answer
 * rejects as 'interrupted', because that attempt may have been carried out.
 */
export async function withRetries<T>(options: RetryOptions, attempt: () => Promise<T>): Promise<T> {
  const { clock, timings, method, signal } = options;
  const backoff = new Backoff(clock, options.random, { first: timings.retryFirst, longest: timings.retryLongest });
  let last: unknown;
  const begun = clock.monotonic();
  let refusals = 0;
  let failures = 0;
  let answerLost = false;
  try {
    for (;;) {
      try {
        return await attempt();
      } catch (error) {
        answerLost ||= method !== 'GET' && isTransient(error) && !wasNotSent(error);
        signal.throwIfAborted();
        const again = options.idempotent ? isTransient(error) : wasNotSent(error);
        if (isMissingPermission(error) ? ++refusals > MAX_REFUSALS : !again)
          throw answerLost && !isTransient(error) ? afterLostAnswer(error) : error;
        if (isInternal(error) && ++failures > MAX_INTERNAL_ERRORS) throw error;
        if (wasNotReached(error) && clock.monotonic() - begun >= timings.retryNotReached) throw error;
        last = error;
        await sleep(clock, backoff.next(error), signal);
      }
    }
  } catch (error) {
    // The deadline may be that of several calls, and then its error does not include the failure of this call.
    throw error === signal.reason ? afterFailure(error, last) : error;
  }
}

/** Adds the last failure to a timeout; other errors are returned unchanged. */
function afterFailure(error: unknown, last: unknown): unknown {
  if (!(error instanceof KubernetesError) || error.code !== 'timeout' || !(last instanceof KubernetesError))
    return error;
  const { code, method, path } = error;
  return new KubernetesError({
    code,
    method,
    path,
    text: `${error.text}; last failure: ${last.message}`,
    cause: last,
  });
}

/** After these codes a read shows whether the attempt before was carried out; other refusals are no answer to it. */
const CONCLUSIVE: ReadonlySet<KubernetesErrorCode> = new Set(['already-exists', 'not-found', 'conflict']);

function afterLostAnswer(error: unknown): unknown {
  if (!(error instanceof KubernetesError)) return error;
  if (CONCLUSIVE.has(error.code)) return new KubernetesError({ ...error, followsLostAnswer: true });
  const { method, path } = error;
  const text = `the answer to an attempt was lost, so that it may have been carried out; the next attempt was refused: ${error.text}`;
  return new KubernetesError({ code: 'interrupted', method, path, text, cause: error });
}

const REFUSED: ReadonlySet<string> = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'connect-timeout']);

function isInternal(error: unknown): boolean {
  return error instanceof KubernetesError && error.status === 500;
}

function wasNotReached(error: unknown): boolean {
  return isUnreachable(error) && REFUSED.has(error.reason);
}

/** True if the request did not reach the server, or the server rejected it unprocessed (429). */
function wasNotSent(error: unknown): boolean {
  return wasNotReached(error) || (error instanceof KubernetesError && error.code === 'too-many-requests');
}
