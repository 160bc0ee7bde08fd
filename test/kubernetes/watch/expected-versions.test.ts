/** A resource version that a call returned must be shown by the watch within 7 s, or the watch is reported. */
import t from 'tap';
import { ExpectedVersions } from '../../../src/kubernetes/watch/expected-versions.ts';
import { fakeClock } from '../../support/fake-clock.ts';

function setUp(shown: string | undefined) {
  const clock = fakeClock();
  const watch = { shown };
  const missing: number[] = [];
  const expected = new ExpectedVersions({
    clock,
    ms: 7_000,
    shown: () => watch.shown,
    onMissing: (ms) => missing.push(ms),
  });
  return { clock, watch, missing, expected };
}

t.test('a version that the watch shows in time is not reported', async (t) => {
  const { clock, watch, missing, expected } = setUp('10');
  expected.add('12');
  clock.advance(6_999);
  watch.shown = '12';
  clock.advance(60_000);
  t.strictSame(missing, []);
  t.equal(expected.isOverdue, false);
});

t.test('a missing version is reported after 7 s, and again until the watch shows it', async (t) => {
  const { clock, watch, missing, expected } = setUp('10');
  expected.add('12');
  clock.advance(6_999);
  t.strictSame(missing, []);
  clock.advance(1);
  t.equal(expected.isOverdue, true);
  clock.advance(7_000);
  watch.shown = '13';
  t.equal(expected.isOverdue, false);
  clock.advance(60_000);
  t.strictSame(missing, [7_000, 14_000]);
});

t.test('a version that was added while another one was checked is reported at most 14 s later', async (t) => {
  const { clock, watch, missing, expected } = setUp('10');
  expected.add('11');
  watch.shown = '11';
  clock.advance(1);
  expected.add('12');
  expected.add('13');
  clock.advance(13_998);
  t.strictSame(missing, []);
  clock.advance(1);
  t.strictSame(missing, [13_999]);
});

t.test('versions that the watch has shown, or before the first list, are not expected', async (t) => {
  const { clock, watch, missing, expected } = setUp('10');
  expected.add('10');
  expected.add('9');
  watch.shown = undefined;
  expected.add('12');
  clock.advance(60_000);
  t.strictSame(missing, []);
});

t.test('nothing is reported after stop', async (t) => {
  const { clock, missing, expected } = setUp('10');
  expected.add('12');
  expected.stop();
  clock.advance(60_000);
  t.strictSame(missing, []);
});
