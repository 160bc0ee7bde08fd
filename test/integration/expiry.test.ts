/** Finished jobs go by themselves (kubernetes-objects.md section 5), and nothing else does. */
import t, { type Test } from 'tap';
import { JOBS } from '../cluster/api/resources.ts';
import { eventually } from '../support/eventually.ts';
import { refused, setUp, type World } from './harness.ts';

const skip =
  process.env['TEST_ON'] === 'cluster' && 'a plugin that expires jobs would remove those of everybody in the namespace';
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
t.jobs = 4;

const statusOf = async ({ cluster }: World, id: string): Promise<number> =>
  (await cluster.namespaced('GET', 'batch/v1', `jobs/${id}`)).status;

async function annotations({ cluster }: World, id: string): Promise<Record<string, string>> {
  const { body } = await cluster.namespaced('GET', 'batch/v1', `jobs/${id}`);
  return (body['metadata'] as { annotations?: Record<string, string> }).annotations ?? {};
}

t.test('several plugins: what ended goes, canceled jobs too; the rest stays', { skip }, async (t) => {
  const world = await setUp(t, { 'job-expiry-hours': '0' });
  const { cluster, launcher, user } = world;
  const more = await Promise.all(['two', 'three'].map((name) => world.plugin({}, { name })));
  const plain = { backoffLimit: 0, template: { spec: { restartPolicy: 'Never' } } };
  const containers = [{ name: 'c', image: cluster.image, command: ['/bin/true'] }];
  const spec = { ...plain, template: { spec: { ...plain.template.spec, containers } } };
  for (const labels of [{}, { 'app.kubernetes.io/managed-by': 'helm' }, { 'launcher-instance-id': '' }]) {
    const name = `others-${Object.keys(labels).length === 0 ? 'plain' : Object.keys(labels)[0]?.slice(0, 3)}`;
    const result = JSON.stringify({ state: 'Finished', statusCode: '', message: '', endedAt: '2020-01-01T00:00:00Z' });
    const metadata = { name, labels, annotations: { 'job-launcher/result': result } };
    t.equal((await cluster.namespaced('POST', 'batch/v1', 'jobs', { metadata, spec })).status, 201);
  }
  const running = await world.submit({ command: 'while :; do sleep 1; done' });
  const failed = await world.submit({ command: 'exit 2' });
  const canceled = await world.submit({ command: 'true', host: 'no-such-node' });
  t.same(await launcher.control(user, canceled.id, 'cancel'), { complete: true, message: '' });
  for (const { id } of [failed, canceled]) {
    await eventually(async () => (await statusOf(world, id)) === 404, `${id} is removed`);
    for (const each of [launcher, ...more.map((plugin) => plugin.launcher)]) {
      await eventually(async () => (await each.jobs(user)).every((job) => job.id !== id), `${id} is unknown`);
      await refused(t, each.job(user, id), 3);
    }
  }
  await world.until(running.id, 'Running');
  const left = (await cluster.namespaced('GET', 'batch/v1', 'jobs')).body['items'] as { metadata: { name: string } }[];
  t.same(
    left.map(({ metadata }) => metadata.name).sort(),
    [running.id, 'others-app', 'others-lau', 'others-plain'].sort(),
  );
  for (const { process } of [world.first, ...more]) t.notMatch(process.log(), /cannot be deleted/);
});

/** Moves the recorded end of a job, and the decision of the control plane, into the past; false while there is no decision. */
function backdate({ cluster: { simulated, namespace } }: World, id: string, age: number): boolean {
  const job = simulated?.store.get(JOBS, namespace, id);
  if (job?.status.conditions === undefined) return false;
  const past = new Date(Date.now() - age).toISOString().replace(/\.\d+Z$/, 'Z');
  simulated?.store.edit(JOBS, job, ({ metadata, status }) => {
    const { 'job-launcher/result': result = '', ...others } = metadata.annotations ?? {};
    const changed = { ...JSON.parse(result), endedAt: past, recordedAt: past };
    metadata.annotations = { ...others, 'job-launcher/result': JSON.stringify(changed) };
    for (const condition of status.conditions ?? []) condition.lastTransitionTime = past;
  });
  return true;
}

/** Jobs that ended that long before the plugin is started: which are still there? */
async function leftAfter(t: Test, hours: string, ages: readonly number[]): Promise<readonly boolean[]> {
  const world = await setUp(t, { 'job-expiry-hours': hours });
  const ids = await Promise.all(
    ages.map(async (age) => {
      const { id } = await world.run({ command: 'true' });
      await eventually(async () => (await annotations(world, id))['job-launcher/result'], 'the end is written');
      await eventually(() => backdate(world, id, age), 'the end is moved into the past');
      return id;
    }),
  );
  const { body } = await world.cluster.namespaced('GET', 'batch/v1', `jobs/${ids[0]}`);
  t.match(body, { spec: { ttlSecondsAfterFinished: (Number(hours) + 1) * 3_600 } }, 'the safety net');
  await world.plugin();
  await eventually(async () => (await statusOf(world, ids.at(-1) ?? '')) === 404, 'the oldest is gone');
  t.same((await world.run({ command: 'exit 1' })).exitCode, 1, 'the plugin does its work');
  return Promise.all(ids.map(async (id) => (await statusOf(world, id)) === 200));
}

t.test('half an hour', { skip }, async (t) => {
  t.same(await leftAfter(t, '0.5', [0, 28 * MINUTE, 31 * MINUTE, 7 * 24 * HOUR]), [true, true, false, false]);
});

t.test('a thousand hours, more than a timer can wait', { skip }, async (t) => {
  t.same(await leftAfter(t, '1000', [0, 999 * HOUR, 1_001 * HOUR]), [true, true, false]);
});
