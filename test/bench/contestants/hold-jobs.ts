/** Ours: everything that the plugin holds of jobs, pods, services and events, ready to answer. */
import { createJobs } from '../../../src/jobs/jobs.ts';
import { systemClock } from '../../../src/system/clock.ts';
import { systemRandom } from '../../../src/system/random.ts';
import { heapInUse } from './heap.ts';
import { benchClient, benchLog } from './ours.ts';
import { done, taskOf } from './talk.ts';

const unasked = (): never => {
  throw new Error('nobody submits here');
};

const jobs = createJobs({
  client: benchClient(taskOf().url),
  policy: { resolve: unasked, clusterInfo: unasked, failPendingReasons: unasked },
  options: () => ({
    jobExpiryHours: 24,
    shareProcessNamespace: true,
    serviceType: 'NodePort',
    killMethod: 'auto',
    resourcePollSeconds: 15,
    pendingTimeoutSeconds: 0,
  }),
  clock: systemClock,
  random: systemRandom,
  log: benchLog,
  processId: 'bench/kubernetes/1',
});

async function run(): Promise<void> {
  const life = new AbortController().signal;
  void jobs.run(life);
  await jobs.synced(life);
  const heap = heapInUse();
  const running = jobs.list('*').filter(({ status }) => status === 'Running');
  // Each running job is one that has its pod.
  done({ seen: running.length * 2, heap });
}

void run();
