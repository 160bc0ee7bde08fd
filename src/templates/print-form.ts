/** Values as Go's fmt prints them with `%v`, and numbers in Go's formats. */
import { byteLength, compareBytes } from './bytes.ts';
import { GoError } from './contract.ts';
import { type Budget, Complex, entriesOf, Func, GoObject, itemsOf, Sized, type Value } from './values.ts';

/** Levels of lists and maps that are printed; a map that contains itself has no end. */
const DEEPEST = 256;

/** The text of a value as `print` and `{{ }}` write it; no value is `<no value>`, nil inside of a value `<nil>`. */
export function printForm(value: Value, budget: Budget): string {
  return value === undefined ? '<no value>' : printed(value, budget, 0);
}

function printed(value: Value, budget: Budget, depth: number): string {
  if (typeof value === 'string') {
    budget.reserve(byteLength(value));
    return value;
  }
  if (value === undefined || value === null) return '<nil>';
  if (typeof value === 'number') return formatFloat(value);
  if (typeof value !== 'object') return String(value);
  if (value instanceof Sized) {
    if (typeof value.value === 'bigint') return String(value.value);
    return formatFloat(shortestFloat32(value.value));
  }
  if (value instanceof Complex) return `(${formatFloat(value.real)}${signed(value.imaginary)}i)`;
  if (value instanceof GoObject) return value.text;
  if (value instanceof Func) return '0x1';
  if (depth >= DEEPEST) throw new GoError(`a value is nested deeper than ${DEEPEST} levels`);
  const items = itemsOf(value);
  const entries = entriesOf(value);
  budget.step(items?.length ?? entries?.size);
  if (items !== undefined) return `[${items.map((item) => printed(item, budget, depth + 1)).join(' ')}]`;
  const sorted = [...(entries ?? [])].sort(([a], [b]) => compareBytes(a, b));
  return `map[${sorted.map(([key, item]) => `${key}:${printed(item, budget, depth + 1)}`).join(' ')}]`;
}

const signed = (value: number): string => {
  const text = formatFloat(value);
  return /^[+-]/.test(text) ? text : `+${text}`;
};

/** A float with the fewest digits that read back, with an exponent below 1e-4 and from 1e6 up (`%v`), or from 1e21 for JSON. */
export function formatFloat(value: number, limit = 6): string {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf';
  const sign = value < 0 || Object.is(value, -0) ? '-' : '';
  const [digits = '0', exponent = '0'] = Math.abs(value).toExponential().split('e');
  const power = Number(exponent);
  if (value !== 0 && (power < -4 || power >= limit)) return `${sign}${digits}e${exponentText(power)}`;
  const plain = digits.replace('.', '');
  if (power < 0) return `${sign}0.${'0'.repeat(-power - 1)}${plain}`;
  if (plain.length <= power + 1) return `${sign}${plain.padEnd(power + 1, '0')}`;
  return `${sign}${plain.slice(0, power + 1)}.${plain.slice(power + 1)}`;
}

/** An exponent with its sign and at least two digits. */
export const exponentText = (power: number): string =>
  `${power < 0 ? '-' : '+'}${String(Math.abs(power)).padStart(2, '0')}`;

/** The float64 with the fewest digits that is this float32. */
export function shortestFloat32(value: number): number {
  for (let digits = 1; digits < 9; digits++) {
    const short = Number(value.toPrecision(digits));
    if (Math.fround(short) === value) return short;
  }
  return value;
}
