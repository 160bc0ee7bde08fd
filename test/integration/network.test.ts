/**
 * A job that runs is reached where its launcher is told, for each type of Service and for ports of the node
 * (kubernetes-objects.md section 3).
 */
import t from 'tap';
import { SERVICES } from '../cluster/api/resources.ts';
import { eventually } from '../support/eventually.ts';
import { type Plugin, refused, setUp } from './harness.ts';

const onCluster = process.env['TEST_ON'] === 'cluster';
const world = await setUp(t);
const { cluster, launcher, user } = world;
t.jobs = 4;

type Addresses = { readonly type: string; readonly address: string }[];

interface Running {
  readonly id: string;
  readonly published: number | undefined;
  /** What the cluster says of the pod and its node. */
  readonly podIps: readonly string[];
  readonly nodeHost: string;
  readonly nodeIps: readonly string[];
  readonly service: {
    readonly status: number;
    readonly type: string | undefined;
    readonly clusterIP: string;
    readonly nodePort: number | undefined;
  };
}

async function run(plugin: Plugin, port: Record<string, unknown>): Promise<Running> {
  const { id, exposedPorts } = await world.submit(
    { command: 'while :; do sleep 1; done', exposedPorts: [{ targetPort: 8787, protocol: 'TCP', ...port }] },
    plugin.launcher,
  );
  await world.until(id, 'Running', plugin.launcher);
  const pods = (await cluster.namespaced('GET', '', `pods?labelSelector=job-name%3D${id}`)).body;
  const [pod] = pods['items'] as { spec: { nodeName: string }; status: { podIPs: { ip: string }[] } }[];
  const { body: node } = await cluster.node(pod?.spec.nodeName ?? '');
  const addresses = (node['status'] as { addresses: Addresses }).addresses;
  const of = (type: string): string[] => addresses.filter((each) => each.type === type).map(({ address }) => address);
  const { status, body } = await cluster.namespaced('GET', '', `services/${id}`);
  const spec = (body['spec'] ?? {}) as { type?: string; clusterIP?: string; ports?: { nodePort?: number }[] };
  return {
    id,
    published: (exposedPorts as { publishedPort?: number }[])[0]?.publishedPort,
    podIps: pod?.status.podIPs.map(({ ip }) => ip) ?? [],
    nodeHost: of('Hostname')[0] ?? '',
    nodeIps: [...of('ExternalIP'), ...of('InternalIP')],
    service: { status, type: spec.type, clusterIP: spec.clusterIP ?? '', nodePort: spec.ports?.[0]?.nodePort },
  };
}

t.test('refused while Pending, at once when Running, kept after the end', async (t) => {
  const waiting = await world.submit({ command: 'true', host: 'no-such-node' });
  await refused(t, launcher.network(user, waiting.id), 6);
  const end = world.gate();
  const { id } = await world.submit({ command: end.wait });
  await world.until(id, 'Running');
  const network = await launcher.network(user, id);
  t.ok(network.host.length > 0);
  t.ok(network.ipAddresses.length > 0);
  await end.open(id);
  await world.until(id, 'Finished');
  t.same(await launcher.network(user, id), network);
});

t.test('NodePort: the node', async (t) => {
  const job = await run(world.first, {});
  t.match(job.service, { status: 200, type: 'NodePort' });
  t.equal(job.published, job.service.nodePort);
  t.same(await launcher.network(user, job.id), { host: job.nodeHost, ipAddresses: job.nodeIps });
});

t.test('ClusterIP: the Service and the pod, at the target port', async (t) => {
  const plugin = await world.plugin({ 'service-type': 'ClusterIP' });
  const job = await run(plugin, {});
  t.match(job.service, { status: 200, type: 'ClusterIP', nodePort: undefined });
  t.equal(job.published, 8787);
  const ipAddresses = [job.service.clusterIP, ...job.podIps];
  t.same(await plugin.launcher.network(user, job.id), { host: job.nodeHost, ipAddresses });
  t.same(await launcher.network(user, job.id), { host: job.nodeHost, ipAddresses }, 'of the Service, not ours');
});

t.test('LoadBalancer: the node until there is one, then the load balancer', async (t) => {
  const plugin = await world.plugin({ 'service-type': 'LoadBalancer' });
  const job = await run(plugin, {});
  t.match(job.service, { status: 200, type: 'LoadBalancer' });
  t.equal(job.published, job.service.nodePort);
  t.same(await plugin.launcher.network(user, job.id), { host: job.nodeHost, ipAddresses: job.nodeIps });
  const store = cluster.simulated?.store;
  const service = store?.get(SERVICES, cluster.namespace, job.id);
  if (store === undefined || service === undefined) return;
  store.edit(SERVICES, service, (draft) => {
    draft.status = { loadBalancer: { ingress: [{ ip: '203.0.113.7' }, { hostname: 'lb.example.com' }] } };
  });
  await eventually(async () => {
    const { ipAddresses } = await plugin.launcher.network(user, job.id);
    return ipAddresses.join() === '203.0.113.7,lb.example.com';
  }, 'the load balancer is told');
});

t.test('a port of the node: no Service', async (t) => {
  // On a cluster of many another run may still hold a port.
  const publishedPort = 40_000 + Math.floor(Math.random() * 9_000);
  const job = await run(world.first, { publishedPort });
  t.equal(job.service.status, 404);
  t.equal(job.published, publishedPort);
  t.same(await launcher.network(user, job.id), { host: job.nodeHost, ipAddresses: job.nodeIps });
  const { body } = await cluster.namespaced('GET', 'batch/v1', `jobs/${job.id}`);
  const ports = [{ containerPort: 8787, hostPort: publishedPort, protocol: 'TCP' }];
  t.match(body, { spec: { template: { spec: { containers: [{ ports }] } } } });
});

t.test(
  'without permissions on nodes: the address in the pod',
  { skip: onCluster && 'changes permissions' },
  async (t) => {
    const few = await setUp(t, {}, ({ access }) => {
      const rules = access.rules().filter(({ resources }) => !resources.includes('nodes'));
      access.setRules(rules);
    });
    const { id } = await few.submit({ command: 'sleep 60' });
    await few.until(id, 'Running');
    t.same(await few.launcher.network(few.user, id), { host: 'node0', ipAddresses: ['10.250.0.1'] });
  },
);
