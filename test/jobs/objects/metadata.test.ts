/** The metadata of a job: keys of the plugin are refused everywhere, init containers run under the policy. */
import t from 'tap';
import { INIT, make, mount, refused, spec } from '../policy/policed.ts';

const COMPONENT = {
  name: 'session-components',
  image: 'components:1',
  command: ['cp', '-r', '/from', '$(TARGET)'],
  env: [{ name: 'TARGET', value: '/to' }],
  volumeMounts: [{ name: 'home', mountPath: '/to' }],
};
const withInits = (...initContainers: unknown[]) => ({ metadata: { pod: { initContainers } } });
const where = 'metadata.pod.initContainers (session-components)';

t.test(
  'init containers of metadata run after those of the job, as they came, with the limits of the job',
  async (t) => {
    const { initContainers } = spec(
      make('default-cpus=2\nimage-pull-policy=Always\ndrop-capabilities=NET_RAW', {
        ...withInits({ ...COMPONENT, resources: { limits: { 'nvidia.com/gpu': '8' } } }),
        initContainers: [INIT],
      }),
    );
    t.strictSame(initContainers?.[1], {
      ...COMPONENT,
      imagePullPolicy: 'Always',
      resources: { limits: { cpu: '2' }, requests: { cpu: '2' } },
      securityContext: { capabilities: { drop: ['NET_RAW'] } },
    });
    t.equal(initContainers?.[0]?.name, 'i');
  },
);

t.test('image-pull-policy holds for init containers of metadata and for volumes of images', async (t) => {
  const image = { image: { reference: 'data:1', pullPolicy: 'Never' } };
  const request = {
    ...withInits({ ...COMPONENT, volumeMounts: [], imagePullPolicy: 'Never' }),
    ...mount('passthrough', image),
  };
  const pod = spec(make('image-pull-policy=Always', request));
  t.equal(pod.initContainers?.[0]?.imagePullPolicy, 'Always');
  t.strictSame(pod.volumes, [{ name: 'mount0', image: { reference: 'data:1', pullPolicy: 'Always' } }]);
  const free = spec(make('', request));
  t.equal(free.initContainers?.[0]?.imagePullPolicy, 'Never');
  t.strictSame(free.volumes, [{ name: 'mount0', ...image }]);
});

t.test('resources of an init container of metadata count for nothing', async (t) => {
  const { initContainers } = spec(make('', withInits({ ...COMPONENT, resources: { limits: { cpu: '64' } } })));
  t.strictSame(initContainers, [COMPONENT]);
});

t.test('the image of an init container of metadata is under the policy', async (t) => {
  t.match(
    refused('allow-unknown-images=0\ncontainer-images=r:4', withInits(COMPONENT)),
    /^Image components:1 is not one of r:4 /,
  );
});

t.test('Secrets and ConfigMaps of an init container of metadata are under the policy', async (t) => {
  const fromSecret = { ...COMPONENT, env: [{ name: 'A', valueFrom: { secretKeyRef: { name: 's', key: 'k' } } }] };
  t.equal(refused('secrets=none', withInits(fromSecret)), `${where}: Secret s is not allowed (secrets, F:2).`);
  const allOfSecret = { ...COMPONENT, envFrom: [{ secretRef: { name: 's' } }] };
  t.equal(refused('secrets=none', withInits(allOfSecret)), `${where}: Secret s is not allowed (secrets, F:2).`);
  const fromMap = { ...COMPONENT, envFrom: [{ configMapRef: { name: 'c' } }] };
  t.equal(refused('config-maps=none', withInits(fromMap)), `${where}: ConfigMap c is not allowed (config-maps, F:2).`);
});

t.test('an init container of metadata cannot be privileged', async (t) => {
  t.equal(
    refused('', withInits({ ...COMPONENT, securityContext: { privileged: true } })),
    `${where}: securityContext.privileged cannot be set by jobs.`,
  );
});

t.test('user, capabilities and host ports of an init container of metadata are under the policy', async (t) => {
  const secured = (securityContext: object) => withInits({ ...COMPONENT, securityContext });
  t.equal(
    refused('run-as=own', secured({ runAsUser: 7 })),
    `${where}: securityContext.runAsUser 7 is not allowed (run-as, F:2).`,
  );
  t.equal(
    refused('run-as=own', secured({ runAsGroup: 7 })),
    `${where}: securityContext.runAsGroup 7 is not allowed (run-as, F:2).`,
  );
  t.equal(refused('run-as=own', secured({ runAsUser: 1001, runAsGroup: 27 })), 'allowed');
  t.equal(
    refused('run-as-non-root=1', secured({ runAsUser: 0 })),
    `${where}: securityContext.runAsUser 0 is not allowed (run-as-non-root, F:2).`,
  );
  t.equal(
    refused('capabilities=none', secured({ capabilities: { add: ['SYS_ADMIN'] } })),
    `${where}: securityContext.capabilities.add: SYS_ADMIN is not allowed (capabilities, F:2).`,
  );
  t.equal(
    refused('allow-host-ports=0', withInits({ ...COMPONENT, ports: [{ containerPort: 1, hostPort: 1 }] })),
    `${where}: a host port is not allowed (allow-host-ports, F:2).`,
  );
});

t.test('pod-security=restricted holds for init containers of metadata', async (t) => {
  const { initContainers } = spec(
    make('pod-security=restricted', withInits({ ...COMPONENT, securityContext: { allowPrivilegeEscalation: true } })),
  );
  t.strictSame(initContainers?.[0]?.securityContext, {
    allowPrivilegeEscalation: false,
    capabilities: { drop: ['ALL'] },
    runAsNonRoot: true,
    seccompProfile: { type: 'RuntimeDefault' },
  });
});

t.test('pod-security=restricted refuses probes and hooks for which the node connects to other hosts', async (t) => {
  const said = `${where}: a probe or hook with host 169.254.169.254 is not allowed (pod-security, F:2).`;
  const http = { httpGet: { host: '169.254.169.254', port: 80 } };
  const tcp = { tcpSocket: { host: '169.254.169.254', port: 80 } };
  for (const action of [http, tcp]) {
    for (const probe of ['livenessProbe', 'readinessProbe', 'startupProbe'])
      t.equal(refused('pod-security=restricted', withInits({ ...COMPONENT, [probe]: action })), said, probe);
    for (const hook of ['postStart', 'preStop'])
      t.equal(refused('pod-security=restricted', withInits({ ...COMPONENT, lifecycle: { [hook]: action } })), said);
  }
  const own = { ...COMPONENT, livenessProbe: { httpGet: { port: 80 } }, lifecycle: null };
  t.equal(refused('pod-security=restricted', withInits(own)), 'allowed');
});

t.test('where mounts are restricted, an init container of metadata mounts volumes of the job alone', async (t) => {
  const job = { ...withInits(COMPONENT), ...mount('nfs', { host: 'h', path: '/p' }) };
  t.equal(
    refused('mount-types=nfs', job),
    `${where}: volume home is not one of the mounts of the job (mount-types, F:2).`,
  );
  const device = { ...withInits({ ...COMPONENT, volumeMounts: [], volumeDevices: [{ name: 'disk' }] }) };
  t.equal(
    refused('volume-kinds=emptyDir', device),
    `${where}: volume disk is not one of the mounts of the job (volume-kinds, F:2).`,
  );
  const file = (volumeName: string) => ({
    ...COMPONENT,
    volumeMounts: [],
    env: [{ name: 'A', valueFrom: { fileKeyRef: { volumeName, path: 'p', key: 'k' } } }],
  });
  t.equal(
    refused('mount-types=nfs', withInits(file('license'))),
    `${where}: volume license is not one of the mounts of the job (mount-types, F:2).`,
  );
  for (const key of ['host-paths', 'claims', 'config-maps', 'secrets'])
    t.equal(
      refused(`${key}=none`, withInits(COMPONENT)),
      `${where}: volume home is not one of the mounts of the job (${key}, F:2).`,
    );
  const scratch = mount('passthrough', { emptyDir: {} });
  t.equal(refused('claims=none', { ...scratch, ...withInits(file('mount0')) }), 'allowed');
  const own = { ...COMPONENT, volumeMounts: [{ name: 'mount0', mountPath: '/to' }] };
  t.equal(refused('mount-types=nfs', { ...job, ...withInits(own) }), 'allowed');
  t.equal(refused('', job), 'allowed');
});

t.test(
  'where amounts are limited, an init container of metadata cannot run beside the job with limits of its own',
  async (t) => {
    const beside = withInits({ ...COMPONENT, restartPolicy: 'Always' });
    const said = (key: string): string =>
      `${where}: restartPolicy Always is not allowed, because it runs beside the job with the limits of the job once more (${key}, F:2).`;
    for (const [key, line] of [
      ['max-cpus', 'max-cpus=2'],
      ['max-mem-mb', 'max-mem-mb=512'],
      ['max-cpus-request', 'max-cpus-request=2'],
      ['max-mem-mb-request', 'max-mem-mb-request=512'],
    ] as const)
      t.equal(refused(line, beside), said(key));
    t.equal(
      refused('allow-custom-resources=0', { ...beside, resourceProfile: 'small' }),
      said('allow-custom-resources'),
    );
    t.equal(refused('max-cpus=2', withInits(COMPONENT)), 'allowed');
    t.equal(refused('default-cpus=2', beside), 'allowed');
  },
);

t.test('malformed init containers of metadata are refused by field', async (t) => {
  const rows: readonly (readonly [unknown, string])[] = [
    [{}, 'metadata.pod.initContainers must be a list of containers.'],
    ['x', 'metadata.pod.initContainers must be a list of containers.'],
    [[7], 'metadata.pod.initContainers[0] must be a container.'],
    [
      [{ image: 'a' }],
      'metadata.pod.initContainers[0].name must be a DNS label (lower-case letters, digits and -, at most 63 characters).',
    ],
    [[{ name: 'a', image: '' }], 'metadata.pod.initContainers[0].image must name an image.'],
    [
      [{ ...COMPONENT, securityContext: { capabilities: { add: { 0: 'ALL' } } } }],
      'metadata.pod.initContainers[0].securityContext.capabilities.add must be a list of strings.',
    ],
    [
      [{ ...COMPONENT, securityContext: { capabilities: { drop: 5 } } }],
      'metadata.pod.initContainers[0].securityContext.capabilities.drop must be a list of strings.',
    ],
    [
      [COMPONENT, COMPONENT],
      'metadata.pod.initContainers[1].name session-components is the name of another container of the job.',
    ],
    [
      [{ name: 'rs-launcher-container', image: 'a' }],
      'metadata.pod.initContainers[0].name rs-launcher-container is the name of another container of the job.',
    ],
    [
      Array.from({ length: 101 }, () => COMPONENT),
      'metadata.pod.initContainers is a list of 101; it must be a list of at most 100.',
    ],
  ];
  for (const [initContainers, said] of rows) t.equal(refused('', { metadata: { pod: { initContainers } } }), said);
});

t.test('a key of the plugin for the Service is refused also without ports', async (t) => {
  t.equal(
    refused('', { metadata: { service: { labels: { 'job-name': 'other' } } } }),
    "metadata.service.labels: the key job-name is the launcher's own; a job cannot set it.",
  );
});
