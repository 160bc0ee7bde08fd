/**
 * Bodies and watch frames of `application/vnd.kubernetes.protobuf`. A body is four magic bytes and a message Unknown,
 * whose `raw` is the object. A watch sends frames: four bytes of length, then a WatchEvent, whose object is a body.
 */
import { ProtobufError, ProtobufReader } from './protobuf.ts';
import { ENVELOPE, OBJECTS, WATCH_EVENT } from './protobuf-fields.ts';
import { MAX_WATCH_LINE } from './watch-lines.ts';

/** `k8s` and a zero. */
const MAGIC = [0x6b, 0x38, 0x73, 0x00] as const;

/** Reads bodies and events of one kind. */
export class BodyReader {
  readonly #reader = new ProtobufReader();

  /** The object in a body, as JSON has it but with the fields of protobuf-fields.ts only. Throws ProtobufError. */
  body(bytes: Uint8Array): Readonly<Record<string, unknown>> {
    if (MAGIC.some((byte, index) => bytes[index] !== byte)) {
      throw new ProtobufError('protobuf-envelope', 'a body does not begin as the protobuf encoding of Kubernetes does');
    }
    const { typeMeta, raw, contentEncoding } = this.#reader.read(bytes.subarray(MAGIC.length), ENVELOPE);
    if (contentEncoding !== undefined) {
      throw new ProtobufError('protobuf-envelope', `an object is encoded as ${contentEncoding}`);
    }
    const { apiVersion = '', kind = '' } = (typeMeta ?? {}) as { apiVersion?: string; kind?: string };
    const message = Object.hasOwn(OBJECTS, kind) ? OBJECTS[kind] : undefined;
    if (message === undefined) throw new ProtobufError('protobuf-unknown', `objects of kind ${kind} are not read`);
    // An object without any field has no `raw`.
    return { kind, apiVersion, ...(raw === undefined ? {} : this.#reader.read(raw as Uint8Array, message)) };
  }

  /** One event of a watch. Throws ProtobufError. */
  event(frame: Uint8Array): { readonly type: unknown; readonly object: unknown } {
    const { type, object } = this.#reader.read(frame, WATCH_EVENT);
    const raw = (object as { raw?: Uint8Array } | undefined)?.raw;
    return { type, object: raw === undefined ? undefined : this.body(raw) };
  }
}

const LENGTH_BYTES = 4;

/** Splits a body into frames as bytes arrive; a complete frame within one chunk is not copied. */
export class FrameSplitter {
  #parts: Uint8Array[] = [];
  #held = 0;
  /** How many bytes must be held before it is worth looking. */
  #wanted = LENGTH_BYTES;

  /** The frames that this chunk completes, without their lengths. Throws a ProtobufError beyond MAX_WATCH_LINE. */
  *push(chunk: Uint8Array): Generator<Uint8Array, void> {
    this.#parts.push(chunk);
    this.#held += chunk.length;
    if (this.#held < this.#wanted) return;
    const bytes = this.#parts.length === 1 ? chunk : Buffer.concat(this.#parts);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    let at = 0;
    for (;;) {
      this.#wanted = LENGTH_BYTES;
      if (bytes.length - at < LENGTH_BYTES) break;
      const length = view.getUint32(at);
      if (length > MAX_WATCH_LINE) {
        throw new ProtobufError('protobuf-length', `a watch sends a frame of ${length} bytes`);
      }
      this.#wanted += length;
      if (bytes.length - at < this.#wanted) break;
      yield bytes.subarray(at + LENGTH_BYTES, at + this.#wanted);
      at += this.#wanted;
    }
    this.#parts = at === bytes.length ? [] : [bytes.subarray(at)];
    this.#held = bytes.length - at;
  }
}
