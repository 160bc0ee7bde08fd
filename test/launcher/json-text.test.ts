/** Job output becomes the same JSON as JSON.stringify makes of it. */

import fc from 'fast-check';
import t from 'tap';
import { writeJsonText } from '../../src/launcher/json-text.ts';

t.test('[output-json] bytes become the same JSON that JSON.stringify makes of the text', async (t) => {
  const encoded = (text: string): string => {
    const bytes = Buffer.from(text);
    const out = Buffer.alloc(bytes.length * 6 + 5);
    return out.toString('utf8', 3, writeJsonText(bytes, out, 3));
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
