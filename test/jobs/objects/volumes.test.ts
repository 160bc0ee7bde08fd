/** Mounts become volumes: types of the protocol, kinds of Kubernetes volumes, wrapped and unwrapped sources. */
import { readFileSync } from 'node:fs';
import t from 'tap';
import type { Mount } from '../../../src/jobs/job.ts';
import { JobError } from '../../../src/jobs/job-error.ts';
import { VOLUME_KINDS } from '../../../src/jobs/objects/mount-types.ts';
import { podVolumes } from '../../../src/jobs/objects/volumes.ts';

const mountOf = (type: string, source: Mount['source']): Mount => ({
  mountPath: '/m',
  readOnly: false,
  type,
  source,
  shape: 'flat',
});

/** The volume and the volume mount of one mount; the sentence that refuses it. */
function made(type: string, source: Mount['source'], minor = 36): unknown {
  const pod = podVolumes(minor);
  try {
    const [mount] = pod.mount([mountOf(type, source)]);
    const { name: _, ...volume } = pod.volumes()[0] ?? { name: '' };
    return mount?.subPath === undefined ? volume : { ...volume, subPath: mount.subPath };
  } catch (error) {
    if (error instanceof JobError) return error.message;
    throw error;
  }
}

const CLAIM = { persistentVolumeClaim: { claimName: 'home' } };

t.test('a claim as a wrapped passthrough source', async (t) => {
  t.strictSame(made('passthrough', CLAIM), CLAIM);
});

t.test('a claim as an unwrapped passthrough source', async (t) => {
  t.strictSame(made('passthrough', { claimName: 'home' }), CLAIM);
});

for (const type of ['persistentVolumeClaim', 'kubernetesPersistentVolumeClaim', 'KubernetesPersistentVolumeClaim']) {
  t.test(`type ${type}: the source is wrapped`, async (t) => {
    t.strictSame(made(type, { claimName: 'home', readOnly: true }), {
      persistentVolumeClaim: { claimName: 'home', readOnly: true },
    });
  });
}

t.test('a claim with the spelling of configuration files', async (t) => {
  t.strictSame(made('KubernetesPersistentVolumeClaim', { ClaimName: 'home' }), CLAIM);
});

t.test('a claim with a sub path', async (t) => {
  t.strictSame(made('persistentVolumeClaim', { claimName: 'home', subPath: 'jane' }), { ...CLAIM, subPath: 'jane' });
});

t.test('a source that is wrapped already is not wrapped twice', async (t) => {
  t.strictSame(made('kubernetesPersistentVolumeClaim', CLAIM), CLAIM);
});

t.test('other kinds of volumes by their type', async (t) => {
  t.strictSame(made('KubernetesConfigMap', { name: 'settings' }), { configMap: { name: 'settings' } });
  t.strictSame(made('secret', { secretName: 's' }), { secret: { secretName: 's' } });
  t.strictSame(made('emptydir', {}), { emptyDir: {} });
  t.strictSame(made('kubernetesnfs', { server: 'h', path: '/p' }), { nfs: { server: 'h', path: '/p' } });
});

t.test('a custom type with a volume source', async (t) => {
  t.strictSame(made('home', { emptyDir: { medium: 'Memory' } }), { emptyDir: { medium: 'Memory' } });
});

t.test('a source that names no kind of volume is refused, naming the mount', async (t) => {
  t.equal(
    made('passthrough', { claim: 'home' }),
    'The passthrough mount at /m: source has "claim"; it must be one Kubernetes volume source such as {"persistentVolumeClaim": {"claimName": "home"}}.',
  );
});

t.test('a source that names two kinds of volumes is refused', async (t) => {
  t.equal(
    made('passthrough', { emptyDir: {}, nfs: {} }),
    'The passthrough mount at /m: source has "emptyDir", "nfs"; it must be one Kubernetes volume source such as {"persistentVolumeClaim": {"claimName": "home"}}.',
  );
});

t.test('an empty source is refused', async (t) => {
  t.equal(
    made('custom', {}),
    'The custom mount at /m: source is empty; it must be one Kubernetes volume source such as {"persistentVolumeClaim": {"claimName": "home"}}.',
  );
});

t.test('a claim without a name is refused', async (t) => {
  t.equal(
    made('persistentVolumeClaim', { readOnly: true }),
    'The persistentVolumeClaim mount at /m: source.claimName is missing; it must be text that is not empty.',
  );
});

t.test('a type that Kubernetes no longer has is refused since that version', async (t) => {
  const source = { endpoints: 'e', path: 'p' };
  t.strictSame(made('glusterFs', source, 25), { glusterfs: source });
  t.equal(
    made('glusterFs', source, 26),
    'Kubernetes has no glusterFs mounts since 1.26 (mount at /m): create a PersistentVolumeClaim for the storage and mount that, with type passthrough and source {"persistentVolumeClaim": {"claimName": ...}}.',
  );
});

t.test('equal sources share a volume, in whatever order their fields are written', async (t) => {
  const pod = podVolumes(36);
  const mounts = pod.mount([
    mountOf('home', { csi: { driver: 'd', volumeAttributes: { a: '1', b: '2' } } }),
    mountOf('home', { csi: { volumeAttributes: { b: '2', a: '1' }, driver: 'd' } }),
  ]);
  t.equal(pod.volumes().length, 1);
  t.equal(mounts[0]?.name, mounts[1]?.name);
});

t.test('names of inherited properties are neither types nor kinds', async (t) => {
  const sentence = (type: string, key: string): string =>
    `The ${type} mount at /m: source has "${key}"; it must be one Kubernetes volume source such as {"persistentVolumeClaim": {"claimName": "home"}}.`;
  t.equal(made('constructor', { constructor: {} }), sentence('constructor', 'constructor'));
  t.equal(made('passthrough', JSON.parse('{"__proto__":{}}')), sentence('passthrough', '__proto__'));
  t.equal(made('__proto__', { toString: {} }), sentence('__proto__', 'toString'));
});

t.test('the kinds of volumes are those of the recorded API schema', async (t) => {
  const text = readFileSync(new URL('../../../fixtures/openapi/objects.json', import.meta.url), 'utf8');
  const { properties } = JSON.parse(text).components.schemas['io.k8s.api.core.v1.Volume'];
  t.strictSame(
    Object.keys(properties).filter((name) => name !== 'name' && !VOLUME_KINDS.includes(name)),
    [],
  );
});
