/** Where the reading of a log stands, so that it goes on exactly there over another connection. */
import { compareStamps, type Stamp } from './stamps.ts';

/**
 * How far a log was delivered, so that it can be continued exactly.
 *
 * The kubelet can only be asked for "all lines since this second". So the position says: of the lines since second S,
 * the first of which has this stamp, so many were delivered, and so many bytes of the one after them. Counting, not
 * comparing stamps, because stdout and stderr are stamped by two readers and not quite in order. Only if the first
 * line is another one - the node has thrown away the beginning - do the stamps decide.
 * S is not the newest second but the one with output before it, for lines that are stamped late.
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

  /** Ask for the log since this second; undefined: from its beginning. */
  get since(): number | undefined {
    const second = this.#before?.second;
    if (second === undefined || this.#open === undefined || this.#last === undefined) return second;
    return Math.min(second, this.#last.second);
  }

  /** Stamp of the last line of which anything was delivered. */
  get last(): Stamp | undefined {
    return this.#last;
  }

  /** Was the last line delivered without its end? */
  get isInLine(): boolean {
    return this.#open !== undefined;
  }

  /** How to continue with the answer to a request with `since`. */
  resume(): Resume {
    const first = this.#before ?? this.#now;
    if (first === undefined || this.#last === undefined) return new Resume(undefined);
    const lines = (this.#before?.lines ?? 0) + (this.#now?.lines ?? 0);
    return new Resume({ head: first.head, lines, last: this.#last, equal: this.#equal, open: this.#open });
  }

  /** A line begins of which nothing was delivered yet. */
  begin(stamp: Stamp): void {
    if (stamp.second > this.#newestSecond) {
      this.#newestSecond = stamp.second;
      // The pieces of a long line are stamped one by one: later ones may belong to this second.
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

  /** So many more bytes of the open line were delivered. */
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

  /** The node has thrown away lines: from now on the log since `since` begins with this stamp, and so many lines of it are done. */
  rebase(head: Stamp, lines: number): void {
    this.#before = { second: this.since, head, lines, late: 0 };
    this.#now = undefined;
  }
}

/** Lines from the first one of a second on, up to the next bucket. */
interface Bucket {
  /** undefined: the beginning of what the node has. */
  readonly second: number | undefined;
  readonly head: Stamp;
  lines: number;
  /** How many of them are stamped before it; asking for the log since its second does not bring these. */
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

/** What to do with the line that begins now: drop it, or deliver it from this byte on (`begun`: some of it was). */
type LineVerdict = 'drop' | { readonly from: number; readonly begun: boolean };

const NEW_LINE: LineVerdict = { from: 0, begun: false };

/** Tells, for one answer of the kubelet, which lines were delivered already. */
export class Resume {
  readonly #delivered: Delivered | undefined;
  #mode: 'first' | 'counting' | 'comparing' | 'new';
  #seen = 0;
  #equal = 0;
  #first: Stamp | undefined;
  /** The lines after `from` and before `to` may be lost: the node no longer has what was delivered last. */
  gap: { readonly from: Stamp; readonly to: Stamp } | undefined;

  constructor(delivered: Delivered | undefined) {
    this.#delivered = delivered;
    this.#mode = delivered === undefined ? 'new' : 'first';
  }

  /** Has the answer come as far as what was delivered before it? One that has not is no proof of the end. */
  get reached(): boolean {
    const delivered = this.#delivered;
    if (delivered === undefined || this.#mode === 'new') return true;
    if (this.#mode === 'first' || delivered.open !== undefined) return false;
    return this.#mode === 'counting' ? this.#seen >= delivered.lines : this.#equal >= delivered.equal;
  }

  /** `position` is told when the node has thrown away the beginning of what was counted. */
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
