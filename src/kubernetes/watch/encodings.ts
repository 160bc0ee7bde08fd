/** Lists and watches as bytes: protobuf where the server speaks it, else JSON, behind the same decoder. */
import { errorMessage } from '../../system/errors.ts';
import type { Log } from '../../system/log.ts';
import { type ProtobufDecoder, protobufDecoder } from './protobuf/bodies.ts';

/** Longest frame or line of a watch: an object of 3 MB, the most that a server stores, with room. */
export const MAX_WATCH_LINE = 32 * 1024 * 1024;

/** An answer is not what its content type says; its text quotes nothing of the answer. */
export class DecodeError extends Error {
  override readonly name = 'DecodeError';
  readonly code: 'not-json' | 'line-too-long' | 'not-protobuf';

  constructor(code: DecodeError['code'], message: string, cause?: unknown) {
    super(message, { cause });
    this.code = code;
  }
}

/** An event of a watch as it was sent; none of its fields is checked. */
export interface RawEvent {
  readonly type?: unknown;
  readonly object?: unknown;
}

/** Decoder of one answer. All functions throw a DecodeError. */
export interface Decoder {
  readonly isProtobuf: boolean;
  readonly body: (bytes: Uint8Array) => unknown;
  /** The events that this chunk of a watch completes, still encoded. */
  readonly split: (chunk: Uint8Array) => Iterable<Uint8Array>;
  readonly event: (bytes: Uint8Array) => RawEvent;
}

const PROTOBUF = 'application/vnd.kubernetes.protobuf';
const JSON_TYPE = 'application/json';
/** After this many answers in protobuf that cannot be decoded, JSON is requested. */
const MAX_PROTOBUF_FAILURES = 2;

/**
 * The encodings of one kind's lists and watches: protobuf, with JSON as second choice, where there is a table of its
 * fields (engineering-notes.md section 9), until decoding it fails repeatedly; else JSON. The content type of an answer decides.
 */
export class Encodings {
  readonly #kind: string;
  readonly #log: Log;
  readonly #protobuf: ProtobufDecoder | undefined;
  #failures = 0;

  constructor(kind: string, log: Log) {
    this.#kind = kind;
    this.#log = log;
    this.#protobuf = protobufDecoder(kind, MAX_WATCH_LINE);
  }

  /** The Accept header. */
  accept(what: 'list' | 'watch'): string {
    if (this.#protobuf === undefined || this.#failures >= MAX_PROTOBUF_FAILURES) return JSON_TYPE;
    return `${PROTOBUF}${what === 'watch' ? ';stream=watch' : ''}, ${JSON_TYPE}`;
  }

  decoder(contentType: string): Decoder {
    if (!contentType.startsWith(PROTOBUF)) return jsonDecoder();
    if (this.#protobuf === undefined)
      throw new DecodeError('not-json', 'protobuf instead of the JSON that was requested');
    return this.#counting(this.#protobuf);
  }

  /** Decodes the Status of a refused list or watch; {} if it cannot be decoded, undefined if it is not in protobuf. */
  status(bytes: Uint8Array, contentType: string): unknown {
    if (!contentType.startsWith(PROTOBUF)) return undefined;
    try {
      return this.#protobuf?.body(bytes) ?? {};
    } catch {
      return {};
    }
  }

  #counting(protobuf: ProtobufDecoder): Decoder {
    const split = protobuf.splitter();
    const attempt = <T>(decode: () => T): T => {
      try {
        return decode();
      } catch (error) {
        throw this.#failed(error);
      }
    };
    return {
      isProtobuf: true,
      body: (bytes) => attempt(() => protobuf.body(bytes)),
      // Collected, so that a frame that is too long counts here.
      split: (chunk) => attempt(() => [...split(chunk)]),
      event: (bytes) => attempt(() => protobuf.event(bytes)),
    };
  }

  #failed(error: unknown): DecodeError {
    if (++this.#failures === MAX_PROTOBUF_FAILURES)
      this.#log.warning(
        'Cannot decode protobuf of this kind; requesting JSON for it from now on, which takes more CPU time',
        {
          kind: this.#kind,
          error,
        },
      );
    return new DecodeError('not-protobuf', errorMessage(error), error);
  }
}

function jsonDecoder(): Decoder {
  const splitter = new LineSplitter();
  const parse = (bytes: Uint8Array): unknown => {
    try {
      return JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8'));
    } catch {
      // The parser's message would quote a part of it.
      throw new DecodeError('not-json', 'not JSON');
    }
  };
  return {
    isProtobuf: false,
    body: parse,
    split: (chunk) => splitter.push(chunk),
    event: (bytes) => (parse(bytes) ?? {}) as RawEvent,
  };
}

const NEWLINE = 10;

/**
 * Splits a body into lines as bytes arrive. Incomplete lines stay bytes until their end is there; a line that is complete
 * within one chunk is not copied.
 */
export class LineSplitter {
  #parts: Uint8Array[] = [];
  #length = 0;

  /** The lines that this chunk completes, without newlines and without empty lines. Throws a DecodeError beyond MAX_WATCH_LINE. */
  *push(chunk: Uint8Array): Generator<Uint8Array, void> {
    let start = 0;
    for (;;) {
      const end = chunk.indexOf(NEWLINE, start);
      if (end === -1) break;
      const tail = chunk.subarray(start, end);
      start = end + 1;
      if (this.#length === 0) {
        if (tail.length > 0) yield tail;
        continue;
      }
      this.#parts.push(tail);
      const line = Buffer.concat(this.#parts);
      this.#parts = [];
      this.#length = 0;
      yield line;
    }
    if (start === chunk.length) return;
    this.#parts.push(Buffer.from(chunk.subarray(start)));
    this.#length += chunk.length - start;
    if (this.#length > MAX_WATCH_LINE)
      throw new DecodeError('line-too-long', `a line of a watch is longer than ${MAX_WATCH_LINE} bytes`);
  }
}
