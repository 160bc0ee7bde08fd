/** A log that is read again after any cut comes once and whole: its stamps tell what was delivered. */
import fc from 'fast-check';
import t from 'tap';
import { StampedLines } from '../../../src/kubernetes/logs/lines.ts';
import { LogPosition } from '../../../src/kubernetes/logs/position.ts';
import { compareStamps, type Stamp, StampReader, sinceTime, stampText } from '../../../src/kubernetes/logs/stamps.ts';

const S1 = '2026-11-23T10:00:01.000000001Z';
const S1b = '2026-11-23T10:00:01.500000000Z';
const S2 = '2026-11-23T10:00:02.000000000Z';
const S3 = '2026-11-23T10:00:03.000000000Z';
const S4 = '2026-11-23T10:00:04.000000000Z';

/** One answer of the kubelet, in these pieces; `cut`: it did not end in order. */
function read(
  position: LogPosition,
  pieces: readonly (string | Buffer)[],
  cut = false,
): { text: string; lines: StampedLines } {
  const lines = new StampedLines(position);
  const out: Buffer[] = pieces.map((piece) => Buffer.from(lines.push(Buffer.from(piece))));
  if (!cut) out.push(lines.end());
  return { text: Buffer.concat(out).toString('latin1'), lines };
}

t.test('stamps', async (t) => {
  const at = (text: string): unknown => new StampReader(Buffer.from(text)).at(0);
  t.strictSame(at('2026-11-23T10:00:01.123456789Z hello'), {
    second: 1795428001,
    nanos: 123456789,
    length: 31,
  });
  t.strictSame(at('2026-11-23T12:00:01.5+02:00 hello'), {
    second: 1795428001,
    nanos: 500000000,
    length: 28,
  });
  t.equal(at('failed to create fsnotify watcher: too many open files'), undefined);
  t.equal(at('2026-11-23 10:00:01 a line that begins with a time'), undefined);
  t.equal(at('2026-11-23T10:00:01 '), undefined, 'without a zone');
  t.equal(at('2026-11-23T10:00:01.123456789Z\n'), undefined, 'without the blank');
  t.equal(at('2026-99-99T10:00:01.123456789Z hello'), undefined, 'no such day');
  t.equal(at('2026-11-23T10:00:01.123456789Z'), 'short');
  t.equal(at('2'), 'short');
  t.equal(at('x'), undefined);
  const stamp = (text: string): Stamp => new StampReader(Buffer.from(`${text} `)).at(0) as Stamp;
  t.ok(compareStamps(stamp(S1), stamp(S1b)) < 0);
  t.ok(compareStamps(stamp('2026-11-23T12:00:01.500000001+02:00'), stamp(S1b)) > 0, 'zones do not matter');
  t.equal(sinceTime(1795428001), '2026-11-23T10:00:01Z');
});

t.test('stamps are taken out, bytes pass as they are', async (t) => {
  const position = new LogPosition();
  const bytes = Buffer.from([0x66, 0xff, 0xfe, 0x00, 0x1b, 0x5b, 0x0d, 0x80]);
  const { text } = read(position, [
    `${S1} one\n${S1} \n`,
    Buffer.concat([Buffer.from(`${S1} `), bytes, Buffer.from('\n')]),
    `${S2} last without newline`,
  ]);
  t.equal(text, `one\n\n${bytes.toString('latin1')}\nlast without newline`);
  t.equal(position.since, undefined, 'the whole log is within the margin');
});

t.test('resume: as many of equal stamps as were delivered are dropped, and the delivered part of a line', async (t) => {
  const position = new LogPosition();
  t.equal(position.since, undefined);
  t.equal(read(position, [`${S1} a\n${S1} b\n${S1} c`], true).text, 'a\nb\nc');
  t.equal(position.since, undefined, 'its first second is read from the beginning');
  t.equal(read(position, [`${S1} a\n${S1} b\n${S1} cde\n${S1} f\n`], true).text, 'de\nf\n');
  t.equal(read(position, [`${S1} a\n${S1} b\n${S1} cde\n`], true).text, '', 'cut before anything new came');
  t.equal(read(position, [`${S1} a\n${S1} b\n${S1} cde\n${S1} f\n${S1} g`]).text, 'g');
  t.equal(read(position, [`${S1} a\n${S1} b\n${S1} cde\n${S1} f\n${S1} g`]).text, '');
});

t.test('lines that are stamped out of order are neither lost nor doubled', async (t) => {
  const position = new LogPosition();
  t.equal(read(position, [`${S1b} out\n${S1} err\n`], true).text, 'out\nerr\n');
  t.equal(read(position, [`${S1b} out\n${S1} err\n${S1} err2\n${S2} out2\n${S1b} late\n`]).text, 'err2\nout2\nlate\n');
  t.equal(
    read(position, [`${S1b} out\n${S1} err\n${S1} err2\n${S2} out2\n${S1b} late\n${S1b} later\n`]).text,
    'later\n',
  );
});

t.test('a node that has thrown away the beginning: the stamps decide, and the gap is reported', async (t) => {
  const rotated = new LogPosition();
  read(rotated, [`${S1} a\n${S2} b\n${S2} c\n`], true);
  const still = read(rotated, [`${S2} c\n${S3} d\n`], true);
  t.equal(
    still.text,
    'd\n',
    'two lines carry the stamp of the last: one of them is gone from the node, none comes twice',
  );
  t.equal(still.lines.gap, undefined);
  t.equal(read(rotated, [`${S2} c\n${S3} d\n${S4} e\n`], true).text, 'e\n', 'counted from the new beginning');

  const lost = new LogPosition();
  read(lost, [`${S1} a\n${S1} b`], true);
  const { text, lines } = read(lost, [`${S3} x\n${S3} y\n`], true);
  t.equal(text, 'x\ny\n');
  t.equal(lines.gap && stampText(lines.gap.from), S1);
  t.equal(lines.gap && stampText(lines.gap.to), S3);
  t.equal(read(lost, [`${S3} x\n${S3} y\n${S3} z\n`]).text, 'z\n');
});

t.test('what has no stamp are the words of the kubelet', async (t) => {
  const position = new LogPosition();
  const words =
    'failed to try resolving symlinks in path "/var/log/pods/x": lstat /var/log/pods/x: no such file or directory';
  const first = read(position, [`${S1} a\n`, words.slice(0, 3), `${words.slice(3)}\n`, `${S2} not taken\n`]);
  t.equal(first.text, 'a\n');
  t.equal(first.lines.errorText, `${words}\n${S2} not taken\n`);
  const short = read(position, ['20']);
  t.equal(short.lines.errorText, '20');
  t.equal(read(position, ['2026-11-'], true).lines.errorText, undefined, 'a stamp that was cut is no word');
  t.equal(read(position, [`${S1} a\n${S2} b\n`]).text, 'b\n');
});

t.test('long lines: one stamp, or one for each record of 16 KiB', async (t) => {
  const record = 'a'.repeat(16384);
  const line = `${record}${record}${'a'.repeat(7232)}`;
  const expected = `${line}\nshort\n`;
  t.equal(read(new LogPosition(), [`${S1} ${line}\n${S1b} short\n`]).text, expected);
  t.equal(
    read(new LogPosition(), [`${S1} ${record}${S1} ${record}${S1b} ${'a'.repeat(7232)}\n${S1b} short\n`]).text,
    expected,
  );
  t.equal(read(new LogPosition(), [`${S1} ${record}\n${S1} x\n`]).text, `${record}\nx\n`, 'exactly one record');
  t.equal(read(new LogPosition(), [`${S1} ${record}2026-11`]).text, `${record}2026-11`, 'nearly a stamp at the end');
  t.equal(read(new LogPosition(), [`${S2} ${record}${S1} b\n`]).text, `${record}${S1} b\n`, 'an earlier time is text');
  const position = new LogPosition();
  const all = `${S1} ${line}\n${S1b} short\n`;
  let text = '';
  for (let end = 0; end < all.length; end += 5_000) text += read(position, [all.slice(0, end)], true).text;
  text += read(position, [all]).text;
  t.equal(text, expected, 'cut every 5,000 bytes');
});

interface FileRecord {
  readonly millis: number;
  readonly bytes: Buffer;
  readonly full: boolean;
}

/** What a kubelet answers: records since `since`, a stamp where a line begins, or before each record (before 1.26). */
function answer(records: readonly FileRecord[], since: number | undefined, stampEach: boolean): Buffer {
  const parts: Buffer[] = [];
  let lineBegins = true;
  for (const { millis, bytes, full } of records) {
    const stamped = lineBegins || stampEach;
    lineBegins = full;
    if (since !== undefined && millis < since * 1000) continue;
    if (stamped) parts.push(Buffer.from(`${new Date(millis).toISOString().replace('Z', '000000Z')} `));
    parts.push(bytes);
  }
  return Buffer.concat(parts);
}

const at = (second: number): string => new Date(Date.UTC(2026, 10, 23, 10, 0, 0, second * 1000)).toISOString();
const stampAt = (second: number): string => at(second).replace('Z', '000000Z');

t.test(
  'a log is requested from the last second with output that is ten seconds older than the last line',
  async (t) => {
    const position = new LogPosition();
    read(position, [`${stampAt(1)} a\n${stampAt(4)} b\n${stampAt(13.9)} c\n`], true);
    t.equal(position.since, 1795428001);
    read(position, [`${stampAt(1)} a\n${stampAt(4)} b\n${stampAt(13.9)} c\n${stampAt(14)} d\n`], true);
    t.equal(position.since, 1795428004);
  },
);

t.test('a clock that steps back by less than the margin: the next lines are within the request', async (t) => {
  const position = new LogPosition();
  const before = `${stampAt(1)} a\n${stampAt(20)} b\n${stampAt(21)} c\n`;
  t.equal(read(position, [before], true).text, 'a\nb\nc\n');
  t.equal(position.since, 1795428001);
  t.equal(read(position, [`${before}${stampAt(12.5)} d\n`]).text, 'd\n');
});

t.test('a clock that steps back by more than the margin: the log is read from its start and counted', async (t) => {
  const position = new LogPosition();
  const before = `${stampAt(1)} a\n${stampAt(30)} b\n${stampAt(31)} c\n${stampAt(15)} d\n`;
  t.equal(read(position, [before], true).text, 'a\nb\nc\nd\n');
  t.equal(position.since, undefined);
  t.equal(read(position, [`${before}${stampAt(16)} e\n${stampAt(32)} f\n`]).text, 'e\nf\n');
  t.equal(read(position, [`${before}${stampAt(16)} e\n${stampAt(32)} f\n${stampAt(50)} g\n`]).text, 'g\n');
});

t.test('a clock that stepped back and a node that has removed the start: continues after the last line', async (t) => {
  const position = new LogPosition();
  read(position, [`${stampAt(1)} a\n${stampAt(30)} b\n${stampAt(31)} c\n${stampAt(15)} d\n`], true);
  const { text, lines } = read(position, [`${stampAt(31)} c\n${stampAt(15)} d\n${stampAt(16)} e\n`]);
  t.equal(text, 'e\n');
  t.equal(lines.gap, undefined);
});

t.test(
  'text that looks like a timestamp at a record boundary of a node without record timestamps is kept',
  async (t) => {
    const text = '2026-11-23T10:00:09Z ';
    for (const boundary of [8_192, 16_384, 32_768]) {
      const line = `${'a'.repeat(boundary)}${text}${'b'.repeat(40_000)}`;
      t.equal(read(new LogPosition(), [`${S1} ${line}\n${S1b} short\n`]).text, `${line}\nshort\n`, `${boundary} bytes`);
    }
  },
);

t.test('a node without record timestamps is known after its first long line', async (t) => {
  const position = new LogPosition();
  const first = 'a'.repeat(20_000);
  const second = `${'a'.repeat(16_384)}${S2} ${'b'.repeat(100)}`;
  t.equal(read(position, [`${S1} ${first}\n${S1b} ${second}\n`]).text, `${first}\n${second}\n`);
});

t.test('kubelets of a newer server write no record timestamps', async (t) => {
  const line = `${'a'.repeat(16_384)}${S2} ${'b'.repeat(100)}`;
  const position = new LogPosition(false);
  t.equal(read(position, [`${S1} ${line}\n`]).text, `${line}\n`);
});

t.test('parts of a line with a timestamp each, where the other stream writes between them', async (t) => {
  const answered = `${S1} out${S1b} err\n${S1b} more${S2} and more${S2} end\n${S3} next\n`;
  for (let size = 1; size <= answered.length; size++) {
    const chunks = Array.from({ length: Math.ceil(answered.length / size) }, (_, at) =>
      answered.slice(at * size, (at + 1) * size),
    );
    t.equal(read(new LogPosition(), chunks).text, 'outerr\nmoreand moreend\nnext\n', `chunks of ${size} bytes`);
  }
});

t.test('a timestamp in the text that is earlier than that of its line is kept', async (t) => {
  const text = `${S2} ${S1} a program writes times${S1} like this\n`;
  t.equal(read(new LogPosition(), [text]).text, `${S1} a program writes times${S1} like this\n`);
});

t.test('a timestamp of the next day within a line', async (t) => {
  const before = '2026-11-23T23:59:59.900000000Z';
  const after = '2026-11-24T00:00:00.100000000Z';
  t.equal(read(new LogPosition(), [`${before} out${after} err\n`]).text, 'outerr\n');
});

t.test('the date at the end of a log without newline is text', async (t) => {
  t.equal(read(new LogPosition(), [`${S1} today is 2026-11-23`]).text, 'today is 2026-11-23');
  t.equal(read(new LogPosition(), [`${S1} now is ${S1.slice(0, 20)}`]).text, `now is ${S1.slice(0, 20)}`);
});

t.test('records of 8 KiB with a timestamp each', async (t) => {
  const record = 'a'.repeat(8_192);
  const answered = `${S1} ${record}${S1} ${record}${S1b} ${record}${S1b} tail\n${S2} short\n`;
  t.equal(read(new LogPosition(), [answered]).text, `${record}${record}${record}tail\nshort\n`);
});

t.test('a long line that goes on into the next second: its tail is not taken for a line', async (t) => {
  const millisAt = (second: number): number => Date.UTC(2026, 10, 23, 10, 0, 0, second * 1000);
  const tail = Buffer.from('tail of the long line\n');
  const records: FileRecord[] = [
    { millis: millisAt(10.9), bytes: Buffer.alloc(16_384, 'x'), full: false },
    { millis: millisAt(11.05), bytes: tail, full: true },
    { millis: millisAt(11.2), bytes: Buffer.from('b\n'), full: true },
    { millis: millisAt(12), bytes: Buffer.from('c\n'), full: true },
    { millis: millisAt(13), bytes: Buffer.from('d\n'), full: true },
  ];
  const position = new LogPosition();
  read(position, [answer(records.slice(0, 4), position.since, false)], true);
  const { text, lines } = read(position, [answer(records, position.since, false)]);
  t.equal(lines.errorText, undefined);
  t.equal(text, 'd\n');
});

t.test('timestamps within lines are found wherever they are, as a search for each of them finds them', async (t) => {
  const stamp = fc
    .tuple(fc.constantFrom(23, 24), fc.nat(2))
    .map(([day, nanos]) => `2026-11-${day}T10:00:00.00000000${nanos}Z `);
  const part = fc.oneof(
    stamp,
    fc.constantFrom('2026-11-2', '2026-11-23T', '2026-11-24T10:00:00.', 'text', ''),
    fc.integer({ min: 1, max: 5_000 }).map((length) => 'a'.repeat(length)),
  );
  const line = fc.tuple(stamp, fc.array(part, { maxLength: 3 })).map(([first, parts]) => `${first}${parts.join('')}\n`);
  fc.assert(
    fc.property(fc.array(line, { maxLength: 8 }), fc.integer({ min: 100, max: 30_000 }), (log, size) => {
      const all = log.join('');
      const pieces = Array.from({ length: Math.ceil(all.length / size) }, (_, at) =>
        all.slice(at * size, (at + 1) * size),
      );
      return read(new LogPosition(), pieces).text === log.map(withoutStamps).join('');
    }),
    { numRuns: 500 },
  );
  t.pass('500 logs');
});

/** A line without its timestamp and the later ones within it. */
function withoutStamps(line: string): string {
  let last = '';
  return line.replace(/2026-11-2[34]T10:00:00\.\d{9}Z /g, (stamp) => {
    if (stamp < last) return stamp;
    last = stamp;
    return '';
  });
}

t.test('short lines are counted as all others: a log with a removed start continues after the same line', async (t) => {
  const line = fc.tuple(fc.constantFrom(1, 2), fc.constantFrom(1, 2, 3), fc.constantFrom('a', 'b'.repeat(9_000)));
  fc.assert(
    fc.property(fc.array(line, { minLength: 1, maxLength: 20 }), fc.nat(20), fc.nat(20), (all, delivered, removed) => {
      const log = all.map(([second, nanos, text]) => `2026-11-23T10:00:0${second}.00000000${nanos}Z ${text}\n`);
      // Without record timestamps short lines take the short path.
      const [short, usual] = [new LogPosition(false), new LogPosition(true)].map((position) => {
        read(position, [log.slice(0, delivered).join('')], true);
        const { text, lines } = read(position, [log.slice(removed).join('')]);
        return { text, gap: lines.gap, isComplete: lines.isComplete, since: position.since, last: position.last };
      });
      return JSON.stringify(short) === JSON.stringify(usual);
    }),
    { numRuns: 300 },
  );
  t.pass('300 logs');
});

t.test('any log, cut anywhere, any number of times, arrives once and complete', async (t) => {
  const record = fc.record({
    // Two readers write the timestamps nearly in order; clocks step back.
    pause: fc.oneof(
      { weight: 4, arbitrary: fc.constant(0) },
      { weight: 8, arbitrary: fc.integer({ min: -3, max: 400 }) },
      { weight: 3, arbitrary: fc.integer({ min: -1_500, max: 1_500 }) },
      { weight: 2, arbitrary: fc.integer({ min: -9_000, max: 20_000 }) },
    ),
    body: fc.oneof(
      {
        weight: 6,
        arbitrary: fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes).map((b) => (b === 10 ? 11 : b))),
      },
      { weight: 1, arbitrary: fc.integer({ min: 1, max: 40_000 }).map((length) => Buffer.alloc(length, 'x')) },
    ),
  });
  fc.assert(
    fc.property(
      fc.array(record, { minLength: 1, maxLength: 30 }),
      fc.boolean(),
      fc.array(fc.tuple(fc.nat(60_000), fc.nat(100), fc.integer({ min: 1, max: 5_000 })), { maxLength: 12 }),
      fc.boolean(),
      fc.constantFrom(8_192, 16_384),
      // Does the version of the server show that its kubelets write no record timestamps?
      fc.boolean(),
      (lines, lastHasNewline, cuts, stampEach, recordBytes, isKnown) => {
        const records: FileRecord[] = [];
        let millis = Date.UTC(2026, 10, 23, 10);
        let newest = millis;
        lines.forEach(({ pause, body }, index) => {
          // Within the margin, which also holds for lines that were not seen before a connection was lost.
          millis = Math.max(millis + pause, newest - 9_000);
          newest = Math.max(newest, millis);
          const last = index === lines.length - 1;
          const whole = last && !lastHasNewline ? body : Buffer.concat([body, Buffer.from('\n')]);
          for (let start = 0; start < Math.max(1, body.length); start += recordBytes) {
            const end = start + recordBytes >= body.length ? whole.length : start + recordBytes;
            records.push({ millis, bytes: Buffer.from(whole.subarray(start, end)), full: end === whole.length });
          }
        });
        const expected = Buffer.concat(records.map(({ bytes }) => bytes));
        const position = new LogPosition(stampEach || !isKnown);
        const got: Buffer[] = [];
        // The file grows from reading to reading.
        cuts.forEach(([cut, grown, piece], index) => {
          const written = Math.ceil((records.length * (index + 1) * grown) / 100 / cuts.length);
          const whole = answer(records.slice(0, written), position.since, stampEach);
          const part = whole.subarray(0, cut);
          const reader = new StampedLines(position);
          for (let start = 0; start < part.length; start += piece)
            got.push(Buffer.from(reader.push(part.subarray(start, start + piece))));
          if (part.length === whole.length) got.push(reader.end());
        });
        const reader = new StampedLines(position);
        got.push(reader.push(answer(records, position.since, stampEach)), reader.end());
        return reader.errorText === undefined && Buffer.concat(got).equals(expected);
      },
    ),
    { numRuns: 500 },
  );
  t.pass('500 logs');
});
