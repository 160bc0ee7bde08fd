/** A launcher that asks much or does not read costs little memory and work, and is answered in 30 s nevertheless. */
import { PassThrough } from 'node:stream';
import t from 'tap';
import { frame } from '../../src/launcher/frames.ts';
import { createTurns } from '../../src/launcher/turns.ts';
import { heldJobs } from './fake-jobs.ts';
import { type Message, network, on, recordingLog, settle, startLauncher } from './harness.ts';

t.test('[flow-output] a launcher that does not read makes us stop reading logs', async (t) => {
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

t.test('[flow-status] states are coalesced per job to the latest; no terminal state is lost', async (t) => {
  const launcher = await startLauncher();
  const count = 5000;
  await launcher.ask({ messageType: 4, requestId: 1, ...on('*') });
  launcher.pause();
  for (const status of ['Pending', 'Running', 'Finished'] as const) {
    for (let i = 0; i < count; i++) launcher.jobs.put({ id: `job-${i}`, status });
  }
  // What the cluster forgets meanwhile was announced nevertheless.
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

t.test('[flow-requests] at most 256 in progress; one user alone gets half; others do not wait', async (t) => {
  const { jobs, held } = heldJobs();
  const launcher = await startLauncher({ jobs });
  jobs.put({ id: 'job-1', user: 'alice' });
  jobs.put({ id: 'job-2', user: 'bob' });
  for (let id = 1; id <= 300; id++) launcher.send(network(id));
  await settle();
  t.equal(held.length, 128);
  launcher.send(network(1000, 'bob', 'job-2'));
  await settle();
  t.equal(held.at(-1)?.id, 'job-2', 'a slow call of alice does not hold up bob');
  held.at(-1)?.answer();
  t.match(await launcher.received(), [{ messageType: 7, requestId: 1000, host: 'job-2' }]);
  t.match(await launcher.ask({ messageType: 3, requestId: 1001, ...on('*', 'bob') }), [
    { messageType: 2, requestId: 1001 },
  ]);
  let answers = 0;
  for (let round = 0; round < 5; round++) {
    for (const { answer } of held.splice(0)) answer();
    answers += (await launcher.received()).length;
  }
  t.equal(answers, 300);
  await launcher.end();
});

t.test('[flow-turns] who waits is served round robin, and a place is never lost', async (t) => {
  const turns = createTurns(4);
  const begun: string[] = [];
  const ends: (() => void)[] = [];
  const take = (user: string, name: string): void =>
    turns.take(user, (done) => {
      begun.push(name);
      ends.push(done);
    });
  for (let i = 1; i <= 4; i++) take('a', `a${i}`);
  for (let i = 1; i <= 3; i++) take('b', `b${i}`);
  take('c', 'c1');
  take('d', 'd1');
  t.strictSame(begun, ['a1', 'a2', 'b1', 'c1']);
  while (ends.length > 0) ends.shift()?.();
  t.strictSame([...begun].sort(), ['a1', 'a2', 'a3', 'a4', 'b1', 'b2', 'b3', 'c1', 'd1']);
  t.ok(begun.indexOf('d1') < begun.indexOf('a4'), 'who came last did not wait for all of a');
});

t.test('[answer-in-time] each request is answered within 30 s, whatever the cluster does', async (t) => {
  const { jobs, held } = heldJobs();
  const log = recordingLog();
  const launcher = await startLauncher({ jobs, log });
  jobs.put({ id: 'job-1' });
  for (let id = 1; id <= 200; id++) launcher.send(network(id));
  await launcher.clock.advance(29_999);
  t.same(await launcher.received(), []);
  await launcher.clock.advance(1);
  const answers = await launcher.received();
  t.equal(answers.length, 200, 'those that had to wait for their turn, too');
  t.ok(answers.every(({ messageType, errorCode }) => messageType === -1 && errorCode === 5));
  t.equal(held.length, 128, 'what had to wait was not begun afterwards');
  held[0]?.answer();
  t.same(await launcher.received(), [], 'once');
  t.same(log.lines, ['WARNING A request was done only after it had been answered with an error']);
  t.same((await launcher.ask({ messageType: 3, requestId: 1, ...on('*') })).length, 1, 'and all places are free again');
  await launcher.end();
});

t.test('[submit-in-time] a submit is told how much of its 30 s is left', async (t) => {
  const { jobs, held } = heldJobs();
  const launcher = await startLauncher({ jobs });
  jobs.put({ id: 'job-1' });
  for (let id = 1; id <= 128; id++) launcher.send(network(id));
  launcher.send({ messageType: 2, requestId: 200, username: 'alice', job: { name: 'a', command: 'b' } });
  await launcher.clock.advance(10_000);
  t.same(jobs.submitted.length, 0);
  for (const { answer } of held.splice(0)) answer();
  await settle();
  t.equal(jobs.submitted[0]?.timeoutMs, 20_000);
  await launcher.end();
});

t.test('[flow-accepted] nothing more is read while 10,000 requests are open', async (t) => {
  const { jobs } = heldJobs();
  const launcher = await startLauncher({ jobs, input: new PassThrough({ highWaterMark: 1024 }) });
  jobs.put({ id: 'job-1' });
  const input = launcher.input;
  let written = 0;
  const bytes = Buffer.concat(Array.from({ length: 100 }, (_, id) => frame(JSON.stringify(network(id)))));
  while (input.write(bytes) || (await drained(input))) written += 100;
  t.ok(written >= 9_900 && written < 11_000, `${written} were taken`);
  await launcher.clock.advance(30_000);
  t.ok(await drained(input), 'after their answers it reads on');
  await launcher.end();
});

t.test('[flow-accepted] refused streams count, too, while the launcher does not read', async (t) => {
  const launcher = await startLauncher({ input: new PassThrough({ highWaterMark: 1024 }) });
  launcher.pause();
  let written = 0;
  const hundred = (from: number): Buffer =>
    Buffer.concat(
      Array.from({ length: 100 }, (_, id) =>
        frame(JSON.stringify({ messageType: 6, requestId: from + id, ...on('job-9') })),
      ),
    );
  while (launcher.input.write(hundred(written)) || (await drained(launcher.input))) {
    written += 100;
    if (written > 20_000) break;
  }
  t.ok(written >= 9_900 && written < 11_000, `${written} were taken`);
  launcher.resume();
  await launcher.received();
  t.ok(await drained(launcher.input), 'when it reads again, so do we');
  await launcher.end();
});

async function drained(input: PassThrough): Promise<boolean> {
  await settle();
  return input.writableLength < 1024;
}
