/** A profile decides which images a job may run, where it runs, and what is added to its pod; policy-effects.test.ts has each key. */
import t from 'tap';
import type { Override } from '../../../src/config/profiles/override-files.ts';
import { parseResourceProfiles } from '../../../src/config/profiles/resource-profiles.ts';
import type { JobRequest } from '../../../src/jobs/job.ts';
import { container, INIT, make, mount, REQUEST, refused, spec } from './policed.ts';

t.test('images', async (t) => {
  const image = (profile: string, of: string | undefined): string | undefined =>
    container(
      make(profile, {
        ...REQUEST,
        ...(of === undefined ? { container: { image: '' } } : { container: { image: of } }),
      }),
    )?.image;
  t.equal(image('', 'any:1'), 'any:1');
  t.equal(image('container-images=a:1', 'b:1'), 'b:1');
  t.equal(image('default-container-image=d:1', undefined), 'd:1');
  t.equal(
    image('allow-unknown-images=0\ndefault-container-image=d:1', 'd:1'),
    'd:1',
    'the default one is always allowed',
  );
  t.equal(image('allow-unknown-images=0\ncontainer-images=a:1', 'a:1'), 'a:1');
  t.equal(
    refused('', { container: { image: '' } }),
    'The job names no container image, and there is no default-container-image.',
  );
  const only = 'container-images=a:1,b:1\nallow-unknown-images=0';
  const said = (name: string): string =>
    `Image ${name} is not one of a:1, b:1 (container-images, F:2; allow-unknown-images, F:3).`;
  for (const each of ['c:1', 'a:1 ', 'A:1', 'docker.io/a:1', 'a']) {
    t.equal(refused(only, { container: { image: each } }), said(each));
  }
  t.equal(refused(only, { container: { image: 'a:1' }, initContainers: [INIT] }), said('init:1'));
  const image1 = mount('passthrough', { image: { reference: 'c:1', pullPolicy: 'Always' } });
  const of = { container: { image: 'a:1' } };
  t.equal(refused(only, { ...of, ...image1 }), said('c:1'), 'an image as a volume');
  t.equal(refused(only, { ...of, initContainers: [{ ...INIT, image: 'b:1', ...image1 }] }), said('c:1'));
  t.equal(refused(only, { ...of, ...mount('passthrough', { image: { reference: 'b:1' } }) }), 'allowed');
  t.equal(refused(only, { ...of, ...mount('passthrough', { rbd: { monitors: ['m'], image: 'disk' } }) }), 'allowed');
  t.equal(refused('', image1), 'allowed');
  t.equal(
    refused('allow-unknown-images=0', {}),
    'Image r:4 is not one of no images (container-images is not set; allow-unknown-images, F:2).',
  );
});

t.test('placement constraints', async (t) => {
  const configured = 'placement-constraints=zone:a,zone:b,pool';
  const selector = (profile: string, ...pairs: [string, string][]): unknown =>
    spec(make(profile, { placementConstraints: pairs.map(([name, value]) => ({ name, value })) })).nodeSelector;
  const said = (profile: string, ...pairs: [string, string][]): string =>
    refused(profile, { placementConstraints: pairs.map(([name, value]) => ({ name, value })) });
  t.same(selector(configured), undefined);
  t.same(selector(configured, ['zone', 'b'], ['pool', 'fast.1']), { zone: 'b', pool: 'fast.1' });
  t.same(selector(configured, ['pool', '']), undefined, 'a form that was left empty');
  t.same(selector(`${configured}\nnode-selector=team=r,pool=x`, ['zone', 'a']), { zone: 'a', team: 'r', pool: 'x' });
  t.equal(said('', ['zone', 'a']), 'Placement constraint zone is not offered (placement-constraints is not set).');
  t.equal(said(configured, ['node', 'a']), 'Placement constraint node is not offered (placement-constraints, F:2).');
  t.equal(
    said(configured, ['zone', 'c']),
    'Placement constraint zone: "c" is not one of a, b (placement-constraints, F:2).',
  );
  t.equal(said(configured, ['pool', 'a b']), 'Placement constraint pool: "a b" cannot be the value of a node label.');
  t.equal(said(configured, ['zone', 'a'], ['zone', 'b']), 'Placement constraint zone has two values.');
  t.equal(
    said(`${configured}\nnode-selector=pool=x`, ['pool', 'y']),
    'Placement constraint pool: the administrator has set it to "x".',
  );
});

t.test('what profiles add to pods', async (t) => {
  const lines = `job-labels=owner={user}
job-annotations=note=for {user} of {group}: {name}`;
  const job = make(lines, { user: 'jane doe@corp', name: 'x: y' });
  for (const metadata of [job.metadata, job.spec?.template.metadata]) {
    t.match(metadata?.labels, { owner: 'jane-doe-corp' });
    t.equal(metadata?.annotations?.['note'], 'for jane doe@corp of staff: x: y');
  }
  t.equal(spec(make('active-deadline-seconds=1')).activeDeadlineSeconds, 2);
  const automount = (profile: string, ...config: JobRequest['config']): unknown =>
    spec(make(profile, { config })).automountServiceAccountToken;
  const named = { name: 'serviceAccountName', value: 'sa' };
  t.equal(automount(''), false);
  t.equal(automount('', named), undefined);
  t.equal(automount('service-account=jobs'), undefined);
  t.equal(automount('automount-service-account-token=1'), true);
  t.equal(automount('automount-service-account-token=0', named), false);
  t.equal(spec(make('service-account=jobs', { config: [named] })).serviceAccountName, 'sa', 'the job may name another');
});

t.test(
  'a job that names no resource profile gets the default one where custom resources are not allowed',
  async (t) => {
    const lines = 'allow-custom-resources=0\ndefault-resource-profile=small';
    const job = make(lines, { resourceProfile: 'custom', resourceLimits: [{ type: 'cpuCount', value: '64' }] });
    t.strictSame(container(job)?.resources, {
      limits: { cpu: '1', memory: '512M' },
      requests: { cpu: '500m', memory: '256M' },
    });
    t.match(job.metadata?.annotations?.['job-launcher/job'], /"resourceProfile":"small"/);
  },
);

t.test('a default resource profile that does not exist or is not allowed is refused by its key', async (t) => {
  const none = { resourceProfile: 'custom' };
  t.equal(
    refused('allow-custom-resources=0\ndefault-resource-profile=tiny', none),
    'There is no resource profile tiny (default-resource-profile, F:3).',
  );
  t.equal(
    refused('allow-custom-resources=0\ndefault-resource-profile=small\nresource-profiles=huge', none),
    'Resource profile small is not allowed (resource-profiles, F:4).',
  );
});

t.test('the default resource profile changes nothing where custom resources are allowed', async (t) => {
  t.same(container(make('default-resource-profile=small', { resourceProfile: 'custom' }))?.resources, undefined);
});

t.test('tolerations and node labels of a resource profile are added to those of the profile', async (t) => {
  const file = '[gpu]\ntolerations=gpu:NoSchedule\nnode-selector=pool=gpu,zone=b';
  const { profiles: resourceProfiles } = parseResourceProfiles('R', file);
  const { tolerations, nodeSelector } = spec(
    make('tolerations=spot\nnode-selector=zone=a', { resourceProfile: 'gpu' }, { resourceProfiles }),
  );
  t.strictSame(tolerations, [
    { key: 'spot', operator: 'Exists' },
    { key: 'gpu', operator: 'Exists', effect: 'NoSchedule' },
  ]);
  t.strictSame(nodeSelector, { pool: 'gpu', zone: 'a' });
});

const override = (pointer: string, value: unknown): Override => ({
  pointer,
  tokens: pointer.slice(1).split('/'),
  file: '/etc/o.json',
  value,
});
const POD = '/spec/template/spec';

t.test('an account that an override names gets its token', async (t) => {
  const overrides = [override(`${POD}/serviceAccountName`, 'reader')];
  t.notOk('automountServiceAccountToken' in spec(make('', {}, { overrides })));
});

t.test('an account that an override names gets no token where the profile forbids it', async (t) => {
  const overrides = [override(`${POD}/serviceAccountName`, 'reader')];
  t.equal(spec(make('automount-service-account-token=0', {}, { overrides })).automountServiceAccountToken, false);
});

t.test('an override decides about the token itself', async (t) => {
  const overrides = [
    override(`${POD}/automountServiceAccountToken`, true),
    override(`${POD}/serviceAccountName`, 'reader'),
  ];
  t.equal(spec(make('', {}, { overrides })).automountServiceAccountToken, true);
});

t.test('run-as=own applies after overrides', async (t) => {
  const overrides = [
    override(`${POD}/securityContext`, { fsGroup: 7, runAsUser: 0 }),
    override(`${POD}/containers/0/securityContext`, { runAsUser: 0, readOnlyRootFilesystem: true }),
  ];
  const pod = spec(make('run-as=own', {}, { overrides }));
  t.strictSame(pod.securityContext, {
    fsGroup: 7,
    runAsUser: 1001,
    runAsGroup: 1002,
    supplementalGroups: [1002, 27],
  });
  t.strictSame(pod.containers[0]?.securityContext, { readOnlyRootFilesystem: true });
});

t.test('run-as=own applies to init containers of the job after overrides', async (t) => {
  const overrides = [override(`${POD}/initContainers/0/securityContext/runAsUser`, 0)];
  const { initContainers } = spec(make('run-as=own', { initContainers: [INIT] }, { overrides }));
  t.strictSame(initContainers, [{ name: 'i', image: 'init:1', command: ['/bin/sh'], args: ['-c', 'true'] }]);
});

t.test('containers that an override adds keep their user', async (t) => {
  const added = { name: 'own', image: 'own:1', securityContext: { runAsUser: 0 } };
  const overrides = [override(`${POD}/initContainers/-`, added), override(`${POD}/containers/-`, added)];
  const pod = spec(make('run-as=own\npod-security=restricted', {}, { overrides }));
  t.strictSame([pod.initContainers, pod.containers[1]], [[added], added]);
});

t.test('pod-security=restricted applies after overrides', async (t) => {
  const overrides = [
    override(`${POD}/containers/0/securityContext`, { allowPrivilegeEscalation: true, readOnlyRootFilesystem: true }),
    override(`${POD}/initContainers/0/securityContext`, null),
  ];
  const pod = spec(make('pod-security=restricted', { initContainers: [INIT] }, { overrides }));
  const restricted = {
    runAsNonRoot: true,
    allowPrivilegeEscalation: false,
    seccompProfile: { type: 'RuntimeDefault' },
    capabilities: { drop: ['ALL'] },
  };
  t.strictSame(pod.containers[0]?.securityContext, { ...restricted, readOnlyRootFilesystem: true });
  t.strictSame(pod.initContainers?.[0]?.securityContext, restricted);
});
