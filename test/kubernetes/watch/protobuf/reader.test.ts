/** Of bytes, the fields of a table are read to the value and all others jumped over; what is broken is an error. */
import t from 'tap';
import { type Message, ProtobufReader } from '../../../../src/kubernetes/watch/protobuf/reader.ts';

const field = (number: number, wireType: number, ...bytes: number[]): number[] => [number * 8 + wireType, ...bytes];
const nested = (number: number, bytes: readonly number[]): number[] =>
  field(
    number,
    2,
    ...(bytes.length < 128 ? [bytes.length] : [128 | (bytes.length & 127), bytes.length >> 7]),
    ...bytes,
  );
const text = (value: string): number[] => [...Buffer.from(value)];

/** `1 name text`, `2 count number`, `3 inner` (the same again), `4 labels map`, `5 at time`; anything else is not listed. */
function table(reportsUnlisted = false): Message {
  const plain = { repeated: false, zero: false, message: { fields: [], reportsUnlisted: false } };
  const entry = [undefined, { ...plain, name: 'key', kind: 'text' as const }];
  const fields: Message['fields'][number][] = [
    undefined,
    { ...plain, name: 'name', kind: 'text' },
    { ...plain, name: 'count', kind: 'number' },
  ];
  const message: Message = { fields, reportsUnlisted };
  fields.push({ ...plain, name: 'inner', kind: 'message', message });
  fields.push({ ...plain, name: 'labels', kind: 'map', message: { fields: entry, reportsUnlisted: false } });
  fields.push({ ...plain, name: 'at', kind: 'time' });
  return message;
}

t.test('given fields of every wire type that are not in the table, they are skipped', async (t) => {
  const bytes = [
    // Field 100: its tag takes two bytes.
    ...[0xa0, 0x06, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
    ...field(9, 0, 5),
    ...field(9, 1, 1, 2, 3, 4, 5, 6, 7, 8),
    ...field(9, 5, 1, 2, 3, 4),
    ...nested(9, text('not read')),
    ...nested(1, text('read é')),
  ];
  t.strictSame(new ProtobufReader().read(Buffer.from(bytes), table()), { name: 'read é' });
});

t.test('given numbers of every size, they are those that JSON.parse gives', async (t) => {
  const NUMBERS: readonly (readonly [number[], number])[] = [
    [[1], 1],
    [[0x80, 0x01], 128],
    [[0xff, 0xff, 0xff, 0xff, 0x07], 2147483647],
    [[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f], 9007199254740991],
    [[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f], 9223372036854776000],
    [[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01], -1],
    [[0x80, 0x80, 0x80, 0x80, 0xf8, 0xff, 0xff, 0xff, 0xff, 0x01], -2147483648],
  ];
  for (const [bytes, count] of NUMBERS) {
    t.strictSame(new ProtobufReader().read(Buffer.from(field(2, 0, ...bytes)), table()), { count });
  }
});

t.test('given the same strings again and others of the same length, none is taken for another', async (t) => {
  const reader = new ProtobufReader();
  // As UTF-8, the second is what the first is as Latin-1.
  for (const name of ['\u00c3\u00a9', '\u00e9', 'True', 'Trua', 'True', 'x'.repeat(50), 'x'.repeat(50), '\ufffd']) {
    t.strictSame(reader.read(Buffer.from(nested(1, text(name))), table()), { name });
  }
  t.strictSame(
    reader.read(Buffer.from(nested(1, [0x61, 0xff])), table()),
    { name: 'a\ufffd' },
    'bytes that are no UTF-8',
  );
});

t.test('given a key that is __proto__, it is a key', async (t) => {
  const bytes = Buffer.from(nested(4, nested(1, text('__proto__'))));
  const { labels } = new ProtobufReader().read(bytes, table()) as { labels: object };
  t.strictSame(Object.entries(labels), [['__proto__', '']]);
  t.equal(Object.getPrototypeOf(labels), Object.prototype);
});

t.test('given times, they are strings; beyond the calendar, the error says so', async (t) => {
  const read = (bytes: number[]) => new ProtobufReader().read(Buffer.from(nested(5, bytes)), table());
  t.strictSame(read([]), {}, 'no bytes: no time');
  t.strictSame(read(field(1, 0, 0)), { at: '1970-01-01T00:00:00Z' });
  t.strictSame(read([...field(1, 0, 0xff, 0xff, 0xff, 0xff, 0x07), ...field(2, 0, 99)]), {
    at: '2038-01-19T03:14:07Z',
  });
  const late = field(1, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f);
  t.throws(() => read(late), { name: 'ProtobufError', code: 'protobuf-wire-type' });
});

t.test('given bytes that are not well made, the error says why', async (t) => {
  let deep = nested(1, text('deepest'));
  for (let depth = 0; depth < 33; depth++) deep = nested(3, deep);
  const LIMITS: readonly (readonly [string, number[], string])[] = [
    ['a text longer than the message', field(1, 2, 5, 1, 2), 'protobuf-length'],
    ['a message longer than the one around it', [...nested(3, field(1, 2, 4, 65, 65)), 65, 65], 'protobuf-length'],
    ['a length of 2^63', field(9, 2, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01), 'protobuf-length'],
    ['the end within a number', field(2, 0, 0x80), 'protobuf-length'],
    ['the end within a tag', [0x80], 'protobuf-length'],
    ['a jump over the end', field(9, 1, 1, 2, 3), 'protobuf-length'],
    ['a number of eleven bytes', field(2, 0, ...Array.from({ length: 10 }, () => 0xff), 1), 'protobuf-length'],
    ['34 objects in each other', deep, 'protobuf-depth'],
    ['a group', field(9, 3), 'protobuf-wire-type'],
    ['wire type 7', field(9, 7), 'protobuf-wire-type'],
    ['a text where the table has a number', nested(2, text('7')), 'protobuf-wire-type'],
    ['a number where the table has a text', field(1, 0, 7), 'protobuf-wire-type'],
  ];
  for (const [what, bytes, code] of LIMITS) {
    t.throws(() => new ProtobufReader().read(Buffer.from(bytes), table()), { name: 'ProtobufError', code }, what);
  }
  t.strictSame(new ProtobufReader().read(Buffer.from(field(9, 0, 1)), table(true)), { field9: {} });
  t.strictSame(new ProtobufReader().read(Buffer.from(deep.slice(2)), table()).constructor, Object, '33 are read');
});
