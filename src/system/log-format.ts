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

/** Most bytes of a field, and of a line. */
const MOST_FIELD_BYTES = 256;
const MOST_LINE_BYTES = 8 * 1024;

/** Most bytes of the message in a JSON line. */
const MOST_SENTENCE_BYTES = 4 * 1024;

/** Most causes of an error that are shown. */
const MAX_CAUSES = 8;

/** Values without separators; others are quoted. */
const PLAIN = /^[^\s,[\]"]+$/;

/** The format of protocol section 3; line breaks become `|||`. */
export function textFormat(program: string): LogFormat {
  return ({ time, level, sentence, fields }) => {
    const { error, ...others } = fields;
    const values = Object.entries(others).flatMap(([name, value]) => (value === undefined ? [] : field(name, value)));
    const details = values.length === 0 ? '' : ` [${values.join(', ')}]`;
    const errors = causes(error).map(
      (cause, index) => `; ${index === 0 ? '' : 'CAUSED BY: '}${errorText(cause)}${stackText(cause, level)}`,
    );
    const line = oneLine(`${microseconds(time)} [${program}] ${level} ${sentence}${details}${errors.join('')}`);
    return cut(line, MOST_LINE_BYTES);
  };
}

/** One JSON object: time, program, level, message, the fields, and errors with their causes. */
export function jsonFormat(program: string): LogFormat {
  return ({ time, level, sentence, fields }) => {
    const { error, ...others } = fields;
    const errors = causes(error);
    const kept = Object.fromEntries(Object.entries(others).map(([name, value]) => [name, shortValue(value)]));
    const head = { time: microseconds(time), program, level, message: cut(sentence, MOST_SENTENCE_BYTES) };
    const line = (shown: readonly Cause[]): string =>
      escapeControls(JSON.stringify({ ...head, ...kept, ...(shown.length > 0 && { errors: shown }) }));
    const complete = line(errors);
    if (Buffer.byteLength(complete) <= MOST_LINE_BYTES) return complete;
    const short = line(errors.map(({ name, message }) => ({ name, message: cut(message, MOST_FIELD_BYTES) })));
    return Buffer.byteLength(short) <= MOST_LINE_BYTES ? short : escapeControls(JSON.stringify(head));
  };
}

/** A field as text: plain, or as JSON; a long one is cut. */
function field(name: string, value: unknown): string {
  if (typeof value !== 'string') return `${name}: ${cut(JSON.stringify(value), MOST_FIELD_BYTES)}`;
  const short = cut(value, MOST_FIELD_BYTES);
  return `${name}: ${PLAIN.test(short) ? short : JSON.stringify(short)}`;
}

/** A field for JSON: a long string is cut, another long value becomes a cut string. */
function shortValue(value: unknown): unknown {
  if (typeof value === 'string') return cut(value, MOST_FIELD_BYTES);
  const text = JSON.stringify(value) ?? '';
  return text.length > MOST_FIELD_BYTES ? cut(text, MOST_FIELD_BYTES) : value;
}

/** The text, or its first bytes with the number of all: users choose some values, and the log is rotated by size. */
function cut(text: string, most: number): string {
  const bytes = Buffer.byteLength(text);
  if (bytes <= most) return text;
  const begin = Buffer.from(text.slice(0, most)).subarray(0, most).toString();
  return `${begin.endsWith('\ufffd') ? begin.slice(0, -1) : begin}... (${bytes} bytes)`;
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
