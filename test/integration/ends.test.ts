/** Whatever a cluster does to a job, the launcher is told: state, status code, exit code and message, to the letter. */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { SimulatedCluster } from '../cluster/cluster.ts';
import { eventually } from '../support/eventually.ts';
import type { Launcher } from '../support/launcher.ts';
import { setUp, type World } from './harness.ts';

const skip = process.env['TEST_ON'] === 'cluster' && 'needs control of the cluster';
const world = await setUp(t);
t.jobs = 8;

const forever = 'while :; do sleep 1; done';
/** A shell that holds more than 64 MB until the check of memory, which may be late on a busy machine, has ended it. */
const greedy = `x=$(head -c 100000000 /dev/zero | tr '\\0' x); echo "$x" | wc -c; sleep 60`;
const limited = [{ type: 'memory', value: '64' }];

function simulated({ cluster }: World): SimulatedCluster {
  if (cluster.simulated === undefined) throw new Error('this needs the simulated cluster');
  return cluster.simulated;
}

async function podOf({ cluster }: World, id: string): Promise<string> {
  const { body } = await cluster.namespaced('GET', '', `pods?labelSelector=job-name%3D${id}`);
  return (body['items'] as { metadata: { name: string } }[])[0]?.metadata.name ?? '';
}

/** State, status code, exit code and message of a job that has ended. */
async function endOf({ until, user, launcher: own }: World, id: string, launcher: Launcher = own) {
  await until(id, ({ status }) => !['Pending', 'Running'].includes(status), launcher);
  const { status, statusCode, exitCode, statusMessage = '' } = await launcher.job(user, id);
  return [status, statusCode, exitCode, statusMessage] as const;
}

/** Waits until a pending job says this. */
async function pendingWith(t: Test, { until }: World, id: string, message: RegExp): Promise<void> {
  const { status } = await until(id, ({ statusMessage }) => message.test(statusMessage));
  t.equal(status, 'Pending', `${message}`);
}

t.test('out of memory: the job itself, or only a child of it', async (t) => {
  const itself = await world.submit({ command: greedy, resourceLimits: limited });
  // A kernel without time ends the shell as well (once in 80 runs), unless its child goes first.
  const first = 'echo 1000 > /proc/self/oom_score_adj';
  const child = await world.submit({ command: `(${first}; ${greedy}); exit 7`, resourceLimits: limited });
  t.same(await endOf(world, itself.id), ['Killed', 'OOMKilled', 137, 'the container exceeded its limit of 64M']);
  t.same(await endOf(world, child.id), ['Finished', 'OOMKilled', 7, 'the container exceeded its limit of 64M']);
});

t.test('evicted by its node', { skip }, async (t) => {
  const { id } = await world.submit({ command: forever });
  await world.until(id, 'Running');
  simulated(world).evictPod(await podOf(world, id));
  t.same(await endOf(world, id), ['Killed', 'Evicted', 143, 'evicted: The node was low on resource: memory.']);
});

const makesAnother = world.cluster.minor < 25 && 'before 1.25 a new pod comes for one that was removed';
t.test('evicted through the API, deleted', { skip: makesAnother }, async (t) => {
  const ids = await Promise.all([1, 2].map(async () => (await world.submit({ command: forever })).id));
  await Promise.all(ids.map((id) => world.until(id, 'Running')));
  const [evicted = '', deleted = ''] = ids;
  const name = await podOf(world, evicted);
  const answer = await world.cluster.namespaced('POST', '', `pods/${name}/eviction`, {
    apiVersion: 'policy/v1',
    kind: 'Eviction',
    metadata: { name },
  });
  // The smallest set of rights has no evictions: the plugin makes none.
  if (answer.status === 403) {
    t.pass('an eviction', { skip: 'this account may not evict pods' });
    return;
  }
  t.equal(answer.status, 201);
  await world.cluster.namespaced('DELETE', '', `pods/${await podOf(world, deleted)}`);
  t.same(await endOf(world, evicted), ['Killed', 'EvictionByEvictionAPI', 143, 'evicted: Eviction API: evicting']);
  t.same(await endOf(world, deleted), [
    'Killed',
    'Deleted',
    143,
    'its pod was deleted in Kubernetes by another client',
  ]);
});

t.test('longer than its profile allows', async (t) => {
  // Counted from when the node has taken the pod: a slow one must have started it by then.
  const limit = world.cluster.simulated === undefined ? 20 : 3;
  const short = await world.plugin({}, { name: 'short', profile: `active-deadline-seconds=${limit}\n` });
  const { id } = await world.submit({ command: forever }, short.launcher);
  const [status, statusCode, exitCode, message] = await endOf(world, id, short.launcher);
  t.same(
    [status, statusCode, message],
    ['Killed', 'DeadlineExceeded', `ran longer than its limit of ${limit} seconds`],
  );
  t.equal(exitCode, world.stoppedCode(exitCode, 143));
});

t.test('what cannot start says why, and can be canceled', async (t) => {
  const cases = [
    {
      job: { config: [{ name: 'serviceAccountName', value: 'no-such' }] },
      says: /^error looking up service account \S+\/no-such: serviceaccount "no-such" not found$/,
    },
    {
      job: { resourceLimits: [{ type: 'cpuCount', value: '900' }] },
      says: /^0\/1 nodes are available: 1 Insufficient cpu\./,
    },
    {
      job: {
        mounts: [
          {
            mountPath: '/secret',
            mountSource: { type: 'passthrough', source: { secret: { secretName: 'no-such-secret' } } },
          },
        ],
      },
      says: /secret "no-such-secret" not found/,
    },
    { job: { container: { image: 'Not An Image' } }, says: /^image Not An Image is not a valid image name$/ },
  ];
  await Promise.all(
    cases.map(async ({ job, says }) => {
      const { id } = await world.submit({ command: 'true', ...job });
      await pendingWith(t, world, id, says);
      t.same(await world.launcher.control(world.user, id, 'cancel'), { complete: true, message: '' });
      t.same(await endOf(world, id), ['Canceled', 'Canceled', undefined, '']);
    }),
  );
});

t.test('a quota, then a LimitRange, then room: it runs', { skip }, async (t) => {
  const full = await setUp(t);
  const { denyNew } = simulated(full);
  const numbers = 'q, requested: pods=1, used: pods=1, limited: pods=1';
  const allowQuota = denyNew('pods', `exceeded quota: ${numbers}`);
  const { id } = await full.submit({ command: 'exit 5' });
  await pendingWith(t, full, id, new RegExp(`^quota exceeded: ${numbers}$`));
  const allowLimit = denyNew('pods', '[maximum cpu usage per Container is 1, but limit is 4]');
  allowQuota();
  await pendingWith(t, full, id, /^\[maximum cpu usage per Container is 1, but limit is 4\]$/);
  allowLimit();
  t.same(await endOf(full, id), ['Finished', 'Error', 5, 'ended with exit code 5']);
});

t.test('preempted by a job of higher priority', { skip }, async (t) => {
  const small = await setUp(t, {}, undefined, { cpuPerNode: '2' });
  const directory = mkdtempSync(join(tmpdir(), 'overrides-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  chmodSync(directory, 0o755);
  const file = join(directory, 'priority.json');
  writeFileSync(file, '1000', { mode: 0o644 });
  const profile = `job-json-overrides="/spec/template/spec/priority":"${file}"\n`;
  const important = await small.plugin({}, { name: 'important', profile });
  const resourceLimits = [{ type: 'cpuCount', value: '2' }];
  const low = await small.submit({ command: forever, resourceLimits });
  await small.until(low.id, 'Running');
  const high = await small.submit({ command: 'true', resourceLimits }, important.launcher);
  t.same(await endOf(small, low.id), [
    'Killed',
    'PreemptionByScheduler',
    143,
    'preempted by a job of higher priority: default-scheduler: preempting to accommodate a higher priority pod',
  ]);
  t.same(await endOf(small, high.id), ['Finished', 'Completed', 0, '']);
});

t.test('a node that falls silent, and one that is taken away', { skip }, async (t) => {
  const large = await setUp(t, {}, undefined, { nodes: 3, speed: 20, timeScale: 50 });
  const on = async (host: string): Promise<string> => {
    const { id } = await large.submit({ command: forever, host });
    await large.until(id, 'Running');
    return id;
  };
  const [silent, killed, gone] = await Promise.all([on('node0'), on('node0'), on('node1')]);
  const { killKubelet, removeNode } = simulated(large);
  killKubelet('node0');
  await removeNode('node1');
  const told = await large.until(silent, ({ statusMessage }) => statusMessage.includes('has not responded'));
  t.match(told, {
    status: 'Running',
    statusMessage: /^node node0 has not responded since \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/,
  });
  t.same(await large.launcher.control(large.user, killed, 'kill'), {
    complete: true,
    message: 'Node node0 does not respond: the process may still run there.',
  });
  t.same(await endOf(large, killed), ['Killed', 'Killed', 137, '']);
  t.same(await endOf(large, gone), [
    'Killed',
    'DeletionByPodGC',
    undefined,
    'removed because its node was deleted: PodGC: node no longer exists',
  ]);
});

t.test('what the launcher knows of a job stays when the cluster has forgotten it', { skip }, async (t) => {
  const { id } = await world.run({ command: 'exit 9' });
  await eventually(async () => {
    const { body } = await world.cluster.namespaced('GET', 'batch/v1', `jobs/${id}`);
    return JSON.stringify(body).includes('job-launcher/result');
  }, 'the end is written');
  const pod = await podOf(world, id);
  await world.cluster.namespaced('DELETE', '', `pods/${pod}`, { gracePeriodSeconds: 0 });
  await eventually(async () => (await podOf(world, id)) === '', 'the pod is gone');
  t.same(await endOf(world, id), ['Finished', 'Error', 9, 'ended with exit code 9']);
});
