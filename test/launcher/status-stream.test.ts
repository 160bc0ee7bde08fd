/** Status streams send current states, then changes; one message serves all who may see the job. */
import t from 'tap';
import type { RequestId } from '../../src/launcher/request-id.ts';
import type { Response } from '../../src/launcher/responses.ts';
import { StatusStreams } from '../../src/launcher/status-stream.ts';
import { silentLog } from '../../src/system/log.ts';
import { createFakeJobs, type FakeJobs } from './fake-jobs.ts';
import { cancel, type Launcher, type Message, on, recordingLog, settle, startLauncher, status } from './harness.ts';

/** A name that JSON cannot hold. */
const UNWRITABLE = { toJSON: () => raise('no such text') } as unknown as string;

function raise(message: string): never {
  throw new TypeError(message);
}

async function session(jobs: FakeJobs): Promise<{ launcher: Launcher; lines: readonly string[] }> {
  const log = recordingLog();
  const launcher = await startLauncher({ jobs, log });
  return { launcher, lines: log.lines };
}

const brief = ({ requestId, id, status, errorCode, errorMessage, jobs }: Message) =>
  Object.fromEntries(
    Object.entries({ requestId, id, status, errorCode, errorMessage, jobs }).filter(([, value]) => value !== undefined),
  );

/** `requestId:seqId ... id status` of each status message. */
const states = (messages: readonly Message[]): string[] =>
  messages.map((message) => {
    const sequences = message['sequences'] as { requestId: number; seqId: number }[] | undefined;
    if (sequences === undefined) return `error ${message['errorCode']} for ${message['requestId']}`;
    return `${sequences.map(({ requestId, seqId }) => `${requestId}:${seqId}`).join(' ')} ${message['id']} ${message['status']}`;
  });

t.test('[flow-status] states are coalesced per job to the latest; no terminal state is lost', async (t) => {
  const launcher = await startLauncher();
  const count = 5000;
  await launcher.ask({ messageType: 4, requestId: 1, ...on('*') });
  launcher.pause();
  for (const status of ['Pending', 'Running', 'Finished'] as const) {
    for (let i = 0; i < count; i++) launcher.jobs.put({ id: `job-${i}`, status });
  }
  // Jobs that were deleted in between were announced nevertheless.
  for (let i = 0; i < count; i++) launcher.jobs.remove(`job-${i}`);
  await settle();
  launcher.resume();
  const last = new Map<unknown, unknown>();
  const responseIds: unknown[] = [];
  while ([...last.values()].filter((status) => status === 'Finished').length < count) {
    for (const message of await launcher.received()) {
      last.set(message['id'], message['status']);
      responseIds.push(message['responseId']);
    }
  }
  t.strictSame(
    responseIds,
    responseIds.map((_, index) => index + 1),
    'numbered as they were written',
  );
  const messages = responseIds.length;
  t.ok(messages < count * 1.2, `${messages} messages for ${count} jobs that changed three times`);
  await launcher.end();
});

t.test(
  '[status-initial] every current state to the new request alone, finished jobs too; nothing if there are none',
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

t.test('[status-initial] [status-change] current states to the new request, then changes', async (t) => {
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
    'a launcher that reads receives each',
  );
  await launcher.end();
});

t.test('[status-once] a subscriber that joins while changes wait to be written receives each job once', async (t) => {
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
  '[status-resubscribe] a repeated active id gets the states again and the count continues; after a cancel it starts at 1',
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

t.test('a status stream is answered with Error 0 and removed if jobs cannot be listed', async (t) => {
  const jobs = createFakeJobs();
  jobs.put({ id: 'job-1' });
  const { launcher, lines } = await session({ ...jobs, list: () => raise('broken list') });
  t.strictSame((await launcher.ask(status(5, '*'))).map(brief), [
    { requestId: 5, errorCode: 0, errorMessage: 'broken list' },
  ]);
  t.strictSame(lines, ['ERROR BUG: request failed with an unexpected error; answering with Error 0']);
  t.strictSame((await launcher.ask(status(6, 'job-1'))).map(brief), [{ requestId: 0, id: 'job-1', status: 'Pending' }]);
  jobs.put({ id: 'job-1', status: 'Running' });
  t.strictSame(
    (await launcher.received()).map(({ sequences }) => sequences),
    [[{ requestId: 6, seqId: 2 }]],
    'changes go to the other stream alone',
  );
  await launcher.end();
});

t.test('a job with a state that cannot be encoded does not affect the states of other jobs', async (t) => {
  const jobs = createFakeJobs();
  jobs.put({ id: 'job-1' });
  jobs.put({ id: 'job-2', name: UNWRITABLE });
  jobs.put({ id: 'job-3' });
  const { launcher, lines } = await session(jobs);
  t.strictSame((await launcher.ask(status(5, '*'))).map(brief), [
    { requestId: 0, id: 'job-1', status: 'Pending' },
    { requestId: 0, id: 'job-3', status: 'Pending' },
  ]);
  t.strictSame(lines, ['ERROR BUG: cannot report a job state; skipping it until the job changes']);
  jobs.put({ id: 'job-2', status: 'Running' });
  jobs.put({ id: 'job-3', status: 'Running' });
  t.strictSame((await launcher.received()).map(brief), [{ requestId: 0, id: 'job-3', status: 'Running' }]);
  t.equal(lines.length, 2);
  await launcher.end();
});

t.test('a job that cannot be read does not affect the states of other jobs', async (t) => {
  const jobs = createFakeJobs();
  for (const id of ['job-1', 'job-2', 'job-3']) jobs.put({ id });
  const { launcher, lines } = await session({
    ...jobs,
    find: (id, requester) => (id === 'job-2' ? raise('broken job') : jobs.find(id, requester)),
  });
  t.strictSame((await launcher.ask(status(5, '*'))).map(brief), [
    { requestId: 0, id: 'job-1', status: 'Pending' },
    { requestId: 0, id: 'job-3', status: 'Pending' },
  ]);
  t.strictSame(lines, ['ERROR BUG: cannot report a job state; skipping it until the job changes']);
  t.strictSame((await launcher.ask(status(6, 'job-2'))).map(brief), [
    { requestId: 6, errorCode: 0, errorMessage: 'broken job' },
  ]);
  await launcher.end();
});

t.test('[stream-shares] 10,000 status streams of one user do not keep another user from one', async (t) => {
  const launcher = await startLauncher();
  launcher.jobs.put({ id: 'job-2', user: 'bob' });
  for (let id = 1; id <= 10_000; id++) launcher.send(status(id, '*'));
  t.same(states(await launcher.received()), []);
  t.match(await launcher.ask(status(10_001, '*')), [
    {
      errorCode: 0,
      errorMessage: 'there are 10000 status streams already, the maximum; cancel some and ask again',
    },
  ]);
  t.same(states(await launcher.ask(status(20_000, '*', 'bob'))), ['20000:1 job-2 Pending']);
  t.same(
    states(await launcher.ask(cancel(4, 1), status(1, '*'))),
    ['error 0 for 1'],
    'bob is there, alice is above the share',
  );
  await launcher.end();
});

t.test('[stream-shares] current states are sent to one user after the other', async (t) => {
  const launcher = await startLauncher();
  for (let i = 1; i <= 3; i++) launcher.jobs.put({ id: `job-a${i}`, user: 'alice' });
  launcher.jobs.put({ id: 'job-b', user: 'bob', status: 'Running' });
  launcher.jobs.outputOf('job-b').push('x'.repeat(100_000));
  launcher.pause();
  await launcher.ask({ messageType: 6, requestId: 9, ...on('job-b', 'bob') });
  await launcher.ask(status(1, '*'), status(2, '*'), status(3, '*', 'bob'));
  launcher.resume();
  t.same(states(await launcher.received()).slice(1), [
    '1:1 job-a1 Pending',
    '3:1 job-b Running',
    '1:2 job-a2 Pending',
    '1:3 job-a3 Pending',
    '2:1 job-a1 Pending',
    '2:2 job-a2 Pending',
    '2:3 job-a3 Pending',
  ]);
  await launcher.end();
});

/** Streams of which nothing is sent before `resume`; their messages are `count x id status`. */
async function waiting(launcher: Launcher): Promise<{ sent: () => Promise<string[]> }> {
  launcher.jobs.put({ id: 'job-x', user: 'carol', status: 'Running' });
  launcher.jobs.outputOf('job-x').push('x'.repeat(100_000));
  launcher.pause();
  await launcher.ask({ messageType: 6, requestId: 9, ...on('job-x', 'carol') });
  return {
    sent: async () => {
      launcher.resume();
      const all: Message[] = [];
      for (let some = await launcher.received(); some.length > 0; some = await launcher.received()) all.push(...some);
      return all
        .filter(({ messageType }) => messageType === 3)
        .map(({ sequences, id, status }) => `${(sequences as unknown[]).length} x ${id} ${status}`);
    },
  };
}

t.test('[stream-shares] many streams of a user for the same jobs receive current states together', async (t) => {
  const launcher = await startLauncher();
  for (const id of ['job-1', 'job-2']) launcher.jobs.put({ id });
  launcher.jobs.put({ id: 'job-b', user: 'bob' });
  const { sent } = await waiting(launcher);
  for (let id = 1001; id <= 2500; id++) launcher.send(status(id, '*'));
  for (let id = 101; id <= 115; id++) launcher.send(status(id, 'job-1'));
  await launcher.ask(status(3001, '*', 'bob'), cancel(4, 1500));
  t.same(await sent(), [
    '1000 x job-1 Pending',
    '1 x job-b Pending',
    '1000 x job-2 Pending',
    '499 x job-1 Pending',
    '499 x job-2 Pending',
    ...Array.from({ length: 15 }, () => '1 x job-1 Pending'),
  ]);
  launcher.jobs.put({ id: 'job-1', status: 'Running' });
  t.match(await launcher.received(), [{ sequences: { length: 1_000 } }, { sequences: { length: 514 } }]);
  await launcher.end();
});

t.test('[stream-shares] changes of the jobs of one user are sent in turn with those of others', async (t) => {
  const launcher = await startLauncher();
  for (const id of ['job-1', 'job-2']) launcher.jobs.put({ id });
  launcher.jobs.put({ id: 'job-b', user: 'bob' });
  for (let id = 1001; id <= 3500; id++) launcher.send(status(id, '*'));
  launcher.send(status(1, '*', 'bob'));
  while ((await launcher.received()).length > 0);
  const { sent } = await waiting(launcher);
  for (const id of ['job-1', 'job-2', 'job-b']) launcher.jobs.put({ id, status: 'Running' });
  t.same(await sent(), [
    '1000 x job-1 Running',
    '1 x job-b Running',
    '1000 x job-1 Running',
    '500 x job-1 Running',
    '1000 x job-2 Running',
    '1000 x job-2 Running',
    '500 x job-2 Running',
  ]);
  await launcher.end();
});

t.test('[flow-status] the rest of a state that did not fit is not sent after a later state', async (t) => {
  const jobs = createFakeJobs();
  for (const id of ['job-1', 'job-2', 'job-3']) jobs.put({ id });
  const queue: (() => Response | undefined)[] = [];
  const { promise: written, resolve } = Promise.withResolvers<void>();
  const streams = new StatusStreams({
    jobs,
    writer: {
      isFree: false,
      maxMessageSize: 2_000,
      send: (make) => {
        queue.push(make as () => Response | undefined);
        return written;
      },
    },
    log: silentLog,
    bootstrapped: Promise.resolve(),
    synced: async () => {},
    refuse: async () => {},
  });
  /** `count x id status` of the next message. */
  const next = (): string => {
    const { sequences, id, status } = JSON.parse(`{${queue[0]?.()?.fields}}`);
    return `${sequences.length} x ${id} ${status}`;
  };
  streams.start('1' as RequestId, '*', 'alice');
  await settle();
  t.same(next(), '1 x job-1 Pending');
  for (let id = 101; id <= 130; id++) streams.start(String(id) as RequestId, 'job-1', '*');
  await settle();
  t.same([next(), next()], ['1 x job-2 Pending', '25 x job-1 Pending']);
  jobs.put({ id: 'job-1', status: 'Finished' });
  const rest = [next(), next(), next()];
  t.same(rest, ['25 x job-1 Finished', '6 x job-1 Finished', '1 x job-3 Pending']);
  streams.close();
  resolve();
});

t.test('[flow-status] while the launcher does not read, one write waits, however many jobs change', async (t) => {
  const jobs = createFakeJobs();
  let waiting = 0;
  const streams = new StatusStreams({
    jobs,
    writer: {
      isFree: false,
      maxMessageSize: 10_000,
      send: () => {
        waiting++;
        return new Promise(() => {});
      },
    },
    log: silentLog,
    bootstrapped: Promise.resolve(),
    synced: async () => {},
    refuse: async () => {},
  });
  streams.start('1' as RequestId, '*', '*');
  await settle();
  for (let i = 0; i < 100; i++) jobs.put({ id: `job-${i}` });
  await settle();
  t.equal(waiting, 1);
  streams.close();
});

t.test('[flow-status] a message has at most 1,000 sequences', async (t) => {
  const launcher = await startLauncher();
  launcher.jobs.put({ id: 'job-1' });
  for (let id = 1; id <= 2_500; id++) launcher.send(status(id, 'job-1'));
  for (let count = 0; count < 2_500; )
    count +=
      states(await launcher.received())
        .join(' ')
        .split(':').length - 1;
  launcher.jobs.put({ id: 'job-1', status: 'Running' });
  t.same(
    (await launcher.received()).map(({ sequences }) => (sequences as unknown[]).length),
    [1_000, 1_000, 500],
  );
  await launcher.end();
});

t.test('a change asks once for each user whether they see the job, however many streams they have', async (t) => {
  const fake = createFakeJobs();
  const asked: string[] = [];
  const visible: FakeJobs['visible'] = (job, requester) => {
    asked.push(requester);
    return fake.visible(job, requester);
  };
  const launcher = await startLauncher({ jobs: { ...fake, visible } });
  for (let id = 1; id <= 100; id++) await launcher.ask(status(id, '*', id % 2 === 0 ? 'bob' : 'eve'));
  await launcher.ask(status(101, '*', '*'));
  fake.put({ id: 'job-1', status: 'Pending', user: 'bob' });
  const [message] = await launcher.received();
  t.match(message, { sequences: { length: 51 } });
  t.same(asked.toSorted(), ['*', 'bob', 'eve']);
  await launcher.end();
});
