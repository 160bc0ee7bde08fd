/** Go's comparison functions of templates: eq, ne, lt, le, gt, ge. */
import { compareBytes } from '../bytes.ts';
import { GoError } from '../contract.ts';
import { NilMap, NilSlice } from '../nil-values.ts';
import { Complex, GoObject, type Kind, kindOf, numberOf, typeName, type Value } from '../values.ts';

/** Values of the same basic kind can be compared, integers with and without sign as well. */
type BasicKind = 'bool' | 'int' | 'uint' | 'float' | 'complex' | 'string' | undefined;

function basicKind(kind: Kind): BasicKind {
  switch (kind) {
    case 'bool':
    case 'string':
      return kind;
    case 'complex128':
      return 'complex';
    case 'float32':
    case 'float64':
      return 'float';
    case 'invalid':
    case 'slice':
    case 'map':
    case 'func':
    case 'struct':
    case 'ptr':
      return undefined;
    default:
      return kind.startsWith('u') ? 'uint' : 'int';
  }
}

const isInteger = (kind: BasicKind): boolean => kind === 'int' || kind === 'uint';

/** The string, number or boolean behind a value of a basic kind. */
const basic = (value: Value): Value => {
  if (value instanceof GoObject && typeof value.value === 'string') return value.value;
  return numberOf(value) ?? value;
};

/** Whether the first value equals one of the others. */
export function equal(first: Value, others: readonly Value[]): boolean {
  if (others.length === 0) throw new GoError('missing argument for comparison');
  return others.some((other) => same(first ?? undefined, other ?? undefined));
}

function same(a: Value, b: Value): boolean {
  const kind = basicKind(kindOf(a));
  const other = basicKind(kindOf(b));
  if (kind === undefined && other === undefined) return sameReference(a, b);
  if (kind !== other && !(isInteger(kind) && isInteger(other))) {
    if (a === undefined || b === undefined) return false;
    throw new GoError(`incompatible types for comparison: ${typeName(a)} and ${typeName(b)}`);
  }
  if (a instanceof Complex && b instanceof Complex) return a.real === b.real && a.imaginary === b.imaginary;
  return basic(a) === basic(b);
}

const isNil = (value: Value): boolean => value === undefined || value instanceof NilSlice || value instanceof NilMap;

/** Lists, maps and functions can be compared with nil only, pointers and structs with their like. */
function sameReference(a: Value, b: Value): boolean {
  const comparable = a === undefined || b === undefined || kindOf(a) === kindOf(b);
  if (comparable && (isNil(a) || isNil(b))) return isNil(a) === isNil(b);
  if (!comparable || !(a instanceof GoObject) || !(b instanceof GoObject)) {
    throw new GoError(`non-comparable types ${typeName(a)} and ${typeName(b)}`);
  }
  return a === b || (a.kind === 'struct' && a.type === b.type && a.text === b.text);
}

/** Whether the first value is less than the second. */
export function less(first: Value, second: Value): boolean {
  const a = first ?? undefined;
  const b = second ?? undefined;
  const kind = basicKind(kindOf(a));
  const other = basicKind(kindOf(b));
  if (kind === undefined || other === undefined) throw new GoError('invalid type for comparison');
  if (kind !== other && !(isInteger(kind) && isInteger(other))) {
    throw new GoError(`incompatible types for comparison: ${typeName(a)} and ${typeName(b)}`);
  }
  const [x, y] = [basic(a), basic(b)];
  if (typeof x === 'string' && typeof y === 'string') return compareBytes(x, y) < 0;
  const [m, n] = [numberOf(x), numberOf(y)];
  if (m === undefined || n === undefined) throw new GoError('invalid type for comparison');
  return m < n;
}
