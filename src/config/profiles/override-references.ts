/** The value of `job-json-overrides`: which file goes where into a Job (configuration.md section 4). */
import type { Parsed } from '../text/values.ts';

export interface OverrideReference {
  /** As written. */
  readonly pointer: string;
  /** The pointer's parts, decoded; never empty. `-` as a whole part appends to an array. */
  readonly tokens: readonly string[];
  /** Absolute path of a JSON file. */
  readonly file: string;
}

const FORBIDDEN: readonly string[] = ['__proto__', 'constructor', 'prototype'];
const STRING = '"(?:[^"\\\\]|\\\\.)*"';
const PAIR = new RegExp(`\\s*(${STRING})\\s*:\\s*(${STRING})\\s*(?:,(?=\\s*")|$)`, 'y');

/** Reads the inside of a JSON object; order and number of pairs matter, so JSON.parse alone would not do. */
export function parseOverrideReferences(text: string): Parsed<readonly OverrideReference[]> {
  const found: OverrideReference[] = [];
  const refused = (why: string): Parsed<never> => ({
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
      return refused(`what begins at character ${position + 1} is not a pair of texts in double quotes`);
    }
    const tokens = pointerTokens(pointer);
    if (tokens === undefined) {
      return refused(`"${pointer}" is not a JSON pointer such as /spec/template/spec/hostAliases (RFC 6901)`);
    }
    const forbidden = tokens.find((token) => FORBIDDEN.includes(token));
    if (forbidden !== undefined) return refused(`"${pointer}" holds ${forbidden}`);
    if (found.some((each) => each.pointer === pointer)) return refused(`"${pointer}" stands there twice`);
    if (!file.startsWith('/')) return refused(`"${file}" is not an absolute path`);
    found.push({ pointer, tokens, file });
  }
  return { ok: true, value: found };
}

/** The parts of a JSON pointer; undefined if it is none, or if it is the whole document. */
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
