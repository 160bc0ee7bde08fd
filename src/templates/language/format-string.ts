/** Strings as Go's fmt and strconv write them: quoted, in hexadecimal, cut and padded by characters. */
import { byteLength, joined, sliceBytes, toBytes } from '../bytes.ts';

const PRINTABLE = /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]$/u;

/** Whether Go prints a character as it is: letters, marks, numbers, punctuation, symbols and the ASCII space. */
export const isPrintable = (char: string): boolean => PRINTABLE.test(char);

/** The number of characters; a byte that is not UTF-8 counts as one. */
function runeCount(text: string): number {
  let count = 0;
  for (const _ of text) count++;
  return count;
}

/** The first characters of a string. */
export function cut(text: string, most: number): string {
  if (text.length <= most) return text;
  let result = '';
  let count = 0;
  for (const char of text) {
    if (count++ >= most) return result;
    result += char;
  }
  return result;
}

const ESCAPES: ReadonlyMap<string, string> = new Map([
  ['\x07', '\\a'],
  ['\b', '\\b'],
  ['\f', '\\f'],
  ['\n', '\\n'],
  ['\r', '\\r'],
  ['\t', '\\t'],
  ['\v', '\\v'],
  ['\\', '\\\\'],
]);

/** A string between quotes as a Go constant, with escape sequences for what does not print; `ascii` also for what is not ASCII. */
export function quoted(text: string, quote: '"' | "'", ascii: boolean): string {
  let result = quote as string;
  for (const char of text) result += char === quote ? `\\${quote}` : escaped(char, ascii);
  return result + quote;
}

function escaped(char: string, ascii: boolean): string {
  const code = char.codePointAt(0) ?? 0;
  if (isPrintable(char) && char !== '\\' && (!ascii || code < 0x80)) return char;
  const simple = ESCAPES.get(char);
  if (simple !== undefined) return simple;
  if (!char.isWellFormed()) return `\\x${hex(code - 0xdc00, 2)}`;
  if (code < 0x20 || code === 0x7f) return `\\x${hex(code, 2)}`;
  return code < 0x10000 ? `\\u${hex(code, 4)}` : `\\U${hex(code, 8)}`;
}

const hex = (code: number, digits: number): string => code.toString(16).padStart(digits, '0');

/** Whether a string can be written between backquotes. */
export const canBackquote = (text: string): boolean =>
  text.isWellFormed() && !/[\0-\x08\x0a-\x1f`\x7f\ufeff]/.test(text);

interface HexFormat {
  readonly upper: boolean;
  /** `0x` once at the start, or with `spaced` before each byte. */
  readonly prefixed: boolean;
  readonly spaced: boolean;
  readonly mostBytes: number | undefined;
}

/** The bytes of a string in hexadecimal. */
export function hexBytes(text: string, { upper, prefixed, spaced, mostBytes }: HexFormat): string {
  const cutTo = Math.min(mostBytes ?? Number.POSITIVE_INFINITY, byteLength(text));
  const bytes = [...toBytes(sliceBytes(text, 0, cutTo))].map((byte) => hex(byte, 2));
  if (bytes.length === 0) return '';
  const prefix = prefixed ? '0x' : '';
  const result = spaced ? bytes.map((byte) => `${prefix}${byte}`).join(' ') : `${prefix}${bytes.join('')}`;
  return upper ? result.toUpperCase() : result;
}

/** A string with padding before it or after it. */
export function padded(text: string, width: number, left: boolean, filler: string): string {
  const missing = width - runeCount(text);
  if (missing <= 0) return text;
  const padding = filler.repeat(missing);
  return joined(left ? [text, padding] : [padding, text], '');
}
