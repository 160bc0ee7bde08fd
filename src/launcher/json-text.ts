/** UTF-8 text as a JSON string, many times faster than JSON.stringify: job output is most of what the plugin writes. */
import { byteLoop } from '../system/byte-loop.ts';
import { BLOCK_BYTES, TABLE } from '../system/loop-memory.ts';

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

/** What must be escaped in 16 bytes: a backslash, and what is less than the code after a quote if code 2 is exchanged with it. */
const special = (bytes: string): string => `(v128.or
  (i8x16.lt_u (v128.xor (local.get ${bytes}) (local.get $twos)) (local.get $limits))
  (i8x16.eq (local.get ${bytes}) (local.get $backslashes)))`;

/** 32 bytes at a time are copied; the first one of them that must be escaped is, and the next 32 begin after it. */
const escapeLoop = byteLoop(
  `
  (local $first v128) (local $second v128) (local $twos v128) (local $limits v128) (local $backslashes v128)
  (local $found i32) (local $letter i32)
  (local.set $twos (i8x16.splat (i32.const ${QUOTE - SPACE})))
  (local.set $limits (i8x16.splat (i32.const ${SPACE + 1})))
  (local.set $backslashes (i8x16.splat (i32.const ${BACKSLASH})))
  (block $done
    (loop $next
      (br_if $done (i32.ge_u (local.get $at) (local.get $end)))
      (v128.store (local.get $out) (local.tee $first (v128.load (local.get $at))))
      (v128.store offset=16 (local.get $out) (local.tee $second (v128.load offset=16 (local.get $at))))
      (local.set $first ${special('$first')})
      (local.set $second ${special('$second')})
      (if (i32.eqz (v128.any_true (v128.or (local.get $first) (local.get $second)))) (then
        (local.set $at (i32.add (local.get $at) (i32.const 32)))
        (local.set $out (i32.add (local.get $out) (i32.const 32)))
        (br $next)))
      (local.set $found (i32.or
        (i8x16.bitmask (local.get $first))
        (i32.shl (i8x16.bitmask (local.get $second)) (i32.const 16))))
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

/** Fewer bytes are not given to the loop where the end of the buffer is near. */
const MIN_BYTES = 256;

/**
 * Writes UTF-8 text as a JSON string in UTF-8 to `out`, byte for byte what JSON.stringify makes of the text; returns where it
 * ends, or -1 if it may not fit. It may be up to MAX_JSON_BYTES_PER_BYTE times as long, and has two quotes.
 */
export function writeJsonText(text: Uint8Array, out: Buffer, start: number): number {
  const loop = text.length < SHORT_BYTES ? undefined : escapeLoop();
  let written = start;
  out[written++] = QUOTE;
  if (loop === undefined) {
    if (out.length < written + text.length * MAX_JSON_BYTES_PER_BYTE + 1) return -1;
    written = writeEscaped(text, out, written);
  } else {
    const bytes = Buffer.from(text.buffer, text.byteOffset, text.length);
    for (let at = 0; at < bytes.length; ) {
      const left = bytes.length - at;
      const fitting = Math.floor((out.length - 1 - written) / MAX_JSON_BYTES_PER_BYTE);
      const given = Math.min(BLOCK_BYTES, left, fitting);
      if (given < left && given < MIN_BYTES) return -1;
      written = loop.run(bytes, at, at + given, out, written);
      at += given;
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
