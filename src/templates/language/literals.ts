/** Constants in Go's syntax: numbers, characters and quoted strings. */
import { fromBytes, toBytes } from '../bytes.ts';
import { Complex } from '../values.ts';

/** A number, in every type in which it can be written; undefined where it does not fit. */
export interface NumberLiteral {
  readonly text: string;
  readonly int: bigint | undefined;
  readonly uint: bigint | undefined;
  readonly float: number | undefined;
  readonly complex: Complex | undefined;
}

/** A constant that is malformed; the message says how. */
export class LiteralError extends Error {
  override readonly name = 'LiteralError';
}

const MAX_UINT = 2n ** 64n - 1n;
const MAX_INT = 2n ** 63n - 1n;
const MIN_INT = -(2n ** 63n);

const INTEGER = /^([+-]?)(0[xX][0-9a-fA-F_]+|0[oO][0-7_]+|0[bB][01_]+|0[0-7_]*|[1-9][0-9_]*)$/;
const DECIMAL = /^[+-]?(?=[0-9_.]*[0-9])[0-9_]*(\.[0-9_]*)?([eE][+-]?[0-9][0-9_]*)?$/;
const HEX_FLOAT =
  /^([+-]?)0[xX](?=[0-9a-fA-F_.]*[0-9a-fA-F])([0-9a-fA-F_]*)(?:\.([0-9a-fA-F_]*))?[pP]([+-]?[0-9][0-9_]*)$/;

/** Whether each underscore is between digits, or between the prefix of a base and a digit. */
function underscoresFit(text: string): boolean {
  if (!text.includes('_')) return true;
  const digits = text.replace(/^[+-]/, '').replace(/^0[xXoObB]/, '0');
  const hex = /^[+-]?0[xX]/.test(text);
  return !(hex ? /^_|_$|__|[^0-9a-fA-F]_|_[^0-9a-fA-F_]/ : /^_|_$|__|[^0-9]_|_[^0-9_]/).test(digits);
}

function integer(text: string): bigint | undefined {
  const [, sign, digits = ''] = INTEGER.exec(text) ?? [];
  if (sign === undefined || !underscoresFit(text)) return undefined;
  const plain = digits.replaceAll('_', '').replace(/^0(?=[0-7])/, '0o');
  const value = BigInt(plain);
  return sign === '-' ? -value : value;
}

function float(text: string): number | undefined {
  if (!underscoresFit(text)) return undefined;
  const plain = text.replaceAll('_', '');
  const hex = HEX_FLOAT.exec(plain);
  const value = hex === null ? (DECIMAL.test(plain) ? Number(plain) : Number.NaN) : hexFloat(hex);
  return Number.isFinite(value) ? value : undefined;
}

function hexFloat([, sign, whole = '', fraction = '', exponent = '']: RegExpExecArray): number {
  const mantissa = Number(BigInt(`0x${whole}${fraction}`));
  const power = Number(exponent) - 4 * fraction.length;
  if (mantissa === 0) return sign === '-' ? -0 : 0;
  // In two steps, because 2 ** power alone may be zero or infinite.
  const half = Math.trunc(power / 2);
  const value = mantissa * 2 ** half * 2 ** (power - half);
  return sign === '-' ? -value : value;
}

/** The literal that a float or the real part of a complex number is. */
function ofFloat(text: string, value: number, complex?: Complex): NumberLiteral {
  const whole = Number.isInteger(value) ? BigInt(value) : undefined;
  return {
    text,
    int: whole !== undefined && whole >= MIN_INT && whole <= MAX_INT ? whole : undefined,
    uint: whole !== undefined && whole >= 0n && whole <= MAX_UINT ? whole : undefined,
    float: value,
    complex,
  };
}

function ofComplex(text: string, value: Complex): NumberLiteral {
  if (value.imaginary === 0) return ofFloat(text, value.real, value);
  return { text, int: undefined, uint: undefined, float: undefined, complex: value };
}

/** A number as the lexer found it: an integer, a float, an imaginary (`2i`) or a complex number (`1+2i`). */
export function parseNumber(text: string): NumberLiteral {
  if (text.endsWith('i')) {
    const imaginary = float(text.slice(0, -1));
    if (imaginary !== undefined) return ofComplex(text, new Complex(0, imaginary));
  }
  const value = integer(text);
  if (value !== undefined && value >= MIN_INT && value <= MAX_UINT) {
    // Zero may have a sign.
    const uint = value === 0n || (value > 0n && !text.startsWith('+')) ? value : undefined;
    const int = value <= MAX_INT ? value : undefined;
    if (int !== undefined || uint !== undefined) return { text, int, uint, float: Number(value), complex: undefined };
  }
  const real = float(text);
  if (real === undefined) throw new LiteralError(`illegal number syntax: ${text}`);
  if (!/[.eEpP]/.test(text)) throw new LiteralError(`integer overflow: ${text}`);
  return ofFloat(text, real);
}

/** A complex number, `1+2i`. */
export function parseComplex(text: string): NumberLiteral {
  const middle = /(?<![eEpP])[+-](?=[^+-]*i$|[^+-]*[eEpP][+-][^+-]*i$)/.exec(text.slice(1));
  const split = middle === null ? 0 : middle.index + 1;
  const real = float(text.slice(0, split));
  const imaginary = float(text.slice(split, -1));
  if (real === undefined || imaginary === undefined) throw new LiteralError(`illegal number syntax: ${text}`);
  return ofComplex(text, new Complex(real, imaginary));
}

/** A character constant with its quotes: the code point, or the byte of `'\xff'`. */
export function parseCharacter(text: string): NumberLiteral {
  const reader = new EscapeReader(text.slice(1, -1), "'");
  const code = reader.next()?.code;
  if (code === undefined || !reader.atEnd) throw new LiteralError(`malformed character constant: ${text}`);
  return { text, int: BigInt(code), uint: BigInt(code), float: code, complex: undefined };
}

/** A string with its double quotes or backquotes. */
export function unquote(text: string): string {
  const body = text.slice(1, -1);
  if (text.startsWith('`')) return body.replaceAll('\r', '');
  if (!body.includes('\\') && body.isWellFormed()) return body;
  const reader = new EscapeReader(body, '"');
  let result = '';
  for (let next = reader.next(); next !== undefined; next = reader.next()) {
    result +=
      next.byte && next.code >= 0x80 ? String.fromCharCode(0xdc00 + next.code) : String.fromCodePoint(next.code);
  }
  // Bytes written one by one may be UTF-8 together.
  return result.isWellFormed() ? result : fromBytes(toBytes(result));
}

const SIMPLE_ESCAPES: ReadonlyMap<string, number> = new Map([
  ['a', 7],
  ['b', 8],
  ['f', 12],
  ['n', 10],
  ['r', 13],
  ['t', 9],
  ['v', 11],
  ['\\', 0x5c],
]);

const HEX_ESCAPE_DIGITS: ReadonlyMap<string, number> = new Map([
  ['x', 2],
  ['u', 4],
  ['U', 8],
]);

/** Reads characters and escape sequences between quotes. */
class EscapeReader {
  readonly #text: string;
  readonly #quote: string;
  #at = 0;

  constructor(text: string, quote: string) {
    this.#text = text;
    this.#quote = quote;
  }

  get atEnd(): boolean {
    return this.#at >= this.#text.length;
  }

  /** The next code point; `byte` if it is one byte of the string. Undefined at the end. */
  next(): { readonly code: number; readonly byte: boolean } | undefined {
    const code = this.#text.codePointAt(this.#at);
    if (code === undefined) return undefined;
    const char = String.fromCodePoint(code);
    this.#at += char.length;
    if (char === this.#quote) throw this.#invalid();
    if (char !== '\\') return { code: char.isWellFormed() ? code : 0xfffd, byte: false };
    return this.#escape();
  }

  #escape(): { readonly code: number; readonly byte: boolean } {
    const letter = this.#text[this.#at++] ?? '';
    const simple = letter === this.#quote ? letter.charCodeAt(0) : SIMPLE_ESCAPES.get(letter);
    if (simple !== undefined) return { code: simple, byte: false };
    const digits = HEX_ESCAPE_DIGITS.get(letter);
    if (digits !== undefined) {
      const written = this.#text.slice(this.#at, this.#at + digits);
      this.#at += digits;
      const code = Number.parseInt(written, 16);
      const surrogate = code >= 0xd800 && code <= 0xdfff;
      if (!/^[0-9a-fA-F]+$/.test(written) || written.length < digits || code > 0x10ffff || surrogate) {
        throw this.#invalid();
      }
      return { code, byte: letter === 'x' };
    }
    const octal = this.#text.slice(this.#at - 1, this.#at + 2);
    if (!/^[0-3][0-7]{2}$/.test(octal)) throw this.#invalid();
    this.#at += 2;
    return { code: Number.parseInt(octal, 8), byte: true };
  }

  #invalid(): LiteralError {
    return new LiteralError(`invalid syntax between ${this.#quote} and ${this.#quote}`);
  }
}
