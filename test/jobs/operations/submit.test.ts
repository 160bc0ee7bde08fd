/** What a submit finds in the cluster, and what it leaves there if it fails. */
import t from 'tap';
import { JOBS, SERVICES } from '../../../src/kubernetes/contract.ts';
import { KubernetesError } from '../../../src/kubernetes/kubernetes-error.ts';
import { FAULTS } from '../../cluster/faults/rules.ts';
import { eventually } from '../../support/eventually.ts';
import { fastClock, startPlugins } from '../instance.ts';

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

t.test('mounts and metadata that no annotation holds are refused before any work on them', async (t) => {
  const one = await instance();
  const bad = { mountPath: '/x', readOnly: false, type: 'passthrough', source: {}, shape: 'flat' } as const;
  const large = { ...bad, source: { csi: { driver: 'd', volumeAttributes: { a: 'x'.repeat(250_000) } } } };
  await t.rejects(one.submit({ mounts: [bad] }), { message: /^The passthrough mount at \/x: source is empty/ });
  await t.rejects(one.submit({ mounts: [bad, large] }), {
    message: /^The job's description has 250\d{3} bytes, .* most of it is config, mounts and the other lists\.$/,
  });
  await t.rejects(one.submit({ mounts: [bad], metadata: { a: 'x'.repeat(250_000) } }), {
    message: /^The job's description has 250\d{3} bytes, .* most of it is metadata\.$/,
  });
});

const silent = (method: string): KubernetesError =>
  new KubernetesError({ code: 'timeout', method, path: '/', text: 'no answer' });

t.test('of 20 submits without an answer four are undone at a time, and none leaves a job', async (t) => {
  let isSilent = true;
  let running = 0;
  let most = 0;
  const one = await instance({
    clock: fastClock(30),
    wrap: (client) => ({
      ...client,
      create: async (resource, object, options) => {
        await client.create(resource, object, options);
        throw silent('POST');
      },
      get: async (resource, name, options) => {
        if (resource !== JOBS) return client.get(resource, name, options);
        running++;
        most = Math.max(most, running);
        try {
          const answer = await client.get(resource, name, options);
          if (isSilent) throw silent('GET');
          return answer;
        } finally {
          running--;
        }
      },
    }),
  });
  const submits = Array.from({ length: 20 }, () => one.submit({ name: 'undone', command: 'true' }));
  t.ok((await Promise.allSettled(submits)).every(({ status }) => status === 'rejected'));
  await eventually(() => one.log.filter(({ sentence }) => /^Cannot delete the objects/.test(sentence)).length >= 20);
  t.equal(most, 4);
  isSilent = false;
  const names = async () => (await one.client.list(JOBS)).items.map(({ metadata }) => metadata?.name ?? '');
  await eventually(async () => !(await names()).some((name) => name.startsWith('undone')));
});

t.test('a submit that fails before its Job is sent asks for no Job', async (t) => {
  const reads: string[] = [];
  const one = await instance({
    wrap: (client) => ({
      ...client,
      version: async () => {
        throw silent('GET');
      },
      get: (resource, name, options) => {
        reads.push(name);
        return client.get(resource, name, options);
      },
    }),
  });
  await t.rejects(one.submit({ name: 'never-sent', command: 'true' }), { message: /no answer/ });
  t.strictSame(
    reads.filter((name) => name.startsWith('never-sent')),
    [],
  );
});

t.test('what Kubernetes warns of is one text in the log, without values of the job', async (t) => {
  const one = await instance();
  const init = { name: 'i', image: 'busybox', command: ['true'], first: 1, second: 2 };
  const id = await one.submit({
    metadata: { pod: { initContainers: [init] } },
    environment: [{ name: 'V', value: 'initContainers[0].second' }],
  });
  const lines = one.log.filter(({ fields }) => fields['job'] === id && 'warnings' in fields);
  t.match(
    lines.map(({ level, fields }) => [level, fields['warnings']]),
    [['warning', /^unknown field "spec\.template\.spec\.\*\*\*first"; unknown field "spec\.template\.spec\.\*\*\*"$/]],
  );
});
