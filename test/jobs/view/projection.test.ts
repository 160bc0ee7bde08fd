/** Times of the API are read as milliseconds. */
import fc from 'fast-check';
import t from 'tap';
import { time } from '../../../src/jobs/view/projection.ts';

t.test('times of the API are milliseconds; 1970 and malformed times are undefined', async (t) => {
  t.equal(time('2026-11-23T18:40:12Z'), 1_795_459_212_000);
  t.equal(time('2026-11-23T18:40:12.345678Z'), 1_795_459_212_345);
  t.equal(time('0050-01-01T00:00:00Z'), -60_589_296_000_000);
  t.equal(time('1970-01-01T00:00:00Z'), undefined);
  t.equal(time('soon'), undefined);
  t.equal(time(''), undefined);
  t.equal(time(null), undefined);
  fc.assert(
    fc.property(fc.date({ noInvalidDate: true }), (date) => {
      const text = date.toISOString().replace(/\.\d{3}Z$/, 'Z');
      return time(text) === (Date.parse(text) || undefined);
    }),
  );
});
