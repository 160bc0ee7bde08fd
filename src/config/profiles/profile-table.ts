/**
 * Every key of a profiles file (configuration.md sections 2 and 2.1): its kind, default and meaning. Parsing, validation
 * and the page docs/reference.md follow from this table.
 */
import type { CamelCase } from '../options/option-table.ts';
import {
  BOOLEAN,
  choice,
  GPU_COUNT,
  type Kind,
  list,
  OBJECT_NAME,
  type Provenance,
  wholeNumber,
} from '../text/values.ts';
import { type OverrideReference, parseOverrideReferences } from './override-references.ts';
import {
  type Allowed,
  ANNOTATIONS,
  AUTOMOUNT,
  allowed,
  CAPABILITY,
  CONSTRAINTS,
  CPUS,
  HOST_PATH,
  IMAGE,
  LABELS,
  listOrNone,
  MEM_MB,
  NAME,
  NODE_LABELS,
  placeholders,
  RATIO,
  TOLERATION,
} from './profile-kinds.ts';

export type { Allowed, Constraint } from './profile-kinds.ts';

interface ProfileRow<T> {
  readonly kind: Kind<T>;
  /** Value when nothing was written, or when an empty value cleared the key. */
  readonly fallback: T;
  /** The default as the reference shows it. */
  readonly shown: string;
  readonly doc: string;
  readonly provenance: Provenance;
  /** Read from the value as written: its quotes belong to it. */
  readonly raw?: true;
  /** An empty value is an error. */
  readonly hardening?: true;
}

function row<T>(
  provenance: Provenance,
  rowKind: Kind<T>,
  fallback: T,
  shown: string,
  doc: string,
  more: { raw?: true } = {},
): ProfileRow<T> {
  return { kind: rowKind, fallback, shown, doc, provenance, ...more };
}

function hardening<T>(rowKind: Kind<T>, fallback: T, shown: string, doc: string): ProfileRow<T> {
  return { kind: rowKind, fallback, shown, doc, provenance: 'ours', hardening: true };
}

const optional = <T>(provenance: Provenance, rowKind: Kind<T>, doc: string): ProfileRow<T | undefined> =>
  row(provenance, rowKind, undefined, '', doc);
const items = <T>(
  provenance: Provenance,
  rowKind: Kind<readonly T[]>,
  doc: string,
  shown = '',
): ProfileRow<readonly T[]> => row(provenance, rowKind, [], shown, doc);

/** By name, in the order of the reference. */
const PROFILE_TABLE = {
  'container-images': items('documented', list(IMAGE), 'Images that users may see and run.'),
  'default-container-image': optional('documented', IMAGE, 'Used when a job names none; always allowed.'),
  'allow-unknown-images': row('documented', BOOLEAN, true, '1', '0: only images of the list.'),
  'placement-constraints': items(
    'documented',
    CONSTRAINTS,
    'key:value choices or key (free text); become node labels to match.',
  ),
  'default-cpus': row('documented', CPUS, 0, '0', 'CPUs when the job gives none; 0 = none.'),
  'default-mem-mb': row('documented', MEM_MB, 0, '0', 'MB (10^6 bytes) of memory when the job gives none; 0 = none.'),
  'max-cpus': row(
    'documented',
    CPUS,
    0,
    '0',
    'Most CPUs a job may ask for, and its limit if it asks for none; 0 = no maximum.',
  ),
  'max-mem-mb': row(
    'documented',
    MEM_MB,
    0,
    '0',
    'Most MB a job may ask for, and its limit if it asks for none; 0 = no maximum.',
  ),
  'cpu-request-ratio': row('documented', RATIO, 1, '1.0', 'The request for CPUs, as a part of the limit.'),
  'memory-request-ratio': row('documented', RATIO, 1, '1.0', 'The request for memory, as a part of the limit.'),
  'default-cpus-request': row('newer', CPUS, 0, '0', 'CPUs requested when the job requests none; wins over the ratio.'),
  'max-cpus-request': row('newer', CPUS, 0, '0', 'Most CPUs a job may request; 0 = no maximum.'),
  'default-mem-mb-request': row(
    'newer',
    MEM_MB,
    0,
    '0',
    'MB requested when the job requests none; wins over the ratio.',
  ),
  'max-mem-mb-request': row('newer', MEM_MB, 0, '0', 'Most MB a job may request; 0 = no maximum.'),
  'default-nvidia-gpus': row('documented', GPU_COUNT, 0, '0', 'NVIDIA GPUs when the job gives none.'),
  'default-amd-gpus': row('documented', GPU_COUNT, 0, '0', 'AMD GPUs when the job gives none.'),
  'max-nvidia-gpus': row('documented', GPU_COUNT, 0, '0', 'Most NVIDIA GPUs a job may ask for; 0 = no GPUs.'),
  'max-amd-gpus': row('documented', GPU_COUNT, 0, '0', 'Most AMD GPUs a job may ask for; 0 = no GPUs.'),
  'job-json-overrides': row<readonly OverrideReference[]>(
    'documented',
    { allowed: '"pointer":"file","pointer2":"file2"', parse: parseOverrideReferences },
    [],
    '',
    'Pieces of JSON, by pointer and file, to put into every Job.',
    { raw: true },
  ),
  'resource-profiles': row<Allowed>(
    'newer',
    allowed(NAME, ['all', 'any']),
    'any',
    'all',
    'Resource profiles the user may pick.',
  ),
  'allow-custom-resources': row('newer', BOOLEAN, true, '1', '0: a job must name a resource profile.'),
  'image-pull-policy': optional('ours', choice('Always', 'IfNotPresent', 'Never'), 'Always, IfNotPresent or Never.'),
  'image-pull-secrets': items('ours', list(OBJECT_NAME), 'Secrets for pulling images.'),
  'service-account': optional('ours', OBJECT_NAME, 'Service account of the pod unless the job names one.'),
  tolerations: items(
    'ours',
    list(TOLERATION, (each) => JSON.stringify(each)),
    'key=value:Effect, key:Effect or key: taints of nodes that jobs tolerate.',
  ),
  'node-selector': items('ours', NODE_LABELS, 'key=value: node labels that are always required.'),
  'priority-class': optional('ours', OBJECT_NAME, 'Priority class of the pod.'),
  'run-as-non-root': row('ours', BOOLEAN, false, '0', '1: containers must not run as root.'),
  'drop-capabilities': items('ours', listOrNone(CAPABILITY), 'Linux capabilities taken from containers.', 'none'),
  'pod-security': optional(
    'ours',
    choice('restricted'),
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
    "Longest a job may run, counted from the pod's start, image pull included; 0 = no limit.",
  ),
  'job-labels': items('ours', LABELS, `key=value on Job, Pod and Service; ${placeholders} are filled in.`),
  'job-annotations': items('ours', ANNOTATIONS, `key=value on Job, Pod and Service; ${placeholders} are filled in.`),

  'mount-types': hardening<Allowed>(
    allowed(NAME, ['all', 'any']),
    'any',
    'all',
    'Mount types that jobs may use: host, nfs, azureFile, cephFs, glusterFs, passthrough or a custom type.',
  ),
  'host-paths': hardening<Allowed>(
    allowed(HOST_PATH),
    'any',
    'any',
    'Directories below which host mounts may lie; .. is refused always.',
  ),
  'run-as': hardening(
    choice('any', 'own'),
    'any',
    'any',
    "own: user, group and supplemental groups of the container are the user's own on this host.",
  ),
  'service-accounts': hardening<Allowed>(
    allowed(OBJECT_NAME),
    'any',
    'any',
    "Service accounts that jobs may name; the plugin's own never.",
  ),
  secrets: hardening<Allowed>(
    allowed(OBJECT_NAME),
    'any',
    'any',
    "Secrets that jobs may name; the plugin's own token and stdin of jobs never.",
  ),
  capabilities: hardening<Allowed>(allowed(CAPABILITY), 'any', 'any', 'Linux capabilities that jobs may add.'),
  'allow-host': hardening(BOOLEAN, true, '1', '0: jobs may not name a node.'),
  'allow-host-ports': hardening(BOOLEAN, true, '1', '0: jobs may not publish ports of nodes.'),
  'allow-metadata': hardening(BOOLEAN, true, '1', '0: jobs may not bring labels and annotations.'),
} as const satisfies Readonly<Record<string, ProfileRow<unknown>>>;

export type ProfileKey = keyof typeof PROFILE_TABLE;

/** All keys, in the order of the reference. */
export const PROFILE_KEYS: readonly ProfileKey[] = Object.keys(PROFILE_TABLE) as ProfileKey[];

/** Is this a key of profiles? */
export function isProfileKey(name: string): name is ProfileKey {
  return Object.hasOwn(PROFILE_TABLE, name);
}

/** The row of a key, its type forgotten. */
export function profileRow(key: ProfileKey): ProfileRow<unknown> {
  return PROFILE_TABLE[key];
}

/** The value of each key as its kind reads it, by camel-cased name. */
export type ProfileValues = {
  readonly [Key in ProfileKey as CamelCase<Key>]: (typeof PROFILE_TABLE)[Key] extends ProfileRow<infer T> ? T : never;
};
