/**
 * Finished jobs are deleted `job-expiry-hours` after their end (kubernetes-objects.md section 5): one sweep a minute, by
 * the API server's clock, never a timer per job. A job whose end is not written down never expires. Needs delete on jobs.
 */
import { JOBS } from '../../kubernetes/contract.ts';
import { isConflict } from '../../kubernetes/kubernetes-error.ts';
import { repeat } from '../../system/async.ts';
import type { Context } from '../context.ts';
import type { JobView } from '../view/projection.ts';
import type { JobEntry } from '../view/record.ts';

const SWEEP_MS = 60_000;
const HOUR_MS = 3_600_000;

/** Is it time to delete the job? `now` is the server's clock. */
function isExpired({ result }: Pick<JobView, 'result'>, hours: number, now: number): boolean {
  const endedAt = Date.parse(result?.endedAt ?? '');
  return !Number.isNaN(endedAt) && now - endedAt >= hours * HOUR_MS;
}

type Expiring = Pick<Context, 'client' | 'clock' | 'repository' | 'options' | 'log'>;

/** Sweeps until the signal ends; never rejects. */
export async function expireJobs({ client, clock, repository, options, log }: Expiring, signal: AbortSignal) {
  /** Being deleted, or deleted and not yet gone, by uid. */
  const deleting = new Set<string>();

  async function remove({ id, uid }: JobEntry): Promise<void> {
    if (deleting.has(uid)) return;
    deleting.add(uid);
    try {
      const wasThere = await client.delete(JOBS, id, { propagationPolicy: 'Background', uid, signal });
      if (wasThere) log.info('Deleted a job that had ended long enough ago', { job: id });
      return;
    } catch (error) {
      // A job of the same name is another job; the next sweep tries again after anything else.
      if (!isConflict(error) && !signal.aborted) log.warning('An expired job cannot be deleted', { job: id, error });
    }
    deleting.delete(uid);
  }

  async function sweep(): Promise<void> {
    const now = client.serverTime();
    if (now === undefined) return;
    const hours = options().jobExpiryHours;
    for (const entry of [...repository.entries()]) if (isExpired(entry.job, hours, now)) await remove(entry);
  }

  const stopListening = repository.onUpdate((entry) => {
    if (entry.gone) deleting.delete(entry.uid);
    else if (options().jobExpiryHours === 0 && entry.job.result !== undefined) void remove(entry);
  });
  try {
    await repeat(clock, SWEEP_MS, signal, sweep);
  } finally {
    stopListening();
  }
}
