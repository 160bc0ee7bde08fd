/** Stop, kill and cancel end a job as each promises, and are refused where the state of the job does not allow them. */
import t from 'tap';
import { LauncherError } from '../support/launcher.ts';
import { refused, setUp } from './harness.ts';

const world = await setUp(t);
const { launcher, user, other } = world;
t.jobs = 6;

const forever = 'echo still here; while :; do sleep 1; done';

/** A job that is running and has written its first line: a node reports Running before a trap is set. */
async function running(job: Record<string, unknown>): Promise<string> {
  const { id } = await world.submit(job);
  await world.until(id, 'Running');
  await world.says(id, '\n');
  return id;
}

t.test('stop ends in Finished, with what the process made of TERM', async (t) => {
  const cases = [
    { command: forever, exitCode: 143 },
    { command: `trap 'exit 0' TERM; ${forever}`, exitCode: 0 },
    { command: `trap 'echo bye; exit 5' TERM; ${forever}`, exitCode: 5 },
  ];
  await Promise.all(
    cases.map(async ({ command, exitCode }) => {
      const id = await running({ command });
      t.same(await launcher.control(user, id, 'stop'), { complete: true, message: '' });
      const ended = await world.until(id, 'Finished');
      t.equal(ended.statusCode, 'Stopped');
      const job = await launcher.job(user, id);
      t.equal(job.exitCode, world.stoppedCode(job.exitCode, exitCode), command);
      await refused(t, launcher.control(user, id, 'stop'), 8);
    }),
  );
});

t.test('kill ends in Killed 137, even if TERM is ignored, and the output stays', async (t) => {
  const id = await running({ command: `trap '' TERM; ${forever}` });
  t.same(await launcher.control(user, id, 'kill'), { complete: true, message: '' });
  const ended = await world.until(id, 'Killed');
  t.equal(ended.statusCode, 'Killed');
  t.equal((await launcher.job(user, id)).exitCode, 137);
  t.equal(await world.text(id), 'still here\n');
  for (const operation of ['stop', 'kill', 'cancel', 'suspend', 'resume'] as const) {
    await refused(t, launcher.control(user, id, operation), 8, operation);
  }
});

t.test('the kill takes all processes of the job', async (t) => {
  const id = await running({ command: `(trap '' TERM; while :; do sleep 1; done) & (sleep 1000) & ${forever}` });
  t.same(await launcher.control(user, id, 'kill'), { complete: true, message: '' });
  await world.until(id, 'Killed');
});

t.test('a running job can neither be canceled nor suspended nor resumed', async (t) => {
  const id = await running({ command: forever });
  await refused(t, launcher.control(user, id, 'cancel'), 8);
  await refused(t, launcher.control(user, id, 'resume'), 8);
  await refused(t, launcher.control(user, id, 'suspend'), 2);
  await refused(t, launcher.control(other, id, 'kill'), 3);
  t.equal((await launcher.job(user, id)).status, 'Running');
  t.same(await launcher.control('*', id, 'stop'), { complete: true, message: '' });
  await world.until(id, 'Finished');
});

t.test('a pending job can be canceled only', async (t) => {
  const { id } = await world.submit({ command: 'true', host: 'no-such-node' });
  for (const operation of ['stop', 'kill', 'suspend', 'resume'] as const) {
    await refused(t, launcher.control(user, id, operation), 8, operation);
  }
  t.same(await launcher.control(user, id, 'cancel'), { complete: true, message: '' });
  t.equal((await world.until(id, 'Canceled')).statusMessage, '');
  await refused(t, launcher.control(user, id, 'cancel'), 8);
});

t.test('canceled directly after the submit', async (t) => {
  const { id } = await world.submit({ command: forever });
  const answer = await launcher.control(user, id, 'cancel').catch((error: LauncherError) => error);
  if (answer instanceof LauncherError && world.cluster.simulated === undefined) {
    // A node may be faster than the busy machine of the test.
    t.match(answer, { errorCode: 8, message: / is Running: cancel is for jobs that are Pending\.$/ });
    t.same(await launcher.control(user, id, 'kill'), { complete: true, message: '' });
    return;
  }
  t.match(answer, { complete: true });
  await world.until(id, 'Canceled');
});
