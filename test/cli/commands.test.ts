/** What `profile`, `render`, `rbac`, `jobs` and the help print. */
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import t, { type Test } from 'tap';
import { parseAllDocuments } from 'yaml';
import type { Users } from '../../src/system/users.ts';
import { JOBS, SECRETS } from '../cluster/api/resources.ts';
import { createSchemas } from '../cluster/api/schemas.ts';
import { startCluster } from '../cluster/cluster.ts';
import { createCaller, hasEnded, JOBS_PATH, until, untilPod } from '../cluster/testing.ts';
import { JWT } from '../config/samples.ts';
import { NOBODY, run, type Situation } from './harness.ts';

const fixture = (name: string): string => readFileSync(new URL(`../../fixtures/${name}`, import.meta.url), 'utf8');

const NOWHERE = { 'api-url': 'http://127.0.0.1:16443', 'auth-token': 'a-token' };

/** jsmith is in rstudio-power-users, jane is not, nobody else is a user. */
const users: Users = {
  user: async (name) => {
    if (name === 'jsmith') return { name, uid: 1001, gid: 100, groups: new Set([100, 500]) };
    return name === 'jane' ? { name, uid: 1002, gid: 100, groups: new Set([100]) } : undefined;
  },
  group: async (name) => (name === 'rstudio-power-users' ? 500 : undefined),
};

const documented: Situation = {
  options: NOWHERE,
  files: { 'launcher.kubernetes.profiles.conf': fixture('config/groups.profiles.conf') },
  surroundings: { users, random: () => 0 },
};

t.test('help', async (t) => {
  const { out, code } = await run(t, ['profile', '--help']);
  t.equal(code, 0);
  t.equal(
    out,
    `rstudio-kubernetes-launcher profile USER [--json]

Reads the profiles file as the plugin does, asks the name services of this host for the groups of
the user, and prints every key. Needs no cluster.

  --json
      One JSON object, for machines.
  --config-file FILE, and every other option of the plugin
      As the launcher passes them: --plugin-name=NAME reads launcher.NAME.conf.

Examples:

  sudo rstudio-kubernetes-launcher profile jsmith
      Why may jsmith not use more than 3 CPUs?
  sudo rstudio-kubernetes-launcher profile jsmith --json
      The same for programs.
`,
  );
  for (const command of ['check', 'render', 'rbac', 'jobs']) {
    const shown = await run(t, [command, '--help']);
    t.ok(shown.out.startsWith(`rstudio-kubernetes-launcher ${command}`));
    t.match(shown.out, '\nExamples:\n\n  ');
    t.ok(shown.lines.every((line) => line.length <= 100 || line.startsWith('  ') || line.startsWith('rstudio')));
  }
});

t.test('help as a word, and commands that were mistyped', async (t) => {
  const whole = await run(t, ['help']);
  t.equal(whole.code, 0);
  t.match(whole.out, '  rstudio-kubernetes-launcher help [COMMAND]\n');
  t.match(whole.out, '\n  check [--user USER] [--json] [--submit-test-job] [--image IMAGE]\n');
  t.match(
    whole.out,
    '\nOptions, as --NAME=VALUE on the command line or NAME=VALUE in the options file. If both are given, the file wins.\n',
  );
  t.equal((await run(t, ['help', 'rbac'])).out, (await run(t, ['rbac', '--help'])).out);
  for (const [typed, sentence] of [
    [['chekc'], 'there is no command chekc (did you mean "check"?); see --help'],
    [['help', 'rback'], 'there is no command rback (did you mean "rbac"?); see --help'],
    [['auth-token=hunter2'], 'there is no command auth-token=...; see --help'],
    [['uninstall'], 'there is no command uninstall; see --help'],
  ] as const) {
    const { code, out, err } = await run(t, typed);
    t.strictSame([code, out, err], [2, '', `rstudio-kubernetes-launcher: ${sentence}\n`]);
  }
});

t.test('what is wrong is said in one line each', async (t) => {
  const typed = await run(t, ['profile', 'jane', '--auth-token-path=/x', '--api-url=http://x'], { options: NOWHERE });
  t.equal(
    typed.err,
    'warning: DIR/launcher.kubernetes.conf:3: auth-token: is not used: auth-token-path is set\nwarning: command line: api-url: has no effect: DIR/launcher.kubernetes.conf sets it, which wins\n',
  );
  const unknown = await run(t, ['render', '--user=jane', '-o', 'xml'], { options: NOWHERE });
  t.strictSame(
    [unknown.code, unknown.out, unknown.err],
    [2, '', 'rstudio-kubernetes-launcher: render: --output is yaml or json, not xml\n'],
  );
  const typedToken = await run(t, ['render', '--user=jane', 'job.json', JWT], { options: NOWHERE });
  t.equal(typedToken.err, 'rstudio-kubernetes-launcher: render: "***" is too much; see render --help\n');
  const unknownToken = await run(t, ['jobs', `--token-${JWT}`], { options: NOWHERE });
  t.equal(unknownToken.err, 'rstudio-kubernetes-launcher: jobs: unknown option --token-***; see jobs --help\n');
  const json = await run(t, ['render', '-'], { options: NOWHERE, input: '{\n"stdin": hunter2 }' });
  t.strictSame(
    [json.code, json.err],
    [2, 'rstudio-kubernetes-launcher: render: - is not JSON: line 2, column 10: a value was expected\n'],
  );
  const tokenless = await run(t, ['render', '--user=jane', '-'], {
    options: { 'api-url': NOWHERE['api-url'], 'auth-token-path': 'DIR/token' },
    files: { token: '\n' },
    input: '{"name":"x","command":"true","container":{"image":"busybox"}}',
  });
  t.strictSame(
    [tokenless.code, tokenless.err],
    [1, 'rstudio-kubernetes-launcher: DIR/launcher.kubernetes.conf:3: auth-token-path: DIR/token holds no token\n'],
    'as the plugin says it',
  );
  const options = await run(t, ['jobs'], { options: { 'api-ur': 'x', 'log-level': 'LOUD' } });
  t.strictSame(options.err.split('\n').slice(0, 2), [
    'rstudio-kubernetes-launcher: DIR/launcher.kubernetes.conf:2: api-ur: is not an option of this plugin (did you mean "api-url"?) -> mend that line; for the file of a newer first-party plugin write unknown-options=warn',
    'rstudio-kubernetes-launcher: DIR/launcher.kubernetes.conf:3: log-level: "LOUD" must be one of OFF, ERROR, WARNING, INFO, DEBUG, or 0 to 4',
  ]);
  t.equal(options.code, 1);
});

t.test('profile', async (t) => {
  const power = await run(t, ['profile', 'jsmith'], documented);
  t.equal(power.code, 0);
  t.match(
    power.err,
    /^warning: DIR\/launcher.kubernetes.profiles.conf:14: default-cpus: 4 is above max-cpus=3 on line 26 /,
  );
  t.strictSame(power.lines.slice(0, 14), [
    'jsmith (uid 1001, groups 100, 500)',
    '[*] line 4, [@rstudio-power-users] line 13, [jsmith] line 25, of DIR/launcher.kubernetes.profiles.conf',
    '',
    'KEY                              VALUE                                              FROM',
    'container-images                 r-session:3.4.2,r-session:3.5.0,r-session:preview  DIR/launcher.kubernetes.profiles.conf:22',
    'default-container-image          -                                                  default',
    'allow-unknown-images             1                                                  DIR/launcher.kubernetes.profiles.conf:23',
    'placement-constraints            node,region:us,region:eu                           DIR/launcher.kubernetes.profiles.conf:5',
    'default-cpus                     3                                                  DIR/launcher.kubernetes.profiles.conf:26',
    'default-mem-mb                   4096                                               DIR/launcher.kubernetes.profiles.conf:15',
    'max-cpus                         3                                                  DIR/launcher.kubernetes.profiles.conf:26',
    'max-mem-mb                       20480                                              DIR/launcher.kubernetes.profiles.conf:21',
    'cpu-request-ratio                1.0                                                default',
    'memory-request-ratio             1.0                                                default',
  ]);
  const json = JSON.parse((await run(t, ['profile', 'jane', '--json'], documented)).out);
  t.strictSame([json.user, json.uid, json.groups], ['jane', 1002, [100]]);
  t.strictSame(json.sections, [
    { kind: 'everybody', name: '', file: 'DIR/launcher.kubernetes.profiles.conf', line: 4 },
  ]);
  t.strictSame(json.profile['max-cpus'], { value: 2, file: 'DIR/launcher.kubernetes.profiles.conf', line: 8 });
  t.strictSame(json.profile['default-container-image'], { value: null });
  const stranger = await run(t, ['profile', 'mal\u001b[2Jory'], documented);
  t.equal(stranger.lines[0], 'mal\\u001b[2Jory (not a user of this host, so in no group)');

  const forms = await run(t, ['profile', 'jane'], {
    ...documented,
    files: {
      'launcher.kubernetes.profiles.conf':
        '[*]\ntolerations=gpu=yes:NoSchedule,spot\nnode-selector=pool=a\nmount-types=none\njob-json-overrides="/spec/x":"DIR/x.json"\nhost-paths=/home\n',
      'x.json': '1',
    },
  });
  const value = (key: string): string | undefined =>
    forms.lines.find((line) => line.startsWith(`${key} `))?.split(/ {2,}/)[1];
  t.equal(value('tolerations'), 'gpu=yes:NoSchedule,spot');
  t.equal(value('node-selector'), 'pool=a');
  t.equal(value('job-json-overrides'), '"/spec/x":"DIR/x.json"');
  t.equal(value('mount-types'), 'none');
  t.equal(value('host-paths'), '/home');
  t.equal(value('resource-profiles'), 'all', 'as it may be typed');
  t.equal(value('drop-capabilities'), 'none');
  t.equal(value('capabilities'), 'any');
  t.equal(value('container-images'), '-');

  for (const word of ['any', 'all']) {
    const everything = await run(t, ['profile', 'jane'], {
      ...documented,
      files: { 'launcher.kubernetes.profiles.conf': `[*]\nresource-profiles=${word}\nmount-types=${word}\n` },
    });
    t.equal(everything.err, '', 'no resource profile of that name is missing');
    t.match(everything.out, /^resource-profiles +all +DIR\S+:2$/m);
    t.match(everything.out, /^mount-types +all +DIR\S+:3$/m);
  }
});

t.test('profile of somebody without a section', async (t) => {
  const files = { 'launcher.kubernetes.profiles.conf': '[*]\nmax-cpus=2\n\n[jsmiht]\nmax-cpus=4\n\n[jane]\n' };
  const second = async (name: string): Promise<string | undefined> =>
    (await run(t, ['profile', name], { ...documented, files })).lines[1];
  const of = ', of DIR/launcher.kubernetes.profiles.conf';
  t.equal(await second('jsmith'), `[*] line 1; no section of its own, the nearest is [jsmiht] line 4${of}`);
  t.equal(await second('jan'), `[*] line 1${of}`, 'jane is a user of this host');
  t.equal(await second('jsmiht'), `[*] line 1, [jsmiht] line 4${of}`);
  t.equal(await second('mallory'), `[*] line 1${of}`);
});

t.test('render', async (t) => {
  const overridden: Situation = {
    ...documented,
    files: {
      'launcher.kubernetes.profiles.conf':
        '[*]\nmax-cpus=2\ndefault-mem-mb=512\njob-json-overrides="/spec/template/spec/hostAliases":"DIR/aliases.json"\n',
      'aliases.json': '[{"ip":"10.0.0.1","hostnames":["nfs"]}]',
    },
  };
  const { out, err, code } = await run(t, ['render', '--user=jane', '--image=r-session:4'], overridden);
  t.strictSame([err, code], ['', 0]);
  t.equal(
    out,
    `# override /spec/template/spec/hostAliases from DIR/aliases.json (DIR/launcher.kubernetes.profiles.conf:4)
# the uid of the Service's owner is known when the Job was made
apiVersion: batch/v1
kind: Job
metadata:
  name: sample-session-aaaaaaaaaa
  labels:
    app.kubernetes.io/managed-by: launcher
    job-launcher/user: jane
  annotations:
    job-launcher/job: "{\\"run\\":\\"exe\\",\\"exposedPorts\\":[{\\"targetPort\\":8787,\\"protocol\\":\\"TCP\\"}],\\"resourceProfile\\":\\"custom\\"}"
    job-launcher/submission: aaaaaaaaaaaaaaaaaaaa
spec:
  backoffLimit: 0
  ttlSecondsAfterFinished: 90000
  template:
    metadata:
      labels:
        app.kubernetes.io/managed-by: launcher
        job-launcher/user: jane
      annotations:
        name: "Sample session"
        user: jane
        service_ports: "[{\\"targetPort\\":8787,\\"protocol\\":\\"TCP\\"}]"
    spec:
      restartPolicy: Never
      containers:
      - name: rs-launcher-container
        image: "r-session:4"
        command: [/bin/sh]
        args: ["-c", "echo \\"$$GREETING\\""]
        env:
        - name: GREETING
          value: hello
        resources:
          limits:
            cpu: "2"
            memory: "512M"
          requests:
            cpu: "2"
            memory: "512M"
      enableServiceLinks: false
      automountServiceAccountToken: false
      shareProcessNamespace: true
      hostAliases:
      - ip: "10.0.0.1"
        hostnames: [nfs]
---
apiVersion: v1
kind: Service
metadata:
  name: sample-session-aaaaaaaaaa
  labels:
    app.kubernetes.io/managed-by: launcher
  ownerReferences:
  - apiVersion: batch/v1
    kind: Job
    name: sample-session-aaaaaaaaaa
    uid: "00000000-0000-0000-0000-000000000000"
    controller: false
    blockOwnerDeletion: false
spec:
  type: NodePort
  selector:
    job-name: sample-session-aaaaaaaaaa
  ports:
  - name: port0
    port: 8787
    targetPort: 8787
    protocol: TCP
`,
  );

  const refused = await run(t, ['render', '--user=jane', '--image=r-session:9'], documented);
  t.strictSame(
    [refused.code, refused.out, refused.err.split('\n').at(-2)],
    [
      1,
      '',
      'refused, as the launcher sees it: Error 2: Image r-session:9 is not one of r-session:3.4.2, r-session:3.5.0 (container-images, DIR/launcher.kubernetes.profiles.conf:10; allow-unknown-images, DIR/launcher.kubernetes.profiles.conf:11).',
    ],
  );
  const message = JSON.stringify({
    messageType: 2,
    job: { name: 'x', user: 'jane', command: 'cat', container: { image: 'r-session:4' }, stdin: 'secret text' },
  });
  const piped = await run(t, ['render', '-', '-o', 'json'], { ...overridden, input: message });
  t.equal(JSON.parse(piped.out).items[0].spec.template.spec.containers[0].image, 'r-session:4');
  t.equal(
    piped.err,
    'override /spec/template/spec/hostAliases from DIR/aliases.json (DIR/launcher.kubernetes.profiles.conf:4)\nits input of 11 bytes goes into Secret x-aaaaaaaaaa-stdin\n'.replace(
      'x-aaa',
      'x-aaa',
    ),
  );
  t.notMatch(piped.out, 'secret text');

  const lines: readonly (readonly [input: string, code: number, line: string])[] = [
    ['{', 2, 'rstudio-kubernetes-launcher: render: - is not JSON: '],
    ['{"name":1}', 1, 'refused, as the launcher sees it: Error 2: job: name '],
    ['{"name":"a","command":"b"}', 2, 'rstudio-kubernetes-launcher: render: the job names no user; add --user'],
  ];
  for (const [input, expected, line] of lines) {
    const wrong = await run(t, ['render', '-'], { ...overridden, input });
    t.equal(wrong.code, expected);
    t.ok(wrong.err.startsWith(line), wrong.err);
  }
  const nobody = await run(t, ['render'], overridden);
  t.equal(nobody.err, 'rstudio-kubernetes-launcher: render: --user is missing: whose job is it?\n');
});

t.test('rbac without options is the manifest that the README applies', async (t) => {
  const { out } = await run(t, ['rbac']);
  t.equal(out, fixture('config/rbac.yaml'));
});

t.test('rbac', async (t) => {
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
      '/events list,watch',
      'metrics.k8s.io/pods get,list',
      '/serviceaccounts list',
    ],
  );
  t.strictSame(documents[5].rules, [{ apiGroups: [''], resources: ['nodes'], verbs: ['get', 'list', 'watch'] }]);
  for (const binding of [documents[4], documents[6]]) {
    t.strictSame(binding.subjects, [{ kind: 'ServiceAccount', name: 'job-launcher', namespace: 'jobs' }]);
  }
  const schemas = createSchemas();
  t.strictSame(schemas.check(SECRETS, documents[2]), { wrongType: undefined, unknown: [], unknownKeys: [] });

  const narrow = await run(t, ['rbac', '--kill-method=delete', '--account=posit'], { options: {} });
  t.notMatch(narrow.out, 'pods/exec');
  t.match(narrow.out, "kubectl -n rstudio get secret posit-token -o jsonpath='{.data.token}' | base64 -d");
  const vain = await run(t, ['rbac', '--kubernetes-namespace=jobs'], {
    options: { 'kubernetes-namespace': 'rstudio' },
  });
  t.strictSame(
    [vain.code, vain.out, vain.err],
    [
      2,
      '',
      'rstudio-kubernetes-launcher: rbac: --kubernetes-namespace has no effect: DIR/launcher.kubernetes.conf sets it, which wins\n',
    ],
  );
  const wrong = await run(t, ['rbac'], { options: { 'kubernetes-namespace': 'No' } });
  t.match(
    wrong.err,
    /^rstudio-kubernetes-launcher: DIR\/launcher.kubernetes.conf:2: kubernetes-namespace: "No" must be a DNS label/,
  );
  t.equal(wrong.code, 1);
});

t.test('in a cluster', async (t) => {
  const cluster = await startCluster({ speed: 50, random: () => 0.5 });
  const caller = createCaller(cluster);
  t.teardown(async () => {
    await caller.close();
    await cluster.close();
  });
  const options = {
    'api-url': cluster.url,
    'auth-token': cluster.token,
    'certificate-authority': Buffer.from(cluster.ca).toString('base64'),
  };

  const empty = await run(t, ['jobs'], { options });
  t.strictSame([empty.code, empty.out, empty.err], [0, '', 'There are no jobs.\n']);

  /** Makes what `render` prints. */
  const submit = async (t: Test, job: object, user: string): Promise<string> => {
    const { out, err } = await run(t, ['render', '-', '-o', 'json', '--server-dry-run', `--user=${user}`], {
      options,
      input: JSON.stringify(job),
    });
    t.equal(err, 'the API server takes it (strict dry run)\n');
    const [rendered] = JSON.parse(out).items;
    const made = await caller.call('POST', JOBS_PATH, rendered);
    t.equal(made.status, 201);
    return rendered.metadata.name;
  };
  const stuck = await submit(
    t,
    {
      name: 'Evil \u001b[2J\u202e job',
      command: 'true',
      container: { image: 'missing/image' },
      environment: [{ name: 'PASSWORD', value: 'hunter2' }],
      tags: ['a\u001b]0;b'],
    },
    'eve',
  );
  const ended = await submit(t, { name: 'Report', command: 'exit 3', container: { image: 'busybox' } }, 'jane');
  await untilPod(cluster, ended, hasEnded);
  await untilPod(
    cluster,
    stuck,
    (pod) => pod.status.containerStatuses?.[0]?.state?.waiting?.reason === 'ImagePullBackOff',
  );
  await until(
    cluster,
    JOBS,
    (job) => job.metadata.name === ended && job.status.conditions?.some(({ type }) => type === 'Failed') === true,
  );

  const { lines, err, code } = await run(t, ['jobs'], { options });
  t.strictSame([err, code], ['', 0]);
  t.equal(lines.length, 3);
  t.match(lines[0], /^ID {2,}STATE {5}USER {2}AGE {2,}REASON$/);
  const row = (id: string) => lines.find((line) => line.startsWith(id))?.split(/ {2,}/) ?? [];
  t.match(row(ended), [ended, 'Finished', 'jane', /^\d+s$/, 'Error: ended with exit code 3']);
  t.match(row(stuck).slice(0, 4), [stuck, 'Pending', 'eve', /^\d+s$/]);
  t.match(row(stuck)[4], /image missing\/image/);

  const all = await run(t, ['jobs', stuck], { options });
  t.notMatch(all.out, /[\u001b\u202e]/, 'nothing that a terminal obeys');
  t.notMatch(all.out, 'hunter2', 'no values of the environment');
  t.match(all.lines.slice(0, 5), [
    `id           ${stuck}`,
    'name         Evil \\u001b[2J\\u202e job',
    'user         eve',
    'state        Pending',
    /^reason {7}.*missing\/image/,
  ]);
  t.match(all.out, /\nwhy {10}nothing of it runs yet \(row 15\)\n/);
  t.match(all.out, /\nenvironment {2}PASSWORD\n/);
  t.match(all.out, /\ntags {9}a\\u001b\]0;b\n/);
  t.match(all.out, /\n\nAGE {2,}EVENT {4}REASON {2,}OF {2,}MESSAGE\n/);
  t.match(all.out, /\n\d+s {2,}Warning {2}Failed {2,}Pod /);

  const stored = cluster.store.list(JOBS).find(({ metadata }) => metadata.name === ended);
  if (stored !== undefined) {
    cluster.store.edit(JOBS, stored, ({ metadata }) => {
      metadata.annotations = {
        ...metadata.annotations,
        'job-launcher/result': '{"state":"Finished","exitCode":3,"endedAt":"2026-01-02T03:04:05.000Z"}',
      };
    });
  }
  const report = await run(t, ['jobs', ended], { options });
  t.strictSame(
    report.lines
      .slice(report.lines.findIndex((line) => line.startsWith('AGE')) + 1)
      .map((line) => line.split(/ {2,}/)[2]),
    ['SuccessfulCreate', 'Scheduled', 'Pulling', 'Pulled', 'Created', 'Started', 'BackoffLimitExceeded'],
    'events of one second in the order in which the cluster got them',
  );
  t.match(report.out, /\nended +2026-01-02T03:04:05Z \(\d+d ago\)\n/);
  const json = JSON.parse((await run(t, ['jobs', ended, '--json'], { options })).out);
  t.match(json, { id: ended, user: 'jane', status: 'Finished', exitCode: 3, environment: [] });
  t.strictSame(json.why, { row: '1', seen: 'its recorded result' });
  const list = JSON.parse((await run(t, ['jobs', '--json', '--user=jane'], { options })).out);
  t.strictSame(
    list.map((job: { id: string }) => job.id),
    [ended],
  );

  const csi = { driver: 'd.example', volumeAttributes: { password: 'hunter3' } };
  const environment = [{ name: 'PASSWORD', value: 'hunter2' }];
  const mounts = [{ type: 'passthrough', mountPath: '/m', readOnly: true, source: { csi } }];
  const secretive = await submit(
    t,
    {
      name: 'Secretive',
      exe: 'sleep',
      args: ['1'],
      container: { image: 'missing/image' },
      environment,
      config: [{ name: 'other', value: 'hunter4' }],
      metadata: { password: 'hunter5' },
      mounts,
      initContainers: [{ name: 'first', image: 'missing/image', exe: 'true', environment, mounts }],
    },
    'eve',
  );
  const shown = await run(t, ['jobs', secretive, '--json'], { options });
  t.notMatch(shown.out + (await run(t, ['jobs', secretive], { options })).out, 'hunter');
  const places = [{ type: 'passthrough', mountPath: '/m', readOnly: true }];
  t.match(JSON.parse(shown.out), {
    exe: 'sleep',
    args: ['1'],
    environment: ['PASSWORD'],
    config: ['other'],
    mounts: places,
    initContainers: [{ name: 'first', exe: 'true', environment: ['PASSWORD'], mounts: places }],
  });

  const foreign = await run(t, ['jobs', stuck, '--user', 'jane'], { options });
  t.strictSame(
    [foreign.code, foreign.err],
    [1, `rstudio-kubernetes-launcher: there is no job ${stuck} in namespace rstudio\n`],
  );
  const blind = { options: { ...options, 'auth-token': cluster.accounts.issue('rstudio', 'default') } };
  cluster.access.setRules([]);
  const denied = await run(t, ['jobs'], blind);
  t.equal(denied.code, 1);
  t.match(denied.err, /^rstudio-kubernetes-launcher: Kubernetes refused the request: .*cannot list resource/);
});

t.test('an API server that cannot be reached', async (t) => {
  const begun = performance.now();
  const refused = `rstudio-kubernetes-launcher: The Kubernetes API server cannot be reached: http://127.0.0.1:PORT: connect ECONNREFUSED 127.0.0.1:PORT [GET /apis/batch/v1/namespaces/rstudio/jobs] -> rstudio-kubernetes-launcher check tells more\n`;
  for (const args of [['jobs'], ['jobs', 'some-job']]) {
    const { err, code } = await run(t, args, { options: NOWHERE });
    t.equal(err, refused);
    t.equal(code, 1);
  }
  const unknown = await run(t, ['jobs'], { options: { ...NOWHERE, 'api-url': `https://${NOBODY}:6443` } });
  t.equal(
    unknown.err,
    `rstudio-kubernetes-launcher: The Kubernetes API server cannot be reached: https://${NOBODY}:PORT: getaddrinfo ENOTFOUND ${NOBODY} [GET /apis/batch/v1/namespaces/rstudio/jobs] -> rstudio-kubernetes-launcher check tells more\n`,
  );
  t.ok(performance.now() - begun < 5_000, 'nobody waits for what refuses');
});

t.test('a timeout tells of what was before', async (t) => {
  const server = createServer((_request, response) => response.writeHead(503).end('the etcd is away'));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  const address = server.address();
  const url = `http://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}`;
  const { err } = await run(t, ['jobs'], { options: { ...NOWHERE, 'api-url': url, 'request-timeout-seconds': '1' } });
  t.equal(
    err,
    'rstudio-kubernetes-launcher: The Kubernetes API server did not answer in time: 1 s; before that: The Kubernetes API server failed: the etcd is away [GET /apis/batch/v1/namespaces/rstudio/jobs: 503] [GET /apis/batch/v1/namespaces/rstudio/jobs] -> rstudio-kubernetes-launcher check tells more\n',
  );
});
