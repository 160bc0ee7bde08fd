import fc from 'fast-check';
import t from 'tap';
import { JobError } from '../../src/jobs/contract.ts';
import { jsonText } from '../../src/launcher/json-text.ts';
import { createFakeJobs } from './fake-jobs.ts';
import { type Message, settle, startLauncher } from './harness.ts';

const on = (jobId: string, username = 'alice') => ({ username, requestUsername: username, jobId, encodedJobId: '' });
const status = (requestId: number, jobId: string, username?: string): Message => ({
  messageType: 4,
  requestId,
  ...on(jobId, username),
});
const output = (requestId: number, jobId: string, more: Message = {}): Message => ({
  messageType: 6,
  requestId,
  ...on(jobId),
  cancel: false,
  ...more,
});
const usage = (requestId: number, jobId: string, username?: string): Message => ({
  messageType: 7,
  requestId,
  ...on(jobId, username),
  cancel: false,
});
const cancel = (messageType: number, requestId: number): Message => ({
  messageType,
  requestId,
  ...on('any'),
  cancel: true,
});

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

t.test('[before-bootstrap] before Bootstrap is answered no message carries requestId 0', async (t) => {
  const launcher = await startLauncher({ version: null, heartbeatIntervalSeconds: 5 });
  launcher.jobs.put({ id: 'job-1', status: 'Running' });
  launcher.jobs.outputOf('job-1').push('x');
  launcher.jobs.usageOf('job-1').push({ cpuPercent: 1 });
  launcher.send({ messageType: 0, requestId: 0 }, status(0, '*'), output(0, 'job-1'), usage(0, 'job-1'));
  await launcher.clock.advance(20_000);
  t.same(await launcher.received(), []);
  t.match(await launcher.ask({ messageType: 3, requestId: 5, ...on('job-1') }), [{ messageType: 2, requestId: 5 }]);
  const [first, ...others] = await launcher.ask({
    messageType: 1,
    requestId: 0,
    version: { major: 3, minor: 10, patch: 0 },
  });
  t.match(first, { messageType: 1, requestId: 0, responseId: 1 });
  t.same(others.map((message) => message['messageType']).sort(), [3, 5, 6]);
  await launcher.end();
});

t.test('[cancel-early] a cancel ends a stream that still waits for jobs to be known', async (t) => {
  const jobs = createFakeJobs();
  const { promise, resolve } = Promise.withResolvers<void>();
  jobs.on.synced = () => promise;
  const launcher = await startLauncher({ version: null, jobs });
  jobs.put({ id: 'job-1', status: 'Running' });
  jobs.outputOf('job-1').push('x');
  launcher.send(status(1, '*'), output(2, 'job-1'), usage(3, 'job-1'));
  launcher.send(cancel(4, 1), cancel(6, 2), cancel(7, 3));
  launcher.send({ messageType: 1, requestId: 0, version: { major: 3, minor: 10, patch: 0 } });
  await settle();
  resolve();
  t.match(await launcher.received(), [{ messageType: 1, requestId: 0, responseId: 0 }]);
  t.equal(jobs.reading(), 0);
  await launcher.end();
});

t.test('[output-labels] the label is the one that was asked for', async (t) => {
  const launcher = await startLauncher();
  launcher.jobs.put({ id: 'job-1', status: 'Running' });
  launcher.jobs.outputOf('job-1').push('x');
  const label = async (requestId: number, outputType: unknown): Promise<unknown> => {
    const [message] = await launcher.ask(output(requestId, 'job-1', { outputType }));
    return message?.['outputType'];
  };
  t.equal(await label(1, 0), 'stdout');
  t.equal(await label(2, 'stderr'), 'stderr');
  t.equal(await label(3, 2), 'mixed');
  t.equal(await label(4, undefined), 'mixed');
  await launcher.end();
});

t.test(
  '[output-never-ran] a job that never ran: the final message alone, also on a stream opened while it was Pending',
  async (t) => {
    const launcher = await startLauncher();
    launcher.jobs.put({ id: 'job-1', status: 'Pending' });
    t.same(await launcher.ask(output(1, 'job-1')), []);
    launcher.jobs.put({ id: 'job-1', status: 'Canceled' });
    launcher.jobs.outputOf('job-1').end();
    const complete = (requestId: number, responseId: number): string =>
      `{"messageType":5,"requestId":${requestId},"responseId":${responseId},"seqId":1,"complete":true}`;
    t.same(await launcher.texts(), [complete(1, 1)]);
    launcher.send(output(2, 'job-1'));
    t.same(await launcher.texts(), [complete(2, 2)]);
    await launcher.end();
  },
);

t.test('[output-gone] output that is gone: Error 7; a stream already running completes with what came', async (t) => {
  const launcher = await startLauncher();
  launcher.jobs.put({ id: 'job-1', status: 'Running' });
  const feed = launcher.jobs.outputOf('job-1');
  feed.push('some');
  t.match(await launcher.ask(output(1, 'job-1')), [{ requestId: 1, seqId: 1, output: 'some' }]);
  feed.fail(new JobError('output-not-found', 'the output of job-1 is gone with its pod'));
  t.match(await launcher.received(), [{ messageType: 5, requestId: 1, seqId: 2, complete: true }]);

  launcher.jobs.put({ id: 'job-2', status: 'Finished' });
  launcher.jobs.outputOf('job-2').fail(new JobError('output-not-found', 'the output of job-2 is gone with its pod'));
  t.same(await launcher.ask(output(2, 'job-2')), [
    {
      messageType: -1,
      requestId: 2,
      responseId: 0,
      errorCode: 7,
      errorMessage: 'the output of job-2 is gone with its pod',
    },
  ]);
  t.match(await launcher.ask(output(3, 'job-9'), output(4, '*')), [
    { messageType: -1, requestId: 3, errorCode: 3 },
    { messageType: -1, requestId: 4, errorCode: 3 },
  ]);
  await launcher.end();
});

t.test(
  '[output-same-id] the same id while its stream is active is ignored; afterwards it can be used again',
  async (t) => {
    const launcher = await startLauncher();
    launcher.jobs.put({ id: 'job-1', status: 'Running' });
    launcher.jobs.outputOf('job-1').push('x');
    t.equal((await launcher.ask(output(1, 'job-1'), output(1, 'job-1'))).length, 1);
    t.equal(launcher.jobs.reading(), 1);
    launcher.jobs.outputOf('job-1').end();
    t.match(await launcher.received(), [{ seqId: 2, complete: true }]);
    t.match(await launcher.ask(output(1, 'job-1')), [
      { seqId: 1, output: 'x' },
      { seqId: 2, complete: true },
    ]);
    await launcher.end();
  },
);

t.test(
  '[output-cancel] after a cancel nothing more is sent, not even complete, and nothing more is read',
  async (t) => {
    const launcher = await startLauncher();
    launcher.jobs.put({ id: 'job-1', status: 'Running' });
    launcher.jobs.outputOf('job-1').push('x');
    await launcher.ask(output(1, 'job-1'));
    launcher.jobs.outputOf('job-1').push('y');
    t.ok((await launcher.ask(cancel(6, 1))).length <= 1, 'at most what was on its way');
    launcher.jobs.outputOf('job-1').push('z');
    launcher.jobs.outputOf('job-1').end();
    t.same(await launcher.received(), []);
    t.equal(launcher.jobs.reading(), 0);
    t.match(await launcher.ask(output(1, 'job-1')), [
      { seqId: 1 },
      { seqId: 2 },
      { seqId: 3 },
      { seqId: 4, complete: true },
    ]);
    await launcher.end();
  },
);

t.test('[output-chunks] text is cut between characters, so that no frame is above max-message-size', async (t) => {
  const maxMessageSize = 1000;
  const launcher = await startLauncher({ maxMessageSize });
  launcher.jobs.put({ id: 'job-1', status: 'Finished' });
  const texts = [
    '\u0001'.repeat(700),
    '😀'.repeat(700),
    `x${'😀'.repeat(300)}`,
    'é'.repeat(600),
    '日'.repeat(300),
    'plain\n',
  ];
  for (const text of texts) launcher.jobs.outputOf('job-1').push(text);
  launcher.jobs.outputOf('job-1').end();
  launcher.send(output(1, 'job-1'));
  const bodies = await launcher.texts();
  t.ok(bodies.every((body) => Buffer.byteLength(body) <= maxMessageSize));
  const messages = bodies.map((body) => JSON.parse(body) as { output?: string; seqId: number; complete: boolean });
  t.strictSame(
    messages.map(({ seqId }) => seqId),
    messages.map((_, index) => index + 1),
  );
  t.equal(messages.map((message) => message.output ?? '').join(''), texts.join(''));
  t.ok(
    messages.every(({ output = '' }) => !/^[\udc00-\udfff]/.test(output)),
    'no pair is split',
  );
  t.strictSame(messages.map(({ complete }) => complete).indexOf(true), messages.length - 1);
  await launcher.end();
});

t.test('[output-json] bytes become the very JSON that JSON.stringify makes of the text', async (t) => {
  const texts = fc
    .array(fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('\n', '"', '\\', '\u007f', '\ud83d\ude00')))
    .map((all) => all.join('').toWellFormed());
  fc.assert(fc.property(texts, (text) => jsonText(Buffer.from(text)).toString() === JSON.stringify(text)));
  for (const text of ['', '\u0000'.repeat(1000), '\u001f\b\t\n\f\r', '"'.repeat(500)]) {
    t.equal(jsonText(Buffer.from(text)).toString(), JSON.stringify(text));
  }
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

t.test(
  '[stream-limits] 1,000 output streams; beyond: Error 7 that says so; a place is free again after a cancel',
  async (t) => {
    const launcher = await startLauncher();
    launcher.jobs.put({ id: 'job-1', status: 'Running' });
    for (let id = 1; id <= 1000; id++) launcher.send(output(id, 'job-1'));
    t.same(await launcher.received(), []);
    t.equal(launcher.jobs.reading(), 1000);
    t.same(await launcher.ask(output(1001, 'job-1')), [
      {
        messageType: -1,
        requestId: 1001,
        responseId: 0,
        errorCode: 7,
        errorMessage:
          'there are 1000 output streams already, the most that are served at a time; cancel some and ask again',
      },
    ]);
    launcher.send(cancel(6, 500));
    t.same(await launcher.ask(output(1002, 'job-1')), []);
    t.equal(launcher.jobs.reading(), 1000);
    launcher.jobs.outputOf('job-1').push('x');
    launcher.jobs.outputOf('job-1').end();
    t.equal((await launcher.received()).length, 2000, 'all of them are served');
    await launcher.end();
  },
);

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

t.test('[output-cancel] what waits to be written is not sent either', async (t) => {
  const launcher = await startLauncher();
  launcher.jobs.put({ id: 'job-1', status: 'Running' });
  for (let i = 0; i < 20; i++) launcher.jobs.outputOf('job-1').push('x'.repeat(10_000));
  launcher.pause();
  launcher.send(output(1, 'job-1'));
  await settle();
  launcher.send(cancel(6, 1));
  await settle();
  launcher.resume();
  const taken = launcher.jobs.outputOf('job-1').taken();
  t.equal(
    (await launcher.received()).length,
    taken - 1,
    'only what was in the pipe already; the last one taken waited',
  );
  await launcher.end();
});
