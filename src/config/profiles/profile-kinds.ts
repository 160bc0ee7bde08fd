/** Kinds of values that only profiles have (configuration.md sections 2 and 2.1). */

import { BOOLEAN, decimal, isLabelKey, isLabelValue, type Kind, kind, list } from '../text/values.ts';
import { isReserved } from './reserved-keys.ts';

/** A choice offered to users (`region:us`), or free text (`node`) if there is no value; becomes a node label to match. */
export interface Constraint {
  readonly name: string;
  readonly value?: string;
}

interface Toleration {
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

const MOST_CPUS = 1_000_000;
const MOST_MB = 1_000_000_000_000;
export const CPUS = decimal(0, MOST_CPUS);
export const MEM_MB = decimal(0, MOST_MB);

export const RATIO: Kind<number> = kind('a number above 0 and at most 1, such as 0.5', (text) => {
  const parsed = decimal(0, 1).parse(text);
  return parsed.ok && parsed.value > 0 ? parsed.value : undefined;
});

/** Quotes come with what is copied from scripts and documents. */
export const IMAGE: Kind<string> = kind('the name of an image, without blanks and quotes', (text) =>
  /^[^\s'"`\p{Pi}\p{Pf}\u201a\u201e]{1,1024}$/u.test(text) ? text : undefined,
);

export const NAME: Kind<string> = kind('a name', (text) => text);

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

export const TOLERATION: Kind<Toleration> = kind(
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
const PLACEHOLDERS = ['user', 'group', 'name', 'resource-profile'] as const;

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

export const placeholders = PLACEHOLDERS.map((name) => `{${name}}`).join(', ');
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

/** `sys_admin` and `CAP_SYS_ADMIN` are `SYS_ADMIN`, as the container runtimes see it. */
export function capabilityName(text: string): string {
  return text.toUpperCase().replace(/^CAP_/, '');
}

export const CAPABILITY: Kind<string> = kind('a Linux capability such as NET_ADMIN, or ALL', (text) =>
  /^[A-Za-z_]{1,64}$/.test(text) ? capabilityName(text) : undefined,
);

export const HOST_PATH: Kind<string> = kind('an absolute path without ..', (text) =>
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
export function allowed(item: Kind<string>, everything: readonly string[] = ['any']): Kind<Allowed> {
  return listOr<Allowed>(item, { ...Object.fromEntries(everything.map((word) => [word, 'any' as const])), none: [] });
}

/** As `list`, and `none`. */
export function listOrNone(item: Kind<string>): Kind<readonly string[]> {
  return listOr<readonly string[]>(item, { none: [] });
}

export const AUTOMOUNT: Kind<boolean | 'auto'> = kind(`auto, ${BOOLEAN.allowed}`, (text) => {
  if (text === 'auto') return text;
  const parsed = BOOLEAN.parse(text);
  return parsed.ok ? parsed.value : undefined;
});
