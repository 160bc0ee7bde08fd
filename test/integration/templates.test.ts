/** Jobs that the sample templates of fixtures/templates make work in every feature, also for a plugin without templates. */
import { chmodSync, cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import type { StatusFrame } from '../support/launcher.ts';
import { refused, setUp } from './harness.ts';

const directory = mkdtempSync(join(tmpdir(), 'templates-'));
t.teardown(() => rmSync(directory, { recursive: true, force: true }));
cpSync(new URL('../../fixtures/templates', import.meta.url), directory, { recursive: true });
chmodSync(directory, 0o755);

const world = await setUp(t, { 'use-templating': '1', 'template-path': directory });
const { launcher, user, other, cluster } = world;
t.jobs = 6;

interface StoredJob {
  readonly metadata: { readonly labels: Readonly<Record<string, string>> };
  readonly spec: {
    readonly template: { readonly spec: { readonly containers: readonly { readonly env: unknown[] }[] } };
  };
}

/** The Job as the cluster stores it. */
async function stored(id: string): Promise<StoredJob> {
  return (await cluster.namespaced('GET', 'batch/v1', `jobs/${id}`)).body as unknown as StoredJob;
}

t.test('a job goes Pending, Running, Finished, and shows what was submitted', async (t) => {
  const submitted = {
    name: 'Report: "monthly", #1',
    command: 'echo "$GREETING"; echo "$SITE_NAME"; echo',
    args: ["'a, b'", '[c]'],
    environment: [{ name: 'GREETING', value: 'it\'s: {"x": [1]} $HOME # - &x' }],
    tags: ['a: b', '- c'],
    resourceLimits: [
      { type: 'cpuCount', value: '0.5' },
      { type: 'memory', value: '64' },
    ],
  };
  const { id } = await world.submit(submitted);
  const seen: StatusFrame[] = [];
  const stream = launcher.status(user, id, (status) => seen.push(status));
  await world.until(id, 'Finished');
  stream.cancel();
  const states = seen.map((status) => status.status).filter((state, index, all) => state !== all[index - 1]);
  t.strictSame(states.at(-1), 'Finished');
  const ended = await launcher.job(user, id);
  t.match(ended, { ...submitted, tags: ['- c', 'a: b'], user, status: 'Finished', exitCode: 0, exe: '' });
  t.equal(await world.text(id), 'it\'s: {"x": [1]} $HOME # - &x\nexample\na, b [c]\n');
  const { metadata, spec } = await stored(id);
  t.match(metadata.labels, { 'site/department': 'research', 'app.kubernetes.io/managed-by': 'launcher' });
  t.match(spec.template.spec.containers[0]?.env[0], { name: 'SITE_NAME', value: 'example' });
});

t.test('exit codes, and an exe with arguments', async (t) => {
  const ended = await world.run({ exe: '/bin/sh', args: ['-c', 'echo "$0: $1"; exit 7', 'a: "b"', '{c}'] });
  t.match(ended, { status: 'Finished', exitCode: 7, exe: '/bin/sh', command: '' });
  t.equal(await world.text(ended.id), 'a: "b": {c}\n');
});

t.test('a running job is stopped, and another one is killed', async (t) => {
  const command = 'trap "echo stopped; exit 0" TERM; echo ready; while :; do sleep 0.2; done';
  const [stopped, killed] = await Promise.all([world.submit({ command }), world.submit({ command })]);
  await Promise.all([world.until(stopped.id, 'Running'), world.until(killed.id, 'Running')]);
  await world.says(stopped.id, 'ready\n');
  await refused(t, launcher.control(other, stopped.id, 'stop'), 3);
  t.strictSame(await launcher.control(user, stopped.id, 'stop'), { complete: true, message: '' });
  t.strictSame(await launcher.control(user, killed.id, 'kill'), { complete: true, message: '' });
  await world.until(stopped.id, 'Finished');
  await world.until(killed.id, 'Killed');
  const { exitCode } = await launcher.job(user, stopped.id);
  t.equal(exitCode, world.stoppedCode(exitCode, 0));
  // Its processes were killed before they could answer TERM, or the node has not yet reported what they answered.
  if (exitCode !== 0) t.match(await world.text(stopped.id), /^ready\n(stopped\n)?$/);
  else t.equal(await world.text(stopped.id), 'ready\nstopped\n');
  t.equal((await launcher.job(user, killed.id)).exitCode, 137);
});

t.test('a pending job is canceled', async (t) => {
  const { id } = await world.submit({ command: 'true', resourceLimits: [{ type: 'cpuCount', value: '1000' }] });
  await world.until(id, ({ statusMessage }) => statusMessage !== '');
  t.strictSame(await launcher.control(user, id, 'cancel'), { complete: true, message: '' });
  await world.until(id, 'Canceled');
});

t.test('a job reads its input', async (t) => {
  const ended = await world.run({ command: 'cat', stdin: 'one: [two]\nthree\n' });
  t.equal(ended.status, 'Finished');
  t.equal(await world.text(ended.id), 'one: [two]\nthree\n');
});

t.test('the init container of a job runs before it', async (t) => {
  const initContainers = [{ name: 'components', image: cluster.image, command: 'echo prepared' }];
  const ended = await world.run({ command: 'echo main', initContainers });
  t.equal(ended.exitCode, 0);
  const { body } = await cluster.namespaced('GET', '', `pods?labelSelector=job-name%3D${ended.id}`);
  const [pod] = body['items'] as { status: { initContainerStatuses: { name: string; state: object }[] } }[];
  t.match(pod?.status.initContainerStatuses, [{ name: 'components', state: { terminated: { exitCode: 0 } } }]);
});

t.test('the Service of the template leads to a job with a port', async (t) => {
  const { id } = await world.submit({
    command: 'while :; do sleep 1; done',
    exposedPorts: [{ targetPort: 8787, protocol: 'TCP' }],
  });
  await world.until(id, 'Running');
  const { body, status } = await cluster.namespaced('GET', '', `services/${id}`);
  t.equal(status, 200);
  t.match(body, {
    metadata: {
      labels: { 'site/department': 'research', 'job-name': id },
      ownerReferences: [{ kind: 'Job', name: id }],
    },
    spec: { type: 'ClusterIP', selector: { 'job-name': id }, ports: [{ name: 'port0', port: 8787, protocol: 'TCP' }] },
  });
  const { host, ipAddresses } = await launcher.network(user, id);
  t.ok(host !== '' && ipAddresses.length > 0, `${host} ${ipAddresses}`);
  await launcher.control(user, id, 'kill');
  await world.until(id, 'Killed');
});

t.test('a later start without templates shows and controls the job', async (t) => {
  const environment = [{ name: 'OWN', value: 'a: $b' }];
  const submitted = { name: 'adopted: x', exe: '/bin/sh', args: ['-c', 'echo "$OWN"; while :; do sleep 0.2; done'] };
  const { id } = await world.submit({ ...submitted, environment });
  await world.until(id, 'Running');
  await world.says(id, '\n');
  const known = await launcher.job(user, id);
  const later = await world.plugin({ 'use-templating': '0' });
  await world.until(id, 'Running', later.launcher);
  t.strictSame(await later.launcher.job(user, id), known);
  t.match(known, { ...submitted, environment }, 'variables of the template are not those of the job');
  t.strictSame(await later.launcher.control(user, id, 'kill'), { complete: true, message: '' });
  await Promise.all([world.until(id, 'Killed'), world.until(id, 'Killed', later.launcher)]);
  t.equal(await world.text(id, later.launcher), 'a: $b\n');
});
