/** The end of a job is written onto its Job, whatever the API server says meanwhile, and read whoever wrote it. */
import t from 'tap';
import { readResult } from '../../../src/jobs/objects/annotations.ts';
import { JOBS } from '../../../src/kubernetes/contract.ts';
import { deleteObject } from '../../cluster/api/deletion.ts';
import { PODS, JOBS as STORED_JOBS } from '../../cluster/api/resources.ts';
import type { SimulatedCluster } from '../../cluster/cluster.ts';
import { FAULTS } from '../../cluster/faults/rules.ts';
import { eventually } from '../../support/eventually.ts';
import { fakeClock } from '../../support/fake-clock.ts';
import { fastClock, hasState, startPlugins } from '../instance.ts';

t.test(
  'while the right to write ends is missing one job tries now and then; once it is there all are written',
  async (t) => {
    const { cluster, instance } = await startPlugins(t, { bookmarkMs: 500 });
    const one = await instance({ clock: fastClock(30) });
    const fault = cluster.faults.add({
      method: 'PATCH',
      path: /\/jobs\//,
      fault: FAULTS.transientForbidden,
      times: Number.POSITIVE_INFINITY,
    });
    const ids = await Promise.all(Array.from({ length: 5 }, () => one.submit({ command: 'exit 3' })));
    for (const id of ids) await one.until(id, hasState('Finished'));
    const asked = () => cluster.journal.requests.filter(({ method }) => method === 'PATCH').map(({ path }) => path);
    await eventually(() => asked().length >= 18);
    t.equal(new Set(asked().slice(-4)).size, 1, 'one job tries, the others wait');
    const said = () =>
      one.log
        .filter(({ fields, level }) => fields['rule'] === 'record-result' && level !== 'debug')
        .map(({ level }) => level);
    t.strictSame(said(), ['warning'], 'and it is told once');

    fault.remove();
    const result = async (id: string): Promise<unknown> => {
      const { object } = await one.client.get(JOBS, id);
      const written = object.metadata?.annotations?.['job-launcher/result'];
      return written === undefined ? undefined : JSON.parse(written).exitCode;
    };
    for (const id of ids) t.equal(await eventually(() => result(id)), 3);
    t.strictSame(said(), ['warning', 'info']);
  },
);

t.test('a result of another writer is understood', async (t) => {
  t.equal(readResult('{"state":"Finished","exitCode":3}')?.exitCode, 3);
});

t.test(
  'a final state that was announced is saved at the end of the process: the next one announces no other',
  async (t) => {
    const { cluster, instance, stop } = await startPlugins(t);
    const first = await instance();
    const id = await first.submit({ command: 'sleep 3; exit 3' });
    await first.until(id, hasState('Running'));
    await stop(first);
    // Another process than the one that submitted the job lets that one save first.
    const second = await instance();
    await second.until(id, hasState('Finished'));
    await stop(second);
    removePods(cluster, id);
    const third = await instance();
    await third.until(id, hasState('Finished'));
    t.strictSame(third.announced.get(id), ['Finished/Error']);
  },
);

t.test('an end that no instance observed is saved when it is announced', async (t) => {
  const { cluster, instance, stop } = await startPlugins(t);
  const first = await instance();
  const id = await first.submit({ command: 'sleep 1; exit 3' });
  await first.until(id, hasState('Running'));
  await stop(first);
  await eventually(() => jobOf(cluster, id)?.status.conditions?.some(({ type }) => type === 'Failed'));
  removePods(cluster, id);
  const clock = fakeClock(0);
  const second = await instance({ clock });
  await eventually(() => {
    clock.advance(1_000);
    return second.announced.get(id)?.at(-1) === 'Failed/BackoffLimitExceeded';
  });
  const saved = () => jobOf(cluster, id)?.metadata.annotations?.['job-launcher/result'];
  t.match(readResult(await eventually(saved)), { state: 'Failed', statusCode: 'BackoffLimitExceeded' });
});

t.test('an end that another process may save is saved at once when its pod is deleted', async (t) => {
  const { cluster, instance, stop } = await startPlugins(t);
  const first = await instance();
  const id = await first.submit({ command: 'sleep 2; exit 3' });
  await first.until(id, hasState('Running'));
  await stop(first);
  const second = await instance({ clock: fakeClock(0) });
  await second.until(id, hasState('Finished'));
  const saved = () => jobOf(cluster, id)?.metadata.annotations?.['job-launcher/result'];
  await eventually(() => jobOf(cluster, id)?.status.conditions?.some(({ type }) => type === 'Failed'));
  t.equal(saved(), undefined, 'the process that submitted it has 10 s, and no time passes');
  removePods(cluster, id);
  t.match(readResult(await eventually(saved)), { state: 'Finished', statusCode: 'Error', exitCode: 3 });
});

const jobOf = ({ store, namespace }: SimulatedCluster, id: string) => store.get(STORED_JOBS, namespace, id);

/** Deletes the pods of a job, as happens with a node that is scaled away. */
function removePods({ store }: SimulatedCluster, id: string): void {
  for (const pod of store.list(PODS))
    if (pod.metadata.labels?.['job-name'] === id) deleteObject(store, PODS, pod, { gracePeriodSeconds: 0 });
}
