/** Levels, counting of repeated warnings, and stderr when the destination cannot be written. */
import t from 'tap';
import type { LogLevel } from '../../src/system/log.ts';
import { type LogFormat, textFormat } from '../../src/system/log-format.ts';
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
  t.strictSame(stderr, ['Cannot write the log; logging to stderr EACCES: /var/log', 'one ', 'two ']);
  t.strictSame(file, ['three ']);
  log.close();
});
