/** Frames arrive complete, however the pipe splits them; a broken one is an error. */

import fc from 'fast-check';
import t from 'tap';
import { type BuiltFrame, buildFrame, FrameReader } from '../../src/launcher/frames.ts';

const bytesOf = ({ parts }: BuiltFrame): Buffer => Buffer.concat(parts);
const frame = (body: string): Buffer => bytesOf(buildFrame([body]));

t.test('[frame-split] frames arrive complete, however the pipe splits and joins them', (t) => {
  fc.assert(
    fc.property(
      fc.array(fc.string({ unit: 'grapheme', maxLength: 300 }), { maxLength: 20 }),
      fc.array(fc.integer({ min: 1, max: 64 }), { minLength: 1 }),
      (bodies, sizes) => {
        const bytes = Buffer.concat(bodies.map(frame));
        const reader = new FrameReader(1200);
        const found: string[] = [];
        for (let from = 0, turn = 0; from < bytes.length; turn++) {
          const size = sizes[turn % sizes.length] ?? 1;
          for (const body of reader.push(bytes.subarray(from, from + size))) found.push(body.toString());
          from += size;
        }
        t.strictSame(found, bodies);
        return reader.pending === 0;
      },
    ),
    { numRuns: 200 },
  );
  t.end();
});

t.test('[frame-length] the length is big-endian and counts bytes', (t) => {
  t.strictSame([...frame('é')], [0, 0, 0, 2, 0xc3, 0xa9]);
  t.strictSame([...frame('x'.repeat(258)).subarray(0, 4)], [0, 0, 1, 2]);
  t.end();
});

t.test('[frame-oversize] a length above the limit is refused at its header; the limit itself is fine', (t) => {
  const reader = new FrameReader(5);
  t.strictSame([...reader.push(frame('12345'))].map(String), ['12345']);
  t.throws(() => [...reader.push(frame('123456').subarray(0, 4))], {
    name: 'BrokenFrameError',
    code: 'broken-frame',
    message: 'a frame of 6 bytes arrived; max-message-size allows 5',
  });
  t.end();
});

t.test('text becomes a JSON string in the frame, and a frame that was not written keeps its bytes', async (t) => {
  const texts = ['a "quoted" line\n', '\u0000'.repeat(20_000), 'x'.repeat(300_000), 'é'.repeat(3)];
  const frames = texts.map((text) => buildFrame(['{"output":', Buffer.from(text), '}']));
  for (const [index, bytes] of frames.map(bytesOf).entries()) {
    t.equal(bytes.readUInt32BE(0), bytes.length - 4);
    t.same(JSON.parse(bytes.toString('utf8', 4)), { output: texts[index] });
  }
  for (const { release } of frames) release();
});

t.test('the buffer of a frame of job output is used again after it was written', async (t) => {
  const text = Buffer.alloc(100_000, 'x');
  const [first, second] = [buildFrame([text]), buildFrame([text])];
  first.release();
  const third = buildFrame([text]);
  t.equal(third.parts[0]?.buffer, first.parts[0]?.buffer);
  t.equal(third.parts[0]?.byteOffset, first.parts[0]?.byteOffset);
  t.not(third.parts[0]?.byteOffset, second.parts[0]?.byteOffset);
  const others = [buildFrame([text]), buildFrame([text])];
  for (const { parts } of others) t.not(parts[0]?.buffer, first.parts[0]?.buffer, 'all large buffers are used');
  for (const { release } of [second, third, ...others]) release();
  t.equal(buildFrame([text]).parts[0]?.buffer, first.parts[0]?.buffer);
});

t.test('text that becomes longer than a large buffer is in a frame of its own', async (t) => {
  const text = Buffer.alloc(600_000, '"');
  const built = buildFrame(['[', text, ']']);
  const bytes = bytesOf(built);
  t.equal(bytes.length, 4 + 1 + 1_200_002 + 1);
  t.same(JSON.parse(bytes.toString('utf8', 4)), ['"'.repeat(600_000)]);
  built.release();
  const next = buildFrame(['[', Buffer.alloc(900_000, 'x'), ']']);
  t.equal(next.length, 4 + 1 + 900_002 + 1);
  next.release();
});

t.test('JSON in UTF-8 is written as it is, between text', async (t) => {
  const json = Buffer.from('"é"');
  const frame = buildFrame({ json: ['{"a":', '[', json, ',', json, ']', '}'] });
  t.same(frame.parts.map(String).slice(1), ['{"a":[', '"é"', ',', '"é"', ']}']);
  t.ok(frame.parts.includes(json), 'it is not copied');
  const bytes = bytesOf(frame);
  t.equal(frame.length, bytes.length);
  t.equal(bytes.readUInt32BE(0), bytes.length - 4);
  t.same([...bytes.subarray(4)], [...Buffer.from('{"a":["é","é"]}')]);
});
