/** Decimal numbers of any size, for sprig's sums and products of floats: exact but for division, which has 16 digits. */
import { GoError } from '../contract.ts';

/** `coefficient` times ten to the power of `exponent`. */
export interface Decimal {
  readonly coefficient: bigint;
  readonly exponent: number;
}

/** Digits after the point of a quotient. */
const QUOTIENT_DIGITS = 16;

const power = (exponent: number): bigint => 10n ** BigInt(exponent);

/** The shortest decimal number that reads as this float. */
export function toDecimal(value: number): Decimal {
  if (!Number.isFinite(value)) {
    const name = Number.isNaN(value) ? 'NaN' : value > 0 ? '+Inf' : '-Inf';
    throw new GoError(`Cannot create a Decimal from ${name}`);
  }
  const [mantissa = '', exponent = ''] = value.toExponential().split('e');
  const [whole = '', fraction = ''] = mantissa.split('.');
  return { coefficient: BigInt(whole + fraction), exponent: Number(exponent) - fraction.length };
}

export const toNumber = ({ coefficient, exponent }: Decimal): number => Number(`${coefficient}e${exponent}`);

function aligned(a: Decimal, b: Decimal): readonly [bigint, bigint, number] {
  const exponent = Math.min(a.exponent, b.exponent);
  return [a.coefficient * power(a.exponent - exponent), b.coefficient * power(b.exponent - exponent), exponent];
}

export function add(a: Decimal, b: Decimal): Decimal {
  const [left, right, exponent] = aligned(a, b);
  return { coefficient: left + right, exponent };
}

export function subtract(a: Decimal, b: Decimal): Decimal {
  const [left, right, exponent] = aligned(a, b);
  return { coefficient: left - right, exponent };
}

export const multiply = (a: Decimal, b: Decimal): Decimal => ({
  coefficient: a.coefficient * b.coefficient,
  exponent: a.exponent + b.exponent,
});

/** Rounds half away from zero at the sixteenth digit after the point. */
export function divide(a: Decimal, b: Decimal): Decimal {
  if (b.coefficient === 0n) throw new GoError('decimal division by 0');
  const shift = a.exponent - b.exponent + QUOTIENT_DIGITS;
  const numerator = shift >= 0 ? a.coefficient * power(shift) : a.coefficient;
  const denominator = shift >= 0 ? b.coefficient : b.coefficient * power(-shift);
  const quotient = numerator / denominator;
  const rest = numerator % denominator;
  const twice = 2n * (rest < 0n ? -rest : rest);
  const up = twice >= (denominator < 0n ? -denominator : denominator);
  const sign = numerator < 0n === denominator < 0n ? 1n : -1n;
  return { coefficient: quotient + (up ? sign : 0n), exponent: -QUOTIENT_DIGITS };
}
