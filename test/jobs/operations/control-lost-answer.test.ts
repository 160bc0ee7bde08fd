/** A request that lost its answer is sent again: what the first attempt did is recognized as its own. */
import t from 'tap';
import { JOBS, PODS } from '../../../src/kubernetes/contract.ts';
import { FAULTS, type Fault } from '../../cluster/faults/rules.ts';
import { eventually } from '../../support/eventually.ts';
import { hasState, running, startWorld } from '../instance.ts';

const { cluster, admin, instance, annotation, podOf } = await startWorld(t);
const SLEEPER = { command: 'sleep 600' };

/** Strikes the next patch of this Job. */
const strike = (id: string, fault: Fault) =>
  cluster.faults.add({ method: 'PATCH', path: new RegExp(`/jobs/${id}\\?`), fault });

/** Refuses the next change of a pod of this Job. */
const refuse = (method: string, id: string) =>
  cluster.faults.add({
    method,
    path: new RegExp(`/pods/${id}-`),
    fault: {
      type: 'answer',
      answer: {
        status: 422,
        contentType: 'application/json',
        body: JSON.stringify({ kind: 'Status', reason: 'Invalid', message: 'policy says no', code: 422 }),
      },
    },
  });

t.test('a cancel is complete, although its first answer was lost', async (t) => {
  const one = await instance();
  const id = await one.submit({ command: 'true', placementConstraints: [{ name: 'region', value: 'moon' }] });
  await one.until(id, ({ statusMessage }) => statusMessage.startsWith('0/1 nodes are available'));
  const fault = strike(id, FAULTS.lostAnswer);
  t.strictSame(await one.jobs.control(id, 'alice', 'cancel'), { complete: true, message: '' });
  t.equal(fault.hits(), 1);
  t.match(await one.until(id, hasState('Canceled')), { status: 'Canceled', statusCode: 'Canceled' });
  t.match(JSON.parse((await annotation(id, 'control')) ?? ''), { operation: 'cancel', user: 'alice' });
});

t.test('a refused stop is removed from the job, although the first answer to its record was lost', async (t) => {
  const one = await instance();
  const id = await running(one, SLEEPER);
  const refusal = refuse('PATCH', id);
  const fault = strike(id, FAULTS.lostAnswer);
  t.strictSame(await one.jobs.control(id, 'alice', 'stop'), {
    complete: false,
    message: 'Kubernetes refused the stop: policy says no',
  });
  t.strictSame([fault.hits(), refusal.hits()], [1, 1]);
  t.equal(await annotation(id, 'control'), undefined);
});

t.test('a refused kill restores the stop that it replaced, although the first answer was lost', async (t) => {
  const id = await running(admin, SLEEPER);
  const stop = JSON.stringify({ operation: 'stop', at: '2026-01-02T03:04:05.000Z', user: 'bob' });
  await admin.client.patch(JOBS, id, { metadata: { annotations: { 'job-launcher/control': stop } } });
  const one = await instance({ options: { killMethod: 'delete' } });
  const refusal = refuse('DELETE', id);
  const fault = strike(id, FAULTS.lostAnswer);
  t.strictSame(await one.jobs.control(id, 'alice', 'kill'), {
    complete: false,
    message: 'Kubernetes refused to delete the pod: policy says no',
  });
  t.strictSame([fault.hits(), refusal.hits()], [1, 1]);
  t.equal(await annotation(id, 'control'), stop);
});

t.test('a stop that was not recorded before its first answer was lost is recorded on the newest version', async (t) => {
  let fault: { hits: () => number } | undefined;
  const one = await instance({
    wrap: (client) => ({
      ...client,
      patch: async (kind, name, patch, options) => {
        if (kind.plural === 'jobs' && fault === undefined) {
          await admin.client.patch(JOBS, name, { metadata: { annotations: { note: 'changed' } } });
          fault = strike(name, FAULTS.resetBeforeWork);
        }
        return client.patch(kind, name, patch, options);
      },
    }),
  });
  const id = await running(one, SLEEPER);
  t.strictSame(await one.jobs.control(id, 'alice', 'stop'), { complete: true, message: '' });
  t.equal(fault?.hits(), 1);
  t.match(JSON.parse((await annotation(id, 'control')) ?? ''), { operation: 'stop', user: 'alice' });
});

t.test(
  'an equal record of another request is not taken for its own: it stays after a kill that is too late',
  async (t) => {
    const one = await instance({
      options: { killMethod: 'delete' },
      wrap: (client) => ({
        ...client,
        // Another instance records the same in the same millisecond, and deletes the pod.
        patch: async (kind, name, patch, options) => {
          if (kind.plural !== 'jobs' || isRecorded) return client.patch(kind, name, patch, options);
          isRecorded = true;
          await admin.client.patch(kind, name, patch);
          const pod = (await podOf(name))?.metadata?.name ?? '';
          await admin.client.delete(PODS, pod, { propagationPolicy: 'Background', gracePeriodSeconds: 0 });
          await eventually(async () => (await podOf(name)) === undefined);
          return client.patch(kind, name, patch, options);
        },
      }),
    });
    let isRecorded = false;
    const id = await running(one, SLEEPER);
    t.strictSame(await one.jobs.control(id, 'alice', 'kill'), { complete: true, message: '' });
    t.match(JSON.parse((await annotation(id, 'control')) ?? ''), { operation: 'kill', user: 'alice' });
    t.match(await one.until(id, hasState('Killed')), { status: 'Killed', statusCode: 'Killed', exitCode: 137 });
  },
);

t.test('a stop that is sent again after it ended the pod is complete', async (t) => {
  const one = await instance({
    wrap: (client) => ({
      ...client,
      patch: async (kind, name, patch, options) => {
        if (kind.plural !== 'pods') return client.patch(kind, name, patch, options);
        await client.patch(kind, name, patch, options);
        await eventually(async () => (await podOf(id))?.status?.containerStatuses?.[0]?.state?.terminated);
        return client.patch(kind, name, patch, options);
      },
    }),
  });
  const id = await running(one, SLEEPER);
  t.strictSame(await one.jobs.control(id, 'alice', 'stop'), { complete: true, message: '' });
  t.match(await one.until(id, hasState('Finished')), { status: 'Finished', statusCode: 'Stopped', exitCode: 143 });
  t.match(JSON.parse((await annotation(id, 'control')) ?? ''), { operation: 'stop', user: 'alice' });
});

t.test('a stop of a job that its own deadline of 2 s has ended is too late', async (t) => {
  const id = await running(admin, SLEEPER);
  await admin.client.patch(PODS, (await podOf(id))?.metadata?.name ?? '', { spec: { activeDeadlineSeconds: 2 } });
  const one = await instance({
    wrap: (client) => ({
      ...client,
      patch: async (kind, name, patch, options) => {
        if (kind.plural === 'pods')
          await eventually(async () => (await podOf(id))?.status?.containerStatuses?.[0]?.state?.terminated);
        return client.patch(kind, name, patch, options);
      },
    }),
  });
  await t.rejects(one.jobs.control(id, 'alice', 'stop'), { code: 'invalid-job-state' });
  t.equal(await annotation(id, 'control'), undefined);
});
