/** Audit log: one line for each submit and control of a job, with its requester, image and result. */
import type { Log } from '../system/log.ts';
import type { ControlOperation, Jobs } from './contract.ts';
import { JobError } from './job-error.ts';

const DONE: Readonly<Record<ControlOperation, string>> = {
  suspend: 'Suspended a job',
  resume: 'Resumed a job',
  stop: 'Stopped a job',
  kill: 'Killed a job',
  cancel: 'Canceled a job',
};

/** Logs every submit and control, refused ones too. Arguments, environment and stdin are not logged: they hold secrets. */
export function auditedJobs(jobs: Jobs, log: Log): Jobs {
  return {
    ...jobs,
    submit: async (request, requester, timeoutMs) => {
      const asked = { user: request.user, requester, name: request.name, image: request.container?.image };
      try {
        const job = await jobs.submit(request, requester, timeoutMs);
        log.notice('Submitted a job', { ...asked, image: job.container?.image, job: job.id });
        return job;
      } catch (error) {
        log.notice('Did not submit a job', { ...asked, ...refusal(error) });
        throw error;
      }
    },
    control: async (id, requester, operation, recordedUser) => {
      try {
        const { user, container } = jobs.find(id, requester);
        const result = await jobs.control(id, requester, operation, recordedUser);
        const facts = { user, requester, job: id, image: container?.image, reason: result.message || undefined };
        log.notice(result.complete ? DONE[operation] : `Could not ${operation} a job`, facts);
        return result;
      } catch (error) {
        log.notice(`Could not ${operation} a job`, { requester, job: id, ...refusal(error) });
        throw error;
      }
    },
  };
}

function refusal(error: unknown): { readonly code: string; readonly reason: string } {
  return error instanceof JobError
    ? { code: error.code, reason: error.logged }
    : { code: 'unexpected', reason: error instanceof Error ? error.message : String(error) };
}
