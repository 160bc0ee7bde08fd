/** sprig's functions of lists; they take slices of any type. */
import { GoError } from '../contract.ts';
import { any, define, defineVariadic, int } from '../definition.ts';
import { castInt } from '../go-numbers.ts';
import { NilSlice } from '../nil-values.ts';
import { type Budget, type GoFunction, itemsOf, kindOf, Slice, type Value } from '../values.ts';
import { deepEqual } from './deep-equal.ts';
import { isEmpty } from './default-functions.ts';

const nilPointer = (): GoError => new GoError('runtime error: invalid memory address or nil pointer dereference');

/** The elements of a list; what else was given is an error that says what could not be done with which kind. */
function items(list: Value, problem: (kind: string) => string, budget: Budget): readonly Value[] {
  if (list === null || list === undefined) throw nilPointer();
  const found = itemsOf(list);
  if (found === undefined) throw new GoError(problem(kindOf(list)));
  budget.step(found.length);
  return found;
}

const cannot =
  (verb: string) =>
  (kind: string): string =>
    `Cannot ${verb} type ${kind}`;

const isIn = (list: readonly Value[], item: Value, budget: Budget): boolean =>
  list.some((each) => deepEqual(item, each, budget));

function chunk(list: readonly Value[], size: bigint): Slice {
  const length = Number(size);
  const count = Math.floor((list.length - 1) / length) + 1;
  // As Go computes it: for a negative size the rest may be a chunk.
  const last = list.length % length || length;
  if (!(count >= 0 && count < Number.POSITIVE_INFINITY) || (count > 1 && length < 0) || (count === 1 && last < 0)) {
    throw new GoError('runtime error: makeslice: len out of range');
  }
  const chunks = Array.from({ length: count }, (_, i) =>
    list.slice(i * length, i * length + (i < count - 1 ? length : last)),
  );
  return new Slice('[]interface {}', chunks);
}

function slice(list: Value, elements: readonly Value[], indices: readonly Value[]): Value {
  if (elements.length === 0) return null;
  const start = indices.length > 0 ? castInt(indices[0]) : 0n;
  const end = indices.length < 2 ? BigInt(elements.length) : castInt(indices[1]);
  if (start < 0n || end < start || end > BigInt(elements.length)) {
    throw new GoError('reflect.Value.Slice: slice index out of bounds');
  }
  const part = elements.slice(Number(start), Number(end));
  return list instanceof Slice ? new Slice(list.elem, part) : part;
}

export const LIST_FUNCTIONS: readonly GoFunction[] = [
  ...defineVariadic('list tuple', [], any, (_none, values) => [...values]),
  ...define('append push mustAppend mustPush', [any, any], ([list, value], budget) => [
    ...items(list, cannot('push on'), budget),
    value,
  ]),
  ...define('prepend mustPrepend', [any, any], ([list, value], budget) => [
    value,
    ...items(list, cannot('prepend on'), budget),
  ]),
  ...define('chunk mustChunk', [int, any], ([size, list], budget) => chunk(items(list, cannot('chunk'), budget), size)),
  ...define('first mustFirst', [any], ([list], budget) => items(list, cannot('find first on'), budget)[0] ?? null),
  ...define('last mustLast', [any], ([list], budget) => items(list, cannot('find last on'), budget).at(-1) ?? null),
  ...define('rest mustRest', [any], ([list], budget) => {
    const all = items(list, cannot('find rest on'), budget);
    return all.length === 0 ? new NilSlice('interface {}') : all.slice(1);
  }),
  ...define('initial mustInitial', [any], ([list], budget) => {
    const all = items(list, cannot('find initial on'), budget);
    return all.length === 0 ? new NilSlice('interface {}') : all.slice(0, -1);
  }),
  ...define('reverse mustReverse', [any], ([list], budget) =>
    items(list, cannot('find reverse on'), budget).toReversed(),
  ),
  ...define('compact mustCompact', [any], ([list], budget) =>
    items(list, cannot('compact on'), budget).filter((item) => !isEmpty(item)),
  ),
  ...define('uniq mustUniq', [any], ([list], budget) => {
    const kept: Value[] = [];
    for (const item of items(list, cannot('find uniq on'), budget)) if (!isIn(kept, item, budget)) kept.push(item);
    return kept;
  }),
  ...defineVariadic('without mustWithout', [any], any, ([list], omitted, budget) =>
    items(list, cannot('find without on'), budget).filter((item) => !isIn(omitted, item, budget)),
  ),
  ...define('has mustHas', [any, any], ([needle, list], budget) =>
    list === null ? false : isIn(items(list, cannot('find has on'), budget), needle, budget),
  ),
  ...defineVariadic('slice mustSlice', [any], any, ([list], indices, budget) =>
    slice(
      list,
      items(list, (kind) => `list should be type of slice or array but ${kind}`, budget),
      indices,
    ),
  ),
  ...defineVariadic('concat', [], any, (_none, lists, budget) => {
    const all = lists.flatMap((list) => items(list, (kind) => `Cannot concat type ${kind} as list`, budget));
    return all.length === 0 ? new NilSlice('interface {}') : all;
  }),
];
