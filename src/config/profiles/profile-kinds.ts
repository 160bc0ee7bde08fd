/** Kinds of values of profile keys, and the labels and annotations that only the plugin may set (configuration.md section 2). */
import {
  BOOLEAN,
  decimal,
  isLabelKey,
  isLabelValue,
  kind,
  listOf,
  OBJECT_NAME,
  type ValueKind,
} from '../text/kinds.ts';

/** A choice of users (`region:us`), or free text (`node`) if there is no value; becomes a required node label. */
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

/** The values that users may use: any, or these. */
export type Allowed = 'any' | readonly string[];

export const RATIO: ValueKind<number> = kind('a number above 0 and at most 1, such as 0.5', (text) => {
  const parsed = decimal(0, 1).parse(text);
  return parsed.ok && parsed.value > 0 ? parsed.value : undefined;
});

/** The characters of image names: others come from scripts and documents by copy and paste, or have a meaning in YAML. */
export const IMAGE: ValueKind<string> = kind('an image name: letters, digits and . _ / : @ + -', (text) =>
  /^[\w./:@+-]{1,1024}$/.test(text) ? text : undefined,
);

export const NAME: ValueKind<string> = kind('a name', (text) => text);

const CONSTRAINT: ValueKind<Constraint> = kind(
  'key:value or key, as the labels of nodes are written',
  (text) => {
    // Neither keys nor values of labels have these characters; labels are written with = elsewhere.
    const separator = text.search(/[:=]/);
    const name = (separator < 0 ? text : text.slice(0, separator)).trim();
    if (!isLabelKey(name)) return undefined;
    if (separator < 0) return { name };
    const value = text.slice(separator + 1).trim();
    return value !== '' && isLabelValue(value) ? { name, value } : undefined;
  },
  ({ name, value }) => (value === undefined ? name : `${name}:${value}`),
);

/** `key:value` choices and free `key`s. */
export const CONSTRAINTS = listOf(CONSTRAINT);

const EFFECTS = ['NoSchedule', 'PreferNoSchedule', 'NoExecute'] as const;

const TOLERATION = kind<Toleration>(
  `key=value:Effect, key:Effect or key, with the effect ${EFFECTS.join(', ')}`,
  (text) => {
    const [, key = '', value, written] = /^([^=:]+)(?:=([^:]*))?(?::([A-Za-z]+))?$/.exec(text) ?? [];
    const effect = EFFECTS.find((each) => each === written);
    if (!isLabelKey(key) || (written !== undefined && effect === undefined)) return undefined;
    const withEffect = effect === undefined ? {} : { effect };
    if (value === undefined) return { key, operator: 'Exists', ...withEffect };
    return isLabelValue(value) ? { key, operator: 'Equal', value, ...withEffect } : undefined;
  },
  ({ key, value, effect }) =>
    `${key}${value === undefined ? '' : `=${value}`}${effect === undefined ? '' : `:${effect}`}`,
);

export const TOLERATIONS = listOf(TOLERATION);

export const VOLUME_KIND: ValueKind<string> = kind('a kind of Kubernetes volume such as configMap', (text) =>
  /^[a-z][A-Za-z0-9]{0,62}$/.test(text) ? text : undefined,
);

/** The name of an object that may belong to the job's user or group. */
export const OWNED_NAME: ValueKind<string> = kind(`${OBJECT_NAME.allowed}; {user} and {group} are replaced`, (text) =>
  OBJECT_NAME.parse(text.replace(/\{(?:user|group)\}/g, 'x')).ok ? text : undefined,
);

/** Names of `{...}` in `job-labels` and `job-annotations`. */
const PLACEHOLDERS = ['user', 'group', 'name', 'resource-profile'] as const;

const PLACEHOLDER = /\{([^{}]*)\}/g;

/** Replaces `{user}` and the other placeholders. */
export function fillPlaceholders(
  text: string,
  replacements: Readonly<Record<(typeof PLACEHOLDERS)[number], string>>,
): string {
  return text.replace(PLACEHOLDER, (written, name: string) => {
    const known = PLACEHOLDERS.find((each) => each === name);
    return known === undefined ? written : replacements[known];
  });
}

function keyValue(allowed: string, isValue: (value: string) => boolean): ValueKind<KeyValue> {
  return kind(
    allowed,
    (text) => {
      const equals = text.indexOf('=');
      const key = text.slice(0, equals).trim();
      const value = text.slice(equals + 1).trim();
      return equals > 0 && isLabelKey(key) && isValue(value) ? { key, value } : undefined;
    },
    ({ key, value }) => `${key}=${value}`,
  );
}

const knownPlaceholders = (text: string): boolean =>
  [...text.matchAll(PLACEHOLDER)].every(([, name]) => PLACEHOLDERS.some((known) => known === name));

export const placeholders = PLACEHOLDERS.map((name) => `{${name}}`).join(', ');
const pairs = (item: ValueKind<KeyValue>, reserved?: 'label' | 'annotation'): ValueKind<readonly KeyValue[]> => {
  const items = listOf(item);
  return {
    ...items,
    parse: (text) => {
      const parsed = items.parse(text);
      if (!parsed.ok) return parsed;
      const keys = parsed.value.map(({ key }) => key);
      const ours = reserved && keys.find((key) => isReserved(reserved, key));
      if (ours !== undefined) return { ok: false, reason: `${items.allowed}; "${ours}" is reserved for the plugin` };
      const twice = keys.find((key, index) => keys.indexOf(key) !== index);
      return twice === undefined ? parsed : { ok: false, reason: `${items.allowed}; "${twice}" has two values` };
    },
  };
};
export const NODE_LABELS = pairs(keyValue('key=value, as the labels of nodes are written', isLabelValue));
export const LABELS = pairs(
  keyValue(
    `key=value, as Kubernetes writes labels (${placeholders} are filled in)`,
    (value) => knownPlaceholders(value) && isLabelValue(value.replace(PLACEHOLDER, 'x')),
  ),
  'label',
);
export const ANNOTATIONS = pairs(
  keyValue(`key=value, the key as Kubernetes writes them (${placeholders} are filled in)`, knownPlaceholders),
  'annotation',
);

/** The canonical name of a capability: `SYS_ADMIN` for `sys_admin` and `CAP_SYS_ADMIN`, as container runtimes read it. */
export function capabilityName(text: string): string {
  return text.toUpperCase().replace(/^CAP_/, '');
}

export const CAPABILITY: ValueKind<string> = kind('a Linux capability such as NET_ADMIN, or ALL', (text) =>
  /^[A-Za-z_]{1,64}$/.test(text) ? capabilityName(text) : undefined,
);

export const HOST_PATH: ValueKind<string> = kind('an absolute path without ..', (text) =>
  text.startsWith('/') && !text.split('/').includes('..') ? text : undefined,
);

/** A list, or one of these words. */
function listOr<T>(item: ValueKind<string>, words: Readonly<Record<string, T>>): ValueKind<T | readonly string[]> {
  const names = Object.keys(words);
  const items = listOf(item);
  const prefix = `${names.join(', ')} or `;
  const wordOf = (value: T | readonly string[]): string | undefined =>
    names.find((name) => (Array.isArray(value) && value.length === 0 ? name === 'none' : words[name] === value));
  return {
    allowed: `${prefix}${items.allowed}`,
    write: (value) => wordOf(value) ?? items.write(value as readonly string[]),
    parse: (text) => {
      if (Object.hasOwn(words, text)) return { ok: true, value: words[text] as T };
      const parsed = items.parse(text);
      if (!parsed.ok) return { ok: false, reason: `${prefix}${parsed.reason}` };
      const mixed = parsed.value.find((each) => names.includes(each));
      if (mixed === undefined) return parsed;
      return { ok: false, reason: `${prefix}${items.allowed}; "${mixed}" cannot be combined with other items` };
    },
  };
}

/** A list, a word for every value, or `none`. */
export function allowed(item: ValueKind<string>, wildcards: readonly string[] = ['any']): ValueKind<Allowed> {
  return listOr<Allowed>(item, { ...Object.fromEntries(wildcards.map((word) => [word, 'any' as const])), none: [] });
}

/** A list, or `none`. */
export function listOrNone(item: ValueKind<string>): ValueKind<readonly string[]> {
  return listOr<readonly string[]>(item, { none: [] });
}

/** A reason of a container or pod that Kubernetes reports, such as ErrImagePull. */
export const REASON: ValueKind<string> = kind('a reason of Kubernetes such as InvalidImageName', (text) =>
  /^[A-Z][A-Za-z]{1,99}$/.test(text) ? text : undefined,
);

export const AUTOMOUNT: ValueKind<boolean | 'auto'> = kind(
  `auto, ${BOOLEAN.allowed}`,
  (text) => {
    if (text === 'auto') return text;
    const parsed = BOOLEAN.parse(text);
    return parsed.ok ? parsed.value : undefined;
  },
  (value) => (value === 'auto' ? value : BOOLEAN.write(value)),
);

/** Labels and annotations that only the plugin sets (kubernetes-objects.md section 1, "Keys of ours"). */
const RESERVED: readonly RegExp[] = [
  /^(user|name|stdin|service_ports|user_metadata|job-name|controller-uid|launcher-instance-id)$/,
  /^USER_TAG_/,
  /^job-launcher\//,
  /^app\.kubernetes\.io\/managed-by$/,
];

/** Labels with this prefix belong to the Job controller; annotations may have it (autoscalers read some of them). */
const CONTROLLER_LABEL = /^([^/]+\.)?kubernetes\.io\//;

/** Is this key forbidden for jobs and profiles? */
export function isReserved(kind: 'label' | 'annotation', key: string): boolean {
  return RESERVED.some((pattern) => pattern.test(key)) || (kind === 'label' && CONTROLLER_LABEL.test(key));
}
