/**
 * Parser of one HTTP/1.1 answer (RFC 9112): reads status and headers, and removes the framing of the body in place. The one
 * exception to "HTTP framing is a library's" (architecture.md section 2): undici's work for each chunk costs more than a line of a log.
 */

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
   * Parses the received bytes from `start` to `end`. Bytes of the body are moved to `start`; returns where they end. Throws a
   * MalformedAnswerError.
   */
  push(bytes: Buffer, start: number, end: number): number {
    let written = start;
    let i = start;
    while (i < end) {
      switch (this.#state) {
        case 'chunk':
        case 'fixed':
        case 'until-close': {
          const length = Math.min(this.#left, end - i);
          if (written !== i) bytes.copyWithin(written, i, i + length);
          written += length;
          i += length;
          this.#left -= length;
          if (this.#left > 0) continue;
          if (this.#state !== 'chunk') this.#state = 'complete';
          else if (bytes[i] === CR && bytes[i + 1] === LF && i + 2 <= end) {
            i += 2;
            this.#expectChunk();
          } else this.#state = 'chunk-cr';
          continue;
        }
        case 'size': {
          const content = this.#digits === 0 ? this.#takeSize(bytes, i, end) : -1;
          if (content === -1) this.#frame(bytes[i++] ?? 0);
          else i = content;
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

  /**
   * The usual size of a chunk, which has arrived completely and has no extension: half the CPU time of reading it byte by byte.
   * Returns where the chunk starts; -1: it is another one.
   */
  #takeSize(bytes: Buffer, start: number, end: number): number {
    let size = 0;
    let i = start;
    for (const last = Math.min(start + MAX_SIZE_DIGITS, end - 2); i < last; i++) {
      const digit = hexDigit(bytes[i] ?? 0);
      if (digit < 0) break;
      size = size * 16 + digit;
    }
    if (size === 0 || i + 2 > end || bytes[i] !== CR || bytes[i + 1] !== LF) return -1;
    this.#left = size;
    this.#state = 'chunk';
    return i + 2;
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
