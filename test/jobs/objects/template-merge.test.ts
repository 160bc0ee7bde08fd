/** What the plugin needs is put into what a template renders; nothing of the job is lost silently. */
import t from 'tap';
import type { JobRequest } from '../../../src/jobs/job.ts';
import { JOB_TEMPLATE, refusedBy, rendered, renderedService, SERVICE_TEMPLATE } from './templating.ts';

const POD = `
    spec:
      containers:
        - name: rs-launcher-container
          image: i:1
`;
const least = (spec = '', pod = '', container = '') =>
  `apiVersion: batch/v1\nkind: Job\nspec:${spec}\n  template:${POD}${container}${pod}`;

t.test('identity, name and fixed fields are put in, whatever the template renders', async (t) => {
  const template = `apiVersion: batch/v1
kind: Job
metadata:
  generateName: other-
  namespace: other
  finalizers: [a/b]
  ownerReferences: [{uid: x}]
  labels: {app.kubernetes.io/managed-by: me, app.kubernetes.io/name: session}
spec:
  backoffLimit: 3
  parallelism: 2
  completions: 1
  completionMode: Indexed
  selector: {matchLabels: {a: b}}
  ttlSecondsAfterFinished: 60
  template:
    metadata:
      annotations: {user: root, stdin: text, USER_TAG_7: x}
    spec:
      restartPolicy: OnFailure
      containers:
        - name: rs-launcher-container
          image: i:1
`;
  const { job, changes } = rendered(template, { tags: ['blue'] });
  t.strictSame(job.metadata, {
    name: 'report-a1b2c3d4e5',
    labels: {
      'app.kubernetes.io/managed-by': 'launcher',
      'job-launcher/user': 'alice',
      'app.kubernetes.io/name': 'session',
    },
    annotations: {
      'job-launcher/job': '{"run":"command","command":"true","exe":"","args":[],"variables":[]}',
      'job-launcher/submission': 's-1',
    },
  });
  t.strictSame(job.spec?.template.metadata?.annotations, {
    name: 'report',
    user: 'alice',
    USER_TAG_0: 'blue',
    service_ports: '[]',
  });
  const { backoffLimit, parallelism, completions, completionMode, selector, ttlSecondsAfterFinished } = job.spec ?? {};
  t.strictSame(
    { backoffLimit, parallelism, completions, completionMode, selector, ttlSecondsAfterFinished },
    {
      backoffLimit: 0,
      parallelism: undefined,
      completions: 1,
      completionMode: undefined,
      selector: undefined,
      ttlSecondsAfterFinished: 3600,
    },
  );
  t.equal(job.spec?.template.spec?.restartPolicy, 'Never');
  t.strictSame(changes.toSorted(), [
    'job.tpl: metadata.finalizers (removed)',
    'job.tpl: metadata.labels.app.kubernetes.io/managed-by',
    'job.tpl: metadata.namespace (removed)',
    'job.tpl: metadata.ownerReferences (removed)',
    'job.tpl: spec.backoffLimit',
    'job.tpl: spec.completionMode (removed)',
    'job.tpl: spec.parallelism (removed)',
    'job.tpl: spec.selector (removed)',
    'job.tpl: spec.template.metadata.annotations.user',
    'job.tpl: spec.template.spec.restartPolicy',
  ]);
});

t.test('an active deadline of the Job moves to its pod', async (t) => {
  const { job, pod } = rendered(least('\n  activeDeadlineSeconds: 77'));
  t.strictSame([job.spec?.activeDeadlineSeconds, pod.activeDeadlineSeconds], [undefined, 77]);
});

t.test('a nodeName that is the host of the job becomes a node affinity', async (t) => {
  const { pod } = rendered(least('', '      nodeName: {{ .Job.host }}\n'), { host: 'node-3' });
  t.equal(pod.nodeName, undefined);
  t.strictSame(pod.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution, {
    nodeSelectorTerms: [{ matchFields: [{ key: 'metadata.name', operator: 'In', values: ['node-3'] }] }],
  });
});

t.test('a command of one empty string is removed', async (t) => {
  t.equal(rendered(least('', '', '          command: [""]\n')).pod.containers[0]?.command, undefined);
});

t.test('input opens stdin, and its text is in no object', async (t) => {
  const { job, pod } = rendered(least('', '', '          args: [{{ toJson .Job.stdin }}]\n'), { stdin: 'SECRET' });
  const { stdin, stdinOnce, args } = pod.containers[0] ?? {};
  t.strictSame([stdin, stdinOnce, args], [true, true, ['(delivered by the launcher)']]);
  t.notMatch(JSON.stringify(job), 'SECRET');
});

const INIT = { name: 'i', image: 'init:1', command: 'true', exe: '', args: [], mounts: [], environment: [] };

/** As a template that renders the init containers of the job writes them, each with these fields. */
const initsOfJob = (fields: string): string =>
  `      initContainers: [{{ range .Job.initContainers }}{name: {{ .name }}, image: init:1, ${fields}}{{ end }}]\n`;

t.test('init containers of the job that the template leaves out are put in, with the limits of the job', async (t) => {
  const { pod } = rendered(
    least('', '      initContainers: [{name: own, image: own:1}]\n'),
    { initContainers: [INIT], metadata: { pod: { initContainers: [{ name: 'components', image: 'c:1' }] } } },
    { limits: { cpuMillis: 500 } },
  );
  const resources = { limits: { cpu: '500m' } };
  t.strictSame(pod.initContainers, [
    { name: 'own', image: 'own:1' },
    { name: 'i', image: 'init:1', command: ['/bin/sh'], args: ['-c', 'true'], resources },
    { name: 'components', image: 'c:1', resources },
  ]);
});

t.test('lists that the template leaves empty are as absent', async (t) => {
  const { pod } = rendered(
    least('', '      initContainers:\n      tolerations:\n'),
    { initContainers: [INIT] },
    { lines: 'tolerations=gpu' },
  );
  t.match(pod.initContainers, [{ name: 'i' }]);
  t.match(pod.tolerations, [{ key: 'gpu' }]);
});

t.test('an init container of the job that the template renders keeps the limits and security of the job', async (t) => {
  const { pod } = rendered(
    least('', initsOfJob('resources: {limits: {cpu: 64}}')),
    { initContainers: [INIT] },
    { limits: { cpuMillis: 500 }, lines: 'run-as-non-root=1' },
  );
  t.strictSame(pod.initContainers, [
    {
      name: 'i',
      image: 'init:1',
      resources: { limits: { cpu: '500m' } },
      securityContext: { runAsNonRoot: true },
    },
  ]);
});

t.test('run-as=own holds for init containers of the job, whatever user the template gives them', async (t) => {
  const { pod } = rendered(
    least('', initsOfJob('securityContext: {runAsUser: 0, runAsGroup: 0}')),
    { initContainers: [INIT], container: { image: 'r:4', runAsUserId: 1001 } },
    { lines: 'run-as=own' },
  );
  t.strictSame(pod.initContainers, [{ name: 'i', image: 'init:1' }]);
});

t.test('capabilities of the job are added to those of the template', async (t) => {
  const security = '          securityContext: {capabilities: {add: [NET_ADMIN], drop: [MKNOD]}}\n';
  const { pod } = rendered(least('', '', security), {
    container: { image: 'r:4', capabilitiesAdd: ['SYS_PTRACE'], capabilitiesDrop: ['NET_RAW'] },
  });
  t.strictSame(pod.containers[0]?.securityContext, {
    capabilities: { add: ['NET_ADMIN', 'SYS_PTRACE'], drop: ['MKNOD', 'NET_RAW'] },
  });
});

const MOUNT = {
  mountPath: '/home',
  readOnly: false,
  type: 'nfs',
  source: { host: 'h', path: '/p' },
  shape: 'flat',
} as const;

t.test('a mount of the job that the template leaves out is refused', async (t) => {
  t.equal(
    refusedBy(least(), { mounts: [MOUNT] }),
    'The template job.tpl cannot be used for this job: it does not render the mount at /home.',
  );
  t.equal(refusedBy(JOB_TEMPLATE, { mounts: [MOUNT] }), 'allowed');
});

t.test('a host port of the job that the template leaves out is refused', async (t) => {
  t.equal(
    refusedBy(least(), { exposedPorts: [{ targetPort: 80, publishedPort: 31000, protocol: 'TCP' }] }),
    'The template job.tpl cannot be used for this job: it does not render the host port 31000.',
  );
});

t.test('a volume of the job gets another name where the template uses its name', async (t) => {
  const template = JOB_TEMPLATE.replace(
    'volumes: {{ toYaml . | nindent 8 }}',
    'volumes:\n        - {name: home, emptyDir: {}}{{ toYaml . | nindent 8 }}',
  );
  const { pod } = rendered(template, { mounts: [{ ...MOUNT, name: 'home' }] });
  t.strictSame(pod.volumes, [
    { name: 'home', emptyDir: {} },
    { name: 'home-2', nfs: { server: 'h', path: '/p' } },
  ]);
  t.strictSame(pod.containers[0]?.volumeMounts, [{ name: 'home-2', mountPath: '/home' }]);
});

t.test('keys of the profile apply where the template has not set the same field', async (t) => {
  const lines = 'tolerations=gpu\nimage-pull-secrets=registry\npriority-class=low\njob-labels=team=r,site=profile';
  const { job, pod } = rendered(
    JOB_TEMPLATE.replace('      containers:', '      priorityClassName: high\n      containers:'),
    {},
    { lines },
  );
  t.strictSame(
    [pod.tolerations, pod.imagePullSecrets, pod.priorityClassName],
    [[{ key: 'gpu', operator: 'Exists' }], [{ name: 'registry' }], 'high'],
  );
  t.match(job.metadata?.labels, { team: 'r', site: 'yes-please' });
});

t.test('given a template that sets nothing of it, all that job and options put into a pod is there', async (t) => {
  const lines = 'placement-constraints=zone:a';
  const request = { placementConstraints: [{ name: 'zone', value: 'a' }] };
  const { pod } = rendered(least(), request, { lines, limits: { cpuMillis: 2_000 } });
  t.strictSame(pod, {
    restartPolicy: 'Never',
    enableServiceLinks: false,
    shareProcessNamespace: true,
    automountServiceAccountToken: false,
    nodeSelector: { zone: 'a' },
    containers: [{ name: 'rs-launcher-container', image: 'i:1', resources: { limits: { cpu: '2' } } }],
  });
});

t.test('a field of the pod that the template leaves null is as the profile has it, an empty list is not', async (t) => {
  const of = (written: string) =>
    rendered(least('', `      tolerations: ${written}\n`), {}, { lines: 'tolerations=gpu' }).pod.tolerations;
  t.strictSame(of('null'), [{ key: 'gpu', operator: 'Exists' }]);
  t.strictSame(of('[]'), []);
});

t.test('run-as=own and pod-security=restricted apply whatever the template says', async (t) => {
  const template = least(
    '',
    '      securityContext: {runAsUser: 0, fsGroup: 7}\n',
    '          securityContext: {runAsUser: 0, allowPrivilegeEscalation: true}\n',
  );
  const { pod } = rendered(
    template,
    { container: { image: 'r:4', runAsUserId: 1001, runAsGroupId: 1002 } },
    { lines: 'run-as=own\npod-security=restricted' },
  );
  t.strictSame(pod.securityContext, { runAsUser: 1001, fsGroup: 7, runAsGroup: 1002 });
  t.strictSame(pod.containers[0]?.securityContext, {
    allowPrivilegeEscalation: false,
    runAsNonRoot: true,
    seccompProfile: { type: 'RuntimeDefault' },
    capabilities: { drop: ['ALL'] },
  });
});

t.test('an account that the template names keeps the token setting of the template', async (t) => {
  t.notOk('automountServiceAccountToken' in rendered(least('', '      serviceAccountName: reader\n')).pod);
  t.equal(rendered(least()).pod.automountServiceAccountToken, false);
});

t.test('the Service gets labels, owner and selector of the plugin', async (t) => {
  const { service, changes } = renderedService(`${SERVICE_TEMPLATE}  selector: {job-name: other, tier: web}\n`);
  t.strictSame(service, {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: {
      name: 'report-a1b2c3d4e5',
      labels: { 'app.kubernetes.io/managed-by': 'launcher', 'job-name': 'report-a1b2c3d4e5', site: 'services' },
    },
    spec: {
      type: 'ClusterIP',
      selector: { 'job-name': 'report-a1b2c3d4e5', tier: 'web' },
      ports: [{ name: 'p0', port: 8787, protocol: 'TCP' }],
    },
  });
  t.strictSame(changes, ['service.tpl: spec.selector.job-name']);
});

t.test('an empty service.tpl means no Service', async (t) => {
  t.strictSame(renderedService('{{- /* none */ -}}\n'), {
    service: undefined,
    changes: ['service.tpl: it renders no Service'],
  });
});

t.test('an init container of the job with the name of one of the template is refused', async (t) => {
  const text = JOB_TEMPLATE.replace(
    '      containers:\n',
    '      initContainers: [{name: setup, image: "setup:1", securityContext: {runAsUser: 0}}]\n      containers:\n',
  );
  const of = (name: string): Partial<JobRequest> => ({
    metadata: { pod: { initContainers: [{ name, image: 'setup:1', securityContext: { runAsUser: 5 } }] } },
  });
  const why =
    'The template job.tpl cannot be used for this job: its init container setup has the name of one of the job.';
  t.equal(refusedBy(text, of('setup')), why);
  t.equal(refusedBy(text, { initContainers: [{ ...INIT, name: 'setup' }] }), why);
  t.equal(refusedBy(text, of('other')), 'allowed');
});
