/** All that a plugin knows of jobs is in the cluster: any other knows it too, and what is gone there is gone here. */
import t from 'tap';
import { eventually } from '../support/eventually.ts';
import type { StatusFrame } from '../support/launcher.ts';
import { refused, setUp } from './harness.ts';

const world = await setUp(t);
const { user } = world;
t.jobs = 4;

const shown = ['name', 'status', 'statusCode', 'exitCode', 'tags', 'command', 'submissionTime', 'user', 'environment'];

t.test('a plugin that starts in the middle of a job shows and follows it', async (t) => {
  const before = await world.plugin();
  const end = world.gate();
  const command = `echo one; ${end.wait}; echo two; exit 3`;
  const { id } = await world.submit({ command, tags: ['keep'] }, before.launcher);
  await world.until(id, 'Running', before.launcher);
  const known = await before.launcher.job(user, id);
  await before.process.close();

  const after = await world.plugin();
  const { lastUpdateTime, ...again } = await after.launcher.job(user, id);
  const { lastUpdateTime: lastUpdateBefore, ...others } = known;
  t.same(again, others);
  // The kubelet may have reported conditions of the pod since.
  t.ok(String(lastUpdateTime) >= String(lastUpdateBefore), `${lastUpdateTime}, before ${lastUpdateBefore}`);
  await end.open(id);
  t.equal(await world.text(id, after.launcher), 'one\ntwo\n');
  await world.until(id, 'Finished', after.launcher);
  t.equal((await after.launcher.job(user, id)).exitCode, 3);
});

t.test('a job that ended, and lost its pod, while no plugin ran', async (t) => {
  const before = await world.plugin();
  const stopped = await world.submit({ command: 'exit 4', name: 'ended' }, before.launcher);
  await world.until(stopped.id, 'Finished', before.launcher);
  const known = await before.launcher.job(user, stopped.id);
  await hasResult(stopped.id);
  await before.process.close();
  await removePods(stopped.id);

  const after = await world.plugin();
  const again = await after.launcher.job(user, stopped.id);
  for (const member of shown) t.same(again[member], known[member], member);
  t.equal(again.exitCode, 4);
  await refused(t, world.text(stopped.id, after.launcher), 7, 'its output is gone with the pod');
});

t.test('two plugins at once: each sees, follows and controls the jobs of the other', async (t) => {
  const a = await world.plugin();
  const b = await world.plugin();
  const { id } = await world.submit({ command: 'echo here; while :; do sleep 1; done', name: 'shared' }, a.launcher);
  await world.until(id, 'Running', a.launcher);
  await world.until(id, 'Running', b.launcher);
  await world.says(id, 'here\n', b.launcher);
  t.same(await b.launcher.control(user, id, 'kill'), { complete: true, message: '' });
  await Promise.all([world.until(id, 'Killed', a.launcher), world.until(id, 'Killed', b.launcher)]);
  t.equal((await a.launcher.job(user, id)).exitCode, 137);
  t.equal((await b.launcher.job(user, id)).exitCode, 137);
  t.equal(await world.text(id, b.launcher), 'here\n');
  t.equal(await world.text(id, a.launcher), 'here\n');
});

t.test('a job that somebody deletes ends, and is then unknown', async (t) => {
  const { id } = await world.submit({ command: 'while :; do sleep 1; done' });
  await world.until(id, 'Running');
  const seen: StatusFrame[] = [];
  const stream = world.launcher.status(user, id, (status) => seen.push(status));
  await eventually(() => seen.length > 0, 'its state is followed');
  await world.cluster.namespaced('DELETE', 'batch/v1', `jobs/${id}`, { propagationPolicy: 'Background' });
  await eventually(() => seen.at(-1)?.status === 'Killed', 'its end');
  t.equal(seen.at(-1)?.statusCode, 'Deleted');
  stream.cancel();
  await refused(t, world.launcher.job(user, id), 3);
});

/** Waits until the end of the job is written on the Job. */
async function hasResult(id: string): Promise<void> {
  await eventually(async () => {
    const { body } = await world.cluster.namespaced('GET', 'batch/v1', `jobs/${id}`);
    const { annotations } = body['metadata'] as { annotations?: Record<string, string> };
    return annotations?.['job-launcher/result'] !== undefined;
  }, `${id} has job-launcher/result`);
}

/** Deletes the pods of a job, as a node does that is scaled away, and waits until they are gone. */
async function removePods(id: string): Promise<void> {
  await eventually(async () => {
    const { body } = await world.cluster.namespaced('GET', '', `pods?labelSelector=job-name%3D${id}`);
    const names = (body['items'] as { metadata: { name: string } }[]).map(({ metadata }) => metadata.name);
    for (const name of names) {
      await world.cluster.namespaced('DELETE', '', `pods/${name}`, { gracePeriodSeconds: 0 });
    }
    return names.length === 0;
  }, `${id} has no pod`);
}
