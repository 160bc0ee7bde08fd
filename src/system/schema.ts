/**
 * Tables of fields. From one table follow the TypeScript type, reading with error messages, writing, what of a value is
 * persisted, and restoring that. `null` counts as absent, unknown fields are ignored (protocol 4.2).
 */
import { isObject } from './json.ts';
import { compactList, isEmptyValue } from './omit-empty.ts';

/** An invalid field: its path, the kind of value found, what is allowed. Never quotes strings that may be secrets. */
export class FieldError extends Error {
  override readonly name = 'FieldError';
  readonly code = 'invalid-field';
  /** Completes "container.image ...". */
  readonly why: string;
  readonly path: readonly (string | number)[];

  constructor(why: string, path: readonly (string | number)[] = []) {
    const where = path.map((step, index) => (typeof step === 'number' ? `[${step}]` : index > 0 ? `.${step}` : step));
    super(`${where.join('')} ${why}`);
    this.why = why;
    this.path = path;
  }

  /** The same error, seen from the object or list around it. */
  within(step: string | number): FieldError {
    return new FieldError(this.why, [step, ...this.path]);
  }
}

type Presence = 'required' | 'optional' | 'default';

/**
 * `reported`: the plugin sets it; when read it is checked and dropped. `persisted`: kept where a value is saved.
 * `omit-empty`: not written when empty. `hidden`: not shown to people.
 */
type Mark = 'reported' | 'persisted' | 'omit-empty' | 'hidden';

/** The ways a value of a type takes. What is left out passes the value through. */
interface Codec<T> {
  /** For error messages: "text", "a whole number". */
  readonly description: string;
  /** From JSON of another program. Throws FieldError. Never given undefined. */
  read(value: unknown): T;
  /** To JSON, for a reader of a minor version of the protocol. Undefined: not written. */
  write?(value: T, minor: number): unknown;
  /** To JSON for people: without what may be a secret. */
  show?(value: T): unknown;
  /** From a saved value that anybody may have changed. Undefined, after a call of `malformed`, if it cannot be used. */
  restore?(value: unknown, malformed: () => void): T | undefined;
}

/** The type of one field, its presence and its marks. Immutable: every method returns a new one. */
export class Schema<T, P extends Presence = 'required', M extends Mark = never> {
  readonly codec: Codec<T>;
  readonly presence: P;
  readonly marks: ReadonlySet<M>;
  /** The value of an absent field, if its presence is `default`. */
  readonly fallback: T | undefined;

  constructor(codec: Codec<T>, presence: P, marks: ReadonlySet<M> = new Set(), fallback?: T) {
    this.codec = codec;
    this.presence = presence;
    this.marks = marks;
    this.fallback = fallback;
  }

  /** May be absent; then the object has no such field. */
  optional(): Schema<T, 'optional', M> {
    return new Schema(this.codec, 'optional', this.marks);
  }

  /** May be absent; then this value counts. */
  default(value: T): Schema<T, 'default', M> {
    return new Schema<T, 'default', M>(this.codec, 'default', this.marks, value);
  }

  reported(): Schema<T, P, M | 'reported'> {
    return this.#marked('reported');
  }

  persisted(): Schema<T, P, M | 'persisted'> {
    return this.#marked('persisted');
  }

  omitEmpty(): Schema<T, P, M | 'omit-empty'> {
    return this.#marked('omit-empty');
  }

  hidden(): Schema<T, P, M | 'hidden'> {
    return this.#marked('hidden');
  }

  #marked<N extends Mark>(mark: N): Schema<T, P, M | N> {
    return new Schema<T, P, M | N>(this.codec, this.presence, new Set<M | N>([...this.marks, mark]), this.fallback);
  }

  /** Reads as before, then makes something else of it. `make` may throw FieldError. */
  map<R>(make: (value: T) => R, description = this.codec.description): Schema<R> {
    return new Schema<R>({ description, read: (value) => make(this.codec.read(value)) }, 'required');
  }

  /** The same type, read, written, shown or restored in another way. */
  with(ways: Partial<Omit<Codec<T>, 'description'>>): Schema<T, P, M> {
    return new Schema<T, P, M>({ ...this.codec, ...ways }, this.presence, this.marks, this.fallback);
  }

  /** Throws FieldError. */
  read(value: unknown): T {
    return this.codec.read(value);
  }

  write(value: T, minor: number): unknown {
    if (this.marks.has('omit-empty' as M) && (isEmptyValue(value) || value === false)) return undefined;
    return this.codec.write === undefined ? value : this.codec.write(value, minor);
  }

  show(value: T): unknown {
    return this.codec.show === undefined ? value : this.codec.show(value);
  }

  restore(value: unknown, malformed: () => void): T | undefined {
    if (this.codec.restore !== undefined) return this.codec.restore(value, malformed);
    try {
      return this.codec.read(value);
    } catch (error) {
      if (!(error instanceof FieldError)) throw error;
      malformed();
      return undefined;
    }
  }
}

type AnySchema = Schema<unknown, Presence, Mark>;
export type Fields = Readonly<Record<string, AnySchema>>;

type ValueOf<S> = S extends Schema<infer T, Presence, Mark> ? Exclude<T, undefined> : never;
type OptionalKeys<F> = { [K in keyof F]: F[K] extends { readonly presence: 'optional' } ? K : never }[keyof F];
type MarkedKeys<F, M extends Mark> = {
  [K in keyof F]: F[K] extends Schema<unknown, Presence, infer Marks> ? (M extends Marks ? K : never) : never;
}[keyof F];

/** The object that a table of fields describes. */
export type Infer<F extends Fields> = {
  readonly [K in Exclude<keyof F, OptionalKeys<F>>]: ValueOf<F[K]>;
} & { readonly [K in OptionalKeys<F>]?: ValueOf<F[K]> };

/** What is read of it: without the fields that the plugin reports. */
export type InferRead<F extends Fields> = Infer<Omit<F, MarkedKeys<F, 'reported'>>>;

/** What is saved of it. Fields that are empty are absent. */
export type InferPersisted<F extends Fields> = Partial<Infer<Pick<F, MarkedKeys<F, 'persisted'>>>>;

type Entry = readonly [name: string, schema: AnySchema];

const ENTRIES = new WeakMap<Fields, readonly Entry[]>();

/** The entries of a table, listed once: a submit reads and writes by ten tables, and their lists were 8 % of its garbage. */
function entriesOf(fields: Fields): readonly Entry[] {
  let entries = ENTRIES.get(fields);
  if (entries === undefined) {
    entries = Object.entries(fields);
    ENTRIES.set(fields, entries);
  }
  return entries;
}

/** Reads an object by its table. Throws FieldError. */
export function readFields<F extends Fields>(fields: F, from: Readonly<Record<string, unknown>>): InferRead<F> {
  const values: Record<string, unknown> = {};
  for (const [name, field] of entriesOf(fields)) {
    const given = Object.hasOwn(from, name) ? from[name] : undefined;
    const isReported = field.marks.has('reported');
    if (given !== undefined && given !== null) {
      const value = inside(name, field, given);
      if (!isReported && value !== undefined) values[name] = value;
    } else if (isReported) continue;
    else if (field.presence === 'required') {
      throw new FieldError(`is missing; it must be ${field.codec.description}`, [name]);
    } else if (field.presence === 'default') values[name] = field.fallback;
  }
  return values as InferRead<F>;
}

/** The values of the fields that have a default. */
function defaultsOf<F extends Fields>(fields: F): Partial<InferRead<F>> {
  const defaults = entriesOf(fields).filter(([, { presence }]) => presence === 'default');
  return Object.fromEntries(defaults.map(([name, { fallback }]) => [name, fallback])) as Partial<InferRead<F>>;
}

/** The fields of a value that are saved: those marked so, unless they are empty. */
export function persistFields<F extends Fields>(fields: F, values: Infer<F> | InferRead<F>): InferPersisted<F> {
  const saved: Record<string, unknown> = {};
  const given: Readonly<Record<string, unknown>> = values;
  for (const [name, { marks }] of entriesOf(fields)) {
    const value = given[name];
    if (marks.has('persisted') && !isEmptyValue(value) && value !== false) saved[name] = value;
  }
  return saved as InferPersisted<F>;
}

/** The table of the fields that are saved. */
export function persistedFields<F extends Fields>(fields: F): Pick<F, MarkedKeys<F, 'persisted'>> {
  const kept = entriesOf(fields).filter(([, { marks }]) => marks.has('persisted'));
  return Object.fromEntries(kept) as Pick<F, MarkedKeys<F, 'persisted'>>;
}

/** The fields of a saved value that can be used; `malformed` is called with the names of the others. */
export function restoreFields<F extends Fields>(
  fields: F,
  from: Readonly<Record<string, unknown>>,
  malformed: (name: string) => void,
): Partial<Infer<F>> {
  const values: Record<string, unknown> = {};
  for (const [name, field] of entriesOf(fields)) {
    if (!Object.hasOwn(from, name)) continue;
    const value = field.restore(from[name], () => malformed(name));
    if (value !== undefined) values[name] = value;
  }
  return values as Partial<Infer<F>>;
}

/** Reads the value of a field or an item. An error names it. */
function inside<T>(step: string | number, type: Schema<T, Presence, Mark>, value: unknown): T {
  try {
    if (value === null) throw wrongType(value, type.codec.description);
    return type.codec.read(value);
  } catch (error) {
    throw error instanceof FieldError ? error.within(step) : error;
  }
}

/** A value of another type, named by its kind alone: the value might be a secret. */
function wrongType(value: unknown, description: string): FieldError {
  return new FieldError(`is ${kindOf(value)}; it must be ${description}`);
}

function kindOf(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a list';
  const kinds: Readonly<Record<string, string>> = { string: 'text', number: 'a number', boolean: 'a boolean' };
  return kinds[typeof value] ?? 'an object';
}

/** A value of the right type with a content that is not allowed. */
export function wrongContent(value: string | number, description: string): FieldError {
  return new FieldError(`is ${quotedValue(value)}; it must be ${description}`);
}

/** At most 60 characters of a foreign value, as JSON. */
export function quotedValue(value: string | number): string {
  return typeof value === 'number'
    ? String(value)
    : JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value);
}

/** Drops whitespace (ASCII only, in linear time) around a string. */
export function trimWhitespace(value: string): string {
  const isWhitespace = (index: number): boolean => ' \t\n\v\f\r'.includes(value.charAt(index));
  let begin = 0;
  let end = value.length;
  while (begin < end && isWhitespace(begin)) begin++;
  while (end > begin && isWhitespace(end - 1)) end--;
  return value.slice(begin, end);
}

const type = <T>(codec: Codec<T>): Schema<T> => new Schema<T>(codec, 'required');

export const text = (): Schema<string> =>
  type({
    description: 'text',
    read: (value) => {
      if (typeof value !== 'string') throw wrongType(value, 'text');
      return value;
    },
  });

/** A string without the whitespace around it. */
export const trimmedString = (): Schema<string> => text().map(trimWhitespace);

/** At least one character. */
export const nonEmpty = (of: Schema<string>): Schema<string> =>
  of.map((value) => {
    if (value === '') throw wrongContent(value, 'text that is not empty');
    return value;
  }, 'text that is not empty');

/** Whole numbers that JavaScript holds exactly, from `min` to `max`. */
export function integer(min = Number.MIN_SAFE_INTEGER, max = Number.MAX_SAFE_INTEGER): Schema<number> {
  const description = `a whole number${range(min, max)}`;
  return type({
    description,
    read: (value) => {
      if (typeof value !== 'number') throw wrongType(value, description);
      if (!Number.isSafeInteger(value) || value < min || value > max) throw wrongContent(value, description);
      return value;
    },
  });
}

function range(min: number, max: number): string {
  if (max < Number.MAX_SAFE_INTEGER) return ` from ${min} to ${max}`;
  return min > Number.MIN_SAFE_INTEGER ? `, ${min} or more` : '';
}

export const number = (): Schema<number> =>
  type({
    description: 'a number',
    read: (value) => {
      if (typeof value !== 'number') throw wrongType(value, 'a number');
      if (!Number.isFinite(value)) throw new FieldError('is a number out of range; it must be a number');
      return value;
    },
  });

export const boolean = (): Schema<boolean> =>
  type({
    description: 'true or false',
    read: (value) => {
      if (typeof value !== 'boolean') throw wrongType(value, 'true or false');
      return value;
    },
  });

/** One of the keys of a table, as it is written on the wire; read as what the table says. */
export function choice<const T>(description: string, choices: ReadonlyMap<unknown, T>): Schema<T> {
  return type({
    description,
    read: (value) => {
      const chosen = choices.get(value);
      if (chosen !== undefined) return chosen;
      if (typeof value === 'string' || typeof value === 'number') throw wrongContent(value, description);
      throw wrongType(value, description);
    },
  });
}

/** Restoring drops the items that are malformed and keeps the others. `max` is checked before the items are read. */
export function list<T>(
  of: Schema<T, Presence, Mark>,
  { min = 0, max = Number.MAX_SAFE_INTEGER } = {},
): Schema<readonly T[]> {
  const description =
    min > 0 ? `a list of at least ${min}` : max < Number.MAX_SAFE_INTEGER ? `a list of at most ${max}` : 'a list';
  const { write, show } = of.codec;
  return type<readonly T[]>({
    description,
    read: (value) => {
      if (!Array.isArray(value)) throw wrongType(value, 'a list');
      if (value.length < min || value.length > max)
        throw new FieldError(`is a list of ${value.length}; it must be ${description}`);
      return value.map((item: unknown, index) => inside(index, of, item));
    },
    ...(write === undefined ? {} : { write: (items, minor) => items.map((item) => of.write(item, minor)) }),
    ...(show === undefined ? {} : { show: (items) => items.map((item) => of.show(item)) }),
    restore: (value, malformed) => {
      if (Array.isArray(value)) {
        return compactList(value.map((item) => of.restore(item, malformed)).filter((item) => item !== undefined));
      }
      malformed();
      return undefined;
    },
  });
}

/** A list of which order and duplicates mean nothing: written sorted, each item once. */
export const set = (of: Schema<string>, max: number): Schema<readonly string[]> =>
  list(of, { max }).with({ write: (items) => [...new Set(items)].sort() });

/** Any object, as it is. */
export const anyObject = (): Schema<Readonly<Record<string, unknown>>> =>
  type({
    description: 'an object',
    read: (value) => {
      if (!isObject(value)) throw wrongType(value, 'an object');
      return value;
    },
  });

/** Anything at all, as it is. */
export const anything = (): Schema<unknown> => type({ description: 'anything', read: (value) => value });

/** An object with a table of its own. Restoring it fails if one of its fields cannot be restored. */
export function object<F extends Fields>(fields: F): Schema<Infer<F>> {
  return type<Infer<F>>({
    description: 'an object',
    read: (value) => readFields(fields, anyObject().read(value)) as unknown as Infer<F>,
    write: (value, minor) => writeFields(fields, value, minor),
    show: (value) => showFields(fields, value),
    restore: (value, malformed) => {
      const given = isObject(value) ? value : {};
      const restored = restoreFields(fields, given, malformed);
      const isUsable = entriesOf(fields).every(
        ([name, { presence }]) =>
          Object.hasOwn(restored, name) || (presence !== 'required' && !Object.hasOwn(given, name)),
      );
      if (isUsable && isObject(value)) return { ...defaultsOf(fields), ...restored } as unknown as Infer<F>;
      malformed();
      return undefined;
    },
  });
}

/** The JSON of a value: its fields in the order of the table. */
export function writeFields<F extends Fields>(fields: F, value: Partial<Infer<F>>, minor: number): object {
  const json: Record<string, unknown> = {};
  const values: Readonly<Record<string, unknown>> = value;
  for (const [name, field] of entriesOf(fields)) {
    if (values[name] !== undefined) json[name] = field.write(values[name], minor);
  }
  return json;
}

/** The JSON of a value for people: without the fields that are hidden. */
export function showFields<F extends Fields>(fields: F, value: Infer<F>): object {
  const json: Record<string, unknown> = {};
  const values: Readonly<Record<string, unknown>> = value;
  for (const [name, field] of entriesOf(fields)) {
    if (!field.marks.has('hidden') && values[name] !== undefined) json[name] = field.show(values[name]);
  }
  return json;
}
