/** A job is created once or not at all, and reported from the objects of the cluster: nothing is in memory only. */
import t from 'tap';
import { type Client, JOBS as JOBS_KIND, PODS, SECRETS, SERVICES } from '../../src/kubernetes/contract.ts';
import { eventually } from '../support/eventually.ts';
import { fakeClock } from '../support/fake-clock.ts';
import { fastClock, hasState, startWorld, terminal } from './instance.ts';
import { request } from './requests.ts';

const { cluster, admin, instance, stop, annotation, exists, podOf } = await startWorld(t);

t.test('from submit to end; the end outlives the pod and the plugin', async (t) => {
  const one = await instance();
  const id = await one.submit({
    name: 'Report $1',
    command: 'echo "$A"; echo wörld; exit',
    args: ['3'],
    environment: [{ name: 'A', value: 'costs $5 $$ $(A)' }],
    tags: ['x'],
  });
  t.match(id, /^report-1-[a-z0-9]{10}$/);
  t.match(one.jobs.find(id, 'alice'), { status: 'Pending', user: 'alice', args: ['3'], stdin: '' }, 'found at once');
  t.throws(() => one.jobs.find(id, 'bob'), { code: 'job-not-found' });
  t.strictSame([one.jobs.list('bob').length, one.jobs.list('alice').length], [0, 1]);
  const ended = await one.until(id, terminal);
  t.match(ended, { status: 'Finished', statusCode: 'Error', exitCode: 3, statusMessage: 'ended with exit code 3' });
  t.equal(await one.output(id), 'costs $5 $$ $(A)\nwörld\n');
  const result = JSON.parse(await eventually(() => annotation(id, 'result')));
  t.match(result, { state: 'Finished', statusCode: 'Error', exitCode: 3, startedAt: /Z$/, endedAt: /Z$/ });
  const pod = await podOf(id);
  await admin.client.delete(PODS, pod?.metadata?.name ?? '', { propagationPolicy: 'Background' });
  await eventually(async () => (await podOf(id)) === undefined);
  await t.rejects(one.output(id), { code: 'output-not-found' });
  await stop(one);
  const again = await instance();
  t.strictSame(
    { ...again.jobs.find(id, 'alice'), lastUpdateTime: 0, host: '' },
    { ...ended, lastUpdateTime: 0, host: '' },
  );
  await t.rejects(again.output(id), { code: 'output-not-found' }, 'there was output, and it is gone');
  await stop(again);
});

const path = /\/apis\/batch\/v1\/namespaces\/rstudio\/jobs(\?|$)/;

t.test('a submit without a response is retried, and creates one job', async (t) => {
  const one = await instance();
  cluster.faults.add({ method: 'POST', path, fault: { type: 'resetBeforeHeaders' } });
  const id = await one.submit({ command: 'true' });
  t.match(await one.until(id, terminal), { status: 'Finished' });
  await stop(one);
});

t.test('a submit without a response until its deadline creates no job', async (t) => {
  const one = await instance();
  const all = one.jobs.list('*').length;

  const fault = cluster.faults.add({ method: 'POST', path, fault: { type: 'resetBeforeHeaders' }, times: 1000 });
  await t.rejects(one.jobs.submit(request({ name: 'ghost', command: 'sleep 60' }), 'alice', 3000), {
    code: /unknown|timeout/,
  });
  fault.remove();
  t.equal(one.jobs.list('*').length, all, 'nobody sees it');
  await eventually(async () =>
    (await admin.client.list(JOBS_KIND)).items.every((job) => !job.metadata?.name?.startsWith('ghost-')),
  );
  t.equal(one.jobs.list('*').length, all);
  t.strictSame(
    [...one.announced.keys()].filter((told) => told.startsWith('ghost-')),
    [],
  );
  await stop(one);
});

t.test('a submit for another user, for all users, or with an invalid variable is refused', async (t) => {
  const one = await instance();
  await t.rejects(one.jobs.submit(request({ user: 'bob' }), 'alice'), { code: 'invalid-request' });
  await t.rejects(one.jobs.submit(request({ user: '*' }), '*'), { code: 'invalid-request' });
  await t.rejects(one.jobs.submit(request({ environment: [{ name: 'A B=', value: '' }] }), 'alice'), {
    code: 'invalid-request',
  });
  await stop(one);
});

const ports = { command: 'sleep 60', exposedPorts: [{ targetPort: 8787, protocol: 'TCP' }] };

t.test(
  'the Service of a job has the node port and the address of the pod, and is created again when deleted',
  async (t) => {
    const one = await instance();
    const healer = await instance({ clock: fastClock(100) });
    const id = await one.submit(ports);
    const [port] = one.jobs.find(id, 'alice').exposedPorts;
    t.ok((port?.publishedPort ?? 0) >= 30_000, 'the node port is in the submit answer');
    await t.rejects(one.jobs.network(id, 'bob'), { code: 'job-not-found' });
    await one.until(id, hasState('Running'));
    t.match(await one.jobs.network(id, 'alice'), { host: 'node0', ipAddresses: ['10.250.0.1'] });

    await admin.client.delete(SERVICES, id, { propagationPolicy: 'Background' });
    await eventually(() => one.jobs.find(id, '*').exposedPorts[0]?.publishedPort === undefined);
    await eventually(() => exists(SERVICES, id));
    await eventually(() => one.jobs.find(id, '*').exposedPorts[0]?.publishedPort !== undefined);

    await admin.client.delete(JOBS_KIND, id, { propagationPolicy: 'Background' });
    await eventually(async () => !(await exists(SERVICES, id)));
    await eventually(() => one.announced.get(id)?.at(-1) === 'Killed/Deleted');
    t.throws(() => one.jobs.find(id, '*'), { code: 'job-not-found' });
    await stop(one);
    await stop(healer);
  },
);

t.test('the addresses of a job include those of its Service', async (t) => {
  for (const [serviceType, addresses] of [
    ['ClusterIP', 2],
    ['LoadBalancer', 1],
  ] as const) {
    const other = await instance({ options: { serviceType } });
    const its = await other.submit(ports);
    await other.until(its, hasState('Running'));
    t.equal((await other.jobs.network(its, '*')).ipAddresses.length, addresses, serviceType);
    await other.jobs.control(its, '*', 'kill');
    await other.until(its, terminal);
    await stop(other);
  }
});

t.test('a job is deleted again if its Service cannot be created', async (t) => {
  const refused = await instance();
  const allow = cluster.denyNew('services', 'no services today');
  const before = (await admin.client.list(JOBS_KIND)).items.length;
  await t.rejects(refused.submit(ports), { code: /unknown|invalid-request/, message: /no services today/ });
  allow();
  await eventually(async () => (await admin.client.list(JOBS_KIND)).items.length === before);
  t.equal(refused.jobs.list('*').length, before, 'no ghost');
  await stop(refused);
});

t.test('resource use: measured once for all who ask, and silent without metrics', async (t) => {
  const one = await instance();
  const id = await one.submit({ command: 'while :; do :; done' });
  t.throws(() => one.jobs.usage(id, 'alice', new AbortController().signal), { code: 'job-not-running' });
  t.throws(() => one.jobs.usage(id, 'bob', new AbortController().signal), { code: 'job-not-found' });
  await one.until(id, hasState('Running'));
  const measure = async (signal: AbortSignal) => {
    for await (const usage of one.jobs.usage(id, 'alice', signal)) return usage;
    return undefined;
  };
  cluster.setMetrics('absent');
  t.strictSame(await measure(AbortSignal.timeout(5000)), {});
  t.strictSame(await measure(AbortSignal.timeout(5000)), {});
  t.equal(one.log.filter(({ sentence }) => sentence.includes('metrics-server')).length, 1, 'one line');
  cluster.setMetrics('present');
  const seen = await eventually(async () => {
    const usage = await measure(AbortSignal.timeout(5000));
    return usage?.residentMemory === undefined ? undefined : usage;
  });
  t.ok((seen.cpuPercent ?? -1) >= 0 && (seen.residentMemory ?? -1) >= 0);
  t.equal(one.log.filter(({ sentence }) => sentence === 'Resource usage of jobs can be read again').length, 1);
  const end = (async () => {
    let last: unknown;
    for await (const usage of one.jobs.usage(id, 'alice', AbortSignal.timeout(15_000))) last = usage;
    return last;
  })();
  await one.jobs.control(id, 'alice', 'kill');
  await t.resolves(end, 'the stream ends with the job');
  await stop(one);
});

t.test('missing permissions switch off one feature each, named once', async (t) => {
  const documented = cluster.access.rules();
  const subject = `system:serviceaccounts:${cluster.namespace}`;
  const grant = (groups: string[], resources: string[], verbs: string[] = ['*']) => ({
    subject,
    namespace: cluster.namespace,
    verbs,
    groups,
    resources,
  });
  cluster.access.setRules([
    grant(['batch'], ['jobs']),
    grant([''], ['pods']),
    grant([''], ['pods/log', 'pods/attach']),
    { ...grant(['authorization.k8s.io'], ['*']), namespace: '*' },
  ]);
  const one = await instance();
  const warnings = (): string[] =>
    one.log
      .flatMap(({ level, fields }) =>
        level === 'notice' && typeof fields['feature'] === 'string' ? [fields['feature']] : [],
      )
      .sort();
  await eventually(() => warnings().length === 9);
  t.strictSame(warnings(), [
    'eventList',
    'events',
    'exec',
    'nodes',
    'secrets',
    'serviceDeletion',
    'services',
    'usage',
    'usageList',
  ]);
  const id = await one.submit({ command: 'cat; sleep 60', stdin: 'kept in memory\n' });
  await one.until(id, hasState('Running'));
  t.notOk(await exists(SECRETS, `${id}-stdin`));
  t.match(
    await one.jobs.network(id, 'alice'),
    { host: 'node0', ipAddresses: ['10.250.0.1'] },
    'the pod tells its host',
  );
  await t.rejects(
    one.submit({ command: 'true', exposedPorts: [{ targetPort: 1, protocol: 'TCP' }] }),
    /lacks the permission create services/,
  );
  t.strictSame(await one.jobs.control(id, 'alice', 'kill'), { complete: true, message: '' }, 'by deletion');
  t.match(await one.until(id, terminal), { status: 'Killed', exitCode: 137 });
  t.equal(warnings().length, 9, 'each of them once');

  cluster.access.setRules(documented);
  await stop(one);
});

for (const [until, ms] of [
  ['the first lists', 0],
  ['a second without them', 1_000],
] as const) {
  t.test(`permissions are not reviewed until ${until}`, async (t) => {
    const clock = fakeClock(0);
    const held = Promise.withResolvers<void>();
    let reviews = 0;
    const wrap = (client: Client): Client => ({
      ...client,
      allowed: (...args) => {
        reviews++;
        return client.allowed(...args);
      },
      reflector: (options) => {
        const reflector = client.reflector(options);
        const run = (signal: AbortSignal): Promise<void> => held.promise.then(() => reflector.run(signal));
        return options.resource.plural === 'pods' ? { ...reflector, run } : reflector;
      },
    });
    const one = await instance({ clock, wrap, waits: false });
    await eventually(() => one.log.some(({ sentence }) => sentence === 'Watch in sync'), 'the list of jobs');
    clock.advance(999);
    t.equal(reviews, 0);
    if (ms === 0) held.resolve();
    else clock.advance(1);
    await eventually(() => reviews > 0, 'a review');
    held.resolve();
    await stop(one);
  });
}
