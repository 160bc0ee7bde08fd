/**
 * Each profile key has its effect: on the Job, without and with templates, on what is refused, or on what users may choose.
 * docs/templates.md names the keys that shape the pod.
 */
import { readFileSync } from 'node:fs';
import t from 'tap';
import { PROFILE_KEYS, type ProfileKey } from '../../../src/config/profiles/profile-table.ts';
import { effectiveProfile, NOBODY, parseProfiles } from '../../../src/config/profiles/profiles.ts';
import { parseResourceProfiles } from '../../../src/config/profiles/resource-profiles.ts';
import type { JobRequest } from '../../../src/jobs/job.ts';
import { clusterInfo } from '../../../src/jobs/policy/cluster-info.ts';
import { BARE_TEMPLATE, templatesOf } from '../objects/templating.ts';
import { schemaCheck } from '../requests.ts';
import { limits, make, mount, OWN_ACCOUNT, RESOURCES, refused } from './policed.ts';

interface Effect {
  readonly value: string;
  /** Further lines of the section, and the job for which the key matters. */
  readonly lines?: string;
  readonly request?: Partial<JobRequest>;
  /** What the key changes in the Job, by path, or with which sentence the job is refused. */
  readonly job?: Readonly<Record<string, unknown>> | string;
  /** What it changes in cluster info. */
  readonly info?: Readonly<Record<string, unknown>>;
  /** The test file of an effect that is in none of them. */
  readonly elsewhere?: string;
}

const check = schemaCheck();
const POD = 'spec.template.spec';
const MAIN = `${POD}.containers.0`;
const RESTRICTED = {
  capabilities: { drop: ['ALL'] },
  runAsNonRoot: true,
  allowPrivilegeEscalation: false,
  seccompProfile: { type: 'RuntimeDefault' },
};
const LIMITS = [{ type: 'cpuCount' }, { type: 'CPU Request' }, { type: 'memory' }, { type: 'Memory Request' }];
const claim = mount('passthrough', { persistentVolumeClaim: { claimName: 'home' } });
const PASSTHROUGH = 'The passthrough mount at /m';

const EFFECTS: Readonly<Record<ProfileKey, Effect>> = {
  'container-images': { value: 'a:1', info: { images: ['a:1'] } },
  'default-container-image': { value: 'd:1', info: { images: ['d:1'], defaultImage: 'd:1' } },
  'allow-unknown-images': {
    value: '0',
    lines: 'container-images=a:1',
    job: 'Image r:4 is not one of a:1 (container-images, F:2; allow-unknown-images, F:3).',
    info: { allowUnknownImages: false },
  },
  'placement-constraints': { value: 'zone', info: { placementConstraints: [{ name: 'zone', value: '' }] } },
  'default-cpus': {
    value: '2',
    job: { [`${MAIN}.resources`]: { limits: { cpu: '2' }, requests: { cpu: '2' } } },
    info: { 'resourceLimits.0.defaultValue': '2' },
  },
  'default-mem-mb': {
    value: '200',
    job: { [`${MAIN}.resources`]: { limits: { memory: '200M' }, requests: { memory: '200M' } } },
    info: { 'resourceLimits.2.defaultValue': '200' },
  },
  'max-cpus': {
    value: '2',
    job: { [`${MAIN}.resources`]: { limits: { cpu: '2' }, requests: { cpu: '2' } } },
    info: { 'resourceLimits.0.maxValue': '2' },
  },
  'max-mem-mb': {
    value: '200',
    job: { [`${MAIN}.resources`]: { limits: { memory: '200M' }, requests: { memory: '200M' } } },
    info: { 'resourceLimits.2.maxValue': '200' },
  },
  'cpu-request-ratio': {
    value: '0.5',
    lines: 'default-cpus=2',
    job: { [`${MAIN}.resources.requests.cpu`]: '1' },
  },
  'memory-request-ratio': {
    value: '0.5',
    lines: 'default-mem-mb=200',
    job: { [`${MAIN}.resources.requests.memory`]: '100M' },
  },
  'default-cpus-request': {
    value: '1',
    job: { [`${MAIN}.resources`]: { requests: { cpu: '1' } } },
    info: { 'resourceLimits.1.defaultValue': '1' },
  },
  'max-cpus-request': {
    value: '1',
    request: limits({ 'CPU Request': '2' }),
    job: 'CPU Request 2 is above the maximum of 1 (max-cpus-request, F:2).',
    info: { 'resourceLimits.1.maxValue': '1' },
  },
  'default-mem-mb-request': {
    value: '100',
    job: { [`${MAIN}.resources`]: { requests: { memory: '100M' } } },
    info: { 'resourceLimits.3.defaultValue': '100' },
  },
  'max-mem-mb-request': {
    value: '100',
    request: limits({ 'Memory Request': '200' }),
    job: 'Memory Request 200 is above the maximum of 100 (max-mem-mb-request, F:2).',
    info: { 'resourceLimits.3.maxValue': '100' },
  },
  'default-nvidia-gpus': {
    value: '1',
    lines: 'max-nvidia-gpus=2',
    job: { [`${MAIN}.resources`]: { limits: { 'nvidia.com/gpu': '1' } } },
    info: { 'resourceLimits.4.defaultValue': '1' },
  },
  'default-amd-gpus': {
    value: '1',
    lines: 'max-amd-gpus=2',
    job: { [`${MAIN}.resources`]: { limits: { 'amd.com/gpu': '1' } } },
    info: { 'resourceLimits.4.defaultValue': '1' },
  },
  'max-nvidia-gpus': { value: '2', info: { resourceLimits: [...LIMITS, { type: 'NVIDIA GPUs', maxValue: '2' }] } },
  'max-amd-gpus': { value: '2', info: { resourceLimits: [...LIMITS, { type: 'AMD GPUs', maxValue: '2' }] } },
  'job-json-overrides': { value: '"/spec/a":"/etc/a"', elsewhere: 'main/configuration.test.ts' },
  'resource-profiles': {
    value: 'none',
    request: { resourceProfile: 'small' },
    job: 'Resource profile small is not allowed (resource-profiles, F:2).',
    info: { resourceProfiles: [] },
  },
  'allow-custom-resources': {
    value: '0',
    job: 'The job must name a resource profile (allow-custom-resources, F:2).',
  },
  'default-resource-profile': { value: 'small', elsewhere: 'jobs/policy/policy.test.ts' },
  'image-pull-policy': { value: 'Never', job: { [`${MAIN}.imagePullPolicy`]: 'Never' } },
  'image-pull-secrets': {
    value: 'reg,reg2',
    job: { [`${POD}.imagePullSecrets`]: [{ name: 'reg' }, { name: 'reg2' }] },
  },
  'service-account': {
    value: 'jobs',
    job: { [`${POD}.serviceAccountName`]: 'jobs', [`${POD}.automountServiceAccountToken`]: undefined },
  },
  tolerations: {
    value: 'gpu=yes:NoSchedule,any',
    job: {
      [`${POD}.tolerations`]: [
        { key: 'gpu', operator: 'Equal', value: 'yes', effect: 'NoSchedule' },
        { key: 'any', operator: 'Exists' },
      ],
    },
  },
  'node-selector': { value: 'pool=batch', job: { [`${POD}.nodeSelector`]: { pool: 'batch' } } },
  'priority-class': { value: 'low', job: { [`${POD}.priorityClassName`]: 'low' } },
  'run-as-non-root': { value: '1', job: { [`${MAIN}.securityContext`]: { runAsNonRoot: true } } },
  'drop-capabilities': {
    value: 'NET_RAW',
    job: { [`${MAIN}.securityContext`]: { capabilities: { drop: ['NET_RAW'] } } },
  },
  'pod-security': { value: 'restricted', job: { [`${MAIN}.securityContext`]: RESTRICTED } },
  'automount-service-account-token': { value: '1', job: { [`${POD}.automountServiceAccountToken`]: true } },
  'active-deadline-seconds': { value: '60', job: { [`${POD}.activeDeadlineSeconds`]: 60 } },
  'fail-pending-reasons': { value: 'ErrImagePull', elsewhere: 'jobs/upkeep/rules.test.ts' },
  'job-labels': {
    value: 'owner={user},rp={resource-profile}',
    job: {
      'metadata.labels.owner': 'jane',
      'metadata.labels.rp': 'custom',
      'spec.template.metadata.labels.owner': 'jane',
      'spec.template.metadata.labels.rp': 'custom',
    },
  },
  'job-annotations': {
    value: 'note=for {user} of {group}: {name}',
    job: {
      'metadata.annotations.note': 'for jane of staff: a job',
      'spec.template.metadata.annotations.note': 'for jane of staff: a job',
    },
  },
  'mount-types': { value: 'nfs', request: claim, job: `${PASSTHROUGH} is not allowed (mount-types, F:2).` },
  'volume-kinds': {
    value: 'emptyDir',
    request: claim,
    job: `${PASSTHROUGH}: a volume of kind persistentVolumeClaim is not allowed (volume-kinds, F:2).`,
  },
  claims: { value: 'home-{user}', request: claim, job: `${PASSTHROUGH}: claim home is not allowed (claims, F:2).` },
  'config-maps': {
    value: 'none',
    request: mount('passthrough', { configMap: { name: 'c' } }),
    job: `${PASSTHROUGH}: ConfigMap c is not allowed (config-maps, F:2).`,
  },
  'host-paths': {
    value: '/data',
    request: mount('host', { path: '/etc' }),
    job: 'The host mount at /m: host path "/etc" is not allowed (host-paths, F:2).',
  },
  'run-as': {
    value: 'own',
    job: { [`${POD}.securityContext`]: { runAsUser: 1001, runAsGroup: 1002, supplementalGroups: [1002, 27] } },
  },
  'service-accounts': {
    value: 'none',
    request: { config: [{ name: 'serviceAccountName', value: 'sa' }] },
    job: 'serviceAccountName sa is not allowed (service-accounts, F:2).',
    info: { 'config.1.value': '' },
  },
  secrets: {
    value: 'none',
    request: { config: [{ name: 'secret', value: 's:k' }] },
    job: 'config secret: Secret s is not allowed (secrets, F:2).',
  },
  capabilities: {
    value: 'none',
    request: { container: { image: 'r:4', capabilitiesAdd: ['SYS_PTRACE'] } },
    job: 'container.capabilitiesAdd: SYS_PTRACE is not allowed (capabilities, F:2).',
  },
  'allow-host': {
    value: '0',
    request: { host: 'node1' },
    job: 'host "node1" is not allowed (allow-host, F:2).',
  },
  'allow-host-ports': {
    value: '0',
    request: { exposedPorts: [{ targetPort: 80, publishedPort: 8080, protocol: 'TCP' }] },
    job: 'exposedPorts: publishedPort 8080 is not allowed (allow-host-ports, F:2).',
  },
  'allow-metadata': {
    value: '0',
    request: { metadata: { pod: { labels: { a: 'b' } } } },
    job: 'metadata.pod.labels: a is not allowed (allow-metadata, F:2).',
  },
};

/** What differs, by path: the new value; undefined where there is none. Lists of another length differ as a whole. */
function difference(before: unknown, after: unknown, path: readonly string[] = []): Record<string, unknown> {
  if (JSON.stringify(before) === JSON.stringify(after)) return {};
  const isNested = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;
  if (!isNested(before) || !isNested(after) || (Array.isArray(before) && before.length !== Object.keys(after).length))
    return { [path.join('.')]: after };
  const names = new Set([...Object.keys(before), ...Object.keys(after)]);
  return Object.assign({}, ...[...names].map((name) => difference(before[name], after[name], [...path, name])));
}

const infoOf = (lines: string): unknown =>
  clusterInfo({
    profile: effectiveProfile(parseProfiles('F', `[*]\n${lines}`).profiles, NOBODY),
    resourceProfiles: parseResourceProfiles('R', RESOURCES).profiles,
    serviceAccounts: ['sa'],
    ownAccount: OWN_ACCOUNT,
  });

for (const key of PROFILE_KEYS) {
  const { value, lines = '', request = {}, job, info = {}, elsewhere } = EFFECTS[key];
  const before = lines;
  const after = `${lines === '' ? '' : `${lines}\n`}${key}=${value}`;

  t.test(`${key} has its effect`, async (t) => {
    t.strictSame(difference(infoOf(before), infoOf(after)), info, 'on cluster info');
    t.equal(refused(before, request), 'allowed');
    if (typeof job === 'string') t.equal(refused(after, request), job);
    else {
      const made = make(after, request);
      t.strictSame(difference(make(before, request), made), job ?? {}, 'on the Job');
      t.equal(check('batch.v1.Job', made), '', 'as a strict server wants it');
    }
    if (elsewhere !== undefined)
      t.ok(readFileSync(new URL(`../../${elsewhere}`, import.meta.url), 'utf8').includes(key), elsewhere);
    // These files have the name of each key, whatever its effect is.
    t.notMatch(elsewhere ?? '', /profile-table|reference/);
    const shaped = typeof job === 'string' ? job : Object.keys(job ?? {})[0];
    t.ok(shaped ?? elsewhere ?? Object.keys(info)[0], 'there is one');
  });

  if (typeof job === 'object')
    t.test(`${key} has its effect under a template that sets nothing of it`, async (t) => {
      const templates = templatesOf({ 'job.tpl': BARE_TEMPLATE });
      t.strictSame(difference(make(before, request, {}, templates), make(after, request, {}, templates)), job);
    });
}

t.test('docs/templates.md names each key that shapes the pod besides its resources', async (t) => {
  const text = readFileSync(new URL('../../../docs/templates.md', import.meta.url), 'utf8');
  for (const key of PROFILE_KEYS) {
    const paths = Object.keys(Object(EFFECTS[key].job));
    if (typeof EFFECTS[key].job === 'object' && !paths.every((path) => path.includes('.resources')))
      t.ok(text.includes(`\`${key}\``), key);
  }
});
