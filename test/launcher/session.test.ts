/** A session ends with its input, its output, a broken frame or a signal, and nothing stays open. */

import { connect, createServer, type Socket } from 'node:net';
import { PassThrough } from 'node:stream';
import t from 'tap';
import { BrokenFrameError } from '../../src/launcher/frames.ts';
import { createLauncherSession } from '../../src/launcher/session.ts';
import { systemClock } from '../../src/system/clock.ts';
import { silentLog } from '../../src/system/log.ts';
import { encodeFrameBody } from '../support/plugin.ts';
import { createFakeJobs, heldJobs } from './fake-jobs.ts';
import { network, on, recordingLog, settle, startLauncher } from './harness.ts';

t.test('[end-broken] a broken frame ends the session with a log line', async (t) => {
  const log = recordingLog();
  for (const bytes of [
    Buffer.from([255, 255, 255, 255]),
    encodeFrameBody(''),
    encodeFrameBody('{"requestId":'),
    encodeFrameBody('{} {}'),
  ]) {
    const launcher = await startLauncher({ log });
    launcher.input.write(bytes);
    await settle();
    const end = await launcher.session.done;
    t.equal(end.reason, 'broken-frame');
    t.type('error' in end ? end.error : undefined, BrokenFrameError);
    t.ok(launcher.input.destroyed);
  }
  t.same(log.lines, Array(4).fill('ERROR Launcher sent a broken frame; ending the session'));
});

t.test('[end-input] the end of input ends the session after the answers to earlier requests', async (t) => {
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

t.test('[end-close] [end-output] close and a failing output end the session; nothing stays open', async (t) => {
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
    for (const byte of encodeFrameBody(request)) client.write(Buffer.of(byte));
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

t.test('a launcher that reads nothing for 10 s is logged once, and once when it reads again', async (t) => {
  const log = recordingLog();
  const launcher = await startLauncher({ log });
  const heartbeats = Array.from({ length: 400 }, () => ({ messageType: 0, requestId: 0 }));
  launcher.pause();
  launcher.send(...heartbeats);
  await launcher.clock.advance(9_999);
  t.same(log.lines, [], 'a launcher may be slow');
  await launcher.clock.advance(60_000);
  t.same(log.lines, ['NOTICE Launcher does not read the answers of the plugin; waiting for it']);
  launcher.resume();
  await settle();
  t.equal(log.lines[1], 'NOTICE Launcher reads again');
  await launcher.end();
  await launcher.clock.advance(60_000);
  t.equal(log.lines.length, 2);
});

t.test('after requests for 10 ms the event loop goes on with something else', async (t) => {
  let now = 0;
  let received = 0;
  const input = new PassThrough();
  const session = createLauncherSession({
    input,
    output: new PassThrough(),
    jobs: createFakeJobs(),
    clock: { ...systemClock, monotonic: () => now },
    log: {
      ...silentLog,
      debug: (sentence) => {
        if (sentence !== 'Received launcher request') return;
        received++;
        now += 4;
      },
    },
    heartbeatIntervalSeconds: 0,
    maxMessageSize: 5242880,
    metricsIntervalSeconds: 0,
    reload: async () => ({ errorType: 0, errorMessage: '', applied: [], pendingRestart: [] }),
    metrics: () => ({ uptimeSeconds: 1, memoryUsageBytes: 2 }),
  });
  input.write(Buffer.concat(Array.from({ length: 9 }, () => encodeFrameBody('{"messageType":0,"requestId":0}'))));
  const counts = [received];
  for (let turn = 0; turn < 20; turn++) {
    await new Promise((resolve) => setImmediate(resolve));
    if (received !== counts.at(-1)) counts.push(received);
  }
  t.same(counts, [0, 3, 6, 9]);
  session.close();
  await session.done;
});
