/**
 * Limits that a hostile or broken launcher meets (design.md section 4).
 */

/** Levels of objects and arrays in one message. JSON.parse takes millions, JSON.stringify overflows at 5,000. */
const MAX_DEPTH = 64;

/** Objects, arrays, texts, numbers, booleans and nulls in one message. */
const MAX_VALUES = 100_000;

/** Requests in progress at a time; others wait their turn. */
export const MAX_REQUESTS_IN_PROGRESS = 256;

/** Requests that were read and not answered yet, in progress or waiting; beyond, nothing more is read. */
export const MAX_REQUESTS_ACCEPTED = 10_000;

/** Bytes of those requests as they arrived; beyond, nothing more is read. */
export const MAX_BYTES_ACCEPTED = 64 * 1024 * 1024;

/** Output streams at a time; each may hold a connection. */
export const MAX_OUTPUT_STREAMS = 1000;

/** Status subscriptions, and subscriptions to resource use, at a time: they only cost memory. */
export const MAX_SUBSCRIPTIONS = 10_000;

/** Milliseconds within which each request is answered, whatever the API server does. */
export const ANSWER_WITHIN_MS = 30_000;

/** Milliseconds that Bootstrap, and requests that come before the first sync, wait for it. */
export const SYNC_WITHIN_MS = 10_000;

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
