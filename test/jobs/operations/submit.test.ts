/** A Service that exists already is accepted if it belongs to the Job, and refused otherwise. */
import t from 'tap';
import { SERVICES } from '../../../src/kubernetes/contract.ts';
import { FAULTS } from '../../cluster/faults/rules.ts';
import { startPlugins } from '../instance.ts';

const { cluster, instance } = await startPlugins(t);
const exposedPorts = [{ targetPort: 8787, protocol: 'TCP' }];

t.test('a Service that an earlier attempt created is accepted', async (t) => {
  const one = await instance();
  const rule = cluster.faults.add({ method: 'POST', path: /\/services\?/, fault: FAULTS.lostAnswer, times: 1 });
  const id = await one.submit({ command: 'sleep 600', exposedPorts });
  t.equal(rule.hits(), 1);
  t.match((await one.client.get(SERVICES, id)).object, { metadata: { ownerReferences: [{ kind: 'Job', name: id }] } });
});

t.test('a Service that the Job does not own refuses the job', async (t) => {
  const one = await instance({
    token: cluster.adminToken,
    wrap: (client) => ({
      ...client,
      create: async (resource, object, options) => {
        const created = await client.create(resource, object, options);
        const name = object.metadata?.name ?? '';
        if (resource.kind === 'Job')
          await client.create(SERVICES, { metadata: { name }, spec: { ports: [{ port: 1 }] } });
        return created;
      },
    }),
  });
  await t.rejects(one.submit({ command: 'sleep 600', exposedPorts }), { message: /already exists/ });
});
