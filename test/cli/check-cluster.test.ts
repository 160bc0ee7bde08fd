/** What can be wrong in the cluster, for its account and for a user: provoked in a simulated cluster. */
import t, { type Test } from 'tap';
import { parseAllDocuments } from 'yaml';
import type { Rule } from '../cluster/api/access.ts';
import { documentedRules, smallestRules } from '../cluster/api/access.ts';
import { JOBS, NODES } from '../cluster/api/resources.ts';
import { startCluster } from '../cluster/cluster.ts';
import { linesOf, type Outcome, run, type Situation } from './harness.ts';

const cluster = await startCluster({ speed: 50 });
t.teardown(() => cluster.close());

const ACCOUNT = 'system:serviceaccount:rstudio:job-launcher';

const SMALLEST = smallestRules('rstudio');

const OPTIONS = {
  'api-url': cluster.url,
  'auth-token': cluster.token,
  'certificate-authority': Buffer.from(cluster.ca).toString('base64'),
};

/** Runs `check` with these rights. */
async function check(
  t: Test,
  rules: readonly Rule[],
  situation: Situation = {},
  args: readonly string[] = [],
): Promise<Outcome> {
  cluster.access.setRules(rules);
  return run(t, ['check', ...args], { ...situation, options: { ...OPTIONS, ...situation.options } });
}

t.test('all is well', async (t) => {
  cluster.setMetrics('present');
  t.teardown(() => cluster.setMetrics('absent'));
  const directories = { options: { 'logging-dir': 'DIR/log', 'scratch-path': 'DIR/scratch' } };
  const { lines, code, err } = await check(t, SMALLEST, directories);
  const ca = /valid until (\S+)$/.exec(lines.find((line) => line.includes('CN=kube-apiserver')) ?? '')?.[1];
  t.match(lines, [
    'ok       options         DIR/launcher.kubernetes.conf, 6 options',
    'ok       server-user     nobody (uid 65534)',
    /^ok {7}open-files {6}(\d+|any number of) open files are allowed$/,
    'ok       directories     DIR/log can be written',
    'ok       directories     DIR/scratch can be written',
    'ok       profiles        no restrictions: no sections in DIR/launcher.kubernetes.profiles.conf',
    'ok       profiles        0 resource profiles in DIR/launcher.kubernetes.resources.conf',
    'ok       ca              certificate-authority holds 1 certificate',
    'ok       token           auth-token: account system:serviceaccount:rstudio:job-launcher, issuer https://kubernetes.default.svc, without an expiry',
    'ok       name            127.0.0.1 is an address',
    /^ok {7}tcp {13}127\.0\.0\.1:PORT answers \(\d+ ms\)$/,
    `ok       tls             CN=kube-apiserver, issued by CN=simulated-cluster-ca, valid until ${ca}`,
    'ok       version         Kubernetes v1.36.2',
    /^ok {7}clock {11}[012] s apart from the API server$/,
    'ok       namespace       rstudio takes jobs (dry run)',
    'ok       permissions     32 of 32 rights are there',
    'ok       nodes           1 of 1 nodes are ready and take pods',
    'ok       metrics         metrics.k8s.io answers',
    'ok       constraints     no placement constraints',
    'ok       launchers       no jobs',
    "ok       accounts        the rights are the account's own, jobs do not share them",
    /^21 ok \(\d\.\d s\)$/,
  ]);
  t.equal(lines.length, 22);
  t.equal(code, 0);
  t.equal(err, '');

  const json = await check(t, SMALLEST, {}, ['--json']);
  const { ok, results } = JSON.parse(json.out);
  t.equal(ok, true);
  t.strictSame(results[12], { step: 'version', status: 'ok', found: 'Kubernetes v1.36.2' });
  t.equal(json.code, 0);
});

t.test('each right that is missing, with the rule to add', async (t) => {
  const may = (what: string, rule: string): string => `${ACCOUNT} may not ${what} -> add to its ${rule}`;
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
      `warning permissions ${may('delete pods: jobs whose container has no /bin/sh cannot be killed', 'Role: {apiGroups: [""], resources: [pods], verbs: [delete]}')}`,
    ],
    [
      'pods/log',
      'get',
      `warning permissions ${may('get pods/log: the output of jobs cannot be read', 'Role: {apiGroups: [""], resources: [pods/log], verbs: [get]}')}`,
    ],
    [
      'pods/exec',
      'create',
      `warning permissions ${may('create pods/exec: jobs are killed by deleting their pods, and with them their output', 'Role: {apiGroups: [""], resources: [pods/exec], verbs: [create]}')}`,
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
      `warning permissions ${may('create secrets: the input (stdin) of jobs is kept in memory and lost when the plugin ends before it was delivered', 'Role: {apiGroups: [""], resources: [secrets], verbs: [create]}')}`,
    ],
    [
      'events',
      'list',
      `warning permissions ${may('list events: why jobs are pending is often not known', 'Role: {apiGroups: [""], resources: [events], verbs: [list]}')}`,
    ],
    [
      'serviceaccounts',
      'list',
      `warning permissions ${may('list serviceaccounts: service accounts are not offered in forms', 'Role: {apiGroups: [""], resources: [serviceaccounts], verbs: [list]}')}`,
    ],
    [
      'nodes',
      'get',
      `warning permissions ${may('get nodes: jobs show the internal addresses of their nodes only', 'ClusterRole: {apiGroups: [""], resources: [nodes], verbs: [get]}')}`,
    ],
  ];
  for (const [resource, verb, line] of cases) {
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
    t.strictSame(
      linesOf(outcome, 'permissions'),
      ['ok permissions 31 of 32 rights are there', line],
      `${verb} ${resource}`,
    );
    t.equal(outcome.code, line.startsWith('failed') ? 1 : 0);
  }
  const nodes = await check(t, SMALLEST.slice(0, -1));
  t.strictSame(linesOf(nodes, 'nodes'), [
    'warning nodes nodes may not be read: external addresses, node labels and nodes that do not answer are not known -> bind the ClusterRole that rstudio-kubernetes-launcher rbac prints, or leave it: it is optional',
  ]);
  t.strictSame(linesOf(nodes, 'constraints'), ['skipped constraints not tried, because of what failed above']);
  t.equal(nodes.code, 0);
});

t.test('the namespace', async (t) => {
  const missing = await check(t, SMALLEST, { options: { 'kubernetes-namespace': 'nowhere' } });
  t.strictSame(linesOf(missing, 'namespace'), [
    'failed namespace DIR/launcher.kubernetes.conf:5: kubernetes-namespace: nowhere does not exist, or the account has no rights in it (Kubernetes does not tell which) -> the token belongs to namespace rstudio: was that meant?',
  ]);
  t.strictSame(linesOf(missing, 'permissions'), [
    `failed permissions ${ACCOUNT} may do nothing in namespace nowhere -> see namespace above`,
  ]);
  t.strictSame(
    linesOf(missing, 'token')[1],
    'warning token the account job-launcher belongs to namespace rstudio, jobs go to nowhere -> is kubernetes-namespace right? Else bind the account there: subjects: [{kind: ServiceAccount, name: job-launcher, namespace: rstudio}]',
  );
  t.equal(missing.code, 1);

  const known = await check(t, SMALLEST, {
    options: { 'kubernetes-namespace': 'nowhere', 'auth-token': cluster.adminToken },
  });
  t.strictSame(linesOf(known, 'namespace'), [
    'failed namespace DIR/launcher.kubernetes.conf:5: kubernetes-namespace: nowhere does not exist, or the account has no rights in it (Kubernetes does not tell which) -> correct it, or apply what rstudio-kubernetes-launcher rbac prints',
  ]);

  const noRights = await check(t, SMALLEST.slice(-1));
  t.strictSame(
    [...linesOf(noRights, 'namespace'), ...linesOf(noRights, 'permissions')],
    [
      'failed namespace kubernetes-namespace: rstudio does not exist, or the account has no rights in it (Kubernetes does not tell which) -> correct it, or apply what rstudio-kubernetes-launcher rbac prints',
      `failed permissions ${ACCOUNT} may do nothing in namespace rstudio -> see namespace above`,
    ],
  );

  const noCreate = await check(
    t,
    SMALLEST.map((rule) => ({
      ...rule,
      verbs: rule.verbs.filter((verb) => rule.groups[0] !== 'batch' || verb !== 'create'),
    })),
  );
  t.strictSame(linesOf(noCreate, 'namespace'), [
    'warning namespace rstudio is there, but jobs cannot be made in it -> see permissions below',
  ]);

  const allow = cluster.denyNew('jobs', 'not on Sundays');
  const denied = await check(t, SMALLEST);
  allow();
  t.match(
    linesOf(denied, 'namespace')[0],
    /^failed namespace rstudio refuses jobs: .*not on Sundays.* -> a quota, an admission webhook or the end of the namespace: its own words say which$/,
  );
});

t.test('tokens that the API server does not take', async (t) => {
  const expired = cluster.accounts.issue('rstudio', 'job-launcher', -7200);
  const outcome = await check(t, SMALLEST, { options: { 'auth-token': expired } });
  t.match(
    linesOf(outcome, 'token')[0],
    /^failed token DIR\/launcher.kubernetes.conf:3: auth-token: expired 2 hours ago: account system:serviceaccount:rstudio:job-launcher, issuer https:\/\/kubernetes\.default\.svc, until /,
  );
  t.match(
    linesOf(outcome, 'version')[0],
    /^failed version .*: auth-token: the API server does not accept the token \(401\), which has expired -> see token above$/,
  );
  t.match(linesOf(outcome, '9 steps')[0], /^skipped 9 steps not tried, .*: clock, rights, namespace, permissions, /);

  const soon = await check(t, SMALLEST, {
    options: { 'auth-token': cluster.accounts.issue('rstudio', 'job-launcher', 7300) },
  });
  t.match(
    linesOf(soon, 'token')[0],
    /^warning token DIR\/launcher.kubernetes.conf:3: auth-token: expires in 2 hours, and auth-token is never renewed: .* -> the token of the Secret that rbac prints does not expire: /,
  );
  t.equal(soon.code, 0);
});

t.test('what is in the cluster', async (t) => {
  const metrics = await check(t, SMALLEST);
  t.strictSame(linesOf(metrics, 'metrics'), [
    'warning metrics there is no metrics.k8s.io: the use of CPU and memory of jobs is not shown -> install metrics-server, or leave it: it is optional',
  ]);

  const documented = await check(t, documentedRules('rstudio'));
  t.strictSame(linesOf(documented, 'accounts'), [
    "warning accounts RoleBinding job-launcher-admin gives role cluster-admin to group system:serviceaccounts:rstudio: every job with a service account's token is an administrator of namespace rstudio -> apply what rstudio-kubernetes-launcher rbac prints, which binds the account alone, and delete that binding",
  ]);
  t.equal(documented.code, 0);

  /** What is said of one job for each of these launchers; '' names none. */
  const launchers = async (...instances: readonly string[]) => {
    const jobs = instances.map((instance, index) =>
      cluster.store.create(JOBS, {
        metadata: {
          name: `old-${index}`,
          namespace: 'rstudio',
          labels: {
            'app.kubernetes.io/managed-by': 'launcher',
            ...(instance === '' ? {} : { 'launcher-instance-id': instance }),
          },
        },
        spec: { suspend: true, template: { metadata: {}, spec: { restartPolicy: 'Never', containers: [] } } },
        status: {},
      } as never),
    );
    const outcome = await check(t, SMALLEST);
    for (const job of jobs) cluster.store.remove(JOBS, job);
    return linesOf(outcome, 'launchers');
  };
  t.strictSame(await launchers(''), ['ok launchers 1 job, made by no launcher that names itself']);
  t.strictSame(await launchers('', ''), ['ok launchers 2 jobs, made by no launcher that names itself']);
  t.strictSame(await launchers('workbench-1'), ['ok launchers 1 job of 1 launcher']);
  t.strictSame(await launchers('workbench-1', 'workbench-1', 'connect-2'), [
    'warning launchers 3 jobs of 2 launchers in one namespace: workbench-1 (2), connect-2 (1) -> give each launcher a namespace of its own; jobs of one that is gone end by themselves or with kubectl delete',
  ]);

  const [node] = cluster.store.list(NODES);
  const cordon = (unschedulable: boolean) =>
    node &&
    cluster.store.edit(NODES, node, (each) => {
      each.spec = { ...each.spec, unschedulable };
    });
  cordon(true);
  const cordoned = await check(t, SMALLEST);
  cordon(false);
  t.strictSame(linesOf(cordoned, 'nodes'), [
    'failed nodes 0 of 1 nodes are ready and take pods -> kubectl get nodes tells why: jobs stay Pending until one is',
  ]);
});

const PROFILES = `[*]
container-images=r-session:4.5,Bad Image
placement-constraints=region:us,region:eu
max-cpus=2

[jane]
container-images=r-session:4.5
allow-unknown-images=0
placement-constraints=region:us
mount-types=nfs
capabilities=none
service-accounts=none
`;

t.test('a user', async (t) => {
  const files = {
    'launcher.kubernetes.profiles.conf': PROFILES.replace(',Bad Image', ',Bad_Image:x:y'),
    'launcher.kubernetes.resources.conf': '[small]\ncpus=1\n\n[big]\ncpus=8\n',
  };
  const steps = ['user', 'images', 'user-labels', 'resources', 'user-job', 'root-on-node'];
  const somebody = await check(t, documentedRules('rstudio'), { files }, ['--user', 'nosuchuser']);
  t.strictSame(
    steps.flatMap((step) => linesOf(somebody, step)),
    [
      'ok user nosuchuser (not a user of this host, so in no group): [*] line 1',
      'warning images Bad_Image:x:y is not the name of an image -> correct it: [registry/]name[:tag], in lower case',
      'warning user-labels DIR/launcher.kubernetes.profiles.conf:3: placement constraint region=eu: no node has this label, so that a job with it stays Pending -> kubectl label node NODE region=eu',
      'warning resources big is offered but refused: cpuCount 8 of resource profile big, DIR/launcher.kubernetes.resources.conf:5 is above the maximum of 2 (max-cpus, DIR/launcher.kubernetes.profiles.conf:4) -> raise the maximum, lower the resource profile, or leave it out of resource-profiles',
      'ok user-job a job with image r-session:4.5 and nothing else is allowed, and the API server takes it (dry run); one without an image is refused (no default-container-image)',
      'warning root-on-node nosuchuser can become root on a node: a job may mount any directory of the node as any user (mount-types, host-paths, run-as not set); or run as root with any capability (capabilities, run-as not set); or make privileged pods with the token of a service account, which the group binding makes an administrator (service-accounts not set) -> the keys of hardened.profiles.conf (mount-types, host-paths, run-as, capabilities, service-accounts) close this',
    ],
  );
  const jane = await check(t, SMALLEST, { files }, ['--user=jane']);
  t.strictSame(
    steps.flatMap((step) => linesOf(jane, step)).filter((line) => !line.startsWith('warning resources')),
    [
      'ok user jane (not a user of this host, so in no group): [*] line 1, [jane] line 6',
      'ok images r-session:4.5; no other; no default',
      'ok user-labels 1 offered, each with a node',
      'ok user-job a job with image r-session:4.5 and nothing else is allowed, and the API server takes it (dry run); one without an image is refused (no default-container-image)',
      'ok root-on-node jane cannot become root on a node by what jobs may ask for',
    ],
  );
});

t.test('a user with a default image, and one whom nothing restricts', async (t) => {
  const files = { 'launcher.kubernetes.profiles.conf': '[jane]\ndefault-container-image=r-session:4.5\n' };
  t.strictSame(linesOf(await check(t, SMALLEST, { files }, ['--user=jane']), 'user-job'), [
    'ok user-job a job with nothing but defaults is allowed, and the API server takes it (dry run)',
  ]);
  const free = await check(t, SMALLEST, { files }, ['--user=nosuchuser']);
  t.strictSame(
    [...linesOf(free, 'resources'), ...linesOf(free, 'user-job')],
    [
      'ok resources no resource profiles',
      'ok user-job a job with image busybox and nothing else is allowed, and the API server takes it (dry run); one without an image is refused (no default-container-image)',
    ],
  );
});

t.test('who can become root on a node', async (t) => {
  const files = {
    'launcher.kubernetes.profiles.conf': `[home]
host-paths=/home
capabilities=NET_BIND_SERVICE
[above]
host-paths=/home,/var/lib
capabilities=none
[below]
host-paths=/etc/cron.d
capabilities=none
mount-types=passthrough
[capable]
mount-types=nfs
capabilities=NET_RAW,SYS_ADMIN
[restricted]
host-paths=none
pod-security=restricted
[token]
host-paths=none
capabilities=none
`,
  };
  const remedy =
    'the keys of hardened.profiles.conf (mount-types, host-paths, run-as, capabilities, service-accounts) close this';
  const file = 'DIR/launcher.kubernetes.profiles.conf';
  const cases: readonly (readonly [user: string, ways: string])[] = [
    ['home', ''],
    ['above', `mount /var/lib of the node as any user (host-paths, ${file}:5; mount-types, run-as not set)`],
    [
      'below',
      `mount /etc/cron.d of the node as any user (mount-types, ${file}:10; host-paths, ${file}:8; run-as not set)`,
    ],
    ['capable', `run as root with SYS_ADMIN (capabilities, ${file}:13; run-as not set)`],
    ['restricted', ''],
    ['token', ''],
  ];
  for (const [user, ways] of cases) {
    const line =
      ways === ''
        ? `ok root-on-node ${user} cannot become root on a node by what jobs may ask for`
        : `warning root-on-node ${user} can become root on a node: a job may ${ways} -> ${remedy}`;
    t.strictSame(linesOf(await check(t, SMALLEST, { files }, ['--user', user]), 'root-on-node'), [line]);
  }
  t.match(
    linesOf(await check(t, documentedRules('rstudio'), { files }, ['--user', 'token']), 'root-on-node')[0],
    /a job may make privileged pods with the token of a service account/,
  );
});

t.test('overrides of all sections are shown to the API server, each once', async (t) => {
  const override = (pointer: string, file: string): string =>
    `job-json-overrides="/spec/template/spec/${pointer}":"DIR/${file}.json"`;
  const files = {
    'launcher.kubernetes.profiles.conf': [
      ...['[*]', override('hostAliases', 'aliases')],
      ...['[@nogroup]', override('tolerations/-', 'typo')],
      ...['[jane]', override('tolerations/-', 'typo')],
      ...['[joe]', override('containers/7', 'aliases')],
    ].join('\n'),
    'aliases.json': '[{"ip":"10.0.0.1","hostnames":["a"]}]',
    'typo.json': '{"kee":"gpu"}',
  };
  const file = 'DIR/launcher.kubernetes.profiles.conf';
  const typo =
    /^failed overrides DIR\/launcher\.kubernetes\.profiles\.conf:4, DIR\/launcher\.kubernetes\.profiles\.conf:6: job-json-overrides: .*unknown field "spec\.template\.spec\.tolerations\[0\]\.kee".* -> mend that line of the profiles, or the file that it names$/;
  const outcome = await check(t, SMALLEST, { files });
  const lines = linesOf(outcome, 'overrides');
  t.match(lines[0], typo);
  t.strictSame(lines.slice(1), [
    `failed overrides ${file}:8: The job-json-override /spec/template/spec/containers/7 (DIR/aliases.json) cannot be applied: the list has no element "7" (it has 1; - appends) -> mend that line of the profiles`,
  ]);
  t.equal(outcome.code, 1);
  const jane = await check(t, SMALLEST, { files }, ['--user=jane']);
  t.match(
    linesOf(jane, 'user-job')[0],
    /^failed user-job DIR\/launcher\.kubernetes\.profiles\.conf:6: job-json-overrides: .*unknown field .*kee/,
  );
  const well = { ...files, 'launcher.kubernetes.profiles.conf': `[*]\n${override('hostAliases', 'aliases')}\n` };
  t.strictSame(linesOf(await check(t, SMALLEST, { files: well }), 'overrides'), [
    'ok overrides the overrides of the profiles can be applied, and the API server takes the job (dry run)',
  ]);
});

t.test('a user whose jobs cannot work', async (t) => {
  const files = {
    'launcher.kubernetes.profiles.conf':
      '[*]\nallow-unknown-images=0\nallow-custom-resources=0\nrun-as=own\njob-json-overrides="/spec/template/spec/containers/7":"DIR/piece.json"\n',
    'piece.json': '{}',
  };
  const outcome = await check(t, SMALLEST, { files }, ['--user', 'nosuchuser']);
  t.strictSame(
    ['user', 'images', 'resources', 'user-job'].flatMap((step) => linesOf(outcome, step)),
    [
      'failed user nosuchuser (not a user of this host, so in no group): [*] line 1; his jobs are refused -> run-as=own needs users of this host: add the user here, or change run-as for him',
      'failed images no image is allowed, so that no job can run -> container-images, default-container-image or allow-unknown-images=1',
      'failed resources a resource profile must be named, but there is none -> add one, or allow-custom-resources=1',
      'failed user-job The job must name a resource profile (allow-custom-resources, DIR/launcher.kubernetes.profiles.conf:3) -> mend that line of the profiles',
    ],
  );
  t.equal(outcome.code, 1);

  const override = {
    ...files,
    'launcher.kubernetes.profiles.conf': `[*]\njob-json-overrides="/spec/template/spec/containers/7":"DIR/piece.json"\n`,
  };
  const broken = await check(t, SMALLEST, { files: override }, ['--user', 'nosuchuser']);
  t.strictSame(linesOf(broken, 'user-job'), [
    'failed user-job DIR/launcher.kubernetes.profiles.conf:2: The job-json-override /spec/template/spec/containers/7 (DIR/piece.json) cannot be applied: the list has no element "7" (it has 1; - appends) -> mend that line of the profiles',
  ]);
});

t.test('a job through its whole life', async (t) => {
  const outcome = await check(t, SMALLEST, {}, ['--submit-test-job', '--image', 'busybox']);
  t.match(
    linesOf(outcome, 'test-job')[0],
    /^ok test-job check-[a-z0-9]{10} on node0: submitted after \d\.\d s, ended after \d\.\d s, output read after \d\.\d s$/,
  );
  t.equal(outcome.code, 0);
  t.strictSame(cluster.store.list(JOBS), [], 'nothing is left');

  const none = await check(t, SMALLEST, {}, ['--submit-test-job']);
  t.strictSame(linesOf(none, 'test-job'), [
    'failed test-job The job names no container image, and there is no default-container-image -> the text names what refuses it; --user and --image choose another user and image',
  ]);
});

t.test('with what rbac prints, everything is there', async (t) => {
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
  t.strictSame(linesOf(outcome, 'permissions'), ['ok permissions 32 of 32 rights are there']);
  t.match(linesOf(outcome, 'test-job')[0], /^ok /);
  t.equal(outcome.code, 0);
});
