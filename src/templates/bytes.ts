/** Strings as Go has them, sequences of bytes: UTF-8, and a lone surrogate U+DC80 to U+DCFF for each byte that is not. */

/** The code unit of a byte is this plus the byte, for bytes from 0x80 on. */
const BYTE_BASE = 0xdc00;

/** The number of bytes of a string. */
export function byteLength(text: string): number {
  if (text.isWellFormed()) return Buffer.byteLength(text, 'utf8');
  let length = 0;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x80) length++;
    else if (unit < 0x800) length += 2;
    else if (unit < 0xd800 || unit > 0xdfff) length += 3;
    else if (unit < 0xdc00) {
      // A pair: four bytes.
      length += 4;
      i++;
    } else length++;
  }
  return length;
}

/** The bytes of a string. */
export function toBytes(text: string): Uint8Array {
  if (text.isWellFormed()) return Buffer.from(text, 'utf8');
  const bytes = new Uint8Array(byteLength(text));
  let at = 0;
  for (const char of text) {
    const code = char.codePointAt(0) ?? 0;
    if (code >= BYTE_BASE && code <= 0xdfff) bytes[at++] = code - BYTE_BASE;
    else {
      const part = Buffer.from(char, 'utf8');
      bytes.set(part, at);
      at += part.length;
    }
  }
  return bytes;
}

/** The string of some bytes, each that is not part of valid UTF-8 kept. */
export function fromBytes(bytes: Uint8Array): string {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
  if (!text.includes('\ufffd')) return text;
  let result = '';
  for (let i = 0; i < bytes.length; ) {
    const length = sequenceLength(bytes, i);
    if (length === 0) result += String.fromCharCode(BYTE_BASE + (bytes[i] ?? 0));
    else result += Buffer.from(bytes.buffer, bytes.byteOffset + i, length).toString('utf8');
    i += Math.max(length, 1);
  }
  return result;
}

/** The length of the valid UTF-8 sequence at an index, 0 if there is none (overlong, surrogate, truncated). */
function sequenceLength(bytes: Uint8Array, at: number): number {
  const first = bytes[at] ?? 0;
  if (first < 0x80) return 1;
  const length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4) return 0;
  for (let i = 1; i < length; i++) if (((bytes[at + i] ?? 0) & 0xc0) !== 0x80) return 0;
  const second = bytes[at + 1] ?? 0;
  if (first === 0xe0 && second < 0xa0) return 0;
  if (first === 0xed && second > 0x9f) return 0;
  if (first === 0xf0 && second < 0x90) return 0;
  return first === 0xf4 && second > 0x8f ? 0 : length;
}

/** The bytes from `start` to before `end`, as Go slices a string. */
export function sliceBytes(text: string, start: number, end: number): string {
  return /^[\x00-\x7f]*$/.test(text) ? text.slice(start, end) : fromBytes(toBytes(text).subarray(start, end));
}

/** Orders strings by their bytes: below zero if `a` comes first. */
export function compareBytes(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    if (a.charCodeAt(i) === b.charCodeAt(i)) continue;
    // UTF-16 orders differently from bytes only where surrogates meet other characters.
    const surrogate = a.charCodeAt(i) >= 0xd800 || b.charCodeAt(i) >= 0xd800;
    if (surrogate) return Buffer.compare(toBytes(a), toBytes(b));
    return a.charCodeAt(i) - b.charCodeAt(i);
  }
  return a.length - b.length;
}

/** Strings one after another; bytes that are UTF-8 only together become characters. */
export function joined(parts: readonly string[], separator: string): string {
  const text = parts.join(separator);
  return text.isWellFormed() ? text : fromBytes(toBytes(text));
}
