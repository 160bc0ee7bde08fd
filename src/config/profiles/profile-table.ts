/**
 * Every key of the profiles file (configuration.md sections 2 and 2.1): kind, default and meaning. Parsing, validation and
 * docs/reference.md use this table.
 */
import {
  BOOLEAN,
  type CamelCase,
  CPUS,
  GPU_COUNT,
  listOf,
  MEM_MB,
  OBJECT_NAME,
  oneOf,
  type Provenance,
  type ValueKind,
  wholeNumber,
} from '../text/kinds.ts';
import { type OverrideReference, parseOverrideReferences } from './override-files.ts';
import {
  type Allowed,
  ANNOTATIONS,
  AUTOMOUNT,
  allowed,
  CAPABILITY,
  CONSTRAINTS,
  HOST_PATH,
  IMAGE,
  LABELS,
  listOrNone,
  NAME,
  NODE_LABELS,
  OWNED_NAME,
  placeholders,
  RATIO,
  REASON,
  TOLERATIONS,
  VOLUME_KIND,
} from './profile-kinds.ts';

interface ProfileRow<T> {
  readonly kind: ValueKind<T>;
  /** Value if none was written, or if the key is written without a value. */
  readonly fallback: T;
  /** The default as the reference shows it. */
  readonly shown: string;
  readonly doc: string;
  readonly provenance: Provenance;
  /** Read from the value as written: its quotes belong to it. */
  readonly raw?: true;
  /** A key without a value is an error. */
  readonly valueRequired?: true;
}

function row<T>(
  provenance: Provenance,
  rowKind: ValueKind<T>,
  fallback: T,
  shown: string,
  doc: string,
  more: { raw?: true } = {},
): ProfileRow<T> {
  return { kind: rowKind, fallback, shown, doc, provenance, ...more };
}

function hardening<T>(rowKind: ValueKind<T>, fallback: T, shown: string, doc: string): ProfileRow<T> {
  return { kind: rowKind, fallback, shown, doc, provenance: 'ours', valueRequired: true };
}

const optional = <T>(provenance: Provenance, rowKind: ValueKind<T>, doc: string): ProfileRow<T | undefined> =>
  row(provenance, rowKind, undefined, '', doc);
const items = <T>(
  provenance: Provenance,
  rowKind: ValueKind<readonly T[]>,
  doc: string,
  shown = '',
): ProfileRow<readonly T[]> => row(provenance, rowKind, [], shown, doc);

/** By name, in the order of the reference. */
export const PROFILE_TABLE = {
  'container-images': items('documented', listOf(IMAGE), 'Images that users may run; shown to them in this order.'),
  'default-container-image': optional('documented', IMAGE, 'Image of a job that names none; always allowed.'),
  'allow-unknown-images': row('documented', BOOLEAN, true, '1', '0: only images of container-images.'),
  'placement-constraints': items(
    'documented',
    CONSTRAINTS,
    'key:value choices or key (free text); the choice becomes a required node label.',
  ),
  'default-cpus': row('documented', CPUS, 0, '0', 'CPU limit of a job that sets none; 0 = none.'),
  'default-mem-mb': row(
    'documented',
    MEM_MB,
    0,
    '0',
    'Memory limit in MB (10^6 bytes) of a job that sets none; 0 = none.',
  ),
  'max-cpus': row(
    'documented',
    CPUS,
    0,
    '0',
    'Maximum CPU limit of a job, and the limit of a job that sets none; 0 = no maximum.',
  ),
  'max-mem-mb': row(
    'documented',
    MEM_MB,
    0,
    '0',
    'Maximum memory limit of a job in MB, and the limit of a job that sets none; 0 = no maximum.',
  ),
  'cpu-request-ratio': row('documented', RATIO, 1, '1.0', 'CPU request as a fraction of the limit.'),
  'memory-request-ratio': row('documented', RATIO, 1, '1.0', 'Memory request as a fraction of the limit.'),
  'default-cpus-request': row(
    'newer',
    CPUS,
    0,
    '0',
    'CPU request of a job that sets none; overrides cpu-request-ratio.',
  ),
  'max-cpus-request': row('newer', CPUS, 0, '0', 'Maximum CPU request of a job; 0 = no maximum.'),
  'default-mem-mb-request': row(
    'newer',
    MEM_MB,
    0,
    '0',
    'Memory request in MB of a job that sets none; overrides memory-request-ratio.',
  ),
  'max-mem-mb-request': row('newer', MEM_MB, 0, '0', 'Maximum memory request of a job in MB; 0 = no maximum.'),
  'default-nvidia-gpus': row('documented', GPU_COUNT, 0, '0', 'NVIDIA GPUs of a job that sets none.'),
  'default-amd-gpus': row('documented', GPU_COUNT, 0, '0', 'AMD GPUs of a job that sets none.'),
  'max-nvidia-gpus': row('documented', GPU_COUNT, 0, '0', 'Maximum of NVIDIA GPUs of a job; 0 = no GPUs.'),
  'max-amd-gpus': row('documented', GPU_COUNT, 0, '0', 'Maximum of AMD GPUs of a job; 0 = no GPUs.'),
  'job-json-overrides': row<readonly OverrideReference[]>(
    'documented',
    {
      allowed: '"pointer":"file","pointer2":"file2"',
      write: (overrides) => overrides.map(({ pointer, file }) => `"${pointer}":"${file}"`).join(','),
      parse: parseOverrideReferences,
    },
    [],
    '',
    'JSON files to insert into every Job, each with the JSON pointer of its place.',
    { raw: true },
  ),
  'resource-profiles': row<Allowed>(
    'newer',
    allowed(NAME, ['all', 'any']),
    'any',
    'all',
    'Resource profiles that users may select.',
  ),
  'allow-custom-resources': row('newer', BOOLEAN, true, '1', '0: a job must name a resource profile.'),
  'default-resource-profile': optional(
    'ours',
    NAME,
    'Resource profile of a job that names none, where allow-custom-resources=0.',
  ),
  'image-pull-policy': optional('ours', oneOf('Always', 'IfNotPresent', 'Never'), 'Always, IfNotPresent or Never.'),
  'image-pull-secrets': items('ours', listOf(OBJECT_NAME), 'Secrets with registry credentials for image pulls.'),
  'service-account': optional('ours', OBJECT_NAME, 'Service account of the pod if the job names none.'),
  tolerations: items('ours', TOLERATIONS, 'key=value:Effect, key:Effect or key: node taints that jobs tolerate.'),
  'node-selector': items('ours', NODE_LABELS, 'key=value: required node labels.'),
  'priority-class': optional('ours', OBJECT_NAME, 'Priority class of the pod.'),
  'run-as-non-root': row('ours', BOOLEAN, false, '0', '1: containers must not run as root.'),
  'drop-capabilities': items('ours', listOrNone(CAPABILITY), 'Linux capabilities that containers drop.', 'none'),
  'pod-security': optional(
    'ours',
    oneOf('restricted'),
    'restricted: non-root, no privilege escalation, the default seccomp profile, all capabilities dropped.',
  ),
  'automount-service-account-token': row(
    'ours',
    AUTOMOUNT,
    'auto',
    'auto',
    '0 or 1; auto: only when job or profile names a service account.',
  ),
  'active-deadline-seconds': row(
    'ours',
    wholeNumber(0, 2147483647),
    0,
    '0',
    'Maximum run time of a job, counted from the start of its pod and including image pulls; 0 = no limit.',
  ),
  'fail-pending-reasons': items(
    'ours',
    listOrNone(REASON),
    'Reasons, such as InvalidImageName or ErrImageNeverPull, that fail a Pending job at once.',
    'none',
  ),
  'job-labels': items('ours', LABELS, `key=value labels of Job, Pod and Service; ${placeholders} are replaced.`),
  'job-annotations': items(
    'ours',
    ANNOTATIONS,
    `key=value annotations of Job, Pod and Service; ${placeholders} are replaced.`,
  ),

  'mount-types': hardening<Allowed>(
    allowed(NAME, ['all', 'any']),
    'any',
    'all',
    'Mount types that jobs may use: host, nfs, azureFile, cephFs, glusterFs, passthrough or a custom type.',
  ),
  'volume-kinds': hardening<Allowed>(
    allowed(VOLUME_KIND),
    'any',
    'any',
    'Kinds of Kubernetes volumes that passthrough and custom mounts may have, such as persistentVolumeClaim.',
  ),
  claims: hardening<Allowed>(
    allowed(OWNED_NAME),
    'any',
    'any',
    'PersistentVolumeClaims that jobs may mount; {user} and {group} are replaced.',
  ),
  'config-maps': hardening<Allowed>(
    allowed(OWNED_NAME),
    'any',
    'any',
    'ConfigMaps that jobs may use; {user} and {group} are replaced.',
  ),
  'host-paths': hardening<Allowed>(
    allowed(HOST_PATH),
    'any',
    'any',
    'Directories that host mounts must be in or below; .. is always refused.',
  ),
  'run-as': hardening(
    oneOf('any', 'own'),
    'any',
    'any',
    'own: containers run with the uid, gid and supplemental groups that the user has on this host.',
  ),
  'service-accounts': hardening<Allowed>(
    allowed(OBJECT_NAME),
    'any',
    'any',
    "Service accounts that jobs may name; never the plugin's own.",
  ),
  secrets: hardening<Allowed>(
    allowed(OBJECT_NAME),
    'any',
    'any',
    "Secrets that jobs may name; never the plugin's token and the stdin of jobs.",
  ),
  capabilities: hardening<Allowed>(allowed(CAPABILITY), 'any', 'any', 'Linux capabilities that jobs may add.'),
  'allow-host': hardening(BOOLEAN, true, '1', '0: jobs may not name a node.'),
  'allow-host-ports': hardening(BOOLEAN, true, '1', '0: jobs may not use host ports.'),
  'allow-metadata': hardening(BOOLEAN, true, '1', '0: jobs may not set labels and annotations.'),
} as const satisfies Readonly<Record<string, ProfileRow<unknown>>>;

export type ProfileKey = keyof typeof PROFILE_TABLE;

/** All keys, in the order of the reference. */
export const PROFILE_KEYS: readonly ProfileKey[] = Object.keys(PROFILE_TABLE) as ProfileKey[];

/** The row of a key, with the type of its value erased. */
export function profileRow(key: ProfileKey): ProfileRow<unknown> {
  return PROFILE_TABLE[key];
}

/** The value of each key as its kind reads it, by camel-cased name. */
export type ProfileValues = {
  readonly [Key in ProfileKey as CamelCase<Key>]: (typeof PROFILE_TABLE)[Key] extends ProfileRow<infer T> ? T : never;
};
