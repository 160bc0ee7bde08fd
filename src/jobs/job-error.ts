/** Errors of jobs/: their codes, API errors as sentences for a user, and how the policy refuses a value. */

import type { ProfileKey } from '../config/profiles/profile-table.ts';
import type { EffectiveProfile } from '../config/profiles/profiles.ts';
import { type CamelCase, camelCase } from '../config/text/kinds.ts';
import { place } from '../config/text/problem.ts';
import type { Setting } from '../config/text/settings.ts';
import { isForbidden, isInvalid, KubernetesError } from '../kubernetes/kubernetes-error.ts';
import { errorMessage } from '../system/errors.ts';
import { UserFacingError } from '../system/user-facing-error.ts';

/** Reason of a refusal; launcher/ maps each to its number (docs/launcher-plugin-api.md section 9). */
export type JobErrorCode =
  /** Error 0: the cluster or something else failed. */
  | 'unknown'
  /** Error 2. */
  | 'invalid-request'
  /** Error 3. */
  | 'job-not-found'
  /** Error 5. */
  | 'timeout'
  /** Error 6. */
  | 'job-not-running'
  /** Error 7. */
  | 'output-not-found'
  /** Error 8. */
  | 'invalid-job-state';

interface JobErrorOptions extends ErrorOptions {
  readonly logged?: string;
}

export class JobError extends UserFacingError {
  override readonly name = 'JobError';
  readonly code: JobErrorCode;
  /** The message for the log: without secrets of the user that the message quotes. */
  readonly logged: string;

  /** `message` is a sentence that the user can act on. It is logged, too, unless `logged` is given. */
  constructor(code: JobErrorCode, message: string, { logged, ...options }: JobErrorOptions = {}) {
    super(message, options);
    this.code = code;
    this.logged = logged ?? message;
  }
}

/**
 * API error as a refusal. `what` is the failed operation: "Cannot create the job". `forLog` removes secrets from the server's
 * message, which may quote the request.
 */
export function jobErrorOf(error: unknown, what: string, forLog = (text: string): string => text): JobError {
  if (error instanceof JobError) return error;
  if (!(error instanceof KubernetesError))
    return new JobError('unknown', `${what}: ${errorMessage(error)}`, { cause: error });
  const { text, message } = error;
  const code: JobErrorCode = isInvalid(error) ? 'invalid-request' : 'unknown';
  // Refusals of the server are clear to users; connection errors need the client's sentence around them.
  const reason = isInvalid(error) || isForbidden(error) ? text : message;
  return new JobError(code, `${what}: ${reason}`, { cause: error, logged: `${what}: ${forLog(reason)}` });
}

/** Throws JobError 'invalid-request'. */
export function refuse(sentence: string): never {
  throw new JobError('invalid-request', sentence);
}

/** `max-cpus, /etc/rstudio/launcher.kubernetes.profiles.conf:6`; without the place for a default. */
export function by(key: string, setting: Setting<unknown>): string {
  return setting.origin === undefined ? `${key} is not set` : `${key}, ${place(setting.origin)}`;
}

/** Refuses a value that a profile key does not allow. Throws JobError 'invalid-request'. */
export function refuseBy<Key extends ProfileKey>(
  sentence: string,
  key: Key,
  profile: Pick<EffectiveProfile, CamelCase<Key>>,
): never {
  return refuse(`${sentence} (${by(key, profile[camelCase(key) as CamelCase<Key>])}).`);
}
