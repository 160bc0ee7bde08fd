/** Levels of the log, from none to all (option `log-level`). */
export const LOG_LEVELS = ['OFF', 'ERROR', 'WARNING', 'INFO', 'DEBUG'] as const;

export type LogLevel = (typeof LOG_LEVELS)[number];

/** Fields of a log line: ids, names, numbers; an error with its causes. Never a secret. */
export interface LogFields {
  readonly error?: unknown;
  readonly [name: string]: unknown;
}

/**
 * The log of the program: constant sentences for administrators, with varying values as fields. The writer escapes control
 * characters.
 */
export interface Log {
  readonly error: (sentence: string, fields?: LogFields) => void;
  readonly warning: (sentence: string, fields?: LogFields) => void;
  readonly info: (sentence: string, fields?: LogFields) => void;
  readonly debug: (sentence: string, fields?: LogFields) => void;
  /**
   * Written at every level but OFF: start, stop, and which user did what to which job. Repetitions are written, not
   * counted, so use it only for events that happen once or that a user causes.
   */
  readonly notice: (sentence: string, fields?: LogFields, as?: 'INFO' | 'WARNING') => void;
}

/** Writes nothing. */
export const silentLog: Log = { error: () => {}, warning: () => {}, info: () => {}, debug: () => {}, notice: () => {} };
