/** Values as Go's encoding/json sees them, and their JSON text. */
import type { Sliced } from '../../system/slices.ts';
import { compareBytes } from '../bytes.ts';
import { GoError } from '../contract.ts';
import { NilMap, NilSlice } from '../nil-values.ts';
import { formatFloat, shortestFloat32 } from '../print-form.ts';
import { type Budget, Complex, entriesOf, Func, GoObject, itemsOf, Sized, typeName, type Value } from '../values.ts';
import type { Plain } from '../yaml/yaml-writer.ts';
import { bytesOf } from './strval.ts';
import { jsonTime, Time } from './time/go-time.ts';

/** From this depth on Go looks for a value that contains itself. */
const DEEPEST = 1000;

const unsupported = (what: string): GoError => new GoError(`json: unsupported ${what}`);

/** Items of a list or map between two places where other work may run. */
const PAUSE_ITEMS = 64;

/** What JSON and YAML can hold of a value; what they cannot is Go's error. */
export function* plainOf(value: Value, budget: Budget, depth = 0): Sliced<Plain> {
  const scalar = plainScalar(value);
  if (scalar !== undefined) return scalar;
  if (depth > DEEPEST) throw unsupported(`value: encountered a cycle via ${typeName(value)}`);
  const bytes = bytesOf(value);
  if (bytes !== undefined) return Buffer.from(bytes).toString('base64');
  const items = itemsOf(value);
  const entries = entriesOf(value);
  budget.step(1 + (items?.length ?? entries?.size ?? 0));
  let left = PAUSE_ITEMS;
  if (items !== undefined) {
    const list: Plain[] = [];
    for (const item of items) {
      const inner = plainScalar(item);
      list.push(inner === undefined ? yield* plainOf(item, budget, depth + 1) : inner);
      if (--left > 0) continue;
      left = PAUSE_ITEMS;
      yield;
    }
    return list;
  }
  const map = new Map<string, Plain>();
  for (const [key, item] of entries ?? []) {
    const inner = plainScalar(item);
    map.set(key, inner === undefined ? yield* plainOf(item, budget, depth + 1) : inner);
    if (--left > 0) continue;
    left = PAUSE_ITEMS;
    yield;
  }
  return map;
}

/** Undefined for lists and maps. */
function plainScalar(value: Value): Exclude<Plain, object> | ReadonlyMap<string, Plain> | null | undefined {
  if (typeof value === 'string' || typeof value === 'boolean' || typeof value === 'bigint') return value;
  if (value === null || value === undefined || value instanceof NilMap || value instanceof NilSlice) return null;
  if (value instanceof Time) return jsonTime(value);
  const number =
    typeof value === 'number' ? value : value instanceof Sized || value instanceof GoObject ? value.value : undefined;
  if (typeof number === 'bigint' || typeof number === 'string') return number;
  if (number !== undefined) {
    if (!Number.isFinite(number)) throw unsupported(`value: ${formatFloat(number)}`);
    return value instanceof Sized ? shortestFloat32(number) : number;
  }
  if (value instanceof Complex || value instanceof Func) throw unsupported(`type: ${typeName(value)}`);
  if (value instanceof GoObject) return value.kind === 'ptr' ? value.text : new Map();
  return undefined;
}

export interface JsonStyle {
  /** `<`, `>` and `&` are written as escapes. */
  readonly escapesHtml: boolean;
  /** Spaces a level, 0 for one line. */
  readonly indent: number;
}

export function* jsonText(value: Plain, style: JsonStyle, budget: Budget, margin = '\n'): Sliced<string> {
  const scalar = jsonScalar(value, style, budget);
  if (scalar !== undefined) return scalar;
  const inner = style.indent === 0 ? '' : margin + ' '.repeat(style.indent);
  const end = style.indent === 0 ? '' : margin;
  const colon = style.indent === 0 ? ':' : ': ';
  const [open, close] = isPlainMap(value) ? ['{', '}'] : ['[', ']'];
  const parts: string[] = [];
  for (const [key, item] of membersOf(value)) {
    const name = key === undefined ? '' : jsonString(key, style.escapesHtml) + colon;
    parts.push(name + (jsonScalar(item, style, budget) ?? (yield* jsonText(item, style, budget, inner))));
    if (parts.length % PAUSE_ITEMS === 0) yield;
  }
  return parts.length === 0 ? open + close : `${open}${inner}${parts.join(`,${inner}`)}${end}${close}`;
}

/** The items of a list, or the entries of a map in the order of the bytes of their keys. */
function* membersOf(value: Plain): Iterable<readonly [string | undefined, Plain]> {
  if (isPlainMap(value)) yield* [...value].sort(([a], [b]) => compareBytes(a, b));
  else if (Array.isArray(value)) for (const item of value) yield [undefined, item];
}

/** Undefined for lists and maps. */
function jsonScalar(value: Plain, style: JsonStyle, budget: Budget): string | undefined {
  if (value === null || typeof value === 'boolean' || typeof value === 'bigint') return String(value);
  // JavaScript and Go agree on the digits and on when to use an exponent, but for the negative zero.
  if (typeof value === 'number') return Object.is(value, -0) ? '-0' : String(value);
  if (typeof value !== 'string') return undefined;
  budget.reserve(value.length);
  return jsonString(value, style.escapesHtml);
}

const isPlainMap = (value: Plain): value is ReadonlyMap<string, Plain> => value instanceof Map;

/** `\b` and `\f` are shortened by newer versions of Go; those before 1.22 write `\u0008`. */
export function jsonString(text: string, escapesHtml: boolean): string {
  const json = JSON.stringify(text);
  if (!/[<>&\u2028\u2029]|\\ud[c-f]/.test(json)) return json;
  const escaped = json
    .replace(/[\u2028\u2029]/g, (char) => `\\u${char.charCodeAt(0).toString(16)}`)
    // A byte that is not UTF-8. Two backslashes are one character.
    .replace(/\\\\|\\ud[c-f][0-9a-f]{2}/g, (found) => (found === '\\\\' ? found : '\\ufffd'));
  return escapesHtml ? escaped.replace(/[<>&]/g, (char) => `\\u00${char.charCodeAt(0).toString(16)}`) : escaped;
}
