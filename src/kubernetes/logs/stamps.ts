/** Timestamp that the kubelet writes before each line on request: RFC 3339 and a space (kubernetes-facts.md 88). */
export interface Stamp {
  /** Seconds since 1970. */
  readonly second: number;
  readonly nanos: number;
}

/** A timestamp in bytes. */
export interface ReadStamp extends Stamp {
  /** Length in bytes, with the space. */
  readonly length: number;
}

/** With a zone in hours and the space; nodes usually write `Z`. */
export const LONGEST_STAMP = 36;

const STAMP = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d) /;
const SHAPE = '0000-00-00T00:00:00';
/** Nodes write nine digits, `Z` and the space. */
export const NANO_DIGITS = 9;
export const USUAL_LENGTH = SHAPE.length + 1 + NANO_DIGITS + 2;
const ZERO = 48;
const NINE = 57;
/** `Z `. */
const ZULU_AND_SPACE = 0x5a20;

/** False if these bytes cannot start a timestamp, which is usually decided by the first byte. */
function looksLikeStamp(bytes: Uint8Array, start: number): boolean {
  const end = Math.min(bytes.length, start + SHAPE.length);
  for (let i = start; i < end; i++) {
    const byte = bytes[i] ?? 0;
    const wanted = SHAPE.charCodeAt(i - start);
    if (wanted === ZERO ? byte < ZERO || byte > NINE : byte !== wanted) return false;
  }
  return true;
}

/** Finds timestamps in a chunk of a log. */
export class StampReader {
  readonly #bytes: Buffer;
  readonly #view: DataView;
  /** A second and its text with the decimal point as five words of four bytes, which are compared faster. */
  #second = Number.NaN;
  readonly #words = new Int32Array((SHAPE.length + 1) / 4);

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
    this.#view = viewOf(bytes);
  }

  /**
   * The timestamp at `start`; 'short' if more bytes are needed; undefined if there is none. `before` is the timestamp of the
   * line before, which is usually of the same second.
   */
  at(start: number, before?: Stamp): ReadStamp | 'short' | undefined {
    const same = before === undefined ? -1 : this.nanosIn(before.second, start);
    if (before !== undefined && same !== -1) return { second: before.second, nanos: same, length: USUAL_LENGTH };
    const bytes = this.#bytes;
    if (!looksLikeStamp(bytes, start)) return undefined;
    const head = bytes.toString('latin1', start, Math.min(bytes.length, start + LONGEST_STAMP));
    const match = STAMP.exec(head);
    if (match === null) return head.length < LONGEST_STAMP && !/[ \n]/.test(head) ? 'short' : undefined;
    const [{ length }, local = '', nanos = '', zone = ''] = match;
    const milliseconds = Date.parse(local + zone);
    if (Number.isNaN(milliseconds)) return undefined;
    return { second: milliseconds / 1000, nanos: Number(nanos.padEnd(9, '0')), length };
  }

  /** Nanoseconds of the timestamp at `start`; -1 if it is not of this second or not in the usual format (kubernetes-facts.md 88). */
  nanosIn(second: number, start: number): number {
    const end = start + USUAL_LENGTH;
    const view = this.#view;
    if (end > view.byteLength || view.getUint16(end - 2) !== ZULU_AND_SPACE) return -1;
    if (second !== this.#second) this.#remember(second);
    const words = this.#words,
      bytes = this.#bytes;
    for (let i = 0; i < words.length; i++) if (view.getInt32(start + 4 * i) !== words[i]) return -1;
    let nanos = 0;
    for (let i = start + SHAPE.length + 1; i < end - 2; i++) {
      const digit = (bytes[i] ?? 0) - ZERO;
      if (digit < 0 || digit > 9) return -1;
      nanos = nanos * 10 + digit;
    }
    return nanos;
  }

  #remember(second: number): void {
    this.#second = second;
    const written = viewOf(Buffer.from(`${timeText(second)}.`));
    for (let i = 0; i < this.#words.length; i++) this.#words[i] = written.getInt32(4 * i);
  }
}

/** In UTC, without zone: `2026-11-23T10:00:01`. */
const timeText = (second: number): string => new Date(second * 1000).toISOString().slice(0, SHAPE.length);

const viewOf = (bytes: Buffer): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** Negative if `a` is earlier than `b`, 0 if they are equal. */
export function compareStamps(a: Stamp, b: Stamp): number {
  return a.second - b.second || a.nanos - b.nanos;
}

/** Formats a timestamp as nodes do. */
export function stampText({ second, nanos }: Stamp): string {
  return `${timeText(second)}.${String(nanos).padStart(9, '0')}Z`;
}

/** `sinceTime` of a log request: integer seconds, inclusive (kubernetes-facts.md 89). */
export function sinceTime(second: number): string {
  return `${timeText(second)}Z`;
}
