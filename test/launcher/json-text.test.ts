/** Job output becomes the same JSON as JSON.stringify makes of it. */

import fc from 'fast-check';
import t from 'tap';
import { writeJsonText } from '../../src/launcher/json-text.ts';
import { LargeBuffers } from '../../src/system/loop-memory.ts';

t.test('[output-json] bytes become the same JSON that JSON.stringify makes of the text', async (t) => {
  const buffers = new LargeBuffers(2);
  const [largeText = Buffer.alloc(0), largeOut = Buffer.alloc(0)] = [buffers.take(), buffers.take()];
  const encoded = (text: string): string => {
    const bytes = Buffer.from(text);
    const out = Buffer.alloc(bytes.length * 6 + 5);
    const json = out.toString('utf8', 3, writeJsonText(bytes, out, 3));
    // Where loops need no copy.
    const copied = largeText.subarray(5, 5 + bytes.copy(largeText, 5));
    const end = writeJsonText(copied, largeOut, 7);
    if (end !== -1) t.equal(largeOut.toString('utf8', 7, end), json, 'in large buffers');
    return json;
  };
  const texts = fc
    .array(fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('\n', '"', '\\', '\u007f', '\ud83d\ude00')))
    .map((all) => all.join('').toWellFormed());
  fc.assert(fc.property(texts, (text) => encoded(text) === JSON.stringify(text)));
  // Long ones, in several blocks.
  const long = fc
    .tuple(texts, fc.integer({ min: 1, max: 200 }), texts)
    .map(([a, times, b]) => (a.repeat(times) + b).repeat(20));
  fc.assert(
    fc.property(long, (text) => encoded(text) === JSON.stringify(text)),
    { numRuns: 30 },
  );
  for (const length of [2_047, 2_048, 65_520, 65_535, 65_536, 65_537, 200_000]) {
    for (const end of ['x', '\n', 'é', '\u0001']) {
      const text = 'x'.repeat(length - Buffer.byteLength(end)) + end;
      t.equal(encoded(text), JSON.stringify(text), `${length} bytes`);
    }
  }
  t.equal(encoded('\u0002'.repeat(140_000)), JSON.stringify('\u0002'.repeat(140_000)));
  for (const text of ['', '\u0000'.repeat(1000), '\u001f\b\t\n\f\r', '"'.repeat(500)]) {
    t.equal(encoded(text), JSON.stringify(text));
  }
});

t.test('text that may not fit is not written to the end, and nothing after the buffer changes', async (t) => {
  const all = Buffer.alloc(100_000, '-');
  const out = all.subarray(0, 50_000);
  t.equal(writeJsonText(Buffer.alloc(40_000, '"'), out, 10), -1);
  t.equal(writeJsonText(Buffer.alloc(10_000, '"'), out, 10), 20_012);
  t.equal(writeJsonText(Buffer.alloc(45_000, 'x'), out, 10), 45_012);
  t.equal(writeJsonText(Buffer.alloc(100, '"'), out, 49_800), -1, 'a short one');
  t.equal(all.toString('latin1', 50_000), '-'.repeat(50_000));
});
