/** After input was delivered its Secret goes, however long that takes, and nobody says that anything is missing. */
import t from 'tap';
import { type Client, SECRETS } from '../../../src/kubernetes/contract.ts';
import { KubernetesError } from '../../../src/kubernetes/kubernetes-error.ts';
import { sleep } from '../../../src/system/clock.ts';
import type { SimulatedCluster } from '../../cluster/cluster.ts';
import { eventually } from '../../support/eventually.ts';
import { fastClock, type Instance, startPlugins } from '../instance.ts';

/** Ten minutes are three seconds. */
const clock = fastClock(200);
const INPUT = 'all of it\n';
const JOB = { command: 'cat; sleep 600', stdin: INPUT };

const refusal = (method: string, status: 403 | 503): KubernetesError => {
  const code = status === 403 ? 'forbidden' : 'server-error';
  return new KubernetesError({ code, method, path: '/secrets', status, text: 'not now' });
};

const refusingDeletion =
  (isRefused: () => boolean) =>
  (client: Client): Client => ({
    ...client,
    delete: async (resource, name, options) => {
      if (resource.kind === 'Secret' && isRefused()) throw refusal('DELETE', 503);
      return client.delete(resource, name, options);
    },
  });

const secrets = async ({ client }: Instance): Promise<number> => (await client.list(SECRETS)).items.length;

const isRead = ({ journal }: SimulatedCluster) =>
  eventually(() => journal.input.some(({ bytes }) => bytes === INPUT.length), 'all of the input has come');

t.test('the Secret cannot be deleted for more than ten minutes', async (t) => {
  const { cluster, instance } = await startPlugins(t);
  let isRefused = true;
  const one = await instance({
    clock,
    token: cluster.adminToken,
    wrap: refusingDeletion(() => isRefused),
  });
  const id = await one.submit(JOB);
  await isRead(cluster);
  await sleep(clock, 11 * 60_000);
  t.equal(one.jobs.find(id, '*').statusMessage, '');
  t.equal(await secrets(one), 1);
  isRefused = false;
  await eventually(async () => (await secrets(one)) === 0);
  const warnings = one.log.filter(({ level }) => level === 'warning').map(({ sentence }) => sentence);
  t.strictSame(
    [...new Set(warnings)],
    ['Cannot deliver the input (stdin) of a job, or cannot delete its Secret; retrying'],
  );
  t.equal(cluster.journal.requests.filter(({ path }) => path.includes('/attach?')).length, 1);
});

t.test('an instance that delivers for another one deletes the Secret later, too', async (t) => {
  const { cluster, instance, stop } = await startPlugins(t);
  const first = await instance({
    wrap: (client) => ({
      ...client,
      get: async (resource, name, options) => {
        if (resource.kind === 'Secret') throw refusal('GET', 503);
        return client.get(resource, name, options);
      },
    }),
  });
  const id = await first.submit(JOB);
  await stop(first);
  let refused = 0;
  const one = await instance({
    clock,
    token: cluster.adminToken,
    wrap: refusingDeletion(() => refused++ === 0),
  });
  await isRead(cluster);
  await eventually(async () => (await secrets(one)) === 0);
  t.equal(refused, 2);
  t.equal(one.jobs.find(id, '*').statusMessage, '');
});

t.test('what was called lost while the Secret could not be read is delivered after all', async (t) => {
  const { cluster, instance } = await startPlugins(t);
  let isDenied = false;
  const one = await instance({
    clock,
    token: cluster.adminToken,
    wrap: (client) => ({
      ...client,
      create: async (resource, object, options) => {
        const answer = await client.create(resource, object, options);
        isDenied ||= resource.kind === 'Secret';
        return answer;
      },
      get: async (resource, name, options) => {
        if (resource.kind === 'Secret' && isDenied) throw refusal('GET', 403);
        return client.get(resource, name, options);
      },
      allowed: async (permission, options) =>
        permission.resource === 'secrets' && isDenied
          ? { allowed: false, reason: '' }
          : client.allowed(permission, options),
    }),
  });
  const id = await one.submit(JOB);
  await one.until(id, ({ statusMessage }) => statusMessage === 'its input was lost');
  isDenied = false;
  await isRead(cluster);
  await one.until(id, ({ statusMessage }) => statusMessage === '');
});

t.test('another plugin says that input may have been cut only until its slow delivery is complete', async (t) => {
  const { cluster, instance } = await startPlugins(t);
  const mayDeliver = Promise.withResolvers<void>();
  const one = await instance({
    token: cluster.adminToken,
    processId: 'first/kube/1',
    wrap: (client) => ({
      ...client,
      attachInput: async (...given) => {
        await mayDeliver.promise;
        return client.attachInput(...given);
      },
    }),
  });
  const two = await instance({ clock, processId: 'second/kube/1' });
  const id = await one.submit(JOB);
  await two.until(id, ({ statusMessage }) => statusMessage === 'its input may have been cut');
  await sleep(clock, 11 * 60_000);
  t.equal(two.jobs.find(id, '*').statusMessage, 'its input may have been cut', 'as long as its Secret exists');
  mayDeliver.resolve();
  await isRead(cluster);
  await eventually(async () => (await secrets(one)) === 0);
  t.match(await two.until(id, ({ statusMessage }) => statusMessage === ''), { status: 'Running' });
});
