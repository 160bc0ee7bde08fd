/** A log entry is one line, which cannot harm a terminal; trouble that repeats is counted, and no line is lost. */
import t from 'tap';
import { escapeControls } from '../../src/system/escape.ts';
import type { LogLevel } from '../../src/system/log.ts';
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
    '2026-01-02T12:00:00.000000Z [rstudio-kubernetes-launcher] WARNING Odd; object (a thrown value that is not an Error)',
  ]);
  log.error('Broken', { error: new Error('boom') });
  t.match(lines[4], /ERROR Broken; Error \(boom\); OCCURRED at .*log\.test\.ts:\d+:\d+\)?\|\|\|at /);
  log.close();
});

t.test('what changes a terminal is written out', async (t) => {
  t.equal(escapeControls('plain Zürich 東京 🎉'), 'plain Zürich 東京 🎉');
  t.equal(escapeControls('\u001b[31mred\u0007\r\n\t'), '\\u001b[31mred\\u0007\\u000d\\u000a\\u0009');
  t.equal(
    escapeControls('a\u202etxt.exe\u2066\u200b\u009b\u007f\ufeff\u2028'),
    'a\\u202etxt.exe\\u2066\\u200b\\u009b\\u007f\\ufeff\\u2028',
  );
  t.equal(escapeControls('half \ud83d of one'), 'half \\ud83d of one');
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
  t.strictSame(stderr, ['Cannot write the log file; logging to stderr EACCES: /var/log', 'one ', 'two ']);
  t.strictSame(file, ['three ']);
  log.close();
});
