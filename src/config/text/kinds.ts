/**
 * Kinds of values of options and profile keys (configuration.md section 0). A kind parses a text and describes what is
 * allowed; it refuses other values and never repairs them.
 */

export type ParsedValue<T> =
  | { readonly ok: true; readonly value: T; readonly warning?: string }
  /** `reason` completes "must be ...". */
  | { readonly ok: false; readonly reason: string };

/**
 * Where an option or a key comes from: the documentation that this project follows, the public SDKs, newer documentation
 * of the first-party plugin, or this plugin alone (`ours`: the first-party plugin may refuse to start with it).
 */
export type Provenance = 'documented' | 'SDK' | 'SDK, newer' | 'newer' | 'newer, name ours' | 'ours';

export interface ValueKind<T> {
  /** What is allowed, for errors and the reference: "a whole number, 0 or more". */
  readonly allowed: string;
  readonly parse: (text: string) => ParsedValue<T>;
  /** The text that `parse` reads as this value. */
  write(value: T): string;
}

/** Makes a kind of a function that returns undefined for values that are not allowed. Objects need a `write`. */
export function kind<T>(
  allowed: string,
  read: (text: string) => T | undefined,
  write: (value: T) => string = String,
): ValueKind<T> {
  return {
    allowed,
    write,
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

export const BOOLEAN: ValueKind<boolean> = kind(
  '1 or 0 (also true, false, yes, no, on, off)',
  (text) => TRUTH.get(text.toLowerCase()),
  (value) => (value ? '1' : '0'),
);

/** Any text. */
export const TEXT: ValueKind<string> = kind('text', (text) => text);

/** A whole number in decimal digits. */
export function wholeNumber(least: number, most = Number.MAX_SAFE_INTEGER): ValueKind<number> {
  return kind(`a whole number${range(least, most)}`, (text) => within(/^\d+$/, text, least, most));
}

/** Digits with an optional fraction, `1.5`; no sign, no exponent. */
export function decimal(least: number, most: number): ValueKind<number> {
  return kind(`a number such as 1.5${range(least, most)}`, (text) => within(DECIMAL, text, least, most));
}

/** Decimal digits, then perhaps a point and more digits. */
export const DECIMAL = /^\d+(\.\d+)?$/;

/** As `decimal`, exponents allowed too. */
export function scientific(least: number, most: number): ValueKind<number> {
  return kind(`a number such as 0.5 or 1e-3${range(least, most)}`, (text) =>
    within(/^\d+(\.\d+)?([eE][+-]?\d+)?$/, text, least, most),
  );
}

/** Most GPUs of one vendor in a job. */
export const MAX_GPUS = 1000;

/** A number of CPUs. */
export const CPUS: ValueKind<number> = decimal(0, 1_000_000);

/** An amount of memory in MB (10^6 bytes). */
export const MEM_MB: ValueKind<number> = decimal(0, 1_000_000_000_000);

/** A number of GPUs: `2`, also written `2.000000`. */
export const GPU_COUNT: ValueKind<number> = kind(`a whole number of GPUs from 0 to ${MAX_GPUS}`, (text) =>
  within(/^\d+(\.0+)?$/, text, 0, MAX_GPUS),
);

function range(least: number, most: number): string {
  return most === Number.MAX_SAFE_INTEGER ? `, ${least} or more` : ` from ${least} to ${most}`;
}

function within(shape: RegExp, text: string, least: number, most: number): number | undefined {
  if (!shape.test(text)) return undefined;
  const value = Number(text);
  return value >= least && value <= most ? value : undefined;
}

/** One of these words, in this spelling. */
export function oneOf<const T extends string>(...words: readonly T[]): ValueKind<T> {
  return kind(`one of ${words.join(', ')}`, (text) => words.find((word) => word === text));
}

/** An absolute path. */
export const PATH: ValueKind<string> = kind('an absolute path', (text) => (text.startsWith('/') ? text : undefined));

/** Items separated by commas. An empty item is refused; a repeated item counts once, with a warning. */
export function listOf<T>(item: ValueKind<T>): ValueKind<readonly T[]> {
  const allowed = `a comma-separated list, each ${item.allowed}`;
  return {
    allowed,
    write: (items) => items.map((each) => item.write(each)).join(','),
    parse: (text) => {
      const kept = new Map<string, T>();
      const doubled: string[] = [];
      for (const part of text.split(',').map((each) => each.trim())) {
        if (part === '') return { ok: false, reason: `${allowed}; an item is empty` };
        const parsed = item.parse(part);
        if (!parsed.ok) return { ok: false, reason: `${allowed}; "${part}" is not` };
        const key = item.write(parsed.value);
        if (kept.has(key)) doubled.push(part);
        else kept.set(key, parsed.value);
      }
      const value = [...kept.values()];
      if (doubled.length === 0) return { ok: true, value };
      return { ok: true, value, warning: `lists ${doubled.map((each) => `"${each}"`).join(', ')} more than once` };
    },
  };
}

/** A path or URL without slashes at its end. */
export function withoutTrailingSlashes(text: string): string {
  let end = text.length;
  while (text.charAt(end - 1) === '/') end--;
  return text.slice(0, end);
}

/** A DNS label, as the name of a namespace is. */
export const DNS_LABEL: ValueKind<string> = kind(
  'a DNS label (lower-case letters, digits and -, at most 63 characters)',
  (text) => (/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/.test(text) ? text : undefined),
);

/** Is this a DNS subdomain, as most names of Kubernetes objects are? */
function isDnsSubdomain(text: string): boolean {
  return text.length <= 253 && /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/.test(text);
}

/** A name of a Kubernetes object (DNS subdomain). */
export const OBJECT_NAME: ValueKind<string> = kind('a Kubernetes name (lower-case letters, digits, - and .)', (text) =>
  isDnsSubdomain(text) ? text : undefined,
);

/** Does Kubernetes accept this as the key of a label, an annotation or a node selector? */
export function isLabelKey(text: string): boolean {
  const slash = text.indexOf('/');
  const name = text.slice(slash + 1);
  return (slash < 0 || isDnsSubdomain(text.slice(0, slash))) && name !== '' && isLabelValue(name);
}

/** Does Kubernetes accept this as the value of a label? */
export function isLabelValue(text: string): boolean {
  return text === '' || (text.length <= 63 && /^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$/.test(text));
}

/** `api-url` -> `apiUrl`. */
export type CamelCase<Name extends string> = Name extends `${infer First}-${infer Rest}`
  ? `${First}${Capitalize<CamelCase<Rest>>}`
  : Name;

/** `api-url` -> `apiUrl`. */
export function camelCase(name: string): string {
  return name.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
}
