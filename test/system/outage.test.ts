/** An outage is logged once when it begins and once when it ends, and not more often than once a minute. */
import t from 'tap';
import { type LogFields, silentLog } from '../../src/system/log.ts';
import { Outage } from '../../src/system/outage.ts';
import { fakeClock } from '../support/fake-clock.ts';

function setUp() {
  const clock = fakeClock();
  const lines: (readonly [sentence: string, fields: LogFields | undefined, level: string | undefined])[] = [];
  const log = {
    ...silentLog,
    notice: (sentence: string, fields?: LogFields, level?: string) => void lines.push([sentence, fields, level]),
  };
  const outage = new Outage(clock, log, { broken: 'no answer', meanwhile: 'jobs run', restored: 'answers again' });
  return { clock, lines, outage };
}

t.test('many failures are one line with the time of the first one; the next success is one line', async (t) => {
  const { clock, lines, outage } = setUp();
  outage.works();
  outage.failed({ name: 'jane' }, 5_000);
  clock.advance(20_000);
  outage.failed({ name: 'eve' });
  outage.works();
  outage.works();
  t.strictSame(lines, [
    ['no answer', { since: '2026-01-02T03:04:00.678Z', meanwhile: 'jobs run', name: 'jane' }, 'WARNING'],
    ['answers again', { seconds: 25 }, undefined],
  ]);
});

t.test('failures that alternate with successes are logged once a minute', async (t) => {
  const { clock, lines, outage } = setUp();
  for (let seconds = 0; seconds <= 60; seconds++) {
    outage.failed();
    outage.works();
    clock.advance(1_000);
  }
  t.strictSame(
    lines.map(([sentence]) => sentence),
    ['no answer', 'answers again', 'no answer', 'answers again'],
  );
});
