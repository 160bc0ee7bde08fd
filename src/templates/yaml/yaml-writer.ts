/** Writes YAML as go-yaml v2 does without folding (`toYaml`), or with indented lists as version 3 does (`toYamlPretty`). */
import type { Sliced } from '../../system/slices.ts';
import { byteLength } from '../bytes.ts';
import { formatFloat } from '../print-form.ts';
import { needsQuotes } from './yaml-scalars.ts';

/** What YAML documents are made of here; bigint for integers. */
export type Plain = null | boolean | bigint | number | string | readonly Plain[] | ReadonlyMap<string, Plain>;

/**
 * Version 3 indents lists inside of maps, writes strings with tabs as blocks, orders letters before other characters after a
 * digit, and loses the first line break of a block that begins with one.
 */
export type YamlStyle = 'go-yaml-2' | 'go-yaml-3';

/** Items of a list between two places where other work may run. */
const PAUSE_ITEMS = 64;

/** Longer keys are written with `? `. */
const LONGEST_SIMPLE_KEY = 128;

export function* writeYaml(value: Plain, style: YamlStyle): Sliced<string> {
  const writer = new YamlWriter(style);
  yield* writer.node(value, -2);
  return writer.finish();
}

class YamlWriter {
  readonly #style: YamlStyle;
  #text = '';
  #last = '\n';

  constructor(style: YamlStyle) {
    this.#style = style;
  }

  finish(): string {
    this.#newLine(0);
    return this.#text;
  }

  /** Keeps the last character beside the text: reading it from a long text that grows takes time. */
  #write(text: string): void {
    this.#text += text;
    this.#last = text.at(-1) ?? this.#last;
  }

  #newLine(indent: number): void {
    if (!/[\n\u2028\u2029]/.test(this.#last)) this.#write('\n');
    this.#write(' '.repeat(indent));
  }

  /** A value: its first line begins where the text ends, its further lines are indented two more than `indent`. */
  *node(value: Plain, indent: number): Sliced<void> {
    if (isMap(value) && value.size > 0) yield* this.#map(value, indent + 2);
    else if (Array.isArray(value) && value.length > 0) yield* this.#list(value, indent + 2);
    else this.#write(this.#scalar(value, Math.max(indent, 0), false));
  }

  *#list(items: readonly Plain[], indent: number): Sliced<void> {
    for (const [i, item] of items.entries()) {
      if (i > 0) this.#newLine(indent);
      this.#write('- ');
      yield* this.node(item, indent);
      if (i % PAUSE_ITEMS === 0) yield;
    }
  }

  *#map(map: ReadonlyMap<string, Plain>, indent: number): Sliced<void> {
    const entries = [...map].sort(([a], [b]) => compareKeys(a, b, this.#style));
    for (const [i, [key, value]] of entries.entries()) {
      if (i > 0) this.#newLine(indent);
      if (/[\n\r\u0085\u2028\u2029]/.test(key) || byteLength(key) > LONGEST_SIMPLE_KEY) {
        this.#write('? ');
        yield* this.node(key, indent);
        this.#newLine(indent);
        this.#write(': ');
        yield* this.node(value, indent);
      } else {
        this.#write(`${this.#scalar(key, indent, true)}:`);
        yield* this.#mapValue(value, indent);
      }
    }
  }

  *#mapValue(value: Plain, indent: number): Sliced<void> {
    if (isMap(value) && value.size > 0) {
      this.#newLine(indent + 2);
      yield* this.#map(value, indent + 2);
    } else if (Array.isArray(value) && value.length > 0) {
      const inner = indent + (this.#style === 'go-yaml-3' ? 2 : 0);
      this.#newLine(inner);
      yield* this.#list(value, inner);
    } else this.#write(` ${this.#scalar(value, indent, false)}`);
  }

  #scalar(value: Plain, indent: number, isKey: boolean): string {
    if (typeof value === 'string') return this.#string(value, indent, isKey);
    if (typeof value === 'number') return number(value);
    if (isMap(value)) return '{}';
    return Array.isArray(value) ? '[]' : String(value);
  }

  #string(text: string, indent: number, isKey: boolean): string {
    const { plain, single, block } = allowed(text, this.#style);
    if (text.includes('\n')) return block && !isKey ? literal(text, indent + 2, this.#style) : doubleQuoted(text);
    if (needsQuotes(text)) return doubleQuoted(text);
    const isMultiline = /[\r\u0085\u2028\u2029]/.test(text);
    if (isKey && isMultiline) return doubleQuoted(text);
    if (plain) return text;
    return single ? singleQuoted(text, indent + 2) : doubleQuoted(text);
  }
}

const isMap = (value: Plain): value is ReadonlyMap<string, Plain> => value instanceof Map;

function number(value: number): string {
  if (Number.isNaN(value)) return '.nan';
  if (!Number.isFinite(value)) return value > 0 ? '.inf' : '-.inf';
  return formatFloat(value);
}

const BREAK = '\\n\\r\\u0085\\u2028\\u2029';
const SPACE_BEFORE_BREAK = new RegExp(` [${BREAK}]`);
const BREAK_BEFORE_SPACE = new RegExp(`[${BREAK}] `);
const BREAK_AT_END = new RegExp(`^[${BREAK}]|[${BREAK}]$`);
const ANY_BREAK = new RegExp(`[${BREAK}]`);
/** What the emitter of go-yaml takes for printable; all beyond U+FFFF is not. */
const UNPRINTABLE = /[^\n -~\u00a0-\ud7ff\ue000-\ufefe\uff00-\ufffd]/;
const INDICATOR = /^(?:---|\.\.\.|[#,[\]{}&*!|>'"%@`]|[?:-](?:[ \t]|$))|:(?:[ \t]|$)|[ \t\0\n\r\u0085\u2028\u2029]#/;

/** The styles in which a string reads back. */
function allowed(text: string, style: YamlStyle): { plain: boolean; single: boolean; block: boolean } {
  const hasTab = text.includes('\t');
  const special =
    UNPRINTABLE.test(style === 'go-yaml-3' ? text.replaceAll('\t', '') : text) || SPACE_BEFORE_BREAK.test(text);
  const single = !special && !hasTab && !BREAK_BEFORE_SPACE.test(text);
  const plain =
    single && !ANY_BREAK.test(text) && !INDICATOR.test(text) && !/^ | $/.test(text) && !BREAK_AT_END.test(text);
  return { plain, single, block: !special && !text.endsWith(' ') };
}

/** A break inside of quotes is followed by the indentation. */
const singleQuoted = (text: string, indent: number): string =>
  `'${text.replaceAll("'", "''").replace(/([\u2028\u2029])(?![\u2028\u2029]|$)/g, `$1${' '.repeat(indent)}`)}'`;

function literal(text: string, indent: number, style: YamlStyle): string {
  const leading = /^[ \n\u2028\u2029]/.test(text) ? '2' : '';
  const end = /(?<![\n\u2028\u2029])[\n\u2028\u2029]+$/.exec(text)?.[0] ?? '';
  const chomping = end === '' ? '-' : end.length > 1 || end === text ? '+' : '';
  const body = text.replace(/(^|[\n\u2028\u2029])(?![\n\u2028\u2029]|$)/g, `$1${' '.repeat(indent)}`);
  const isShort = style === 'go-yaml-3' && leading === '2' && !text.startsWith(' ');
  return `|${leading}${chomping}${isShort ? '' : '\n'}${body}`;
}

const ESCAPES: ReadonlyMap<string, string> = new Map([
  ['\0', '0'],
  ['\x07', 'a'],
  ['\b', 'b'],
  ['\t', 't'],
  ['\n', 'n'],
  ['\v', 'v'],
  ['\f', 'f'],
  ['\r', 'r'],
  ['\x1b', 'e'],
  ['"', '"'],
  ['\\', '\\'],
  ['\u0085', 'N'],
  ['\u00a0', '_'],
  ['\u2028', 'L'],
  ['\u2029', 'P'],
]);

function doubleQuoted(text: string): string {
  // go-yaml looks for the byte order mark at the start of the text only, and escapes all of such a text.
  const special = text.startsWith('\ufeff')
    ? /./gsu
    : /[^ !#-[\]-~\u00a0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd]/gu;
  const escaped = text.replace(special, (char) => {
    const short = ESCAPES.get(char);
    if (short !== undefined) return `\\${short}`;
    const hex = (char.codePointAt(0) ?? 0).toString(16).toUpperCase();
    if (hex.length <= 2) return `\\x${hex.padStart(2, '0')}`;
    return hex.length <= 4 ? `\\u${hex.padStart(4, '0')}` : `\\U${hex.padStart(8, '0')}`;
  });
  return `"${escaped}"`;
}

const isLetter = (char: string | undefined): boolean => char !== undefined && /^\p{L}$/u.test(char);
const isDigit = (char: string | undefined): boolean => char !== undefined && /^\p{Nd}$/u.test(char);

/** The order of go-yaml: numbers in keys count as numbers, letters come after everything else. */
function compareKeys(left: string, right: string, style: YamlStyle): number {
  const a = [...left];
  const b = [...right];
  for (let i = 0; i < a.length && i < b.length; i++) {
    const [x = '', y = ''] = [a[i], b[i]];
    if (x === y) continue;
    const code = (x.codePointAt(0) ?? 0) - (y.codePointAt(0) ?? 0);
    if (isLetter(x) && isLetter(y)) return code;
    if (isLetter(x) || isLetter(y)) {
      const isLetterFirst = style === 'go-yaml-3' && isDigit(a[i - 1]);
      return isLetter(y) === isLetterFirst ? 1 : -1;
    }
    return compareNumbers(a, b, i) || code;
  }
  return a.length - b.length;
}

function compareNumbers(a: readonly string[], b: readonly string[], from: number): number {
  let prefix = '';
  if (a[from] === '0' || b[from] === '0') {
    for (let j = from - 1; j >= 0 && isDigit(a[j]); j--) {
      if (a[j] !== '0') {
        prefix = '1';
        break;
      }
    }
  }
  const numberAt = (chars: readonly string[]): string => {
    let end = from;
    while (isDigit(chars[end])) end++;
    return chars.slice(from, end).join('');
  };
  const [x, y] = [numberAt(a), numberAt(b)];
  const difference = int64Of(prefix + x) - int64Of(prefix + y);
  if (difference !== 0n) return difference < 0n ? -1 : 1;
  return x.length - y.length;
}

/** Digits as an int64 that wraps around; digits of other scripts count by their code point. */
function int64Of(digits: string): bigint {
  let value = 0n;
  for (const digit of digits) value = BigInt.asIntN(64, value * 10n + BigInt((digit.codePointAt(0) ?? 48) - 48));
  return value;
}
