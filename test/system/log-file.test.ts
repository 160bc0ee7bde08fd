/** The log file has bounds in size, age and number, follows whoever moves it away, and leads nowhere else. */
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { openLogFile } from '../../src/system/log-file.ts';
import { fakeClock } from '../support/fake-clock.ts';

const PROGRAM = 'rstudio-kubernetes-launcher';
const NOON = Date.UTC(2026, 0, 2, 12);

t.test('the file', async (t) => {
  const directory = t.testdir();
  const clock = fakeClock(NOON);
  const file = join(directory, `${PROGRAM}.log`);
  const old = (index: number): string => join(directory, `${PROGRAM}.${index}.log`);
  const stamp = (): string => `${new Date(clock.now()).toISOString()} line`;

  let sink = openLogFile({ directory, program: PROGRAM, clock });
  t.equal(statSync(file).mode & 0o777, 0o600);
  sink.write(`${stamp()} first`);
  clock.advance(86_400_000 - 1);
  sink.write(`${stamp()} last of the day`);
  t.notOk(existsSync(old(1)));
  sink.close();
  sink = openLogFile({ directory, program: PROGRAM, clock });
  clock.advance(1);
  sink.write(`${stamp()} next day`);
  t.equal(
    readFileSync(old(1), 'utf8'),
    '2026-01-02T12:00:00.000Z line first\n2026-01-03T11:59:59.999Z line last of the day\n',
    'a day old, counted from its first line, restarts included',
  );
  t.equal(readFileSync(file, 'utf8'), '2026-01-03T12:00:00.000Z line next day\n');

  const large = 'x'.repeat(999_990);
  sink.write(large);
  sink.write(large);
  t.equal(statSync(file).size, 999_991, 'two of them and the first line would be 2,000,000 bytes and more');
  t.equal(statSync(old(1)).size, 999_991 + 39);
  t.match(readFileSync(old(2), 'utf8'), 'first');

  renameSync(file, join(directory, 'moved-by-logrotate'));
  sink.write('within a second');
  t.match(readFileSync(join(directory, 'moved-by-logrotate'), 'utf8'), /\nwithin a second\n$/);
  clock.advance(1_000);
  sink.write('after the move');
  t.equal(readFileSync(file, 'utf8'), 'after the move\n');

  for (let i = 1; i <= 100; i++) writeFileSync(old(i), `old ${i}`);
  for (let i = 1; i <= 100; i++) utimesSync(old(i), clock.now() / 1000, clock.now() / 1000);
  const expired = (clock.now() - 30 * 86_400_000 - 1) / 1000;
  utimesSync(old(50), expired, expired);
  writeFileSync(join(directory, `${PROGRAM}.x.log`), 'not ours');
  clock.advance(86_400_000);
  sink.write(stamp());
  const names = readdirSync(directory);
  t.notOk(names.includes(`${PROGRAM}.101.log`), 'at most 100');
  t.equal(readFileSync(old(1), 'utf8'), 'after the move\n');
  t.equal(readFileSync(old(2), 'utf8'), 'old 1');
  t.equal(readFileSync(old(100), 'utf8'), 'old 99');
  t.notOk(existsSync(old(51)), 'older than 30 days');
  t.equal(readFileSync(join(directory, `${PROGRAM}.x.log`), 'utf8'), 'not ours');
  sink.close();
});

t.test('traps in place of the file', async (t) => {
  const directory = t.testdir({ target: 'precious' });
  const open = (): unknown => openLogFile({ directory, program: 'trap', clock: fakeClock() });
  symlinkSync(join(directory, 'target'), join(directory, 'trap.log'));
  t.throws(open, { code: 'ELOOP' });
  t.equal(readFileSync(join(directory, 'target'), 'utf8'), 'precious');
  renameSync(join(directory, 'trap.log'), join(directory, 'link'));
  mkdirSync(join(directory, 'trap.log'));
  t.throws(open, { code: 'EISDIR' });
});
