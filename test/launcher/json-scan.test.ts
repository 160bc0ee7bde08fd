/** Size, request id and user of a message, read from its bytes. */
import fc from 'fast-check';
import t from 'tap';
import { scanJson } from '../../src/launcher/json-scan.ts';

const scan = (json: string) => scanJson(Buffer.from(json));

t.test('values are counted as JSON counts them', (t) => {
  const excess = 'it holds more than 100000 values';
  const list = (values: number, value: string): string => `[${Array(values).fill(value).join(' , ')}]`;
  for (const value of ['0', 'null', '"a,b"', '[]', '{ }', String.raw`"\",\\"`]) {
    t.equal(scan(list(99_999, value)).excess, undefined, value);
    t.equal(scan(list(100_000, value)).excess, excess, value);
  }
  for (const value of ['[0]', '{"a":[ ]}', '{"":","}']) {
    t.equal(scan(list(49_999, value)).excess, undefined, value);
    t.equal(scan(list(50_000, value)).excess, excess, value);
  }
  t.end();
});

t.test('different names of fields are counted, and the same ones once', (t) => {
  const excess = 'it holds more than 10000 different names of fields';
  const fields = (count: number, colon = ':'): readonly string[] =>
    Array.from({ length: count }, (_, index) => `"name ${index}"${colon}"a: b"`);
  const shapes: readonly (readonly [string, (count: number) => string])[] = [
    ['in one object', (count) => `{${fields(count).join()}}`],
    ['with whitespace', (count) => `{${fields(count, ' \n: ').join()}}`],
    ['in an object each', (count) => `[${fields(count).map((field) => `{${field}}`)}]`],
    [
      'twenty in an object',
      (count) =>
        `[${fields(count).map((field, i) => (i % 20 === 0 ? `{${field}` : i % 20 === 19 ? `${field}}` : field))}]`,
    ],
  ];
  for (const [title, shape] of shapes) {
    t.equal(scan(shape(10_000)).excess, undefined, title);
    t.equal(scan(shape(12_000)).excess, excess, title);
  }
  const same = Array.from({ length: 20_000 }, (_, index) => `{"name":"v${index}","value":"name: ${index}"}`);
  t.equal(scan(`[${same}]`).excess, undefined);
  t.equal(
    scan(`[${Array.from({ length: 50_000 }, (_, index) => `"${index}:"`)}]`).excess,
    undefined,
    'strings of a list',
  );
  t.end();
});

t.test('64 levels are possible, brackets in strings are none', (t) => {
  const nested = (levels: number): string => `${'[{"a":'.repeat(levels / 2)}"[[["${'}]'.repeat(levels / 2)}`;
  t.equal(scan(nested(64)).excess, undefined);
  t.equal(scan(nested(66)).excess, 'it is nested deeper than 64 levels');
  t.end();
});

t.test('the request id is the last one of the outermost object', (t) => {
  const cases: readonly (readonly [string, string | undefined])[] = [
    ['{"requestId":7}', '7'],
    ['{ "requestId" : -1.5e+3 }', '-1.5e+3'],
    ['{"requestId":1,"requestId":2,"a":3}', '2'],
    ['{"requestId":1,"requestId":"2"}', undefined],
    [String.raw`{"request\u0049d":5}`, '5'],
    [String.raw`{"requestId\\":5}`, undefined],
    ['{"a":{"requestId":1},"b":["requestId",2],"c":"requestId","d":3}', undefined],
    ['{"requestId":[1]}', undefined],
    ['{"requestId":null,"a":1}', undefined],
    ['[{"requestId":1}]', undefined],
    ['"', undefined],
    ['{"requestId', undefined],
  ];
  for (const [json, id] of cases) t.equal(scan(json).requestId, id, json);
  t.end();
});

t.test('the request id of any object is the one that JSON.parse reads', (t) => {
  const key = fc.constantFrom('requestId', 'a', '"', '\\', 'requestId"', '\u2028');
  fc.assert(
    fc.property(fc.dictionary(key, fc.oneof(fc.integer(), fc.jsonValue())), fc.constantFrom(0, 2), (object, space) => {
      const id = object['requestId'];
      const { excess, requestId } = scan(JSON.stringify(object, null, space));
      t.equal(excess, undefined);
      if (typeof id === 'number') t.equal(Number(requestId), id);
      else t.equal(requestId, undefined);
    }),
  );
  t.end();
});

t.test('the user is the last string of the outermost object under this name', (t) => {
  const cases: readonly (readonly [string, string])[] = [
    ['{"username":"alice"}', 'alice'],
    ['{ "username" : "a\\"\\u00e9 b" }', 'a"é b'],
    ['{"username":"a","username":"b","c":"d"}', 'b'],
    ['{"username":"a","username":1,"c":"d"}', ''],
    ['{"username":["a"],"c":"d"}', ''],
    ['{"job":{"username":"a"},"c":"username","d":"e"}', ''],
    [`{"username":"${'x'.repeat(4_094)}"}`, 'x'.repeat(4_094)],
    [`{"username":"${'x'.repeat(5_000)}"}`, ''],
  ];
  for (const [json, user] of cases) t.equal(scan(json).username, user, json.slice(0, 60));
  t.end();
});
