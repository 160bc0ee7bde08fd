/** Numbers as Go's strconv reads them and as the package cast, which sprig uses, converts any value to them. */
import { GoObject, numberOf, toInt, type Value } from './values.ts';

const MAX_INT = 2n ** 63n - 1n;
const MIN_INT = -(2n ** 63n);

/** A parsed integer: with `range` the value is the closest int64. */
interface ParsedInt {
  readonly value: bigint;
  readonly problem?: 'syntax' | 'range';
}

const PREFIXES: readonly (readonly [RegExp, number])[] = [
  [/^0[xX]/, 16],
  [/^0[bB]/, 2],
  [/^0[oO]/, 8],
];
/** The most digits that are converted; longer ones are out of range anyway, leading zeros apart. */
const MAX_DIGITS = 400;

/** As strconv.ParseInt with 64 bits; base 0 reads prefixes (`0x`, `0o`, `0`, `0b`) and underscores. */
export function parseGoInt(text: string, base: 0 | 8 | 10): ParsedInt {
  const negative = text.startsWith('-');
  const digits = /^[+-]/.test(text) ? text.slice(1) : text;
  const magnitude = base === 0 ? prefixed(digits) : plainDigits(digits, base);
  if (magnitude === undefined) return { value: 0n, problem: 'syntax' };
  const value = negative ? -magnitude : magnitude;
  if (value > MAX_INT) return { value: MAX_INT, problem: 'range' };
  return value < MIN_INT ? { value: MIN_INT, problem: 'range' } : { value };
}

function prefixed(digits: string): bigint | undefined {
  if (!underscoresAreFine(digits)) return undefined;
  const bare = digits.replaceAll('_', '');
  for (const [prefix, base] of PREFIXES) if (prefix.test(bare)) return plainDigits(bare.slice(2), base);
  return bare.length > 1 && bare.startsWith('0') ? plainDigits(bare.slice(1), 8) : plainDigits(bare, 10);
}

/** Digits of a base without sign and prefix; undefined if there are none or others. */
export function plainDigits(text: string, base: number): bigint | undefined {
  const allowed = base === 16 ? /^[0-9a-fA-F]+$/ : base === 8 ? /^[0-7]+$/ : base === 2 ? /^[01]+$/ : /^[0-9]+$/;
  if (!allowed.test(text)) return undefined;
  const digits = text.replace(/^0+(?=.)/, '');
  if (digits.length > MAX_DIGITS) return 2n ** 64n;
  return BigInt(base === 16 ? `0x${digits}` : base === 8 ? `0o${digits}` : base === 2 ? `0b${digits}` : digits);
}

/** Underscores must separate digits; one may follow the prefix of a base. */
function underscoresAreFine(text: string): boolean {
  if (!text.includes('_')) return true;
  const body = /^0[xXbBoO]/.test(text) ? `0${text.slice(2)}` : text;
  const digit = /^0[xX]/.test(text) ? '[0-9a-fA-F]' : '[0-9]';
  return !new RegExp(`(?<!${digit})_|_(?!${digit})`).test(body);
}

const DECIMAL = /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?$/;
const HEXADECIMAL = /^([+-]?)0[xX]([0-9a-fA-F]*)(?:\.([0-9a-fA-F]*))?[pP]([+-]?\d{1,6})$/;
const INFINITE = /^([+-]?)inf(?:inity)?$/i;

/** As strconv.ParseFloat with 64 bits; undefined where that fails, out of range included. */
export function parseGoFloat(text: string): number | undefined {
  if (/^nan$/i.test(text)) return Number.NaN;
  const infinite = INFINITE.exec(text);
  if (infinite !== null) return infinite[1] === '-' ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  if (!underscoresAreFine(text.replace(/^[+-]/, ''))) return undefined;
  const bare = text.replaceAll('_', '');
  if (DECIMAL.test(bare)) {
    const value = Number(bare);
    return Number.isFinite(value) ? value : undefined;
  }
  const [, sign, whole = '', fraction = '', exponent] = HEXADECIMAL.exec(bare) ?? [];
  if (whole + fraction === '' || whole.length + fraction.length > MAX_DIGITS) return undefined;
  const value = Number(BigInt(`0x${whole}${fraction}`)) * 2 ** (Number(exponent) - 4 * fraction.length);
  if (!Number.isFinite(value)) return undefined;
  return sign === '-' ? -value : value;
}

/** As a Go conversion of a float64 to an int64 on amd64: what does not fit becomes the lowest int64. */
function truncated(value: number): bigint {
  if (!(value >= -(2 ** 63) && value < 2 ** 63)) return MIN_INT;
  return BigInt(Math.trunc(value));
}

/** `3.00` reads as 3. */
const withoutZeroDecimals = (text: string): string => text.replace(/\.0+$/, '');

/** A number of a type that cast knows; undefined for time.Duration and other named types. */
function castable(value: Value): bigint | number | undefined {
  if (value instanceof GoObject && value.type !== 'time.Month' && value.type !== 'time.Weekday') return undefined;
  return numberOf(value);
}

/** As cast.ToInt64: 0 for what is no number. */
export function castInt(value: Value): bigint {
  if (typeof value === 'boolean') return value ? 1n : 0n;
  if (typeof value === 'string') {
    const { value: parsed, problem } = parseGoInt(withoutZeroDecimals(value), 0);
    return problem === undefined ? parsed : 0n;
  }
  const number = castable(value);
  if (number === undefined) return 0n;
  return typeof number === 'bigint' ? toInt(number) : truncated(number);
}

/** As cast.ToFloat64: 0 for what is no number. */
export function castFloat(value: Value): number {
  if (typeof value === 'boolean') return value ? 1 : 0;
  if (typeof value === 'string') return parseGoFloat(value) ?? 0;
  return Number(castable(value) ?? 0);
}
