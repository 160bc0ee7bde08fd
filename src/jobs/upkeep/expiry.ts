/**
 * Reconcile rule that deletes a finished job `job-expiry-hours` after its end. A job without a recorded result never expires
 * (docs/kubernetes-objects.md section 5). Needs delete on jobs.
 */
import { JOBS } from '../../kubernetes/contract.ts';
import { isConflict } from '../../kubernetes/kubernetes-error.ts';
import type { JobsContext } from '../context.ts';
import type { JobResult } from '../objects/annotations.ts';
import type { JobView } from '../view/projection.ts';
import type { JobRecord } from '../view/record.ts';
import type { Rule } from './reconciler.ts';

const HOUR_MS = 3_600_000;

export function expireJobs({ client, options, log, signal }: JobsContext): Rule {
  /** Deletion was accepted; a finalizer may keep the Job for a while. */
  const deleting = new WeakSet<JobRecord>();
  return {
    name: 'expire-job',
    failure: 'Cannot delete an expired job',
    prompt: true,
    due: (record) => {
      const { result } = record.job;
      if (result === undefined || deleting.has(record)) return false;
      const hours = options().jobExpiryHours;
      const endedAt = endOf(record.job, result);
      const now = client.serverTime();
      return hours === 0 || (now !== undefined && !Number.isNaN(endedAt) && now - endedAt >= hours * HOUR_MS);
    },
    act: async (record) => {
      const { id, uid } = record;
      try {
        const existed = await client.delete(JOBS, id, { propagationPolicy: 'Background', uid, signal });
        if (existed) log.info('Deleted an expired job', { job: id });
      } catch (error) {
        // A Job of the same name with another uid is another job.
        if (!isConflict(error)) throw error;
      }
      deleting.add(record);
    },
  };
}

/**
 * The recorded end is by the clock of the node, which may be behind: an end is not before the decision of the control plane,
 * or, without one, before the time of its record.
 */
function endOf({ decision }: JobView, { endedAt = '', recordedAt = endedAt }: JobResult): number {
  return Math.max(Date.parse(endedAt), decision?.at || Date.parse(recordedAt));
}
