/** Position in a log, from which another connection continues exactly. */
import { compareStamps, type Stamp } from './stamps.ts';

/**
 * How far clocks may step back without a request for the complete log, in seconds. Lines are requested from this long before
 * the last one, because the next line may have an earlier timestamp.
 */
const MARGIN_S = 10;
/** Seconds with output that are counted; more than are needed for the margin. */
const MAX_SECONDS = 32;
/** Timestamps of delivered lines that are kept for a log with a removed start. */
export const MAX_RECENT = 64;

/** The last timestamps of delivered lines, as numbers: an object for each line would be garbage for each line. */
class RecentStamps {
  readonly #seconds = new Float64Array(MAX_RECENT).fill(Number.NaN);
  readonly #nanos = new Float64Array(MAX_RECENT);
  #at = 0;

  add(second: number, nanos: number): void {
    this.#seconds[this.#at] = second;
    this.#nanos[this.#at] = nanos;
    this.#at = (this.#at + 1) % MAX_RECENT;
  }

  has({ second, nanos }: Stamp): boolean {
    return this.#seconds.some((known, at) => known === second && this.#nanos[at] === nanos);
  }
}

/** Delivered lines with a timestamp of one second. */
interface Second {
  readonly second: number;
  /** The first line of this second or a later one; undefined if a request since this second may start in the middle of a line. */
  readonly head: Stamp | undefined;
  lines: number;
}

/** The delivered lines that a request since a second returns, and the first of them. */
interface Bucket {
  /** undefined: the start of the log. */
  readonly second: number | undefined;
  readonly head: Stamp;
  readonly lines: number;
}

/**
 * How much of a log was delivered, so that it can be continued exactly.
 *
 * A kubelet returns all lines with a timestamp since a second, in the order of the file. So the position is: N lines since
 * second S were delivered, the first of them with this timestamp, and M bytes of the next line. It counts instead of comparing
 * timestamps, because they are not in order: stdout and stderr have two readers, and clocks of nodes step back. Timestamps
 * decide only if the first line is another one, because the node has removed the start of the log.
 */
export class LogPosition {
  /** False if the node writes no timestamps within lines. */
  hasRecordStamps: boolean;
  /** Ascending. */
  #seconds: Second[] = [];
  /** All lines that were counted; undefined if their number is unknown. */
  #all: { second: number | undefined; head: Stamp | undefined; lines: number } | undefined = {
    second: undefined,
    head: undefined,
    lines: 0,
  };
  #newestSecond = Number.NEGATIVE_INFINITY;
  /** A timestamp went back by more than the margin. */
  #isUnordered = false;
  /** Timestamp of the last line; NaN: none. */
  #lastSecond = Number.NaN;
  #lastNanos = 0;
  /** Complete lines in a row with the last timestamp. */
  #equal = 0;
  /** Bytes of a line that was started and not completed. */
  #open: number | undefined;
  #lastLineWasLong = false;
  readonly #recent = new RecentStamps();

  constructor(hasRecordStamps = true) {
    this.hasRecordStamps = hasRecordStamps;
  }

  /** The second to request the log from; undefined: the start of the log. */
  get since(): number | undefined {
    return this.#bucket()?.second;
  }

  /** Timestamp of the last line that was delivered, or partly delivered. */
  get last(): Stamp | undefined {
    return Number.isNaN(this.#lastSecond) ? undefined : { second: this.#lastSecond, nanos: this.#lastNanos };
  }

  /** Of the line that was delivered last; NaN: there was none. */
  get lastSecond(): number {
    return this.#lastSecond;
  }

  /** True if the last line was delivered without its end. */
  get isInLine(): boolean {
    return this.#open !== undefined;
  }

  /** Decides what is new in the answer to a request with `since`. */
  resume(): Resume {
    const { last } = this;
    if (last === undefined) return new Resume(undefined);
    const bucket = this.#bucket();
    return new Resume({
      since: bucket?.second,
      head: bucket?.head,
      lines: bucket?.lines ?? 0,
      last,
      equal: this.#equal,
      open: this.#open,
      recent: this.#recent,
    });
  }

  /** An undelivered line starts. */
  begin(stamp: Stamp): void {
    if (stamp.second > this.#newestSecond) {
      this.#newestSecond = stamp.second;
      // The records of a long line have timestamps of their own, and later ones may belong to this second.
      this.#seconds.push({ second: stamp.second, head: this.#lastLineWasLong ? undefined : stamp, lines: 0 });
      if (this.#seconds.length > MAX_SECONDS) this.#seconds.shift();
    } else if (this.#newestSecond - stamp.second > MARGIN_S && !this.#isUnordered) {
      this.#isUnordered = true;
      if (this.#all?.second !== undefined) this.#all = undefined;
    }
    if (stamp.second !== this.#lastSecond || stamp.nanos !== this.#lastNanos) this.#setLast(stamp.second, stamp.nanos);
    if (this.#all !== undefined) this.#all.head ??= stamp;
    this.#open = 0;
  }

  /** More bytes of the open line were delivered. */
  deliver(bytes: number): void {
    this.#open = (this.#open ?? 0) + bytes;
  }

  /** The open line has ended. */
  complete(isLong: boolean): void {
    this.#complete(1, 1, isLong);
  }

  /**
   * Complete short lines with timestamps of `lastSecond` were delivered, each with `begin`, `deliver` and
   * `complete`. `nanos`: of those lines that differ from the line before them, at least the last MAX_RECENT; `equal`: the lines
   * with the last timestamp.
   */
  completeLines(lines: number, nanos: readonly number[], equal: number): void {
    for (const each of nanos) if (each !== this.#lastNanos) this.#setLast(this.#lastSecond, each);
    this.#complete(lines, equal, false);
  }

  /** The node has removed lines: the log since this second now starts with this timestamp, and N lines of it were delivered. */
  rebase(since: number | undefined, head: Stamp, lines: number): void {
    this.#all = { second: since, head, lines };
    this.#seconds = [];
  }

  #complete(lines: number, equal: number, isLong: boolean): void {
    this.#open = undefined;
    this.#equal += equal;
    this.#lastLineWasLong = isLong;
    const second = this.#lastSecond;
    this.#countOf(second).lines += lines;
    const all = this.#all;
    if (all !== undefined && (all.second === undefined || second >= all.second)) all.lines += lines;
  }

  #setLast(second: number, nanos: number): void {
    this.#lastSecond = second;
    this.#lastNanos = nanos;
    this.#equal = 0;
    this.#recent.add(second, nanos);
  }

  /** The count of a second, which is usually the last one. */
  #countOf(second: number): Second {
    let at = this.#seconds.length - 1;
    for (let known = this.#seconds[at]; known !== undefined && known.second >= second; known = this.#seconds[--at]) {
      if (known.second === second) return known;
    }
    const added: Second = { second, head: undefined, lines: 0 };
    // A second older than all that are counted would not be complete.
    if (at >= 0 || this.#seconds.length === 0) this.#seconds.splice(at + 1, 0, added);
    return added;
  }

  /** The bucket to continue from: the newest one that is older than the margin, else all lines. */
  #bucket(): Bucket | undefined {
    const { last } = this;
    if (!this.#isUnordered && last !== undefined) {
      let lines = 0;
      for (let at = this.#seconds.length - 1; at >= 0; at--) {
        const entry = this.#seconds[at];
        if (entry === undefined) break;
        lines += entry.lines;
        const { second, head } = entry;
        if (head !== undefined && second <= last.second - MARGIN_S) return { second, head, lines };
      }
    }
    const { second, head, lines = 0 } = this.#all ?? {};
    return head === undefined ? undefined : { second, head, lines };
  }
}

interface Delivered {
  /** The second of the request; undefined: the start of the log. */
  readonly since: number | undefined;
  /** undefined: it is unknown how many lines of the answer were delivered. */
  readonly head: Stamp | undefined;
  readonly lines: number;
  readonly last: Stamp;
  readonly equal: number;
  readonly open: number | undefined;
  readonly recent: RecentStamps;
}

/** Drop the line, or deliver it from this byte on (`begun`: its start was delivered). */
type LineVerdict =
  | { readonly outcome: 'drop' }
  | { readonly outcome: 'deliver'; readonly from: number; readonly begun: boolean };

const DROP: LineVerdict = { outcome: 'drop' };
const NEW_LINE: LineVerdict = { outcome: 'deliver', from: 0, begun: false };

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

  /** True if nothing more of the answer was delivered before. */
  get isOver(): boolean {
    return this.#mode === 'new';
  }

  /** True if the answer contains everything delivered before; otherwise it does not prove the end of the log. */
  get reached(): boolean {
    const delivered = this.#delivered;
    if (delivered === undefined || this.#mode === 'new') return true;
    if (this.#mode === 'first' || delivered.open !== undefined) return false;
    return this.#mode === 'counting' && this.#seen >= delivered.lines;
  }

  /** Updates the position if the node has removed the start of the counted lines. */
  line(stamp: Stamp, position: LogPosition): LineVerdict {
    const delivered = this.#delivered;
    if (delivered === undefined || this.#mode === 'new') return NEW_LINE;
    if (this.#mode === 'first') {
      this.#first = stamp;
      const isHead = delivered.head !== undefined && compareStamps(stamp, delivered.head) === 0;
      this.#mode = isHead ? 'counting' : 'comparing';
      if (!isHead && compareStamps(stamp, delivered.last) > 0 && !delivered.recent.has(stamp))
        this.gap = { from: delivered.last, to: stamp };
    }
    const isCounting = this.#mode === 'counting';
    const verdict = isCounting ? this.#count(delivered) : this.#compare(stamp, delivered);
    if (verdict.outcome === 'drop') this.#seen++;
    const isFound = !isCounting && this.#equal === delivered.equal && delivered.open === undefined;
    if (verdict.outcome === 'drop' && !isFound) return verdict;
    if (!isCounting) position.rebase(delivered.since, this.#first ?? stamp, this.#seen);
    this.#mode = 'new';
    return verdict;
  }

  #count(delivered: Delivered): LineVerdict {
    if (this.#seen < delivered.lines) return DROP;
    return { outcome: 'deliver', from: delivered.open ?? 0, begun: delivered.open !== undefined };
  }

  /** Lines up to the last one that was delivered are dropped; without it, those that are not newer. */
  #compare(stamp: Stamp, delivered: Delivered): LineVerdict {
    const order = compareStamps(stamp, delivered.last);
    if (order !== 0) return order < 0 || delivered.recent.has(stamp) ? DROP : NEW_LINE;
    if (this.#equal < delivered.equal) {
      this.#equal++;
      return DROP;
    }
    return { outcome: 'deliver', from: delivered.open ?? 0, begun: delivered.open !== undefined };
  }
}
