/** A conversation begins with Bootstrap, waits until jobs are known, and ends with its streams; nothing stays open. */
import { connect, createServer, type Socket } from 'node:net';
import t from 'tap';
import { JobError } from '../../src/jobs/job-error.ts';
import { frame } from '../../src/launcher/frames.ts';
import { createLauncherSession } from '../../src/launcher/session.ts';
import { systemClock } from '../../src/system/clock.ts';
import { silentLog } from '../../src/system/log.ts';
import { createFakeJobs, heldJobs } from './fake-jobs.ts';
import { cancel, network, on, output, settle, startLauncher, status, usage } from './harness.ts';

t.test('[bootstrap-version] Bootstrap is answered with 3.10.0, as response 0', async (t) => {
  const launcher = await startLauncher({ version: null });
  launcher.sendText(
    '{"requestId":0,"messageType":1,"version":{"major":3,"minor":0,"patch":0,"build":"x","revision":1}}',
  );
  t.same(await launcher.texts(), [
    '{"messageType":1,"requestId":0,"responseId":0,"version":{"major":3,"minor":10,"patch":0}}',
  ]);
  await launcher.end();
});

t.test('[bootstrap-major] another major version is Error 10, and the conversation goes on', async (t) => {
  const launcher = await startLauncher({ version: null });
  launcher.send({ messageType: 1, requestId: 0, version: { major: 4, minor: 0, patch: 0 } });
  launcher.send({ messageType: 1, requestId: 1, version: { major: 3, minor: 7, patch: 0 } });
  t.same(await launcher.received(), [
    {
      messageType: -1,
      requestId: 0,
      responseId: 0,
      errorCode: 10,
      errorMessage: 'API 4.0.0 is not supported; this plugin speaks 3.10.0',
    },
    { messageType: 1, requestId: 1, responseId: 0, version: { major: 3, minor: 10, patch: 0 } },
  ]);
  await launcher.end();
});

t.test(
  '[bootstrap-wait] Bootstrap waits for the first sync, at most 10 s; then requests wait 10 s and get Error 0',
  async (t) => {
    const jobs = createFakeJobs();
    let finish = (): void => {};
    jobs.on.synced = (signal) =>
      new Promise((resolve, reject) => {
        finish = resolve;
        signal.addEventListener('abort', () => reject(new JobError('unknown', 'GET /jobs: connection refused')));
      });
    const launcher = await startLauncher({ version: null, jobs });
    t.same(await launcher.ask({ messageType: 1, requestId: 0, version: { major: 3, minor: 10, patch: 0 } }), []);
    await launcher.clock.advance(9999);
    t.same(await launcher.received(), []);
    await launcher.clock.advance(1);
    t.match(await launcher.received(), [{ messageType: 1, requestId: 0, responseId: 0 }]);

    t.same(await launcher.ask({ messageType: 3, requestId: 1, ...on('*') }), []);
    await launcher.clock.advance(10_000);
    t.same(await launcher.received(), [
      { messageType: -1, requestId: 1, responseId: 0, errorCode: 0, errorMessage: 'GET /jobs: connection refused' },
    ]);

    t.same(await launcher.ask({ messageType: 3, requestId: 2, ...on('*') }), []);
    finish();
    t.same(await launcher.received(), [{ messageType: 2, requestId: 2, responseId: 1, jobs: [] }]);
    await launcher.end();
  },
);

t.test('[bootstrap-again] a repeated Bootstrap is served like any other', async (t) => {
  const launcher = await startLauncher({ version: '3.10.0' });
  t.match(await launcher.ask({ messageType: 1, requestId: 7, version: { major: 3, minor: 2, patch: 9 } }), [
    { messageType: 1, requestId: 7, responseId: 1 },
  ]);
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

t.test('[end-input] the end of input ends the conversation, after the answers to what was asked before', async (t) => {
  const { jobs, held } = heldJobs();
  const launcher = await startLauncher({ jobs });
  jobs.put({ id: 'job-1' });
  launcher.send(network(1));
  launcher.input.end();
  await settle();
  held[0]?.answer();
  t.match(await launcher.received(), [{ messageType: 7, requestId: 1 }]);
  t.same(await launcher.session.done, { reason: 'input-ended' });

  const slow = await startLauncher({ jobs });
  slow.send(network(1));
  slow.input.end(Buffer.from([0, 0]));
  await slow.clock.advance(2000);
  t.same(await slow.session.done, { reason: 'input-ended' }, 'two seconds are enough');
});

t.test('[end-close] [end-output] close and an output that fails end it, too; nothing stays open', async (t) => {
  const launcher = await startLauncher({ heartbeatIntervalSeconds: 1 });
  launcher.jobs.put({ id: 'job-1', status: 'Running' });
  launcher.send(
    { messageType: 6, requestId: 1, ...on('job-1') },
    { messageType: 7, requestId: 2, ...on('job-1') },
    { messageType: 4, requestId: 3, ...on('*') },
  );
  await settle();
  t.equal(launcher.jobs.reading(), 2);
  launcher.session.close();
  await settle();
  t.same(await launcher.session.done, { reason: 'closed' });
  t.equal(launcher.jobs.reading(), 0);
  await launcher.received();
  await launcher.clock.advance(60_000);
  t.same(await launcher.received(), [], 'no heartbeat after the end');

  const broken = await startLauncher();
  broken.output.destroy(new Error('EPIPE'));
  t.match(await broken.session.done, { reason: 'output-failed', error: { message: 'EPIPE' } });
});

t.test('[sockets] the same over real sockets, byte by byte', async (t) => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  const accepted = new Promise<Socket>((resolve) => server.once('connection', resolve));
  const client = connect(address.port, '127.0.0.1');
  client.setNoDelay(true);
  const socket = await accepted;
  const session = createLauncherSession({
    input: socket,
    output: socket,
    jobs: createFakeJobs(),
    clock: systemClock,
    log: silentLog,
    heartbeatIntervalSeconds: 0,
    maxMessageSize: 5242880,
    metricsIntervalSeconds: 0,
    reload: async () => ({ errorType: 0, errorMessage: '', applied: [], pendingRestart: [] }),
    metrics: () => ({ uptimeSeconds: 0, memoryUsageBytes: 0 }),
  });
  const asked = async (request: string, bytes: number): Promise<string> => {
    const answer = new Promise<string>((resolve) => {
      let text = '';
      client.on('data', (chunk) => {
        text += chunk.toString('latin1');
        if (text.length >= bytes) resolve(text);
      });
    });
    for (const byte of frame(request)) client.write(Buffer.of(byte));
    return answer;
  };
  t.equal(
    await asked('{"messageType":1,"requestId":0,"version":{"major":3,"minor":0,"patch":0}}', 93),
    '\0\0\0Y{"messageType":1,"requestId":0,"responseId":0,"version":{"major":3,"minor":10,"patch":0}}',
  );
  t.equal(await asked('{"messageType":0,"requestId":0}', 50), '\0\0\0.{"messageType":0,"requestId":0,"responseId":0}');
  client.end();
  t.same(await session.done, { reason: 'input-ended' });
  client.destroy();
  socket.destroy();
  server.close();
});
