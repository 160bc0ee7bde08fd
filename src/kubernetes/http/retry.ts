/** Which failed attempts are made again, and until when. */

import { Deadline } from '../../system/async.ts';
import { type Clock, sleep } from '../../system/clock.ts';
import type { Random } from '../../system/random.ts';
import {
  isMissingRight,
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
  /** Anything but GET changes something. */
  readonly method: string;
  readonly path: string;
  /** Of all attempts together. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
  /** May it be done twice? Otherwise only what surely was not carried out is tried again. */
  readonly idempotent: boolean;
}

/** A server gives a 403 of the authorizer to valid tokens while it starts (kubernetes-facts.md 108). */
const REFUSALS = 1;

/** A 500 may be an election of etcd's, and over in seconds; or a webhook that is gone, and worth telling soon (kubernetes-facts.md 141). */
const INTERNAL_ERRORS = 5;

/**
 * Runs an attempt until it succeeds, fails for good, or the time is over. Refused connections, lost answers, 429 and 5xx
 * are tried again; so is, once, a 403 of the authorizer. A change that is refused after an attempt whose answer was lost
 * rejects as 'interrupted': it may have been carried out.
 */
export async function withRetries<T>(options: RetryOptions, attempt: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const { clock, timings, method, path } = options;
  const deadline = new Deadline(clock, options.signal);
  const backoff = new Backoff(clock, options.random, { first: timings.retryFirst, longest: timings.retryLongest });
  let last: unknown;
  const text = `${options.timeoutMs / 1000} s`;
  deadline.set(options.timeoutMs, () => new KubernetesError({ code: 'timeout', method, path, text }));
  const begun = clock.monotonic();
  let refusals = 0;
  let failures = 0;
  let unclear = false;
  try {
    for (;;) {
      try {
        return await attempt(deadline.signal);
      } catch (error) {
        unclear ||= method !== 'GET' && isTransient(error) && !wasNotSent(error);
        deadline.signal.throwIfAborted();
        const again = options.idempotent ? isTransient(error) : wasNotSent(error);
        if (isMissingRight(error) ? ++refusals > REFUSALS : !again)
          throw unclear && !isTransient(error) ? afterLostAnswer(error) : error;
        if (isInternal(error) && ++failures > INTERNAL_ERRORS) throw error;
        if (wasNotReached(error) && clock.monotonic() - begun >= timings.retryNotReached) throw error;
        last = error;
        await sleep(clock, backoff.next(error), deadline.signal);
      }
    }
  } catch (error) {
    // The time that was over may be that of several calls, whose deadline knows nothing of this one's attempts.
    throw error === deadline.signal.reason ? afterFailure(error, last) : error;
  } finally {
    deadline.end();
  }
}

/** A timeout that tells of the failure before it; other errors as they are. */
function afterFailure(error: unknown, last: unknown): unknown {
  if (!(error instanceof KubernetesError) || error.code !== 'timeout' || !(last instanceof KubernetesError))
    return error;
  const { code, method, path } = error;
  return new KubernetesError({
    code,
    method,
    path,
    text: `${error.text}; before that: ${last.message}`,
    cause: last,
  });
}

/** What is there, gone or another version by now says what became of the attempt before it; other refusals do not. */
const TELLING: ReadonlySet<KubernetesErrorCode> = new Set(['already-exists', 'not-found', 'conflict']);

function afterLostAnswer(error: unknown): unknown {
  if (!(error instanceof KubernetesError) || TELLING.has(error.code)) return error;
  const { method, path } = error;
  const text = `an attempt whose answer was lost may have been carried out; the next one was refused: ${error.text}`;
  return new KubernetesError({ code: 'interrupted', method, path, text, cause: error });
}

const REFUSED: ReadonlySet<string> = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'UND_ERR_CONNECT_TIMEOUT']);

function isInternal(error: unknown): boolean {
  return error instanceof KubernetesError && error.status === 500;
}

function wasNotReached(error: unknown): boolean {
  return isUnreachable(error) && REFUSED.has(error.reason);
}

/** Did the request never reach the server, or did it say that it was too busy to look at it? */
function wasNotSent(error: unknown): boolean {
  return wasNotReached(error) || (error instanceof KubernetesError && error.code === 'too-many-requests');
}
