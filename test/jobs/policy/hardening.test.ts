/** Profiles can close every way of a job to a node, to root and to what belongs to others. */
import { readFileSync } from 'node:fs';
import t, { type Test } from 'tap';
import { effectiveProfile, parseProfiles } from '../../../src/config/profiles/profiles.ts';
import type { JobRequest, Mount } from '../../../src/jobs/job.ts';
import type { SystemUser } from '../../../src/system/users.ts';
import { INIT, limits, make, mount, refused, spec } from './policed.ts';

t.test('hardening: mounts', async (t) => {
  const host = (path: string): Partial<JobRequest> => mount('host', { path });
  const at = 'The host mount at /m: ';
  t.equal(refused('', host('/data')), 'allowed');
  t.equal(refused('', host('/data/../etc')), `${at}host path "/data/../etc" must be absolute and without "..".`);
  t.equal(refused('', host('etc')), `${at}host path "etc" must be absolute and without "..".`);
  const below = 'host-paths=/data,/srv/x/';
  for (const path of ['/data', '/data/', '//data//a', '/data/./a', '/srv/x/y'])
    t.equal(refused(below, host(path)), 'allowed', path);
  for (const path of ['/', '/database', '/dat', '/srv', '/srv/xy', '/srv/./data']) {
    t.equal(refused(below, host(path)), `${at}host path "${path}" is not allowed (host-paths, F:2).`);
  }
  t.equal(refused('host-paths=none', host('/data')), `${at}host path "/data" is not allowed (host-paths, F:2).`);
  for (const volume of [
    { hostPath: { path: '/etc' } },
    { hostPath: { path: '/etc', type: 'Directory' }, subPath: 'x' },
  ]) {
    t.equal(
      refused(below, mount('passthrough', volume)),
      'The passthrough mount at /m: host path "/etc" is not allowed (host-paths, F:2).',
      'a host path by another name',
    );
    t.equal(
      refused(below, mount('my-own-type', volume)),
      'The my-own-type mount at /m: host path "/etc" is not allowed (host-paths, F:2).',
    );
  }
  t.equal(
    refused(below, mount('constructor', { hostPath: { path: '/etc' } })).startsWith('The constructor mount at /m: '),
    true,
  );

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
  const mounts: Mount[] = [{ mountPath: '/x', readOnly: true, type: 'host', source: { path: '/etc' }, shape: 'flat' }];
  t.equal(
    refused('host-paths=/data', { initContainers: [{ ...INIT, mounts }] }),
    'The host mount at /x: host path "/etc" is not allowed (host-paths, F:2).',
    'of an init container',
  );
});

t.test('hardening: the user and groups of a job', async (t) => {
  const run = (asked: Partial<NonNullable<JobRequest['container']>>): Partial<JobRequest> => ({
    container: { image: 'r:4', ...asked },
  });
  t.match(spec(make('', run({ runAsUserId: 0, runAsGroupId: 0, supplementalGroupIds: [0] }))).securityContext, {
    runAsUser: 0,
    runAsGroup: 0,
    supplementalGroups: [0],
  });
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

t.test('hardening: capabilities, nodes, ports, metadata', async (t) => {
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

  t.equal(refused('', { host: 'node1' }), 'allowed');
  t.equal(refused('allow-host=0', { host: 'node1' }), 'host "node1" is not allowed (allow-host, F:2).');
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

  const labels = { metadata: { pod: { labels: { team: 'r' } } } };
  t.equal(make('', labels).spec?.template.metadata?.labels?.['team'], 'r');
  t.equal(refused('allow-metadata=0', labels), 'metadata.pod.labels: team is not allowed (allow-metadata, F:2).');
  t.equal(
    refused('allow-metadata=0', { metadata: { service: { annotations: { a: 'b' } } } }),
    'metadata.service.annotations: a is not allowed (allow-metadata, F:2).',
  );
  t.equal(refused('allow-metadata=0', { metadata: { other: 1, pod: { labels: {} } } }), 'allowed');
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

t.test('the hardened example holds what it promises', async (t: Test) => {
  const text = readFileSync(new URL('../../../fixtures/config/hardened.profiles.conf', import.meta.url), 'utf8');
  const profile = effectiveProfile(parseProfiles('F', text).profiles, { names: ['jane'], inGroup: () => false });
  const image = 'registry.example.com/r-session:4.4';
  const job = make('', { container: { image } }, { profile });
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
  for (const attack of attacks) t.not(refused('', attack, { profile }), 'allowed', JSON.stringify(attack));
});
