/** `render` prints the objects of a job, or the reason of its refusal. */
import t from 'tap';
import { documented } from './documented.ts';
import { run, type Situation } from './harness.ts';

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

t.test('render of a sample job without an image names the option', async (t) => {
  const { code, err } = await run(t, ['render', '--user=jane'], overridden);
  t.equal(code, 1);
  t.equal(
    err,
    'refused; the launcher would receive Error 2: The job names no container image, and there is no default-container-image.\nThe sample job has the default image of the profile; to try another one: --image IMAGE\n',
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
