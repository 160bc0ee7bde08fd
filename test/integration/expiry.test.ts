import t from 'tap';
import { refused, setUp } from './harness.ts';

const skip =
  process.env['TEST_ON'] === 'cluster' && 'a plugin that expires jobs would remove those of everybody in the namespace';

t.test('a finished job expires and is removed from the cluster', { skip }, async (t) => {
  const world = await setUp(t, { 'job-expiry-hours': '0' });
  const { cluster, launcher, user } = world;
  const { id } = await world.submit({ command: 'exit 2' });
  const running = await world.submit({ command: 'while :; do sleep 1; done' });
  await world.until(id, 'Finished');
  const path = `jobs/${id}`;
  for (let tries = 0; tries < 100; tries++) {
    if ((await cluster.namespaced('GET', 'batch/v1', path)).status === 404) break;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  t.equal((await cluster.namespaced('GET', 'batch/v1', path)).status, 404);
  await refused(t, launcher.job(user, id), 3);
  t.equal((await launcher.job(user, running.id)).status, 'Running', 'what has not ended stays');
});
