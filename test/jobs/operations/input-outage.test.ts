/** Input of a job whose container cannot be attached to for a while: later, at most once, and in the end said so. */
import t from 'tap';
import { JOBS, PODS } from '../../../src/kubernetes/contract.ts';
import { KubernetesError, type KubernetesErrorCode } from '../../../src/kubernetes/kubernetes-error.ts';
import { sleep } from '../../../src/system/clock.ts';
import type { SimulatedCluster } from '../../cluster/cluster.ts';
import { eventually } from '../../support/eventually.ts';
import { fastClock, hasState, startPlugins } from '../instance.ts';

const CUT = 'its input may have been cut';
const MINUTE = 60_000;

const attaches = ({ journal }: SimulatedCluster): number =>
  journal.requests.filter(({ path }) => path.includes('/attach?')).length;

t.test('the nodes cannot be reached for a minute', async (t) => {
  const { cluster, instance } = await startPlugins(t);
  const clock = fastClock(30);
  const one = await instance({ clock });
  cluster.setAgent('away');
  const id = await one.submit({ command: 'cat', stdin: 'all of it\n' });
  await eventually(() => attaches(cluster) > 0);
  await sleep(clock, MINUTE);
  cluster.setAgent('available');
  t.match(await one.until(id, hasState('Finished')), { exitCode: 0 });
  t.equal(await one.output(id), 'all of it\n');
});

t.test('the API server is away for some time after the claim', async (t) => {
  const { cluster, instance } = await startPlugins(t);
  let attempts = 0;
  const one = await instance({
    clock: fastClock(30),
    wrap: (client) => ({
      ...client,
      attachInput: async (...given) => {
        attempts++;
        if (attempts === 1) await cluster.stopApi();
        if (attempts === 8) await cluster.startApi();
        return client.attachInput(...given);
      },
    }),
  });
  const id = await one.submit({ command: 'cat', stdin: 'all of it\n' });
  t.match(await one.until(id, hasState('Finished')), { exitCode: 0 });
  t.equal(await one.output(id), 'all of it\n');
});

t.test('the pod is replaced meanwhile: the new one gets it', async (t) => {
  const { cluster, instance } = await startPlugins(t);
  const one = await instance({ clock: fastClock(30), token: cluster.adminToken });
  cluster.setAgent('away');
  const id = await one.submit({ command: 'cat', stdin: 'all of it\n' });
  await eventually(() => attaches(cluster) > 0);
  await one.client.patch(JOBS, id, { spec: { suspend: true } });
  await eventually(async () => (await one.client.list(PODS)).items.length === 0);
  await one.client.patch(JOBS, id, { spec: { suspend: false } });
  cluster.setAgent('available');
  t.match(await one.until(id, hasState('Finished')), { exitCode: 0 });
  t.equal(await one.output(id), 'all of it\n');
});

t.test('after five minutes it is given up', async (t) => {
  const { cluster, instance } = await startPlugins(t);
  const clock = fastClock(200);
  const one = await instance({ clock });
  cluster.setAgent('away');
  const begun = clock.monotonic();
  const id = await one.submit({ command: 'sleep 600', stdin: 'x' });
  await one.until(id, ({ statusMessage }) => statusMessage === CUT);
  t.ok(clock.monotonic() - begun > 4.5 * MINUTE);
  const made = attaches(cluster);
  t.ok(made < 130, `${made} attempts`);
  await sleep(clock, MINUTE);
  t.equal(attaches(cluster), made);
});

/** What a first attach ends with, and whether another one follows. */
const FIRST: Readonly<Partial<Record<KubernetesErrorCode, boolean>>> = {
  unreachable: true,
  tls: true,
  credentials: true,
  interrupted: false,
  timeout: false,
};

for (const [code, isTriedAgain] of Object.entries(FIRST) as readonly [KubernetesErrorCode, boolean][]) {
  t.test(`${code}: ${isTriedAgain ? 'nothing was passed' : 'something may have been passed'}`, async (t) => {
    let attempts = 0;
    const { instance } = await startPlugins(t);
    const one = await instance({
      clock: fastClock(30),
      wrap: (client) => ({
        ...client,
        attachInput: async (...given) => {
          attempts++;
          if (attempts === 1) throw new KubernetesError({ code, method: 'GET', path: '/', text: 'x' });
          return client.attachInput(...given);
        },
      }),
    });
    const id = await one.submit({ command: 'cat', stdin: 'all of it\n' });
    if (isTriedAgain) {
      t.match(await one.until(id, hasState('Finished')), { exitCode: 0 });
      t.equal(await one.output(id), 'all of it\n');
    } else {
      await one.until(id, ({ statusMessage }) => statusMessage === CUT);
      t.equal(attempts, 1);
    }
  });
}

t.test('a pod that replaces the one with the input says so', async (t) => {
  const { cluster, instance } = await startPlugins(t);
  const one = await instance({ token: cluster.adminToken });
  const id = await one.submit({ command: 'read x; sleep 600', stdin: 'all of it\n' });
  await eventually(() => cluster.journal.input.some(({ bytes }) => bytes === 10));
  await one.client.patch(JOBS, id, { spec: { suspend: true } });
  await eventually(async () => (await one.client.list(PODS)).items.length === 0);
  await one.client.patch(JOBS, id, { spec: { suspend: false } });
  const job = await one.until(id, ({ statusMessage }) => statusMessage === 'its input was delivered to an earlier pod');
  t.equal(job.status, 'Running');
});
