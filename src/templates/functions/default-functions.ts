/** sprig's functions that choose between values and look at their types. */
import { GoError } from '../contract.ts';
import { any, bool, define, defineVariadic, string } from '../definition.ts';
import { type GoFunction, GoObject, isTrue, kindOf, typeName, type Value } from '../values.ts';
import { deepEqual } from './deep-equal.ts';

/** As sprig's empty: the zero value of its type, and lists, maps and strings without content. A struct never is. */
export function isEmpty(value: Value): boolean {
  return !isTrue(value ?? null) && !(value instanceof GoObject && value.kind === 'struct');
}

export const DEFAULT_FUNCTIONS: readonly GoFunction[] = [
  ...defineVariadic('default', [any], any, ([value], [given = null]) => (isEmpty(given) ? value : given)),
  ...define('empty', [any], ([value]) => isEmpty(value)),
  ...defineVariadic('coalesce', [], any, (_none, values) => values.find((value) => !isEmpty(value)) ?? null),
  ...defineVariadic('all', [], any, (_none, values) => values.every((value) => !isEmpty(value))),
  ...defineVariadic('any', [], any, (_none, values) => values.some((value) => !isEmpty(value))),
  ...define('ternary', [any, any, bool], ([yes, no, condition]) => (condition ? yes : no)),
  ...define('fail', [string], ([message]) => {
    throw new GoError(message);
  }),
  ...define('typeOf', [any], ([value]) => typeName(value)),
  ...define('typeIs', [string, any], ([type, value]) => typeName(value) === type),
  ...define('typeIsLike', [string, any], ([type, value]) => [type, `*${type}`].includes(typeName(value))),
  ...define('kindOf', [any], ([value]) => kindOf(value)),
  ...define('kindIs', [string, any], ([kind, value]) => kindOf(value) === kind),
  ...define('deepEqual', [any, any], ([a, b], budget) => deepEqual(a, b, budget)),
];
