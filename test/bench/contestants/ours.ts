/** What the contestants that are made of our own sources share. */
import { createJobs, type RunningJobs } from '../../../src/jobs/jobs.ts';
import { createClient } from '../../../src/kubernetes/client.ts';
import type { Client } from '../../../src/kubernetes/contract.ts';
import { type Clock, systemClock } from '../../../src/system/clock.ts';
import type { Log } from '../../../src/system/log.ts';
import { systemRandom } from '../../../src/system/random.ts';

const complain = (sentence: string, fields?: unknown): void => {
  process.stderr.write(`${sentence} ${JSON.stringify(fields)}\n`);
};
const quiet = (): void => undefined;

const benchLog: Log = { error: complain, warning: complain, notice: quiet, info: quiet, debug: quiet };

/** With the options' default values. */
export function benchClient(apiUrl: string): Client {
  return createClient(
    {
      apiUrl,
      credentials: { kind: 'none' },
      tls: { verify: true },
      namespace: 'rstudio',
      fetchLimit: 500,
      watchTimeoutSeconds: 300,
      requestTimeoutMs: 30_000,
    },
    { clock: systemClock, random: systemRandom, log: benchLog },
  );
}

const unasked = (): never => {
  throw new Error('nobody submits here');
};

/** Jobs as the plugin holds them, with the options' default values. */
export function benchJobs(client: Client, clock: Clock): RunningJobs {
  return createJobs({
    client,
    policy: { resolve: unasked, clusterInfo: unasked, failPendingReasons: async () => [] },
    options: () => ({
      jobExpiryHours: 24,
      shareProcessNamespace: true,
      serviceType: 'NodePort',
      killMethod: 'auto',
      resourcePollSeconds: 15,
      pendingTimeoutSeconds: 0,
    }),
    clock,
    random: systemRandom,
    log: benchLog,
    processId: 'bench/kubernetes/1',
  });
}
