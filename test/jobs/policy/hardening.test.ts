/** Profiles can close every way of a job to a node, to root and to what belongs to others. */
import { readFileSync } from 'node:fs';
import t from 'tap';
import { effectiveProfile, parseProfiles } from '../../../src/config/profiles/profiles.ts';
import type { JobRequest, Mount } from '../../../src/jobs/job.ts';
import type { SystemUser } from '../../../src/system/users.ts';
import { INIT, limits, make, mount, refused, spec } from './policed.ts';

const host = (path: string): Partial<JobRequest> => mount('host', { path });
const AT = 'The host mount at /m: ';
const BELOW = 'host-paths=/data,/srv/x/';

t.test('a host path is absolute and without ".."', async (t) => {
  t.equal(refused('', host('/data')), 'allowed');
  t.equal(refused('', host('/data/../etc')), `${AT}host path "/data/../etc" must be absolute and without "..".`);
  t.equal(refused('', host('etc')), `${AT}host path "etc" must be absolute and without "..".`);
});

t.test('host-paths allows paths and what is below them', async (t) => {
  for (const path of ['/data', '/data/', '//data//a', '/data/./a', '/srv/x/y'])
    t.equal(refused(BELOW, host(path)), 'allowed', path);
  for (const path of ['/', '/database', '/dat', '/srv', '/srv/xy', '/srv/./data']) {
    t.equal(refused(BELOW, host(path)), `${AT}host path "${path}" is not allowed (host-paths, F:2).`);
  }
  t.equal(refused('host-paths=none', host('/data')), `${AT}host path "/data" is not allowed (host-paths, F:2).`);
});

t.test('host-paths holds for host paths in mounts of other types', async (t) => {
  for (const volume of [
    { hostPath: { path: '/etc' } },
    { hostPath: { path: '/etc', type: 'Directory' }, subPath: 'x' },
  ]) {
    t.equal(
      refused(BELOW, mount('passthrough', volume)),
      'The passthrough mount at /m: host path "/etc" is not allowed (host-paths, F:2).',
      'a host path by another name',
    );
    t.equal(
      refused(BELOW, mount('my-own-type', volume)),
      'The my-own-type mount at /m: host path "/etc" is not allowed (host-paths, F:2).',
    );
  }
  t.equal(
    refused(BELOW, mount('constructor', { hostPath: { path: '/etc' } })).startsWith('The constructor mount at /m: '),
    true,
  );
});

t.test('mount-types allows types of mounts, and no host path by another type', async (t) => {
  t.equal(refused('mount-types=nfs', mount('nfs', { host: 'h', path: '/p' })), 'allowed');
  t.equal(refused('mount-types=nfs', host('/data')), 'The host mount at /m is not allowed (mount-types, F:2).');
  t.equal(
    refused('mount-types=none', mount('nfs', { host: 'h', path: '/p' })),
    'The nfs mount at /m is not allowed (mount-types, F:2).',
  );
  t.equal(
    refused('mount-types=passthrough', mount('passthrough', { persistentVolumeClaim: { claimName: 'c' } })),
    'allowed',
  );
  t.equal(
    refused('mount-types=nfs', mount('passthrough', { persistentVolumeClaim: { claimName: 'c' } })),
    'The passthrough mount at /m is not allowed (mount-types, F:2).',
  );
  t.equal(
    refused('mount-types=passthrough', mount('passthrough', { hostPath: { path: '/' } })),
    'The passthrough mount at /m is not allowed (it is a host mount) (mount-types, F:2).',
  );
});

t.test('mounts of init containers obey the profile, too', async (t) => {
  const mounts: Mount[] = [{ mountPath: '/x', readOnly: true, type: 'host', source: { path: '/etc' }, shape: 'flat' }];
  t.equal(
    refused('host-paths=/data', { initContainers: [{ ...INIT, mounts }] }),
    'The host mount at /x: host path "/etc" is not allowed (host-paths, F:2).',
  );
});

const run = (asked: Partial<NonNullable<JobRequest['container']>>): Partial<JobRequest> => ({
  container: { image: 'r:4', ...asked },
});

t.test('without run-as, a job has the user and groups that it asks for', async (t) => {
  t.match(spec(make('', run({ runAsUserId: 0, runAsGroupId: 0, supplementalGroupIds: [0] }))).securityContext, {
    runAsUser: 0,
    runAsGroup: 0,
    supplementalGroups: [0],
  });
});

t.test('run-as=own: a job runs as its user, in groups of this user', async (t) => {
  t.same(spec(make('run-as=own')).securityContext, {
    runAsUser: 1001,
    runAsGroup: 1002,
    supplementalGroups: [1002, 27],
  });
  t.same(
    spec(make('run-as=own', run({ runAsUserId: 1001, runAsGroupId: 27, supplementalGroupIds: [27] }))).securityContext,
    {
      runAsUser: 1001,
      runAsGroup: 27,
      supplementalGroups: [27],
    },
  );
});

t.test('run-as=own: another user and groups of others are refused', async (t) => {
  t.equal(
    refused('run-as=own', run({ runAsUserId: 0 })),
    'container.runAsUserId 0 is not that of jane, 1001 (run-as, F:2).',
  );
  t.equal(
    refused('run-as=own', run({ runAsGroupId: 0 })),
    'container.runAsGroupId 0 is not a group of jane (run-as, F:2).',
  );
  t.equal(
    refused('run-as=own', run({ supplementalGroupIds: [27, 0] })),
    'container.supplementalGroupIds: 0 is not a group of jane (run-as, F:2).',
  );
  t.equal(
    refused('run-as=own', {}, { user: undefined }),
    'user jane does not exist on this host, so run-as=own cannot determine a uid (run-as, F:2).',
  );
});

t.test('run-as=own: another user and groups of others are refused in containers of metadata', async (t) => {
  const init = (securityContext: object) => ({
    metadata: { pod: { initContainers: [{ name: 'i', image: 'i:1', securityContext }] } },
  });
  const WHERE = 'metadata.pod.initContainers (i): securityContext.';
  t.equal(refused('run-as=own', init({ runAsUser: 1001, runAsGroup: 27 })), 'allowed');
  t.equal(refused('run-as=own', init({ runAsUser: 1002 })), `${WHERE}runAsUser 1002 is not allowed (run-as, F:2).`);
  t.equal(
    refused('run-as=own', init({ runAsUser: 1001, runAsGroup: 28 })),
    `${WHERE}runAsGroup 28 is not allowed (run-as, F:2).`,
  );
  t.equal(
    refused('run-as-non-root=1', init({ runAsUser: 0 })),
    `${WHERE}runAsUser 0 is not allowed (run-as-non-root, F:2).`,
  );
  t.equal(refused('', init({ runAsUser: 0, runAsGroup: 0 })), 'allowed');
});

t.test('root is refused by run-as-non-root and pod-security', async (t) => {
  const root: SystemUser = { name: 'jane', uid: 0, gid: 0, groups: new Set([0]) };
  t.equal(
    refused('run-as=own\npod-security=restricted', {}, { user: root }),
    'container.runAsUserId 0 is not allowed (pod-security, F:3).',
    "the user's own id, but root",
  );
  t.equal(
    refused('run-as-non-root=1', run({ runAsUserId: 0 })),
    'container.runAsUserId 0 is not allowed (run-as-non-root, F:2).',
  );
  t.equal(
    refused('pod-security=restricted', run({ runAsUserId: 0 })),
    'container.runAsUserId 0 is not allowed (pod-security, F:2).',
  );
});

t.test('capabilities allows capabilities by name', async (t) => {
  const add = (...capabilitiesAdd: string[]): Partial<JobRequest> => ({ container: { image: 'r:4', capabilitiesAdd } });
  t.equal(refused('', add('SYS_ADMIN')), 'allowed');
  t.equal(refused('capabilities=SYS_PTRACE', add('CAP_SYS_PTRACE')), 'allowed');
  t.equal(
    refused('capabilities=SYS_PTRACE', add('SYS_PTRACE', 'sys_admin')),
    'container.capabilitiesAdd: sys_admin is not allowed (capabilities, F:2).',
  );
  t.equal(
    refused('capabilities=SYS_PTRACE', add('ALL')),
    'container.capabilitiesAdd: ALL is not allowed (capabilities, F:2).',
  );
  t.equal(
    refused('capabilities=none', add('NET_RAW')),
    'container.capabilitiesAdd: NET_RAW is not allowed (capabilities, F:2).',
  );
  t.equal(
    refused('pod-security=restricted', add('NET_RAW')),
    'container.capabilitiesAdd: NET_RAW is not allowed (pod-security, F:2).',
  );
  t.equal(refused('pod-security=restricted', add('NET_BIND_SERVICE')), 'allowed');
});

t.test('allow-host=0 refuses jobs that name a host', async (t) => {
  t.equal(refused('', { host: 'node1' }), 'allowed');
  t.equal(refused('allow-host=0', { host: 'node1' }), 'host "node1" is not allowed (allow-host, F:2).');
});

t.test('allow-host-ports=0 refuses published ports', async (t) => {
  const ports = {
    exposedPorts: [
      { targetPort: 80, protocol: 'TCP' },
      { targetPort: 81, publishedPort: 8081, protocol: 'TCP' },
    ],
  };
  t.equal(refused('', ports), 'allowed');
  t.equal(
    refused('allow-host-ports=0', ports),
    'exposedPorts: publishedPort 8081 is not allowed (allow-host-ports, F:2).',
  );
  t.equal(refused('allow-host-ports=0', { exposedPorts: [{ targetPort: 80, protocol: 'TCP' }] }), 'allowed');
});

t.test('allow-metadata=0 refuses labels and annotations of a job', async (t) => {
  const labels = { metadata: { pod: { labels: { team: 'r' } } } };
  t.equal(make('', labels).spec?.template.metadata?.labels?.['team'], 'r');
  t.equal(refused('allow-metadata=0', labels), 'metadata.pod.labels: team is not allowed (allow-metadata, F:2).');
  t.equal(
    refused('allow-metadata=0', { metadata: { service: { annotations: { a: 'b' } } } }),
    'metadata.service.annotations: a is not allowed (allow-metadata, F:2).',
  );
  t.equal(refused('allow-metadata=0', { metadata: { other: 1, pod: { labels: {} } } }), 'allowed');
});

t.test('metadata cannot forge what the plugin records', async (t) => {
  t.match(
    refused('', { metadata: { pod: { annotations: { user: 'root' } } } }),
    /metadata\.pod\.annotations: the key user/,
    'a forged owner',
  );
  t.match(
    refused('', { metadata: { job: { annotations: { 'job-launcher/result': '{}' } } } }),
    /the key job-launcher\/result/,
  );
});

const EXAMPLE = readFileSync(new URL('../../../fixtures/config/hardened.profiles.conf', import.meta.url), 'utf8');
const example = effectiveProfile(parseProfiles('F', EXAMPLE).profiles, { names: ['jane'], inGroup: () => false });
const image = 'registry.example.com/r-session:4.4';

t.test('the hardened example makes a job with few permissions', async (t) => {
  const job = make('', { container: { image } }, { profile: example });
  t.match(spec(job), {
    automountServiceAccountToken: false,
    activeDeadlineSeconds: 604800,
    securityContext: { runAsUser: 1001, runAsGroup: 1002, supplementalGroups: [1002, 27] },
    containers: [
      {
        image,
        resources: { limits: { cpu: '1', memory: '2048M' } },
        securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
      },
    ],
  });
});

t.test('the hardened example refuses what leads to nodes, root and other users', async (t) => {
  const attacks: Partial<JobRequest>[] = [
    { container: { image: 'evil:1' } },
    { container: { image }, initContainers: [INIT] },
    { container: { image, runAsUserId: 0 } },
    { container: { image, capabilitiesAdd: ['SYS_ADMIN'] } },
    { container: { image }, ...mount('host', { path: '/' }) },
    { container: { image }, ...mount('passthrough', { hostPath: { path: '/' } }) },
    { container: { image }, config: [{ name: 'serviceAccountName', value: 'default' }] },
    { container: { image }, config: [{ name: 'secret', value: 'db:pw' }] },
    { container: { image }, host: 'control-plane' },
    { container: { image }, exposedPorts: [{ targetPort: 1, publishedPort: 22, protocol: 'TCP' }] },
    { container: { image }, metadata: { pod: { labels: { 'istio-injection': 'disabled' } } } },
    { container: { image }, ...limits({ cpuCount: '5' }) },
  ];
  for (const attack of attacks) t.not(refused('', attack, { profile: example }), 'allowed', JSON.stringify(attack));
});
