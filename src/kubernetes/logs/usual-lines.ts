/** The usual lines of a log, many at a time: short, complete, and with timestamps of one second in the format of nodes. */
import { byteLoop } from '../../system/byte-loop.ts';
import { LARGE_BYTES, RESULTS } from '../../system/loop-memory.ts';
import { type LogPosition, MAX_RECENT } from './position.ts';
import { NANO_DIGITS, USUAL_LENGTH } from './stamps.ts';

/** Longer lines may consist of records. */
export const LONG_LINE_BYTES = 8 * 1024;
/** Fewer bytes are taken line by line. */
const MIN_BYTES = 2 * 1024;

const NEWLINE = 10;
const ZERO = 48;
/** `2026-11-23T10:00:01.`: the length of what all lines begin with. */
const SECOND_LENGTH = USUAL_LENGTH - NANO_DIGITS - 2;
/** Results of the loop: where it has stopped, numbers of lines, and the digits of the last MAX_RECENT different timestamps. */
const [STOPPED, LINES, EQUAL, DIFFERENT, STAMPS] = [0, 1, 2, 3, 4] as const;
/** Of the digits of one timestamp, with what follows them. */
const DIGITS_BYTES = 16;
const result = (index: number): number => RESULTS + 4 * index;

/**
 * Copies lines without their timestamps until one is not usual, which begins where the loop stops. The first line decides the
 * second. The digits of a timestamp are $high (8 digits) and $low (the last one).
 */
const lineLoop = byteLoop(`
  (local $second v128) (local $rest i32) (local $line i32) (local $written i32)
  (local $high i64) (local $low i32) (local $lastHigh i64) (local $lastLow i32)
  (local $bytes v128) (local $digits v128) (local $newlines v128) (local $text i32) (local $found i32) (local $lines i32) (local $equal i32) (local $different i32)
  (local.set $newlines (i8x16.splat (i32.const ${NEWLINE})))
  (local.set $second (v128.load (local.get $at)))
  (local.set $rest (i32.load offset=16 (local.get $at)))
  (block $done
    (loop $next
      (local.set $line (local.get $at))
      (local.set $written (local.get $out))
      (br_if $done (i32.ge_u (i32.add (local.get $at) (i32.const ${USUAL_LENGTH})) (local.get $end)))
      ;; The timestamp: the same second, nine digits, Z and space.
      (br_if $done (v128.any_true (v128.xor (v128.load (local.get $at)) (local.get $second))))
      (br_if $done (i32.ne (i32.load offset=16 (local.get $at)) (local.get $rest)))
      (local.set $high (i64.load offset=${SECOND_LENGTH} (local.get $at)))
      (local.set $digits (v128.load offset=${SECOND_LENGTH} (local.get $at)))
      (local.set $low (i32.sub (i32.load8_u offset=${SECOND_LENGTH + 8} (local.get $at)) (i32.const ${ZERO})))
      (br_if $done (v128.any_true (i8x16.gt_u
        (i8x16.sub (i64x2.splat (local.get $high)) (i8x16.splat (i32.const ${ZERO})))
        (i8x16.splat (i32.const 9)))))
      (br_if $done (i32.gt_u (local.get $low) (i32.const 9)))
      (br_if $done (i32.ne (i32.load16_u offset=${USUAL_LENGTH - 2} (local.get $at)) (i32.const 0x205a)))
      ;; The newline, 32 bytes at a time. Nothing is written before it is found: the output may be the input.
      (local.set $at (i32.add (local.get $at) (i32.const ${USUAL_LENGTH})))
      (local.set $text (local.get $at))
      (block $newline
        (loop $search
          (br_if $done (i32.ge_u (local.get $at) (local.get $end)))
          (br_if $newline (v128.any_true (v128.or
            (i8x16.eq (v128.load (local.get $at)) (local.get $newlines))
            (i8x16.eq (v128.load offset=16 (local.get $at)) (local.get $newlines)))))
          (local.set $at (i32.add (local.get $at) (i32.const 32)))
          (br $search)))
      (local.set $found (i8x16.bitmask (i8x16.eq (v128.load (local.get $at)) (local.get $newlines))))
      (if (i32.eqz (local.get $found)) (then
        (local.set $at (i32.add (local.get $at) (i32.const 16)))
        (local.set $found (i8x16.bitmask (i8x16.eq (v128.load (local.get $at)) (local.get $newlines))))))
      (local.set $at (i32.add (local.get $at) (i32.add (i32.ctz (local.get $found)) (i32.const 1))))
      (br_if $done (i32.gt_u (local.get $at) (local.get $end)))
      (br_if $done (i32.gt_u (i32.sub (local.get $at) (local.get $text)) (i32.const ${LONG_LINE_BYTES})))
      ;; The text. What is written after it is part of its timestamp, or was read.
      (loop $copy
        (local.set $bytes (v128.load (local.get $text)))
        (v128.store offset=16 (local.get $out) (v128.load offset=16 (local.get $text)))
        (v128.store (local.get $out) (local.get $bytes))
        (local.set $text (i32.add (local.get $text) (i32.const 32)))
        (local.set $out (i32.add (local.get $out) (i32.const 32)))
        (br_if $copy (i32.lt_u (local.get $text) (local.get $at))))
      (local.set $out (i32.sub (local.get $out) (i32.sub (local.get $text) (local.get $at))))
      ;; A complete short line.
      (local.set $lines (i32.add (local.get $lines) (i32.const 1)))
      (local.set $equal (i32.add (local.get $equal) (i32.const 1)))
      (br_if $next (i32.and
        (i64.eq (local.get $high) (local.get $lastHigh))
        (i32.eq (local.get $low) (local.get $lastLow))))
      (local.set $equal (i32.const 1))
      (local.set $lastHigh (local.get $high))
      (local.set $lastLow (local.get $low))
      (v128.store offset=${result(STAMPS)}
        (i32.shl (i32.and (local.get $different) (i32.const ${MAX_RECENT - 1})) (i32.const ${Math.log2(DIGITS_BYTES)}))
        (local.get $digits))
      (local.set $different (i32.add (local.get $different) (i32.const 1)))
      (br $next)))
  (i32.store offset=${result(STOPPED)} (i32.const 0) (local.get $line))
  (i32.store offset=${result(LINES)} (i32.const 0) (local.get $lines))
  (i32.store offset=${result(EQUAL)} (i32.const 0) (local.get $equal))
  (i32.store offset=${result(DIFFERENT)} (i32.const 0) (local.get $different))
  (local.get $written)`);

export class UsualLines {
  /** Bytes that are given to the loop: less where it soon stops. */
  #bytes = MIN_BYTES;

  /**
   * Moves lines from `start` to `written` without their timestamps, and updates the position. Returns where the next line and the
   * output begin; undefined: the first line is not usual, or there are few bytes. The line that was delivered before the first one has the same second.
   */
  take(
    bytes: Buffer,
    start: number,
    written: number,
    position: LogPosition,
  ): { readonly read: number; readonly written: number } | undefined {
    const loop = bytes.length - start < MIN_BYTES ? undefined : lineLoop();
    if (loop === undefined) return undefined;
    const given = Math.min(this.#bytes, bytes.length - start);
    const end = loop.run(bytes, start, start + given, bytes, written);
    const lines = loop.result(LINES);
    const read = loop.distance(STOPPED);
    this.#bytes = read > given / 2 ? Math.min(LARGE_BYTES, given * 2) : Math.max(MIN_BYTES, given >> 1);
    if (lines === 0) return undefined;
    const different = loop.result(DIFFERENT);
    const nanos: number[] = [];
    for (let i = Math.max(0, different - MAX_RECENT); i < different; i++)
      nanos.push(nanosOf(loop.memory, result(STAMPS) + (i % MAX_RECENT) * DIGITS_BYTES));
    position.completeLines(lines, nanos, loop.result(EQUAL));
    return { read: start + read, written: end };
  }
}

function nanosOf(bytes: Buffer, start: number): number {
  let nanos = 0;
  for (let i = start; i < start + NANO_DIGITS; i++) nanos = nanos * 10 + (bytes[i] ?? 0) - ZERO;
  return nanos;
}
