/** A stop, kill or cancel is done once, by any instance, also after a crash; one that comes too late is removed from the job. */
import t from 'tap';
import type { Client, KubernetesObject } from '../../../src/kubernetes/contract.ts';
import { JOBS as JOBS_KIND } from '../../../src/kubernetes/contract.ts';
import { KubernetesError } from '../../../src/kubernetes/kubernetes-error.ts';
import { eventually } from '../../support/eventually.ts';
import { fastClock, hasState, startWorld, terminal } from '../instance.ts';

const { cluster, admin, instance, stop, annotation, podOf } = await startWorld(t);

/** Of a pod whose program has ended by itself. */
const ENDED = {
  phase: 'Failed',
  containerStatuses: [{ name: 'rs-launcher-container', state: { terminated: { exitCode: 3, reason: 'Error' } } }],
};

t.test('stop, kill and cancel, by two instances at once', async (t) => {
  const one = await instance();
  const two = await instance();
  const stopped = await one.submit({ command: 'sleep 60' });
  const killed = await one.submit({ command: 'trap "" TERM; sleep 60' });
  const pending = await one.submit({ command: 'true', placementConstraints: [{ name: 'region', value: 'moon' }] });
  await t.rejects(one.jobs.control(pending, 'alice', 'stop'), { code: 'invalid-job-state' });
  await t.rejects(one.jobs.control(pending, 'bob', 'cancel'), { code: 'job-not-found' });
  for (const each of [one, two]) {
    for (const id of [stopped, killed]) await each.until(id, hasState('Running'));
    await each.until(pending, ({ statusMessage }) => statusMessage.startsWith('0/1 nodes are available'));
  }
  await t.rejects(one.jobs.control(stopped, 'alice', 'suspend'), { code: 'invalid-request' });
  await t.rejects(one.jobs.control(stopped, 'alice', 'cancel'), { code: 'invalid-job-state' });
  t.strictSame(await Promise.all([one, two].map((each) => each.jobs.control(stopped, 'alice', 'stop'))), [
    { complete: true, message: '' },
    { complete: true, message: '' },
  ]);
  t.strictSame(await one.jobs.control(killed, 'alice', 'kill'), { complete: true, message: '' });
  t.strictSame(await two.jobs.control(pending, '*', 'cancel'), { complete: true, message: '' });
  t.match((await admin.client.get(JOBS_KIND, pending)).object.spec, { suspend: true, parallelism: 0 });
  for (const each of [one, two]) {
    t.match(await each.until(stopped, terminal), { status: 'Finished', statusCode: 'Stopped', exitCode: 143 });
    t.match(await each.until(killed, terminal), { status: 'Killed', statusCode: 'Killed', exitCode: 137 });
    t.match(await each.until(pending, terminal), { status: 'Canceled', statusCode: 'Canceled' });
  }
  t.strictSame(one.announced.get(stopped), ['Pending/Pending', 'Running/Running', 'Finished/Stopped']);
  t.equal(await one.output(pending), '', 'it never ran');
  t.match(JSON.parse((await annotation(killed, 'control')) ?? ''), { operation: 'kill', user: 'alice', at: /Z$/ });
  await stop(two);
  await stop(one);
});

t.test('with kill-method=delete a kill deletes the pod, and each instance reports exit code 137', async (t) => {
  const one = await instance();
  const byDeletion = await instance({ options: { killMethod: 'delete' } });
  const deleted = await one.submit({ command: 'sleep 60' });
  await byDeletion.until(deleted, hasState('Running'));
  t.strictSame(await byDeletion.jobs.control(deleted, 'alice', 'kill'), { complete: true, message: '' });
  for (const each of [one, byDeletion])
    t.match(await each.until(deleted, terminal), { status: 'Killed', exitCode: 137, statusMessage: '' });
  await stop(one);
  await stop(byDeletion);
});

t.test('a stop that comes too late is removed from the job', async (t) => {
  let before: (() => Promise<void>) | undefined;
  const wrap = (client: Client): Client => ({
    ...client,
    patch: async (kind, name, patch, options) => {
      if (kind.plural === 'pods' && before !== undefined) {
        const run = before;
        before = undefined;
        await run();
      }
      return client.patch(kind, name, patch, options);
    },
  });
  const one = await instance({ wrap });
  const id = await one.submit({ command: 'read line < /dev/null; while [ ! -e "$PWD/go" ]; do sleep 0.02; done' });
  await one.until(id, hasState('Running'));
  const pod = (await podOf(id))?.metadata?.name ?? '';
  before = async () => {
    t.match(await annotation(id, 'control'), /"stop"/, 'recorded before it is done');
    await admin.client.exec(pod, 'rs-launcher-container', ['/bin/sh', '-c', 'kill -KILL -1']);
    await eventually(async () => (await podOf(id))?.status?.containerStatuses?.[0]?.state?.terminated);
  };
  await t.rejects(one.jobs.control(id, 'alice', 'stop'), { code: 'invalid-job-state' });
  t.equal(await annotation(id, 'control'), undefined, 'taken back');
  t.match(await one.until(id, terminal), { status: 'Finished', exitCode: 137 }, 'it ended, not by us');
  await t.rejects(one.jobs.control(id, 'alice', 'kill'), { code: 'invalid-job-state' });
  await stop(one);
});

t.test('a stop that Kubernetes refuses is incomplete and removed from the job', async (t) => {
  const one = await instance();
  const other = await one.submit({ command: 'sleep 60' });
  await one.until(other, hasState('Running'));
  const fault = cluster.faults.add({
    method: 'PATCH',
    path: /\/pods\//,
    fault: {
      type: 'answer',
      answer: {
        status: 422,
        contentType: 'application/json',
        body: JSON.stringify({ kind: 'Status', reason: 'Invalid', message: 'policy says no', code: 422 }),
      },
    },
  });
  t.strictSame(await one.jobs.control(other, 'alice', 'stop'), {
    complete: false,
    message: 'Kubernetes refused the stop: policy says no',
  });
  t.equal(fault.hits(), 1);
  t.equal(await annotation(other, 'control'), undefined);
  await one.jobs.control(other, 'alice', 'kill');
  await one.until(other, terminal);
  await stop(one);
});

t.test('without a shared process namespace a kill deletes the pod', async (t) => {
  const alone = await instance({ options: { shareProcessNamespace: false } });
  const id = await alone.submit({ command: 'sleep 60' });
  await alone.until(id, hasState('Running'));
  t.strictSame(await alone.jobs.control(id, 'alice', 'kill'), { complete: true, message: '' }, 'by deletion');
  t.match(await alone.until(id, terminal), { status: 'Killed', exitCode: 137 });
  await stop(alone);
});

t.test('a kill deletes the pod if the signal that was sent does not end it', async (t) => {
  const commands: (readonly string[])[] = [];
  const liar = await instance({
    clock: fastClock(20),
    wrap: (client) => ({
      ...client,
      exec: async (_pod, _container, command) => {
        commands.push(command);
        return { exitCode: 0, output: '', message: '' };
      },
    }),
  });
  const spared = await admin.submit({ command: 'sleep 60' });
  await liar.until(spared, hasState('Running'));
  t.strictSame(await liar.jobs.control(spared, 'alice', 'kill'), { complete: true, message: '' });
  t.equal(commands.length, 2, 'once more after 10 s');
  for (const command of commands) t.strictSame(command, ['/bin/sh', '-c', 'kill -KILL -1']);
  t.match(await liar.until(spared, terminal), { status: 'Killed', exitCode: 137 });
  await stop(liar);
});

t.test('a cancel of a job that has just ended is refused', async (t) => {
  let isHeld = false;
  const behind = await instance({
    wrap: (client) => ({
      ...client,
      reflector: (options) =>
        client.reflector({ ...options, onEvent: (event) => (isHeld ? undefined : options.onEvent(event)) }),
    }),
  });
  const canceled = await behind.submit({ command: 'true' });
  isHeld = true;
  await eventually(async () => (await admin.client.get(JOBS_KIND, canceled)).object.status?.completionTime);
  await t.rejects(behind.jobs.control(canceled, 'alice', 'cancel'), { code: 'invalid-job-state' });
  t.equal(await annotation(canceled, 'control'), undefined, 'not left behind');
  await stop(behind);
});

t.test('a cancel beside a pod that has just ended is refused, although the Job does not say so yet', async (t) => {
  let seen: KubernetesObject | undefined;
  const one = await instance({
    wrap: (client) => ({
      ...client,
      list: async (kind, query, options) => {
        const found = await client.list(kind, query, options);
        if (kind.plural !== 'pods' || seen === undefined) return found;
        return { ...found, items: [{ ...seen, status: ENDED }] } as unknown as typeof found;
      },
    }),
  });
  const id = await one.submit({ command: 'true', placementConstraints: [{ name: 'region', value: 'moon' }] });
  await one.until(id, ({ statusMessage }) => statusMessage.startsWith('0/1 nodes are available'));
  seen = await podOf(id);
  await t.rejects(one.jobs.control(id, 'alice', 'cancel'), { code: 'invalid-job-state' });
  t.equal(await annotation(id, 'control'), undefined, 'not left behind');
  await stop(one);
});

t.test('a kill of a job that ends by itself at that moment', async (t) => {
  let running = '';
  let refuses = false;
  const text = 'container not found ("rs-launcher-container")';
  const notRunning = new KubernetesError({ code: 'server-error', method: 'EXEC', path: '', status: 500, text });
  const one = await instance({
    wrap: (client) => ({
      ...client,
      exec: async (pod) => {
        await client.exec(pod, 'rs-launcher-container', ['/bin/sh', '-c', 'touch go']);
        if (refuses) throw notRunning;
        await eventually(async () => (await podOf(running))?.status?.containerStatuses?.[0]?.state?.terminated);
        return { exitCode: 0, output: '', message: '' };
      },
    }),
  });
  for (refuses of [false, true]) {
    running = await one.submit({ command: 'echo out; while [ ! -e go ]; do sleep 0.02; done; exit 3' });
    await one.until(running, hasState('Running'));
    await t.rejects(one.jobs.control(running, 'alice', 'kill'), { code: 'invalid-job-state' });
    t.match(await one.until(running, terminal), { status: 'Finished', exitCode: 3 });
    t.equal(await annotation(running, 'control'), undefined, 'taken back');
    t.equal(await one.output(running), 'out\n', 'its log is still there');
  }
  await stop(one);
});

t.test('a stop that was recorded before a crash is done by any instance', async (t) => {
  const one = await instance({ clock: fastClock(40) });
  const id = await admin.submit({ command: 'sleep 60' });
  await one.until(id, hasState('Running'));
  const record = JSON.stringify({ operation: 'stop', at: '', user: 'alice' });
  await admin.client.patch(JOBS_KIND, id, { metadata: { annotations: { 'job-launcher/control': record } } });
  t.match(await one.until(id, terminal), { status: 'Finished', statusCode: 'Stopped', exitCode: 143 });
  await stop(one);
});

t.test('a job with as many annotations as a submit accepts is stopped, and its end is saved', async (t) => {
  const one = await instance();
  const submit = (length: number) => one.submit({ command: 'sleep 600', tags: ['x'.repeat(length)] });
  const refusal = await submit(300_000).catch((error: unknown) => String(error));
  const excess = Number(/has (\d+) bytes/.exec(refusal)?.[1]) - 245_760;
  await t.rejects(submit(300_000 - excess + 1), { code: 'invalid-request' });
  const id = await submit(300_000 - excess);
  await one.until(id, hasState('Running'));
  t.strictSame(await one.jobs.control(id, 'alice', 'stop'), { complete: true, message: '' });
  t.match(await one.until(id, terminal), { status: 'Finished', statusCode: 'Stopped' });
  const result = await eventually(() => annotation(id, 'result'));
  t.match(JSON.parse(result), { state: 'Finished', statusCode: 'Stopped' });
  await stop(one);
});
