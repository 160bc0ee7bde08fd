/** Levels of the log, in the order in which they say more (option `log-level`). */
export const LOG_LEVELS = ['OFF', 'ERROR', 'WARNING', 'INFO', 'DEBUG'] as const;

export type LogLevel = (typeof LOG_LEVELS)[number];

/** What is said beside the sentence: ids, names, numbers; an error with its cause chain. Never a secret. */
export interface LogFields {
  readonly error?: unknown;
  readonly [name: string]: unknown;
}

/**
 * Where the program says what it does. Sentences for administrators; values that vary go into the fields.
 * Control characters and escape sequences are escaped by the writer, callers need not care.
 */
export interface Log {
  readonly error: (sentence: string, fields?: LogFields) => void;
  readonly warning: (sentence: string, fields?: LogFields) => void;
  readonly info: (sentence: string, fields?: LogFields) => void;
  readonly debug: (sentence: string, fields?: LogFields) => void;
  /**
   * Written at every level but OFF, as INFO unless it is trouble: what an administrator must know, and who did what to
   * which job. Never counted instead of written, so only for what happens once or was done by somebody.
   */
  readonly notice: (sentence: string, fields?: LogFields, as?: 'INFO' | 'WARNING') => void;
}

/** Says nothing. */
export const silentLog: Log = { error: () => {}, warning: () => {}, info: () => {}, debug: () => {}, notice: () => {} };
