/** Whose a job is: who may see it, and for whom one may be submitted. Names are compared as they are written. */
import type { Requester } from '../contract.ts';
import type { JobRequest } from '../job.ts';
import { JobError } from '../job-error.ts';

/** A job without an owner is visible to administrators only. */
export function maySee(owner: string, requester: Requester): boolean {
  return requester === '*' || (owner !== '' && owner === requester);
}

/** An ordinary user submits for himself; an administrator for whom the job names (launcher-plugin-api.md 7.3). */
export function withOwner(request: JobRequest, requester: Requester): JobRequest {
  const user = request.user === '' && requester !== '*' ? requester : request.user;
  if (user === '' || user === '*')
    throw new JobError('invalid-request', 'job.user names nobody; a job needs a user to own it');
  if (requester !== '*' && user !== requester)
    throw new JobError(
      'invalid-request',
      'job.user is another user than username; only an administrator may submit for others',
    );
  return user === request.user ? request : { ...request, user };
}
