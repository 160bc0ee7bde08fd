/** The data of a template, from JSON text or from objects of JavaScript. */
import { isObject } from '../../system/json.ts';
import { runAtOnce, type Sliced } from '../../system/slices.ts';
import type { Value } from '../values.ts';

/** Levels of lists and objects. */
const DEEPEST = 256;

const MAX_INT = 2n ** 63n - 1n;
const MIN_INT = -(2n ** 63n);

/** Data from JSON text: a number without point and exponent is an int, if it fits, any other a float64. Throws SyntaxError. */
export function readTemplateData(text: string): Value {
  const parsed: unknown = JSON.parse(text, (_key, value: unknown, context?: { readonly source?: string }) => {
    const source = context?.source ?? '';
    if (typeof value !== 'number' || !/^-?[0-9]+$/.test(source)) return value;
    const int = BigInt(source);
    return int >= MIN_INT && int <= MAX_INT ? int : value;
  });
  return runAtOnce(converted(parsed, (number) => number, 0));
}

/**
 * Data from objects, lists, strings, booleans and null: a number without fraction is an int, any other a float64. The
 * `floats` are fields of the outer object that are float64 always.
 */
export function* toTemplateData(value: unknown, floats: ReadonlySet<string> = new Set()): Sliced<Value> {
  const data = yield* converted(value, (number) => (Number.isSafeInteger(number) ? BigInt(number) : number), 0);
  if (data instanceof Map) {
    for (const name of floats) {
      const number = data.get(name);
      if (typeof number === 'bigint') data.set(name, Number(number));
    }
  }
  return data;
}

/** Items between two places where other work may run. */
const PAUSE_ITEMS = 256;

function* converted(value: unknown, number: (value: number) => bigint | number, depth: number): Sliced<Value> {
  if (depth > DEEPEST) throw new RangeError(`the data of a template is nested deeper than ${DEEPEST} levels`);
  if (value === undefined || value === null) return null;
  if (typeof value === 'string') return value.toWellFormed();
  if (typeof value === 'number') return number(value);
  if (typeof value === 'boolean' || typeof value === 'bigint') return value;
  if (Array.isArray(value)) {
    const list: Value[] = [];
    for (const each of value) {
      list.push(typeof each === 'string' ? each.toWellFormed() : yield* converted(each, number, depth + 1));
      if (list.length % PAUSE_ITEMS === 0) yield;
    }
    return list;
  }
  if (!isObject(value)) throw new TypeError(`the data of a template holds a ${typeof value}`);
  const map = new Map<string, Value>();
  for (const [key, each] of Object.entries(value)) {
    if (each === undefined) continue;
    const inner = typeof each === 'string' ? each.toWellFormed() : yield* converted(each, number, depth + 1);
    map.set(key.toWellFormed(), inner);
    if (map.size % PAUSE_ITEMS === 0) yield;
  }
  return map;
}
