/** An unconfirmed final state is announced after a read of the Job: a 404 of a proxy is no answer, a deleted Job is awaited. */
import t, { type Test } from 'tap';
import { JOBS, PODS } from '../../../src/kubernetes/contract.ts';
import type { Fault } from '../../cluster/faults/rules.ts';
import { eventually } from '../../support/eventually.ts';
import { fastClock, hasState, startPlugins } from '../instance.ts';

const OF_A_PROXY: Fault = {
  type: 'answer',
  answer: { status: 404, contentType: 'text/html', body: '<html><body><h1>404 Not Found</h1></body></html>\n' },
};
const GONE: Fault = {
  type: 'answer',
  answer: {
    status: 404,
    contentType: 'application/json',
    body: JSON.stringify({ kind: 'Status', code: 404, reason: 'NotFound', message: 'gone', details: { kind: 'jobs' } }),
  },
};

/**
 * A job that ends with 137, which a kill could explain. `watcher` is told of its end and of nothing else after it but a
 * deletion of the Job, and its first `misses` reads of the Job get `fault`.
 */
async function ended(t: Test, fault: Fault, misses: number, speed: number) {
  const { cluster, instance } = await startPlugins(t, { bookmarkMs: 200 });
  const other = await instance({ token: cluster.adminToken });
  let isQuiet = false;
  const watcher = await instance({
    clock: fastClock(speed),
    wrap: (client) => ({
      ...client,
      reflector: (options) =>
        client.reflector({
          ...options,
          onEvent: (event) => {
            if (isQuiet && event.type !== 'DELETED') return;
            options.onEvent(event);
            isQuiet ||= options.resource.plural === 'pods' && JSON.stringify(event).includes('"terminated"');
          },
        }),
    }),
  });
  const id = await other.submit({ command: 'while [ ! -e go ]; do sleep 0.02; done; exit 137' });
  await watcher.until(id, hasState('Running'));
  const reads = cluster.faults.add({ method: 'GET', path: /\/jobs\/[^/?]+$/, fault, times: misses });
  const [pod] = (await other.client.list(PODS, { labelSelector: `job-name=${id}` })).items;
  await other.client.exec(pod?.metadata?.name ?? '', 'rs-launcher-container', ['/bin/sh', '-c', 'touch go']);
  await eventually(() => reads.hits() > 0);
  return { id, watcher, other, reads };
}

t.test('404 responses of a proxy do not count: the final state is announced after a read of the Job', async (t) => {
  const { id, watcher, reads } = await ended(t, OF_A_PROXY, 5, 20);
  t.match(await watcher.until(id, hasState('Finished')), { statusCode: 'Error', exitCode: 137 });
  t.equal(reads.hits(), 5);
  t.strictSame(watcher.announced.get(id), ['Pending/Pending', 'Running/Running', 'Finished/Error']);
});

t.test('a Job that was deleted: its final state is announced with its deletion', async (t) => {
  const { id, watcher, other } = await ended(t, GONE, Number.POSITIVE_INFINITY, 0.01);
  t.equal(watcher.jobs.find(id, 'alice').status, 'Running');
  await other.client.delete(JOBS, id, { propagationPolicy: 'Background' });
  await eventually(() => watcher.announced.get(id)?.at(-1) === 'Finished/Error');
  t.throws(() => watcher.jobs.find(id, 'alice'), { code: 'job-not-found' });
});
