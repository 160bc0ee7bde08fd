/** Requests for metrics: one list serves all jobs; without permission to list, one request a job; a hanging server delays no frame. */
import t from 'tap';
import { POD_METRICS } from '../../../src/kubernetes/contract.ts';
import { KubernetesError } from '../../../src/kubernetes/kubernetes-error.ts';
import { eventually } from '../../support/eventually.ts';
import { hasState, startPlugins } from '../instance.ts';

const PATH = /\/apis\/metrics\.k8s\.io\/v1beta1\/namespaces\/[^/]+\/pods/;

t.test('one list measures all jobs', async (t) => {
  const { cluster, instance } = await startPlugins(t);
  cluster.setMetrics('present');
  const one = await instance();
  const ids = await Promise.all([one.submit({ command: 'sleep 600' }), one.submit({ command: 'sleep 600' })]);
  for (const id of ids) await one.until(id, hasState('Running'));
  const frames = ids.map(async (id) => {
    for await (const usage of one.jobs.usage(id, 'alice', AbortSignal.timeout(60_000)))
      if (usage.residentMemory !== undefined) return usage.residentMemory;
    return 0;
  });
  for (const memory of await Promise.all(frames)) t.ok(memory > 0);
  const requests = cluster.journal.requests.filter(({ path }) => PATH.test(path));
  t.strictSame(
    requests.filter(({ path }) => /\/pods\/[^?]/.test(path)),
    [],
  );
  t.ok(requests.length > 0);
});

t.test('without permission to list, each job is read by a request of its own', async (t) => {
  const { cluster, instance } = await startPlugins(t);
  cluster.setMetrics('present');
  const one = await instance({
    token: cluster.adminToken,
    wrap: (client) => ({
      ...client,
      allowed: async (permission, options) =>
        permission.group === 'metrics.k8s.io' && permission.verb === 'list'
          ? { allowed: false, reason: '' }
          : client.allowed(permission, options),
    }),
  });
  const id = await one.submit({ command: 'sleep 600' });
  await one.until(id, hasState('Running'));
  await eventually(() => one.log.some(({ fields }) => fields['feature'] === 'usageList'));
  for await (const usage of one.jobs.usage(id, 'alice', AbortSignal.timeout(60_000)))
    if (usage.residentMemory !== undefined) break;
  t.ok(cluster.journal.requests.some(({ path }) => PATH.test(path) && path.includes(`/pods/${id}-`)));
});

t.test('while metrics time out, the last measurement is repeated', async (t) => {
  const { cluster, instance } = await startPlugins(t);
  cluster.setMetrics('present');
  let isHanging = false;
  const one = await instance({
    wrap: (client) => ({
      ...client,
      list: async (resource, selection, options) => {
        if (isHanging && resource.plural === POD_METRICS.plural && resource.group === POD_METRICS.group)
          throw new KubernetesError({ code: 'timeout', method: 'GET', path: '/pods', text: 'no answer' });
        return client.list(resource, selection, options);
      },
    }),
  });
  const id = await one.submit({ command: 'sleep 600' });
  await one.until(id, hasState('Running'));
  let last: unknown;
  let repeated: unknown;
  for await (const usage of one.jobs.usage(id, 'alice', AbortSignal.timeout(60_000))) {
    if (isHanging) {
      repeated = usage;
      break;
    }
    if (usage.residentMemory === undefined) continue;
    last = usage;
    isHanging = true;
  }
  t.strictSame(repeated, last);
});
