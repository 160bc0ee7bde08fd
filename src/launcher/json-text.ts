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

/** Has its high bit set in a byte (or one after it) that must be escaped. Four bytes are looked at as one number: several times faster. */
function escapesIn(four: number): number {
  const quotes = four ^ QUOTES;
  const backslashes = four ^ BACKSLASHES;
  // A byte less than what is taken from it borrows: its high bit is set although it was not before.
  return ((four - BLANKS) & ~four) | ((quotes - ONES) & ~quotes) | ((backslashes - ONES) & ~backslashes);
}

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** Texts up to what a frame of an output stream holds are written here, one after the other. */
let room = Buffer.alloc(0);
let roomView = viewOf(room);

/** UTF-8 text as a JSON string in UTF-8, byte for byte what JSON.stringify makes of the text. Good until the next call. */
export function jsonText(text: Uint8Array): Buffer {
  const { length } = text;
  const most = length * MOST_JSON_BYTES + 2;
  if (room.length < most) {
    room = Buffer.allocUnsafeSlow(most);
    roomView = viewOf(room);
  }
  const out = room;
  const to = roomView;
  const from = viewOf(text);
  out[0] = QUOTE;
  let written = 1;
  let i = 0;
  while (i < length) {
    for (; i + 8 <= length; i += 8, written += 8) {
      const first = from.getInt32(i);
      const second = from.getInt32(i + 4);
      if (((escapesIn(first) | escapesIn(second)) & HIGH_BITS) !== 0) break;
      to.setInt32(written, first);
      to.setInt32(written + 4, second);
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
  return out.subarray(0, written);
}
