/** Streams of states and of usage are shared: one message lists all who may have it, each with its own count. */
import t from 'tap';
import { cancel, type Message, on, settle, startLauncher, status, usage } from './harness.ts';

/** `requestId:seqId ... id status` of each status message. */
const states = (messages: readonly Message[]): string[] =>
  messages.map((message) => {
    const sequences = message['sequences'] as { requestId: number; seqId: number }[] | undefined;
    if (sequences === undefined) return `error ${message['errorCode']} for ${message['requestId']}`;
    return `${sequences.map(({ requestId, seqId }) => `${requestId}:${seqId}`).join(' ')} ${message['id']} ${message['status']}`;
  });

t.test(
  '[status-initial] every present state to the new request alone, finished jobs too; nothing if there are none',
  async (t) => {
    const launcher = await startLauncher();
    t.same(states(await launcher.ask(status(1, '*'))), []);
    launcher.jobs.put({ id: 'job-1', status: 'Finished' });
    launcher.jobs.put({ id: 'job-2', status: 'Running', user: 'bob' });
    t.same(states(await launcher.received()), ['1:1 job-1 Finished']);
    t.same(states(await launcher.ask(status(2, '*', '*'))), ['2:1 job-1 Finished', '2:2 job-2 Running']);
    t.same(states(await launcher.ask(status(3, 'job-2', 'bob'))), ['3:1 job-2 Running']);
    await launcher.end();
  },
);

t.test('[status-initial] [status-change] present states to the new request, then changes', async (t) => {
  const launcher = await startLauncher();
  launcher.jobs.put({ id: 'job-1', name: 'a' });
  launcher.send({ messageType: 4, requestId: 15, ...on('*'), cancel: false });
  t.same(await launcher.texts(), [
    '{"messageType":3,"requestId":0,"responseId":1,"sequences":[{"requestId":15,"seqId":1}],"id":"job-1","name":"a","status":"Pending"}',
  ]);
  launcher.send({ messageType: 4, requestId: 19, ...on('job-1') });
  t.same(await launcher.texts(), [
    '{"messageType":3,"requestId":0,"responseId":2,"sequences":[{"requestId":19,"seqId":1}],"id":"job-1","name":"a","status":"Pending"}',
  ]);
  launcher.jobs.put({ id: 'job-1', status: 'Running', statusCode: 'Running' });
  t.same(await launcher.texts(), [
    '{"messageType":3,"requestId":0,"responseId":3,"sequences":[{"requestId":15,"seqId":2},{"requestId":19,"seqId":2}],"id":"job-1","name":"a","status":"Running","statusCode":"Running"}',
  ]);
  await launcher.end();
});

t.test('[status-multi] one message lists all who may see the job, in ascending order of ids', async (t) => {
  const launcher = await startLauncher();
  launcher.jobs.put({ id: 'job-1' });
  launcher.jobs.put({ id: 'job-2', user: 'bob' });
  await launcher.ask(status(100, '*', '*'), status(20, '*', 'bob'), status(9, '*'), status(30, 'job-2', 'bob'));
  launcher.jobs.put({ id: 'job-2', status: 'Running' });
  launcher.jobs.put({ id: 'job-1', status: 'Running' });
  t.same(states(await launcher.received()), ['20:2 30:2 100:3 job-2 Running', '9:2 100:4 job-1 Running']);
  await launcher.end();
});

t.test('[status-new-job] a new job appears with its first state; a message alone is a change', async (t) => {
  const launcher = await startLauncher();
  await launcher.ask(status(1, '*'));
  launcher.jobs.put({ id: 'job-1' });
  launcher.jobs.put({ id: 'job-1', statusMessage: 'Pulling image r' });
  launcher.jobs.put({ id: 'job-1', status: 'Running', statusMessage: '' });
  launcher.jobs.put({ id: 'job-1', status: 'Finished' });
  t.same(
    (await launcher.received()).map(({ sequences, id, status, statusMessage }) => ({
      sequences,
      id,
      status,
      statusMessage,
    })),
    [
      { sequences: [{ requestId: 1, seqId: 1 }], id: 'job-1', status: 'Pending', statusMessage: undefined },
      { sequences: [{ requestId: 1, seqId: 2 }], id: 'job-1', status: 'Pending', statusMessage: 'Pulling image r' },
      { sequences: [{ requestId: 1, seqId: 3 }], id: 'job-1', status: 'Running', statusMessage: undefined },
      { sequences: [{ requestId: 1, seqId: 4 }], id: 'job-1', status: 'Finished', statusMessage: undefined },
    ],
    'a launcher that reads is told of each',
  );
  await launcher.end();
});

t.test('[status-once] who subscribes while changes wait to be written is told of each job once', async (t) => {
  const launcher = await startLauncher();
  await launcher.ask(status(1, '*'));
  launcher.pause();
  for (let i = 0; i < 1000; i++) launcher.jobs.put({ id: `job-${i}`, status: 'Running' });
  launcher.send(status(2, '*'));
  await settle();
  launcher.resume();
  const all: string[] = [];
  for (let some = await launcher.received(); some.length > 0; some = await launcher.received())
    all.push(...states(some));
  const told = all.flatMap((line) => /\b2:\d+ (?:\d+:\d+ )*(job-\d+) Running$/.exec(line)?.[1] ?? []);
  t.equal(told.length, 1000);
  t.equal(new Set(told).size, 1000);
  await launcher.end();
});

t.test(
  '[status-resubscribe] again with an active id: states again, the count goes on; after a cancel it starts at 1',
  async (t) => {
    const launcher = await startLauncher();
    launcher.jobs.put({ id: 'job-1' });
    t.same(states(await launcher.ask(status(1, '*'))), ['1:1 job-1 Pending']);
    t.same(states(await launcher.ask(status(1, '*'))), ['1:2 job-1 Pending']);
    t.same(states(await launcher.ask(cancel(4, 1))), []);
    t.same(states(await launcher.ask(status(1, 'job-1'))), ['1:1 job-1 Pending']);
    launcher.jobs.put({ id: 'job-1', status: 'Running' });
    t.same(states(await launcher.received()), ['1:2 job-1 Running'], 'and it is subscribed once');
    await launcher.end();
  },
);

t.test(
  '[status-open] the stream stays open after the job finished; [cancel-silent] a cancel is never answered',
  async (t) => {
    const launcher = await startLauncher();
    launcher.jobs.put({ id: 'job-1', status: 'Running' });
    await launcher.ask(status(1, 'job-1'));
    launcher.jobs.put({ id: 'job-1', status: 'Finished' });
    t.same(states(await launcher.received()), ['1:2 job-1 Finished']);
    launcher.jobs.put({ id: 'job-1', statusMessage: 'more' });
    t.same(states(await launcher.received()), ['1:3 job-1 Finished']);
    t.same(await launcher.ask(cancel(4, 1), cancel(4, 1), cancel(4, 99), cancel(6, 1), cancel(7, 1)), []);
    launcher.jobs.put({ id: 'job-1', statusMessage: 'even more' });
    t.same(await launcher.received(), []);
    await launcher.end();
  },
);

t.test('[status-foreign] an unknown or foreign job is Error 3', async (t) => {
  const launcher = await startLauncher();
  launcher.jobs.put({ id: 'job-1', user: 'bob' });
  t.same(states(await launcher.ask(status(1, 'job-1'), status(2, 'job-9'))), ['error 3 for 1', 'error 3 for 2']);
  await launcher.end();
});

t.test('[usage-frames] one reading per job serves all who ask; complete at the end', async (t) => {
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
  '[usage-cancel] reading stops with the last who asked; a failing measurement ends it like the job',
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
