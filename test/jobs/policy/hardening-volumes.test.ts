/** Volumes of passthrough and custom mounts: their kinds, the claims and ConfigMaps they name, and their types. */
import t from 'tap';
import type { JobRequest } from '../../../src/jobs/job.ts';
import { mount, refused } from './policed.ts';

const claim = (claimName: string) => mount('passthrough', { persistentVolumeClaim: { claimName } });
const configMap = (name: string) => mount('passthrough', { configMap: { name } });

t.test('volume-kinds: any kind that it does not name is refused', async (t) => {
  const lines = 'volume-kinds=persistentVolumeClaim,emptyDir,configMap';
  t.equal(refused(lines, claim('home')), 'allowed');
  const sources = {
    gitRepo: { repository: 'r' },
    flexVolume: { driver: 'd' },
    iscsi: { targetPortal: 'p' },
    rbd: { monitors: ['m'], image: 'disk' },
    fc: {},
    cephfs: { monitors: ['m'] },
    glusterfs: { endpoints: 'e', path: '/' },
    csi: { driver: 'd' },
    ephemeral: { volumeClaimTemplate: { spec: { volumeName: 'v' } } },
    projected: { sources: [] },
    secret: { secretName: 's' },
  };
  for (const [kind, source] of Object.entries(sources)) {
    t.equal(
      refused(lines, mount('passthrough', { [kind]: source })),
      `The passthrough mount at /m: a volume of kind ${kind} is not allowed (volume-kinds, F:2).`,
    );
  }
});

t.test('volume-kinds: a custom type is no way around it', async (t) => {
  t.equal(
    refused('volume-kinds=none', mount('my-own', { emptyDir: {} })),
    'The my-own mount at /m: a volume of kind emptyDir is not allowed (volume-kinds, F:2).',
  );
});

t.test('volume-kinds: mounts of the types of the launcher are the matter of mount-types', async (t) => {
  t.equal(refused('volume-kinds=none', mount('nfs', { host: 'h', path: '/p' })), 'allowed');
});

t.test('mount-types: a type that names a kind of volume counts as passthrough', async (t) => {
  const source = { claimName: 'home' };
  t.equal(refused('mount-types=passthrough', mount('kubernetesPersistentVolumeClaim', source)), 'allowed');
  t.equal(refused('mount-types=persistentVolumeClaim', mount('KubernetesPersistentVolumeClaim', source)), 'allowed');
  t.equal(
    refused('mount-types=nfs', mount('persistentVolumeClaim', source)),
    'The persistentVolumeClaim mount at /m is not allowed (mount-types, F:2).',
  );
});

t.test('mount-types: a host path under the name of its kind is a host mount', async (t) => {
  t.equal(
    refused('mount-types=passthrough', mount('kubernetesHostPath', { path: '/etc' })),
    'The kubernetesHostPath mount at /m is not allowed (it is a host mount) (mount-types, F:2).',
  );
  t.equal(
    refused('host-paths=/data', mount('hostpath', { path: '/etc' })),
    'The hostpath mount at /m: host path "/etc" is not allowed (host-paths, F:2).',
  );
});

t.test('claims: {user} is the user of the job', async (t) => {
  const lines = 'claims=shared,home-{user}';
  t.equal(refused(lines, claim('home-jane')), 'allowed');
  t.equal(refused(lines, claim('shared')), 'allowed');
  t.equal(
    refused(lines, claim('home-eve')),
    'The passthrough mount at /m: claim home-eve is not allowed (claims, F:2).',
  );
});

t.test('claims: {group} is the group of the job only if its user is in it', async (t) => {
  const lines = 'claims=data-{group}';
  t.equal(refused(lines, claim('data-staff'), { group: 'staff' }), 'allowed');
  const said = (name: string): string => `The passthrough mount at /m: claim ${name} is not allowed (claims, F:2).`;
  t.equal(refused(lines, claim('data-staff'), { group: '' }), said('data-staff'));
  t.equal(refused(lines, claim('data-'), { group: '' }), said('data-'));
});

t.test('claims: a persistent volume by its name is refused', async (t) => {
  const source = { ephemeral: { volumeClaimTemplate: { spec: { volumeName: 'of-others' } } } };
  t.equal(
    refused('claims=home-{user}', mount('passthrough', source)),
    'The passthrough mount at /m: volume of-others is not allowed (claims, F:2).',
  );
  t.equal(refused('', mount('passthrough', source)), 'allowed');
});

t.test('config-maps: of a volume and of a projected volume', async (t) => {
  const lines = 'config-maps=settings-{user}';
  t.equal(refused(lines, configMap('settings-jane')), 'allowed');
  const said = 'The passthrough mount at /m: ConfigMap root-ca is not allowed (config-maps, F:2).';
  t.equal(refused(lines, configMap('root-ca')), said);
  t.equal(refused(lines, mount('passthrough', { projected: { sources: [{ configMap: { name: 'root-ca' } }] } })), said);
});

t.test('a pod certificate is an identity of the service account', async (t) => {
  const source = { projected: { sources: [{ podCertificate: { signerName: 's' } }] } };
  t.equal(
    refused('service-accounts=none', mount('passthrough', source)),
    'The passthrough mount at /m: a token of service account default is not allowed (service-accounts, F:2).',
  );
});

t.test('names of inherited properties are refused as sources', async (t) => {
  t.match(
    refused('mount-types=passthrough', mount('passthrough', { constructor: {} })),
    /^The passthrough mount at \/m: source has "constructor"; /,
  );
  for (const source of [
    '{"__proto__":{"path":"/etc"}}',
    '{"toString":{}}',
    '{"emptyDir":{},"__proto__":{"hostPath":{}}}',
  ])
    t.match(
      refused('mount-types=passthrough', mount('passthrough', JSON.parse(source))),
      /^The passthrough mount at \/m: source has "/,
    );
  t.match(
    refused('mount-types=any\nvolume-kinds=none', mount('constructor', { path: '/etc' })),
    'at /m: source has "path"',
  );
  t.not(refused('mount-types=nfs', mount('__proto__', { hostPath: { path: '/etc' } })), 'allowed');
});

const copyOf = (source: object): Partial<JobRequest> =>
  mount('passthrough', { ephemeral: { volumeClaimTemplate: { spec: source } } });

t.test('claims: a claim that copies the claim of another user is refused', async (t) => {
  const lines = 'claims=home-{user}';
  const claimOf = (name: string) => ({ kind: 'PersistentVolumeClaim', name });
  const said = 'The passthrough mount at /m: claim home-eve is not allowed (claims, F:2).';
  t.equal(refused(lines, copyOf({ dataSource: claimOf('home-eve') })), said);
  t.equal(refused(lines, copyOf({ dataSourceRef: claimOf('home-eve') })), said);
  t.equal(refused(lines, copyOf({ dataSource: claimOf('home-jane') })), 'allowed');
});

t.test('claims: a claim from a snapshot, from another namespace, or by labels is refused', async (t) => {
  const lines = 'claims=home-{user}';
  const said = (what: string): string => `The passthrough mount at /m: volume ${what} is not allowed (claims, F:2).`;
  t.equal(refused(lines, copyOf({ dataSource: { kind: 'VolumeSnapshot', name: 'of-eve' } })), said('of-eve'));
  const elsewhere = { kind: 'PersistentVolumeClaim', name: 'home-jane', namespace: 'other' };
  t.equal(refused(lines, copyOf({ dataSourceRef: elsewhere })), said('home-jane'));
  t.equal(refused(lines, copyOf({ selector: { matchLabels: { tier: 'gold' } } })), said('selected by labels'));
});

t.test('allow-metadata=0: a new claim has no labels and annotations of the job', async (t) => {
  const claimed = (more: Record<string, unknown>) =>
    mount('passthrough', { ephemeral: { volumeClaimTemplate: { ...more, spec: { accessModes: ['ReadWriteOnce'] } } } });
  t.equal(
    refused('allow-metadata=0', claimed({ metadata: { annotations: { a: 'b' } } })),
    'The passthrough mount at /m: metadata of a volume claim is not allowed (allow-metadata, F:2).',
  );
  t.equal(refused('allow-metadata=0', claimed({})), 'allowed');
  t.equal(refused('', claimed({ metadata: { labels: { a: 'b' } } })), 'allowed');
});

t.test('a host path that Linux cannot open is refused', async (t) => {
  const of = (length: number) => mount('host', { path: '/'.padEnd(length, 'a') });
  t.equal(refused('', of(4096)), 'The host mount at /m: a host path has at most 4095 bytes.');
  t.equal(refused('', of(4095)), 'allowed');
});
