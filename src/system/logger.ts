/** The log: levels, trouble that is counted instead of repeated, and stderr when the file cannot be written. */
import type { Clock } from './clock.ts';
import { LOG_LEVELS, type Log, type LogFields, type LogLevel } from './log.ts';
import type { LogSink } from './log-file.ts';
import type { LogFormat, LogRecord } from './log-format.ts';
import { writeToStderr } from './stderr.ts';

/** Trouble that is said again within this time is counted instead. */
const REPEAT_MS = 60_000;

/** A sink that failed is tried again after this time. */
const RETRY_MS = 60_000;

interface LoggerOptions {
  readonly level: LogLevel;
  readonly format: LogFormat;
  readonly clock: Clock;
  /** Opens where lines go; throws if that is not possible, and is then called again a minute later. */
  readonly open: () => LogSink;
  /** Where lines go while there is no sink; default: stderr. */
  readonly fallback?: (line: string) => void;
}

/** A log that writes, and what its owner does with it. */
export interface Logger extends Log {
  readonly setLevel: (level: LogLevel) => void;
  /** From the next line on the log goes there. */
  readonly setSink: (open: () => LogSink) => void;
  /** Writes what was counted, and ends it. */
  readonly close: () => void;
}

/**
 * Never throws: where the log cannot be written it goes on to stderr, and says so. Warnings and errors with the same
 * words are written once a minute, with the number of those left out.
 */
export function createLogger(options: LoggerOptions): Logger {
  const { format, clock, fallback = writeToStderr } = options;
  let { level, open } = options;
  let sink: LogSink | undefined;
  let retryAt = Number.NEGATIVE_INFINITY;
  const repeated = new Map<string, { record: LogRecord; times: number; cancel: () => void }>();

  const allows = (wanted: LogLevel): boolean => LOG_LEVELS.indexOf(level) >= LOG_LEVELS.indexOf(wanted);

  function write(record: LogRecord): void {
    const line = format(record);
    const failure = writeToSink(line);
    if (failure === undefined) return;
    if (failure instanceof Error) {
      const sentence = 'The log cannot be written, and goes on to stderr';
      fallback(format({ time: clock.now(), level: 'WARNING', sentence, fields: { error: failure } }));
    }
    fallback(line);
  }

  /** Returns undefined if it was written, an Error if that failed, and 'waiting' while it is not tried. */
  function writeToSink(line: string): Error | 'waiting' | undefined {
    if (sink === undefined && clock.monotonic() < retryAt) return 'waiting';
    try {
      sink ??= open();
      sink.write(line);
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
      // A file that could not be written need not close either; what failed was reported.
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
      closeSink();
      open = other;
      retryAt = Number.NEGATIVE_INFINITY;
    },
    close: () => {
      for (const key of [...repeated.keys()]) forget(key);
      closeSink();
    },
  };
}
