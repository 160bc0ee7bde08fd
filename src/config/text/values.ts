/**
 * Kinds of values that options and profile keys have (configuration.md section 0). A kind knows what is allowed, in
 * words, and how to read a text; what is not allowed is refused, never repaired.
 */

export type Parsed<T> =
  | { readonly ok: true; readonly value: T; readonly warning?: string }
  /** `reason` completes "must be ...". */
  | { readonly ok: false; readonly reason: string };

/**
 * Where an option or a key comes from (configuration.md): the documentation that this project follows, the public SDKs,
 * newer documentation of the first-party plugin. What is ours may stop that plugin.
 */
export type Provenance = 'documented' | 'SDK' | 'SDK, newer' | 'newer' | 'newer, name ours' | 'ours';

export interface Kind<T> {
  /** What may be written, for tables of the reference: "a whole number, 0 or more". */
  readonly allowed: string;
  readonly parse: (text: string) => Parsed<T>;
}

/** A kind from a function that gives undefined for what is not allowed. */
export function kind<T>(allowed: string, read: (text: string) => T | undefined): Kind<T> {
  return {
    allowed,
    parse: (text) => {
      const value = read(text);
      return value === undefined ? { ok: false, reason: allowed } : { ok: true, value };
    },
  };
}

const TRUTH: ReadonlyMap<string, boolean> = new Map([
  ...['1', 'true', 'yes', 'on'].map((word) => [word, true] as const),
  ...['0', 'false', 'no', 'off'].map((word) => [word, false] as const),
]);

export const BOOLEAN: Kind<boolean> = kind('1 or 0 (also true, false, yes, no, on, off)', (text) =>
  TRUTH.get(text.toLowerCase()),
);

/** Any text. */
export const TEXT: Kind<string> = kind('text', (text) => text);

/** A whole number in decimal digits. */
export function wholeNumber(least: number, most = Number.MAX_SAFE_INTEGER): Kind<number> {
  return kind(`a whole number${range(least, most)}`, (text) => within(/^\d+$/, text, least, most));
}

/** Digits with an optional fraction, `1.5`; no sign, no exponent. */
export function decimal(least: number, most: number): Kind<number> {
  return kind(`a number such as 1.5${range(least, most)}`, (text) => within(DECIMAL, text, least, most));
}

/** Decimal digits, then perhaps a point and more digits. */
export const DECIMAL = /^\d+(\.\d+)?$/;

/** As `decimal`, exponents allowed too. */
export function scientific(least: number, most: number): Kind<number> {
  return kind(`a number such as 0.5 or 1e-3${range(least, most)}`, (text) =>
    within(/^\d+(\.\d+)?([eE][+-]?\d+)?$/, text, least, most),
  );
}

/** A count of GPUs: `2`, also written `2.000000`. */
export const GPU_COUNT: Kind<number> = kind('a whole number of GPUs from 0 to 1000', (text) =>
  within(/^\d+(\.0+)?$/, text, 0, 1000),
);

function range(least: number, most: number): string {
  return most === Number.MAX_SAFE_INTEGER ? `, ${least} or more` : ` from ${least} to ${most}`;
}

function within(shape: RegExp, text: string, least: number, most: number): number | undefined {
  if (!shape.test(text)) return undefined;
  const value = Number(text);
  return value >= least && value <= most ? value : undefined;
}

/** One of some words, spelled exactly so. */
export function choice<const T extends string>(...words: readonly T[]): Kind<T> {
  return kind(`one of ${words.join(', ')}`, (text) => words.find((word) => word === text));
}

/** An absolute path. */
export const PATH: Kind<string> = kind('an absolute path', (text) => (text.startsWith('/') ? text : undefined));

/** Items separated by commas; empty ones are refused, doubled ones kept once with a warning. `same` tells items apart. */
export function list<T>(item: Kind<T>, same: (value: T) => string = String): Kind<readonly T[]> {
  const allowed = `a comma-separated list, each ${item.allowed}`;
  return {
    allowed,
    parse: (text) => {
      const kept = new Map<string, T>();
      const doubled: string[] = [];
      for (const part of text.split(',').map((each) => each.trim())) {
        if (part === '') return { ok: false, reason: `${allowed}; an item is empty` };
        const parsed = item.parse(part);
        if (!parsed.ok) return { ok: false, reason: `${allowed}; "${part}" is not` };
        const key = same(parsed.value);
        if (kept.has(key)) doubled.push(part);
        else kept.set(key, parsed.value);
      }
      const value = [...kept.values()];
      if (doubled.length === 0) return { ok: true, value };
      return { ok: true, value, warning: `names ${doubled.map((each) => `"${each}"`).join(', ')} more than once` };
    },
  };
}

/** A name of a Kubernetes object or namespace that is a DNS label. */
export const DNS_LABEL: Kind<string> = kind(
  'a DNS label (lower-case letters, digits and -, at most 63 characters)',
  (text) => (/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/.test(text) ? text : undefined),
);

/** Is this a name that Kubernetes gives to most objects? */
function isDnsSubdomain(text: string): boolean {
  return text.length <= 253 && /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/.test(text);
}

/** A name of a Kubernetes object (DNS subdomain). */
export const OBJECT_NAME: Kind<string> = kind('a Kubernetes name (lower-case letters, digits, - and .)', (text) =>
  isDnsSubdomain(text) ? text : undefined,
);

/** May Kubernetes store this as the key of a label or annotation, or as a resource of a node selector? */
export function isLabelKey(text: string): boolean {
  const slash = text.indexOf('/');
  const name = text.slice(slash + 1);
  return (slash < 0 || isDnsSubdomain(text.slice(0, slash))) && name !== '' && isLabelValue(name);
}

/** May Kubernetes store this as the value of a label? */
export function isLabelValue(text: string): boolean {
  return text === '' || (text.length <= 63 && /^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$/.test(text));
}
