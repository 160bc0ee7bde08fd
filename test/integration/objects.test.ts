/** What a job needs beside its pod is there when it runs: input, ports, Secrets, init containers, volumes, labels. */
import t from 'tap';
import { eventually } from '../support/eventually.ts';
import { refused, setUp } from './harness.ts';

const world = await setUp(t);
const { cluster, launcher, user } = world;
t.jobs = 5;

/** What the cluster has stored of a job. */
async function stored(id: string): Promise<Record<string, unknown>> {
  return (await cluster.namespaced('GET', 'batch/v1', `jobs/${id}`)).body;
}

t.test('input is delivered once, and is nowhere to be read', async (t) => {
  const secretText = `the input ${user} äöü\nsecond line, no newline`;
  const job = await world.submit({ exe: '/bin/cat', stdin: secretText });
  t.equal(job['stdin'], '');
  await world.until(job.id, 'Finished');
  t.equal(await world.text(job.id), secretText);
  t.notMatch(JSON.stringify(await stored(job.id)), 'the input it-');
  await eventually(
    async () => (await cluster.namespaced('GET', '', `secrets/${job.id}-stdin`)).status === 404,
    'the Secret is deleted',
  );
});

t.test('a script on the input of a shell', async (t) => {
  const { id } = await world.submit({ exe: '/bin/sh', stdin: 'echo from the script\nexit 6\n' });
  const ended = await world.until(id, 'Finished');
  t.equal(ended.status, 'Finished');
  t.equal((await launcher.job(user, id)).exitCode, 6);
  t.equal(await world.text(id), 'from the script\n');
});

t.test('a port becomes a service that goes with the job', async (t) => {
  const end = world.gate();
  const job = await world.submit({ command: end.wait, exposedPorts: [{ targetPort: 8787, protocol: 'TCP' }] });
  const [port] = job['exposedPorts'] as { targetPort: number; publishedPort: number; protocol: string }[];
  t.equal(port?.targetPort, 8787);
  t.ok(
    port !== undefined && port.publishedPort >= 30000 && port.publishedPort <= 32767,
    `node port ${port?.publishedPort}`,
  );
  const service = await cluster.namespaced('GET', '', `services/${job.id}`);
  t.match(service.body, {
    metadata: { ownerReferences: [{ kind: 'Job', name: job.id }] },
    spec: { type: 'NodePort', ports: [{ port: 8787, targetPort: 8787, nodePort: port?.publishedPort }] },
  });
  await world.until(job.id, 'Running');
  await end.open(job.id);
  await world.until(job.id, 'Finished');
  t.same((await launcher.job(user, job.id))['exposedPorts'], job['exposedPorts']);
});

t.test('a Secret of the namespace as environment', async (t) => {
  const name = `${user}-secret`;
  const made = await cluster.namespaced('POST', '', 'secrets', {
    metadata: { name },
    data: { password: Buffer.from('open sesame').toString('base64') },
  });
  t.equal(made.status, 201);
  t.teardown(() => cluster.namespaced('DELETE', '', `secrets/${name}`));
  const { id } = await world.submit({
    command: 'echo "$PASS"',
    config: [{ name: 'secret', value: `${name}:password:PASS` }],
  });
  await world.until(id, 'Finished');
  t.equal(await world.text(id), 'open sesame\n');
});

t.test('a Secret that does not exist: Pending, says which', async (t) => {
  const { id } = await world.submit({
    command: 'true',
    config: [{ name: 'secret', value: `${user}-none:password:PASS` }],
  });
  const pending = await world.until(id, ({ statusMessage }) => statusMessage.includes(`${user}-none`));
  t.equal(pending.status, 'Pending');
  t.same(await launcher.control(user, id, 'cancel'), { complete: true, message: '' });
});

t.test('init containers run before the job; one that fails fails it', async (t) => {
  const init = { name: 'prepare', image: cluster.image };
  const good = await world.submit({ command: 'echo ran', initContainers: [{ ...init, command: 'exit 0' }] });
  const bad = await world.submit({ command: 'true', initContainers: [{ ...init, command: 'exit 4' }] });
  await world.until(good.id, 'Finished');
  t.equal(await world.text(good.id), 'ran\n');
  const failed = await world.until(bad.id, 'Failed');
  t.match(failed.statusMessage, /init container prepare ended with code 4/);
  t.equal(await world.text(bad.id), '');
});

t.test(
  'a volume is shared by an init container and the job',
  { skip: !cluster.isolated && 'containers of the simulated cluster are processes without mounts' },
  async (t) => {
    const mounts = [
      { name: 'work', mountPath: '/work', mountSource: { type: 'passthrough', source: { emptyDir: {} } } },
    ];
    const prepare = { name: 'prepare', image: cluster.image, mounts, command: 'echo prepared > /work/made' };
    const { id } = await world.submit({ command: 'cat /work/made', mounts, initContainers: [prepare] });
    await world.until(id, 'Finished');
    t.equal(await world.text(id), 'prepared\n');
  },
);

t.test('labels and annotations of the job arrive; ours cannot be forged', async (t) => {
  const { id } = await world.submit({
    command: 'true',
    metadata: {
      job: { labels: { team: 'blue' } },
      pod: { labels: { team: 'green' }, annotations: { 'example.com/cost': '7' } },
    },
  });
  t.match(await stored(id), {
    metadata: { labels: { team: 'blue', 'app.kubernetes.io/managed-by': 'launcher' } },
    spec: { template: { metadata: { labels: { team: 'green' }, annotations: { 'example.com/cost': '7', user } } } },
  });
  await refused(t, world.submit({ command: 'true', metadata: { pod: { annotations: { user: 'root' } } } }), 2);
});
