/** JSON from untrusted sources: parsing with limits on depth and size, and a type guard for objects. */

/** Most levels of objects and arrays in one value. JSON.parse takes millions, JSON.stringify overflows at 5,000. */
export const MAX_DEPTH = 64;

/** Most objects, arrays, strings, numbers, booleans and nulls in one value. */
export const MAX_VALUES = 100_000;

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Parses a text; undefined if there is no text, if it is not JSON, or if it exceeds the limits. */
export function jsonIn(text: string | undefined): unknown {
  if (text === undefined) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return isTooMuch(value) ? undefined : value;
  } catch {
    return undefined;
  }
}

/** Parses a text to an object; undefined if it is none. */
export function objectIn(text: string | undefined): Readonly<Record<string, unknown>> | undefined {
  const value = jsonIn(text);
  return isObject(value) ? value : undefined;
}

/** Does a parsed JSON value exceed a limit? Walks without recursion. */
function isTooMuch(value: unknown): boolean {
  const open: { values: readonly unknown[]; next: number }[] = [{ values: [value], next: 0 }];
  let count = 0;
  for (let level = open.at(-1); level !== undefined; level = open.at(-1)) {
    if (level.next === level.values.length) {
      open.pop();
      continue;
    }
    const current = level.values[level.next++];
    if (++count > MAX_VALUES) return true;
    if (typeof current !== 'object' || current === null) continue;
    if (open.length > MAX_DEPTH) return true;
    open.push({ values: Array.isArray(current) ? current : Object.values(current), next: 0 });
  }
  return false;
}
