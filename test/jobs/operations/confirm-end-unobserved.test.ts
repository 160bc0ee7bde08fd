/** An end that an instance did not see waits some seconds for another one, which did, to save it. */
import t from 'tap';
import { type Client, JOBS, PODS } from '../../../src/kubernetes/contract.ts';
import { type Clock, systemClock } from '../../../src/system/clock.ts';
import { eventually } from '../../support/eventually.ts';
import { hasState, type Instance, startPlugins } from '../instance.ts';

const WAIT_MS = 15_000;

/** A clock whose waits for others end only when a test says so. */
function patientClock(): { clock: Clock; waits: Set<() => void> } {
  const waits = new Set<() => void>();
  const clock: Clock = {
    ...systemClock,
    after: (ms, run) => {
      if (ms !== WAIT_MS) return systemClock.after(ms, run);
      waits.add(run);
      return () => waits.delete(run);
    },
  };
  return { clock, waits };
}

/** A client whose results of jobs are saved only after a promise. */
const savesAfter =
  (permission: Promise<void>) =>
  (client: Client): Client => ({
    ...client,
    patch: async (resource, name, patch, options) => {
      if (JSON.stringify(patch).includes('job-launcher/result')) await permission;
      return client.patch(resource, name, patch, options);
    },
  });

const shownBy = ({ jobs }: Instance, id: string) => {
  const { status, statusCode, statusMessage } = jobs.find(id, 'alice');
  return [status, statusCode, statusMessage];
};
const UNOBSERVED = ['Failed', 'BackoffLimitExceeded', 'its pod was deleted; how it ended is not known'];
const OBSERVED = ['Killed', 'Deleted', 'its pod was deleted in Kubernetes by another client'];

t.test('given a pod that was deleted while an instance could not look, it waits for what others save', async (t) => {
  const { cluster, instance, stop } = await startPlugins(t, { bookmarkMs: 500 });
  const mayWrite = Promise.withResolvers<void>();
  const never = new Promise<void>(() => undefined);
  const witness = await instance({ token: cluster.adminToken, wrap: savesAfter(mayWrite.promise) });
  const id = await witness.submit({ command: 'sleep 600' });
  await witness.until(id, hasState('Running'));
  const pods = async () => (await witness.client.list(PODS, { labelSelector: `job-name=${id}` })).items;
  const [pod] = await pods();
  await witness.client.delete(PODS, pod?.metadata?.name ?? '', { propagationPolicy: 'Background' });
  await witness.until(id, hasState('Killed'));
  await eventually(async () => (await pods()).length === 0);
  await eventually(async () => (await witness.client.get(JOBS, id)).object.status?.failed === 1);

  const waiting = patientClock();
  const late = await instance({ clock: waiting.clock, options: { pendingTimeoutSeconds: 1 } });
  await eventually(() => waiting.waits.size === 1);
  t.strictSame(shownBy(late, id), ['Running', 'Running', '']);

  const alone = patientClock();
  const lonely = await instance({ clock: alone.clock, wrap: savesAfter(never) });
  await eventually(() => alone.waits.size === 1);
  for (const over of alone.waits) over();
  await lonely.until(id, hasState('Failed'));
  t.strictSame(shownBy(lonely, id), UNOBSERVED, 'no instance has saved anything');

  const ending = patientClock();
  const short = await instance({ clock: ending.clock });
  await eventually(() => ending.waits.size === 1);
  await stop(short);
  t.equal(ending.waits.size, 0, 'the end of the program ends the wait');
  t.strictSame(short.announced.get(id), ['Running/Running']);

  const old = await instance({
    clock: patientClock().clock,
    wrap: (client) => ({ ...savesAfter(never)(client), serverTime: () => (client.serverTime() ?? 0) + 60_000 }),
  });
  await old.until(id, hasState('Failed'));
  t.strictSame(shownBy(old, id), UNOBSERVED, 'an end a minute ago is saved by no other instance any more');

  mayWrite.resolve();
  await late.until(id, hasState('Killed'));
  t.strictSame(shownBy(late, id), OBSERVED);
  t.strictSame(late.announced.get(id), ['Running/Running', 'Killed/Deleted']);
  t.strictSame(
    late.log.filter(({ sentence }) => /^Canceling a job/.test(sentence)),
    [],
    'a job whose Job has failed is not canceled meanwhile',
  );
  await eventually(() => shownBy(lonely, id)[0] === 'Killed');
  t.strictSame(
    lonely.announced.get(id),
    ['Running/Running', 'Failed/BackoffLimitExceeded'],
    'an end is announced once',
  );
});
