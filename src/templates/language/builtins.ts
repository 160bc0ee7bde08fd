/** The functions that Go's text/template has by itself. */
import { byteLength, joined, sliceBytes, toBytes } from '../bytes.ts';
import { GoError } from '../contract.ts';
import { printForm } from '../print-form.ts';
import {
  type Budget,
  entriesOf,
  Func,
  type GoFunction,
  isTrue,
  itemsOf,
  numberOf,
  Sized,
  Slice,
  TypedMap,
  typeName,
  type Value,
} from '../values.ts';
import { equal, less } from './compare.ts';
import { isPrintable } from './format-string.ts';
import { formatted } from './printf.ts';

const VALUE = 'reflect.Value';
const ANY = 'interface {}';

type Call = GoFunction['call'];

const plain = (name: string, parameters: readonly string[], call: Call): [string, GoFunction] => [
  name,
  { name, parameters, variadic: false, call },
];

const variadic = (name: string, parameters: readonly string[], call: Call): [string, GoFunction] => [
  name,
  { name, parameters, variadic: true, call },
];

/** The evaluator knows `and` and `or` by name, because they do not evaluate all of their arguments. */
const shortCircuit: Call = () => {
  throw new GoError('the evaluator calls this function itself');
};

export const builtins: ReadonlyMap<string, GoFunction> = new Map([
  variadic('and', [VALUE, VALUE], shortCircuit),
  variadic('or', [VALUE, VALUE], shortCircuit),
  plain('not', [VALUE], ([value]) => !isTrue(value)),
  variadic('eq', [VALUE, VALUE], ([first, ...others]) => equal(first, others)),
  plain('ne', [VALUE, VALUE], ([a, b]) => !equal(a, [b])),
  plain('lt', [VALUE, VALUE], ([a, b]) => less(a, b)),
  plain('le', [VALUE, VALUE], ([a, b]) => less(a, b) || equal(a, [b])),
  plain('gt', [VALUE, VALUE], ([a, b]) => !(less(a, b) || equal(a, [b]))),
  plain('ge', [VALUE, VALUE], ([a, b]) => !less(a, b)),
  variadic('index', [VALUE, VALUE], ([item, ...indexes]) => indexed(item, indexes)),
  variadic('slice', [VALUE, VALUE], ([item, ...indexes]) => sliced(item, indexes)),
  plain('len', [VALUE], ([value]) => BigInt(lengthOf(value))),
  variadic('call', [VALUE, VALUE], ([called, ...args], context) => {
    if (!(called instanceof Func)) throw new GoError(`${typeName(called)} is not a function`);
    return called.function.call(callArguments(called.function, args), context);
  }),
  variadic('print', [ANY], (args, context) => printed(args, context)),
  variadic(
    'println',
    [ANY],
    (args, context) =>
      `${joined(
        args.map((arg) => printForm(arg, context)),
        ' ',
      )}\n`,
  ),
  variadic('printf', ['string', ANY], ([format, ...args], context) => formatted(String(format), args, context)),
  variadic('html', [ANY], (args, context) => escapeHtml(escapable(args, context))),
  variadic('js', [ANY], (args, context) => escapeJs(escapable(args, context))),
  variadic('urlquery', [ANY], (args, context) => escapeQuery(escapable(args, context))),
]);

/** As fmt.Sprint: a space between two operands of which none is a string. */
function printed(args: readonly Value[], budget: Budget): string {
  const parts: string[] = [];
  for (const [i, arg] of args.entries()) {
    if (i > 0 && typeof arg !== 'string' && typeof args[i - 1] !== 'string') parts.push(' ');
    parts.push(printForm(arg, budget));
  }
  return joined(parts, '');
}

/** The text that html, js and urlquery escape. */
const escapable = (args: readonly Value[], budget: Budget): string =>
  printed(
    args.map((arg) => arg ?? '<no value>'),
    budget,
  );

function lengthOf(value: Value): number {
  if (typeof value === 'string') return byteLength(value);
  const length = itemsOf(value)?.length ?? entriesOf(value)?.size;
  if (length === undefined) throw new GoError(`len of type ${typeName(value)}`);
  return length;
}

/** An index of a list or string, at most `most`. */
function position(index: Value, most: number): number {
  const number = numberOf(index);
  if (typeof number !== 'bigint') throw new GoError(`cannot index slice/array with type ${typeName(index)}`);
  if (number < 0n || number > BigInt(most)) throw new GoError(`index out of range: ${number}`);
  return Number(number);
}

/** `index x 1 "a"` is x[1]["a"]. */
function indexed(item: Value, indexes: readonly Value[]): Value {
  if (item === undefined || item === null) throw new GoError('index of untyped nil');
  let value: Value = item;
  for (const index of indexes) {
    if (value === undefined || value === null) throw new GoError('index of nil pointer');
    const items = itemsOf(value);
    const entries = entriesOf(value);
    if (items !== undefined) value = items[position(index, items.length - 1)];
    else if (typeof value === 'string') {
      const bytes: Uint8Array = toBytes(value);
      value = new Sized('uint8', BigInt(bytes[position(index, bytes.length - 1)] ?? 0));
    } else if (entries === undefined) throw new GoError(`can't index item of type ${typeName(value)}`);
    else if (index === undefined || index === null) throw new GoError('value is nil; should be of type string');
    else if (typeof index !== 'string') throw new GoError(`value has type ${typeName(index)}; should be string`);
    else if (entries.has(index)) value = entries.get(index);
    else value = value instanceof TypedMap ? zeroOf(value.elem) : null;
  }
  return value;
}

/** The zero value of a type. */
function zeroOf(type: string): Value {
  if (type === 'string') return '';
  if (type === 'bool') return false;
  if (type === 'int') return 0n;
  return type === 'float64' ? 0 : null;
}

/** `slice x 1 2` is x[1:2]. */
function sliced(item: Value, indexes: readonly Value[]): Value {
  if (item === undefined || item === null) throw new GoError('slice of untyped nil');
  if (indexes.length > 3) throw new GoError(`too many slice indexes: ${indexes.length}`);
  const items = itemsOf(item);
  if (items === undefined && typeof item !== 'string') throw new GoError(`can't slice item of type ${typeName(item)}`);
  if (typeof item === 'string' && indexes.length === 3) throw new GoError('cannot 3-index slice a string');
  const length = lengthOf(item);
  const [from = 0, to = length, capacity = length] = indexes.map((index) => position(index, length));
  if (from > to) throw new GoError(`invalid slice index: ${from} > ${to}`);
  if (to > capacity) throw new GoError(`invalid slice index: ${to} > ${capacity}`);
  if (typeof item === 'string') return sliceBytes(item, from, to);
  const part = (items ?? []).slice(from, to);
  return item instanceof Slice ? new Slice(item.elem, part) : part;
}

/** The arguments of `call`, checked as those of any function. */
function callArguments({ name, parameters, variadic: many }: GoFunction, args: readonly Value[]): readonly Value[] {
  const fixed = parameters.length - (many ? 1 : 0);
  if (many ? args.length < fixed : args.length !== fixed) {
    throw new GoError(`wrong number of args for ${name}: got ${args.length} want ${fixed}`);
  }
  return args.map((arg, i) => {
    const type = parameters[Math.min(i, parameters.length - 1)];
    if (type === ANY || type === VALUE || typeName(arg) === type) return arg ?? null;
    throw new GoError(`arg ${i}: value has type ${typeName(arg)}; should be ${type}`);
  });
}

const HTML: ReadonlyMap<string, string> = new Map([
  ['\0', '\ufffd'],
  ['"', '&#34;'],
  ["'", '&#39;'],
  ['&', '&amp;'],
  ['<', '&lt;'],
  ['>', '&gt;'],
]);

const escapeHtml = (text: string): string => text.replace(/[\0"'&<>]/g, (char) => HTML.get(char) ?? char);

const codeUnit = (code: number): string => `\\u${code.toString(16).toUpperCase().padStart(4, '0')}`;

const escapeJs = (text: string): string =>
  text.replace(/[\\'"<>&=\0-\x1f\x80-\u{10ffff}]/gu, (char) => {
    if (char === '\\' || char === "'" || char === '"') return `\\${char}`;
    // A byte that is not UTF-8 stays as it is.
    if (!char.isWellFormed() || (char >= '\x80' && isPrintable(char))) return char;
    return codeUnit(char.codePointAt(0) ?? 0);
  });

function escapeQuery(text: string): string {
  let result = '';
  for (const byte of toBytes(text)) {
    const char = String.fromCharCode(byte);
    if (char === ' ') result += '+';
    else if (/[A-Za-z0-9\-_.~]/.test(char)) result += char;
    else result += `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return result;
}
