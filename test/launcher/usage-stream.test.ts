/** One measurement per job serves all usage streams of that job. */
import t from 'tap';
import { createFakeJobs, type FakeJobs } from './fake-jobs.ts';
import { cancel, type Launcher, recordingLog, startLauncher, usage } from './harness.ts';

/** A name that JSON cannot hold. */
const UNWRITABLE = { toJSON: () => raise('no such text') } as unknown as string;

async function session(jobs: FakeJobs): Promise<{ launcher: Launcher; lines: readonly string[] }> {
  const log = recordingLog();
  const launcher = await startLauncher({ jobs, log });
  return { launcher, lines: log.lines };
}

function raise(message: string): never {
  throw new TypeError(message);
}

t.test('[usage-frames] one measurement per job serves all requests; complete at the end', async (t) => {
  const launcher = await startLauncher();
  launcher.jobs.put({ id: 'job-1', status: 'Running' });
  const feed = launcher.jobs.usageOf('job-1');
  t.same(await launcher.ask(usage(20, 'job-1')), [], 'nothing until the next measurement');
  feed.push({ cpuPercent: 12.5, cpuTime: 3.2, virtualMemory: 210.4, residentMemory: 88.1 });
  t.same(await launcher.texts(), [
    '{"messageType":6,"requestId":0,"responseId":1,"sequences":[{"requestId":20,"seqId":1}],"cpuPercent":12.5,"cpuTime":3.2,"virtualMemory":210.4,"residentMemory":88.1,"complete":false}',
  ]);
  launcher.jobs.put({ id: 'job-1', status: 'Suspended' });
  t.same(await launcher.ask(usage(9, 'job-1', '*')), [], 'any state will do while it is measured');
  feed.push({});
  t.same(await launcher.texts(), [
    '{"messageType":6,"requestId":0,"responseId":2,"sequences":[{"requestId":9,"seqId":1},{"requestId":20,"seqId":2}],"complete":false}',
  ]);
  t.equal(launcher.jobs.reading(), 1);
  launcher.jobs.put({ id: 'job-1', status: 'Finished' });
  feed.end();
  t.same(await launcher.texts(), [
    '{"messageType":6,"requestId":0,"responseId":3,"sequences":[{"requestId":9,"seqId":2},{"requestId":20,"seqId":3}],"complete":true}',
  ]);
  t.match(await launcher.ask(usage(20, 'job-1')), [{ messageType: -1, requestId: 20, errorCode: 6 }]);
  await launcher.end();
});

t.test('[usage-not-running] Error 6 if the job is not running, Error 3 if it is unknown or foreign', async (t) => {
  const launcher = await startLauncher();
  launcher.jobs.put({ id: 'job-1' });
  launcher.jobs.put({ id: 'job-2', user: 'bob', status: 'Running' });
  t.match(await launcher.ask(usage(1, 'job-1')), [{ messageType: -1, requestId: 1, errorCode: 6 }]);
  t.match(await launcher.ask(usage(2, 'job-2')), [{ messageType: -1, requestId: 2, errorCode: 3 }]);
  t.match(await launcher.ask(usage(3, '*')), [{ messageType: -1, requestId: 3, errorCode: 3 }]);
  await launcher.end();
});

t.test(
  '[usage-cancel] measuring stops with the last request; a failing measurement ends the stream like the end of the job',
  async (t) => {
    const launcher = await startLauncher();
    launcher.jobs.put({ id: 'job-1', status: 'Running' });
    const feed = launcher.jobs.usageOf('job-1');
    await launcher.ask(usage(1, 'job-1'), usage(2, 'job-1'), usage(2, 'job-1'));
    feed.push({ cpuPercent: 1 });
    t.match(await launcher.received(), [
      {
        sequences: [
          { requestId: 1, seqId: 1 },
          { requestId: 2, seqId: 1 },
        ],
      },
    ]);
    t.same(await launcher.ask(cancel(7, 1)), []);
    feed.push({ cpuPercent: 2 });
    t.match(await launcher.received(), [{ sequences: [{ requestId: 2, seqId: 2 }] }]);
    await launcher.ask(cancel(7, 2));
    t.equal(launcher.jobs.reading(), 0);
    t.equal((await launcher.ask(usage(1, 'job-1'))).length, 2, 'the two measurements of the feed');
    feed.fail(new Error('metrics went away'));
    t.match(await launcher.received(), [{ sequences: [{ requestId: 1, seqId: 3 }], complete: true }]);
    await launcher.end();
  },
);

t.test('a measurement that cannot be encoded is skipped; the next one is sent', async (t) => {
  const jobs = createFakeJobs();
  jobs.put({ id: 'job-1', status: 'Running' });
  const { launcher, lines } = await session(jobs);
  await launcher.ask(usage(5, 'job-1'));
  jobs.usageOf('job-1').push({ cpuPercent: UNWRITABLE as unknown as number });
  jobs.usageOf('job-1').push({ cpuPercent: 7 });
  t.match(await launcher.received(), [{ cpuPercent: 7, complete: false }]);
  t.strictSame(lines, ['ERROR BUG: cannot build a message of a stream; dropping it, the next one follows']);
  await launcher.ask(cancel(7, 5));
  await launcher.end();
});

t.test('[stream-shares] 10,000 usage streams of one user do not keep another user from one', async (t) => {
  const launcher = await startLauncher();
  launcher.jobs.put({ id: 'job-1', status: 'Running' });
  launcher.jobs.put({ id: 'job-2', status: 'Running', user: 'bob' });
  for (let id = 1; id <= 10_001; id++) launcher.send(usage(id, 'job-1'));
  t.match(await launcher.received(), [{ requestId: 10_001, errorCode: 0 }]);
  launcher.jobs.usageOf('job-2').push({ cpuPercent: 3 });
  t.match(await launcher.ask(usage(20_000, 'job-2', 'bob')), [{ cpuPercent: 3 }]);
  await launcher.end();
});

t.test('[usage-frames] a message has at most 1,000 sequences', async (t) => {
  const launcher = await startLauncher();
  launcher.jobs.put({ id: 'job-1', status: 'Running' });
  for (let id = 1; id <= 2_500; id++) launcher.send(usage(id, 'job-1'));
  await launcher.received();
  launcher.jobs.usageOf('job-1').push({ cpuPercent: 1 });
  t.same(
    (await launcher.received()).map(({ sequences }) => (sequences as unknown[]).length),
    [1_000, 1_000, 500],
  );
  await launcher.end();
});
