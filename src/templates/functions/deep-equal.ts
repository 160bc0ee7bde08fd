/** Equality of values as reflect.DeepEqual has it: the same types all the way down. */
import { NilMap, NilSlice } from '../nil-values.ts';
import { type Budget, Complex, entriesOf, Func, GoObject, itemsOf, Sized, typeName, type Value } from '../values.ts';

/** Deeper values are taken for different: a map may contain itself. */
const DEEPEST = 1000;

export function deepEqual(a: Value, b: Value, budget: Budget, depth = 0): boolean {
  budget.step();
  const left = a ?? null;
  const right = b ?? null;
  if (depth > DEEPEST || typeName(left) !== typeName(right)) return false;
  if (left instanceof Sized && right instanceof Sized) return left.value === right.value;
  if (left instanceof Complex && right instanceof Complex)
    return left.real === right.real && left.imaginary === right.imaginary;
  if (left instanceof GoObject && right instanceof GoObject)
    return left === right || (left.text === right.text && left.value === right.value);
  if (left instanceof Func) return false;
  const leftItems = itemsOf(left);
  const rightItems = itemsOf(right);
  if (leftItems !== undefined && rightItems !== undefined) {
    if (left instanceof NilSlice !== right instanceof NilSlice || leftItems.length !== rightItems.length) return false;
    return leftItems.every((item, i) => deepEqual(item, rightItems[i], budget, depth + 1));
  }
  const leftEntries = entriesOf(left);
  const rightEntries = entriesOf(right);
  if (leftEntries === undefined || rightEntries === undefined) return left === right;
  if (left instanceof NilMap !== right instanceof NilMap || leftEntries.size !== rightEntries.size) return false;
  return [...leftEntries].every(
    ([key, value]) => rightEntries.has(key) && deepEqual(value, rightEntries.get(key), budget, depth + 1),
  );
}
