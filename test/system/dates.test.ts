/** Dates of the protocol are read leniently and written in one form. */
import fc from 'fast-check';
import t from 'tap';
import { formatDate, parseDate } from '../../src/system/dates.ts';

t.test('[dates] written with none or six digits, read leniently', (t) => {
  t.equal(formatDate(1767323045000), '2026-01-02T03:04:05Z');
  t.equal(formatDate(1767323045500), '2026-01-02T03:04:05.500000Z');
  const read: [string, number][] = [
    ['2026-01-02T03:04:05Z', 1767323045000],
    ['2026-01-02 03:04:05', 1767323045000],
    ['2026-01-02T03:04', 1767323040000],
    ['2026-01-02', 1767312000000],
    ['2026-01-02T03:04:05.5Z', 1767323045500],
    ['2026-01-02T03:04:05.123456789Z', 1767323045123.456],
    ['2026-01-02T05:04:05+02:00', 1767323045000],
    ['2026-01-01T22:34:05-04:30', 1767323045000],
    ['2026-01-02T03:04:05Z and more', 1767323045000],
    ['2024-02-29', 1709164800000],
  ];
  for (const [text, ms] of read) t.equal(parseDate(text), ms, text);
  for (const text of [
    '',
    'x',
    '2026-02-29',
    '2026-13-01',
    '2026-00-10',
    '2026-01-02T24:00',
    '2026-01-02T03:60',
    '2026-01-02T03:04:60',
    '2026-01-02T03:04:05+0200',
    '2026-01-02T03:04:05.123+0200',
    '20260102T030405Z',
    '2026-01-02garbage',
    '2026-1-2',
    ' 2026-01-02',
  ]) {
    t.equal(parseDate(text), undefined, text);
  }
  fc.assert(
    fc.property(
      fc.date({ min: new Date('1970-01-01'), max: new Date('2200-01-01'), noInvalidDate: true }),
      (date) => parseDate(formatDate(date.getTime())) === date.getTime(),
    ),
  );
  t.end();
});
