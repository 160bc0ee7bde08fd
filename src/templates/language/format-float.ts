/** Floats in the formats of Go's strconv: `e`, `f`, `g`, `x` and `b`, exact and rounded half to even. */
import { exponentText } from '../print-form.ts';

/** Significant digits without zeros at the end, and the place of the decimal point among them: 0.DIGITS * 10^point. */
interface Digits {
  readonly digits: string;
  readonly point: number;
}

const MANTISSA_BITS = 52n;

/** The integer mantissa and the power of two of a finite float that is not negative. */
function parts(value: number): { readonly mantissa: bigint; readonly power: number } {
  const bits = new BigUint64Array(new Float64Array([value]).buffer)[0] ?? 0n;
  const exponent = Number((bits >> MANTISSA_BITS) & 0x7ffn);
  const fraction = bits & ((1n << MANTISSA_BITS) - 1n);
  if (exponent === 0) return { mantissa: fraction, power: -1074 };
  return { mantissa: fraction | (1n << MANTISSA_BITS), power: exponent - 1075 };
}

/** All digits of a float. */
function exactDigits(value: number): Digits {
  const { mantissa, power } = parts(value);
  if (mantissa === 0n) return { digits: '', point: 0 };
  const whole = power >= 0 ? mantissa << BigInt(power) : mantissa * 5n ** BigInt(-power);
  const digits = whole.toString();
  return trimmed({ digits, point: digits.length + Math.min(power, 0) });
}

const trimmed = ({ digits, point }: Digits): Digits => {
  let end = digits.length;
  while (digits[end - 1] === '0') end--;
  return end === 0 ? { digits: '', point: 0 } : { digits: digits.slice(0, end), point };
};

/** The fewest digits that read back as the same float. */
function shortestDigits(value: number): Digits {
  if (value === 0) return { digits: '', point: 0 };
  const [digits = '', exponent] = value.toExponential().split('e');
  return trimmed({ digits: digits.replace('.', ''), point: Number(exponent) + 1 });
}

/** The first `count` digits, rounded half to even. */
function rounded({ digits, point }: Digits, count: number): Digits {
  if (count >= digits.length) return { digits, point };
  if (count < 0) return { digits: '', point: 0 };
  const kept = digits.slice(0, count);
  const rest = digits.slice(count);
  const odd = Number(kept.at(-1) ?? '0') % 2 === 1;
  const up = rest[0] === '5' && rest.length === 1 ? odd : (rest[0] ?? '0') >= '5';
  if (!up) return trimmed({ digits: kept, point });
  const next = (BigInt(`1${kept}`) + 1n).toString();
  // A carry out of the first digit: 0.99 becomes 0.1 * 10.
  if (next.startsWith('2')) return trimmed({ digits: `1${next.slice(1)}`, point: point + 1 });
  return trimmed({ digits: next.slice(1), point });
}

function exponential({ digits, point }: Digits, precision: number): string {
  const fraction = digits.slice(1, 1 + precision).padEnd(precision, '0');
  const power = digits === '' ? 0 : point - 1;
  return `${digits[0] ?? '0'}${precision > 0 ? `.${fraction}` : ''}e${exponentText(power)}`;
}

function fixed({ digits, point }: Digits, precision: number): string {
  const whole = point > 0 ? digits.slice(0, point).padEnd(point, '0') : '0';
  const fraction = `${'0'.repeat(Math.min(Math.max(-point, 0), precision))}${digits.slice(Math.max(point, 0))}`;
  return precision > 0 ? `${whole}.${fraction.slice(0, precision).padEnd(precision, '0')}` : whole;
}

function general(value: number, precision: number): string {
  const shortest = precision < 0;
  const most = precision === 0 ? 1 : precision;
  const digits = shortest ? shortestDigits(value) : rounded(exactDigits(value), most);
  const count = digits.digits.length;
  const fits = count < most && count >= digits.point;
  const threshold = shortest ? 6 : fits ? count : most;
  const power = digits.point - 1;
  if (power < -4 || power >= threshold)
    return exponential(digits, Math.max(Math.min(shortest ? count : most, count) - 1, 0));
  return fixed(digits, Math.max(count - digits.point, 0));
}

/** A hexadecimal mantissa and a power of two, `0x1.8p+01`. */
function hexadecimal(value: number, precision: number): string {
  const { mantissa, power } = parts(value);
  if (mantissa === 0n) return `0x0${precision > 0 ? `.${'0'.repeat(precision)}` : ''}p+00`;
  const shift = BigInt(Number(MANTISSA_BITS) + 1 - mantissa.toString(2).length);
  let fraction = mantissa << shift;
  let exponent = power + Number(MANTISSA_BITS - shift);
  if (precision >= 0 && precision < 13) {
    const dropped = BigInt(4 * (13 - precision));
    const half = 1n << (dropped - 1n);
    const rest = fraction & ((1n << dropped) - 1n);
    fraction >>= dropped;
    if (rest > half || (rest === half && (fraction & 1n) === 1n)) fraction++;
    fraction <<= dropped;
    if (fraction >> MANTISSA_BITS === 2n) {
      fraction >>= 1n;
      exponent++;
    }
  }
  const all = (fraction & ((1n << MANTISSA_BITS) - 1n)).toString(16).padStart(13, '0');
  const digits = precision < 0 ? all.replace(/(?<!0)0+$/, '') : all.slice(0, precision).padEnd(precision, '0');
  return `0x1${digits === '' ? '' : `.${digits}`}p${exponentText(exponent)}`;
}

function binary(value: number): string {
  const { mantissa, power } = parts(value);
  return `${mantissa}p${power < 0 ? '-' : '+'}${Math.abs(power)}`;
}

/** A float that is finite and not negative in a format; a negative precision: as many digits as the value needs. */
export function floatText(value: number, format: string, precision: number): string {
  switch (format) {
    case 'e':
      if (precision < 0)
        return exponential(shortestDigits(value), Math.max(shortestDigits(value).digits.length - 1, 0));
      return exponential(rounded(exactDigits(value), precision + 1), precision);
    case 'f': {
      const exact = precision < 0 ? shortestDigits(value) : exactDigits(value);
      if (precision < 0) return fixed(exact, Math.max(exact.digits.length - exact.point, 0));
      return fixed(rounded(exact, exact.point + precision), precision);
    }
    case 'x':
      return hexadecimal(value, precision);
    case 'b':
      return binary(value);
    default:
      return general(value, precision);
  }
}
