/**
 * Step `root-on-node` knows every setting of a job that gives root on a node, each proven by the policy: a job that uses it is
 * refused by the closed profile and allowed by the one that opens it.
 */
import { readFileSync } from 'node:fs';
import t from 'tap';
import { rootOnNode } from '../../src/cli/check/root-on-node.ts';
import { effectiveProfile, NOBODY, parseProfiles } from '../../src/config/profiles/profiles.ts';
import type { JobRequest } from '../../src/jobs/job.ts';
import { mount, REQUEST, refused } from '../jobs/policy/policed.ts';

/** Gives nothing of a node away. Lines 2 to 11 of the file. */
const CLOSED = `run-as=own
pod-security=restricted
capabilities=none
mount-types=nfs
volume-kinds=persistentVolumeClaim,emptyDir,configMap
claims=home-{user}
config-maps=none
host-paths=none
service-accounts=none
secrets=none
`;

function found(lines: string, strongAccounts = false): string {
  const { profiles } = parseProfiles('F', `[*]\n${CLOSED}[jane]\n${lines}`);
  const profile = effectiveProfile(profiles, { names: ['jane'], inGroup: () => false });
  const { status, found } = rootOnNode('jane', profile, strongAccounts);
  return `${status} ${found}`.replace(/^warning jane can become root on a node: a job may /, '');
}

const NONE = 'ok jane cannot become root on a node through a job';
const hostPath = (path: string): Partial<JobRequest> => mount('host', { path });
const adds = (name: string): Partial<JobRequest> => ({
  container: { ...REQUEST.container, image: 'r:4', capabilitiesAdd: [name] },
});
const volume = (kind: string, source: object): Partial<JobRequest> => mount('passthrough', { [kind]: source });
const kind = (name: string): string => `mount-types=passthrough\nvolume-kinds=${name}\n`;
const asRoot = (name: string): string =>
  `make the node mount volumes of kind ${name} as root (mount-types, F:13; volume-kinds, F:14)`;

/** Lines that open one thing, the job that uses it, and what the step says. */
const OPENED: readonly (readonly [lines: string, attack: Partial<JobRequest>, way: string])[] = [
  [
    'mount-types=host\nhost-paths=/home,/var/lib\nrun-as=any\n',
    hostPath('/var/lib/kubelet'),
    'mount /home, /var/lib of the node, and what symbolic links there name, as any user (mount-types, F:13; host-paths, F:14; run-as, F:15)',
  ],
  [
    'mount-types=host\nhost-paths=/etc/cron.d\npod-security=\n',
    hostPath('/etc/cron.d'),
    'mount /etc/cron.d of the node, and what symbolic links there name, and run a setuid program (mount-types, F:13; host-paths, F:14; pod-security, F:15)',
  ],
  [
    'mount-types=host\nhost-paths=/home\nrun-as=any\n',
    hostPath('/home/jane/link-to-etc'),
    'mount /home of the node, and what symbolic links there name, as any user (mount-types, F:13; host-paths, F:14; run-as, F:15)',
  ],
  [
    'capabilities=NET_RAW,SYS_ADMIN\npod-security=\n',
    adds('SYS_ADMIN'),
    'run a root or setuid program with SYS_ADMIN (capabilities, F:13; pod-security, F:14)',
  ],
  [kind('gitRepo'), volume('gitRepo', { repository: 'r' }), asRoot('gitRepo')],
  [kind('flexVolume'), volume('flexVolume', { driver: 'd' }), asRoot('flexVolume')],
  [kind('iscsi'), volume('iscsi', { targetPortal: 'p' }), asRoot('iscsi')],
  [kind('rbd'), volume('rbd', { monitors: ['m'], image: 'i' }), asRoot('rbd')],
  [kind('fc'), volume('fc', {}), asRoot('fc')],
  [kind('csi'), volume('csi', { driver: 'd' }), asRoot('csi')],
  ['mount-types=my-own\nvolume-kinds=csi\n', mount('my-own', { csi: { driver: 'd' } }), asRoot('csi')],
  [
    'mount-types=nfs,cephFs\n',
    mount('cephFs', { monitors: ['m'] }),
    'make the node mount volumes of kind cephfs as root (mount-types, F:13; volume-kinds, F:6)',
  ],
  [
    'mount-types=passthrough\nclaims=any\n',
    volume('persistentVolumeClaim', { claimName: 'home-eve' }),
    'use any claim or persistent volume, also one that is a directory of a node (claims, F:14)',
  ],
  [
    `${kind('ephemeral')}claims=any\n`,
    volume('ephemeral', { volumeClaimTemplate: { spec: { volumeName: 'v' } } }),
    'use any claim or persistent volume, also one that is a directory of a node (claims, F:15)',
  ],
];

for (const [lines, attack, way] of OPENED) {
  t.test(`finds ${lines.trim().replaceAll('\n', ', ')}`, async (t) => {
    t.not(refused(CLOSED, attack), 'allowed');
    t.equal(refused(`${CLOSED}[jane]\n${lines}`, attack), 'allowed');
    t.equal(found(lines), way);
  });
}

t.test('finds nothing in a closed profile and in hardened.profiles.conf', async (t) => {
  t.equal(found(''), NONE);
  const hardened = readFileSync(new URL('../../fixtures/config/hardened.profiles.conf', import.meta.url), 'utf8');
  const { profiles } = parseProfiles('F', hardened);
  t.equal(rootOnNode('jane', effectiveProfile(profiles, NOBODY), true).status, 'ok');
});

t.test('what gives nothing of a node is no finding', async (t) => {
  t.equal(found('mount-types=host\nhost-paths=/home\n'), NONE, 'the user of the job has no root there');
  t.equal(found('capabilities=SYS_ADMIN\n'), NONE, 'pod-security=restricted refuses it');
  t.equal(found('mount-types=passthrough\nhost-paths=any\nrun-as=any\n'), NONE, 'a host path is a host mount');
});

t.test('a token of an account is an administrator where the group has that role', async (t) => {
  const through = (keys: string): string =>
    `create privileged pods with the token of a service account, because the group binding makes it an administrator (${keys})`;
  t.equal(found('service-accounts=any\n', true), through('service-accounts, F:13; secrets, F:11'));
  t.equal(found('secrets=any\n', true), through('service-accounts, F:10; secrets, F:13'));
  t.equal(found('secrets=any\nservice-accounts=any\n'), NONE);
});

t.test('without any profile a user can do everything', async (t) => {
  const { profiles } = parseProfiles('F', '');
  t.equal(
    rootOnNode('a user without a section', effectiveProfile(profiles, NOBODY), false).found,
    'a user without a section can become root on a node: a job may mount any directory of the node as any user (mount-types, host-paths, run-as not set); or make the node mount volumes of any kind as root (mount-types, volume-kinds not set); or use any claim or persistent volume, also one that is a directory of a node (claims not set); or run a root or setuid program with any capability (capabilities, pod-security not set)',
  );
});
