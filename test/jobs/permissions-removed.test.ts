/**
 * The Role that `rbac` prints is the one that the code needs: with it everything works and nothing is refused, and without
 * one of its permissions exactly the feature fails that the permission table names.
 */
import t from 'tap';
import { smallestRules } from '../cluster/api/access.ts';
import type { Rule } from '../cluster/cluster.ts';
import { eventually } from '../support/eventually.ts';
import { hasState, type Instance, startPlugins, terminal } from './instance.ts';

/** Permissions of optional features: `verb resource`, and the feature of the permission table. */
const OPTIONAL: readonly (readonly [permission: string, feature: string])[] = [
  ['patch pods', 'stop'],
  ['delete pods', 'delete'],
  ['get pods/exec', 'exec'],
  ['create pods/exec', 'exec'],
  ['get pods/log', 'output'],
  ['get pods/attach', 'input'],
  ['create pods/attach', 'input'],
  ['get secrets', 'secrets'],
  ['create secrets', 'secrets'],
  ['delete secrets', 'secrets'],
  ['get services', 'services'],
  ['list services', 'services'],
  ['watch services', 'services'],
  ['create services', 'services'],
  ['delete services', 'serviceDeletion'],
  ['watch events', 'events'],
  ['list events', 'eventList'],
  ['get pods.metrics.k8s.io', 'usage'],
  ['list pods.metrics.k8s.io', 'usageList'],
  ['get nodes', 'nodes'],
];

const RUNNING = { command: 'echo out; while :; do sleep 1; done' };

const listed = (one: Instance): Promise<unknown> =>
  logged(one, /^Watch failed/).then(() => one.jobs.synced(AbortSignal.abort()));

/** The error of the first log line with this sentence. */
async function logged({ log }: Instance, sentence: RegExp): Promise<never> {
  const line = await eventually(
    () => log.find((each) => sentence.test(each.sentence) && each.fields.error),
    `${sentence}`,
  );
  throw line.fields.error;
}

/** A job that runs is controlled. */
async function controlled(one: Instance): Promise<unknown> {
  const id = await one.submit(RUNNING);
  await one.until(id, hasState('Running'));
  return one.jobs.control(id, 'alice', 'kill');
}

/** Permissions that the plugin cannot do without, the feature, and what is refused without them. */
const REQUIRED: readonly (readonly [permission: string, feature: string, use: (one: Instance) => Promise<unknown>])[] =
  [
    ['list jobs.batch', 'jobs', listed],
    ['watch jobs.batch', 'jobs', (one) => logged(one, /^Watch failed/)],
    ['create jobs.batch', 'jobs', (one) => one.submit(RUNNING)],
    ['patch jobs.batch', 'jobs', controlled],
    [
      'get jobs.batch',
      'jobs',
      async (one) => one.jobs.control(await one.submit({ container: { image: 'missing/x' } }), 'alice', 'cancel'),
    ],
    [
      'delete jobs.batch',
      'jobs',
      async (one) => {
        await one.until(await one.submit({ command: 'true' }), terminal);
        return logged(one, /^Cannot delete an expired job/);
      },
    ],
    ['list pods', 'pods', listed],
    ['watch pods', 'pods', (one) => logged(one, /^Watch failed/)],
    ['get pods', 'pods', controlled],
  ];

const namespaceOf = (permission: string): string => `without-${permission.replace(/[^a-z]/g, '-')}`;

const { cluster, instance } = await startPlugins(t, {
  speed: 50,
  namespaces: ['with-everything', ...[...OPTIONAL, ...REQUIRED].map(([permission]) => namespaceOf(permission))],
});

/** The printed rules for the account of a namespace, less one permission. */
function rulesWithout(permission: string, namespace: string): readonly Rule[] {
  const [verb = '', what = ''] = permission.split(' ');
  const [resource = '', group = ''] = what.split(/\.(.*)/s);
  return smallestRules(namespace).map((rule) =>
    rule.resources.includes(resource) && rule.groups.includes(group)
      ? { ...rule, verbs: rule.verbs.filter((each) => each !== verb) }
      : rule,
  );
}

cluster.access.setRules([
  ...smallestRules('with-everything'),
  ...[...OPTIONAL, ...REQUIRED].flatMap(([permission]) => rulesWithout(permission, namespaceOf(permission))),
]);

/** Requests of the account of a namespace that were not refused, as `METHOD path`. */
function requestsIn(namespace: string): readonly string[] {
  return cluster.journal.requests
    .filter(({ user, status }) => user === `system:serviceaccount:${namespace}:job-launcher` && status !== 403)
    .map(({ method, path }) => `${method} ${path}`);
}

const PORTS = [{ targetPort: 8787, protocol: 'TCP' as const }];

/** The features that fail in a plugin that uses all of them, and the permissions that its log names. */
async function failures(namespace: string): Promise<{ failed: readonly string[]; missing: readonly unknown[] }> {
  let sharesProcesses = true;
  const one = await instance({
    namespace,
    token: cluster.accounts.issue(namespace, 'job-launcher'),
    options: () => ({ shareProcessNamespace: sharesProcesses }),
  });
  const failed: string[] = [];
  const fails = (feature: string, isFailure: boolean): void => {
    if (isFailure) failed.push(feature);
  };
  const reviewed = (): boolean =>
    requestsIn(namespace).filter((each) => /selfsubjectaccessreviews/.test(each)).length >= 29;
  await eventually(reviewed, 'all permissions are reviewed');

  const withPorts = one.submit({ ...RUNNING, exposedPorts: PORTS });
  const main = await withPorts.catch(() => one.submit(RUNNING));
  fails('services', (await withPorts.catch(() => '')) === '');
  const input = await one.submit({ command: 'test "$(cat)" = in', stdin: 'in' }).catch(() => '');
  fails('input', input === '' || (await one.until(input, terminal)).exitCode !== 0);
  const stopped = await one.submit(RUNNING);
  sharesProcesses = false;
  const deleted = await one.submit(RUNNING);
  for (const id of [main, stopped, deleted]) await one.until(id, hasState('Running'));

  fails('output', !(await isReadable(one, main)));
  await one.jobs.network(main, 'alice');
  await one.jobs.usage(main, 'alice', AbortSignal.timeout(60_000))[Symbol.asyncIterator]().next();
  fails('stop', !(await one.jobs.control(stopped, 'alice', 'stop')).complete);
  fails('delete', !(await one.jobs.control(deleted, 'alice', 'kill')).complete);
  await one.jobs.control(main, 'alice', 'kill');
  await one.until(main, hasState('Killed'));

  const requests = requestsIn(namespace);
  const asked = (pattern: RegExp): boolean => requests.some((each) => pattern.test(each));
  fails('exec', !asked(new RegExp(`/pods/${main}-\\w+/exec`)));
  fails('secrets', input !== '' && !asked(/^POST .*\/secrets/));
  fails('events', !asked(/\/events\?.*watch=/));
  fails('eventList', asked(/\/events/) && !asked(/\/events\?(?!.*watch=)/));
  fails('usage', !asked(/\/metrics\.k8s\.io\/.*\/pods/));
  fails('usageList', asked(/\/metrics\.k8s\.io\/.*\/pods/) && !asked(/\/metrics\.k8s\.io\/.*\/pods\?/));
  fails('nodes', !asked(/^GET \/api\/v1\/nodes\/node0/));
  const missing = one.log.flatMap(({ fields }) => fields['missing'] ?? []);
  return { failed, missing };
}

/** Can the plugin read the output of this job? */
async function isReadable(one: Instance, id: string): Promise<boolean> {
  try {
    for await (const bytes of one.jobs.output(id, 'alice', AbortSignal.timeout(60_000)))
      return Buffer.from(bytes).toString() === 'out\n';
    return false;
  } catch {
    return false;
  }
}

t.jobs = 4;

t.test('with the printed permissions everything works and no request is refused', async (t) => {
  t.strictSame(await failures('with-everything'), { failed: [], missing: [] });
  const refused = cluster.journal.requests.filter(
    ({ user, status }) => user === 'system:serviceaccount:with-everything:job-launcher' && status === 403,
  );
  t.strictSame(refused, []);
});

for (const [permission, feature] of OPTIONAL) {
  t.test(`without permission to ${permission} only the feature ${feature} fails`, async (t) => {
    // Only Services of another launcher plugin are deleted (test/integration/foreign.test.ts).
    const failed = feature === 'serviceDeletion' ? [] : [feature];
    t.strictSame(await failures(namespaceOf(permission)), { failed, missing: [permission] });
  });
}

for (const [permission, feature, use] of REQUIRED) {
  t.test(`without permission to ${permission} the plugin names it and the feature ${feature}`, async (t) => {
    const namespace = namespaceOf(permission);
    const one = await instance({
      namespace,
      token: cluster.accounts.issue(namespace, 'job-launcher'),
      options: { jobExpiryHours: 0.0001 },
      waits: false,
    });
    const [verb, resource] = permission.replace('.batch', '').split(' ');
    await t.rejects(use(one), { message: new RegExp(`cannot ${verb} resource "${resource}"`) });
    const notice = await eventually(() => one.log.find(({ fields }) => fields['missing'] !== undefined), 'a notice');
    t.strictSame(notice.fields, { feature, missing: permission });
  });
}
