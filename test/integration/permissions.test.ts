/** The documented permissions are enough, and each that is missing takes its own feature and nothing else. */
import t, { type Test } from 'tap';
import type { Rule } from '../cluster/cluster.ts';
import { refused, setUp, type World } from './harness.ts';

const onCluster = process.env['TEST_ON'] === 'cluster';
const skip =
  onCluster && 'the documented role binding gives every account of the namespace all rights: none can be taken';

/** The smallest set of permissions (kubernetes-objects.md section 6), by resource. */
const SMALLEST: Readonly<Record<string, { readonly group: string; readonly verbs: readonly string[] }>> = {
  jobs: { group: 'batch', verbs: ['get', 'list', 'watch', 'create', 'patch', 'delete'] },
  pods: { group: '', verbs: ['get', 'list', 'watch', 'patch', 'delete'] },
  'pods/log': { group: '', verbs: ['get'] },
  'pods/exec': { group: '', verbs: ['get', 'create'] },
  'pods/attach': { group: '', verbs: ['get', 'create'] },
  services: { group: '', verbs: ['get', 'list', 'watch', 'create', 'delete'] },
  secrets: { group: '', verbs: ['get', 'create', 'delete'] },
  events: { group: '', verbs: ['list', 'watch'] },
  serviceaccounts: { group: '', verbs: ['list'] },
};

/** A world whose plugin may do the smallest set less what is named. */
async function worldWithout(t: Test, ...missing: readonly string[]): Promise<World> {
  return setUp(t, {}, (simulated) => {
    const subject = `system:serviceaccount:${simulated.namespace}:job-launcher`;
    const rules: Rule[] = Object.entries(SMALLEST)
      .filter(([resource]) => !missing.includes(resource))
      .map(([resource, { group, verbs }]) => ({
        subject,
        namespace: simulated.namespace,
        verbs,
        groups: [group],
        resources: [resource],
      }));
    simulated.access.setRules(rules);
  });
}

const forever = 'echo here; while :; do sleep 1; done';
t.jobs = 4;

t.test('the smallest set is enough', { skip }, async (t) => {
  const world = await worldWithout(t);
  const { launcher, user } = world;
  const ended = await world.run({ command: 'echo done', exposedPorts: [{ targetPort: 8787, protocol: 'TCP' }] });
  t.equal(ended.status, 'Finished');
  t.equal(await world.text(ended.id), 'done\n');
  const { id } = await world.submit({ command: forever });
  await world.until(id, 'Running');
  t.same((await launcher.network(user, id)).ipAddresses.length > 0, true, 'an address without rights on nodes');
  t.same(await launcher.control(user, id, 'kill'), { complete: true, message: '' });
  await world.until(id, 'Killed');
  t.equal(await world.text(id), 'here\n');
});

t.test('without exec a kill deletes the pod', { skip }, async (t) => {
  const world = await worldWithout(t, 'pods/exec');
  const { id } = await world.submit({ command: forever });
  await world.until(id, 'Running');
  const { complete } = await world.launcher.control(world.user, id, 'kill');
  t.equal(complete, true);
  await world.until(id, 'Killed');
  t.equal((await world.launcher.job(world.user, id)).exitCode, 137);
});

t.test('without services a job with ports is refused and not left behind', { skip }, async (t) => {
  const world = await worldWithout(t, 'services');
  const ports = { name: 'ports', command: 'true', exposedPorts: [{ targetPort: 8787, protocol: 'TCP' }] };
  await refused(t, world.submit(ports), 0);
  t.same(await world.launcher.jobs(world.user), []);
  t.equal((await world.run({ command: 'true' })).status, 'Finished', 'other jobs run');
});

t.test('without the log the job runs all the same', { skip }, async (t) => {
  const world = await worldWithout(t, 'pods/log');
  t.equal((await world.run({ command: 'echo unseen' })).exitCode, 0);
});

t.test('without events, secrets and accounts only their features are missing', { skip }, async (t) => {
  const world = await worldWithout(t, 'events', 'secrets', 'serviceaccounts');
  t.equal((await world.run({ command: 'true' })).status, 'Finished');
  const info = await world.launcher.clusterInfo(world.user);
  t.same(info['config'], [{ name: 'secret', valueType: 'string' }]);
});
