/** The most bytes that one byte of text takes in JSON: \u001b. */
export const MOST_JSON_BYTES = 6;

/**
 * What JSON writes after a backslash instead of each byte of a text, '' where it writes the byte itself. JSON escapes
 * characters of one byte only, so each byte passes as if it were a character.
 */
const ESCAPES: readonly string[] = Array.from({ length: 256 }, (_, byte) => {
  const [, ...after] = JSON.stringify(String.fromCharCode(byte)).slice(1, -1);
  return after.join('');
});
/** The first byte of each, 0 where there is none. */
const LETTERS = Uint8Array.from(ESCAPES, (written) => written.charCodeAt(0));
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
/** Begins the long form: \u001b. */
const LONG = 0x75;

/** Each of these holds its byte four times. */
const ONES = 0x01010101;
const BLANKS = 0x20202020;
const QUOTES = 0x22222222;
const BACKSLASHES = 0x5c5c5c5c;
const HIGH_BITS = 0x80808080;

/** Must one of these four bytes be escaped? They are looked at together, as one number: several times faster than one by one. */
function hasEscape(four: number): boolean {
  const quotes = four ^ QUOTES;
  const backslashes = four ^ BACKSLASHES;
  // A byte less than what is taken from it borrows: its high bit is set although it was not before.
  const below = (four - BLANKS) & ~four;
  return ((below | ((quotes - ONES) & ~quotes) | ((backslashes - ONES) & ~backslashes)) & HIGH_BITS) !== 0;
}

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** UTF-8 text as a JSON string in UTF-8, byte for byte what JSON.stringify makes of the text. */
export function jsonText(text: Uint8Array): Buffer {
  const { length } = text;
  const from = viewOf(text);
  // Always with room for the rest, unescaped, and the quote at the end.
  let out = Buffer.allocUnsafe(length + Math.ceil(length / 8) + 16);
  let to = viewOf(out);
  out[0] = QUOTE;
  let written = 1;
  let i = 0;
  while (i < length) {
    for (; i + 4 <= length; i += 4, written += 4) {
      const four = from.getInt32(i);
      if (hasEscape(four)) break;
      to.setInt32(written, four);
    }
    for (const end = Math.min(i + 4, length); i < end; i++) {
      const byte = text[i] ?? 0;
      const letter = LETTERS[byte] ?? 0;
      if (letter === 0) {
        out[written++] = byte;
        continue;
      }
      if (written + MOST_JSON_BYTES + (length - i) > out.length) {
        out = Buffer.concat([out.subarray(0, written)], 2 * out.length);
        to = viewOf(out);
      }
      out[written++] = BACKSLASH;
      out[written++] = letter;
      if (letter === LONG) written += out.write(ESCAPES[byte]?.slice(1) ?? '', written);
    }
  }
  out[written++] = QUOTE;
  return out.subarray(0, written);
}
