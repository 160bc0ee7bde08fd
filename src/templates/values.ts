/** Go values in JavaScript, as templates compute with them: their kinds, type names, truth, bytes and printed form. */
import type { Sliced } from '../system/slices.ts';

/**
 * One Go value. `undefined` is no value (an invalid reflect.Value, as of a missing key), `null` a nil interface, bigint an
 * int, number a float64, an array []interface {}, a Map map[string]interface {}. A byte of a string that is not valid UTF-8 is
 * a lone surrogate U+DC80 to U+DCFF.
 */
export type Value =
  | undefined
  | null
  | boolean
  | string
  | bigint
  | number
  | readonly Value[]
  | Map<string, Value>
  | Sized
  | Complex
  | Slice
  | TypedMap
  | GoObject
  | Func;

export type IntegerKind =
  | 'int8'
  | 'int16'
  | 'int32'
  | 'int64'
  | 'uint'
  | 'uint8'
  | 'uint16'
  | 'uint32'
  | 'uint64'
  | 'uintptr';

/** The kinds of Go's package reflect that templates meet. */
export type Kind =
  | 'invalid'
  | 'bool'
  | 'string'
  | 'int'
  | IntegerKind
  | 'float32'
  | 'float64'
  | 'complex128'
  | 'slice'
  | 'map'
  | 'func'
  | 'struct'
  | 'ptr';

/** A number of another type than int and float64: int64 from sprig's `add`, uint8 from an indexed string. */
export class Sized {
  readonly kind: IntegerKind | 'float32';
  readonly value: bigint | number;

  /** The value is wrapped to the size of its kind, as Go's conversions do. */
  constructor(kind: IntegerKind, value: bigint);
  constructor(kind: 'float32', value: number);
  constructor(kind: IntegerKind | 'float32', value: bigint | number) {
    this.kind = kind;
    this.value = typeof value === 'bigint' && kind !== 'float32' ? wrapped(kind, value) : Math.fround(Number(value));
  }
}

/** A complex128. */
export class Complex {
  readonly real: number;
  readonly imaginary: number;

  constructor(real: number, imaginary: number) {
    this.real = real;
    this.imaginary = imaginary;
  }
}

/** A slice of another type than []interface {}: `elem` is the Go type of its elements (`string`, `uint8`, `interface {}`...). */
export class Slice {
  readonly elem: string;
  readonly items: readonly Value[];

  constructor(elem: string, items: readonly Value[]) {
    this.elem = elem;
    this.items = items;
  }
}

/** A map with string keys; its values have the Go type `elem`. */
export class TypedMap {
  readonly elem: string;
  readonly entries: Map<string, Value>;

  constructor(elem: string, entries: Map<string, Value>) {
    this.elem = elem;
    this.entries = entries;
  }
}

/** What a named Go type shows to templates: time.Time, time.Duration, *semver.Version. */
interface ObjectShape {
  /** As `%T` prints it. */
  readonly type: string;
  /** Its underlying kind: `struct`, `ptr`, or that of `value`. */
  readonly kind: Kind;
  /** The number of a type such as time.Duration (bigint for integers). */
  readonly value?: bigint | number | string;
  /** As fmt prints it with `%v`: what its method String returns, if it has one. */
  readonly text: string;
  readonly fields?: ReadonlyMap<string, Value>;
  readonly methods?: ReadonlyMap<string, GoFunction>;
}

/** A value of a named Go type with fields and methods. */
export class GoObject {
  readonly type: string;
  readonly kind: Kind;
  readonly value: bigint | number | string | undefined;
  readonly text: string;
  readonly fields: ReadonlyMap<string, Value>;
  readonly methods: ReadonlyMap<string, GoFunction>;

  constructor({ type, kind, value, text, fields, methods }: ObjectShape) {
    this.type = type;
    this.kind = kind;
    this.value = value;
    this.text = text;
    this.fields = fields ?? new Map();
    this.methods = methods ?? new Map();
  }
}

/** Counts work against the limits of one rendering; each method throws when its limit is reached. */
export interface Budget {
  /** Counts steps (elements visited, values built) and looks at the deadline. */
  readonly step: (count?: number) => void;
  /** Counts bytes of a text before a function builds it. */
  readonly reserve: (bytes: number) => void;
}

/** The key of `derivePassword`. */
export type DeriveKey = (password: Uint8Array, salt: Uint8Array) => Uint8Array;

/** What functions know of the rendering in which they are called. */
export interface Context extends Budget {
  /** Milliseconds since 1970, the same for all of the rendering. */
  readonly now: number;
  /** The output of a template by name (`include`); counts as a nested call. */
  readonly render: (name: string, data: Value) => Sliced<string>;
  /** The output of a text as a template of its own (`tpl`), which sees all templates of the set. */
  readonly renderText: (text: string, data: Value) => Sliced<string>;
  /** What a function gives for a string that it decoded. */
  readonly decoded: (encoded: string, text: string) => string;
  readonly deriveKey: DeriveKey;
}

/**
 * A function of templates. `parameters` are Go types (`interface {}`, `string`, `int`, `[]string`, `map[string]interface {}`);
 * the evaluator checks every argument against them. `reflect.Value` takes any value, no value included. An `interface {}` is
 * null for nil and for no value; so is a slice, map or pointer for a literal nil and for no value.
 */
interface Signature {
  readonly name: string;
  readonly parameters: readonly string[];
  /** The last parameter may be given any number of times. */
  readonly variadic: boolean;
}

export interface GoFunction extends Signature {
  /** Returns null for a nil interface; throws `GoError` for what Go returns as an error. */
  readonly call: (args: readonly Value[], context: Context) => Value;
}

/** A function that takes so long that other work runs meanwhile. */
export interface SlicedFunction extends Signature {
  /** As `call` of other functions. */
  readonly run: (args: readonly Value[], context: Context) => Sliced<Value>;
}

export type TemplateFunction = GoFunction | SlicedFunction;

/** A function as a value, for `call`. */
export class Func {
  readonly function: GoFunction;

  constructor(called: GoFunction) {
    this.function = called;
  }
}

const BITS: Readonly<Record<IntegerKind, number>> = {
  int8: 8,
  int16: 16,
  int32: 32,
  int64: 64,
  uint: 64,
  uint8: 8,
  uint16: 16,
  uint32: 32,
  uint64: 64,
  uintptr: 64,
};

function wrapped(kind: IntegerKind, value: bigint): bigint {
  const bits = BITS[kind];
  return kind.startsWith('u') ? BigInt.asUintN(bits, value) : BigInt.asIntN(bits, value);
}

/** An int: 64 bits, wrapped as Go does. */
export const toInt = (value: bigint): bigint => BigInt.asIntN(64, value);

export function kindOf(value: Value): Kind {
  switch (typeof value) {
    case 'string':
      return 'string';
    case 'boolean':
      return 'bool';
    case 'bigint':
      return 'int';
    case 'number':
      return 'float64';
    default:
      if (value === undefined || value === null) return 'invalid';
      if (value instanceof Map || value instanceof TypedMap) return 'map';
      if (value instanceof Sized || value instanceof GoObject) return value.kind;
      if (value instanceof Complex) return 'complex128';
      return value instanceof Func ? 'func' : 'slice';
  }
}

/** The Go type as `%T` prints it; `<nil>` for no value and nil. */
export function typeName(value: Value): string {
  const kind = kindOf(value);
  if (kind === 'invalid') return '<nil>';
  if (value instanceof GoObject) return value.type;
  if (value instanceof Slice) return `[]${value.elem}`;
  if (value instanceof TypedMap) return `map[string]${value.elem}`;
  if (kind === 'slice') return '[]interface {}';
  if (kind === 'map') return 'map[string]interface {}';
  if (value instanceof Func) return `func(${value.function.parameters.join(', ')})`;
  return kind;
}

/** The elements of a slice of any type; undefined for other values. */
export function itemsOf(value: Value): readonly Value[] | undefined {
  if (value instanceof Slice) return value.items;
  return Array.isArray(value) ? value : undefined;
}

/** The entries of a map of any type; undefined for other values. */
export function entriesOf(value: Value): Map<string, Value> | undefined {
  if (value instanceof TypedMap) return value.entries;
  return value instanceof Map ? value : undefined;
}

/** The integer or float of a number of any type, `undefined` for other values. */
export function numberOf(value: Value): bigint | number | undefined {
  if (typeof value === 'bigint' || typeof value === 'number') return value;
  if (value instanceof Sized) return value.value;
  return value instanceof GoObject && typeof value.value !== 'string' ? value.value : undefined;
}

/** As `if` and `and` see a value: false, 0, nil, and empty strings, lists and maps are false. */
export function isTrue(value: Value): boolean {
  if (typeof value === 'boolean') return value;
  if (typeof value === 'string') return value !== '';
  if (value === undefined || value === null) return false;
  const number = numberOf(value);
  if (number !== undefined) return typeof number === 'bigint' ? number !== 0n : number !== 0;
  if (value instanceof Complex) return value.real !== 0 || value.imaginary !== 0;
  const items = itemsOf(value);
  if (items !== undefined) return items.length > 0;
  const entries = entriesOf(value);
  if (entries !== undefined) return entries.size > 0;
  return !(value instanceof GoObject) || value.value !== '';
}
