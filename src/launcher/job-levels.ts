/**
 * Shorter forms of jobs, for a list that does not fit into a message: long strings and lists are cut, the longest first
 * (launcher-plugin-api.md section 0).
 */
import type { Job } from '../jobs/job.ts';
import { isObject } from '../system/json.ts';

/** How much of a job is in a list. */
export interface Level {
  /** Longest string of LONG_FIELDS; those of other fields have at least MIN_OTHER_CHARACTERS. */
  readonly characters: number;
  /** Most items of a list, and entries of an object. */
  readonly items: number;
}

/** All others of a job fit into its annotations. */
export const LONG_FIELDS: ReadonlySet<keyof Job> = new Set([
  'args',
  'command',
  'environment',
  'initContainers',
  'metadata',
]);
const COMPLETE_FIELDS: ReadonlySet<keyof Job> = new Set(['id', 'user', 'status', 'submissionTime', 'lastUpdateTime']);
const MIN_OTHER_CHARACTERS = 1024;

export const WHOLE: Level = { characters: Number.POSITIVE_INFINITY, items: Number.POSITIVE_INFINITY };

/** Tried in this order: the longest strings are cut first, then the longest lists. */
export const LEVELS: readonly Level[] = [
  WHOLE,
  ...[256 * 1024, 64 * 1024, 16 * 1024, 4096, 1024, 256, 64].map((characters) => ({
    characters,
    items: Number.POSITIVE_INFINITY,
  })),
  ...[4096, 1024, 256, 64, 16].map((items) => ({ characters: 64, items })),
];

/** Lower bound for the JSON of these fields at this level. */
export function leastBytesOfJob(job: Job, names: readonly (keyof Job)[], level: Level): number {
  let bytes = 0;
  for (const name of names) if (name !== 'stdin') bytes += leastBytes(job[name], limitsOf(name, level));
  return bytes;
}

/** Items and names from which on a value is large. */
const LARGE_ITEMS = 64;

/**
 * Of large values, which are the same objects in each list: what counting 500 jobs with thousands of names took 1.5 s for.
 * By the longest string and the most items that are counted.
 */
const LEAST_BYTES = new WeakMap<object, Map<string, number>>();
const NAMES = new WeakMap<object, readonly string[]>();

function namesOf(value: object): readonly string[] {
  const known = NAMES.get(value);
  if (known !== undefined) return known;
  const names = Object.keys(value);
  if (names.length >= LARGE_ITEMS) NAMES.set(value, names);
  return names;
}

/** Lower bound for the JSON of a value: empty values may be left out, and characters have one byte at least. */
function leastBytes(value: unknown, level: Level): number {
  if (typeof value === 'string') return value === '' ? 0 : Math.min(value.length, level.characters) + 2;
  if (Array.isArray(value)) return counted(value, value.length, level, leastBytesOfList);
  return isObject(value) ? counted(value, namesOf(value).length, level, leastBytesOfObject) : 0;
}

function counted<T extends object>(
  value: T,
  size: number,
  level: Level,
  count: (value: T, level: Level) => number,
): number {
  if (size < LARGE_ITEMS) return count(value, level);
  const known = LEAST_BYTES.get(value) ?? new Map<string, number>();
  const key = `${level.characters} ${level.items}`;
  const bytes = known.get(key) ?? count(value, level);
  LEAST_BYTES.set(value, known.set(key, bytes));
  return bytes;
}

function leastBytesOfList(list: readonly unknown[], level: Level): number {
  const length = Math.min(list.length, level.items);
  let bytes = length;
  for (let i = 0; i < length; i++) bytes += leastBytes(list[i], level);
  return bytes;
}

function leastBytesOfObject(object: Readonly<Record<string, unknown>>, level: Level): number {
  const names = namesOf(object);
  const length = Math.min(names.length, level.items);
  let bytes = 0;
  for (let i = 0; i < length; i++) {
    const name = names[i] ?? '';
    const inner = leastBytes(object[name], level);
    if (inner > 0) bytes += inner + Math.min(name.length, level.characters) + 3;
  }
  return bytes;
}

function limitsOf(field: keyof Job, level: Level): Level {
  if (COMPLETE_FIELDS.has(field)) return WHOLE;
  return LONG_FIELDS.has(field) ? level : { ...level, characters: Math.max(level.characters, MIN_OTHER_CHARACTERS) };
}

/** Before it is written: sorting thousands of tags takes longer than cutting them. */
export function shortenedJob(job: Job, names: readonly (keyof Job)[], level: Level): Job {
  const fields = Object.fromEntries(names.map((name) => [name, shortened(job[name], limitsOf(name, level))]));
  return { ...job, ...fields };
}

/** The value with strings and lists in it cut; what is cut has a mark that says so. */
function shortened(value: unknown, level: Level): unknown {
  const { characters, items } = level;
  if (typeof value === 'string') return shortText(value, characters);
  if (Array.isArray(value)) {
    // Ids of groups: at most 1,000.
    if (typeof value[0] === 'number') return value;
    const kept = value.slice(0, items).map((item) => shortened(item, level));
    return value.length <= items ? kept : withMark(kept, `... (shortened from ${value.length} items)`);
  }
  if (!isObject(value)) return value;
  const names = namesOf(value);
  const kept = names
    .slice(0, items)
    .map((name): [string, unknown] => [shortText(name, characters), shortened(value[name], level)]);
  if (names.length > items) kept.push(['...', `(shortened from ${names.length} entries)`]);
  return Object.fromEntries(kept);
}

function shortText(text: string, characters: number): string {
  if (text.length <= characters) return text;
  return `${text.slice(0, characters).toWellFormed()}... (shortened from ${text.length} characters)`;
}

/** The list with a mark at its end: an item of its own among strings, else in the first string of the last item. */
function withMark(list: readonly unknown[], mark: string): readonly unknown[] {
  const last = list.at(-1);
  if (!isObject(last)) return [...list, mark];
  const [name, text] = Object.entries(last).find(([, value]) => typeof value === 'string') ?? ['...', ''];
  return [...list.slice(0, -1), { ...last, [name]: `${text}${mark}` }];
}
