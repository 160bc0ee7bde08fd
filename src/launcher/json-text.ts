/** UTF-8 text as a JSON string, several times faster than JSON.stringify: job output is most of what the plugin writes. */

/** The longest form of one byte of text in JSON: \u001b. */
export const MAX_JSON_BYTES_PER_BYTE = 6;

/**
 * What JSON writes after a backslash instead of each byte, '' where it writes the byte itself. JSON escapes characters of
 * one byte only, so each byte is treated as a character.
 */
const ESCAPES: readonly string[] = Array.from({ length: 256 }, (_, byte) => {
  const [, ...after] = JSON.stringify(String.fromCharCode(byte)).slice(1, -1);
  return after.join('');
});
/** The first byte of each, 0 for ''. */
const LETTERS = Uint8Array.from(ESCAPES, (written) => written.charCodeAt(0));
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
/** The letter of the long form: \u001b. */
const LONG = 0x75;

/** Each of these holds its byte four times. */
const ONES = 0x01010101;
const SPACES = 0x20202020;
const QUOTES = 0x22222222;
const BACKSLASHES = 0x5c5c5c5c;
const HIGH_BITS = 0x80808080;

/** Four bytes as one number, with the high bit set in each byte (or the one after it) that must be escaped. */
function escapesIn(four: number): number {
  const quotes = four ^ QUOTES;
  const backslashes = four ^ BACKSLASHES;
  // A byte smaller than its subtrahend borrows: its high bit is set although it was not before.
  return ((four - SPACES) & ~four) | ((quotes - ONES) & ~quotes) | ((backslashes - ONES) & ~backslashes);
}

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/**
 * Writes UTF-8 text as a JSON string in UTF-8 to `out`, byte for byte what JSON.stringify makes of the text; returns where it
 * ends. It may be up to MAX_JSON_BYTES_PER_BYTE times as long, and has two quotes.
 */
export function writeJsonText(text: Uint8Array, out: Buffer, start: number): number {
  const { length } = text;
  const from = viewOf(text);
  const to = viewOf(out);
  let written = start;
  out[written++] = QUOTE;
  let i = 0;
  while (i < length) {
    for (; i + 8 <= length; i += 8, written += 8) {
      const first = from.getInt32(i, true);
      const second = from.getInt32(i + 4, true);
      if (((escapesIn(first) | escapesIn(second)) & HIGH_BITS) !== 0) break;
      to.setInt32(written, first, true);
      to.setInt32(written + 4, second, true);
    }
    for (const end = Math.min(i + 8, length); i < end; i++) {
      const byte = text[i] ?? 0;
      const letter = LETTERS[byte] ?? 0;
      if (letter === 0) {
        out[written++] = byte;
        continue;
      }
      out[written++] = BACKSLASH;
      out[written++] = letter;
      if (letter === LONG) written += out.write(ESCAPES[byte]?.slice(1) ?? '', written);
    }
  }
  out[written++] = QUOTE;
  return written;
}
