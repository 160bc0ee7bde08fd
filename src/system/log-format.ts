/** How a line of the log looks, as text (launcher-plugin-api.md section 3) and as JSON. */
import { escapeControls } from './escape.ts';
import type { LogFields, LogLevel } from './log.ts';

/** What is written down: one line of the log. */
export interface LogRecord {
  /** Milliseconds since 1970. */
  readonly time: number;
  readonly level: Exclude<LogLevel, 'OFF'>;
  readonly sentence: string;
  readonly fields: LogFields;
}

/** Makes a line, without its newline, of a record. */
export type LogFormat = (record: LogRecord) => string;

/** How many errors of a chain of causes are shown. */
const MAX_CAUSES = 8;

/** Values that cannot be taken for two; others are quoted. */
const PLAIN = /^[^\s,[\]"]+$/;

/** The line form of protocol 3; what spans lines is joined with `|||`. */
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

/** One JSON object a line: time, program, level, message, the fields, and errors with their causes. */
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

/** What is shown of an error. Nothing else of the object: it may hold secrets. */
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
      chain.push({ name: typeof next, message: typeof next === 'string' ? next : 'thrown, but not an Error' });
      break;
    }
    const code = 'code' in next && (typeof next.code === 'string' || typeof next.code === 'number') ? next.code : '';
    const frames = next.stack?.slice(next.stack.indexOf('\n    at ') + 1);
    chain.push({
      // Errors of the operating system have no name of their own.
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

/** Stacks are for those who mend the program; warnings about a cluster read better without. */
function stackText({ stack }: Cause, level: LogLevel): string {
  return stack === undefined || level !== 'ERROR' ? '' : `; OCCURRED ${stack.trim().replace(/\n\s*/g, '|||')}`;
}

function oneLine(text: string): string {
  return escapeControls(text.trimEnd().replace(/\r?\n/g, '|||'));
}

/** As the SDKs write it: six digits, of which this machine's clock gives three. */
function microseconds(time: number): string {
  return new Date(time).toISOString().replace('Z', '000Z');
}
