/**
 * The log of a container as the runtime keeps it: records of at most 16 KiB with a time of nanoseconds (kubernetes-facts.md 85 to 92),
 * rotated at 10 MiB (kubernetes-facts.md 95a).
 */
import { machineClock } from '../timers.ts';

export interface LogOptions {
  readonly timestamps: boolean;
  /** Milliseconds since 1970; whole seconds, inclusive. */
  readonly since?: number;
  readonly tailLines?: number;
  readonly limitBytes?: number;
}

interface LogRecord {
  readonly stamp: string;
  readonly ms: number;
  readonly data: Buffer;
}

/** Reads on from where it is; one piece per record. */
interface LogCursor {
  /** The next piece; undefined if there is none now. */
  readonly next: () => Buffer | undefined;
}

export interface ContainerLog {
  /** Takes what the process wrote. */
  readonly write: (stream: 'stdout' | 'stderr', chunk: Buffer) => void;
  /** Writes lines that have no newline yet: the container has ended. */
  readonly finish: () => void;
  readonly read: (options: LogOptions) => Buffer;
  readonly follow: (options: LogOptions) => LogCursor;
  /** Calls `listener` after each record and at the end; until the returned function is called. */
  readonly listen: (listener: () => void) => () => void;
  readonly finished: () => boolean;
  /** The kubelet removed the file, or rotated it away. */
  readonly drop: () => void;
}

const RECORD_BYTES = 16 * 1024;
const ROTATE_BYTES = 10 * 1024 * 1024;
const NEWLINE = 0x0a;

/** `preciseMs`: what the clock of its node says, with a fraction. */
export function createLog(
  stored: (data: Buffer) => void,
  preciseMs: () => number = machineClock.precise,
  rotateBytes = ROTATE_BYTES,
): ContainerLog {
  /** Records before `first` are gone, those before `fileStart` are only for cursors that are still there. */
  let records: LogRecord[] = [];
  let first = 0;
  let fileStart = 0;
  let fileBytes = 0;
  let done = false;
  const pending = { stdout: Buffer.alloc(0), stderr: Buffer.alloc(0) };
  const listeners = new Set<() => void>();

  function add(data: Buffer): void {
    const { stamp, ms } = stampOf(preciseMs());
    const bytes = withoutCarriageReturn(data);
    if (fileBytes >= rotateBytes) rotate();
    records.push({ stamp, ms, data: bytes });
    fileBytes += bytes.length;
    stored(bytes);
  }

  function rotate(): void {
    records = records.slice(fileStart - first);
    first = fileStart;
    fileStart = first + records.length;
    fileBytes = 0;
  }

  function tell(): void {
    for (const listener of [...listeners]) listener();
  }

  /** Where a reader with these options begins. */
  function begin({ since, tailLines }: LogOptions): number {
    const end = first + records.length;
    let start = fileStart;
    while (start < end && isOlder(records[start - first], since)) start += 1;
    return tailLines === undefined ? start : Math.max(start, end - tailLines);
  }

  /** A kubelet compares each record with sinceTime, wherever it is in the file. */
  function isOlder(record: LogRecord | undefined, since: number | undefined): boolean {
    return record !== undefined && since !== undefined && record.ms < Math.floor(since / 1000) * 1000;
  }

  function cursor(options: LogOptions): LogCursor {
    let position = begin(options);
    let left = options.limitBytes ?? Number.POSITIVE_INFINITY;
    let lineStarts = true;
    return {
      next: () => {
        position = Math.max(position, first);
        while (isOlder(records[position - first], options.since)) position += 1;
        const record = records[position - first];
        if (record === undefined || left <= 0) return undefined;
        position += 1;
        const stamp = options.timestamps && lineStarts ? `${record.stamp} ` : '';
        lineStarts = record.data.at(-1) === NEWLINE;
        const piece = Buffer.concat([Buffer.from(stamp), record.data]).subarray(0, left);
        left -= piece.length;
        return piece;
      },
    };
  }

  return {
    write: (stream, chunk) => {
      let rest = Buffer.concat([pending[stream], chunk]);
      for (;;) {
        const newline = rest.indexOf(NEWLINE);
        if (newline < 0 && rest.length < RECORD_BYTES) break;
        const end = newline >= 0 && newline < RECORD_BYTES ? newline + 1 : RECORD_BYTES;
        add(rest.subarray(0, end));
        rest = rest.subarray(end);
      }
      pending[stream] = rest;
      tell();
    },
    finish: () => {
      for (const stream of ['stdout', 'stderr'] as const) {
        if (pending[stream].length > 0) add(pending[stream]);
        pending[stream] = Buffer.alloc(0);
      }
      done = true;
      tell();
    },
    read: (options) => {
      const pieces: Buffer[] = [];
      const reader = cursor(options);
      for (let piece = reader.next(); piece !== undefined; piece = reader.next()) pieces.push(piece);
      return Buffer.concat(pieces);
    },
    follow: cursor,
    listen: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    finished: () => done,
    drop: () => {
      first += records.length;
      fileStart = first;
      records = [];
      fileBytes = 0;
    },
  };
}

/** RFC 3339, always nine digits, UTC (kubernetes-facts.md 88). */
function stampOf(preciseMs: number): { stamp: string; ms: number } {
  const ns = BigInt(Math.round(preciseMs * 1e6));
  const ms = Number(ns / 1_000_000n);
  const digits = (ns % 1_000_000_000n).toString().padStart(9, '0');
  return { stamp: `${new Date(ms).toISOString().slice(0, 19)}.${digits}Z`, ms };
}

/** The runtime drops a carriage return directly before the newline (kubernetes-facts.md 92). */
function withoutCarriageReturn(data: Buffer): Buffer {
  if (data.length < 2 || data.at(-1) !== NEWLINE || data.at(-2) !== 0x0d) return Buffer.from(data);
  return Buffer.concat([data.subarray(0, -2), data.subarray(-1)]);
}
