/** Merges maps into a map as the package mergo does for sprig, its rules for empty values and lists included. */
import { GoError } from '../contract.ts';
import { NilMap } from '../nil-values.ts';
import { type Budget, entriesOf, GoObject, isTrue, itemsOf, Slice, type Value } from '../values.ts';

/** A map that contains itself has no end. */
const DEEPEST = 1000;

type Dict = Map<string, Value>;

/** Mergo's own idea of emptiness: a struct is not empty. */
const isBare = (value: Value): boolean =>
  !isTrue(value ?? null) && !(value instanceof GoObject && value.kind === 'struct');

/** Merges into the target, which is returned; a nil map becomes a new one. */
export function mergeInto(target: Dict, source: Dict | null, overwrite: boolean, budget: Budget): Dict {
  if (source === null || source instanceof NilMap) return target;
  const into = target instanceof NilMap ? new Map<string, Value>() : target;
  merge(into, source, overwrite, budget, 0);
  return into;
}

function merge(target: Dict, source: Dict, overwrite: boolean, budget: Budget, depth: number): void {
  if (depth > DEEPEST) throw new GoError(`maps are nested deeper than ${DEEPEST} levels`);
  for (const [key, value] of [...source]) {
    budget.step();
    const before = target.get(key);
    const isNew = !target.has(key);
    if (value === null || value === undefined) {
      if (overwrite) target.set(key, null);
      continue;
    }
    const entries = entriesOf(value);
    const items = itemsOf(value);
    if (entries !== undefined) {
      const inner = entriesOf(before);
      if (inner !== undefined && !(before instanceof NilMap)) merge(inner, entries, overwrite, budget, depth + 1);
    } else if (items !== undefined) {
      if (overwrite || target.size === 0) target.set(key, value);
      else if (isNew || before === null) target.set(key, value instanceof Slice ? new Slice(value.elem, []) : []);
    }
    if (!isNew && !isBare(before) && (entries !== undefined || items !== undefined)) continue;
    if (overwrite || isNew || isBare(before)) target.set(key, value);
  }
}
