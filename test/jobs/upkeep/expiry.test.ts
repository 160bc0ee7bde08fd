/** An expired job goes, whatever the first attempt to delete it met. */
import t from 'tap';
import { JOBS } from '../../../src/kubernetes/contract.ts';
import { isNotFound } from '../../../src/kubernetes/kubernetes-error.ts';
import type { Fault } from '../../cluster/faults/rules.ts';
import { eventually } from '../../support/eventually.ts';
import { fastClock, hasState, startPlugins } from '../instance.ts';

const NOT_HERE: Fault = {
  type: 'answer',
  answer: { status: 404, contentType: 'text/html', body: '<html><body><h1>404 Not Found</h1></body></html>\n' },
};

t.test('given a proxy that says 404 of a job that is there, a later sweep deletes it', async (t) => {
  const { cluster, instance } = await startPlugins(t);
  const other = await instance();
  const one = await instance({ clock: fastClock(600), options: { jobExpiryHours: 0 } });
  const proxy = cluster.faults.add({ method: 'DELETE', path: /\/jobs\//, fault: NOT_HERE });
  const id = await other.submit({ command: 'true' });
  await one.until(id, hasState('Finished'));
  await eventually(() => proxy.hits() === 1);
  await eventually(() => one.client.get(JOBS, id).then(() => false, isNotFound));
  t.equal(one.log.filter(({ sentence }) => sentence === 'Deleted an expired job').length, 1, 'said when it was done');
  t.strictSame(
    cluster.journal.requests.filter(({ method, path }) => method === 'DELETE' && /\/jobs\//.test(path)).length,
    2,
  );
});
