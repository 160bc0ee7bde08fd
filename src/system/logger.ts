/** The log: levels, counting of repeated warnings, and stderr when the destination cannot be written. */
import type { Clock } from './clock.ts';
import { LOG_LEVELS, type Log, type LogFields, type LogLevel } from './log.ts';
import type { LogFormat, LogRecord } from './log-format.ts';
import { writeToStderr } from './stderr.ts';

/** A warning or error that repeats within this time is counted instead of written. */
const REPEAT_MS = 60_000;

/** Destination of lines, which have no newline at the end. */
export interface LogSink {
  /** Throws if the lines cannot be written. */
  readonly write: (lines: readonly string[], level: LogRecord['level']) => void;
  readonly close: () => void;
}

/** Time until a failed sink is opened again. */
const RETRY_MS = 60_000;

/** Lines that are written together. */
const MAX_WAITING = 100;

interface LoggerOptions {
  readonly level: LogLevel;
  readonly format: LogFormat;
  readonly clock: Clock;
  /** Opens the destination of lines; if it throws, it is called again a minute later. */
  readonly open: () => LogSink;
  /** Destination while there is no sink; default: stderr. */
  readonly fallback?: (line: string) => void;
  /**
   * Runs a function a moment later: lines below WARNING are formatted and written together then, so that no answer waits for them.
   * Default: at once.
   */
  readonly later?: (run: () => void) => void;
}

/** A log, with the functions for its owner. */
export interface Logger extends Log {
  readonly setLevel: (level: LogLevel) => void;
  /** Replaces the destination, from the next line on. */
  readonly setSink: (open: () => LogSink) => void;
  /** Writes the counted repetitions and closes the destination. */
  readonly close: () => void;
}

/**
 * Creates a log that never throws: if the destination cannot be written, it warns and logs to stderr. Repeated warnings and errors
 * are written once a minute, with the number of repetitions.
 */
export function createLogger(options: LoggerOptions): Logger {
  const { format, clock, fallback = writeToStderr, later = (run) => run() } = options;
  let { level, open } = options;
  let sink: LogSink | undefined;
  let retryAt = Number.NEGATIVE_INFINITY;
  let waiting: LogRecord[] = [];
  const repeated = new Map<string, { record: LogRecord; times: number; cancel: () => void }>();

  const allows = (wanted: LogLevel): boolean => LOG_LEVELS.indexOf(level) >= LOG_LEVELS.indexOf(wanted);

  function write(record: LogRecord): void {
    waiting.push(record);
    const isUrgent = record.level === 'WARNING' || record.level === 'ERROR';
    if (isUrgent || waiting.length >= MAX_WAITING) writeWaiting();
    else if (waiting.length === 1) later(writeWaiting);
  }

  function writeWaiting(): void {
    const records = waiting;
    waiting = [];
    let begin = 0;
    for (const [index, { level: as }] of records.entries()) {
      if (records[index + 1]?.level === as) continue;
      writeLines(records.slice(begin, index + 1).map(line), as);
      begin = index + 1;
    }
  }

  /** Without fields that cannot be formatted: the lines beside it are written, and nothing is thrown in a timer. */
  function line(record: LogRecord): string {
    try {
      return format(record);
    } catch (error) {
      return format({ ...record, fields: { error } });
    }
  }

  function writeLines(lines: readonly string[], as: LogRecord['level']): void {
    const failure = writeToSink(lines, as);
    if (failure === undefined) return;
    if (failure instanceof Error) {
      const sentence = 'Cannot write the log; logging to stderr';
      fallback(format({ time: clock.now(), level: 'WARNING', sentence, fields: { error: failure } }));
    }
    for (const line of lines) fallback(line);
  }

  /** Returns undefined if they were written, an Error if that failed, and 'waiting' until the next attempt. */
  function writeToSink(lines: readonly string[], as: LogRecord['level']): Error | 'waiting' | undefined {
    if (sink === undefined && clock.monotonic() < retryAt) return 'waiting';
    try {
      sink ??= open();
      sink.write(lines, as);
      return undefined;
    } catch (error) {
      closeSink();
      retryAt = clock.monotonic() + RETRY_MS;
      return error instanceof Error ? error : new Error(String(error));
    }
  }

  function closeSink(): void {
    try {
      sink?.close();
    } catch {
      // Closing may fail as well as writing, which was reported.
    }
    sink = undefined;
  }

  function writeOnce(record: LogRecord): void {
    const { error } = record.fields;
    const key = `${record.level} ${record.sentence} ${error instanceof Error ? error.message : ''}`;
    const known = repeated.get(key);
    if (known !== undefined) {
      known.record = record;
      known.times++;
      return;
    }
    write(record);
    repeated.set(key, { record, times: 0, cancel: clock.after(REPEAT_MS, () => forget(key)) });
  }

  function forget(key: string): void {
    const known = repeated.get(key);
    repeated.delete(key);
    known?.cancel();
    if (known === undefined || known.times === 0) return;
    const { record, times } = known;
    write({ ...record, sentence: `${record.sentence} (${times} more within ${REPEAT_MS / 1000} s)` });
  }

  const say =
    (wanted: LogRecord['level'], put: (record: LogRecord) => void) =>
    (sentence: string, fields: LogFields = {}): void => {
      if (allows(wanted)) put({ time: clock.now(), level: wanted, sentence, fields });
    };
  return {
    error: say('ERROR', writeOnce),
    warning: say('WARNING', writeOnce),
    info: say('INFO', write),
    debug: say('DEBUG', write),
    notice: (sentence, fields = {}, as = 'INFO') => {
      if (level !== 'OFF') write({ time: clock.now(), level: as, sentence, fields });
    },
    setLevel: (wanted) => {
      level = wanted;
    },
    setSink: (other) => {
      writeWaiting();
      closeSink();
      open = other;
      retryAt = Number.NEGATIVE_INFINITY;
    },
    close: () => {
      for (const key of [...repeated.keys()]) forget(key);
      writeWaiting();
      closeSink();
    },
  };
}
