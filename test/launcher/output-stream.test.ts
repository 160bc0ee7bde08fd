/** Job output is sent from its beginning to its end, cut between characters, and not after a cancel. */
import t from 'tap';
import { JobError } from '../../src/jobs/job-error.ts';
import { cancel, type Message, on, output, settle, startLauncher } from './harness.ts';

t.test('[flow-output] logs are not read while the launcher does not read', async (t) => {
  const launcher = await startLauncher();
  launcher.jobs.put({ id: 'job-1', status: 'Running' });
  const feed = launcher.jobs.outputOf('job-1');
  const line = 'x'.repeat(10_000);
  for (let i = 0; i < 1000; i++) feed.push(line);
  launcher.pause();
  launcher.send({ messageType: 6, requestId: 1, ...on('job-1') });
  await settle();
  const taken = feed.taken();
  t.ok(taken > 0 && taken < 20, `${taken} of 1000 chunks were taken`);
  await settle();
  t.equal(feed.taken(), taken);
  feed.end();
  launcher.resume();
  const all: Message[] = [];
  while (!all.some(({ complete }) => complete === true)) all.push(...(await launcher.received()));
  t.equal(all.length, 1001);
  t.equal(feed.taken(), 1000);
  await launcher.end();
});

t.test('[output-frames] [output-complete] output as it comes, then one message that it is complete', async (t) => {
  const launcher = await startLauncher();
  launcher.jobs.put({ id: 'job-1', status: 'Running' });
  launcher.jobs.outputOf('job-1').push('hello\n');
  launcher.send({ messageType: 6, requestId: 4, ...on('job-1'), outputType: 0, cancel: false });
  t.same(await launcher.texts(), [
    '{"messageType":5,"requestId":4,"responseId":1,"seqId":1,"complete":false,"output":"hello\\n","outputType":"stdout"}',
  ]);
  launcher.jobs.outputOf('job-1').end();
  t.same(await launcher.texts(), ['{"messageType":5,"requestId":4,"responseId":2,"seqId":2,"complete":true}']);
  t.equal(launcher.jobs.reading(), 0);
  await launcher.end();
});

t.test('[output-labels] the label is the requested one', async (t) => {
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

t.test(
  '[output-gone] deleted output is Error 7; a stream that runs already completes with what was read',
  async (t) => {
    const launcher = await startLauncher();
    launcher.jobs.put({ id: 'job-1', status: 'Running' });
    const feed = launcher.jobs.outputOf('job-1');
    feed.push('some');
    t.match(await launcher.ask(output(1, 'job-1')), [{ requestId: 1, seqId: 1, output: 'some' }]);
    feed.fail(new JobError('output-not-found', 'the output of job-1 was deleted with its pod'));
    t.match(await launcher.received(), [{ messageType: 5, requestId: 1, seqId: 2, complete: true }]);

    launcher.jobs.put({ id: 'job-2', status: 'Finished' });
    launcher.jobs
      .outputOf('job-2')
      .fail(new JobError('output-not-found', 'the output of job-2 was deleted with its pod'));
    t.same(await launcher.ask(output(2, 'job-2')), [
      {
        messageType: -1,
        requestId: 2,
        responseId: 0,
        errorCode: 7,
        errorMessage: 'the output of job-2 was deleted with its pod',
      },
    ]);
    t.match(await launcher.ask(output(3, 'job-9'), output(4, '*')), [
      { messageType: -1, requestId: 3, errorCode: 3 },
      { messageType: -1, requestId: 4, errorCode: 3 },
    ]);
    await launcher.end();
  },
);

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

t.test('[output-cancel] output that waits to be written is not sent either', async (t) => {
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

t.test(
  '[stream-limits] 1,000 output streams; beyond: Error 7 that says so; a place is free again after a cancel',
  async (t) => {
    const launcher = await startLauncher();
    launcher.jobs.put({ id: 'job-1', status: 'Running' });
    for (let id = 1; id <= 1000; id++) launcher.send(output(id, 'job-1'));
    await launcher.clock.advance(60_000);
    t.same(await launcher.received(), []);
    t.equal(launcher.jobs.reading(), 1000);
    t.same(await launcher.ask(output(1001, 'job-1')), [
      {
        messageType: -1,
        requestId: 1001,
        responseId: 0,
        errorCode: 7,
        errorMessage: 'there are 1000 output streams already, the maximum; cancel some and ask again',
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

t.test('[stream-shares] 1,000 output streams of one user do not keep another user from reading output', async (t) => {
  const launcher = await startLauncher();
  launcher.jobs.put({ id: 'job-1', status: 'Running' });
  launcher.jobs.put({ id: 'job-2', status: 'Running', user: 'bob' });
  for (let id = 1; id <= 1000; id++) launcher.send(output(id, 'job-1'));
  await launcher.received();
  launcher.jobs.outputOf('job-2').push('text of bob');
  t.match(await launcher.ask({ messageType: 6, requestId: 2000, ...on('job-2', 'bob') }), [
    { messageType: 5, requestId: 2000, output: 'text of bob' },
  ]);
  await launcher.end();
});

t.test('[stream-shares] above a quarter of the output streams is Error 7 while another user has some', async (t) => {
  const launcher = await startLauncher({ maxOutputStreams: 40 });
  launcher.jobs.put({ id: 'job-1', status: 'Running' });
  launcher.jobs.put({ id: 'job-2', status: 'Running', user: 'bob' });
  launcher.send({ messageType: 6, requestId: 2000, ...on('job-2', 'bob') });
  for (let id = 1; id <= 29; id++) launcher.send(output(id, 'job-1'));
  t.same(await launcher.received(), []);
  t.match(await launcher.ask(output(30, 'job-1')), [
    {
      messageType: -1,
      requestId: 30,
      errorCode: 7,
      errorMessage: 'user alice has the share of one user, a quarter of 40 output streams; cancel some and ask again',
    },
  ]);
  for (let id = 1; id <= 20; id++) launcher.send(cancel(6, id));
  t.same(await launcher.ask(output(31, 'job-1')), [], 'below the share again');
  await launcher.end();
});

t.test(
  '[stream-shares] streams open their connections 16 at a time and user; another user does not wait',
  async (t) => {
    const launcher = await startLauncher();
    launcher.jobs.put({ id: 'job-1', status: 'Running' });
    launcher.jobs.put({ id: 'job-2', status: 'Running', user: 'bob' });
    for (let id = 1; id <= 50; id++) launcher.send(output(id, 'job-1'));
    await settle();
    t.equal(launcher.jobs.reading(), 16);
    launcher.jobs.outputOf('job-2').push('text of bob');
    t.match(await launcher.ask({ messageType: 6, requestId: 2000, ...on('job-2', 'bob') }), [
      { output: 'text of bob' },
    ]);
    await launcher.clock.advance(249);
    t.equal(launcher.jobs.reading(), 17);
    await launcher.clock.advance(1);
    t.equal(launcher.jobs.reading(), 33, 'a log without output does not keep others from opening');
    launcher.jobs.outputOf('job-1').push('line');
    await settle();
    t.equal(launcher.jobs.reading(), 51, 'a log with output does not wait');
    await launcher.end();
  },
);

t.test('the connections of canceled streams are closed one in a turn of the event loop', async (t) => {
  const launcher = await startLauncher();
  launcher.jobs.put({ id: 'job-1', status: 'Running' });
  for (let id = 1; id <= 5; id++) launcher.send(output(id, 'job-1'));
  await settle();
  for (let id = 1; id <= 5; id++) launcher.send(cancel(6, id));
  const open = [launcher.jobs.reading()];
  for (let turn = 0; turn < 20; turn++) {
    await new Promise((resolve) => setImmediate(resolve));
    if (launcher.jobs.reading() !== open.at(-1)) open.push(launcher.jobs.reading());
  }
  t.same(open, [5, 4, 3, 2, 1, 0]);
  await launcher.end();
});
