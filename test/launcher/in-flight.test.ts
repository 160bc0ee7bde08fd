/** Each request is answered within 30 s, and users who send many requests do not delay others. */

import { PassThrough } from 'node:stream';
import t from 'tap';
import { encodeFrameBody } from '../support/plugin.ts';
import { heldJobs } from './fake-jobs.ts';
import { network, on, recordingLog, settle, startLauncher } from './harness.ts';

async function drained(input: PassThrough): Promise<boolean> {
  await settle();
  return input.writableLength < 1024;
}

/** One of them is handled in an iteration of the event loop. */
async function largeFramesHandled(count: number): Promise<void> {
  for (let frame = 0; frame < count; frame++) await settle();
}

t.test('[flow-requests] 48 requests of one user alone are in progress; others do not wait', async (t) => {
  const { jobs, held } = heldJobs();
  const launcher = await startLauncher({ jobs });
  jobs.put({ id: 'job-1', user: 'alice' });
  jobs.put({ id: 'job-2', user: 'bob' });
  for (let id = 1; id <= 300; id++) launcher.send(network(id));
  await settle();
  t.equal(held.length, 48);
  launcher.send(network(1000, 'bob', 'job-2'));
  await settle();
  t.equal(held.at(-1)?.id, 'job-2', 'a slow call of alice does not hold up bob');
  held.at(-1)?.answer();
  t.match(await launcher.received(), [{ messageType: 7, requestId: 1000, host: 'job-2' }]);
  t.match(await launcher.ask({ messageType: 3, requestId: 1001, ...on('*', 'bob') }), [
    { messageType: 2, requestId: 1001 },
  ]);
  let answers = 0;
  for (let round = 0; round < 8; round++) {
    for (const { answer } of held.splice(0)) answer();
    answers += (await launcher.received()).length;
  }
  t.equal(answers, 300);
  await launcher.end();
});

t.test('[flow-requests] lists and heartbeats do not wait for requests that wait for the API server', async (t) => {
  const { jobs } = heldJobs();
  const launcher = await startLauncher({ jobs });
  jobs.put({ id: 'job-1' });
  for (let id = 1; id <= 300; id++) launcher.send(network(id));
  for (let id = 301; id <= 400; id++) launcher.send(network(id, '*'));
  t.match(await launcher.ask({ messageType: 3, requestId: 1000, ...on('job-1') }), [
    { messageType: 2, requestId: 1000 },
  ]);
  t.match(await launcher.ask({ messageType: 0, requestId: 0 }), [{ messageType: 0 }]);
  await launcher.end();
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
  t.equal(held.length, 48, 'requests that had to wait were not started afterwards');
  held[0]?.answer();
  t.same(await launcher.received(), [], 'once');
  t.same(log.lines, [
    'WARNING Request completed after its deadline, when the launcher already had Error 5; a stop, kill or cancel that it made remains in effect',
  ]);
  t.same((await launcher.ask({ messageType: 3, requestId: 1, ...on('*') })).length, 1, 'and all places are free again');
  await launcher.end();
});

t.test('[submit-in-time] a submit knows how much of its 30 s is left', async (t) => {
  const { jobs, held } = heldJobs();
  const launcher = await startLauncher({ jobs });
  jobs.put({ id: 'job-1' });
  for (let id = 1; id <= 48; id++) launcher.send(network(id));
  launcher.send({ messageType: 2, requestId: 200, username: 'alice', job: { name: 'a', command: 'b' } });
  await launcher.clock.advance(10_000);
  t.same(jobs.submitted.length, 0);
  for (const { answer } of held.splice(0)) answer();
  await settle();
  t.equal(jobs.submitted[0]?.timeoutMs, 20_000);
  await launcher.end();
});

t.test('[flow-shares] one user alone may have 10,000 open requests; more are Error 0 at once', async (t) => {
  const { jobs } = heldJobs();
  const launcher = await startLauncher({ jobs });
  jobs.put({ id: 'job-1' });
  for (let id = 1; id <= 10_000; id++) launcher.send(network(id));
  t.same(await launcher.received(), []);
  t.same(await launcher.ask(network(10_001)), [
    {
      messageType: -1,
      requestId: 10_001,
      responseId: 0,
      errorCode: 0,
      errorMessage: 'there are 10000 open requests already, the maximum; wait for answers and ask again',
    },
  ]);
  await launcher.end();
});

t.test('[flow-shares] 10,000 open requests of one user do not delay another user', async (t) => {
  const { jobs } = heldJobs();
  const launcher = await startLauncher({ jobs });
  jobs.put({ id: 'job-1' });
  jobs.put({ id: 'job-2', user: 'bob' });
  for (let id = 1; id <= 10_100; id++) launcher.send(network(id));
  await launcher.received();
  t.match(await launcher.ask({ messageType: 3, requestId: 20_000, ...on('*', 'bob') }), [
    { messageType: 2, requestId: 20_000, jobs: [{ id: 'job-2' }] },
  ]);
  await launcher.end();
});

t.test('[flow-shares] bytes of open requests are limited to 64 MiB', async (t) => {
  const { jobs } = heldJobs();
  const launcher = await startLauncher({ jobs });
  jobs.put({ id: 'job-1' });
  const large = (id: number) => ({ ...network(id), filler: 'x'.repeat(4 * 1024 * 1024) });
  for (let id = 1; id <= 16; id++) launcher.send(large(id));
  await largeFramesHandled(16);
  t.same(await launcher.received(), []);
  t.match(await launcher.ask(large(17)), [
    {
      requestId: 17,
      errorMessage: 'there are 67108864 bytes of open requests already, the maximum; wait for answers and ask again',
    },
  ]);
  await launcher.clock.advance(30_000);
  t.equal((await launcher.received()).length, 16, 'their answers free the bytes');
  t.same(await launcher.ask(large(18)), []);
  await launcher.end();
});

t.test(
  '[flow-shares] JSON values of open requests count with 64 bytes each: V8 needs more memory than their text',
  async (t) => {
    const { jobs } = heldJobs();
    const launcher = await startLauncher({ jobs });
    jobs.put({ id: 'job-1' });
    const filler = Array.from({ length: 90_000 }, () => []);
    for (let id = 1; id <= 12; id++) launcher.send({ ...network(id), filler });
    await largeFramesHandled(12);
    t.same(await launcher.received(), []);
    t.match(await launcher.ask({ ...network(13), filler }), [
      { requestId: 13, errorMessage: /^there are 67108864 bytes of open requests already/ },
    ]);
    await launcher.end();
  },
);

t.test('[flow-accepted] refused streams count, too, while the launcher does not read', async (t) => {
  const launcher = await startLauncher({ input: new PassThrough({ highWaterMark: 1024 }) });
  launcher.pause();
  let written = 0;
  const hundred = (from: number): Buffer =>
    Buffer.concat(
      Array.from({ length: 100 }, (_, id) =>
        encodeFrameBody(JSON.stringify({ messageType: 6, requestId: from + id, ...on('job-9') })),
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
