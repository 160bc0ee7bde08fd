/**
 * Parser of one HTTP/1.1 answer (RFC 9112): reads status and headers, and removes the framing of the body. It is no library's,
 * because undici's work for each chunk costs more than a line of a log (architecture.md section 2).
 */
import { byteLoop } from '../../system/byte-loop.ts';
import { BLOCK_BYTES, RESULTS } from '../../system/loop-memory.ts';

/** Bytes of all that is not the body: status lines, headers, trailers. */
const MAX_HEAD_BYTES = 64 * 1024;
/** Digits of the size of a chunk: up to 4 GiB. */
const MAX_SIZE_DIGITS = 8;
/** Bytes of the extensions of one chunk, which are ignored. */
const MAX_EXTENSION_BYTES = 4 * 1024;
/** Digits of Content-Length: less than 2^53. */
const MAX_LENGTH_DIGITS = 15;

const CR = 13;
const LF = 10;
const SEMICOLON = 59;

const PROTOCOL = 'HTTP/1.';
const STATUS_LINE = /^HTTP\/1\.([01]) ([1-5]\d\d)(?: [\t\x20-\x7e\x80-\xff]*)?$/;
/** `;name`, `;name=value`, `;name="quoted"`. */
const EXTENSIONS = /^(?:;[!#$%&'*+.^_`|~\w-]+(?:=(?:[!#$%&'*+.^_`|~\w-]+|"[\t\x20\x21\x23-\x5b\x5d-\x7e]*"))?)+$/;
const HEADER = /^([!#$%&'*+.^_`|~\w-]+):([\t\x20-\x7e\x80-\xff]*)$/;

/** The answer is not HTTP/1.1, or beyond a limit. The message quotes nothing of the answer. */
class MalformedAnswerError extends Error {
  override readonly name = 'MalformedAnswerError';
  readonly code: 'not-http' | 'malformed-answer';

  constructor(code: MalformedAnswerError['code'], message: string) {
    super(message);
    this.code = code;
  }
}

type State =
  | 'head'
  /** Content-Length. */
  | 'fixed'
  /** The end of the connection is the end of the body. */
  | 'until-close'
  | 'size'
  | 'extension'
  /** The newline after the size of a chunk. */
  | 'size-end'
  | 'chunk'
  /** The empty line after a chunk. */
  | 'chunk-cr'
  | 'chunk-lf'
  | 'trailers'
  | 'complete';

/** Fewer bytes are parsed byte by byte: making the loop takes a millisecond. */
const MIN_BYTES = 8 * 1024;

/** Results of the loop: where it has stopped, what of the chunk is left, and what is expected there. */
const [STOPPED, LEFT, EXPECTED] = [0, 1, 2] as const;
const result = (index: number): number => RESULTS + 4 * index;
const EXPECTED_STATES = ['chunk', 'chunk-cr', 'size'] as const;

/**
 * Copies the contents of usual chunks: each has up to eight digits of its size without an extension, and is not the last one. $state is
 * what is left of the chunk; 0: its size is the first byte. Stops at the end of the input, and before all that is not usual.
 */
const chunkLoop = byteLoop(`
  (local $left i32) (local $next i32) (local $stop i32) (local $digit i32)
  (local.set $left (local.get $state))
  (local.set $state (i32.const 2))
  (block $done
    (loop $chunk
      ;; The size, unless the input starts within a chunk.
      (if (i32.eqz (local.get $left)) (then
        (br_if $done (i32.gt_u (i32.add (local.get $at) (i32.const ${MAX_SIZE_DIGITS + 2})) (local.get $end)))
        (local.set $next (local.get $at))
        (block $size
          (loop $digits
            (local.set $digit (i32.sub (i32.load8_u (local.get $next)) (i32.const 48)))
            (if (i32.gt_u (local.get $digit) (i32.const 9)) (then
              (local.set $digit (i32.sub (i32.or (i32.load8_u (local.get $next)) (i32.const 32)) (i32.const 97)))
              (br_if $size (i32.gt_u (local.get $digit) (i32.const 5)))
              (local.set $digit (i32.add (local.get $digit) (i32.const 10)))))
            (local.set $left (i32.or (i32.shl (local.get $left) (i32.const 4)) (local.get $digit)))
            (local.set $next (i32.add (local.get $next) (i32.const 1)))
            (br_if $digits
              (i32.lt_u (local.get $next) (i32.add (local.get $at) (i32.const ${MAX_SIZE_DIGITS}))))))
        (if (i32.ne (i32.load16_u (local.get $next)) (i32.const 0x0a0d)) (then (local.set $left (i32.const 0))))
        (br_if $done (i32.eqz (local.get $left)))
        (local.set $at (i32.add (local.get $next) (i32.const 2)))))
      ;; The content, 32 bytes at a time.
      (local.set $next (i32.sub (local.get $end) (local.get $at)))
      (if (i32.gt_u (local.get $next) (local.get $left)) (then (local.set $next (local.get $left))))
      (local.set $left (i32.sub (local.get $left) (local.get $next)))
      (local.set $stop (i32.add (local.get $out) (local.get $next)))
      (local.set $next (i32.add (local.get $at) (local.get $next)))
      (block $copied
        (loop $copy
          (br_if $copied (i32.ge_u (local.get $out) (local.get $stop)))
          (v128.store (local.get $out) (v128.load (local.get $at)))
          (v128.store offset=16 (local.get $out) (v128.load offset=16 (local.get $at)))
          (local.set $at (i32.add (local.get $at) (i32.const 32)))
          (local.set $out (i32.add (local.get $out) (i32.const 32)))
          (br $copy)))
      (local.set $out (local.get $stop))
      (local.set $at (local.get $next))
      (local.set $state (i32.const 0))
      (br_if $done (local.get $left))
      ;; The empty line.
      (local.set $state (i32.const 1))
      (br_if $done (i32.gt_u (i32.add (local.get $at) (i32.const 2)) (local.get $end)))
      (br_if $done (i32.ne (i32.load16_u (local.get $at)) (i32.const 0x0a0d)))
      (local.set $at (i32.add (local.get $at) (i32.const 2)))
      (local.set $state (i32.const 2))
      (br $chunk)))
  (i32.store offset=${result(STOPPED)} (i32.const 0) (local.get $at))
  (i32.store offset=${result(LEFT)} (i32.const 0) (local.get $left))
  (i32.store offset=${result(EXPECTED)} (i32.const 0) (local.get $state))
  (local.get $out)`);

export class AnswerParser {
  /** 0 until all headers have arrived. */
  status = 0;
  /** By name in lower case. */
  readonly headers = new Map<string, string[]>();
  #state: State = 'head';
  /** The line of the head, or the extension of a chunk, that has not ended. */
  #line = '';
  #headBytes = 0;
  /** Status of the head that is being read. */
  #nextStatus = 0;
  /** Bytes of the body, or of the chunk, that have not arrived. */
  #left = 0;
  #digits = 0;
  #isReusable = true;

  /** True if the answer has ended and another request may follow on the connection. */
  get isReusable(): boolean {
    return this.#state === 'complete' && this.#isReusable;
  }

  get isComplete(): boolean {
    return this.#state === 'complete';
  }

  /**
   * Parses received bytes. Those of the body are written to `target` from `start`, which has room for all; returns where they
   * end. Throws a MalformedAnswerError.
   */
  push(bytes: Buffer, target: Buffer, start: number): number {
    const end = bytes.length;
    let written = start;
    let i = 0;
    let isUsual = true;
    while (i < end) {
      if (isUsual && end - i >= MIN_BYTES && this.#isAtChunk) {
        const chunks = this.#takeChunks(bytes, i, target, written);
        if (chunks !== undefined) {
          ({ read: i, written } = chunks);
          isUsual = chunks.isUsual;
          continue;
        }
      }
      switch (this.#state) {
        case 'chunk':
        case 'fixed':
        case 'until-close': {
          const length = Math.min(this.#left, end - i);
          written += bytes.copy(target, written, i, i + length);
          i += length;
          this.#left -= length;
          if (this.#left > 0) continue;
          this.#state = this.#state === 'chunk' ? 'chunk-cr' : 'complete';
          continue;
        }
        case 'head':
        case 'trailers':
          i = this.#readLine(bytes, i, end);
          continue;
        case 'complete':
          // Nothing was requested that these bytes could answer.
          this.#isReusable = false;
          return written;
        default:
          this.#frame(bytes[i++] ?? 0);
      }
    }
    return written;
  }

  /** The server has closed the connection: true if that ends the answer in order. */
  close(): boolean {
    this.#isReusable = false;
    if (this.#state === 'until-close') this.#state = 'complete';
    return this.#state === 'complete';
  }

  get #isAtChunk(): boolean {
    return this.#state === 'chunk' || (this.#state === 'size' && this.#digits === 0);
  }

  /**
   * Takes usual chunks, many at a time. Returns where the next byte and the body end; undefined: the first byte is not usual.
   */
  #takeChunks(
    bytes: Buffer,
    start: number,
    target: Buffer,
    at: number,
  ): { readonly read: number; readonly written: number; readonly isUsual: boolean } | undefined {
    const loop = chunkLoop();
    // More than 31 bits would be negative.
    if (loop === undefined || this.#left > 0x7fffffff) return undefined;
    const written = loop.run(bytes, start, bytes.length, target, at, this.#left);
    const read = loop.distance(STOPPED);
    if (read === 0) return undefined;
    this.#expectChunk();
    this.#left = loop.result(LEFT) >>> 0;
    this.#state = EXPECTED_STATES[loop.result(EXPECTED)] ?? 'chunk';
    return { read: start + read, written, isUsual: read > Math.min(BLOCK_BYTES, bytes.length - start) / 2 };
  }

  /** One byte between the contents of chunks. */
  #frame(byte: number): void {
    switch (this.#state) {
      case 'size': {
        const digit = hexDigit(byte);
        if (digit >= 0 && this.#digits < MAX_SIZE_DIGITS) {
          this.#left = this.#left * 16 + digit;
          this.#digits++;
          return;
        }
        if (this.#digits === 0 || digit >= 0) throw malformed('the size of a chunk is malformed');
        if (byte === CR) this.#state = 'size-end';
        else if (byte === SEMICOLON) {
          this.#state = 'extension';
          this.#line = ';';
        } else throw malformed('the size of a chunk is malformed');
        return;
      }
      case 'extension':
        if (byte !== CR && this.#line.length < MAX_EXTENSION_BYTES) {
          this.#line += String.fromCharCode(byte);
          return;
        }
        if (byte !== CR || !EXTENSIONS.test(this.#line)) throw malformed('the extension of a chunk is malformed');
        this.#line = '';
        this.#state = 'size-end';
        return;
      case 'size-end':
        if (byte !== LF) throw malformed('the size of a chunk has no end');
        this.#state = this.#left === 0 ? 'trailers' : 'chunk';
        return;
      case 'chunk-cr':
        if (byte !== CR) throw malformed('a chunk has no end');
        this.#state = 'chunk-lf';
        return;
      default:
        if (byte !== LF) throw malformed('a chunk has no end');
        this.#expectChunk();
    }
  }

  #expectChunk(): void {
    this.#state = 'size';
    this.#digits = 0;
    this.#left = 0;
  }

  /** Reads a part of the head or of the trailers, at most to the end of the line; returns where it ends. */
  #readLine(bytes: Buffer, start: number, end: number): number {
    const limit = Math.min(end, start + MAX_HEAD_BYTES + 1 - this.#headBytes);
    const newline = bytes.subarray(start, limit).indexOf(LF);
    const stop = newline === -1 ? limit : start + newline + 1;
    this.#headBytes += stop - start;
    if (this.#headBytes > MAX_HEAD_BYTES) throw malformed(`the headers are longer than ${MAX_HEAD_BYTES / 1024} KiB`);
    const isFirst = this.#nextStatus === 0 && this.#line.length < PROTOCOL.length;
    this.#line += bytes.toString('latin1', start, stop);
    if (isFirst && !PROTOCOL.startsWith(this.#line.slice(0, PROTOCOL.length))) throw notHttp();
    if (newline === -1) return stop;
    const line = this.#line;
    this.#line = '';
    if (!line.endsWith('\r\n')) throw malformed('a line of the headers has no carriage return');
    this.#takeLine(line.slice(0, -2));
    return stop;
  }

  #takeLine(line: string): void {
    if (this.#nextStatus === 0) this.#takeStatus(line);
    else if (line === '' && this.#state === 'trailers') this.#state = 'complete';
    else if (line === '') this.#endHead();
    else {
      const [, name, value = ''] = HEADER.exec(line) ?? [];
      if (name === undefined) throw malformed('a header is malformed');
      const key = name.toLowerCase();
      if (this.#state === 'trailers') {
        if (key === 'transfer-encoding' || key === 'content-length') throw malformed('it has two lengths');
        // Other trailers are ignored.
        return;
      }
      const values = this.headers.get(key);
      const text = value.replace(/^[\t ]+/, '');
      if (values === undefined) this.headers.set(key, [text]);
      else values.push(text);
    }
  }

  #takeStatus(line: string): void {
    const [, minor, status] = STATUS_LINE.exec(line) ?? [];
    if (status === undefined) throw notHttp();
    this.#nextStatus = Number(status);
    this.#isReusable = minor === '1';
  }

  #endHead(): void {
    const status = this.#nextStatus;
    if (status < 102) throw malformed('nothing was requested that this status answers');
    const connection = this.#values('connection').flatMap((value) => value.toLowerCase().split(','));
    if (connection.some((option) => option.trim() === 'close')) this.#isReusable = false;
    if (status < 200) {
      if (!this.#isReusable) throw malformed('it ends before its headers');
      this.headers.clear();
      this.#nextStatus = 0;
      return;
    }
    this.status = status;
    const encodings = this.#values('transfer-encoding');
    const lengths = this.#values('content-length');
    if (encodings.length > 0 && lengths.length > 0) throw malformed('it has two lengths');
    if (status === 204 || status === 304) {
      if (encodings.length > 0 || lengths.some((length) => length !== '0')) this.#isReusable = false;
      this.#state = 'complete';
    } else if (encodings.length > 0) {
      if (encodings.length > 1 || encodings[0]?.toLowerCase() !== 'chunked')
        throw malformed('its transfer encoding is not chunked');
      this.#expectChunk();
    } else if (lengths.length > 0) this.#expectLength(lengths);
    else {
      this.#left = Number.POSITIVE_INFINITY;
      this.#state = 'until-close';
    }
  }

  #expectLength(lengths: readonly string[]): void {
    const [length = ''] = lengths;
    if (lengths.length > 1 || !/^\d+$/.test(length) || length.length > MAX_LENGTH_DIGITS)
      throw malformed('its length is malformed');
    this.#left = Number(length);
    this.#state = this.#left === 0 ? 'complete' : 'fixed';
  }

  #values(name: string): readonly string[] {
    return this.headers.get(name) ?? [];
  }
}

function malformed(why: string): MalformedAnswerError {
  return new MalformedAnswerError('malformed-answer', `the answer is malformed: ${why}`);
}

function notHttp(): MalformedAnswerError {
  return new MalformedAnswerError('not-http', 'the server does not speak HTTP/1.1');
}

/** -1 for other characters. */
function hexDigit(byte: number): number {
  if (byte >= 48 && byte <= 57) return byte - 48;
  const letter = byte | 32;
  return letter >= 97 && letter <= 102 ? letter - 87 : -1;
}
