/** JSON from untrusted sources: parsing with limits on depth and size, and a type guard for objects. */

/** Most levels of objects and arrays in one value. JSON.parse takes millions, JSON.stringify overflows at 5,000. */
export const MAX_DEPTH = 64;

/** Most objects, arrays, strings, numbers, booleans and nulls in one value. */
const MAX_VALUES = 100_000;

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Parses a text; undefined if there is no text, if it is not JSON, or if it exceeds the limits. */
export function jsonIn(text: string | undefined): unknown {
  if (text === undefined) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return tooMuch(value) === undefined ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Parses a text to an object; undefined if it is none. */
export function objectIn(text: string | undefined): Readonly<Record<string, unknown>> | undefined {
  const value = jsonIn(text);
  return isObject(value) ? value : undefined;
}

/** Which limit a parsed JSON value exceeds, as a sentence; undefined if none. Walks without recursion. */
export function tooMuch(value: unknown): string | undefined {
  const open: { values: readonly unknown[]; next: number }[] = [{ values: [value], next: 0 }];
  let count = 0;
  for (let level = open.at(-1); level !== undefined; level = open.at(-1)) {
    if (level.next === level.values.length) {
      open.pop();
      continue;
    }
    const current = level.values[level.next++];
    if (++count > MAX_VALUES) return `it holds more than ${MAX_VALUES} values`;
    if (typeof current !== 'object' || current === null) continue;
    if (open.length > MAX_DEPTH) return `it is nested deeper than ${MAX_DEPTH} levels`;
    open.push({ values: Array.isArray(current) ? current : Object.values(current), next: 0 });
  }
  return undefined;
}
