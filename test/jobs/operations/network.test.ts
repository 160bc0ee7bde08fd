/** Where a job is reached while the API server stumbles: the right addresses or an error, never wrong ones. */
import t from 'tap';
import { type Client, PODS, SERVICES } from '../../../src/kubernetes/contract.ts';
import { KubernetesError } from '../../../src/kubernetes/kubernetes-error.ts';
import { systemClock } from '../../../src/system/clock.ts';
import { NODES } from '../../cluster/api/resources.ts';
import { FAULTS } from '../../cluster/faults/rules.ts';
import { eventually } from '../../support/eventually.ts';
import { hasState, startPlugins } from '../instance.ts';

const { cluster, instance } = await startPlugins(t);
const admin = await instance({ token: cluster.adminToken, options: { serviceType: 'ClusterIP' } });
async function running(exposedPorts: { targetPort: number; protocol: string }[] = []): Promise<string> {
  const id = await admin.submit({ command: 'sleep 600', exposedPorts });
  await admin.until(id, hasState('Running'));
  return id;
}

/** What the cluster answers to reads of one kind, while it is set. */
function stumbling(plural: string): { wrap: (client: Client) => Client; answer: (failure?: Failure) => void } {
  let failure: Failure | undefined;
  return {
    answer: (next) => {
      failure = next;
    },
    wrap: (client) => ({
      ...client,
      get: async (resource, name, options) => {
        if (resource.plural !== plural || failure === undefined) return client.get(resource, name, options);
        const [code, status, text] = failure;
        const reason = code === 'not-found' ? 'NotFound' : '';
        throw new KubernetesError({
          code,
          status,
          reason,
          text,
          about: plural,
          method: 'GET',
          path: `/${plural}/${name}`,
        });
      },
    }),
  };
}
type Failure = readonly [code: 'server-error' | 'forbidden' | 'not-found', status: number, text: string];
const BUSY: Failure = ['server-error', 503, 'apiserver is shutting down'];
const REFUSED: Failure = ['forbidden', 403, 'nodes "node0" is forbidden: RBAC: not yet loaded'];
const GONE: Failure = ['not-found', 404, 'nodes "node0" not found'];

const node = cluster.store.get(NODES, '', 'node0');
if (node === undefined) throw new Error('the cluster has no node');
cluster.store.edit(NODES, node, ({ status }) => {
  status.addresses = [
    { type: 'InternalIP', address: '10.250.0.1' },
    { type: 'ExternalIP', address: '198.51.100.7' },
    { type: 'Hostname', address: 'node0.example.com' },
  ];
});
const RIGHT = { host: 'node0.example.com', ipAddresses: ['198.51.100.7', '10.250.0.1'] };
/** What the pod alone tells. */
const INTERNAL = { host: 'node0', ipAddresses: ['10.250.0.1'] };

t.test('given a Service that the watch does not show yet, it is read', async (t) => {
  const id = await running([{ targetPort: 8787, protocol: 'TCP' }]);
  const lists = cluster.faults.add({
    method: 'GET',
    path: /\/services\?/,
    fault: FAULTS.unavailable,
    times: Number.POSITIVE_INFINITY,
  });
  const services = stumbling('services');
  const one = await instance({ wrap: services.wrap });
  await eventually(() => lists.hits() > 0);
  await one.until(id, hasState('Running'));
  const { object: service } = await admin.client.get(SERVICES, id);
  const [pod] = (await admin.client.list(PODS, { labelSelector: `job-name=${id}` })).items;

  services.answer(BUSY);
  await t.rejects(one.jobs.network(id, 'alice'), {
    code: 'unknown',
    message: /^Cannot read the addresses of job .*: .*apiserver is shutting down/,
  });
  services.answer(['not-found', 404, 'services "x" not found']);
  t.strictSame(await one.jobs.network(id, 'alice'), RIGHT, 'there is none');
  services.answer();
  const ipAddresses = [service.spec?.clusterIP, pod?.status?.podIP];
  t.strictSame(await one.jobs.network(id, 'alice'), { host: 'node0.example.com', ipAddresses });
  lists.remove();
});

t.test('given a node that cannot be read for a moment, an error, and the right addresses after it', async (t) => {
  const id = await running();
  const nodes = stumbling('nodes');
  let later = 0;
  const clock = { ...systemClock, monotonic: () => systemClock.monotonic() + later };
  const one = await instance({ wrap: nodes.wrap, clock });
  await one.until(id, hasState('Running'));
  nodes.answer(BUSY);
  await t.rejects(one.jobs.network(id, 'alice'), {
    code: 'unknown',
    message: /^Cannot read the addresses of job .*: .*apiserver is shutting down/,
  });
  for (const tolerated of [REFUSED, GONE]) {
    nodes.answer(tolerated);
    t.strictSame(await one.jobs.network(id, 'alice'), INTERNAL, tolerated[2]);
  }
  nodes.answer();
  t.strictSame(await one.jobs.network(id, 'alice'), RIGHT, 'nothing of that was kept');

  later += 61_000;
  for (const failure of [BUSY, GONE]) {
    nodes.answer(failure);
    t.strictSame(await one.jobs.network(id, 'alice'), RIGHT, `the last ones known: ${failure[2]}`);
  }
});
