/** Go values in JavaScript: kinds, type names, truth, printed form and bytes. Expected values are what Go prints. */
import t from 'tap';
import { byteLength, compareBytes, fromBytes, joined, sliceBytes, toBytes } from '../../src/templates/bytes.ts';
import { formatFloat, printForm } from '../../src/templates/print-form.ts';
import {
  type Budget,
  Complex,
  Func,
  type GoFunction,
  GoObject,
  isTrue,
  type Kind,
  kindOf,
  Sized,
  Slice,
  TypedMap,
  toInt,
  typeName,
  type Value,
} from '../../src/templates/values.ts';

const unlimited: Budget = { step: () => {}, reserve: () => {} };
const noop: GoFunction = { name: 'f', parameters: ['int'], variadic: false, call: () => null };

const duration = new GoObject({ type: 'time.Duration', kind: 'int64', value: 1500000000n, text: '1.5s' });

t.test('kinds, type names, truth and the printed form of every kind of value', async (t) => {
  const cases: readonly [Value, Kind, string, boolean, string][] = [
    [undefined, 'invalid', '<nil>', false, '<no value>'],
    [null, 'invalid', '<nil>', false, '<nil>'],
    [true, 'bool', 'bool', true, 'true'],
    ['', 'string', 'string', false, ''],
    [1234567n, 'int', 'int', true, '1234567'],
    [0, 'float64', 'float64', false, '0'],
    [1234567, 'float64', 'float64', true, '1.234567e+06'],
    [1e20, 'float64', 'float64', true, '1e+20'],
    [100000.5, 'float64', 'float64', true, '100000.5'],
    [0.00001, 'float64', 'float64', true, '1e-05'],
    [-0.5, 'float64', 'float64', true, '-0.5'],
    [Number.NaN, 'float64', 'float64', true, 'NaN'],
    [Number.POSITIVE_INFINITY, 'float64', 'float64', true, '+Inf'],
    [new Sized('int64', 0n), 'int64', 'int64', false, '0'],
    [new Sized('uint8', 300n), 'uint8', 'uint8', true, '44'],
    [new Sized('float32', 0.1), 'float32', 'float32', true, '0.1'],
    [new Complex(1, -2), 'complex128', 'complex128', true, '(1-2i)'],
    [[1n, 'a', null, [true]], 'slice', '[]interface {}', true, '[1 a <nil> [true]]'],
    [new Slice('string', []), 'slice', '[]string', false, '[]'],
    [
      new Map<string, Value>([
        ['b', 1n],
        ['a', new Map()],
      ]),
      'map',
      'map[string]interface {}',
      true,
      'map[a:map[] b:1]',
    ],
    [new TypedMap('string', new Map([['_0', 'x']])), 'map', 'map[string]string', true, 'map[_0:x]'],
    [duration, 'int64', 'time.Duration', true, '1.5s'],
    [new Func(noop), 'func', 'func(int)', true, '0x1'],
  ];
  for (const [value, kind, type, truth, text] of cases) {
    t.equal(kindOf(value), kind);
    t.equal(typeName(value), type);
    t.equal(isTrue(value), truth, `${type} ${text}`);
    t.equal(printForm(value, unlimited), text);
  }
});

t.test('floats take an exponent from 1e6 on, or from another limit', async (t) => {
  t.equal(formatFloat(1e6), '1e+06');
  t.equal(formatFloat(1e6, 21), '1000000');
  t.equal(formatFloat(1e21, 21), '1e+21');
  t.equal(formatFloat(0.000001, 21), '1e-06');
});

t.test('ints wrap at 64 bits', async (t) => {
  t.equal(toInt(9223372036854775808n), -9223372036854775808n);
  t.equal(toInt(-1n), -1n);
});

t.test('a map that contains itself is an error, not an overflow', async (t) => {
  const map = new Map<string, Value>();
  map.set('self', map);
  t.throws(() => printForm(map, unlimited), { name: 'GoError' });
});

t.test('bytes that are not UTF-8 survive in strings', async (t) => {
  const raw = Uint8Array.of(0x61, 0xff, 0xc3, 0xa9, 0xed, 0xa0, 0x80, 0xf0, 0x9f, 0x98, 0x80, 0xc3);
  const text = fromBytes(raw);
  t.equal(text, 'a\udcffé\udced\udca0\udc80😀\udcc3');
  t.same([...toBytes(text)], [...raw]);
  t.equal(byteLength(text), 12);
  t.equal(sliceBytes('é1', 1, 3), '\udca91');
  t.equal(fromBytes(Uint8Array.of(0xef, 0xbf, 0xbd)), '\ufffd');
  t.equal(joined(['\udcc3', '\udca9'], ''), 'é');
  t.equal(joined(['\udcc3', '\udca9'], ' '), '\udcc3 \udca9');
});

t.test('strings are ordered by bytes, not by UTF-16 units', async (t) => {
  t.ok(compareBytes('\uffff', '😀') < 0);
  t.ok(compareBytes('é', '\udc80') > 0);
  t.ok(compareBytes('a', 'ab') < 0);
  t.equal(compareBytes('aé', 'aé'), 0);
});
