/** `job-json-overrides`: parses the pairs of JSON pointer and file, and reads the files (configuration.md section 4). */
import type { Naming } from '../text/file.ts';
import { readJsonFile } from '../text/json-file.ts';
import type { ParsedValue } from '../text/kinds.ts';
import type { ConfigErrors } from '../text/problem.ts';
import type { Setting } from '../text/settings.ts';

export interface OverrideReference {
  /** As written. */
  readonly pointer: string;
  /** The decoded reference tokens of the pointer; at least one. `-` appends to an array. */
  readonly tokens: readonly string[];
  /** Absolute path of a JSON file. */
  readonly file: string;
}

const FORBIDDEN: readonly string[] = ['__proto__', 'constructor', 'prototype'];
const STRING = '"(?:[^"\\\\]|\\\\.)*"';
const PAIR = new RegExp(`\\s*(${STRING})\\s*:\\s*(${STRING})\\s*(?:,(?=\\s*")|$)`, 'y');

/** Parses the inside of a JSON object, keeping order and repetitions, which JSON.parse does not. */
export function parseOverrideReferences(text: string): ParsedValue<readonly OverrideReference[]> {
  const found: OverrideReference[] = [];
  const pointers = new Set<string>();
  const repeated = new Set<string>();
  const refused = (why: string): ParsedValue<never> => ({
    ok: false,
    reason: `"pointer":"file","pointer2":"file2": ${why}`,
  });
  PAIR.lastIndex = 0;
  while (PAIR.lastIndex < text.length) {
    const position = PAIR.lastIndex;
    const match = PAIR.exec(text);
    const pointer = jsonString(match?.[1]);
    const file = jsonString(match?.[2]);
    if (pointer === undefined || file === undefined) {
      return refused(`expected "pointer":"file" at character ${position + 1}`);
    }
    const tokens = pointerTokens(pointer);
    if (tokens === undefined) {
      return refused(`"${pointer}" is not a JSON pointer such as /spec/template/spec/hostAliases (RFC 6901)`);
    }
    const forbidden = tokens.find((token) => FORBIDDEN.includes(token));
    if (forbidden !== undefined) return refused(`"${pointer}" contains ${forbidden}`);
    if (!file.startsWith('/')) return refused(`"${file}" is not an absolute path`);
    // A pointer that appends may be repeated: each one adds an element.
    if (pointers.has(pointer) && !tokens.includes('-')) repeated.add(`"${pointer}"`);
    pointers.add(pointer);
    found.push({ pointer, tokens, file });
  }
  if (repeated.size === 0) return { ok: true, value: found };
  return {
    ok: true,
    value: found,
    warning: `${[...repeated].join(', ')}: written more than once; the last one applies`,
  };
}

/** The reference tokens of a JSON pointer; undefined if it is malformed or refers to the complete document. */
function pointerTokens(pointer: string): readonly string[] | undefined {
  if (!/^(\/([^~/]|~[01])*)+$/u.test(pointer)) return undefined;
  return pointer
    .slice(1)
    .split('/')
    .map((token) => token.replaceAll('~1', '/').replaceAll('~0', '~'));
}

function jsonString(text: string | undefined): string | undefined {
  try {
    const value: unknown = text === undefined ? undefined : JSON.parse(text);
    return typeof value === 'string' ? value : undefined;
  } catch {
    return undefined;
  }
}

export interface Override extends OverrideReference {
  /** The content of the file. */
  readonly value: unknown;
}

/**
 * Reads the files of a user's overrides. Called for each submit, so that a changed file is used from the next submit on.
 * Throws ConfigError with the file that cannot be used; never falls back to old content.
 */
export function readOverrides({ value, origin }: References): readonly Override[] {
  return value.map((reference) => ({ ...reference, value: readJsonFile(reference.file, namingAt(origin)) }));
}

/** The setting `job-json-overrides`. */
type References = Setting<readonly OverrideReference[]>;

function namingAt(origin: References['origin']): Naming | undefined {
  return origin && { ...origin, option: 'job-json-overrides' };
}

/** The files that these settings name, each once. */
export function overrideFiles(
  settings: readonly (Setting<unknown> | undefined)[],
): ReadonlyMap<string, Naming | undefined> {
  return new Map(
    settings.flatMap((setting) => {
      const { value, origin } = (setting ?? { value: [] }) as References;
      return value.map(({ file }) => [file, namingAt(origin)] as const);
    }),
  );
}

/** Reads every override file, and keeps what is wrong with each in `errors`. */
export function checkOverrideFiles(files: ReadonlyMap<string, Naming | undefined>, errors: ConfigErrors): void {
  for (const [file, by] of files) errors.attempt(() => readJsonFile(file, by));
}
