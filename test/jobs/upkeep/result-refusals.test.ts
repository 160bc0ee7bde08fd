/** One job's refused end holds the others up only while the right to write ends is missing. */
import t from 'tap';
import { JOBS } from '../../../src/kubernetes/contract.ts';
import { FAULTS, type Fault } from '../../cluster/faults/rules.ts';
import { eventually } from '../../support/eventually.ts';
import { fastClock, hasState, startPlugins } from '../instance.ts';

const said = (status: number, reason: string, message: string): Fault => ({
  type: 'answer',
  answer: {
    status,
    contentType: 'application/json',
    body: JSON.stringify({ kind: 'Status', apiVersion: 'v1', status: 'Failure', code: status, reason, message }),
  },
});

const OTHER_REFUSALS: Readonly<Record<string, Fault>> = {
  '422': said(422, 'Invalid', 'Job.batch "first" is invalid: metadata.annotations: Too long'),
  '403 of a webhook': said(403, 'Forbidden', 'admission webhook "check.example.com" denied the request: no'),
};

for (const [name, refusal] of Object.entries(OTHER_REFUSALS)) {
  t.test(
    `a result that is refused with ${name} after a missing permission: those of other jobs are recorded`,
    async (t) => {
      const { cluster, instance } = await startPlugins(t, { bookmarkMs: 500 });
      const one = await instance({ clock: fastClock(30) });
      const onPatches = (path: RegExp, fault: Fault) =>
        cluster.faults.add({ method: 'PATCH', path, fault, times: Number.POSITIVE_INFINITY });
      const result = async (id: string): Promise<unknown> => {
        const { object } = await one.client.get(JOBS, id);
        const written = object.metadata?.annotations?.['job-launcher/result'];
        return written === undefined ? undefined : JSON.parse(written).exitCode;
      };

      const missing = onPatches(/\/jobs\//, FAULTS.transientForbidden);
      const first = await one.submit({ command: 'exit 3' });
      await eventually(() => one.log.some(({ sentence }) => /^Cannot save final job states/.test(sentence)));
      const others = await Promise.all([one.submit({ command: 'exit 4' }), one.submit({ command: 'exit 5' })]);
      for (const id of others) await one.until(id, hasState('Finished'));
      const refused = onPatches(new RegExp(`/jobs/${first}`), refusal);
      missing.remove();

      t.equal(await eventually(() => result(others[0])), 4);
      t.equal(await eventually(() => result(others[1])), 5);
      t.equal(await result(first), undefined);
      refused.remove();
      t.equal(await eventually(() => result(first)), 3);
    },
  );
}
