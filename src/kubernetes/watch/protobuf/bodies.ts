/**
 * Bodies and watch frames of `application/vnd.kubernetes.protobuf`. A body is four magic bytes and a message Unknown with
 * the object in `raw`. A watch sends frames: four bytes of length, then a WatchEvent with a body in `object`.
 */

import { ENVELOPE, OBJECTS, WATCH_EVENT } from './field-table.ts';
import { type Part, ProtobufError, ProtobufReader } from './reader.ts';

/** `k8s` and a zero byte. */
const MAGIC = [0x6b, 0x38, 0x73, 0x00] as const;

/** Decodes lists and watches of one kind; throws a ProtobufError. */
export interface ProtobufDecoder {
  readonly body: (bytes: Uint8Array) => unknown;
  readonly event: (frame: Uint8Array) => { readonly type: unknown; readonly object: unknown };
  /** For each watch: the frames that each chunk completes. */
  readonly splitter: () => (chunk: Uint8Array) => Iterable<Uint8Array>;
}

/** Undefined if there is no table of the fields of this kind. */
export function protobufDecoder(kind: string, maxFrame: number): ProtobufDecoder | undefined {
  if (!Object.hasOwn(OBJECTS, kind)) return undefined;
  const reader = new BodyReader();
  return {
    body: (bytes) => reader.body(bytes),
    event: (frame) => reader.event(frame),
    splitter: () => {
      const splitter = new FrameSplitter(maxFrame);
      return (chunk) => splitter.push(chunk);
    },
  };
}

/** Reads bodies and events of one kind. */
export class BodyReader {
  readonly #reader = new ProtobufReader();

  /** The object in a body, as in JSON but with the fields of field-table.ts only. Throws a ProtobufError. */
  body(bytes: Uint8Array): Readonly<Record<string, unknown>> {
    try {
      return this.#body(bytes, { start: 0, stop: bytes.length });
    } finally {
      // A page of a list has some MB.
      this.#reader.release();
    }
  }

  #body(bytes: Uint8Array, part: Part): Readonly<Record<string, unknown>> {
    const start = part.start + MAGIC.length;
    if (start > part.stop || MAGIC.some((byte, index) => bytes[part.start + index] !== byte)) {
      throw new ProtobufError('protobuf-envelope', 'a body does not start with the magic bytes of Kubernetes');
    }
    const envelope = this.#reader.read(bytes, ENVELOPE, { start, stop: part.stop });
    const { typeMeta, raw, contentEncoding } = envelope as {
      typeMeta?: TypeMeta;
      raw?: Part;
      contentEncoding?: string;
    };
    if (contentEncoding !== undefined) {
      throw new ProtobufError('protobuf-envelope', `an object is encoded as ${contentEncoding}`);
    }
    const { apiVersion = '', kind = '' } = typeMeta ?? {};
    const message = Object.hasOwn(OBJECTS, kind) ? OBJECTS[kind] : undefined;
    if (message === undefined)
      throw new ProtobufError('protobuf-unknown', `objects of kind ${kind} have no field table`);
    const object = { kind, apiVersion };
    // An object without fields has no `raw`.
    return raw === undefined ? object : this.#reader.read(bytes, message, raw, object);
  }

  /** One event of a watch. Throws a ProtobufError. */
  event(frame: Uint8Array): { readonly type: unknown; readonly object: unknown } {
    const { type, object } = this.#reader.read(frame, WATCH_EVENT);
    const raw = (object as { raw?: Part } | undefined)?.raw;
    return { type, object: raw === undefined ? undefined : this.#body(frame, raw) };
  }
}

interface TypeMeta {
  readonly apiVersion?: string;
  readonly kind?: string;
}

const LENGTH_BYTES = 4;

/** Splits a body into frames as bytes arrive; only a frame that is split between chunks is copied. */
export class FrameSplitter {
  #parts: Uint8Array[] = [];
  #held = 0;
  /** Missing bytes of a frame's length, then of the frame. */
  #wanted = LENGTH_BYTES;
  #inFrame = false;
  readonly #maxFrame: number;

  constructor(maxFrame: number) {
    this.#maxFrame = maxFrame;
  }

  /** The frames that this chunk completes, without lengths. Throws a ProtobufError if one is too long. */
  *push(chunk: Uint8Array): Generator<Uint8Array, void> {
    let at = 0;
    while (chunk.length - at >= this.#wanted - this.#held) {
      const start = at;
      at += this.#wanted - this.#held;
      this.#inFrame = !this.#inFrame;
      if (this.#inFrame) {
        this.#wanted =
          this.#held === 0
            ? this.#frameLength(chunk, start)
            : this.#frameLength(this.#complete(chunk.subarray(start, at)));
      } else {
        this.#wanted = LENGTH_BYTES;
        yield this.#complete(chunk.subarray(start, at));
      }
    }
    if (at === chunk.length) return;
    this.#parts.push(Buffer.from(chunk.subarray(at)));
    this.#held += chunk.length - at;
  }

  /** Joins the bytes held and these. */
  #complete(end: Uint8Array): Uint8Array {
    if (this.#held === 0) return end;
    const bytes = Buffer.concat([...this.#parts, end]);
    this.#parts = [];
    this.#held = 0;
    return bytes;
  }

  /** Four bytes in network order. */
  #frameLength(bytes: Uint8Array, at = 0): number {
    let length = 0;
    for (let index = at; index < at + LENGTH_BYTES; index++) length = length * 256 + (bytes[index] ?? 0);
    if (length > this.#maxFrame)
      throw new ProtobufError('protobuf-length', `the watch sends a frame of ${length} bytes`);
    return length;
  }
}
