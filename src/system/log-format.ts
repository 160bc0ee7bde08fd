/** Formats of log lines: text (launcher-plugin-api.md section 3) and JSON. */
import { escapeControls } from './escape.ts';
import type { LogFields, LogLevel } from './log.ts';

/** One line of the log. */
export interface LogRecord {
  /** Milliseconds since 1970. */
  readonly time: number;
  readonly level: Exclude<LogLevel, 'OFF'>;
  readonly sentence: string;
  readonly fields: LogFields;
}

/** Formats a record as a line without newline. */
export type LogFormat = (record: LogRecord) => string;

/** Most causes of an error that are shown. */
const MAX_CAUSES = 8;

/** Values without separators; others are quoted. */
const PLAIN = /^[^\s,[\]"]+$/;

/** The format of protocol section 3; line breaks become `|||`. */
export function textFormat(program: string): LogFormat {
  return ({ time, level, sentence, fields }) => {
    const { error, ...others } = fields;
    const values = Object.entries(others).flatMap(([name, value]) =>
      value === undefined
        ? []
        : `${name}: ${typeof value === 'string' && PLAIN.test(value) ? value : JSON.stringify(value)}`,
    );
    const details = values.length === 0 ? '' : ` [${values.join(', ')}]`;
    const errors = causes(error).map(
      (cause, index) => `; ${index === 0 ? '' : 'CAUSED BY: '}${errorText(cause)}${stackText(cause, level)}`,
    );
    return oneLine(`${microseconds(time)} [${program}] ${level} ${sentence}${details}${errors.join('')}`);
  };
}

/** One JSON object: time, program, level, message, the fields, and errors with their causes. */
export function jsonFormat(program: string): LogFormat {
  return ({ time, level, sentence, fields }) => {
    const { error, ...others } = fields;
    const errors = causes(error);
    const line = JSON.stringify({
      time: microseconds(time),
      program,
      level,
      message: sentence,
      ...others,
      ...(errors.length > 0 && { errors }),
    });
    return escapeControls(line);
  };
}

/** The part of an error that is logged. Other properties may be secret. */
interface Cause {
  readonly name: string;
  readonly code?: string | number;
  readonly message: string;
  readonly stack?: string;
}

function causes(error: unknown): readonly Cause[] {
  const chain: Cause[] = [];
  const seen = new Set<unknown>();
  for (let next = error; next !== undefined && next !== null && chain.length < MAX_CAUSES && !seen.has(next); ) {
    seen.add(next);
    if (!(next instanceof Error)) {
      chain.push({
        name: typeof next,
        message: typeof next === 'string' ? next : 'a thrown value that is not an Error',
      });
      break;
    }
    const code = 'code' in next && (typeof next.code === 'string' || typeof next.code === 'number') ? next.code : '';
    const frames = next.stack?.slice(next.stack.indexOf('\n    at ') + 1);
    chain.push({
      // Errors of the operating system have no specific name.
      name: next.name === 'Error' && 'syscall' in next ? 'SystemError' : next.name,
      ...(code !== '' && { code }),
      message: next.message,
      ...(frames?.startsWith('    at ') && { stack: frames }),
    });
    next = next instanceof AggregateError && next.cause === undefined ? next.errors[0] : next.cause;
  }
  return chain;
}

function errorText({ name, code, message }: Cause): string {
  return code === undefined ? `${name} (${message})` : `${name} error ${code} (${message})`;
}

/** The stack of an error; warnings have none, since most are about the cluster. */
function stackText({ stack }: Cause, level: LogLevel): string {
  return stack === undefined || level !== 'ERROR' ? '' : `; OCCURRED ${stack.trim().replace(/\n\s*/g, '|||')}`;
}

function oneLine(text: string): string {
  return escapeControls(text.trimEnd().replace(/\r?\n/g, '|||'));
}

/** As the SDKs write it: six digits; the clock gives three. */
function microseconds(time: number): string {
  return new Date(time).toISOString().replace('Z', '000Z');
}
