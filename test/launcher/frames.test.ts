/** Frames arrive complete, however the pipe splits them; a broken one is an error. */

import fc from 'fast-check';
import t from 'tap';
import { FrameReader, frame } from '../../src/launcher/frames.ts';

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
