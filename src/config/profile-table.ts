/**
 * Every key of a profiles file (configuration.md sections 2 and 2.1): its kind, default and meaning. Parsing, validation
 * and the reference in the README follow from this table.
 */
import type { CamelCase } from './option-table.ts';
import { type OverrideReference, parseOverrideReferences } from './override-references.ts';
import { isReserved } from './reserved-keys.ts';
import {
  BOOLEAN,
  choice,
  decimal,
  GPU_COUNT,
  isLabelKey,
  isLabelValue,
  type Kind,
  kind,
  list,
  OBJECT_NAME,
  wholeNumber,
} from './values.ts';

/** A choice offered to users (`region:us`), or free text (`node`) if there is no value; becomes a node label to match. */
export interface Constraint {
  readonly name: string;
  readonly value?: string;
}

export interface Toleration {
  readonly key: string;
  readonly operator: 'Equal' | 'Exists';
  readonly value?: string;
  readonly effect?: 'NoSchedule' | 'PreferNoSchedule' | 'NoExecute';
}

export interface KeyValue {
  readonly key: string;
  readonly value: string;
}

/** What users may use: everything, or only these. */
export type Allowed = 'any' | readonly string[];

export interface ProfileRow<T> {
  readonly kind: Kind<T>;
  /** Value when nothing was written, or when an empty value cleared the key. */
  readonly fallback: T;
  /** The default as the reference shows it. */
  readonly shown: string;
  readonly doc: string;
  /** Read from the value as written: its quotes belong to it. */
  readonly raw?: true;
  /** An empty value is an error. */
  readonly hardening?: true;
}

const MOST_CPUS = 1_000_000;
const MOST_MB = 1_000_000_000_000;
const CPUS = decimal(0, MOST_CPUS);
const MEM_MB = decimal(0, MOST_MB);

const RATIO: Kind<number> = kind('a number above 0 and at most 1, such as 0.5', (text) => {
  const parsed = decimal(0, 1).parse(text);
  return parsed.ok && parsed.value > 0 ? parsed.value : undefined;
});

const IMAGE: Kind<string> = kind('the name of an image, without blanks', (text) =>
  /^[^\s]{1,1024}$/.test(text) ? text : undefined,
);

const NAME: Kind<string> = kind('a name', (text) => text);

const CONSTRAINT: Kind<Constraint> = kind('key:value or key, as the labels of nodes are written', (text) => {
  const colon = text.indexOf(':');
  const name = (colon < 0 ? text : text.slice(0, colon)).trim();
  if (!isLabelKey(name)) return undefined;
  if (colon < 0) return { name };
  const value = text.slice(colon + 1).trim();
  return value !== '' && isLabelValue(value) ? { name, value } : undefined;
});

/** `key:value` choices and free `key`s. */
export const CONSTRAINTS = list(CONSTRAINT, ({ name, value }) => JSON.stringify([name, value]));

const EFFECTS = ['NoSchedule', 'PreferNoSchedule', 'NoExecute'] as const;

const TOLERATION: Kind<Toleration> = kind(
  `key=value:Effect, key:Effect or key, with the effect ${EFFECTS.join(', ')}`,
  (text) => {
    const [, key = '', value, written] = /^([^=:]+)(?:=([^:]*))?(?::([A-Za-z]+))?$/.exec(text) ?? [];
    const effect = EFFECTS.find((each) => each === written);
    if (!isLabelKey(key) || (written !== undefined && effect === undefined)) return undefined;
    const withEffect = effect === undefined ? {} : { effect };
    if (value === undefined) return { key, operator: 'Exists', ...withEffect };
    return isLabelValue(value) ? { key, operator: 'Equal', value, ...withEffect } : undefined;
  },
);

/** What `{...}` may stand for in `job-labels` and `job-annotations`. */
export const PLACEHOLDERS = ['user', 'group', 'name', 'resource-profile'] as const;

const PLACEHOLDER = /\{([^{}]*)\}/g;

/** Replaces `{user}` and the like. */
export function fillPlaceholders(text: string, facts: Readonly<Record<(typeof PLACEHOLDERS)[number], string>>): string {
  return text.replace(PLACEHOLDER, (whole, name: string) => {
    const known = PLACEHOLDERS.find((each) => each === name);
    return known === undefined ? whole : facts[known];
  });
}

function keyValue(allowed: string, isValue: (value: string) => boolean): Kind<KeyValue> {
  return kind(allowed, (text) => {
    const equals = text.indexOf('=');
    const key = text.slice(0, equals).trim();
    const value = text.slice(equals + 1).trim();
    return equals > 0 && isLabelKey(key) && isValue(value) ? { key, value } : undefined;
  });
}

const knownPlaceholders = (text: string): boolean =>
  [...text.matchAll(PLACEHOLDER)].every(([, name]) => PLACEHOLDERS.some((known) => known === name));

const placeholders = PLACEHOLDERS.map((name) => `{${name}}`).join(', ');
const pairs = (item: Kind<KeyValue>, reserved?: 'label' | 'annotation'): Kind<readonly KeyValue[]> => {
  const items = list(item, ({ key, value }) => JSON.stringify([key, value]));
  return {
    allowed: items.allowed,
    parse: (text) => {
      const parsed = items.parse(text);
      if (!parsed.ok) return parsed;
      const keys = parsed.value.map(({ key }) => key);
      const ours = reserved && keys.find((key) => isReserved(reserved, key));
      if (ours !== undefined) return { ok: false, reason: `${items.allowed}; "${ours}" is the launcher's own` };
      const twice = keys.find((key, index) => keys.indexOf(key) !== index);
      return twice === undefined ? parsed : { ok: false, reason: `${items.allowed}; "${twice}" has two values` };
    },
  };
};
const NODE_LABELS = pairs(keyValue('key=value, as the labels of nodes are written', isLabelValue));
const LABELS = pairs(
  keyValue(
    `key=value, as Kubernetes writes labels (${placeholders} are filled in)`,
    (value) => knownPlaceholders(value) && isLabelValue(value.replace(PLACEHOLDER, 'x')),
  ),
  'label',
);
const ANNOTATIONS = pairs(
  keyValue(`key=value, the key as Kubernetes writes them (${placeholders} are filled in)`, knownPlaceholders),
  'annotation',
);

/** `sys_admin` and `CAP_SYS_ADMIN` are `SYS_ADMIN`, as the container runtimes see it. */
export function capabilityName(text: string): string {
  return text.toUpperCase().replace(/^CAP_/, '');
}

const CAPABILITY: Kind<string> = kind('a Linux capability such as NET_ADMIN, or ALL', (text) =>
  /^[A-Za-z_]{1,64}$/.test(text) ? capabilityName(text) : undefined,
);

const HOST_PATH: Kind<string> = kind('an absolute path without ..', (text) =>
  text.startsWith('/') && !text.split('/').includes('..') ? text : undefined,
);

/** A list, or one of some words alone. */
function listOr<T>(item: Kind<string>, words: Readonly<Record<string, T>>): Kind<T | readonly string[]> {
  const names = Object.keys(words);
  const items = list(item);
  const prefix = `${names.join(', ')} or `;
  return {
    allowed: `${prefix}${items.allowed}`,
    parse: (text) => {
      if (Object.hasOwn(words, text)) return { ok: true, value: words[text] as T };
      const parsed = items.parse(text);
      if (!parsed.ok) return { ok: false, reason: `${prefix}${parsed.reason}` };
      const mixed = parsed.value.find((each) => names.includes(each));
      if (mixed === undefined) return parsed;
      return { ok: false, reason: `${prefix}${items.allowed}; "${mixed}" stands alone` };
    },
  };
}

/** A list, a word for everything, or none. */
function allowed(item: Kind<string>, everything: readonly string[] = ['any']): Kind<Allowed> {
  return listOr<Allowed>(item, { ...Object.fromEntries(everything.map((word) => [word, 'any' as const])), none: [] });
}

/** As `list`, and `none`. */
function listOrNone(item: Kind<string>): Kind<readonly string[]> {
  return listOr<readonly string[]>(item, { none: [] });
}

const AUTOMOUNT: Kind<boolean | 'auto'> = kind(`auto, ${BOOLEAN.allowed}`, (text) => {
  if (text === 'auto') return text;
  const parsed = BOOLEAN.parse(text);
  return parsed.ok ? parsed.value : undefined;
});

function row<T>(rowKind: Kind<T>, fallback: T, shown: string, doc: string, more: { raw?: true } = {}): ProfileRow<T> {
  return { kind: rowKind, fallback, shown, doc, ...more };
}

function hardening<T>(rowKind: Kind<T>, fallback: T, shown: string, doc: string): ProfileRow<T> {
  return { kind: rowKind, fallback, shown, doc, hardening: true };
}

const optional = <T>(rowKind: Kind<T>, doc: string): ProfileRow<T | undefined> => row(rowKind, undefined, '', doc);
const items = <T>(rowKind: Kind<readonly T[]>, doc: string, shown = ''): ProfileRow<readonly T[]> =>
  row(rowKind, [], shown, doc);

/** By name, in the order of the reference. */
export const PROFILE_TABLE = {
  'container-images': items(list(IMAGE), 'Images that users may see and run.'),
  'default-container-image': optional(IMAGE, 'Used when a job names none; always allowed.'),
  'allow-unknown-images': row(BOOLEAN, true, '1', '0: only images of the list.'),
  'placement-constraints': items(CONSTRAINTS, 'key:value choices or key (free text); become node labels to match.'),
  'default-cpus': row(CPUS, 0, '0', 'CPUs when the job gives none; 0 = none.'),
  'default-mem-mb': row(MEM_MB, 0, '0', 'MB (10^6 bytes) of memory when the job gives none; 0 = none.'),
  'max-cpus': row(CPUS, 0, '0', 'Most CPUs a job may ask for, and its limit if it asks for none; 0 = no maximum.'),
  'max-mem-mb': row(MEM_MB, 0, '0', 'Most MB a job may ask for, and its limit if it asks for none; 0 = no maximum.'),
  'cpu-request-ratio': row(RATIO, 1, '1.0', 'The request for CPUs, as a part of the limit.'),
  'memory-request-ratio': row(RATIO, 1, '1.0', 'The request for memory, as a part of the limit.'),
  'default-cpus-request': row(CPUS, 0, '0', 'CPUs requested when the job requests none; wins over the ratio.'),
  'max-cpus-request': row(CPUS, 0, '0', 'Most CPUs a job may request; 0 = no maximum.'),
  'default-mem-mb-request': row(MEM_MB, 0, '0', 'MB requested when the job requests none; wins over the ratio.'),
  'max-mem-mb-request': row(MEM_MB, 0, '0', 'Most MB a job may request; 0 = no maximum.'),
  'default-nvidia-gpus': row(GPU_COUNT, 0, '0', 'NVIDIA GPUs when the job gives none.'),
  'default-amd-gpus': row(GPU_COUNT, 0, '0', 'AMD GPUs when the job gives none.'),
  'max-nvidia-gpus': row(GPU_COUNT, 0, '0', 'Most NVIDIA GPUs a job may ask for; 0 = no GPUs.'),
  'max-amd-gpus': row(GPU_COUNT, 0, '0', 'Most AMD GPUs a job may ask for; 0 = no GPUs.'),
  'job-json-overrides': row<readonly OverrideReference[]>(
    { allowed: '"pointer":"file","pointer2":"file2"', parse: parseOverrideReferences },
    [],
    '',
    'Pieces of JSON, by pointer and file, to put into every Job.',
    { raw: true },
  ),
  'resource-profiles': row<Allowed>(allowed(NAME, ['all']), 'any', 'all', 'Resource profiles the user may pick.'),
  'allow-custom-resources': row(BOOLEAN, true, '1', '0: a job must name a resource profile.'),
  'image-pull-policy': optional(choice('Always', 'IfNotPresent', 'Never'), 'Always, IfNotPresent or Never.'),
  'image-pull-secrets': items(list(OBJECT_NAME), 'Secrets for pulling images.'),
  'service-account': optional(OBJECT_NAME, 'Service account of the pod unless the job names one.'),
  tolerations: items(
    list(TOLERATION, (each) => JSON.stringify(each)),
    'key=value:Effect, key:Effect or key: taints of nodes that jobs tolerate.',
  ),
  'node-selector': items(NODE_LABELS, 'key=value: node labels that are always required.'),
  'priority-class': optional(OBJECT_NAME, 'Priority class of the pod.'),
  'run-as-non-root': row(BOOLEAN, false, '0', '1: containers must not run as root.'),
  'drop-capabilities': items(listOrNone(CAPABILITY), 'Linux capabilities taken from containers.', 'none'),
  'pod-security': optional(
    choice('restricted'),
    'restricted: non-root, no privilege escalation, the default seccomp profile, all capabilities dropped.',
  ),
  'automount-service-account-token': row(
    AUTOMOUNT,
    'auto',
    'auto',
    '0 or 1; auto: only when job or profile names a service account.',
  ),
  'active-deadline-seconds': row(
    wholeNumber(0, 2147483647),
    0,
    '0',
    "Longest a job may run, counted from the pod's start, image pull included; 0 = no limit.",
  ),
  'job-labels': items(LABELS, `key=value on Job, Pod and Service; ${placeholders} are filled in.`),
  'job-annotations': items(ANNOTATIONS, `key=value on Job, Pod and Service; ${placeholders} are filled in.`),

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
  secrets: hardening<Allowed>(allowed(OBJECT_NAME), 'any', 'any', 'Secrets that jobs may name; stdin of jobs never.'),
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
