/** UTF-8 text as a JSON string, many times faster than JSON.stringify: job output is most of what the plugin writes. */
import { BLOCK_BYTES, byteLoop, TABLE } from '../system/byte-loop.ts';

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
const SPACE = 0x20;
/** The letter of the long form, and its digits: \u001b. */
const LONG = 0x75;
const LONG_DIGITS = 4;

/** A shorter text is escaped byte by byte. */
const SHORT_BYTES = 2 * 1024;

/** 16 bytes at a time are copied; the first one of them that must be escaped is, and the next 16 begin after it. */
const escapeLoop = byteLoop(
  `
  (local $bytes v128) (local $found i32) (local $letter i32)
  (block $done
    (loop $next
      (br_if $done (i32.ge_u (local.get $at) (local.get $end)))
      (v128.store (local.get $out) (local.tee $bytes (v128.load (local.get $at))))
      (local.set $found (i8x16.bitmask (v128.or
        (i8x16.lt_u (local.get $bytes) (i8x16.splat (i32.const ${SPACE})))
        (v128.or
          (i8x16.eq (local.get $bytes) (i8x16.splat (i32.const ${QUOTE})))
          (i8x16.eq (local.get $bytes) (i8x16.splat (i32.const ${BACKSLASH})))))))
      (if (i32.eqz (local.get $found)) (then
        (local.set $at (i32.add (local.get $at) (i32.const 16)))
        (local.set $out (i32.add (local.get $out) (i32.const 16)))
        (br $next)))
      (local.set $found (i32.ctz (local.get $found)))
      (local.set $at (i32.add (local.get $at) (local.get $found)))
      (local.set $out (i32.add (local.get $out) (local.get $found)))
      (br_if $done (i32.ge_u (local.get $at) (local.get $end)))
      (local.set $letter (i32.load8_u offset=${TABLE} (i32.load8_u (local.get $at))))
      (i32.store8 (local.get $out) (i32.const ${BACKSLASH}))
      (i32.store8 offset=1 (local.get $out) (local.get $letter))
      (if (i32.eq (local.get $letter) (i32.const ${LONG})) (then
        (i32.store offset=2 (local.get $out)
          (i32.load offset=${TABLE + 256} (i32.shl (i32.load8_u (local.get $at)) (i32.const 2))))
        (local.set $out (i32.add (local.get $out) (i32.const ${LONG_DIGITS})))))
      (local.set $out (i32.add (local.get $out) (i32.const 2)))
      (local.set $at (i32.add (local.get $at) (i32.const 1)))
      (br $next)))
  ;; The last bytes that were copied may be after the end.
  (i32.sub (local.get $out) (i32.sub (local.get $at) (local.get $end)))`,
  // The letters, then the digits of the bytes that have the long form.
  Buffer.concat([
    LETTERS,
    Buffer.from(
      ESCAPES.slice(0, SPACE)
        .map((all) => all.slice(1).padEnd(LONG_DIGITS))
        .join(''),
    ),
  ]),
);

/**
 * Writes UTF-8 text as a JSON string in UTF-8 to `out`, byte for byte what JSON.stringify makes of the text; returns where it
 * ends. It may be up to MAX_JSON_BYTES_PER_BYTE times as long, and has two quotes.
 */
export function writeJsonText(text: Uint8Array, out: Buffer, start: number): number {
  const loop = text.length < SHORT_BYTES ? undefined : escapeLoop();
  let written = start;
  out[written++] = QUOTE;
  if (loop === undefined) written = writeEscaped(text, out, written);
  else {
    const bytes = Buffer.from(text.buffer, text.byteOffset, text.length);
    for (let at = 0; at < bytes.length; at += BLOCK_BYTES) {
      loop.run(bytes, at, bytes.length);
      written = loop.copy(out, written);
    }
  }
  out[written++] = QUOTE;
  return written;
}

/** The same as the loop, byte by byte. */
function writeEscaped(text: Uint8Array, out: Buffer, start: number): number {
  let written = start;
  for (const byte of text) {
    const letter = LETTERS[byte] ?? 0;
    if (letter === 0) {
      out[written++] = byte;
      continue;
    }
    out[written++] = BACKSLASH;
    out[written++] = letter;
    if (letter === LONG) written += out.write(ESCAPES[byte]?.slice(1) ?? '', written);
  }
  return written;
}
