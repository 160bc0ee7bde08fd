/** Go's time.Duration: reading, printing, rounding, and the object that templates see. */
import { GoError } from '../../contract.ts';
import { define, type Parameter } from '../../definition.ts';
import { type GoFunction, GoObject, Sized } from '../../values.ts';

const SECOND = 1_000_000_000n;
const MINUTE = 60n * SECOND;
const HOUR = 60n * MINUTE;
const MAX = 2n ** 63n - 1n;

const UNITS: ReadonlyMap<string, bigint> = new Map([
  ['ns', 1n],
  ['us', 1000n],
  ['µs', 1000n],
  ['μs', 1000n],
  ['ms', 1_000_000n],
  ['s', SECOND],
  ['m', MINUTE],
  ['h', HOUR],
]);

/** Digits that a float64 holds; further ones of a fraction do not count. */
const FRACTION_DIGITS = 18;

/** As package time quotes in errors: what is not ASCII as bytes. */
export const quotedAscii = (text: string): string => {
  const escaped = [...text].map((char) => {
    if (char === '"' || char === '\\') return `\\${char}`;
    if (char >= ' ' && char < '\x80') return char;
    return [...Buffer.from(char)].map((byte) => `\\x${byte.toString(16).padStart(2, '0')}`).join('');
  });
  return `"${escaped.join('')}"`;
};

/** Nanoseconds of a text such as `-1h30m`. */
export function parseDuration(text: string): bigint {
  const invalid = new GoError(`time: invalid duration ${quotedAscii(text)}`);
  const negative = text.startsWith('-');
  const body = /^[+-]/.test(text) ? text.slice(1) : text;
  if (body === '0') return 0n;
  if (body === '') throw invalid;
  let total = 0n;
  for (let rest = body; rest !== ''; ) {
    const [whole = '', integer = '', fraction = ''] = /^(\d*)(?:\.(\d*))?/.exec(rest) ?? [];
    if (integer + fraction === '' || integer.length > 40) throw invalid;
    rest = rest.slice(whole.length);
    const unit = /^[^.0-9]*/.exec(rest)?.[0] ?? '';
    if (unit === '') throw new GoError(`time: missing unit in duration ${quotedAscii(text)}`);
    const size = UNITS.get(unit);
    if (size === undefined)
      throw new GoError(`time: unknown unit ${quotedAscii(unit)} in duration ${quotedAscii(text)}`);
    rest = rest.slice(unit.length);
    const digits = fraction.slice(0, FRACTION_DIGITS);
    // As Go computes it, rounding errors of floats included.
    const part = digits === '' ? 0 : Number(digits) * (Number(size) / 10 ** digits.length);
    total += BigInt(integer || '0') * size + BigInt(Math.trunc(part));
    if (total > MAX + 1n) throw invalid;
  }
  if (!negative && total > MAX) throw invalid;
  return negative ? -total : total;
}

/** Without zeros at the end: 1.5, 2. */
function decimal(value: bigint, unit: bigint): string {
  const fraction = String(value % unit)
    .padStart(String(unit).length - 1, '0')
    .replace(/(?<!0)0+$/, '');
  return fraction === '' ? String(value / unit) : `${value / unit}.${fraction}`;
}

/** `1h2m3.5s`. */
export function formatDuration(nanoseconds: bigint): string {
  const sign = nanoseconds < 0n ? '-' : '';
  const value = nanoseconds < 0n ? -nanoseconds : nanoseconds;
  if (value === 0n) return '0s';
  if (value < 1000n) return `${sign}${value}ns`;
  if (value < 1_000_000n) return `${sign}${decimal(value, 1000n)}µs`;
  if (value < SECOND) return `${sign}${decimal(value, 1_000_000n)}ms`;
  const seconds = `${decimal(value % MINUTE, SECOND)}s`;
  if (value < MINUTE) return sign + seconds;
  const minutes = `${(value / MINUTE) % 60n}m${seconds}`;
  return value < HOUR ? sign + minutes : `${sign}${value / HOUR}h${minutes}`;
}

/** As Duration.Round: half away from zero. */
export function roundDuration(nanoseconds: bigint, to: bigint): bigint {
  if (to <= 0n) return nanoseconds;
  const rest = nanoseconds % to;
  const absolute = rest < 0n ? -rest : rest;
  if (absolute + absolute < to) return nanoseconds - rest;
  return nanoseconds - rest + (nanoseconds < 0n ? -to : to);
}

/** A time.Duration. */
export class Duration extends GoObject {
  readonly nanoseconds: bigint;

  constructor(nanoseconds: bigint) {
    const methods = methodsOf(nanoseconds).map((method): [string, GoFunction] => [method.name, method]);
    super({
      type: 'time.Duration',
      kind: 'int64',
      value: nanoseconds,
      text: formatDuration(nanoseconds),
      methods: new Map(methods),
    });
    this.nanoseconds = nanoseconds;
  }
}

export const durationParameter: Parameter<bigint> = {
  type: 'time.Duration',
  read: (value) => (value instanceof Duration ? value.nanoseconds : 0n),
};

const int64 = (value: bigint): Sized => new Sized('int64', value);

function methodsOf(value: bigint): readonly GoFunction[] {
  const inUnits = (unit: bigint): number => Number(value / unit) + Number(value % unit) / Number(unit);
  return [
    ...define('String', [], () => formatDuration(value)),
    ...define('Hours', [], () => inUnits(HOUR)),
    ...define('Minutes', [], () => inUnits(MINUTE)),
    ...define('Seconds', [], () => inUnits(SECOND)),
    ...define('Milliseconds', [], () => int64(value / 1_000_000n)),
    ...define('Microseconds', [], () => int64(value / 1000n)),
    ...define('Nanoseconds', [], () => int64(value)),
    ...define('Abs', [], () => new Duration(value < 0n ? -value : value)),
    ...define('Round', [durationParameter], ([to]) => new Duration(roundDuration(value, to))),
    ...define('Truncate', [durationParameter], ([to]) => new Duration(to <= 0n ? value : value - (value % to))),
  ];
}
