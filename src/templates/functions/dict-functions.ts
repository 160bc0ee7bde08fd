/** sprig's functions of maps (dicts). */
import { compareBytes } from '../bytes.ts';
import { GoError } from '../contract.ts';
import { any, define, defineVariadic, dict, string } from '../definition.ts';
import { NilMap, NilSlice } from '../nil-values.ts';
import { type Budget, type GoFunction, GoObject, Slice, TypedMap, typeName, type Value } from '../values.ts';
import { mergeInto } from './dict-merge.ts';
import { strval } from './strval.ts';

type Dict = Map<string, Value>;

/** Keys in the order of their bytes; Go's order is random. */
const sortedKeys = (map: Dict | null): readonly string[] => [...(map?.keys() ?? [])].sort(compareBytes);

function writable(map: Dict | null): Dict {
  return map ?? new NilMap();
}

function dictOf(values: readonly Value[], budget: Budget): Dict {
  const result: Dict = new Map();
  for (let i = 0; i < values.length; i += 2)
    result.set(strval(values[i], budget), i + 1 < values.length ? values[i + 1] : '');
  return result;
}

const without = (map: Dict | null, keys: readonly string[]): Dict => {
  const omitted = new Set(keys);
  return new Map([...(map ?? [])].filter(([key]) => !omitted.has(key)));
};

const pick = (map: Dict | null, keys: readonly string[]): Dict =>
  new Map(keys.flatMap((key) => (map?.has(key) ? [[key, map.get(key)]] : [])));

/** A Go type assertion. */
function asserted<T>(value: Value, read: (value: Value) => T | undefined, type: string): T {
  const found = read(value);
  if (found !== undefined) return found;
  const actual = value === null || value === undefined ? 'nil' : typeName(value);
  throw new GoError(`interface conversion: interface {} is ${actual}, not ${type}`);
}

const asDict = (value: Value): Dict =>
  asserted(value, (each) => (each instanceof Map ? each : undefined), 'map[string]interface {}');
const asString = (value: Value): string =>
  asserted(value, (each) => (typeof each === 'string' ? each : undefined), 'string');

function dig(values: readonly Value[]): Value {
  if (values.length < 3) throw new GoError('dig needs at least three arguments');
  let map = asDict(values.at(-1));
  const keys = values.slice(0, -2).map(asString);
  const last = keys.pop() ?? '';
  for (const key of keys) {
    if (!map.has(key)) return values.at(-2);
    map = asDict(map.get(key));
  }
  return map.has(last) ? map.get(last) : values.at(-2);
}

/** Deeper values are refused: a map may contain itself. */
const DEEPEST = 1000;

function copy(value: Value, budget: Budget, depth = 0): Value {
  if (depth > DEEPEST) throw new GoError(`a value is nested deeper than ${DEEPEST} levels`);
  budget.step();
  const inner = (each: Value): Value => copy(each, budget, depth + 1);
  const entries = (map: Dict): Dict => new Map([...map].map(([key, each]) => [key, inner(each)]));
  if (value instanceof NilMap || value instanceof NilSlice || value instanceof GoObject) return value;
  if (value instanceof Slice) return new Slice(value.elem, value.items.map(inner));
  if (value instanceof TypedMap) return new TypedMap(value.elem, entries(value.entries));
  if (value instanceof Map) return entries(value);
  return Array.isArray(value) ? value.map(inner) : value;
}

export const DICT_FUNCTIONS: readonly GoFunction[] = [
  ...defineVariadic('dict', [], any, (_none, values, budget) => dictOf(values, budget)),
  ...define('get', [dict, string], ([map, key]) => (map?.has(key) ? (map.get(key) ?? null) : '')),
  ...define('set', [dict, string, any], ([map, key, value]) => writable(map).set(key, value)),
  ...define('unset', [dict, string], ([map, key]) => {
    map?.delete(key);
    return writable(map);
  }),
  ...define('hasKey', [dict, string], ([map, key]) => map?.has(key) === true),
  ...defineVariadic('pluck', [string], dict, ([key], maps) =>
    maps.flatMap((map) => (map?.has(key) ? [map.get(key) ?? null] : [])),
  ),
  ...defineVariadic('keys', [], dict, (_none, maps) => new Slice('string', maps.flatMap(sortedKeys))),
  ...define('values', [dict], ([map]) => sortedKeys(map).map((key) => map?.get(key) ?? null)),
  ...defineVariadic('pick', [dict], string, ([map], keys) => pick(map, keys)),
  ...defineVariadic('omit', [dict], string, ([map], keys) => without(map, keys)),
  ...defineVariadic('merge mustMerge', [dict], dict, ([target], sources, budget) =>
    sources.reduce<Dict>((into, source) => mergeInto(into, source, false, budget), writable(target)),
  ),
  ...defineVariadic('mergeOverwrite mustMergeOverwrite', [dict], dict, ([target], sources, budget) =>
    sources.reduce<Dict>((into, source) => mergeInto(into, source, true, budget), writable(target)),
  ),
  ...defineVariadic('dig', [], any, (_none, values) => dig(values)),
  ...define('deepCopy mustDeepCopy', [any], ([value], budget) => {
    if (value === null) throw new GoError('reflect: call of reflect.Value.Type on zero Value');
    return copy(value, budget);
  }),
];
