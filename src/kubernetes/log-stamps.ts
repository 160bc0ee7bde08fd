/** The stamp that the kubelet puts before each line when asked for timestamps: RFC 3339 and one blank (FACTS 88). */
export interface Stamp {
  readonly text: string;
  /** Seconds since 1970, whole. */
  readonly second: number;
  /** Nine digits. */
  readonly nanos: string;
}

/** With an offset of hours and the blank; nodes usually write `Z`. */
export const LONGEST_STAMP = 36;

const STAMP = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d) /;
const SHAPE = '0000-00-00T00:00:00';
const ZERO = 48;
const NINE = 57;
const POINT = 46;
const ZULU = 90;
const BLANK = 32;

/** Could these bytes be, or become, a stamp? Decides most lines without one by their first byte. */
function looksLikeStamp(bytes: Uint8Array, start: number): boolean {
  const end = Math.min(bytes.length, start + SHAPE.length);
  for (let i = start; i < end; i++) {
    const byte = bytes[i] ?? 0;
    const wanted = SHAPE.charCodeAt(i - start);
    if (wanted === ZERO ? byte < ZERO || byte > NINE : byte !== wanted) return false;
  }
  return true;
}

/** Length of a stamp of the same second as `before`, in the form that nodes usually write; 0 if it is not one. */
function lengthInSecond(bytes: Buffer, start: number, before: Stamp): number {
  for (let i = 0; i < SHAPE.length; i++) if (bytes[start + i] !== before.text.charCodeAt(i)) return 0;
  let end = start + SHAPE.length + 1;
  if (bytes[end - 1] !== POINT || !before.text.endsWith('Z')) return 0;
  while (isDigit(bytes[end]) && end - start < SHAPE.length + 10) end++;
  return isDigit(bytes[end - 1]) && bytes[end] === ZULU && bytes[end + 1] === BLANK ? end + 2 - start : 0;
}

const isDigit = (byte: number | undefined): boolean => byte !== undefined && byte >= ZERO && byte <= NINE;

/**
 * The stamp at `start`; 'short' if more bytes are needed to tell; undefined if there is none. `before` is the stamp of the
 * line before, whose second most lines share: these are read several times faster.
 */
export function stampAt(
  bytes: Buffer,
  start: number,
  before?: Stamp,
): { readonly stamp: Stamp; readonly length: number } | 'short' | undefined {
  const length = before === undefined ? 0 : lengthInSecond(bytes, start, before);
  if (before !== undefined && length > 0) {
    const text = bytes.toString('latin1', start, start + length - 1);
    const nanos = text.slice(SHAPE.length + 1, -1).padEnd(9, '0');
    return { stamp: { text, second: before.second, nanos }, length };
  }
  if (!looksLikeStamp(bytes, start)) return undefined;
  const head = bytes.toString('latin1', start, Math.min(bytes.length, start + LONGEST_STAMP));
  const match = STAMP.exec(head);
  if (match === null) return head.length < LONGEST_STAMP && !/[ \n]/.test(head) ? 'short' : undefined;
  const [all, time = '', nanos = '', zone = ''] = match;
  const second = Date.parse(time + zone) / 1000;
  if (Number.isNaN(second)) return undefined;
  const text = all.slice(0, -1);
  return { stamp: { text, second, nanos: nanos.padEnd(9, '0') }, length: all.length };
}

/** Negative if `a` is earlier than `b`, 0 if they are the same. */
export function compareStamps(a: Stamp, b: Stamp): number {
  if (a.second !== b.second) return a.second - b.second;
  if (a.nanos === b.nanos) return 0;
  return a.nanos < b.nanos ? -1 : 1;
}

/** `sinceTime` of a log request: whole seconds, inclusive (FACTS 89). */
export function sinceTime(second: number): string {
  return new Date(second * 1000).toISOString().replace('.000Z', 'Z');
}
