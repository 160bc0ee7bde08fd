/** Objects and lists without what is empty: absent fields say the same, and cost nothing to keep or to send. */

/** Is this undefined, an empty string, an empty list, or an object without fields? */
export function isEmptyValue(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return value === undefined || value === '';
  return Array.isArray(value) ? value.length === 0 : Object.keys(value).length === 0;
}

/** The fields that are not empty. `false`, 0 and null are values. */
export function omitEmpty<T extends object>(fields: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  const kept: Record<string, unknown> = {};
  // Plain objects, so that nothing is inherited. A list of the entries would be garbage several times for each submit.
  for (const name in fields) if (!isEmptyValue(fields[name])) kept[name] = fields[name];
  return kept as { [K in keyof T]?: Exclude<T[K], undefined> };
}

const EMPTY_LIST: readonly never[] = [];

/** A list of exact capacity, for lists that are kept long: empty ones are shared, others copied without spare room. */
export const compactList = <T>(items: readonly T[]): readonly T[] => (items.length === 0 ? EMPTY_LIST : items.slice());
