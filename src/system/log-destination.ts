/** Opens the destination of the log: a file, stderr or syslog, and syslog besides for warnings and errors if asked for. */
import type { Clock } from './clock.ts';
import { type LogFileLimits, openLogFile } from './log-file.ts';
import type { LogSink } from './logger.ts';
import { openSyslog } from './syslog.ts';

interface LogDestination {
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
}

/** Throws if the file or syslog cannot be opened; the logger writes to stderr then. */
export function openDestination(
  { type, directory, file, warnSyslog }: LogDestination,
  { program, clock, writeStderr }: DestinationOptions,
): LogSink {
  if (type === 'syslog') return openSyslog({ program, clock });
  const fileName = file.hasPid ? `${program}-${process.pid}` : program;
  const sink: LogSink =
    type === 'stderr'
      ? { write: writeStderr, close: () => {} }
      : openLogFile({ directory, program: fileName, clock, limits: file });
  return warnSyslog ? withSyslog(sink, openSyslog({ program, clock })) : sink;
}

/** Warnings and errors are written to syslog too. */
function withSyslog(sink: LogSink, syslog: LogSink): LogSink {
  return {
    write: (line, level) => {
      sink.write(line, level);
      if (level === 'WARNING' || level === 'ERROR') syslog.write(line, level);
    },
    close: () => {
      sink.close();
      syslog.close();
    },
  };
}
