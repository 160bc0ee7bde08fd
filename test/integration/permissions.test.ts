/** What a launcher is answered where permissions are missing; test/jobs/permissions-removed.test.ts removes each of them. */
import t, { type Test } from 'tap';
import { smallestRules } from '../cluster/api/access.ts';
import { refused, setUp, type World } from './harness.ts';

const skip = process.env['TEST_ON'] === 'cluster' && 'no permission is taken from the account of a real cluster';

/** A world whose plugin has the printed permissions less those on these resources. */
const worldWithout = (t: Test, ...missing: readonly string[]): Promise<World> =>
  setUp(t, {}, ({ access, namespace }) => {
    access.setRules(
      smallestRules(namespace).filter(({ resources }) => !resources.some((each) => missing.includes(each))),
    );
  });

t.jobs = 2;

t.test('without services a job with ports is refused and not left behind', { skip }, async (t) => {
  const world = await worldWithout(t, 'services');
  const ports = { name: 'ports', command: 'true', exposedPorts: [{ targetPort: 8787, protocol: 'TCP' }] };
  await refused(t, world.submit(ports), 0);
  t.same(await world.launcher.jobs(world.user), []);
  t.equal((await world.run({ command: 'true' })).status, 'Finished', 'other jobs run');
});

t.test('without events, secrets, nodes and accounts only their features are missing', { skip }, async (t) => {
  const world = await worldWithout(t, 'events', 'secrets', 'nodes', 'serviceaccounts');
  const { launcher, user } = world;
  const { id } = await world.submit({ command: 'echo here; while :; do sleep 1; done' });
  await world.until(id, 'Running');
  await world.says(id, 'here\n');
  t.same((await launcher.network(user, id)).ipAddresses.length > 0, true, 'an address without permissions on nodes');
  t.same(await launcher.control(user, id, 'kill'), { complete: true, message: '' });
  await world.until(id, 'Killed');
  t.equal(await world.text(id), 'here\n');
  const info = await launcher.clusterInfo(user);
  t.same(info['config'], [{ name: 'secret', valueType: 'string' }]);
});
