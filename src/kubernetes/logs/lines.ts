/** Lines of a log that is read with timestamps: what is new in them, without the stamps. */
import type { LogPosition, Resume } from './position.ts';
import { compareStamps, type Stamp, StampReader } from './stamps.ts';

const NEWLINE = 10;

/** Container runtimes cut long lines into records of this size; kubelets before 1.26 or so stamp each of them. */
const RECORD_BYTES = 16 * 1024;

/** What is kept of the kubelet's own words. */
const FOREIGN_BYTES = 500;

/**
 * Takes the stamps out of one answer of the kubelet, drops what was delivered before, and keeps the position up to date.
 * Bytes pass as they are.
 */
export class StampedLines {
  readonly #position: LogPosition;
  readonly #resume: Resume;
  /** Bytes that may be the beginning of a stamp. */
  #held: Buffer = Buffer.alloc(0);
  #expecting: 'line' | 'record' | 'content' = 'line';
  #stamp: Stamp | undefined;
  /** Bytes of the line that are still to be dropped; all of it: Infinity. */
  #drop = 0;
  #recordBytes = 0;
  #lineBytes = 0;
  #foreign: string | undefined;
  #hasNews = false;

  constructor(position: LogPosition) {
    this.#position = position;
    this.#resume = position.resume();
  }

  /** A line without a stamp is the kubelet's own error text (kubernetes-facts.md 95); nothing after it is taken. */
  get foreign(): string | undefined {
    return this.#foreign;
  }

  /** Set as soon as it is known that lines may be lost between these two. */
  get gap(): { readonly from: Stamp; readonly to: Stamp } | undefined {
    return this.#resume.gap;
  }

  /** Did it hold anything that had not been delivered? */
  get hasNews(): boolean {
    return this.#hasNews;
  }

  /** Did it hold all that had been delivered before, as far as the node was asked for it? */
  get reached(): boolean {
    const isCutInDelivered = this.#drop > 0;
    return this.#resume.reached && !isCutInDelivered;
  }

  /** What is new in these pieces, without stamps. A node sends each line of a follow as a piece of its own (kubernetes-facts.md 87). */
  push(pieces: readonly Uint8Array[]): Buffer {
    const bytes = Buffer.concat([this.#held, ...pieces]);
    this.#held = Buffer.alloc(0);
    if (this.#foreign === undefined) return this.#take(bytes);
    this.#foreign = (this.#foreign + bytes.toString('utf8')).slice(0, FOREIGN_BYTES);
    return Buffer.alloc(0);
  }

  /** The answer has ended in order: what was held back is content, or the kubelet's own words. */
  end(): Buffer {
    const held = this.#held;
    this.#held = Buffer.alloc(0);
    if (held.length === 0) return held;
    if (this.#expecting === 'record') {
      this.#expecting = 'content';
      this.#recordBytes = 0;
      return this.#take(held);
    }
    this.#foreign = held.toString('utf8');
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
            this.#foreign = bytes.toString('utf8', i, i + FOREIGN_BYTES);
            break;
          }
          this.#beginLine(found);
          i += found.length;
        } else if (found !== undefined && this.#stamp !== undefined && compareStamps(found, this.#stamp) >= 0) {
          i += found.length;
        }
        this.#expecting = 'content';
        this.#recordBytes = 0;
        continue;
      }
      const newline = bytes.indexOf(NEWLINE, i);
      const lineEnd = newline === -1 ? bytes.length : newline + 1;
      const recordEnd = i + RECORD_BYTES - this.#recordBytes;
      const end = Math.min(lineEnd, recordEnd);
      const from = Math.min(end, i + this.#drop);
      this.#drop -= from - i;
      if (from < end) {
        bytes.copyWithin(written, from, end);
        written += end - from;
        this.#hasNews = true;
        this.#position.deliver(end - from);
      }
      this.#recordBytes += end - i;
      this.#lineBytes += end - i;
      i = end;
      if (newline !== -1 && end === lineEnd) this.#endLine();
      else if (this.#recordBytes === RECORD_BYTES) this.#expecting = 'record';
    }
    return bytes.subarray(0, written);
  }

  #beginLine(stamp: Stamp): void {
    this.#stamp = stamp;
    this.#lineBytes = 0;
    const verdict = this.#resume.line(stamp, this.#position);
    if (verdict === 'drop') {
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
