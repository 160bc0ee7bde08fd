/** Lines of a log with timestamps: removes the timestamps and what was delivered before. */
import type { LogPosition, Resume } from './position.ts';
import { compareStamps, type Stamp, StampReader } from './stamps.ts';

const NEWLINE = 10;

/**
 * Container runtimes split long lines into records of 8 or 16 KiB, and kubelets before 1.26 or so write a timestamp before each
 * record. Whether this node does so is known after the first long line.
 */
const RECORD_BYTES = 8 * 1024;
const LONGEST_RECORD_BYTES = 16 * 1024;

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
  #held: Buffer = Buffer.alloc(0);
  #expecting: 'line' | 'record' | 'content' = 'line';
  #stamp: Stamp | undefined;
  /** Bytes of the line that are to be dropped; Infinity: all. */
  #drop = 0;
  #recordBytes = 0;
  #lineBytes = 0;
  #errorText: string | undefined;
  #hasOutput = false;

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

  /** The new bytes of these chunks, without timestamps. A node sends each line of a follow as a chunk (kubernetes-facts.md 87). */
  push(chunks: readonly Uint8Array[]): Buffer {
    const bytes = Buffer.concat([this.#held, ...chunks]);
    this.#held = Buffer.alloc(0);
    if (this.#errorText === undefined) return this.#take(bytes);
    this.#errorText = (this.#errorText + bytes.toString('utf8')).slice(0, ERROR_TEXT_BYTES);
    return Buffer.alloc(0);
  }

  /** For a regular end: the bytes held are content, or the error text of the kubelet. */
  end(): Buffer {
    const held = this.#held;
    this.#held = Buffer.alloc(0);
    if (held.length === 0) return held;
    if (this.#expecting === 'record') {
      this.#expecting = 'content';
      this.#recordBytes = 0;
      return this.#take(held);
    }
    this.#errorText = held.toString('utf8');
    return Buffer.alloc(0);
  }

  #take(bytes: Buffer): Buffer {
    const stamps = new StampReader(bytes);
    let written = 0;
    let i = 0;
    while (i < bytes.length) {
      if (this.#expecting !== 'content') {
        const found = stamps.at(i, this.#stamp);
        if (found === 'short') {
          this.#held = Buffer.from(bytes.subarray(i));
          break;
        }
        if (this.#expecting === 'line') {
          if (found === undefined) {
            this.#errorText = bytes.toString('utf8', i, i + ERROR_TEXT_BYTES);
            break;
          }
          this.#beginLine(found);
          i += found.length;
          this.#recordBytes = 0;
        } else if (this.#isRecordStamp(found)) {
          this.#position.recordBytes = this.#recordBytes;
          i += found.length;
          this.#recordBytes = 0;
        } else if (this.#recordBytes >= this.#longestRecordBytes()) {
          // A line of exactly this size proves nothing.
          if (this.#position.recordBytes === 0 && bytes[i] !== NEWLINE)
            this.#position.recordBytes = Number.POSITIVE_INFINITY;
          this.#recordBytes = 0;
        }
        this.#expecting = 'content';
        continue;
      }
      const newline = bytes.indexOf(NEWLINE, i);
      const lineEnd = newline === -1 ? bytes.length : newline + 1;
      const recordEnd = i + this.#nextRecordBytes() - this.#recordBytes;
      const end = Math.min(lineEnd, recordEnd);
      const from = Math.min(end, i + this.#drop);
      this.#drop -= from - i;
      if (from < end) {
        bytes.copyWithin(written, from, end);
        written += end - from;
        this.#hasOutput = true;
        this.#position.deliver(end - from);
      }
      this.#recordBytes += end - i;
      this.#lineBytes += end - i;
      i = end;
      if (newline !== -1 && end === lineEnd) this.#endLine();
      else if (i === recordEnd) this.#expecting = 'record';
    }
    return bytes.subarray(0, written);
  }

  /** Bytes of the record after which a timestamp may follow. */
  #nextRecordBytes(): number {
    const known = this.#position.recordBytes;
    if (known !== 0) return known;
    return this.#recordBytes < RECORD_BYTES ? RECORD_BYTES : LONGEST_RECORD_BYTES;
  }

  #longestRecordBytes(): number {
    return this.#position.recordBytes || LONGEST_RECORD_BYTES;
  }

  /** The timestamp of a record has the format of that of its line, and is not earlier; anything else is text. */
  #isRecordStamp(found: Stamp | undefined): found is Stamp {
    const line = this.#stamp;
    return found !== undefined && line !== undefined && found.length === line.length && compareStamps(found, line) >= 0;
  }

  #beginLine(stamp: Stamp): void {
    this.#stamp = stamp;
    this.#lineBytes = 0;
    const verdict = this.#resume.line(stamp, this.#position);
    if (verdict.outcome === 'drop') {
      this.#drop = Number.POSITIVE_INFINITY;
      return;
    }
    this.#drop = verdict.from;
    if (!verdict.begun) this.#position.begin(stamp);
  }

  #endLine(): void {
    if (this.#drop !== Number.POSITIVE_INFINITY) this.#position.complete(this.#lineBytes > RECORD_BYTES);
    this.#drop = 0;
    this.#expecting = 'line';
  }
}
