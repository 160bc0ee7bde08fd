/** What JSON values are, how much of them is taken in, and JSON texts that anybody may have written. */

/** Levels of objects and arrays in one value. JSON.parse takes millions, JSON.stringify overflows at 5,000. */
const MAX_DEPTH = 64;

/** Objects, arrays, texts, numbers, booleans and nulls in one value. */
const MAX_VALUES = 100_000;

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The value that a text holds; undefined if there is no text, or if it is not JSON, or too much of it. */
export function jsonIn(text: string | undefined): unknown {
  if (text === undefined) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return tooMuch(value) === undefined ? value : undefined;
  } catch {
    return undefined;
  }
}

/** The object that a text holds; undefined if it holds none. */
export function objectIn(text: string | undefined): Readonly<Record<string, unknown>> | undefined {
  const value = jsonIn(text);
  return isObject(value) ? value : undefined;
}

/** What is too much about a parsed JSON value, in words; undefined if nothing is. Walks without recursion. */
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
