/**
 * An upgrade from the last release and the way back, with 200 running jobs on a simulated cluster: no job is lost, doubled or
 * changed, and no version touches the objects of jobs that only run.
 */
import t from 'tap';
import { JOBS, PODS } from '../cluster/api/resources.ts';
import { type SimulatedCluster, startCluster } from '../cluster/cluster.ts';
import { eventually } from '../support/eventually.ts';
import { lastRelease } from '../support/last-release.ts';
import { createLauncher, type JobFrame, type Launcher } from '../support/launcher.ts';
import { EXECUTABLE, startPlugin } from '../support/plugin.ts';

const COUNT = 200;
const PATIENCE_MS = 300_000;
const USERS = ['ada', 'bob', 'eve'];

const byId = (one: JobFrame, other: JobFrame): number => (String(one['id']) < String(other['id']) ? -1 : 1);
const jobsOf = async (launcher: Launcher) => [...(await launcher.jobs('*'))].sort(byId);

/** All that is stored about jobs, with uids and resource versions. */
const objectsOf = ({ store, namespace }: SimulatedCluster) =>
  structuredClone([...store.list(JOBS, namespace), ...store.list(PODS, namespace)]);

/** How many jobs have their final state stored. */
const resultsIn = ({ store, namespace }: SimulatedCluster): number =>
  store.list(JOBS, namespace).filter(({ metadata }) => 'job-launcher/result' in (metadata.annotations ?? {})).length;

t.test('0.1.0, this version, and 0.1.0 again show and control the same 200 running jobs', async (t) => {
  const cluster = await startCluster({ speed: 20, nodes: 2 });
  t.teardown(() => cluster.close());
  const start = async (executable: string) => {
    const plugin = await startPlugin({
      command: [executable],
      options: {
        'api-url': cluster.url,
        'auth-token': cluster.token,
        'certificate-authority': Buffer.from(cluster.ca).toString('base64'),
        'kubernetes-namespace': cluster.namespace,
      },
    });
    t.teardown(() => plugin.kill('SIGKILL'));
    const launcher = createLauncher(plugin.wire, PATIENCE_MS);
    await launcher.bootstrap();
    return { plugin, launcher };
  };
  const running = async (launcher: Launcher, count: number) =>
    eventually(
      async () => (await launcher.jobs('*')).filter(({ status }) => status === 'Running').length === count,
      `${count} jobs run`,
      PATIENCE_MS,
    );
  const old = lastRelease();

  const before = await start(old);
  for (let number = 0; number < COUNT; number++) {
    await before.launcher.submit(USERS[number % USERS.length] ?? '', {
      name: `job ${number}`,
      command: `echo start ${number}; exec sleep 3000`,
      container: { image: 'busybox' },
      tags: [`tag-${number}`, 'upgrade'],
      environment: [{ name: 'NUMBER', value: String(number) }],
      metadata: { number: String(number) },
      resourceLimits: [{ type: 'cpuCount', value: '0.1' }],
    });
  }
  await running(before.launcher, COUNT);
  // The cluster writes this later than the state of the pod.
  const isReady = ({ status }: { readonly status?: unknown }): boolean => (status as { ready?: number }).ready === 1;
  await eventually(() => cluster.store.list(JOBS, cluster.namespace).every(isReady), 'all are ready', PATIENCE_MS);
  const known = await jobsOf(before.launcher);
  t.equal((await before.plugin.close()).code, 0);
  const stored = objectsOf(cluster);

  const upgraded = await start(EXECUTABLE);
  await running(upgraded.launcher, COUNT);
  t.strictSame(await jobsOf(upgraded.launcher), known, 'the upgrade changes no job');
  t.strictSame(objectsOf(cluster), stored, 'the upgrade changes no object');
  const ids = known.map(({ id }) => String(id));
  const [stopped = '', killed = ''] = ids;
  const userOf = (id: string) => String(known.find((job) => job['id'] === id)?.['user']);
  await upgraded.launcher.control(userOf(stopped), stopped, 'stop');
  await upgraded.launcher.control(userOf(killed), killed, 'kill');
  const added = await upgraded.launcher.submit('ada', {
    name: 'made by the new version',
    command: 'echo new; exec sleep 3000',
    container: { image: 'busybox' },
  });
  const ended = [stopped, killed];
  await eventually(
    async () =>
      (await jobsOf(upgraded.launcher)).every(
        ({ id, status }) => ended.includes(id) === ['Finished', 'Killed'].includes(status) && status !== 'Pending',
      ) && resultsIn(cluster) === ended.length,
    'two jobs ended, all others run',
    PATIENCE_MS,
  );
  const left = await jobsOf(upgraded.launcher);
  t.equal(left.length, COUNT + 1);
  t.equal((await upgraded.plugin.close()).code, 0);
  const changed = objectsOf(cluster);

  const back = await start(old);
  await running(back.launcher, COUNT - 1);
  t.strictSame(await jobsOf(back.launcher), left, 'the way back changes no job');
  t.strictSame(objectsOf(cluster), changed, 'the way back changes no object');
  let text = '';
  const output = back.launcher.output('ada', String(added.id), (piece) => {
    text += piece;
  });
  await eventually(async () => text === 'new\n');
  output.cancel();
  await back.launcher.control('ada', String(added.id), 'kill');
  await running(back.launcher, COUNT - 2);
  t.equal((await back.plugin.close()).code, 0);

  const { created, processes } = cluster.journal;
  t.equal(created.filter(({ kind }) => kind === 'Job').length, COUNT + 1, 'no job was created twice');
  t.equal(new Set(processes.map(({ podUid }) => podUid)).size, COUNT + 1, 'no job ran twice');
});
