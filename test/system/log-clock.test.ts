/** The log file when the clock of the host is wrong for a moment: old logs stay. */
import { existsSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { openLogFile } from '../../src/system/log-file.ts';
import { fakeClock } from '../support/fake-clock.ts';

const DAY = 86_400_000;
const NOON = Date.UTC(2026, 0, 2, 12);

t.test('a clock that jumps a year ahead, and back', async (t) => {
  const directory = t.testdir();
  const file = (name: string): string => join(directory, `plugin${name}.log`);
  const touch = (name: string, time: number): void => utimesSync(file(name), time / 1000, time / 1000);
  const clock = fakeClock(NOON);
  let ahead = 0;
  const now = (): number => clock.now() + ahead;
  const sink = openLogFile({ directory, program: 'plugin', clock: { ...clock, now } });
  /** The system gives the file the time of its clock. */
  const write = (line: string): void => {
    sink.write(`${new Date(now()).toISOString()} ${line}`);
    touch('', now());
  };
  for (const [name, age] of [
    ['.1', 1],
    ['.2', 29],
    ['.3', 30],
  ] as const) {
    writeFileSync(file(name), `${age} days old\n`);
    touch(name, NOON - age * DAY);
  }
  write('before');
  clock.advance(DAY / 2);
  ahead = 365 * DAY;
  write('ahead');
  ahead = 0;
  write('back');
  t.equal(readFileSync(file('.1'), 'utf8'), '2026-01-02T12:00:00.000Z before\n', 'it was due by that clock');
  t.equal(readFileSync(file('.2'), 'utf8'), '1 days old\n');
  t.equal(readFileSync(file('.3'), 'utf8'), '29 days old\n');
  t.equal(readFileSync(file('.4'), 'utf8'), '30 days old\n');

  write('x'.repeat(1_999_900));
  write('x'.repeat(1_999_900));
  t.equal(readFileSync(file('.4'), 'utf8'), '29 days old\n', 'half a day later');
  t.notOk(existsSync(file('.5')), 'what is old by the right clock goes');
  sink.close();
});
