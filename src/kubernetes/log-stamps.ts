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

/** The stamp at `start`; 'short' if more bytes are needed to tell; undefined if there is none. */
export function stampAt(
  bytes: Buffer,
  start: number,
): { readonly stamp: Stamp; readonly length: number } | 'short' | undefined {
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
