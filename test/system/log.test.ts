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
import type { LogLevel } from '../../src/system/log.ts';
import { openLogFile } from '../../src/system/log-file.ts';
import { jsonFormat, type LogFormat, textFormat } from '../../src/system/log-format.ts';
import { createLogger } from '../../src/system/logger.ts';
import { fakeClock } from '../support/fake-clock.ts';

const PROGRAM = 'rstudio-kubernetes-launcher';
const NOON = Date.UTC(2026, 0, 2, 12);

/** A logger that writes into memory. */
function memoryLogger(level: LogLevel, format: LogFormat = textFormat(PROGRAM)) {
  const clock = fakeClock(NOON);
  const lines: string[] = [];
  const log = createLogger({
    level,
    format,
    clock,
    open: () => ({ write: (line) => lines.push(line), close: () => {} }),
  });
  return { clock, lines, log };
}

t.test('lines have the form of the protocol', async (t) => {
  const { log, lines } = memoryLogger('DEBUG');
  log.info('Submitted a job', {
    user: 'jane',
    name: 'x, job: y',
    job: 'x-1',
    exitCode: 0,
    image: undefined,
    ids: ['a'],
  });
  log.warning('two\nlines\r\nand \u001b[31m red \u202e');
  const cause = Object.assign(new Error('connect ECONNREFUSED 10.0.0.1:6443'), { code: 'ECONNREFUSED' });
  class KubernetesError extends Error {
    override readonly name = 'KubernetesError';
    readonly code = 'UNREACHABLE';
    readonly token = 'secret';
  }
  log.warning('No list of jobs', { error: new KubernetesError('GET /jobs', { cause }), attempt: 3 });
  log.warning('Odd', { error: { token: 'secret' } });
  t.strictSame(lines, [
    '2026-01-02T12:00:00.000000Z [rstudio-kubernetes-launcher] INFO Submitted a job [user: jane, name: "x, job: y", job: x-1, exitCode: 0, ids: ["a"]]',
    '2026-01-02T12:00:00.000000Z [rstudio-kubernetes-launcher] WARNING two|||lines|||and \\u001b[31m red \\u202e',
    '2026-01-02T12:00:00.000000Z [rstudio-kubernetes-launcher] WARNING No list of jobs [attempt: 3]; KubernetesError error UNREACHABLE (GET /jobs); CAUSED BY: Error error ECONNREFUSED (connect ECONNREFUSED 10.0.0.1:6443)',
    '2026-01-02T12:00:00.000000Z [rstudio-kubernetes-launcher] WARNING Odd; object (thrown, but not an Error)',
  ]);
  log.error('Broken', { error: new Error('boom') });
  t.match(lines[4], /ERROR Broken; Error \(boom\); OCCURRED at .*log\.test\.ts:\d+:\d+\)?\|\|\|at /);
  log.close();
});

t.test('JSON: one object a line', async (t) => {
  const { log, lines } = memoryLogger('DEBUG', jsonFormat(PROGRAM));
  log.error('Broken \u202e \u001b', { error: new Error('boom', { cause: 'because' }), job: 'x' });
  const [line = ''] = lines;
  t.notMatch(line, /[\u0000-\u001f\u202e]/);
  t.match(JSON.parse(line), {
    time: '2026-01-02T12:00:00.000000Z',
    program: PROGRAM,
    level: 'ERROR',
    message: 'Broken \u202e \u001b',
    job: 'x',
    errors: [
      { name: 'Error', message: 'boom', stack: /^ {4}at / },
      { name: 'string', message: 'because' },
    ],
  });
  log.close();
});

t.test('levels', async (t) => {
  const expected: Record<LogLevel, readonly string[]> = {
    OFF: [],
    ERROR: ['error', 'notice'],
    WARNING: ['error', 'warning', 'notice'],
    INFO: ['error', 'warning', 'info', 'notice'],
    DEBUG: ['error', 'warning', 'info', 'debug', 'notice'],
  };
  for (const [level, said] of Object.entries(expected)) {
    const { log, lines } = memoryLogger('OFF');
    log.setLevel(level as LogLevel);
    for (const kind of ['error', 'warning', 'info', 'debug', 'notice'] as const) log[kind](kind);
    t.strictSame(
      lines.map((line) => line.split(' ').at(-1)),
      said,
      level,
    );
    log.close();
  }
});

t.test('repeated trouble is counted, what was done to jobs is not', async (t) => {
  const { log, lines, clock } = memoryLogger('WARNING');
  log.notice('trouble', {}, 'WARNING');
  t.match(lines.pop(), / WARNING trouble$/);
  for (let i = 0; i < 5; i++) {
    log.warning('The API server is gone', { error: new Error('refused'), attempt: i });
    log.notice('Stopped a job');
    clock.advance(1_000);
  }
  t.equal(lines.filter((line) => line.includes('Stopped')).length, 5);
  t.equal(lines.filter((line) => line.includes('gone')).length, 1);
  clock.advance(60_000);
  t.match(lines.at(-1), /WARNING The API server is gone \(4 more within 60 s\) \[attempt: 4\]; Error \(refused\)$/);
  log.warning('The API server is gone', { error: new Error('refused') });
  t.match(lines.at(-1), /gone; Error \(refused\)$/, 'and written again afterwards');
  log.warning('The API server is gone', { error: new Error('refused') });
  log.close();
  t.match(lines.at(-1), /gone \(1 more within 60 s\)/, 'nothing uncounted is lost at the end');
});

t.test('a log that cannot be written goes on elsewhere, and comes back', async (t) => {
  const clock = fakeClock(NOON);
  const file: string[] = [];
  const stderr: string[] = [];
  let broken = true;
  const log = createLogger({
    level: 'INFO',
    format: ({ sentence, fields }) => `${sentence} ${fields.error instanceof Error ? fields.error.message : ''}`,
    clock,
    open: () => {
      if (broken) throw new Error('EACCES: /var/log');
      return { write: (line) => file.push(line), close: () => {} };
    },
    fallback: (line) => stderr.push(line),
  });
  log.info('one');
  broken = false;
  log.info('two');
  clock.advance(60_000);
  log.info('three');
  t.strictSame(stderr, ['The log cannot be written, and goes on to stderr EACCES: /var/log', 'one ', 'two ']);
  t.strictSame(file, ['three ']);
  log.close();
});

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
