/** Lines of a log with timestamps: removes the timestamps and what was delivered before. */
import type { LogPosition, Resume } from './position.ts';
import { compareStamps, LONGEST_STAMP, type ReadStamp, type Stamp, StampReader } from './stamps.ts';
import { LONG_LINE_BYTES, UsualLines } from './usual-lines.ts';

const NEWLINE = 10;
const NO_BYTES = Buffer.alloc(0);

/**
 * Container runtimes write long lines as records of at most 16 KiB, and also split a line where the other stream writes between
 * its parts. Kubelets before 1.26 or so write a timestamp before each record. A longer line without one shows that this node
 * does not.
 */
const RECORD_BYTES = 16 * 1024;

/** Smaller joined bytes get a buffer of this size. */
const MIN_JOINED_BYTES = 4 * 1024;

/** Longest error text of a kubelet that is kept. */
const ERROR_TEXT_BYTES = 500;

/**
 * Removes the timestamps from one answer of the kubelet, drops what was delivered before, and updates the position. Other
 * bytes are unchanged.
 */
export class StampedLines {
  readonly #position: LogPosition;
  readonly #resume: Resume;
  /** Bytes that may be the start of a timestamp. */
  #held: Buffer = NO_BYTES;
  /** For bytes that were held and those after them, used again: new ones would make V8 collect garbage for each few MB. */
  #joined: Buffer = NO_BYTES;
  #expecting: 'line' | 'content' = 'line';
  #stamp: ReadStamp | undefined;
  /** Bytes of the line that are to be dropped; Infinity: all. */
  #drop = 0;
  /** Bytes since the last timestamp. */
  #recordBytes = 0;
  /** The line has timestamps within. */
  #hasRecords = false;
  #lineBytes = 0;
  #errorText: string | undefined;
  #hasOutput = false;
  readonly #usual = new UsualLines();

  constructor(position: LogPosition) {
    this.#position = position;
    this.#resume = position.resume();
  }

  /** Error text of the kubelet: a line without timestamp (kubernetes-facts.md 95). What follows it is ignored. */
  get errorText(): string | undefined {
    return this.#errorText;
  }

  /** Set when lines between these timestamps may be lost. */
  get gap(): { readonly from: Stamp; readonly to: Stamp } | undefined {
    return this.#resume.gap;
  }

  /** True if it contained undelivered bytes. */
  get hasOutput(): boolean {
    return this.#hasOutput;
  }

  /** True if it contained everything delivered before since the requested time. */
  get isComplete(): boolean {
    const isCutInDelivered = this.#drop > 0;
    return this.#resume.reached && !isCutInDelivered;
  }

  /** The new ones of these bytes, without timestamps; they are moved within the buffer, and valid until the next call. */
  push(received: Buffer): Buffer {
    const held = this.#held;
    if (held.length === 0) return this.#takeOrKeep(received);
    this.#held = NO_BYTES;
    if (this.#expecting === 'line' && this.#errorText === undefined) {
      // Usually the start of a timestamp: all bytes after it would be copied otherwise.
      const head = Buffer.concat([held, received.subarray(0, LONGEST_STAMP)]);
      const stamp = new StampReader(head).at(0, this.#stamp);
      if (typeof stamp === 'object') {
        this.#beginLine(stamp);
        this.#expecting = 'content';
        return this.#take(received, stamp.length - held.length);
      }
    }
    return this.#takeOrKeep(this.#join(held, received));
  }

  /** For a regular end: the bytes held are content, or the error text of the kubelet. */
  end(): Buffer {
    const held = this.#held;
    this.#held = NO_BYTES;
    if (held.length === 0) return held;
    if (this.#expecting === 'content') {
      const from = Math.min(held.length, this.#drop);
      this.#drop -= from;
      this.#lineBytes += held.length;
      if (from === held.length) return NO_BYTES;
      this.#hasOutput = true;
      this.#position.deliver(held.length - from);
      return held.subarray(from);
    }
    this.#errorText = held.toString('utf8');
    return NO_BYTES;
  }

  #join(held: Buffer, received: Buffer): Buffer {
    const length = held.length + received.length;
    if (this.#joined.length < length) this.#joined = Buffer.allocUnsafeSlow(Math.max(length, MIN_JOINED_BYTES));
    this.#joined.set(held);
    this.#joined.set(received, held.length);
    return this.#joined.subarray(0, length);
  }

  /** What follows the error text of a kubelet is part of it. */
  #takeOrKeep(bytes: Buffer): Buffer {
    if (this.#errorText === undefined) return this.#take(bytes, 0);
    this.#errorText = (this.#errorText + bytes.toString('utf8')).slice(0, ERROR_TEXT_BYTES);
    return NO_BYTES;
  }

  #take(bytes: Buffer, start: number): Buffer {
    const stamps = new StampReader(bytes);
    const days = new DaySearch(bytes);
    let written = 0;
    let i = start;
    while (i < bytes.length) {
      if (this.#expecting === 'line') {
        const before = this.#stamp;
        const found = stamps.at(i, before);
        if (found === 'short') {
          this.#held = Buffer.from(bytes.subarray(i));
          break;
        }
        if (found === undefined) {
          this.#errorText = bytes.toString('utf8', i, i + ERROR_TEXT_BYTES);
          break;
        }
        // The line before may be one that was dropped, of another second than the one that was delivered last.
        const isUsual = before?.second === found.second && this.#position.lastSecond === found.second;
        if (isUsual && this.#resume.isOver && !this.#position.hasRecordStamps) {
          const usual = this.#usual.take(bytes, i, written, this.#position);
          if (usual !== undefined) {
            this.#hasOutput = true;
            ({ read: i, written } = usual);
            continue;
          }
        }
        this.#beginLine(found);
        i += found.length;
        this.#expecting = 'content';
        continue;
      }
      const newline = bytes.indexOf(NEWLINE, i);
      const lineEnd = newline === -1 ? bytes.length : newline + 1;
      const record = this.#position.hasRecordStamps ? this.#nextRecord(bytes, stamps, days, i, lineEnd) : undefined;
      const end = record?.at ?? lineEnd;
      const from = Math.min(end, i + this.#drop);
      this.#drop -= from - i;
      if (from < end) {
        bytes.copyWithin(written, from, end);
        written += end - from;
        this.#hasOutput = true;
        this.#position.deliver(end - from);
      }
      this.#lineBytes += end - i;
      this.#recordBytes += end - i;
      i = end;
      if (record !== undefined) {
        if (record.stamp === 'short') {
          this.#held = Buffer.from(bytes.subarray(i));
          break;
        }
        this.#stamp = record.stamp;
        this.#recordBytes = 0;
        this.#hasRecords = true;
        i += record.stamp.length;
      } else {
        if (this.#recordBytes > RECORD_BYTES + 1) this.#position.hasRecordStamps = false;
        if (newline !== -1) this.#endLine();
      }
    }
    return bytes.subarray(0, written);
  }

  /**
   * The next timestamp within a line: it has the format of the one before and is not earlier. Times that a program writes are
   * earlier, because its node reads them afterwards.
   */
  #nextRecord(
    bytes: Buffer,
    stamps: StampReader,
    days: DaySearch,
    from: number,
    to: number,
  ): { readonly at: number; readonly stamp: ReadStamp | 'short' } | undefined {
    const before = this.#stamp;
    if (before === undefined) return undefined;
    for (let at = days.next(before, from, to); at < to; at = days.next(before, at + 1, to)) {
      const stamp = stamps.at(at, before);
      // A newline ends the line, and the text before it.
      if (stamp === 'short' && to === bytes.length && bytes[to - 1] !== NEWLINE) return { at, stamp };
      if (stamp === 'short' || stamp === undefined) continue;
      if (stamp.length === before.length && compareStamps(stamp, before) >= 0) return { at, stamp };
    }
    return undefined;
  }

  #beginLine(stamp: ReadStamp): void {
    this.#stamp = stamp;
    this.#lineBytes = 0;
    this.#recordBytes = 0;
    this.#hasRecords = false;
    const verdict = this.#resume.line(stamp, this.#position);
    if (verdict.outcome === 'drop') {
      this.#drop = Number.POSITIVE_INFINITY;
      return;
    }
    this.#drop = verdict.from;
    if (!verdict.begun) this.#position.begin(stamp);
  }

  #endLine(): void {
    if (this.#drop !== Number.POSITIVE_INFINITY)
      this.#position.complete(this.#hasRecords || this.#lineBytes > LONG_LINE_BYTES);
    this.#drop = 0;
    this.#expecting = 'line';
  }
}

/** `2026-11-23T`. */
const DAY_LENGTH = 11;
const DAY_SECONDS = 24 * 3600;
/** Bytes that are searched in advance. */
const WINDOW_BYTES = 4 * 1024;

/**
 * Finds the date of a timestamp, or the next day, in one chunk. Text without them is searched once for all its lines: a log with
 * record timestamps takes a quarter of the CPU time that a search for each line takes.
 */
class DaySearch {
  readonly #bytes: Buffer;
  #day = Number.NaN;
  #searches: readonly TextSearch[] = [];

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  /** Where one of them is written between two offsets, else `to`; the end of the bytes may hold a part of it. */
  next({ second }: Stamp, from: number, to: number): number {
    const day = Math.floor(second / DAY_SECONDS);
    if (day !== this.#day) {
      this.#day = day;
      this.#searches = [day, day + 1].map((each) => {
        const text = new Date(each * DAY_SECONDS * 1000).toISOString().slice(0, DAY_LENGTH);
        return new TextSearch(this.#bytes, text);
      });
    }
    let next = to;
    for (const search of this.#searches) next = Math.min(next, search.next(from, to));
    return next;
  }
}

/** Finds a text in bytes; each search continues the one before. */
class TextSearch {
  readonly #bytes: Buffer;
  readonly #text: string;
  /** The part of the bytes that is searched, from its start to its end. */
  #window: Buffer = NO_BYTES;
  #windowStart = 0;
  #windowEnd = 0;
  /** The text does not start between the start of the last search and this offset. */
  #at = 0;
  #isFound = false;

  constructor(bytes: Buffer, text: string) {
    this.#bytes = bytes;
    this.#text = text;
  }

  /** Where it starts between two offsets, which ascend from call to call, else `to`; the end of the bytes may hold a part of it. */
  next(from: number, to: number): number {
    if (this.#at < from) {
      this.#at = from;
      this.#isFound = false;
    }
    while (!this.#isFound && this.#at < to) this.#search();
    return Math.min(this.#at, to);
  }

  #search(): void {
    const bytes = this.#bytes;
    const text = this.#text;
    if (this.#at + text.length > this.#windowEnd) {
      this.#windowStart = this.#at;
      this.#windowEnd = Math.min(bytes.length, this.#at + WINDOW_BYTES);
      this.#window = bytes.subarray(this.#windowStart, this.#windowEnd);
    }
    const found = this.#window.indexOf(text, this.#at - this.#windowStart, 'latin1');
    this.#isFound = found !== -1 || this.#windowEnd === bytes.length;
    if (found !== -1) {
      this.#at = this.#windowStart + found;
      return;
    }
    this.#at = Math.max(this.#at, this.#windowEnd - text.length + 1);
    if (!this.#isFound) return;
    while (this.#at < bytes.length && !text.startsWith(bytes.toString('latin1', this.#at))) this.#at++;
  }
}
