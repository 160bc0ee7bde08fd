/** Ages and times are printed as kubectl prints them. */
import t from 'tap';
import { ageText, clockText, parseAge, whenText } from '../../src/cli/age.ts';

const SECOND = 1_000;
const HOUR = 3_600_000;

t.test('an age has the unit of kubectl, up to the last value of each unit', async (t) => {
  const ages = [-5, 0, 1.9, 119, 120, 7_199, 7_200, 172_799, 172_800].map((seconds) => ageText(seconds * SECOND));
  t.same(ages, ['0s', '0s', '1s', '119s', '2m', '119m', '2h', '47h', '2d']);
});

t.test('an age is parsed with one unit', async (t) => {
  t.same(['90s', '15m', '2h', '7d'].map(parseAge), [90_000, 900_000, 7_200_000, 604_800_000]);
  t.same(['', '5', 's', '1.5h', '1w', '1234567s', '-1s', '2h30m'].map(parseAge), Array(8).fill(undefined));
});

t.test('a point in time has no fraction and its age', async (t) => {
  const at = Date.UTC(2026, 0, 2, 3, 4, 5, 678);
  t.equal(whenText(at, at + 20 * SECOND), '2026-01-02T03:04:05Z (20s ago)');
});

t.test('a clock time has its date on another day', async (t) => {
  const now = Date.UTC(2026, 0, 2, 23, 0, 0);
  t.equal(clockText('2026-01-02T03:04:05.999Z', now), '03:04:05Z');
  t.equal(clockText('2026-01-02T03:04:05Z', now + HOUR), '2026-01-02T03:04:05Z');
  t.equal(clockText('no time', now), undefined);
});
