/** The log file: limits of size, age and number, other programs that move it, and files and directories of other users. */
import fs, {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';
import t from 'tap';
import { openLogFile } from '../../src/system/log-file.ts';
import type { LogSink } from '../../src/system/logger.ts';
import { fakeClock } from '../support/fake-clock.ts';

const PROGRAM = 'rstudio-kubernetes-launcher';
const DAY = 86_400_000;
const NOON = Date.UTC(2026, 0, 2, 12);

t.test('rotates by size and age, follows a file that is moved away, deletes old files', async (t) => {
  const directory = t.testdir();
  const clock = fakeClock(NOON);
  const file = join(directory, `${PROGRAM}.log`);
  const old = (index: number): string => join(directory, `${PROGRAM}.${index}.log`);
  const stamp = (): string => `${new Date(clock.now()).toISOString()} line`;

  let sink = openLogFile({ directory, program: PROGRAM, clock });
  t.equal(statSync(file).mode & 0o777, 0o600);
  sink.write([`${stamp()} first`], 'INFO');
  clock.advance(86_400_000 - 1);
  sink.write([`${stamp()} last of the day`], 'INFO');
  t.notOk(existsSync(old(1)));
  sink.close();
  sink = openLogFile({ directory, program: PROGRAM, clock });
  clock.advance(1);
  sink.write([`${stamp()} next day`], 'INFO');
  t.equal(
    readFileSync(old(1), 'utf8'),
    '2026-01-02T12:00:00.000Z line first\n2026-01-03T11:59:59.999Z line last of the day\n',
    'a day old, counted from its first line, restarts included',
  );
  t.equal(readFileSync(file, 'utf8'), '2026-01-03T12:00:00.000Z line next day\n');

  const large = 'x'.repeat(999_990);
  sink.write([large], 'INFO');
  sink.write([large], 'INFO');
  t.equal(statSync(file).size, 999_991, 'two of them and the first line would be 2,000,000 bytes and more');
  t.equal(statSync(old(1)).size, 999_991 + 39);
  t.match(readFileSync(old(2), 'utf8'), 'first');

  renameSync(file, join(directory, 'moved-by-logrotate'));
  sink.write(['within a second'], 'INFO');
  t.match(readFileSync(join(directory, 'moved-by-logrotate'), 'utf8'), /\nwithin a second\n$/);
  clock.advance(1_000);
  sink.write(['after the move'], 'INFO');
  t.equal(readFileSync(file, 'utf8'), 'after the move\n');

  for (let i = 1; i <= 100; i++) writeFileSync(old(i), `old ${i}`);
  for (let i = 1; i <= 100; i++) utimesSync(old(i), clock.now() / 1000, clock.now() / 1000);
  const expired = (clock.now() - 30 * 86_400_000 - 1) / 1000;
  utimesSync(old(50), expired, expired);
  writeFileSync(join(directory, `${PROGRAM}.x.log`), 'not ours');
  clock.advance(86_400_000);
  sink.write([stamp()], 'INFO');
  const names = readdirSync(directory);
  t.notOk(names.includes(`${PROGRAM}.101.log`), 'at most 100');
  t.equal(readFileSync(old(1), 'utf8'), 'after the move\n');
  t.equal(readFileSync(old(2), 'utf8'), 'old 1');
  t.equal(readFileSync(old(100), 'utf8'), 'old 99');
  t.notOk(existsSync(old(51)), 'older than 30 days');
  t.equal(readFileSync(join(directory, `${PROGRAM}.x.log`), 'utf8'), 'not ours');
  sink.close();
});

const open = (directory: string): LogSink => openLogFile({ directory, program: 'trap', clock: fakeClock() });

t.test('a symbolic link in place of the file is not followed', async (t) => {
  const directory = t.testdir({ target: 'precious' });
  symlinkSync(join(directory, 'target'), join(directory, 'trap.log'));
  t.throws(() => open(directory), { code: 'ELOOP' });
  t.equal(readFileSync(join(directory, 'target'), 'utf8'), 'precious');
});

t.test('a directory in place of the file is refused', async (t) => {
  const directory = t.testdir({ 'trap.log': {} });
  t.throws(() => open(directory), { code: 'EISDIR' });
});

t.test('a file with a second link is refused', async (t) => {
  const directory = t.testdir({ precious: '' });
  chmodSync(join(directory, 'precious'), 0o600);
  linkSync(join(directory, 'precious'), join(directory, 'trap.log'));
  t.throws(() => open(directory), { message: `${directory}/trap.log has 2 hard links` });
});

t.test('a file that other users can write to is refused', async (t) => {
  const directory = t.testdir({ 'trap.log': '' });
  chmodSync(join(directory, 'trap.log'), 0o620);
  const file = `${directory}/trap.log`;
  t.throws(() => open(directory), { message: `other users can write to ${file}, mode 0620: chmod go-w ${file}` });
  chmodSync(file, 0o644);
  t.doesNotThrow(() => open(directory).close());
});

t.test('a directory that every user can write to is refused', async (t) => {
  const directory = t.testdir({ log: {} });
  chmodSync(join(directory, 'log'), 0o1777);
  const path = `${directory}/log`;
  t.throws(() => open(path), { message: `every user can write to ${path}: chmod o-w ${path}` });
});

const skip = process.getuid?.() === 0 ? false : 'only root can change owners';

t.test('a file or directory of another user is refused', { skip }, async (t) => {
  const directory = t.testdir({ 'trap.log': '', log: {} });
  chmodSync(join(directory, 'trap.log'), 0o600);
  chownSync(join(directory, 'trap.log'), 65534, 65534);
  t.throws(() => open(directory), { message: `${directory}/trap.log belongs to user 65534` });
  chownSync(join(directory, 'log'), 65534, 65534);
  t.throws(() => open(join(directory, 'log')), { message: `${directory}/log belongs to user 65534` });
});

t.test('limits of logging.conf: mode, size, number and age', async (t) => {
  const directory = t.testdir({});
  // As the plugin sets it.
  const umask = process.umask(0o077);
  t.teardown(() => process.umask(umask));
  const clock = fakeClock(NOON);
  const limits = { mode: 0o666, rotate: true, bytes: 10, ageMs: DAY, files: 1, keptMs: DAY };
  const sink = openLogFile({ directory, program: 'p', clock, limits });
  for (const line of ['one', 'three', 'four', 'five', 'six']) sink.write([line], 'INFO');
  sink.close();
  t.equal(statSync(join(directory, 'p.log')).mode & 0o777, 0o644);
  t.equal(readFileSync(join(directory, 'p.log'), 'utf8'), 'six\n');
  t.equal(readFileSync(join(directory, 'p.1.log'), 'utf8'), 'four\nfive\n');
  t.same(readdirSync(directory).sort(), ['p.1.log', 'p.log']);
});

t.test('log-file-include-pid: files of earlier processes are deleted by number and age', async (t) => {
  const directory = t.testdir({});
  const clock = fakeClock(NOON);
  const limits = { mode: 0o600, rotate: true, bytes: 100, ageMs: DAY, files: 2, keptMs: 3 * DAY };
  const earlier = [
    ['p-11.log', 5],
    ['p-12.1.log', 4],
    ['p-12.log', 2],
    ['p-13.log', 1],
    ['p-x.log', 9],
    ['q-14.log', 9],
  ] as const;
  for (const [name, age] of earlier) {
    writeFileSync(join(directory, name), '');
    utimesSync(join(directory, name), (NOON - age * DAY) / 1000, (NOON - age * DAY) / 1000);
  }
  const sink = openLogFile({ directory, program: 'p', pid: 15, clock, limits });
  sink.write(['a line'], 'INFO');
  sink.close();
  t.same(readdirSync(directory).sort(), ['p-12.log', 'p-13.log', 'p-15.log', 'p-x.log', 'q-14.log']);
});

t.test('given old files that another process deletes at the same time, the log is opened and rotated', async (t) => {
  const directory = t.testdir({ 'p-14.log': 'earlier', 'p-15.1.log': 'old' });
  const { readdirSync: list } = fs;
  t.teardown(() => {
    fs.readdirSync = list;
    syncBuiltinESMExports();
  });
  const listed = () => [...list(directory), 'p-12.log', 'p-13.log', 'p-15.2.log', 'p-15.3.log'];
  fs.readdirSync = listed as unknown as typeof fs.readdirSync;
  syncBuiltinESMExports();
  const limits = { mode: 0o600, rotate: true, bytes: 5, ageMs: DAY, files: 3, keptMs: DAY };
  const sink = openLogFile({ directory, program: 'p', pid: 15, clock: fakeClock(), limits });
  for (const line of ['one', 'two']) sink.write([line], 'INFO');
  sink.close();
  t.same(list(directory).sort(), ['p-14.log', 'p-15.1.log', 'p-15.2.log', 'p-15.log']);
  t.equal(readFileSync(join(directory, 'p-15.2.log'), 'utf8'), 'old');
  t.equal(readFileSync(join(directory, 'p-15.1.log'), 'utf8'), 'one\n');
});

t.test('a directory with the name of an old file stays', async (t) => {
  const directory = t.testdir({ 'p-14.log': {}, 'p-13.log': '' });
  const limits = { mode: 0o600, rotate: true, bytes: 5, ageMs: DAY, files: 0, keptMs: DAY };
  openLogFile({ directory, program: 'p', pid: 15, clock: fakeClock(), limits }).close();
  t.same(readdirSync(directory).sort(), ['p-14.log', 'p-15.log']);
});

t.test('rotate=0 keeps one file', async (t) => {
  const directory = t.testdir({});
  const limits = { mode: 0o600, rotate: false, bytes: 5, ageMs: 1, files: 1, keptMs: 1 };
  const sink = openLogFile({ directory, program: 'p', clock: fakeClock(NOON), limits });
  for (const line of ['one', 'two']) sink.write([line], 'INFO');
  sink.close();
  t.equal(readFileSync(join(directory, 'p.log'), 'utf8'), 'one\ntwo\n');
});

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
    sink.write([`${new Date(now()).toISOString()} ${line}`], 'INFO');
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

t.test('a line that a full disk takes in part fails, and the next one begins on a line of its own', async (t) => {
  const directory = t.testdir();
  const file = join(directory, `${PROGRAM}.log`);
  const clock = fakeClock(NOON);
  const sink = openLogFile({ directory, program: PROGRAM, clock });
  sink.write(['complete'], 'INFO');
  const { writeSync } = fs;
  t.teardown(() => {
    fs.writeSync = writeSync;
    syncBuiltinESMExports();
  });
  fs.writeSync = ((descriptor: number, bytes: Buffer) =>
    writeSync(descriptor, bytes.subarray(0, 4))) as typeof writeSync;
  syncBuiltinESMExports();
  t.throws(() => sink.write(['in part'], 'INFO'), { message: `cannot write to ${file}: it took 4 of 8 bytes` });
  fs.writeSync = writeSync;
  syncBuiltinESMExports();
  sink.close();
  const next = openLogFile({ directory, program: PROGRAM, clock });
  next.write(['later'], 'INFO');
  next.close();
  t.equal(readFileSync(file, 'utf8'), 'complete\nin p\nlater\n');
});
