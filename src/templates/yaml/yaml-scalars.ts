/** Plain scalars of YAML as go-yaml v2, which Kubernetes uses, understands them. */
import { parseGoFloat, parseGoInt, plainDigits } from '../go-numbers.ts';

export type ScalarValue =
  | { readonly type: 'string' }
  | { readonly type: 'timestamp' }
  | { readonly type: 'merge' }
  | { readonly type: 'null' }
  | { readonly type: 'bool'; readonly value: boolean }
  | { readonly type: 'int'; readonly value: bigint }
  | { readonly type: 'float'; readonly value: number };

const STRING: ScalarValue = { type: 'string' };

const WORDS: ReadonlyMap<string, ScalarValue> = new Map([
  ...['', '~', 'null', 'Null', 'NULL'].map((word): [string, ScalarValue] => [word, { type: 'null' }]),
  ...cases('yes', true),
  ...cases('true', true),
  ...cases('on', true),
  ...cases('no', false),
  ...cases('false', false),
  ...cases('off', false),
  ...['y', 'Y'].map((word): [string, ScalarValue] => [word, { type: 'bool', value: true }]),
  ...['n', 'N'].map((word): [string, ScalarValue] => [word, { type: 'bool', value: false }]),
  ...['.nan', '.NaN', '.NAN'].map((word): [string, ScalarValue] => [word, { type: 'float', value: Number.NaN }]),
  ...['.inf', '.Inf', '.INF'].flatMap((word): [string, ScalarValue][] => [
    [word, { type: 'float', value: Number.POSITIVE_INFINITY }],
    [`+${word}`, { type: 'float', value: Number.POSITIVE_INFINITY }],
    [`-${word}`, { type: 'float', value: Number.NEGATIVE_INFINITY }],
  ]),
]);

function cases(word: string, value: boolean): readonly [string, ScalarValue][] {
  const title = word.slice(0, 1).toUpperCase() + word.slice(1);
  return [word, title, word.toUpperCase()].map((each) => [each, { type: 'bool', value }]);
}

const FLOAT = /^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$/;
const MAX_UINT = 2n ** 64n - 1n;
/** Longer numbers are read as floats anyway. */
const LONGEST_INT = 200;

/** The value of a scalar without quotes. */
export function resolveScalar(text: string): ScalarValue {
  if (text === '<<') return { type: 'merge' };
  const word = WORDS.get(text);
  if (word !== undefined) return word;
  const first = text.charCodeAt(0);
  const isNumeric = (first >= 48 && first <= 57) || first === 43 || first === 45;
  if (first === 46) {
    const value = parseGoFloat(text);
    return value === undefined ? STRING : { type: 'float', value };
  }
  return isNumeric ? resolveNumber(text) : STRING;
}

function resolveNumber(text: string): ScalarValue {
  if (isTimestamp(text)) return { type: 'timestamp' };
  const plain = text.replaceAll('_', '');
  if (plain.length <= LONGEST_INT) {
    const { value, problem } = parseGoInt(plain, 0);
    if (problem === undefined) return { type: 'int', value };
    const unsigned = problem === 'range' && !/^[-+]/.test(plain) ? unsignedInt(plain) : undefined;
    if (unsigned !== undefined) return { type: 'int', value: unsigned };
  }
  const value = FLOAT.test(plain) ? parseGoFloat(plain) : undefined;
  return value === undefined ? STRING : { type: 'float', value };
}

function unsignedInt(text: string): bigint | undefined {
  const base = /^0[xX]/.test(text) ? 16 : /^0[bB]/.test(text) ? 2 : /^0[oO]?/.test(text) ? 8 : 10;
  const value = plainDigits(base === 10 ? text : text.replace(/^0[xXbBoO]?/, ''), base);
  return value === undefined || value > MAX_UINT ? undefined : value;
}

const TIMESTAMP =
  /^(\d{4})-(\d{1,2})-(\d{1,2})(?:(?:[Tt](\d{1,2}):(\d{1,2}):(\d{1,2})(?:[.,]\d{1,9})?(?:Z|[-+]\d\d:\d\d))| +(\d{1,2}):(\d{1,2}):(\d{1,2})(?:[.,]\d{1,9})?)?$/;

/** A date or a time: it is read as a string, but a string that looks like one is written in quotes. */
function isTimestamp(text: string): boolean {
  const match = TIMESTAMP.exec(text);
  if (match === null) return false;
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0, ...other] = match.slice(1).map(Number);
  const [hours = 0, minutes = 0, seconds = 0] = [hour, minute, second].map((each, i) => each || other[i] || 0);
  const days = new Date(Date.UTC(2000 + (year % 400), month, 0)).getUTCDate();
  return month >= 1 && month <= 12 && day >= 1 && day <= days && hours < 24 && minutes < 60 && seconds < 60;
}

const BASE_60 = /^[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?$/;

/** Whether a string must be written in quotes, because without them it is another value (base 60 for older readers). */
export const needsQuotes = (text: string): boolean => {
  const { type } = resolveScalar(text);
  return (type !== 'string' && type !== 'merge') || BASE_60.test(text);
};
