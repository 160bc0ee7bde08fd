/** Position in a log, from which another connection continues exactly. */
import { compareStamps, type Stamp } from './stamps.ts';

/**
 * How much of a log was delivered, so that it can be continued exactly.
 *
 * A kubelet returns all lines since a second. So the position is: N lines since second S were delivered, the first of them with
 * this timestamp, and M bytes of the next line. It counts instead of comparing timestamps, because stdout and stderr
 * have two readers, and their timestamps are not in order. Timestamps decide only if the first line is another one, because the
 * node has removed the start of the log. S is not the newest second but the one with output before it, for late lines.
 */
export class LogPosition {
  #before: Bucket | undefined;
  #now: Bucket | undefined;
  #newestSecond = Number.NEGATIVE_INFINITY;
  #last: Stamp | undefined;
  /** Complete lines that carry the last stamp. */
  #equal = 0;
  /** Bytes of a line that has begun and not ended. */
  #open: number | undefined;
  #lastLineWasLong = false;

  /** The second to request the log from; undefined: the start of the log. */
  get since(): number | undefined {
    const second = this.#before?.second;
    if (second === undefined || this.#open === undefined || this.#last === undefined) return second;
    return Math.min(second, this.#last.second);
  }

  /** Timestamp of the last line that was delivered, or partly delivered. */
  get last(): Stamp | undefined {
    return this.#last;
  }

  /** True if the last line was delivered without its end. */
  get isInLine(): boolean {
    return this.#open !== undefined;
  }

  /** Decides what is new in the answer to a request with `since`. */
  resume(): Resume {
    const first = this.#before ?? this.#now;
    if (first === undefined || this.#last === undefined) return new Resume(undefined);
    const lines = (this.#before?.lines ?? 0) + (this.#now?.lines ?? 0);
    return new Resume({ head: first.head, lines, last: this.#last, equal: this.#equal, open: this.#open });
  }

  /** An undelivered line starts. */
  begin(stamp: Stamp): void {
    if (stamp.second > this.#newestSecond) {
      this.#newestSecond = stamp.second;
      // The records of a long line have timestamps of their own, and later ones may belong to this second.
      if (!this.#lastLineWasLong) {
        if (this.#now !== undefined) this.#before = { ...this.#now, lines: this.#now.lines - this.#now.late };
        this.#now = { second: stamp.second, head: stamp, lines: 0, late: 0 };
      }
    }
    if (this.#last === undefined || compareStamps(this.#last, stamp) !== 0) {
      this.#last = stamp;
      this.#equal = 0;
    }
    this.#open = 0;
  }

  /** More bytes of the open line were delivered. */
  deliver(bytes: number): void {
    this.#open = (this.#open ?? 0) + bytes;
  }

  /** The open line has ended. */
  complete(long: boolean): void {
    this.#open = undefined;
    this.#equal++;
    this.#lastLineWasLong = long;
    const bucket = this.#now ?? this.#before;
    const second = this.#last?.second ?? Number.NEGATIVE_INFINITY;
    if (bucket === undefined || isBefore(second, this.#before)) return;
    bucket.lines++;
    if (isBefore(second, bucket)) bucket.late++;
  }

  /** The node has removed lines: the log since `since` now starts with this timestamp, and N lines of it were delivered. */
  rebase(head: Stamp, lines: number): void {
    this.#before = { second: this.since, head, lines, late: 0 };
    this.#now = undefined;
  }
}

/** Lines from the first line of a second up to the next bucket. */
interface Bucket {
  /** undefined: the start of the log. */
  readonly second: number | undefined;
  readonly head: Stamp;
  lines: number;
  /** Lines among them with an earlier timestamp, which a request since this second does not return. */
  late: number;
}

function isBefore(second: number, bucket: Bucket | undefined): boolean {
  return bucket?.second !== undefined && second < bucket.second;
}

interface Delivered {
  readonly head: Stamp;
  readonly lines: number;
  readonly last: Stamp;
  readonly equal: number;
  readonly open: number | undefined;
}

/** Drop the line, or deliver it from this byte on (`begun`: its start was delivered). */
type LineVerdict = 'drop' | { readonly from: number; readonly begun: boolean };

const NEW_LINE: LineVerdict = { from: 0, begun: false };

/** Decides which lines of one answer of the kubelet were delivered before. */
export class Resume {
  readonly #delivered: Delivered | undefined;
  #mode: 'first' | 'counting' | 'comparing' | 'new';
  #seen = 0;
  #equal = 0;
  #first: Stamp | undefined;
  /** Lines between these timestamps may be lost, because the node no longer has the last line that was delivered. */
  gap: { readonly from: Stamp; readonly to: Stamp } | undefined;

  constructor(delivered: Delivered | undefined) {
    this.#delivered = delivered;
    this.#mode = delivered === undefined ? 'new' : 'first';
  }

  /** True if the answer contains everything delivered before; otherwise it does not prove the end of the log. */
  get reached(): boolean {
    const delivered = this.#delivered;
    if (delivered === undefined || this.#mode === 'new') return true;
    if (this.#mode === 'first' || delivered.open !== undefined) return false;
    return this.#mode === 'counting' ? this.#seen >= delivered.lines : this.#equal >= delivered.equal;
  }

  /** Updates the position if the node has removed the start of the counted lines. */
  line(stamp: Stamp, position: LogPosition): LineVerdict {
    const delivered = this.#delivered;
    if (delivered === undefined || this.#mode === 'new') return NEW_LINE;
    if (this.#mode === 'first') {
      this.#first = stamp;
      this.#mode = compareStamps(stamp, delivered.head) === 0 ? 'counting' : 'comparing';
      if (this.#mode === 'comparing' && compareStamps(stamp, delivered.last) > 0) {
        this.gap = { from: delivered.last, to: stamp };
      }
    }
    const verdict = this.#mode === 'counting' ? this.#count(delivered) : this.#compare(stamp, delivered);
    if (verdict === 'drop') {
      this.#seen++;
      return verdict;
    }
    if (this.#mode === 'comparing') position.rebase(this.#first ?? stamp, this.#seen);
    this.#mode = 'new';
    return verdict;
  }

  #count(delivered: Delivered): LineVerdict {
    if (this.#seen < delivered.lines) return 'drop';
    return { from: delivered.open ?? 0, begun: delivered.open !== undefined };
  }

  #compare(stamp: Stamp, delivered: Delivered): LineVerdict {
    const order = compareStamps(stamp, delivered.last);
    if (order < 0) return 'drop';
    if (order > 0) return NEW_LINE;
    if (this.#equal++ < delivered.equal) return 'drop';
    return { from: delivered.open ?? 0, begun: delivered.open !== undefined };
  }
}
