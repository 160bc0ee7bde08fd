/**
 * Jobs that the first-party plugin made, with its labels and annotations and nothing of ours, are shown and controlled
 * as ours are (kubernetes-objects.md section 1).
 */
import t from 'tap';
import { eventually } from '../support/eventually.ts';
import { refused, setUp } from './harness.ts';

const world = await setUp(t);
const { cluster, launcher, user, other } = world;
t.jobs = 4;

/** Creates the Job as the templates of the first-party plugin do, without labels on the pod, and waits until it is known. */
async function make(name: string, script: string, pod: Record<string, unknown> = {}): Promise<string> {
  const id = `${name}-${user}`;
  const labels = { 'app.kubernetes.io/managed-by': 'launcher', 'launcher-instance-id': 'wb-1' };
  const container = {
    name: 'rs-launcher-container',
    image: cluster.image,
    imagePullPolicy: 'IfNotPresent',
    command: ['/bin/sh'],
    args: ['-c', script],
    env: [{ name: 'X', value: 'ex $$' }],
    workingDir: '/tmp',
    resources: { limits: { cpu: '50m', memory: '64M' } },
  };
  const made = await cluster.namespaced('POST', 'batch/v1', 'jobs', {
    apiVersion: 'batch/v1',
    kind: 'Job',
    // So that a cluster which is not ours alone can be cleaned by it.
    metadata: { name: id, labels: { ...labels, 'job-launcher/user': user } },
    spec: {
      backoffLimit: 0,
      template: {
        metadata: {
          annotations: {
            name: `Session ${name}`,
            user,
            stdin: 'never shown',
            USER_TAG_2: 'second',
            USER_TAG_1: 'first',
            user_metadata: '{"a":1}',
            service_ports: '[{"targetPort":8787,"protocol":"TCP"}]',
          },
        },
        spec: { restartPolicy: 'Never', terminationGracePeriodSeconds: 1, containers: [container], ...pod },
      },
    },
  });
  t.equal(made.status, 201, JSON.stringify(made.body['message'] ?? ''));
  await eventually(async () => (await launcher.jobs(user)).some((job) => job.id === id), 'the job is known');
  return id;
}

t.test('shown as it was made, no $ undone, with its end and its output', async (t) => {
  const script = 'echo $$HOME $(X) $((1+1)); exit 3';
  const id = await make('shown', script);
  const pending = await launcher.job(user, id);
  t.match(pending, {
    id,
    name: 'Session shown',
    user,
    instanceId: 'wb-1',
    tags: ['first', 'second'],
    command: script,
    exe: '',
    environment: [{ name: 'X', value: 'ex $$' }],
    stdin: '',
    workingDirectory: '/tmp',
    container: { image: cluster.image },
    exposedPorts: [{ targetPort: 8787, protocol: 'TCP' }],
    resourceLimits: [
      { type: 'cpuCount', value: '0.05' },
      { type: 'memory', value: '64' },
    ],
    metadata: { a: 1 },
  });
  await refused(t, launcher.job(other, id), 3);
  await world.until(id, 'Finished');
  t.match(await launcher.job(user, id), { status: 'Finished', statusCode: 'Error', exitCode: 3 });
  t.match(await world.text(id), /^(\S+ )?ex \$ 2\n$/);
});

t.test('stopped, killed and canceled', async (t) => {
  const forever = 'echo up; while :; do sleep 1; done';
  const [stopped, killed, shared, canceled] = await Promise.all([
    make('stopped', forever),
    make('killed', forever),
    make('shared', forever, { shareProcessNamespace: true }),
    make('canceled', forever, { nodeSelector: { 'no-such-label': 'x' } }),
  ]);
  await Promise.all([stopped, killed, shared].map((id) => world.until(id, 'Running')));
  await Promise.all([stopped, shared].map((id) => world.says(id, 'up\n')));
  const { host, ipAddresses } = await launcher.network(user, stopped);
  t.ok(host !== '' && ipAddresses.length > 0, 'its address');
  const operations = [
    [stopped, 'stop', 'Finished', 'Stopped'],
    [killed, 'kill', 'Killed', 'Killed'],
    [shared, 'kill', 'Killed', 'Killed'],
    [canceled, 'cancel', 'Canceled', 'Canceled'],
  ] as const;
  await Promise.all(
    operations.map(async ([id, operation, status, statusCode]) => {
      t.same(await launcher.control(user, id, operation), { complete: true, message: '' }, id);
      t.match(await world.until(id, status), { status, statusCode }, id);
    }),
  );
  t.equal(await world.text(stopped), 'up\n', 'a stop leaves the output');
  t.equal(await world.text(shared), 'up\n', 'a kill by signal as well');
});

t.test('without the annotation of an owner it is shown to administrators only', async (t) => {
  const id = `nobody-${user}`;
  const labels = { 'app.kubernetes.io/managed-by': 'launcher' };
  const containers = [{ name: 'c', image: cluster.image, imagePullPolicy: 'IfNotPresent', command: ['/bin/true'] }];
  await cluster.namespaced('POST', 'batch/v1', 'jobs', {
    metadata: { name: id, labels: { ...labels, 'job-launcher/user': user } },
    spec: { backoffLimit: 0, template: { spec: { restartPolicy: 'Never', containers } } },
  });
  await eventually(async () => (await launcher.jobs('*')).some((job) => job.id === id), 'the job is known');
  await refused(t, launcher.job(user, id), 3);
  t.match(await launcher.job('*', id), { id, name: id, user: '' });
});

/** The Service that the first-party plugin creates for a job: with labels, without an owner. */
const serviceOf = (id: string) => ({
  metadata: { name: `${id}-svc`, labels: { 'app.kubernetes.io/managed-by': 'launcher', 'job-name': id } },
  spec: { type: 'NodePort', selector: { 'job-name': id }, ports: [{ name: 'a', port: 8787, targetPort: 8787 }] },
});

t.test('its Service without an owner reports its ports and is deleted with the Job', async (t) => {
  const id = await make('ports', 'sleep 600');
  const made = await cluster.namespaced('POST', '', 'services', serviceOf(id));
  t.equal(made.status, 201, JSON.stringify(made.body['message'] ?? ''));
  const spec = made.body['spec'] as { ports: { nodePort: number }[] };
  await world.until(id, 'Running');
  const ports = async () => (await launcher.job(user, id))['exposedPorts'];
  await eventually(async () => JSON.stringify(await ports()).includes('publishedPort'), 'the node port is reported');
  t.match(await ports(), [{ targetPort: 8787, publishedPort: spec.ports[0]?.nodePort, protocol: 'TCP' }]);
  t.equal((await cluster.namespaced('GET', '', `services/${id}`)).status, 404, 'no second Service');
  await cluster.namespaced('DELETE', 'batch/v1', `jobs/${id}`, { propagationPolicy: 'Background' });
  await eventually(
    async () => (await cluster.namespaced('GET', '', `services/${id}-svc`)).status === 404,
    'the Service is deleted',
  );
});

t.test('a Job without the label is not a job of the launcher, nor are its pods', async (t) => {
  const id = `unlabeled-${user}`;
  const containers = [{ name: 'c', image: cluster.image, imagePullPolicy: 'IfNotPresent', command: ['/bin/true'] }];
  const labels = { 'job-launcher/user': user };
  await cluster.namespaced('POST', 'batch/v1', 'jobs', {
    metadata: { name: id, labels },
    spec: {
      backoffLimit: 0,
      template: { metadata: { annotations: { user } }, spec: { restartPolicy: 'Never', containers } },
    },
  });
  await eventually(async () => {
    const { body } = await cluster.namespaced('GET', 'batch/v1', `jobs/${id}`);
    return (body['status'] as { succeeded?: number } | undefined)?.succeeded === 1;
  }, 'it has ended');
  await refused(t, launcher.job(user, id), 3);
  await cluster.namespaced('DELETE', 'batch/v1', `jobs/${id}`, { propagationPolicy: 'Background' });
});
