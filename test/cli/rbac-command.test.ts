/** The manifest of `rbac` grants all permissions of the plugin; `check` reports each missing one with the rule to add. */
import { readFileSync } from 'node:fs';
import t from 'tap';
import { parseAllDocuments } from 'yaml';
import { SECRETS } from '../cluster/api/resources.ts';
import { createSchemas } from '../cluster/api/schemas.ts';
import { ACCOUNT, SMALLEST, startChecked } from './cluster.ts';
import { linesOf, run } from './harness.ts';

const { cluster, check } = await startChecked();
t.teardown(() => cluster.close());

t.test('rbac without options prints fixtures/config/rbac.yaml, which the README applies', async (t) => {
  const { out } = await run(t, ['rbac']);
  t.equal(out, readFileSync(new URL('../../fixtures/config/rbac.yaml', import.meta.url), 'utf8'));
});

t.test('rbac prints the objects of the namespace, the account and its permissions', async (t) => {
  const { out, code } = await run(t, ['rbac'], { options: { 'kubernetes-namespace': 'jobs' } });
  t.equal(code, 0);
  const documents = parseAllDocuments(out).map((document) => document.toJS());
  t.strictSame(
    documents.map(({ kind, metadata: { namespace, name } }) => [kind, namespace, name]),
    [
      ['Namespace', undefined, 'jobs'],
      ['ServiceAccount', 'jobs', 'job-launcher'],
      ['Secret', 'jobs', 'job-launcher-token'],
      ['Role', 'jobs', 'job-launcher'],
      ['RoleBinding', 'jobs', 'job-launcher'],
      ['ClusterRole', undefined, 'jobs-job-launcher-nodes'],
      ['ClusterRoleBinding', undefined, 'jobs-job-launcher-nodes'],
    ],
  );
  t.strictSame(
    documents[3].rules.map(
      ({ apiGroups, resources, verbs }: Record<string, string[]>) => `${apiGroups}/${resources} ${verbs}`,
    ),
    [
      'batch/jobs get,list,watch,create,patch,delete',
      '/pods get,list,watch,patch,delete',
      '/pods/exec get,create',
      '/pods/log get',
      '/pods/attach get,create',
      '/secrets get,create,delete',
      '/services get,list,watch,create,delete',
      '/events watch,list',
      'metrics.k8s.io/pods get,list',
      '/serviceaccounts list',
    ],
  );
  t.strictSame(documents[5].rules, [{ apiGroups: [''], resources: ['nodes'], verbs: ['get', 'list'] }]);
  for (const binding of [documents[4], documents[6]]) {
    t.strictSame(binding.subjects, [{ kind: 'ServiceAccount', name: 'job-launcher', namespace: 'jobs' }]);
  }
});

t.test('the Secret of rbac is valid', async (t) => {
  const { out } = await run(t, ['rbac'], { options: { 'kubernetes-namespace': 'jobs' } });
  const documents = parseAllDocuments(out).map((document) => document.toJS());
  const schemas = createSchemas();
  t.strictSame(schemas.check(SECRETS, documents[2]), { wrongType: undefined, unknown: [], unknownKeys: [] });
});

t.test('rbac without exec and with another account name', async (t) => {
  const narrow = await run(t, ['rbac', '--kill-method=delete', '--account=posit'], { options: {} });
  t.notMatch(narrow.out, 'pods/exec');
  t.match(narrow.out, "kubectl -n rstudio get secret posit-token -o jsonpath='{.data.token}' | base64 -d");
});

for (const account of ['Bad Name', 'a\n---\nkind: ClusterRoleBinding', '', 'x'.repeat(245)]) {
  t.test(`rbac refuses the account name ${JSON.stringify(account.slice(0, 30))}`, async (t) => {
    const { code, out, err } = await run(t, ['rbac', `--account=${account}`], { options: {} });
    t.strictSame([code, out], [2, '']);
    t.match(
      err,
      /^rstudio-kubernetes-launcher: rbac: --account: ".*" must be a Kubernetes name \(lower-case letters, digits, - and \.\); see rbac --help\n$/,
    );
  });
}

t.test('rbac refuses a namespace that the options file overrides', async (t) => {
  const vain = await run(t, ['rbac', '--kubernetes-namespace=jobs'], {
    options: { 'kubernetes-namespace': 'rstudio' },
  });
  t.strictSame(
    [vain.code, vain.out, vain.err],
    [
      2,
      '',
      'rstudio-kubernetes-launcher: rbac: --kubernetes-namespace has no effect, because DIR/launcher.kubernetes.conf sets it\n',
    ],
  );
});

t.test('rbac with an invalid options file', async (t) => {
  const wrong = await run(t, ['rbac'], { options: { 'kubernetes-namespace': 'No' } });
  t.match(
    wrong.err,
    /^rstudio-kubernetes-launcher: DIR\/launcher.kubernetes.conf:2: kubernetes-namespace: "No" must be a DNS label/,
  );
  t.equal(wrong.code, 1);
});

t.test('the manifest of rbac grants every permission that check verifies', async (t) => {
  const printed = await run(t, ['rbac'], { options: { 'kubernetes-namespace': 'rstudio' } });
  t.equal(printed.err, '');
  const documents = parseAllDocuments(printed.out).map((document) => document.toJS());
  const granted = documents
    .filter(({ kind }) => kind === 'Role' || kind === 'ClusterRole')
    .flatMap(({ kind, rules }) =>
      rules.map(({ apiGroups, resources, verbs }: { apiGroups: string[]; resources: string[]; verbs: string[] }) => ({
        subject: ACCOUNT,
        namespace: kind === 'Role' ? 'rstudio' : '*',
        verbs,
        groups: apiGroups,
        resources,
      })),
    );
  const outcome = await check(t, granted, {}, ['--submit-test-job', '--image=busybox']);
  t.strictSame(linesOf(outcome, 'permissions'), ['ok permissions all 31 permissions are granted']);
  t.match(linesOf(outcome, 'test-job')[0], /^ok /);
  t.equal(outcome.code, 0);
});

const may = (what: string, rule: string): string => `${ACCOUNT} cannot ${what} -> add to its ${rule}`;
const cases: readonly (readonly [resource: string, verb: string, line: string])[] = [
  [
    'jobs',
    'create',
    `failed permissions ${may('create jobs.batch: jobs can neither be followed nor submitted', 'Role: {apiGroups: [batch], resources: [jobs], verbs: [create]}')}`,
  ],
  [
    'pods',
    'watch',
    `failed permissions ${may('watch pods: the states of jobs are not known', 'Role: {apiGroups: [""], resources: [pods], verbs: [watch]}')}`,
  ],
  [
    'pods',
    'patch',
    `warning permissions ${may('patch pods: jobs cannot be stopped', 'Role: {apiGroups: [""], resources: [pods], verbs: [patch]}')}`,
  ],
  [
    'pods',
    'delete',
    `warning permissions ${may('delete pods: jobs without /bin/sh in their container cannot be killed', 'Role: {apiGroups: [""], resources: [pods], verbs: [delete]}')}`,
  ],
  [
    'pods/log',
    'get',
    `warning permissions ${may('get pods/log: the output of jobs cannot be read', 'Role: {apiGroups: [""], resources: [pods/log], verbs: [get]}')}`,
  ],
  [
    'pods/exec',
    'create',
    `warning permissions ${may('create pods/exec: a kill deletes the pod of a job, and with it the output', 'Role: {apiGroups: [""], resources: [pods/exec], verbs: [create]}')}`,
  ],
  [
    'pods/attach',
    'create',
    `warning permissions ${may('create pods/attach: jobs cannot be given input (stdin)', 'Role: {apiGroups: [""], resources: [pods/attach], verbs: [create]}')}`,
  ],
  [
    'services',
    'create',
    `warning permissions ${may('create services: jobs with exposed ports cannot be submitted', 'Role: {apiGroups: [""], resources: [services], verbs: [create]}')}`,
  ],
  [
    'secrets',
    'create',
    `warning permissions ${may('create secrets: the input (stdin) of jobs is kept in memory and lost if the plugin stops before it is delivered', 'Role: {apiGroups: [""], resources: [secrets], verbs: [create]}')}`,
  ],
  [
    'events',
    'list',
    `warning permissions ${may('list events: events are watched without a list, which replays all of them after an expired watch, and a job that another client deletes in its first second may be Canceled although it ran', 'Role: {apiGroups: [""], resources: [events], verbs: [list]}')}`,
  ],
  [
    'serviceaccounts',
    'list',
    `warning permissions ${may('list serviceaccounts: the launcher cannot offer service accounts', 'Role: {apiGroups: [""], resources: [serviceaccounts], verbs: [list]}')}`,
  ],
  [
    'nodes',
    'get',
    `warning permissions ${may('get nodes: jobs report only the internal addresses of their nodes', 'ClusterRole: {apiGroups: [""], resources: [nodes], verbs: [get]}')}`,
  ],
];
for (const [resource, verb, line] of cases) {
  t.test(`without permission to ${verb} ${resource}: the rule to add`, async (t) => {
    const rules = SMALLEST.map((rule) =>
      rule.resources.includes(resource) && !rule.groups.includes('metrics.k8s.io')
        ? { ...rule, resources: rule.resources.filter((each) => each !== resource) }
        : rule,
    );
    const rest = SMALLEST.filter(
      (rule) => rule.resources.includes(resource) && !rule.groups.includes('metrics.k8s.io'),
    ).map((rule) => ({
      ...rule,
      resources: [resource],
      verbs: rule.verbs.filter((each) => each !== verb),
    }));
    const outcome = await check(t, [...rules, ...rest]);
    t.strictSame(linesOf(outcome, 'permissions'), ['ok permissions 30 of 31 permissions are granted', line]);
    t.equal(outcome.code, line.startsWith('failed') ? 1 : 0);
  });
}

t.test('without permission to list nodes', async (t) => {
  const nodes = await check(t, SMALLEST.slice(0, -1));
  t.strictSame(linesOf(nodes, 'nodes'), [
    'warning nodes no permission to list nodes: external addresses, labels and readiness of nodes are unknown -> optional; to grant it, run: rstudio-kubernetes-launcher rbac | kubectl apply -f -',
  ]);
  t.strictSame(linesOf(nodes, 'constraints'), ['ok constraints no placement constraints']);
  t.equal(nodes.code, 0);
});
