/**
 * Option `pending-timeout-seconds`: a job that has been Pending for too long is canceled, with what it waited for as the
 * reason (configuration.md section 1).
 */

import type { Context } from '../context.ts';
import { cancel } from '../operations/control.ts';
import { duration } from '../view/reasons.ts';
import type { Chore } from './reconciler.ts';

/** Who is said to have canceled it. */
const BY = 'launcher';

export function cancelLatePending(context: Context): Chore {
  const { client, options } = context;
  return {
    name: 'Canceling a job that has been pending for too long',
    afterMs: 0,
    isDue: ({ job, outcome }) => {
      const seconds = options().pendingTimeoutSeconds;
      const now = client.serverTime();
      // A job that somebody has suspended waits for him; one that is decided waits for what is known of its end.
      if (seconds === 0 || now === undefined || outcome.state !== 'Pending' || job.suspended) return false;
      return job.control === undefined && job.decision === undefined && now - job.createdAt >= seconds * 1000;
    },
    act: async (entry) => {
      const waited = `pending for more than ${duration(options().pendingTimeoutSeconds)}`;
      const { message } = entry.outcome;
      await cancel(context, entry, BY, message === '' ? waited : `${waited}: ${message}`);
    },
  };
}
