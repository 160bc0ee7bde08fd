/** `profile` shows the profile of a user with places; `render` prints the objects of a job, or the reason of its refusal. */
import { readFileSync } from 'node:fs';
import t from 'tap';
import type { Users } from '../../src/system/users.ts';
import { NOWHERE, run, type Situation } from './harness.ts';

/** jsmith is in rstudio-power-users, jane is not; there are no other users. */
const users: Users = {
  user: async (name) => {
    if (name === 'jsmith') return { name, uid: 1001, gid: 100, groups: new Set([100, 500]) };
    return name === 'jane' ? { name, uid: 1002, gid: 100, groups: new Set([100]) } : undefined;
  },
  group: async (name) => (name === 'rstudio-power-users' ? 500 : undefined),
};

const documented: Situation = {
  options: NOWHERE,
  files: {
    'launcher.kubernetes.profiles.conf': readFileSync(
      new URL('../../fixtures/config/groups.profiles.conf', import.meta.url),
      'utf8',
    ),
  },
  context: { users, random: () => 0 },
};

t.test('profile lists each key with value, file and line', async (t) => {
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
    'container-images                 r-session:3.4.2,r-session:3.5.0,r-session:preview  line 22',
    'default-container-image          -                                                  default',
    'allow-unknown-images             1                                                  line 23',
    'placement-constraints            node,region:us,region:eu                           line 5',
    'default-cpus                     3                                                  line 26',
    'default-mem-mb                   4096                                               line 15',
    'max-cpus                         3                                                  line 26',
    'max-mem-mb                       20480                                              line 21',
    'cpu-request-ratio                1.0                                                default',
    'memory-request-ratio             1.0                                                default',
  ]);
});

t.test('profile --json', async (t) => {
  const json = JSON.parse((await run(t, ['profile', 'jane', '--json'], documented)).out);
  t.strictSame([json.user, json.uid, json.groups], ['jane', 1002, [100]]);
  t.strictSame(json.sections, [
    { kind: 'everybody', name: '', file: 'DIR/launcher.kubernetes.profiles.conf', line: 4 },
  ]);
  t.strictSame(json.profile['max-cpus'], { value: 2, file: 'DIR/launcher.kubernetes.profiles.conf', line: 8 });
  t.strictSame(json.profile['default-container-image'], { value: null });
});

t.test('profile of a name that is not a user of this host', async (t) => {
  const stranger = await run(t, ['profile', 'mal\u001b[2Jory'], documented);
  t.equal(stranger.lines[0], 'mal\\u001b[2Jory (not a user of this host, so in no group)');
});

t.test('profile prints values as they can be written in the file', async (t) => {
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
});

t.test('any and all are the same for resource profiles and mount types', async (t) => {
  for (const word of ['any', 'all']) {
    const everything = await run(t, ['profile', 'jane'], {
      ...documented,
      files: { 'launcher.kubernetes.profiles.conf': `[*]\nresource-profiles=${word}\nmount-types=${word}\n` },
    });
    t.equal(everything.err, '', 'no resource profile of that name is missing');
    t.match(everything.out, /^resource-profiles +all +line 2$/m);
    t.match(everything.out, /^mount-types +all +line 3$/m);
  }
});

t.test('profile suggests a section with a similar name', async (t) => {
  const files = { 'launcher.kubernetes.profiles.conf': '[*]\nmax-cpus=2\n\n[jsmiht]\nmax-cpus=4\n\n[jane]\n' };
  const second = async (name: string): Promise<string | undefined> =>
    (await run(t, ['profile', name], { ...documented, files })).lines[1];
  const of = ', of DIR/launcher.kubernetes.profiles.conf';
  t.equal(await second('jsmith'), `[*] line 1; no section of its own; closest name: [jsmiht] line 4${of}`);
  t.equal(await second('jan'), `[*] line 1${of}`, 'jane is a user of this host');
  t.equal(await second('jsmiht'), `[*] line 1, [jsmiht] line 4${of}`);
  t.equal(await second('mallory'), `[*] line 1${of}`);
});

const overridden: Situation = {
  ...documented,
  files: {
    'launcher.kubernetes.profiles.conf':
      '[*]\nmax-cpus=2\ndefault-mem-mb=512\njob-json-overrides="/spec/template/spec/hostAliases":"DIR/aliases.json"\n',
    'aliases.json': '[{"ip":"10.0.0.1","hostnames":["nfs"]}]',
  },
};

t.test('render prints Job and Service as YAML', async (t) => {
  const { out, err, code } = await run(t, ['render', '--user=jane', '--image=r-session:4'], overridden);
  t.strictSame([err, code], ['', 0]);
  t.equal(
    out,
    `# override /spec/template/spec/hostAliases from DIR/aliases.json (DIR/launcher.kubernetes.profiles.conf:4)
# ownerReferences.uid is a placeholder: the real one exists after the Job is created
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
});

t.test('render of a job that the profile refuses', async (t) => {
  const refused = await run(t, ['render', '--user=jane', '--image=r-session:9'], documented);
  t.strictSame(
    [refused.code, refused.out, refused.err.split('\n').at(-2)],
    [
      1,
      '',
      'refused; the launcher would receive Error 2: Image r-session:9 is not one of r-session:3.4.2, r-session:3.5.0 (container-images, DIR/launcher.kubernetes.profiles.conf:10; allow-unknown-images, DIR/launcher.kubernetes.profiles.conf:11).',
    ],
  );
});

t.test('render of a submit message on stdin, as JSON, without the content of stdin', async (t) => {
  const message = JSON.stringify({
    messageType: 2,
    job: { name: 'x', user: 'jane', command: 'cat', container: { image: 'r-session:4' }, stdin: 'secret text' },
  });
  const piped = await run(t, ['render', '-', '-o', 'json'], { ...overridden, input: message });
  t.equal(JSON.parse(piped.out).items[0].spec.template.spec.containers[0].image, 'r-session:4');
  t.equal(
    piped.err,
    'override /spec/template/spec/hostAliases from DIR/aliases.json (DIR/launcher.kubernetes.profiles.conf:4)\nstdin (11 bytes) is stored in Secret x-aaaaaaaaaa-stdin\n',
  );
  t.notMatch(piped.out, 'secret text');
});

t.test('render of input that is not a job', async (t) => {
  const lines: readonly (readonly [input: string, code: number, line: string])[] = [
    ['{', 2, 'rstudio-kubernetes-launcher: render: - is not JSON: '],
    ['{"name":1}', 1, 'refused; the launcher would receive Error 2: job: name '],
    ['{"name":"a","command":"b"}', 2, 'rstudio-kubernetes-launcher: render: the job names no user; add --user'],
  ];
  for (const [input, expected, line] of lines) {
    const wrong = await run(t, ['render', '-'], { ...overridden, input });
    t.equal(wrong.code, expected);
    t.ok(wrong.err.startsWith(line), wrong.err);
  }
});

t.test('render without a user', async (t) => {
  const nobody = await run(t, ['render'], overridden);
  t.equal(nobody.err, 'rstudio-kubernetes-launcher: render: --user is missing\n');
});
