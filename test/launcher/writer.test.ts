/** Responses are numbered as they are written, and none is above max-message-size. */

import { PassThrough } from 'node:stream';
import t from 'tap';
import { JobError } from '../../src/jobs/job-error.ts';
import type { RequestId } from '../../src/launcher/request-id.ts';
import { heartbeatResponse, jobsResponse, type Response } from '../../src/launcher/responses.ts';
import type { SlicedBuild } from '../../src/launcher/sliced-build.ts';
import { Writer } from '../../src/launcher/writer.ts';
import { createFakeJobs } from './fake-jobs.ts';
import { type Message, network, on, settle, startLauncher } from './harness.ts';

function raise(message: string): never {
  throw new TypeError(message);
}

t.test('[response-ids] one counter for all; Error and Heartbeat carry 0 and take no number', async (t) => {
  const launcher = await startLauncher();
  launcher.send({ messageType: 3, requestId: 1, ...on('*') }, { messageType: 3, requestId: 2, ...on('job-9') });
  launcher.send(
    { messageType: 0, requestId: 0 },
    { messageType: 99, requestId: 3 },
    { messageType: 3, requestId: 4, ...on('*') },
  );
  const ids = (await launcher.received()).map(
    ({ messageType, requestId, responseId }) => `${messageType} ${requestId} ${responseId}`,
  );
  t.strictSame(ids.sort(), ['-1 2 0', '-1 3 0', '0 0 0', '2 1 1', '2 4 2']);
  await launcher.end();
});

t.test('[flow-heartbeat] heartbeats do not pile up', async (t) => {
  const launcher = await startLauncher({ heartbeatIntervalSeconds: 1 });
  launcher.jobs.put({ id: 'job-1', status: 'Running' });
  launcher.jobs.outputOf('job-1').push('x'.repeat(100_000));
  launcher.pause();
  await launcher.ask({ messageType: 6, requestId: 1, ...on('job-1') });
  await launcher.clock.advance(100_000);
  launcher.resume();
  t.match(
    (await launcher.received()).map(({ messageType }) => messageType),
    [5, 0],
  );
  await launcher.end();
});

t.test('[frame-max] no frame is above max-message-size, whatever it holds', async (t) => {
  const maxMessageSize = 1200;
  const jobs = createFakeJobs();
  const long = '\u0001'.repeat(5000);
  jobs.on.control = async () => ({ complete: false, message: long });
  jobs.on.network = async () => {
    throw new JobError('unknown', long);
  };
  const launcher = await startLauncher({ maxMessageSize, jobs });
  jobs.put({ id: 'job-1', status: 'Running', statusMessage: long });
  jobs.put({ id: 'job-2', status: 'Running', name: long });
  for (let id = 1; id <= 50; id++) launcher.send({ messageType: 4, requestId: id, ...on('job-1') });
  launcher.send({ messageType: 4, requestId: 60, ...on('job-2') });
  for (let id = 100; id <= 140; id++) launcher.send({ messageType: 7, requestId: id, ...on('job-1') });
  await settle();
  jobs.usageOf('job-1').push({ cpuPercent: 1 });
  jobs.put({ id: 'job-1', statusMessage: `${long}.` });
  launcher.send({ messageType: 5, requestId: 70, ...on('job-1'), operation: 2 });
  launcher.send(network(71), { messageType: 3, requestId: 72, ...on('job-1') });
  const texts = await launcher.texts();
  t.ok(texts.every((text) => Buffer.byteLength(text) <= maxMessageSize));
  const messages = texts.map((text) => JSON.parse(text) as Message);
  const served = (messageType: number): number =>
    messages
      .filter((message) => message['messageType'] === messageType)
      .reduce((sum, message) => sum + (message['sequences'] as unknown[]).length, 0);
  t.equal(served(3), 100, 'initial states and a change for 50');
  t.equal(served(6), 41);
  const errors = messages.filter((message) => message['messageType'] === -1);
  t.strictSame(errors.map(({ requestId, errorCode }) => `${requestId} ${errorCode}`).sort(), ['70 0', '71 0', '72 2']);
  await launcher.end();
});

t.test('a response that cannot be built is skipped: nothing waits for it, and no number is lost', async (t) => {
  const output = new PassThrough();
  const failed: unknown[] = [];
  const writer = new Writer({
    output,
    maxMessageSize: 1000,
    tooLarge: () => undefined,
    failed: (error) => failed.push(error),
  });
  await writer.send(() => raise('broken'));
  await writer.send(() => jobsResponse('1' as RequestId, []));
  await writer.send(() => raise('broken'), '', 'bulk');
  await writer.send(() => heartbeatResponse);
  await writer.send(() => jobsResponse('2' as RequestId, []));
  t.strictSame(failed, [new TypeError('broken'), new TypeError('broken')]);
  writer.close();
  t.strictSame(String(output.read()).match(/\{.*?\}/g), [
    '{"messageType":2,"requestId":1,"responseId":0,"jobs":[]}',
    '{"messageType":0,"requestId":0,"responseId":0}',
    '{"messageType":2,"requestId":2,"responseId":1,"jobs":[]}',
  ]);
});

/** A writer to an output that is not read, and the request ids that it wrote. */
function pausedWriter(): { writer: Writer; ids: () => number[] } {
  const output = new PassThrough({ highWaterMark: 1 });
  const writer = new Writer({ output, maxMessageSize: 1000, tooLarge: () => undefined, failed: () => {} });
  const ids = (): number[] =>
    [...String(output.read() ?? '').matchAll(/"requestId":(\d+)/g)].map(([, id]) => Number(id));
  return { writer, ids };
}

async function allIds({ writer, ids }: ReturnType<typeof pausedWriter>): Promise<number[]> {
  const all: number[] = [];
  for (let some = ids(); some.length > 0; some = ids()) {
    all.push(...some);
    await settle();
  }
  writer.close();
  return all;
}

t.test('[flow-shares] answers are written for one user after the other', async (t) => {
  const paused = pausedWriter();
  const send = (id: number, user: string) =>
    void paused.writer.send(() => jobsResponse(String(id) as RequestId, []), user);
  for (let id = 1; id <= 5; id++) send(id, 'alice');
  send(11, 'bob');
  send(21, 'carol');
  t.same(await allIds(paused), [1, 2, 11, 21, 3, 4, 5]);
});

t.test('[flow-shares] job output is written after eight answers at the latest', async (t) => {
  const paused = pausedWriter();
  const send = (id: number, priority: 'answer' | 'bulk') =>
    void paused.writer.send(() => jobsResponse(String(id) as RequestId, []), 'alice', priority);
  for (let id = 1; id <= 20; id++) send(id, 'answer');
  send(100, 'bulk');
  send(101, 'bulk');
  t.same(await allIds(paused), [1, 2, 3, 4, 5, 6, 7, 8, 9, 100, 10, 11, 12, 13, 14, 15, 16, 17, 101, 18, 19, 20]);
});

/** A build of this many slices, which notes each step; its answer has the jobs of the moment in which it is written. */
function* build(
  id: number,
  slices: number,
  steps: string[],
  jobs = (): readonly string[] => [],
): SlicedBuild<Response> {
  try {
    for (let slice = 1; slice <= slices; slice++) {
      steps.push(`${id}.${slice}`);
      yield 'more';
    }
    yield 'ready';
    steps.push(`${id} written`);
    return jobsResponse(String(id) as RequestId, jobs());
  } finally {
    steps.push(`${id} over`);
  }
}

/** A writer to an output that is read, the steps of its builds, and what it wrote. */
function buildingWriter(highWaterMark = 1_000_000) {
  const output = new PassThrough({ highWaterMark });
  const steps: string[] = [];
  const failed: unknown[] = [];
  const tooLarge = (): undefined => undefined;
  const writer = new Writer({ output, maxMessageSize: 200_000, tooLarge, failed: (error) => failed.push(error) });
  const send = (id: number, slices: number, user: string, jobs?: () => readonly string[]): void =>
    void writer.send(() => build(id, slices, steps, jobs), user).then(() => steps.push(`${id} sent`));
  const turn = async (): Promise<string[]> => {
    await new Promise((resolve) => setImmediate(resolve));
    return steps.splice(0);
  };
  return { writer, output, steps, failed, send, turn };
}

t.test(
  '[flow-shares] a response of one slice is written at once, a longer one step by step, after others',
  async (t) => {
    const { writer, steps, send, turn } = buildingWriter();
    send(1, 0, 'bob');
    t.strictSame(steps.splice(0), ['1 written', '1 over']);
    send(2, 3, 'alice');
    send(3, 0, 'bob');
    t.strictSame(await turn(), ['2.1', '1 sent', '3 written', '3 over', '3 sent', '2.2']);
    t.strictSame(await turn(), ['2.3']);
    send(4, 0, 'bob');
    t.strictSame(await turn(), ['4 written', '4 over', '4 sent']);
    t.strictSame(await turn(), ['2 written', '2 over', '2 sent']);
    writer.close();
  },
);

t.test('[flow-shares] users take turns, and each has one build in memory', async (t) => {
  const { writer, send, turn } = buildingWriter();
  for (let id = 1; id <= 3; id++) send(id, 4, 'alice');
  send(11, 3, 'bob');
  const all: string[] = [];
  for (let count = 0; count < 40; count++) all.push(...(await turn()));
  t.strictSame(
    all.filter((step) => step.includes('.')),
    [
      ...['1.1', '11.1', '1.2', '11.2', '1.3', '11.3', '1.4'],
      ...['2.1', '2.2', '2.3', '2.4', '3.1', '3.2', '3.3', '3.4'],
    ],
  );
  t.strictSame(
    all.filter((step) => step.endsWith('written')),
    ['11 written', '1 written', '2 written', '3 written'],
  );
  writer.close();
});

t.test('[flow-shares] builds of eight users are in memory; others have their first slice only', async (t) => {
  const { writer, send, turn } = buildingWriter();
  for (let user = 1; user <= 10; user++) send(user, 5, `user-${user}`);
  const all: string[] = [];
  for (let count = 0; count < 100; count++) all.push(...(await turn()));
  const secondOf = (id: number): number => all.indexOf(`${id}.2`);
  const firstWritten = all.findIndex((step) => step.endsWith('written'));
  t.ok([1, 2, 3, 4, 5, 6, 7, 8].every((id) => secondOf(id) < firstWritten));
  t.ok(secondOf(9) > firstWritten);
  t.ok(secondOf(10) > firstWritten);
  t.equal(all.filter((step) => step.endsWith('written')).length, 10);
  writer.close();
});

t.test('[flow-shares] a build ends at the moment of writing', async (t) => {
  const { writer, output, steps, send, turn } = buildingWriter(1);
  let jobs = ['"old"'];
  send(1, 2, 'alice', () => jobs);
  void writer.send(() => jobsResponse('2' as RequestId, ['"x"']), 'bob', 'bulk');
  for (let count = 0; count < 10; count++) await turn();
  t.match(String(output.read()), /"requestId":2/);
  jobs = ['"new"'];
  for (let count = 0; count < 10; count++) await turn();
  t.match(String(output.read()), /"jobs":\["new"\]/);
  writer.close();
  t.same(steps, []);
});

t.test('[flow-shares] a build that fails is skipped, and one that is not written is ended', async (t) => {
  const { writer, failed, send, turn } = buildingWriter();
  send(1, 2, 'alice', () => raise('broken'));
  send(2, 9, 'bob');
  const all: string[] = [];
  for (let count = 0; count < 8; count++) all.push(...(await turn()));
  t.strictSame(
    all.filter((step) => step.startsWith('1')),
    ['1.1', '1.2', '1 written', '1 over', '1 sent'],
  );
  t.strictSame(failed, [new TypeError('broken')]);
  writer.close();
  t.strictSame(await turn(), ['2 over', '2 sent']);
});

t.test('[flow-heartbeat] a heartbeat is the next message, whatever waits', async (t) => {
  const paused = pausedWriter();
  const send = (id: number) => void paused.writer.send(() => jobsResponse(String(id) as RequestId, []), 'alice');
  for (let id = 1; id <= 5; id++) send(id);
  void paused.writer.send(() => heartbeatResponse, '', 'heartbeat');
  t.same(await allIds(paused), [1, 0, 2, 3, 4, 5]);
});

t.test(
  '[flow-turns] at most 64 KiB, and the message that exceeds them, are written in one turn of the event loop',
  async (t) => {
    let count = 0;
    const writer = new Writer({
      output: new PassThrough({ highWaterMark: 10_000_000 }),
      maxMessageSize: 200_000,
      tooLarge: () => undefined,
      failed: () => {},
      written: () => count++,
    });
    const answer = JSON.stringify('x'.repeat(20_000));
    for (let id = 1; id <= 10; id++) void writer.send(() => jobsResponse(String(id) as RequestId, [answer]));
    const counts = [count];
    for (let turn = 1; turn <= 3; turn++) {
      await new Promise((resolve) => setImmediate(resolve));
      counts.push(count);
    }
    t.same(counts, [4, 8, 10, 10]);
    writer.close();
  },
);
