/** Levels, counting of repeated warnings, and stderr when the destination cannot be written. */
import t from 'tap';
import type { LogLevel } from '../../src/system/log.ts';
import { textFormat } from '../../src/system/log-format.ts';
import { createLogger } from '../../src/system/logger.ts';
import { fakeClock } from '../support/fake-clock.ts';
import { memoryLogger, NOON } from '../support/memory-logger.ts';

t.test('each level keeps its own lines and those above', async (t) => {
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

t.test('a notice may have a level of its own', async (t) => {
  const { log, lines } = memoryLogger('WARNING');
  log.notice('trouble', {}, 'WARNING');
  t.match(lines, [/ WARNING trouble$/]);
  log.close();
});

const unreachable = (attempt: number) => ({ error: new Error('refused'), attempt });

t.test('a warning that repeats is written once and counted after a minute', async (t) => {
  const { log, lines, clock } = memoryLogger('WARNING');
  for (let attempt = 0; attempt < 5; attempt++) {
    log.warning('API server unreachable', unreachable(attempt));
    clock.advance(1_000);
  }
  t.equal(lines.length, 1);
  clock.advance(60_000);
  t.equal(lines.length, 2);
  t.match(lines[1], /WARNING API server unreachable \(4 more within 60 s\) \[attempt: 4\]; Error \(refused\)$/);
  log.warning('API server unreachable', unreachable(5));
  t.match(lines[2], /unreachable \[attempt: 5\]; Error \(refused\)$/, 'and written again afterwards');
  log.close();
});

t.test('a notice that repeats is written each time', async (t) => {
  const { log, lines } = memoryLogger('WARNING');
  for (let time = 0; time < 5; time++) log.notice('Stopped a job');
  t.equal(lines.length, 5);
  log.close();
});

t.test('warnings that are counted when the log is closed are written', async (t) => {
  const { log, lines } = memoryLogger('WARNING');
  log.warning('API server unreachable', unreachable(1));
  log.warning('API server unreachable', unreachable(2));
  log.close();
  t.equal(lines.length, 2);
  t.match(lines[1], /unreachable \(1 more within 60 s\)/);
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
      return { write: (lines) => file.push(...lines), close: () => {} };
    },
    fallback: (line) => stderr.push(line),
  });
  log.info('one');
  broken = false;
  log.info('two');
  clock.advance(60_000);
  log.info('three');
  t.strictSame(stderr, ['Cannot write the log; logging to stderr EACCES: /var/log', 'one ', 'two ']);
  t.strictSame(file, ['three ']);
  log.close();
});

t.test(
  'lines wait for each other: written together later, in order, and at once before a warning, a new sink and the end',
  async (t) => {
    const written: string[] = [];
    const due: (() => void)[] = [];
    const sinkOf = (name: string) => () => ({
      write: (lines: readonly string[], level: string) => void written.push(`${name} ${level} ${lines.join(' ')}`),
      close: () => void written.push(`${name} closed`),
    });
    const log = createLogger({
      level: 'DEBUG',
      format: ({ sentence, fields }) => `${sentence}${fields['n'] ?? ''}`,
      clock: fakeClock(NOON),
      open: sinkOf('a'),
      later: (run) => void due.push(run),
    });
    log.info('one');
    log.notice('two');
    t.strictSame(written, []);
    due.shift()?.();
    t.strictSame(written.splice(0), ['a INFO one two']);
    log.info('three');
    log.debug('four');
    log.warning('five');
    t.strictSame(written.splice(0), ['a INFO three', 'a DEBUG four', 'a WARNING five']);
    due.shift()?.();
    t.strictSame(written, [], 'nothing is written twice');
    for (let n = 0; n < 100; n++) log.info('', { n });
    t.match(written.splice(0), [/^a INFO 0 1 2 .* 98 99$/], 'no more than 100 wait');
    log.info('six');
    log.setSink(sinkOf('b'));
    log.info('seven');
    log.close();
    t.strictSame(written, ['a INFO six', 'a closed', 'b INFO seven', 'b closed']);
  },
);

t.test('a field that cannot be formatted costs neither its line nor those beside it', async (t) => {
  const written: string[] = [];
  const due: (() => void)[] = [];
  const log = createLogger({
    level: 'INFO',
    format: textFormat('plugin'),
    clock: fakeClock(NOON),
    open: () => ({ write: (lines) => written.push(...lines), close: () => {} }),
    later: (run) => void due.push(run),
  });
  log.notice('Submitted a job');
  log.info('Job was restored', { size: 1n });
  due.shift()?.();
  t.match(written, [
    / INFO Submitted a job$/,
    / INFO Job was restored; TypeError \(Do not know how to serialize a BigInt\)$/,
  ]);
  log.close();
});
