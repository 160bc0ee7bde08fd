/** Timestamp that the kubelet writes before each line on request: RFC 3339 and a space (kubernetes-facts.md 88). */
export interface Stamp {
  /** Up to the second in UTC, without zone: `2026-11-23T10:00:01`. */
  readonly time: string;
  /** Seconds since 1970. */
  readonly second: number;
  readonly nanos: number;
  /** Length in bytes, with the space. */
  readonly length: number;
}

/** With a zone in hours and the space; nodes usually write `Z`. */
const LONGEST_STAMP = 36;

const STAMP = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d) /;
const SHAPE = '0000-00-00T00:00:00';
/** With nine digits, `Z` and the space. */
const USUAL_LENGTH = SHAPE.length + 12;
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
  #time = '';
  readonly #words = new Int32Array((SHAPE.length + 1) / 4);

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
    this.#view = viewOf(bytes);
  }

  /**
   * The timestamp at `start`; 'short' if more bytes are needed; undefined if there is none. `before` is the timestamp of the
   * line before, which is usually of the same second.
   */
  at(start: number, before?: Stamp): Stamp | 'short' | undefined {
    const same = before === undefined ? undefined : this.#inSecond(start, before);
    if (same !== undefined) return same;
    const bytes = this.#bytes;
    if (!looksLikeStamp(bytes, start)) return undefined;
    const head = bytes.toString('latin1', start, Math.min(bytes.length, start + LONGEST_STAMP));
    const match = STAMP.exec(head);
    if (match === null) return head.length < LONGEST_STAMP && !/[ \n]/.test(head) ? 'short' : undefined;
    const [{ length }, local = '', nanos = '', zone = ''] = match;
    const milliseconds = Date.parse(local + zone);
    if (Number.isNaN(milliseconds)) return undefined;
    const time = new Date(milliseconds).toISOString().slice(0, SHAPE.length);
    return { time, second: milliseconds / 1000, nanos: Number(nanos.padEnd(9, '0')), length };
  }

  /** The timestamp at `start` if it has the second of `before` and the usual format (kubernetes-facts.md 88). */
  #inSecond(start: number, { time, second }: Stamp): Stamp | undefined {
    const end = start + USUAL_LENGTH;
    const view = this.#view;
    if (end > view.byteLength || view.getUint16(end - 2) !== ZULU_AND_SPACE) return undefined;
    if (time !== this.#time) this.#remember(time);
    const words = this.#words;
    for (let i = 0; i < words.length; i++) if (view.getInt32(start + 4 * i) !== words[i]) return undefined;
    let nanos = 0;
    for (let i = start + SHAPE.length + 1; i < end - 2; i++) {
      const digit = view.getUint8(i) - ZERO;
      if (digit < 0 || digit > 9) return undefined;
      nanos = nanos * 10 + digit;
    }
    return { time, second, nanos, length: USUAL_LENGTH };
  }

  #remember(time: string): void {
    this.#time = time;
    const written = viewOf(Buffer.from(`${time}.`));
    for (let i = 0; i < this.#words.length; i++) this.#words[i] = written.getInt32(4 * i);
  }
}

const viewOf = (bytes: Buffer): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** Negative if `a` is earlier than `b`, 0 if they are equal. */
export function compareStamps(a: Stamp, b: Stamp): number {
  return a.second - b.second || a.nanos - b.nanos;
}

/** Formats a timestamp as nodes do. */
export function stampText({ time, nanos }: Stamp): string {
  return `${time}.${String(nanos).padStart(9, '0')}Z`;
}

/** `sinceTime` of a log request: integer seconds, inclusive (kubernetes-facts.md 89). */
export function sinceTime(second: number): string {
  return new Date(second * 1000).toISOString().replace('.000Z', 'Z');
}
