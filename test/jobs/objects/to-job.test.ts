/** The objects of a job that uses every field: kubernetes-objects.md sections 1, 3 and 4. */
import t from 'tap';
import type { JobRequest } from '../../../src/jobs/job.ts';
import { buildService, profileMetadataOf, withOwnerReference } from '../../../src/jobs/objects/service.ts';
import { buildInputSecret } from '../../../src/jobs/operations/input.ts';
import { builtJob, CONTEXT, resolved, schemaCheck } from '../requests.ts';

const check = schemaCheck();

t.test('everything that a job and its profile can say', async (t) => {
  // A field that is added to the job table must be added here: the type requires all of them.
  const asked: Required<Omit<JobRequest, 'exe'>> = {
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
    lines: [
      'image-pull-policy=Always',
      'image-pull-secrets=registry',
      'service-account=of-profile',
      'tolerations=gpu:NoSchedule',
      'priority-class=low',
      'drop-capabilities=CHOWN',
      'pod-security=restricted',
      'active-deadline-seconds=1',
      'job-labels=tier=gold',
      'job-annotations=contact=ops',
    ].join('\n'),
    nodeSelector: { region: 'us', pool: 'batch' },
  });
  const built = builtJob(job, { ...CONTEXT, shareProcessNamespace: false, jobExpiryHours: 0.5 });
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
  const service = withOwnerReference(buildService(job, owner.name, 'LoadBalancer'), owner);
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
  const made = profileMetadataOf(builtJob(job, CONTEXT));
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
