/**
 * The driven time: what it waits for, and what it does not.
 */
import t from 'tap';
import { JOBS } from '../api/resources.ts';
import { startCluster } from '../cluster.ts';
import { createCaller, JOBS_PATH, jobBody, untilPod } from '../testing.ts';
import { drivenClock } from './drive.ts';

const START = Date.UTC(2026, 0, 2, 3, 4, 5, 678);

t.test(
  'timers run one after the other, each at its time, those of one moment in the order they were set',
  async (t) => {
    const clock = drivenClock();
    t.teardown(clock.close);
    const seen: string[] = [];
    const note = (name: string): void => void seen.push(`${name} at ${clock.now()}`);
    clock.after(500, () => note('late'));
    clock.after(20, () => {
      note('first');
      clock.after(20, () => note('after the first'));
    });
    clock.after(20, () => note('second'));
    clock.after(30, () => note('never'))();
    await clock.drive(clock.sleep(600));
    t.strictSame(seen, ['first at 20', 'second at 20', 'after the first at 40', 'late at 500']);
  },
);

t.test('who waits for something goes on when it holds, or when the patience is over', async (t) => {
  const clock = drivenClock();
  t.teardown(clock.close);
  let count = 0;
  clock.after(70, () => {
    count = 1;
  });
  const version = (): number => count;
  const held = clock.until(() => count === 1, 100, version).then((yes) => [yes, clock.now()]);
  const not = clock.until(() => count === 2, 100, version).then((yes) => [yes, clock.now()]);
  t.strictSame(await clock.drive(Promise.all([held, not])), [
    [true, 70],
    [false, 100],
  ]);
});

t.test('waiting for what never comes is an error', async (t) => {
  const clock = drivenClock();
  t.teardown(clock.close);
  await t.rejects(clock.drive(new Promise(() => {})), { message: 'BUG: it waits for what never comes' });
});

/** A job in a cluster of its own; its log, and how long it took by the time of the cluster, in seconds. */
async function ran(command: string): Promise<{ readonly log: string; readonly seconds: number }> {
  const clock = drivenClock();
  const cluster = await startCluster({ clock: clock.showing(START) });
  const caller = createCaller(cluster);
  async function work(): Promise<{ log: string; seconds: number }> {
    await caller.call('POST', JOBS_PATH, jobBody('one', ['/bin/sh', '-c', command]));
    const pod = await untilPod(cluster, 'one', ({ status }) => status.phase === 'Succeeded');
    const { text } = await caller.call('GET', `/api/v1/namespaces/rstudio/pods/${pod.metadata.name}/log`);
    const { startedAt = '', finishedAt = '' } = pod.status.containerStatuses?.[0]?.state?.terminated ?? {};
    return { log: text, seconds: (Date.parse(finishedAt) - Date.parse(startedAt)) / 1000 };
  }
  try {
    return await clock.drive(work());
  } finally {
    await caller.close();
    await cluster.close();
    clock.close();
  }
}

t.test('a container sleeps by the driven time', async (t) => {
  t.strictSame(await ran('echo a; sleep 600; echo b'), { log: 'a\nb\n', seconds: 600 });
});

t.test('time waits for programs that work, below a shell too', async (t) => {
  const count = 'i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; echo $i';
  t.strictSame(await ran(`sh -c '${count}' | cat; sleep 0.5 & sleep 1; wait`), { log: '20000\n', seconds: 1 });
});

t.test('time does not wait for a program that computes for ever', async (t) => {
  t.strictSame(await ran('while :; do :; done & sleep 5; echo over'), { log: 'over\n', seconds: 5 });
});

t.test('a cluster shows the time it was given', async (t) => {
  const clock = drivenClock();
  t.teardown(clock.close);
  const cluster = await startCluster({ clock: clock.showing(START) });
  t.teardown(cluster.close);
  const caller = createCaller(cluster);
  t.teardown(caller.close);
  await clock.drive(Promise.all([caller.call('POST', JOBS_PATH, jobBody('one', ['true'])), clock.sleep(5000)]));
  const [job] = cluster.store.list(JOBS);
  t.equal(job?.metadata.creationTimestamp, '2026-01-02T03:04:05Z');
  // 590 ms to its start, 100 ms to the report of its end, 1100 ms to its last phase, up to a second each for two counts.
  t.equal(job?.status.completionTime, '2026-01-02T03:04:08Z');
});
