/** Frames that take long to parse wait for smaller ones that arrive behind them, and users take turns. */
import t from 'tap';
import { LargeFrames } from '../../src/launcher/large-frames.ts';
import { type Message, on, recordingLog, settle, startLauncher } from './harness.ts';

const submit = (requestId: number, username: string): Message => ({
  messageType: 2,
  requestId,
  username,
  requestUsername: username,
  job: {
    name: `${username}-${requestId}`,
    command: 'true',
    container: { image: 'i' },
    environment: [{ name: 'A', value: 'x'.repeat(100_000) }],
  },
});

t.test('a list is answered before large submits of another user that arrived earlier', async (t) => {
  const launcher = await startLauncher();
  launcher.jobs.put({ id: 'job-b', user: 'bob' });
  for (let id = 1; id <= 20; id++) launcher.send(submit(id, 'mallory'));
  launcher.send({ messageType: 3, requestId: 21, ...on('*', 'bob') });
  const ids = (await launcher.received()).map(({ requestId }) => requestId);
  while (ids.length < 21) ids.push(...(await launcher.received()).map(({ requestId }) => requestId));
  t.equal(ids[0], 21);
  t.same(
    ids.slice(1),
    Array.from({ length: 20 }, (_, index) => index + 1),
  );
  await launcher.end();
});

t.test('users with large submits take turns', async (t) => {
  const launcher = await startLauncher();
  for (let id = 1; id <= 5; id++) launcher.send(submit(id, 'mallory'));
  launcher.send(submit(6, ' bob'));
  while (launcher.jobs.calls.length < 6) await settle();
  t.same(launcher.jobs.calls.slice(0, 3), [
    'submit mallory-1 mallory',
    'submit  bob-6 bob',
    'submit mallory-2 mallory',
  ]);
  await launcher.end();
});

t.test('large requests that wait at the end of the input are answered', async (t) => {
  const launcher = await startLauncher();
  for (let id = 1; id <= 5; id++) launcher.send(submit(id, 'alice'));
  launcher.input.end();
  t.same(await launcher.session.done, { reason: 'input-ended' });
  t.equal(launcher.jobs.submitted.length, 5);
});

t.test('[end-broken] a large frame that is not JSON ends the session', async (t) => {
  const log = recordingLog();
  for (const isEnd of [false, true]) {
    const launcher = await startLauncher({ log });
    launcher.sendText(`{"requestId":1,"username":"alice",${'x'.repeat(100_000)}`);
    if (isEnd) launcher.input.end();
    t.match(await launcher.session.done, { reason: 'broken-frame' });
  }
  t.same(log.lines, Array(2).fill('ERROR Launcher sent a broken frame; ending the session'));
});

t.test('while more arrives, one large frame is handled in 64 iterations of the event loop', async (t) => {
  const handled: string[] = [];
  const frames = new LargeFrames<string>((name) => handled.push(name));
  frames.add('alice', 'a');
  frames.add('bob', 'b');
  frames.add('carol', 'c');
  const iterations = async (count: number, hasInput: boolean): Promise<void> => {
    for (let iteration = 0; iteration < count; iteration++) {
      if (hasInput) frames.arrived();
      await new Promise((resolve) => void setImmediate(resolve));
    }
  };
  await iterations(63, true);
  t.same(handled, []);
  await iterations(1, true);
  t.same(handled, ['a']);
  await iterations(63, true);
  t.same(handled, ['a']);
  await iterations(1, false);
  t.same(handled, ['a', 'b']);
  await iterations(1, false);
  t.same(handled, ['a', 'b', 'c']);
});
