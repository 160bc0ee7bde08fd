/** Lists and watches as bytes: protobuf where the server speaks it, else JSON, behind the same projection. */
import type { Log } from '../../system/log.ts';
import { BodyReader, FrameSplitter } from './protobuf/bodies.ts';
import { OBJECTS } from './protobuf/field-table.ts';
import { ProtobufError } from './protobuf/reader.ts';
import { LineSplitter } from './watch-lines.ts';

/** One event of a watch as it came; nothing of it is checked. */
export interface RawEvent {
  readonly type?: unknown;
  readonly object?: unknown;
}

/** How one answer is read. What cannot be read throws a SyntaxError or a ProtobufError. */
export interface Decoder {
  readonly body: (bytes: Uint8Array) => unknown;
  /** The events that this chunk of a watch completes, still encoded. */
  readonly split: (chunk: Uint8Array) => Iterable<Uint8Array>;
  readonly event: (bytes: Uint8Array) => RawEvent;
}

const PROTOBUF = 'application/vnd.kubernetes.protobuf';
const JSON_TYPE = 'application/json';
/** Protobuf that could not be read so many times is not asked for any more. */
const TROUBLES = 2;

/**
 * The encodings of one kind's lists and watches: protobuf, with JSON as second choice, where there is a table of its
 * fields (engineering-notes.md section 9), until that makes trouble; else JSON. What counts is the answer's content type.
 */
export class Encodings {
  readonly #kind: string;
  readonly #log: Log;
  #protobuf: BodyReader | undefined;
  #troubles = 0;

  constructor(kind: string, log: Log) {
    this.#kind = kind;
    this.#log = log;
    this.#protobuf = Object.hasOwn(OBJECTS, kind) ? new BodyReader() : undefined;
  }

  /** The Accept header. */
  accept(what: 'list' | 'watch'): string {
    if (this.#protobuf === undefined) return JSON_TYPE;
    return `${PROTOBUF}${what === 'watch' ? ';stream=watch' : ''}, ${JSON_TYPE}`;
  }

  decoder(contentType: string): Decoder {
    return isProtobuf(contentType) ? protobufDecoder(this.#protobuf ?? new BodyReader()) : jsonDecoder();
  }

  /** To be told why a list or a watch failed. */
  failed(error: Error): void {
    const trouble = error instanceof ProtobufError ? error : error.cause;
    if (this.#protobuf === undefined || !(trouble instanceof ProtobufError)) return;
    if (++this.#troubles < TROUBLES) return;
    this.#protobuf = undefined;
    const sentence = 'Objects of Kubernetes are read as JSON from now on, which takes more CPU time';
    this.#log.warning(sentence, { kind: this.#kind, error: trouble });
  }
}

export function isProtobuf(contentType: string): boolean {
  return contentType.startsWith(PROTOBUF);
}

function protobufDecoder(reader: BodyReader): Decoder {
  const splitter = new FrameSplitter();
  return {
    body: (bytes) => reader.body(bytes),
    split: (chunk) => splitter.push(chunk),
    event: (bytes) => reader.event(bytes),
  };
}

function jsonDecoder(): Decoder {
  const splitter = new LineSplitter();
  const parse = (bytes: Uint8Array): unknown => {
    try {
      return JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8'));
    } catch {
      // The parser's own words would repeat some of it.
      throw new SyntaxError('not JSON');
    }
  };
  return {
    body: parse,
    split: (chunk) => splitter.push(chunk),
    event: (bytes) => (parse(bytes) ?? {}) as RawEvent,
  };
}
