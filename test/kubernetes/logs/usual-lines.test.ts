/** Many usual lines at a time are what the same lines are one by one: the same text, position and gaps. */
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import t from 'tap';
import { StampedLines } from '../../../src/kubernetes/logs/lines.ts';
import { LogPosition } from '../../../src/kubernetes/logs/position.ts';
import { UsualLines } from '../../../src/kubernetes/logs/usual-lines.ts';
import { LargeBuffers } from '../../../src/system/loop-memory.ts';

/** Less than what is given to the loop. */
const ONE_BY_ONE = 1_000;
const TOGETHER = 300_000;

const stamp = (second: number, nanos: number): string =>
  `2026-11-23T10:00:${String(second).padStart(2, '0')}.${String(nanos).padStart(9, '0')}Z `;

/** Where the loop needs no copy, and its output is written over its input. */
const large = new LargeBuffers(1).take() ?? Buffer.alloc(0);

function toLarge(bytes: Buffer): Buffer {
  return large.subarray(0, bytes.copy(large));
}

/** Reads an answer in pieces, and then another one with the same position: it shows what was counted. */
function readTwice(
  first: Buffer,
  second: Buffer,
  piece: number,
  copy: (bytes: Buffer) => Buffer = Buffer.from,
): Record<string, unknown> {
  const position = new LogPosition(false);
  const texts = [first, second].map((answer) => {
    const lines = new StampedLines(position);
    const texts: string[] = [];
    for (let at = 0; at < answer.length; at += piece)
      texts.push(lines.push(copy(answer.subarray(at, at + piece))).toString('latin1'));
    const { gap, isComplete, hasOutput, errorText } = lines;
    const { since, last, isInLine } = position;
    return {
      text: texts.join(''),
      gap,
      isComplete,
      hasOutput,
      isError: errorText !== undefined,
      since,
      last,
      isInLine,
    };
  });
  return { texts };
}

t.test('usual lines are moved without their timestamps, and counted', async (t) => {
  const position = new LogPosition(false);
  position.begin({ second: 1795428001, nanos: 5 });
  position.complete(false);
  const lines = [5, 5, 6, 7, 7, 7].map((nanos) => `${stamp(1, nanos)}${'x'.repeat(300)}\n`);
  const bytes = Buffer.from(`before${lines.join('')}${stamp(2, 0)}${'y'.repeat(100)}\n`);
  const usual = new UsualLines();
  t.same(usual.take(bytes, 6, 0, position), { read: 6 + 6 * 332, written: 6 * 301 });
  t.equal(bytes.toString('latin1', 0, 6 * 301), `${'x'.repeat(300)}\n`.repeat(6));
  t.same(position.last, { second: 1795428001, nanos: 7 });
  t.equal(usual.take(bytes, 6 + 6 * 332, 0, position), undefined, 'few bytes');
  const all = Buffer.from(`${stamp(1, 5)}a\n${lines.join('')}`);
  const lost = new StampedLines(position);
  t.equal(lost.push(all).length, 0, 'seven lines were counted');
  t.equal(lost.isComplete, true);
});

t.test('lines of one read are the same as lines in small reads', async (t) => {
  const text = fc.oneof(
    {
      weight: 8,
      arbitrary: fc.uint8Array({ maxLength: 200 }).map((all) => Buffer.from(all).map((b) => b ^ +(b === 10))),
    },
    { weight: 2, arbitrary: fc.integer({ min: 0, max: 64 }).map((length) => Buffer.alloc(length, '\r')) },
    { weight: 1, arbitrary: fc.integer({ min: 8_150, max: 8_210 }).map((length) => Buffer.alloc(length, 'y')) },
    { weight: 1, arbitrary: fc.constantFrom(stamp(1, 1), stamp(2, 2).slice(0, 25)).map((all) => Buffer.from(all)) },
  );
  const run = fc.record({
    second: fc.constantFrom(1, 1, 1, 2, 3, 30),
    nanos: fc.array(fc.oneof(fc.constantFrom(1, 2, 999_999_999), fc.nat(999_999_999)), { minLength: 1, maxLength: 4 }),
    texts: fc.array(text, { minLength: 1, maxLength: 12 }),
    times: fc.integer({ min: 1, max: 12 }),
    head: fc.constantFrom(
      undefined,
      undefined,
      undefined,
      undefined,
      '2026-11-23T12:00:01.000000001+02:00 ',
      '2026-11-23T10:00:01.5Z ',
    ),
  });
  const log = fc.array(run, { minLength: 1, maxLength: 8 }).map((runs) =>
    runs.flatMap(({ second, nanos, texts, times, head }) =>
      Array.from({ length: times }, (_, time) =>
        texts.map((text, at) => {
          const usual = stamp(second, nanos[(at + time) % nanos.length] ?? 0);
          return Buffer.concat([Buffer.from(at === 0 ? (head ?? usual) : usual), text, Buffer.from('\n')]);
        }),
      ).flat(),
    ),
  );
  let together = 0;
  const same = fc.property(log, fc.nat(100), fc.nat(50), fc.nat(40), (lines, delivered, removed, cut) => {
    const first = Buffer.concat(lines.slice(0, Math.ceil((lines.length * delivered) / 100)));
    const second = Buffer.concat(lines.slice(Math.floor((lines.length * removed) / 100)));
    const begun = first.subarray(0, Math.max(0, first.length - cut));
    const one = readTwice(begun, second, ONE_BY_ONE);
    if (second.length > 4_000) together++;
    return (
      isDeepStrictEqual(readTwice(begun, second, TOGETHER), one) &&
      isDeepStrictEqual(readTwice(begun, second, TOGETHER, toLarge), one) &&
      isDeepStrictEqual(readTwice(begun, second, 3_000 + cut, toLarge), one)
    );
  });
  fc.assert(same, { numRuns: 400 });
  // Its logs have seconds that step back, and the line before the first new one is of another second than the last delivered one.
  fc.assert(same, { numRuns: 400, seed: -1561719649 });
  t.ok(together > 200, `${together} logs were long enough`);
});
