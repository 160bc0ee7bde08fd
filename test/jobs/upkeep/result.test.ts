/** The end of a job is written onto its Job, whatever the API server says meanwhile, and read whoever wrote it. */
import t from 'tap';
import { readResult } from '../../../src/jobs/objects/annotations.ts';
import { JOBS } from '../../../src/kubernetes/contract.ts';
import { FAULTS } from '../../cluster/faults/rules.ts';
import { eventually } from '../../support/eventually.ts';
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
