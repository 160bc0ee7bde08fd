/** Ours: everything that the plugin holds of jobs, pods, services and events, ready to answer. */
import { systemClock } from '../../../src/system/clock.ts';
import { heapInUse } from './heap.ts';
import { benchClient, benchJobs } from './ours.ts';
import { done, taskOf } from './talk.ts';

const jobs = benchJobs(benchClient(taskOf().url), systemClock);

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
