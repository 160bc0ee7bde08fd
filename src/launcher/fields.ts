/**
 * Types of the fields of a message. A table of fields says name, type, and whether it is required or what it is when
 * absent; from the table follow the TypeScript types, the validation and the texts of the errors.
 * `null` counts as absent, unknown members are ignored (protocol 4.2).
 */
import { isObject } from '../system/json.ts';

/** A field that is not as the table says: where, what was there, what is allowed. Never quotes texts that may be secrets. */
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

  /** The same error, seen from the object or list around. */
  within(step: string | number): FieldError {
    return new FieldError(this.why, [step, ...this.path]);
  }
}

/** What a value must be, and how it is read. */
export interface FieldType<T> {
  /** For error texts: "text", "a whole number". */
  readonly description: string;
  /** Throws FieldError. Never given null or undefined. */
  readonly read: (value: unknown) => T;
}

interface Required<T> {
  readonly presence: 'required';
  readonly type: FieldType<T>;
}
interface Optional<T> {
  readonly presence: 'optional';
  readonly type: FieldType<T>;
}
interface Defaulted<T> {
  readonly presence: 'default';
  readonly type: FieldType<T>;
  readonly default: T;
}
type Field<T> = Required<T> | Optional<T> | Defaulted<T>;
export type Fields = Readonly<Record<string, Field<unknown>>>;

/** The object that a table of fields describes. */
export type Values<F extends Fields> = {
  readonly [K in keyof F as F[K] extends Optional<unknown> ? never : K]: F[K] extends Field<infer T> ? T : never;
} & {
  readonly [K in keyof F as F[K] extends Optional<unknown> ? K : never]?: F[K] extends Optional<infer T> ? T : never;
};

/** Must be there. */
export const required = <T>(type: FieldType<T>): Required<T> => ({ presence: 'required', type });

/** May be absent; then the object has no such member. */
export const optional = <T>(type: FieldType<T>): Optional<T> => ({ presence: 'optional', type });

/** May be absent; then this value counts. */
export const defaulted = <T>(type: FieldType<T>, value: T): Defaulted<T> => ({
  presence: 'default',
  type,
  default: value,
});

/** Reads an object by its table. Throws FieldError. */
export function readFields<F extends Fields>(fields: F, from: Readonly<Record<string, unknown>>): Values<F> {
  const values: Record<string, unknown> = {};
  for (const name of Object.keys(fields)) {
    const field = fields[name];
    const value = Object.hasOwn(from, name) ? from[name] : undefined;
    if (field !== undefined && value !== undefined && value !== null) values[name] = inside(name, field.type, value);
    else if (field?.presence === 'required') {
      throw new FieldError(`is missing; it must be ${field.type.description}`, [name]);
    } else if (field?.presence === 'default') values[name] = field.default;
  }
  return values as Values<F>;
}

/** Reads what stands at a step. An error says so. */
function inside<T>(step: string | number, type: FieldType<T>, value: unknown): T {
  try {
    if (value === null) throw wrongType(value, type.description);
    return type.read(value);
  } catch (error) {
    throw error instanceof FieldError ? error.within(step) : error;
  }
}

/** A value of another type, by its kind alone: the value might be a secret. */
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
  return new FieldError(`is ${quoted(value)}; it must be ${description}`);
}

/** At most 60 characters of what somebody sent, as JSON. */
export function quoted(value: string | number): string {
  return typeof value === 'number'
    ? String(value)
    : JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value);
}

export const text: FieldType<string> = {
  description: 'text',
  read: (value) => {
    if (typeof value !== 'string') throw wrongType(value, 'text');
    return value;
  },
};

/** Text without the blanks around it. */
export const trimmedText: FieldType<string> = { description: 'text', read: (value) => trimBlanks(text.read(value)) };

/** Text of at least one character besides blanks around it, which are dropped. */
export const someText: FieldType<string> = {
  description: 'text that is not empty',
  read: (value) => {
    const trimmed = trimmedText.read(value);
    if (trimmed === '') throw wrongContent(trimmed, 'text that is not empty');
    return trimmed;
  },
};

/** Drops blanks (ASCII only, in linear time) around a text. */
export function trimBlanks(value: string): string {
  const blank = (index: number): boolean => ' \t\n\v\f\r'.includes(value.charAt(index));
  let begin = 0;
  let end = value.length;
  while (begin < end && blank(begin)) begin++;
  while (end > begin && blank(end - 1)) end--;
  return value.slice(begin, end);
}

/** Whole numbers that JavaScript holds exactly, from `min` to `max`. */
export function integer(min = Number.MIN_SAFE_INTEGER, max = Number.MAX_SAFE_INTEGER): FieldType<number> {
  const description = `a whole number${range(min, max)}`;
  return {
    description,
    read: (value) => {
      if (typeof value !== 'number') throw wrongType(value, description);
      if (!Number.isSafeInteger(value) || value < min || value > max) throw wrongContent(value, description);
      return value;
    },
  };
}

function range(min: number, max: number): string {
  if (max < Number.MAX_SAFE_INTEGER) return ` from ${min} to ${max}`;
  return min > Number.MIN_SAFE_INTEGER ? `, ${min} or more` : '';
}

export const number: FieldType<number> = {
  description: 'a number',
  read: (value) => {
    if (typeof value !== 'number') throw wrongType(value, 'a number');
    if (!Number.isFinite(value)) throw new FieldError('is a number out of range; it must be a number');
    return value;
  },
};

export const boolean: FieldType<boolean> = {
  description: 'true or false',
  read: (value) => {
    if (typeof value !== 'boolean') throw wrongType(value, 'true or false');
    return value;
  },
};

/** One of the keys of a table, as it is written on the wire; read as what the table says. */
export function choice<const T>(description: string, choices: ReadonlyMap<unknown, T>): FieldType<T> {
  return {
    description,
    read: (value) => {
      const chosen = choices.get(value);
      if (chosen !== undefined) return chosen;
      if (typeof value === 'string' || typeof value === 'number') throw wrongContent(value, description);
      throw wrongType(value, description);
    },
  };
}

export function list<T>(of: FieldType<T>, min = 0): FieldType<readonly T[]> {
  const description = min === 0 ? 'a list' : `a list of at least ${min}`;
  return {
    description,
    read: (value) => {
      if (!Array.isArray(value)) throw wrongType(value, description);
      if (value.length < min) throw new FieldError(`is a list of ${value.length}; it must be ${description}`);
      return value.map((element: unknown, index) => inside(index, of, element));
    },
  };
}

/** Any object, as it is. */
export const anyObject: FieldType<Readonly<Record<string, unknown>>> = {
  description: 'an object',
  read: (value) => {
    if (!isObject(value)) throw wrongType(value, 'an object');
    return value;
  },
};

/** Anything at all, as it is. */
export const anything: FieldType<unknown> = { description: 'anything', read: (value) => value };

/** An object with a table of its own. */
export function object<F extends Fields>(fields: F): FieldType<Values<F>> {
  return { description: 'an object', read: (value) => readFields(fields, anyObject.read(value)) };
}

/** Reads with one type, then makes something else of it. `make` may throw FieldError. */
export function made<T, R>(type: FieldType<T>, make: (value: T) => R, description = type.description): FieldType<R> {
  return { description, read: (value) => make(type.read(value)) };
}
