/** sprig's arithmetic: int64 and float64, conversions, and lists of integers. */
import { GoError } from '../contract.ts';
import { any, define, defineVariadic, float, int, string } from '../definition.ts';
import { castFloat, castInt, parseGoInt } from '../go-numbers.ts';
import { printForm } from '../print-form.ts';
import { type Budget, type GoFunction, Sized, Slice, type Value } from '../values.ts';
import { add, type Decimal, divide, multiply, subtract, toDecimal, toNumber } from './decimal.ts';

const int64 = (value: bigint): Sized => new Sized('int64', value);

const nonZero = (value: bigint): bigint => {
  if (value === 0n) throw new GoError('runtime error: integer divide by zero');
  return value;
};

/** The operation on decimal numbers, from the first value through all others. */
const decimals = (first: Value, rest: readonly Value[], operation: (a: Decimal, b: Decimal) => Decimal): number =>
  toNumber(
    rest.reduce<Decimal>((sum, value) => operation(sum, toDecimal(castFloat(value))), toDecimal(castFloat(first))),
  );

/** As math.Max and math.Min: the wanted infinity wins, NaN included. */
function extreme(a: number, b: number, infinity: number, of: (a: number, b: number) => number): number {
  return a === infinity || b === infinity ? infinity : of(a, b);
}

/** As math.Pow(10, n) computes it, so that rounding errors are the same. */
function powerOfTen(exponent: number): number {
  let mantissa = 0.625;
  let binary = 4;
  let result = 1;
  let resultBinary = 0;
  for (let left = Math.min(Math.abs(exponent), 2000); left > 0; left = Math.floor(left / 2)) {
    if (left % 2 === 1) {
      result *= mantissa;
      resultBinary += binary;
    }
    mantissa *= mantissa;
    binary *= 2;
    if (mantissa < 0.5) {
      mantissa *= 2;
      binary--;
    }
  }
  // In two steps: a power of two alone might be too large or too small.
  const scaled = (value: number, power: number): number => {
    const half = Math.trunc(power / 2);
    return value * 2 ** half * 2 ** (power - half);
  };
  return exponent < 0 ? scaled(1 / result, -resultBinary) : scaled(result, resultBinary);
}

function round(value: number, places: number, roundOn: number): number {
  const power = powerOfTen(places);
  const digit = power * value;
  const up = digit - Math.trunc(digit) >= roundOn;
  return (up ? Math.ceil(digit) : Math.floor(digit)) / power;
}

function* steps(start: bigint, stop: bigint, step: bigint, budget: Budget): Generator<bigint> {
  if (stop < start ? step >= 0n : step <= 0n) return;
  for (let i = start; stop < start ? i > stop : i < stop; i += step) {
    budget.step();
    yield i;
  }
}

const untilStep = (start: bigint, stop: bigint, step: bigint, budget: Budget): Slice =>
  new Slice('int', [...steps(start, stop, step, budget)]);

/** Bounds included, as the command seq. */
function seq(values: readonly bigint[], budget: Budget): string {
  const [first = 0n, second = 0n, third = 0n] = values;
  const joined = (start: bigint, end: bigint, step: bigint): string =>
    [...steps(start, end + (end < start ? -1n : 1n), step, budget)].join(' ');
  if (values.length === 1) return joined(1n, first, first < 1n ? -1n : 1n);
  if (values.length === 2) return joined(first, second, second < first ? -1n : 1n);
  if (values.length !== 3 || (third < first && second > 0n)) return '';
  return joined(first, third, second);
}

export const MATH_FUNCTIONS: readonly GoFunction[] = [
  ...define('atoi', [string], ([text]) => parseGoInt(text, 10).value),
  ...define('int', [any], ([value]) => castInt(value)),
  ...define('int64', [any], ([value]) => int64(castInt(value))),
  ...define('float64', [any], ([value]) => castFloat(value)),
  ...define('toDecimal', [any], ([value], budget) => {
    const { value: parsed, problem } = parseGoInt(printForm(value ?? null, budget), 8);
    return int64(problem === undefined ? parsed : 0n);
  }),
  ...define('add1', [any], ([value]) => int64(castInt(value) + 1n)),
  ...defineVariadic('add', [], any, (_none, values) =>
    int64(values.reduce<bigint>((sum, value) => sum + castInt(value), 0n)),
  ),
  ...define('sub', [any, any], ([a, b]) => int64(castInt(a) - castInt(b))),
  ...define('div', [any, any], ([a, b]) => int64(castInt(a) / nonZero(castInt(b)))),
  ...define('mod', [any, any], ([a, b]) => int64(castInt(a) % nonZero(castInt(b)))),
  ...defineVariadic('mul', [any], any, ([a], values) =>
    int64(values.reduce<bigint>((product, value) => BigInt.asIntN(64, product * castInt(value)), castInt(a))),
  ),
  ...defineVariadic('max biggest', [any], any, ([a], values) =>
    int64(values.map(castInt).reduce((best, each) => (each > best ? each : best), castInt(a))),
  ),
  ...defineVariadic('min', [any], any, ([a], values) =>
    int64(values.map(castInt).reduce((best, each) => (each < best ? each : best), castInt(a))),
  ),
  ...define('add1f', [any], ([value]) => decimals(value, [1n], add)),
  ...defineVariadic('addf', [], any, (_none, values) => decimals(0, values, add)),
  ...defineVariadic('subf', [any], any, ([a], values) => decimals(a, values, subtract)),
  ...defineVariadic('mulf', [any], any, ([a], values) => decimals(a, values, multiply)),
  ...defineVariadic('divf', [any], any, ([a], values) => decimals(a, values, divide)),
  ...defineVariadic('maxf', [any], any, ([a], values) =>
    values.map(castFloat).reduce((x, y) => extreme(x, y, Number.POSITIVE_INFINITY, Math.max), castFloat(a)),
  ),
  ...defineVariadic('minf', [any], any, ([a], values) =>
    values.map(castFloat).reduce((x, y) => extreme(x, y, Number.NEGATIVE_INFINITY, Math.min), castFloat(a)),
  ),
  ...define('floor', [any], ([value]) => Math.floor(castFloat(value))),
  ...define('ceil', [any], ([value]) => Math.ceil(castFloat(value))),
  ...defineVariadic('round', [any, int], float, ([value, places], [roundOn = 0.5]) =>
    round(castFloat(value), Number(places), roundOn),
  ),
  ...define('until', [int], ([count], budget) => untilStep(0n, count, count < 0n ? -1n : 1n, budget)),
  ...define('untilStep', [int, int, int], ([start, stop, step], budget) => untilStep(start, stop, step, budget)),
  ...defineVariadic('seq', [], int, (_none, values, budget) => seq(values, budget)),
];
