/**
 * Reconcile rule that deletes a finished job `job-expiry-hours` after its end, by the API server's clock. A job without a
 * recorded result never expires (docs/kubernetes-objects.md section 5). Needs delete on jobs.
 */
import { JOBS } from '../../kubernetes/contract.ts';
import { isConflict } from '../../kubernetes/kubernetes-error.ts';
import type { JobsContext } from '../context.ts';
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
      const endedAt = Date.parse(result.endedAt ?? '');
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
