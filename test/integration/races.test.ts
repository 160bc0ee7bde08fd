/**
 * The answer to a control and the end of the job agree, whoever else controls it, ends it or dies meanwhile, and where
 * signals cannot reach it (kubernetes-objects.md section 5).
 */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { eventually } from '../support/eventually.ts';
import { LauncherError } from '../support/launcher.ts';
import { setUp } from './harness.ts';

const onCluster = process.env['TEST_ON'] === 'cluster';
const world = await setUp(t);
const { cluster, user } = world;
const [a, b] = await Promise.all(['one', 'two'].map((name) => world.plugin({}, { name })));
if (a === undefined || b === undefined) throw new Error('two plugins were started');
t.jobs = 8;

const forever = 'while :; do sleep 1; done';
const stubborn = `trap '' TERM; echo here; ${forever}`;
const DONE = { complete: true, message: '' };
/** What a stopped container ended with is then known by chance only (`stoppedCode` of the harness). */
const endsPodFirst = cluster.minor < 22;
const TERM_CODE = endsPodFirst ? undefined : 143;

/** `done`, or the number of the error. */
const answered = (asked: Promise<{ complete: boolean; message: string }>): Promise<unknown> =>
  asked.then(
    (answer) => (answer.complete ? 'done' : answer.message),
    (error: unknown) => (error instanceof LauncherError ? error.errorCode : error),
  );

/** A job that both plugins see running. */
async function running(command: string): Promise<string> {
  const { id } = await world.submit({ command }, a?.launcher);
  await Promise.all([a, b].map((plugin) => world.until(id, 'Running', plugin?.launcher)));
  if (command === stubborn) await world.says(id, 'here\n');
  return id;
}

/** How each of the two plugins says that the job ended: state, status code, exit code. */
async function ends(id: string): Promise<readonly (readonly unknown[])[]> {
  return Promise.all(
    [a, b].map(async (plugin) => {
      const { launcher } = plugin ?? world;
      await world.until(id, ({ status }) => !['Pending', 'Running'].includes(status), launcher);
      const { status, statusCode, exitCode } = await launcher.job(user, id);
      const isByChance = endsPodFirst && statusCode === 'Stopped' && (exitCode === 143 || exitCode === 137);
      return [status, statusCode, isByChance ? undefined : exitCode];
    }),
  );
}

async function podNames(id: string): Promise<readonly string[]> {
  const { body } = await cluster.namespaced('GET', '', `pods?labelSelector=job-name%3D${id}`);
  return (body['items'] as { metadata: { name: string } }[]).map(({ metadata }) => metadata.name);
}

t.test('the same by two plugins at once', async (t) => {
  const [stopped, killed, pending] = await Promise.all([
    running(forever),
    running(stubborn),
    world.submit({ command: 'true', host: 'no-such-node' }).then(async ({ id }) => {
      await Promise.all([a, b].map((plugin) => world.until(id, 'Pending', plugin.launcher)));
      return id;
    }),
  ]);
  const both = (id: string, operation: 'stop' | 'kill' | 'cancel') =>
    Promise.all([a, b].map(({ launcher }) => answered(launcher.control(user, id, operation))));
  const [stops, kills, cancels] = await Promise.all([
    both(stopped, 'stop'),
    both(killed, 'kill'),
    both(pending, 'cancel'),
  ]);
  // A plugin that is asked after the other one has ended the job says so.
  for (const answers of [stops, kills, cancels])
    t.ok(answers.includes('done') && answers.every((each) => each === 'done' || each === 8), answers.join());
  t.same(await ends(stopped), Array(2).fill(['Finished', 'Stopped', TERM_CODE]));
  t.same(await ends(killed), Array(2).fill(['Killed', 'Killed', 137]));
  t.same(await ends(pending), Array(2).fill(['Canceled', 'Canceled', undefined]));
});

t.test('stop by one and kill by the other: the kill wins', async (t) => {
  const id = await running(stubborn);
  const [stop, kill] = await Promise.all([
    answered(a.launcher.control(user, id, 'stop')),
    answered(b.launcher.control(user, id, 'kill')),
  ]);
  t.ok(stop === 'done' || stop === 8, `the stop: ${stop}`);
  if (endsPodFirst && stop === 'done' && kill === 8) {
    t.same(await ends(id), Array(2).fill(['Finished', 'Stopped', undefined]), 'the stop had ended the pod');
    return;
  }
  t.equal(kill, 'done');
  t.same(await ends(id), Array(2).fill(['Killed', 'Killed', 137]));
  t.equal(await world.text(id), 'here\n');
});

t.test('a kill while the job ends by itself: answer and end agree', async (t) => {
  const moments = [-100, 0, 50, 100, 200, 400];
  await Promise.all(
    moments.map(async (ms) => {
      const gate = world.gate();
      const id = await running(gate.wait);
      // The exec that opens the gate may be killed as well.
      const opened = sleep(Math.max(0, -ms)).then(() => gate.open(id).catch(() => undefined));
      await sleep(Math.max(0, ms));
      const answer = await answered(b.launcher.control(user, id, 'kill'));
      await opened;
      const end = answer === 'done' ? ['Killed', 'Killed', 137] : ['Finished', 'Completed', 0];
      t.ok(answer === 'done' || answer === 8, `${ms} ms: ${answer}`);
      t.same(await ends(id), [end, end], `${ms} ms: ${answer}`);
    }),
  );
});

t.test('a cancel while the job begins: answer and end agree', async (t) => {
  const moments = [0, 200, 400, 600, 800];
  await Promise.all(
    moments.map(async (ms) => {
      const { id } = await world.submit({ command: forever }, a.launcher);
      await world.until(id, () => true, b.launcher);
      await sleep(ms);
      const answer = await answered(b.launcher.control(user, id, 'cancel'));
      t.ok(answer === 'done' || answer === 8, `${ms} ms: ${answer}`);
      if (answer === 8) {
        t.same(await a.launcher.control(user, id, 'stop'), DONE);
        t.same(await ends(id), Array(2).fill(['Finished', 'Stopped', TERM_CODE]), `${ms} ms: too late`);
      } else {
        t.same(await ends(id), Array(2).fill(['Canceled', 'Canceled', undefined]), `${ms} ms: canceled`);
        await eventually(async () => (await podNames(id)).length === 0, 'no pod is left');
      }
    }),
  );
});

t.test('recorded, and the plugin died before it acted: another one does it', async (t) => {
  const cases = [
    { operation: 'stop', command: forever, end: ['Finished', 'Stopped', TERM_CODE] },
    { operation: 'kill', command: stubborn, end: ['Killed', 'Killed', 137] },
  ] as const;
  await Promise.all(
    cases.map(async ({ operation, command, end }) => {
      const id = await running(command);
      const record = JSON.stringify({ operation, at: new Date().toISOString(), user });
      const metadata = { annotations: { 'job-launcher/control': record } };
      await cluster.namespaced('PATCH', 'batch/v1', `jobs/${id}`, { metadata });
      t.same(await ends(id), [end, end], operation);
    }),
  );
});

t.test('killed between recording a stop and doing it', { skip: onCluster && 'needs a request to fail' }, async (t) => {
  const id = await running(forever);
  const dying = await world.plugin({}, { name: 'dying' });
  await world.until(id, 'Running', dying.launcher);
  const pod = (await podNames(id))[0];
  const path = new RegExp(`/pods/${pod}(\\?|$)`);
  const fault = cluster.simulated?.faults.add({
    method: 'PATCH',
    path,
    fault: { type: 'resetBeforeWork' },
    times: 1_000,
  });
  const unanswered = answered(dying.launcher.control(user, id, 'stop'));
  await eventually(() => (fault?.hits() ?? 0) > 0, 'the stop was tried');
  dying.process.kill('SIGKILL');
  t.match(await unanswered, /the plugin ended with SIGKILL/);
  fault?.remove();
  t.same(await ends(id), Array(2).fill(['Finished', 'Stopped', TERM_CODE]));
});

t.test('without a shared process namespace a kill deletes the pod', async (t) => {
  const alone = await world.plugin({ 'share-process-namespace': '0' }, { name: 'alone' });
  const { id } = await world.submit({ command: forever }, alone.launcher);
  await world.until(id, 'Running', b.launcher);
  t.same(await b.launcher.control(user, id, 'kill'), DONE, 'the pod decides, not the option of who kills it');
  t.same(await ends(id), Array(2).fill(['Killed', 'Killed', 137]));
  await eventually(async () => (await podNames(id)).length === 0, 'the pod is gone');
});

t.test(
  'a pod with the processes of its node is deleted, too',
  { skip: onCluster && 'a mistake would end every process of this machine' },
  async (t) => {
    const directory = mkdtempSync(join(tmpdir(), 'overrides-'));
    t.teardown(() => rmSync(directory, { recursive: true }));
    chmodSync(directory, 0o755);
    const file = join(directory, 'true.json');
    writeFileSync(file, 'true', { mode: 0o644 });
    const overrides = `job-json-overrides="/spec/template/spec/hostPID":"${file}"\n`;
    const host = await world.plugin({}, { name: 'host', profile: overrides });
    const { id } = await world.submit({ command: forever }, host.launcher);
    await Promise.all([a, host].map((plugin) => world.until(id, 'Running', plugin.launcher)));
    const [pod] = await podNames(id);
    t.match((await cluster.namespaced('GET', '', `pods/${pod}`)).body, { spec: { hostPID: true } });
    t.same(await a.launcher.control(user, id, 'kill'), DONE);
    t.same(await ends(id), Array(2).fill(['Killed', 'Killed', 137]));
    const execs = cluster.simulated?.journal.requests.filter(({ path }) => path.includes(`/pods/${pod}/exec`));
    t.same(execs, [], 'nothing was signalled');
  },
);
