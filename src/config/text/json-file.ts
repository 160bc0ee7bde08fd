/** JSON files of an administrator: errors name line and column and never quote the content. */
import { MAX_DEPTH } from '../../system/json.ts';
import { type Naming, readNamedFile } from './file.ts';
import { ConfigError, problem } from './problem.ts';

/** Reads a JSON file of at most 1 MiB and 64 levels. Throws ConfigError naming file, line and column. */
export function readJsonFile(file: string, by?: Naming): unknown {
  const { text } = readNamedFile(file, by);
  const mistake = whyNotJson(text);
  if (mistake === undefined) return JSON.parse(text);
  throw new ConfigError('invalid', [problem({ file, line: mistake.line }, '', mistake.message)]);
}

/** Why a text is not JSON, without quoting it; undefined if it is JSON. */
export function whyNotJson(text: string): { readonly line: number; readonly message: string } | undefined {
  const mistake = findMistake(text);
  if (mistake === undefined) return undefined;
  const before = text.slice(0, mistake.index).split('\n');
  const column = (before.at(-1) ?? '').length + 1;
  return { line: before.length, message: `column ${column}: ${mistake.what}` };
}

interface Mistake {
  readonly index: number;
  readonly what: string;
}

const BLANK = /[ \t\n\r]*/y;
const STRING = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
const SCALAR = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y;

/** The first character that is not JSON (RFC 8259) or is nested too deeply. JSON.parse quotes the content instead. */
function findMistake(text: string): Mistake | undefined {
  let index = 0;
  const take = (pattern: RegExp): boolean => {
    pattern.lastIndex = index;
    if (!pattern.test(text)) return false;
    index = pattern.lastIndex;
    return true;
  };
  const takeMark = (mark: string): boolean => {
    take(BLANK);
    const found = text.charAt(index) === mark;
    if (found) index++;
    take(BLANK);
    return found;
  };
  const expected = (what: string): Mistake => ({ index, what: `expected ${what}` });
  const items = (close: string, item: () => Mistake | undefined): Mistake | undefined => {
    if (takeMark(close)) return undefined;
    do {
      const mistake = item();
      if (mistake !== undefined) return mistake;
    } while (takeMark(','));
    return takeMark(close) ? undefined : expected(`"," or "${close}"`);
  };
  const value = (depth: number): Mistake | undefined => {
    take(BLANK);
    if (depth === MAX_DEPTH && /[[{]/.test(text.charAt(index))) {
      return { index, what: `more than ${MAX_DEPTH} levels of nesting` };
    }
    if (takeMark('[')) return items(']', () => value(depth + 1));
    if (takeMark('{')) {
      return items('}', () => {
        if (!take(STRING))
          return expected(`a name in double quotes${text.charAt(index) === '}' ? ', or no comma before }' : ''}`);
        return takeMark(':') ? value(depth + 1) : expected('":"');
      });
    }
    return take(STRING) || take(SCALAR) ? undefined : expected('a value');
  };
  const mistake = value(0);
  if (mistake !== undefined) return mistake;
  take(BLANK);
  return index < text.length ? expected('the end of the file') : undefined;
}
