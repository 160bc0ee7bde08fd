/** Follows the jobs of the cluster beside a running plugin: the same view and operations, without changing anything by itself. */
import { hostname } from 'node:os';
import type { Options } from '../config/options/options.ts';
import { JobError } from '../jobs/job-error.ts';
import { createJobs, type RunningJobs } from '../jobs/jobs.ts';
import { OURS } from '../jobs/objects/annotations.ts';
import type { Policy } from '../jobs/policy/policy.ts';
import { type Client, JOBS } from '../kubernetes/contract.ts';
import { Deadline } from '../system/async.ts';
import type { Clock } from '../system/clock.ts';
import type { Log, LogFields } from '../system/log.ts';
import { randomText } from '../system/random.ts';
import { connectCommand } from './command-client.ts';
import type { CommandContext } from './command-session.ts';
import { clean, type Terminal } from './terminal.ts';

/** A command submits nothing, and the profiles of users do not restrict an administrator. */
const NO_POLICY: Policy = {
  resolve: () => Promise.reject(new JobError('invalid-request', 'commands submit no jobs')),
  clusterInfo: () => Promise.reject(new JobError('invalid-request', 'commands do not ask for cluster info')),
  failPendingReasons: async () => [],
};

const SYNC_MS = 30_000;

interface LiveJobs {
  readonly jobs: RunningJobs;
  readonly client: Client;
}

/**
 * Runs `use` while the jobs are followed, after the first lists. Rejects with KubernetesError if the cluster cannot be
 * reached, and with JobError if the lists take longer than 30 s.
 */
export async function withLiveJobs<T>(
  options: Options,
  context: CommandContext,
  say: Terminal['say'],
  use: (live: LiveJobs) => Promise<T>,
): Promise<T> {
  const { clock, random } = context;
  const log = problemsAs(say, context.clock);
  const client = connectCommand(options, { ...context, log });
  const ending = new AbortController();
  const deadline = new Deadline(clock);
  try {
    // The reflectors retry forever; this call shows at once why they would have to.
    await client.list(JOBS, { labelSelector: OURS });
    const jobs = createJobs({
      client,
      policy: NO_POLICY,
      options: () => options,
      clock,
      random,
      // Permissions are a matter of `check`.
      log: { ...log, notice: () => {} },
      processId: `${hostname()}/command/${randomText(random, 8)}`,
    });
    const observed = Promise.all([jobs.observe(ending.signal), client.reportOutages(ending.signal)]);
    deadline.set(SYNC_MS, () => new Error('the first lists took too long'));
    try {
      await jobs.synced(deadline.signal);
      deadline.end();
      return await use({ jobs, client });
    } finally {
      ending.abort(new Error('the command has ended'));
      await observed;
    }
  } finally {
    deadline.end();
    await client.close();
  }
}

/** Warnings and errors of the client, and the end of an outage, with their time; everything else is dropped. */
function problemsAs(say: Terminal['say'], clock: Clock): Log {
  const print = (kind: string, sentence: string, { error }: LogFields = {}): void => {
    const time = new Date(clock.now()).toISOString().slice(11, 19);
    const reason = error instanceof Error ? `: ${error.message}` : '';
    say(`${kind}: ${time}Z ${clean(sentence + reason)}`);
  };
  const warn = (sentence: string, fields?: LogFields): void => print('warning', sentence, fields);
  return {
    error: warn,
    warning: warn,
    notice: (sentence, _fields, level) => print(level === 'WARNING' ? 'warning' : 'note', sentence),
    info: () => {},
    debug: () => {},
  };
}
