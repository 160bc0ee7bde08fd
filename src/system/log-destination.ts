/** Opens the destination of the log: a file, stderr or syslog, and syslog besides for warnings and errors if asked for. */
import type { Clock } from './clock.ts';
import { type LogFileLimits, openLogFile } from './log-file.ts';
import type { LogRecord } from './log-format.ts';
import type { LogSink } from './logger.ts';
import { openSyslog } from './syslog.ts';

export interface LogDestination {
  readonly type: 'file' | 'stderr' | 'syslog';
  /** Of the log file. */
  readonly directory: string;
  readonly file: LogFileLimits & { readonly hasPid: boolean };
  /** Warnings and errors go to syslog too. */
  readonly warnSyslog: boolean;
}

interface DestinationOptions {
  readonly program: string;
  readonly clock: Clock;
  readonly writeStderr: (line: string) => void;
  /** Receives the error of a syslog that should have warnings and errors too. */
  readonly onSyslogError: (error: unknown) => void;
  /** Default `/usr/bin/logger`. */
  readonly logger?: string;
}

/** Throws if the file or syslog cannot be opened; the logger writes to stderr then. */
export function openDestination(
  { type, directory, file, warnSyslog }: LogDestination,
  options: DestinationOptions,
): LogSink {
  const { program, clock, writeStderr } = options;
  if (type === 'syslog') return openSyslog(options);
  const pid = file.hasPid ? { pid: process.pid } : {};
  const sink: LogSink =
    type === 'stderr'
      ? { write: (lines) => lines.forEach(writeStderr), close: () => {} }
      : openLogFile({ directory, program, ...pid, clock, limits: file });
  return warnSyslog ? new SinkWithSyslog(sink, options) : sink;
}

/** Time until syslog is opened again after an error. */
const RETRY_MS = 60_000;

/** Warnings and errors are written to syslog too; without syslog the lines are in the first sink only. */
class SinkWithSyslog implements LogSink {
  readonly #sink: LogSink;
  readonly #options: DestinationOptions;
  #syslog: LogSink | undefined;
  #retryAt = Number.NEGATIVE_INFINITY;

  constructor(sink: LogSink, options: DestinationOptions) {
    this.#sink = sink;
    this.#options = options;
  }

  write(lines: readonly string[], level: LogRecord['level']): void {
    this.#sink.write(lines, level);
    if ((level !== 'WARNING' && level !== 'ERROR') || this.#options.clock.monotonic() < this.#retryAt) return;
    try {
      this.#syslog ??= openSyslog(this.#options);
      this.#syslog.write(lines, level);
    } catch (error) {
      this.#syslog?.close();
      this.#syslog = undefined;
      this.#retryAt = this.#options.clock.monotonic() + RETRY_MS;
      this.#options.onSyslogError(error);
    }
  }

  close(): void {
    this.#sink.close();
    this.#syslog?.close();
  }
}
