/** Integers and floats as the verbs of Go's `printf` print them, with sign, prefix, precision and padding. */
import { shortestFloat32 } from '../print-form.ts';
import { floatText } from './format-float.ts';
import { isPrintable, padded, quoted } from './format-string.ts';

export interface Flags {
  readonly minus: boolean;
  readonly plus: boolean;
  readonly sharp: boolean;
  readonly space: boolean;
  readonly zero: boolean;
  /** `%#v` */
  readonly goSyntax: boolean;
  readonly width: number | undefined;
  readonly precision: number | undefined;
}

/** A text padded to the width; zeros only to the left. */
export const pad = (text: string, { width, minus, zero }: Flags): string =>
  padded(text, width ?? 0, minus, zero && !minus ? '0' : ' ');

const spaced = (text: string, flags: Flags): string => pad(text, { ...flags, zero: false });

const BASES: ReadonlyMap<string, number> = new Map([
  ['v', 10],
  ['d', 10],
  ['b', 2],
  ['o', 8],
  ['O', 8],
  ['x', 16],
  ['X', 16],
]);

export const isIntegerVerb = (verb: string): boolean => BASES.has(verb) || verb === 'c' || verb === 'q' || verb === 'U';

export function integerVerb(value: bigint, verb: string, flags: Flags, unsigned: boolean): string {
  if (verb === 'c' || verb === 'q' || verb === 'U') return characterVerb(value, verb, flags);
  if (verb === 'v' && flags.goSyntax && unsigned) return integer(value, 16, { ...flags, sharp: true }, '0x');
  const text = integer(value, BASES.get(verb) ?? 10, flags, verb === 'O' ? '0o' : '');
  return verb === 'X' ? text.toUpperCase() : text;
}

function integer(value: bigint, base: number, flags: Flags, prefix: string): string {
  const { plus, space, sharp, zero, minus, width, precision } = flags;
  if (precision === 0 && value === 0n) return spaced('', flags);
  const sign = value < 0n ? '-' : plus ? '+' : space ? ' ' : '';
  const filled = zero && !minus && precision === undefined ? (width ?? 0) - sign.length : (precision ?? 0);
  const digits = (value < 0n ? -value : value).toString(base).padStart(filled, '0');
  return spaced(
    `${sign}${prefix === '' && sharp ? basePrefix(base, digits) : octal(prefix, sharp, digits)}${digits}`,
    flags,
  );
}

function basePrefix(base: number, digits: string): string {
  if (base === 16) return '0x';
  if (base === 2) return '0b';
  return base === 8 && !digits.startsWith('0') ? '0' : '';
}

/** `%#O` has both prefixes. */
const octal = (prefix: string, sharp: boolean, digits: string): string =>
  prefix === '0o' && sharp ? `${prefix}${basePrefix(8, digits)}` : prefix;

const MAX_RUNE = 0x10ffffn;

function characterVerb(value: bigint, verb: 'c' | 'q' | 'U', flags: Flags): string {
  const code = BigInt.asUintN(64, value);
  const valid = code <= MAX_RUNE && !(code >= 0xd800n && code <= 0xdfffn);
  const char = valid ? String.fromCodePoint(Number(code)) : '\ufffd';
  if (verb === 'c') return pad(char, flags);
  if (verb === 'q') return pad(quoted(char, "'", flags.plus), flags);
  const digits = code
    .toString(16)
    .toUpperCase()
    .padStart(Math.max(flags.precision ?? 4, 4), '0');
  return spaced(`U+${digits}${flags.sharp && valid && isPrintable(char) ? ` '${char}'` : ''}`, flags);
}

/** The formats of strconv behind the verbs, and the precision if none is given. */
const FLOAT_VERBS: ReadonlyMap<string, readonly [format: string, precision: number]> = new Map([
  ['v', ['g', -1]],
  ['g', ['g', -1]],
  ['G', ['g', -1]],
  ['x', ['x', -1]],
  ['X', ['x', -1]],
  ['b', ['b', -1]],
  ['f', ['f', 6]],
  ['F', ['f', 6]],
  ['e', ['e', 6]],
  ['E', ['e', 6]],
]);

export const isFloatVerb = (verb: string): boolean => FLOAT_VERBS.has(verb);

export function floatVerb(value: number, verb: string, flags: Flags, single: boolean): string {
  const [format, precision] = FLOAT_VERBS.get(verb) ?? ['g', -1];
  const { plus, space, zero, minus, sharp, width } = flags;
  const negative = value < 0 || Object.is(value, -0);
  const sign = negative ? '-' : plus ? '+' : space ? ' ' : '';
  if (Number.isNaN(value)) return spaced(`${sign}NaN`, flags);
  if (!Number.isFinite(value)) return spaced(`${sign === '' ? '+' : sign}Inf`, flags);
  const magnitude = Math.abs(single ? shortestFloat32(value) : value);
  const asked = flags.precision ?? precision;
  let digits = floatText(magnitude, format, asked);
  // Go restores no zeros for `%#X`.
  if (sharp && format !== 'b') digits = withPoint(digits, format, verb === 'X' ? 0 : asked);
  if (verb === 'G' || verb === 'E' || verb === 'X') digits = digits.toUpperCase();
  if (zero && !minus && sign !== '') return `${sign}${digits.padStart((width ?? 0) - sign.length, '0')}`;
  return pad(`${sign}${digits}`, flags);
}

/** With a decimal point, and for `g` with the zeros that `g` leaves out. */
function withPoint(text: string, format: string, precision: number): string {
  const at = text.search(format === 'x' ? /p/ : /e/);
  const number = at < 0 ? text : text.slice(0, at);
  const tail = at < 0 ? '' : text.slice(at);
  const wanted = format === 'g' || format === 'x' ? (precision < 0 ? 6 : precision) : 0;
  // In hexadecimal, Go counts the `x` as a digit.
  const significant = number.replace('.', '').replace(format === 'x' ? /^0/ : /^0+/, '').length;
  const zero = number === '0' ? 1 : 0;
  const point = number.includes('.') ? '' : '.';
  return `${number}${point}${'0'.repeat(Math.max(wanted - significant - zero, 0))}${tail}`;
}
