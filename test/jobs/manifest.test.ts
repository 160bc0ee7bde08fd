/** From a launcher job to Kubernetes objects: kubernetes-objects.md sections 1, 3 and 4, whole objects at a time. */
import t from 'tap';
import { JobError } from '../../src/jobs/contract.ts';
import type { JobRequest, Mount } from '../../src/jobs/job.ts';
import { buildJob, type ManifestContext, ttlSeconds } from '../../src/jobs/manifest.ts';
import { buildService, extrasOf } from '../../src/jobs/service.ts';
import { buildInputSecret, checkInput } from '../../src/jobs/stdin.ts';
import { request, resolved, schemaCheck } from './requests.ts';

const CONTEXT: ManifestContext = {
  id: 'report-a1b2c3d4e5',
  submissionId: 's-1',
  jobExpiryHours: 24,
  shareProcessNamespace: true,
  minor: 36,
};
const check = schemaCheck();

t.test('the least that a job can say', async (t) => {
  const job = buildJob(resolved({ command: 'true' }), CONTEXT);
  t.strictSame(job, {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: {
      name: 'report-a1b2c3d4e5',
      labels: { 'app.kubernetes.io/managed-by': 'launcher', 'job-launcher/user': 'alice' },
      annotations: { 'job-launcher/job': '{"run":"command"}', 'job-launcher/submission': 's-1' },
    },
    spec: {
      backoffLimit: 0,
      ttlSecondsAfterFinished: 90000,
      template: {
        metadata: {
          labels: { 'app.kubernetes.io/managed-by': 'launcher', 'job-launcher/user': 'alice' },
          annotations: { name: 'report', user: 'alice', service_ports: '[]' },
        },
        spec: {
          restartPolicy: 'Never',
          containers: [{ name: 'rs-launcher-container', image: 'busybox', command: ['/bin/sh'], args: ['-c', 'true'] }],
          enableServiceLinks: false,
          automountServiceAccountToken: false,
          shareProcessNamespace: true,
        },
      },
    },
  });
  t.equal(check('batch.v1.Job', job), '');
});

t.test('everything that a job and its profile can say', async (t) => {
  const asked: Partial<JobRequest> = {
    name: 'Größe $1',
    user: 'DOMAIN\\jane doe',
    group: 'staff',
    cluster: 'Kube',
    command: 'echo $HOME "$(date)"',
    args: ['a b', '$X'],
    workingDirectory: '/work',
    instanceId: 'workbench 1',
    environment: [
      { name: 'PRICE', value: '$5 $$ $(A)' },
      { name: 'EMPTY', value: '' },
    ],
    config: [
      { name: 'secret', value: 'warehouse:password:DB_PASSWORD' },
      { name: 'secret', value: 'warehouse:USER_NAME' },
      { name: 'serviceAccountName', value: 'reader' },
      { name: 'pool', valueType: 'string', value: 'a' },
    ],
    container: {
      image: 'r:4',
      runAsUserId: 0,
      runAsGroupId: 100,
      supplementalGroupIds: [27, 0],
      capabilitiesAdd: ['SYS_PTRACE'],
      capabilitiesDrop: ['NET_RAW'],
    },
    exposedPorts: [
      { targetPort: 8787, protocol: 'TCP' },
      { targetPort: 4040, publishedPort: 31000, protocol: 'UDP' },
    ],
    host: 'node-3',
    placementConstraints: [{ name: 'region', value: 'us' }],
    resourceLimits: [{ type: 'cpuCount', value: '0.5' }],
    mounts: [
      { mountPath: '/home', readOnly: false, type: 'nfs', source: { host: 'nfs1', path: '/home' }, shape: 'flat' },
      {
        name: 'My Data',
        mountPath: '/data',
        readOnly: true,
        type: 'host',
        source: { path: '/data' },
        shape: 'mountSource',
      },
    ],
    initContainers: [
      {
        name: 'prepare',
        image: 'busybox:1',
        command: '',
        exe: '/bin/cp',
        args: ['$a', '/home'],
        mounts: [
          { mountPath: '/mnt', readOnly: false, type: 'nfs', source: { path: '/home', host: 'nfs1' }, shape: 'flat' },
        ],
        environment: [{ name: 'A', value: 'b$' }],
      },
    ],
    queues: ['q'],
    tags: ['first', 'second'],
    stdin: 'secret text',
    stdoutFile: '/o',
    stderrFile: '/e',
    systemJob: true,
    resourceProfile: 'small',
    pid: 7,
    metadata: {
      job: { labels: { team: 'blue' }, annotations: { note: 'x' } },
      pod: { annotations: { 'cluster-autoscaler.kubernetes.io/safe-to-evict': 'false' } },
      service: { labels: { exposed: 'yes' }, annotations: { lb: 'internal' } },
      other: 1,
    },
  };
  const job = resolved(asked, {
    limits: { cpuMillis: 500, memoryMb: 512 },
    requests: { cpuMillis: 2000, memoryMb: 256 },
    nvidiaGpus: 2,
    amdGpus: 1,
    pod: {
      imagePullPolicy: 'Always',
      imagePullSecrets: ['registry'],
      serviceAccount: 'of-profile',
      tolerations: [{ key: 'gpu', operator: 'Exists', effect: 'NoSchedule' }],
      nodeSelector: { pool: 'batch' },
      priorityClass: 'low',
      dropCapabilities: ['CHOWN'],
      restricted: true,
      activeDeadlineSeconds: 1,
      labels: { tier: 'gold' },
      annotations: { contact: 'ops' },
    },
  });
  const built = buildJob(job, { ...CONTEXT, shareProcessNamespace: false, jobExpiryHours: 0.5 });
  const security = {
    runAsNonRoot: true,
    allowPrivilegeEscalation: false,
    seccompProfile: { type: 'RuntimeDefault' },
  };
  const resources = { limits: { cpu: '500m', memory: '512M' }, requests: { cpu: '2', memory: '256M' } };
  const labels = {
    'app.kubernetes.io/managed-by': 'launcher',
    'launcher-instance-id': 'workbench-1',
    'job-launcher/user': 'DOMAIN-jane-doe',
    tier: 'gold',
  };
  const note = JSON.parse(built.metadata?.annotations?.['job-launcher/job'] ?? '');
  t.strictSame(note, {
    run: 'command',
    split: [3, 2],
    group: 'staff',
    cluster: 'Kube',
    config: asked.config,
    exposedPorts: asked.exposedPorts,
    host: 'node-3',
    initContainers: [{ name: 'prepare', run: 'exe', mounts: asked.initContainers?.[0]?.mounts }],
    instanceId: 'workbench 1',
    mounts: asked.mounts,
    placementConstraints: [{ name: 'region', value: 'us' }],
    queues: ['q'],
    resourceLimits: [{ type: 'cpuCount', value: '0.5' }],
    resourceProfile: 'small',
    stdin: true,
    stderrFile: '/e',
    stdoutFile: '/o',
    systemJob: true,
    pid: 7,
  });
  t.strictSame(built, {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: {
      name: 'report-a1b2c3d4e5',
      labels: { team: 'blue', ...labels },
      annotations: {
        note: 'x',
        contact: 'ops',
        'job-launcher/job': built.metadata?.annotations?.['job-launcher/job'],
        'job-launcher/submission': 's-1',
      },
    },
    spec: {
      backoffLimit: 0,
      ttlSecondsAfterFinished: 5400,
      template: {
        metadata: {
          labels,
          annotations: {
            'cluster-autoscaler.kubernetes.io/safe-to-evict': 'false',
            contact: 'ops',
            name: 'Größe $1',
            user: 'DOMAIN\\jane doe',
            USER_TAG_0: 'first',
            USER_TAG_1: 'second',
            service_ports:
              '[{"targetPort":8787,"protocol":"TCP"},{"targetPort":4040,"publishedPort":31000,"protocol":"UDP"}]',
            user_metadata: JSON.stringify(asked.metadata),
          },
        },
        spec: {
          restartPolicy: 'Never',
          initContainers: [
            {
              name: 'prepare',
              image: 'busybox:1',
              imagePullPolicy: 'Always',
              command: ['/bin/cp'],
              args: ['$$a', '/home'],
              env: [{ name: 'A', value: 'b$$' }],
              resources,
              volumeMounts: [{ name: 'mount0', mountPath: '/mnt' }],
              securityContext: { capabilities: { drop: ['CHOWN', 'ALL'] }, ...security },
            },
          ],
          containers: [
            {
              name: 'rs-launcher-container',
              image: 'r:4',
              imagePullPolicy: 'Always',
              command: ['/bin/sh'],
              args: ['-c', 'echo $$HOME "$$(date)" a b $$X'],
              workingDir: '/work',
              env: [
                { name: 'PRICE', value: '$$5 $$$$ $$(A)' },
                { name: 'EMPTY', value: '' },
                { name: 'DB_PASSWORD', valueFrom: { secretKeyRef: { name: 'warehouse', key: 'password' } } },
                { name: 'USER_NAME', valueFrom: { secretKeyRef: { name: 'warehouse', key: 'USER_NAME' } } },
              ],
              ports: [{ containerPort: 4040, hostPort: 31000, protocol: 'UDP' }],
              resources: {
                limits: { cpu: '500m', memory: '512M', 'nvidia.com/gpu': '2', 'amd.com/gpu': '1' },
                requests: { cpu: '2', memory: '256M' },
              },
              volumeMounts: [
                { name: 'mount0', mountPath: '/home' },
                { name: 'my-data', mountPath: '/data', readOnly: true },
              ],
              stdin: true,
              stdinOnce: true,
              securityContext: {
                capabilities: { add: ['SYS_PTRACE'], drop: ['NET_RAW', 'CHOWN', 'ALL'] },
                ...security,
              },
            },
          ],
          volumes: [
            { name: 'mount0', nfs: { server: 'nfs1', path: '/home' } },
            { name: 'my-data', hostPath: { path: '/data' } },
          ],
          enableServiceLinks: false,
          serviceAccountName: 'reader',
          securityContext: { runAsUser: 0, runAsGroup: 100, supplementalGroups: [27, 0] },
          nodeSelector: { region: 'us', pool: 'batch' },
          affinity: {
            nodeAffinity: {
              requiredDuringSchedulingIgnoredDuringExecution: {
                nodeSelectorTerms: [{ matchFields: [{ key: 'metadata.name', operator: 'In', values: ['node-3'] }] }],
              },
            },
          },
          tolerations: [{ key: 'gpu', operator: 'Exists', effect: 'NoSchedule' }],
          imagePullSecrets: [{ name: 'registry' }],
          priorityClassName: 'low',
          activeDeadlineSeconds: 2,
        },
      },
    },
  });
  t.equal(check('batch.v1.Job', built), '');

  const owner = { name: 'report-a1b2c3d4e5', uid: 'u-1' };
  const ownerReferences = [
    {
      apiVersion: 'batch/v1',
      kind: 'Job',
      name: 'report-a1b2c3d4e5',
      uid: 'u-1',
      controller: false,
      blockOwnerDeletion: false,
    },
  ];
  const service = buildService(job, owner, 'LoadBalancer');
  t.strictSame(service, {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: {
      name: 'report-a1b2c3d4e5',
      labels: {
        exposed: 'yes',
        tier: 'gold',
        'app.kubernetes.io/managed-by': 'launcher',
        'launcher-instance-id': 'workbench-1',
      },
      annotations: { lb: 'internal', contact: 'ops' },
      ownerReferences,
    },
    spec: {
      type: 'LoadBalancer',
      selector: { 'job-name': 'report-a1b2c3d4e5' },
      ports: [{ name: 'port0', port: 8787, targetPort: 8787, protocol: 'TCP' }],
    },
  });
  t.equal(check('core.v1.Service', service), '');
  const made = extrasOf(buildJob(job, CONTEXT));
  t.strictSame([made.labels, made.annotations], [{ tier: 'gold' }, { contact: 'ops' }], 'for a Service made later');

  const secret = buildInputSecret(owner, 'secret text');
  t.strictSame(secret, {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: {
      name: 'report-a1b2c3d4e5-stdin',
      labels: { 'app.kubernetes.io/managed-by': 'launcher' },
      ownerReferences,
    },
    type: 'Opaque',
    immutable: true,
    data: { stdin: 'c2VjcmV0IHRleHQ=' },
  });
  t.equal(check('core.v1.Secret', secret), '');
});

t.test('what a container runs', async (t) => {
  const run = (members: Partial<JobRequest>) => {
    const { command, args } = buildJob(resolved(members), CONTEXT).spec?.template.spec?.containers[0] ?? {};
    return { command, args };
  };
  t.strictSame(run({ exe: '/bin/x', args: ['a', '$b'] }), { command: ['/bin/x'], args: ['a', '$$b'] });
  t.strictSame(run({ exe: '/bin/x' }), { command: ['/bin/x'], args: undefined });
  t.strictSame(run({ args: ['only'] }), { command: undefined, args: ['only'] });
  t.strictSame(run({}), { command: undefined, args: undefined });
});

t.test('every type of mount', async (t) => {
  const volumesOf = (mounts: readonly Mount[], minor = 25) => {
    const spec = buildJob(resolved({ mounts }), { ...CONTEXT, minor }).spec?.template.spec;
    t.equal(check('batch.v1.Job', buildJob(resolved({ mounts }), { ...CONTEXT, minor })), '');
    return { volumes: spec?.volumes, mounts: spec?.containers[0]?.volumeMounts };
  };
  const mount = (type: string, source: Mount['source'], more: Partial<Mount> = {}): Mount => ({
    mountPath: '/m',
    readOnly: false,
    type,
    source,
    shape: 'flat',
    ...more,
  });
  t.strictSame(
    volumesOf([
      mount('azureFile', { secretName: 's', shareName: 'h' }, { readOnly: true }),
      mount('cephFs', { monitors: ['a:1', 'b:1'], path: '/p', user: 'u', secretFile: '/f', secretRef: 'r' }),
      mount('passthrough', { persistentVolumeClaim: { claimName: 'home' }, subPath: 'jane' }),
      mount('custom', { emptyDir: { sizeLimit: '1Gi' } }),
      mount('constructor', { emptyDir: { medium: 'Memory' }, subPath: 'x' }),
    ]),
    {
      volumes: [
        { name: 'mount0', azureFile: { secretName: 's', shareName: 'h', readOnly: true } },
        {
          name: 'mount1',
          cephfs: { monitors: ['a:1', 'b:1'], path: '/p', user: 'u', secretFile: '/f', secretRef: { name: 'r' } },
        },
        { name: 'mount2', persistentVolumeClaim: { claimName: 'home' } },
        { name: 'mount3', emptyDir: { sizeLimit: '1Gi' } },
        { name: 'mount4', emptyDir: { medium: 'Memory' } },
      ],
      mounts: [
        { name: 'mount0', mountPath: '/m', readOnly: true },
        { name: 'mount1', mountPath: '/m' },
        { name: 'mount2', mountPath: '/m', subPath: 'jane' },
        { name: 'mount3', mountPath: '/m' },
        { name: 'mount4', mountPath: '/m', subPath: 'x' },
      ],
    },
  );
  t.strictSame(volumesOf([mount('glusterFs', { endpoints: 'e', path: '/p' })]).volumes, [
    { name: 'mount0', glusterfs: { endpoints: 'e', path: '/p' } },
  ]);
  t.strictSame(
    volumesOf([
      mount('host', { path: '/a' }, { name: 'Data' }),
      mount('host', { path: '/b' }, { name: 'data' }),
      mount('host', { path: '/a' }, { name: 'again', mountPath: '/n' }),
      mount('host', { path: '/c' }, { name: 'ü' }),
    ]),
    {
      volumes: [
        { name: 'data', hostPath: { path: '/a' } },
        { name: 'data-2', hostPath: { path: '/b' } },
        { name: 'u', hostPath: { path: '/c' } },
      ],
      mounts: [
        { name: 'data', mountPath: '/m' },
        { name: 'data-2', mountPath: '/m' },
        { name: 'data', mountPath: '/n' },
        { name: 'u', mountPath: '/m' },
      ],
    },
  );
});

const NO_SECRET = /^config secret must be secretName:key or secretName:key:ENV_NAME\.$/;

t.test('what cannot be made is refused, naming the field', async (t) => {
  const refused: readonly (readonly [string, Partial<JobRequest>, RegExp])[] = [
    ...[
      'user',
      'name',
      'stdin',
      'service_ports',
      'user_metadata',
      'USER_TAG_7',
      'job-launcher/control',
      'launcher-instance-id',
      'app.kubernetes.io/managed-by',
      'job-name',
      'controller-uid',
    ].flatMap((key): (readonly [string, Partial<JobRequest>, RegExp])[] => [
      [`label ${key}`, { metadata: { job: { labels: { [key]: 'x' } } } }, new RegExp(`metadata.job.labels.*${key}`)],
      [
        `annotation ${key}`,
        { metadata: { pod: { annotations: { [key]: 'x' } } } },
        new RegExp(`metadata.pod.annotations.*${key}`),
      ],
    ]),
    [
      'a label of the job controller',
      { metadata: { pod: { labels: { 'batch.kubernetes.io/job-name': 'x' } } } },
      /batch\.kubernetes\.io\/job-name/,
    ],
    ['a label that is no text', { metadata: { job: { labels: { a: 1 } } } }, /metadata\.job\.labels: the value of a/],
    ['a secret without a key', { config: [{ name: 'secret', value: 'hunter2' }] }, NO_SECRET],
    ['a secret of too many parts', { config: [{ name: 'secret', value: 'a:b:c:hunter2' }] }, NO_SECRET],
    [
      'a variable without a name',
      { environment: [{ name: '', value: 'hunter2' }] },
      /^environment\[0\]: "" is not the name of a variable\.$/,
    ],
    [
      'a variable that is written as in a shell',
      {
        environment: [
          { name: 'A', value: 'x' },
          { name: 'PASSWORD=hunter2\n=', value: '' },
        ],
      },
      /^environment\[1\]: "PASSWORD=\.\.\." is not the name of a variable\.$/,
    ],
    ['a variable that is too long', { environment: [{ name: 'A', value: 'x'.repeat(131_070) }] }, /A has 131072 bytes/],
    ['an argument that is too long', { exe: '/x', args: ['é'.repeat(65_536)] }, /131072 bytes.*131071/],
    ['a command that is too long', { command: 'x', args: ['y'.repeat(131_070)] }, /131072 bytes/],
    [
      'a port that is none',
      { exposedPorts: [{ targetPort: 0, protocol: 'TCP' }] },
      /^exposedPorts: targetPort 0 is not a port from 1 to 65535\.$/,
    ],
    [
      'a port that is too high',
      { exposedPorts: [{ targetPort: 70_000, protocol: 'TCP' }] },
      /^exposedPorts: targetPort 70000 is not a port from 1 to 65535\.$/,
    ],
    [
      'a port of the host that is none',
      { exposedPorts: [{ targetPort: 80, publishedPort: -1, protocol: 'TCP' }] },
      /^exposedPorts: publishedPort -1 is not a port from 1 to 65535\.$/,
    ],
    [
      'a protocol that is none',
      { exposedPorts: [{ targetPort: 80, protocol: 'HTTP' }] },
      /^exposedPorts: protocol "HTTP" is not one of TCP, UDP, SCTP\.$/,
    ],
    ['a NUL in the directory', { workingDirectory: '/a\0b' }, /^workingDirectory holds a NUL character\.$/],
    ['a NUL in an argument', { exe: '/x', args: ['a\0b'] }, /^command or args: an argument holds a NUL character\.$/],
    [
      'a NUL in a variable',
      { environment: [{ name: 'A', value: 'secret\0' }] },
      /^environment: A holds a NUL character\.$/,
    ],
    ['tags that are too many', { tags: Array.from({ length: 300 }, () => 'x'.repeat(1000)) }, /262144/],
    ['a job that is too large', { exe: '/x', args: Array.from({ length: 15 }, () => 'x'.repeat(100_000)) }, /1400000/],
    [
      'nfs without a host',
      { mounts: [{ mountPath: '/m', readOnly: false, type: 'nfs', source: { path: '/' }, shape: 'flat' }] },
      /nfs mount at \/m needs source\.host/,
    ],
    [
      'ceph without monitors',
      { mounts: [{ mountPath: '/m', readOnly: false, type: 'cephFs', source: { monitors: [] }, shape: 'flat' }] },
      /cephFs.*(monitors|PersistentVolumeClaim)/,
    ],
    [
      'gluster since 1.26',
      {
        mounts: [
          { mountPath: '/m', readOnly: false, type: 'glusterFs', source: { endpoints: 'e', path: '/' }, shape: 'flat' },
        ],
      },
      /no glusterFs mounts since 1\.26.*PersistentVolumeClaim/,
    ],
  ];
  for (const [what, members, sentence] of refused) {
    const error = t.throws(() => buildJob(resolved(members), CONTEXT), { code: 'invalid-request' }, what);
    t.match(String(error instanceof JobError ? error.message : ''), sentence, what);
  }
  t.doesNotThrow(() => buildJob(resolved({ environment: [{ name: 'A', value: 'x'.repeat(131_069) }] }), CONTEXT));
  t.doesNotThrow(() => buildJob(resolved({ exposedPorts: [{ targetPort: 65_535, protocol: 'SCTP' }] }), CONTEXT));
  t.doesNotThrow(() => buildJob(resolved({ exe: '/x', args: ['$'.repeat(131_071)] }), CONTEXT), '$ is counted once');
  t.throws(() => checkInput('x'.repeat(1_048_577)), { code: 'invalid-request' });
  t.doesNotThrow(() => checkInput('x'.repeat(1_048_576)));
  t.throws(
    () =>
      buildService(
        { ...resolved({ metadata: { service: { labels: { user: 'x' } } } }) },
        { name: 'a', uid: 'u' },
        'NodePort',
      ),
    {
      code: 'invalid-request',
    },
  );
});

t.test('automount, expiry and the least that is written', async (t) => {
  const specOf = (members: Parameters<typeof resolved>[0], policy?: Parameters<typeof resolved>[1]) =>
    buildJob(resolved(members, policy), CONTEXT).spec?.template.spec;
  const named = { config: [{ name: 'serviceAccountName', value: 'a' }] };
  t.equal(specOf({})?.automountServiceAccountToken, false, 'nobody named an account');
  t.notOk('automountServiceAccountToken' in (specOf(named) ?? {}), 'the job did');
  t.equal(specOf(named, { pod: { automountServiceAccountToken: false } })?.automountServiceAccountToken, false);
  t.equal(specOf({}, { pod: { automountServiceAccountToken: true } })?.automountServiceAccountToken, true);
  t.equal(specOf({}, { pod: { serviceAccount: 'p' } })?.serviceAccountName, 'p');
  t.equal(specOf({}, { pod: { activeDeadlineSeconds: 90 } })?.activeDeadlineSeconds, 90);
  t.equal(ttlSeconds(0), 3600);
  t.equal(ttlSeconds(1000), 3_603_600);
  t.equal(ttlSeconds(87_600_000), 2_147_483_647);
  t.equal(buildJob(resolved(request({ user: '***' })), CONTEXT).metadata?.labels?.['job-launcher/user'], undefined);
});
