/** Errors of jobs/: their codes, API errors as sentences for a user, and how the policy refuses a value. */

import type { ProfileKey } from '../config/profiles/profile-table.ts';
import type { EffectiveProfile } from '../config/profiles/profiles.ts';
import { type CamelCase, camelCase } from '../config/text/kinds.ts';
import { place } from '../config/text/problem.ts';
import type { Setting } from '../config/text/settings.ts';
import { isForbidden, isInvalid, KubernetesError } from '../kubernetes/kubernetes-error.ts';
import { UserFacingError } from '../system/user-facing-error.ts';

/** Why something was refused; launcher/ gives each its number (launcher-plugin-api.md section 9). */
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
  /** The message as the log may have it: without what it quotes of the user's own secrets. */
  readonly logged: string;

  /** `message` is a sentence that a person can act on; it goes to the user, and unless `logged` is given into the log. */
  constructor(code: JobErrorCode, message: string, { logged, ...options }: JobErrorOptions = {}) {
    super(message, options);
    this.code = code;
    this.logged = logged ?? message;
  }
}

/**
 * `what` says what did not work: "The job could not be created". `forLog`: what the log may have of the cluster's words,
 * which may quote what was sent.
 */
export function jobErrorOf(error: unknown, what: string, forLog = (text: string): string => text): JobError {
  if (error instanceof JobError) return error;
  if (!(error instanceof KubernetesError)) return new JobError('unknown', `${what}: ${words(error)}`, { cause: error });
  const { text, message } = error;
  const code: JobErrorCode = isInvalid(error) ? 'invalid-request' : 'unknown';
  // What the server itself says is for users; what connections say needs our words around it.
  const said = isInvalid(error) || isForbidden(error) ? text : message;
  return new JobError(code, `${what}: ${said}`, { cause: error, logged: `${what}: ${forLog(said)}` });
}

const words = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** Throws JobError 'invalid-request'. */
export function refuse(sentence: string): never {
  throw new JobError('invalid-request', sentence);
}

/** `max-cpus, /etc/rstudio/launcher.kubernetes.profiles.conf:6`; without the place if it is a default. */
export function by(key: string, setting: Setting<unknown>): string {
  return setting.origin === undefined ? `${key} is not set` : `${key}, ${place(setting.origin)}`;
}

/** Refuses what a key of the profile does not allow. */
export function refuseBy<Key extends ProfileKey>(
  sentence: string,
  key: Key,
  profile: Pick<EffectiveProfile, CamelCase<Key>>,
): never {
  return refuse(`${sentence} (${by(key, profile[camelCase(key) as CamelCase<Key>])}).`);
}
