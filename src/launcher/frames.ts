/**
 * Frames of the protocol (launcher-plugin-api.md section 4.1): four bytes with the length of the body, big-endian, then the
 * body, JSON in UTF-8. Both directions use them; a pipe may split and join them anywhere.
 */

const HEADER_BYTES = 4;

/** Received bytes that cannot be a frame: the rest of the stream is not usable, and the process ends with exit code 1. */
export class BrokenFrameError extends Error {
  override readonly name = 'BrokenFrameError';
  readonly code = 'broken-frame';
}

/** The body of one message in chunks: strings, and bytes that are UTF-8 already. */
export type FrameBody = readonly (string | Uint8Array)[];

/** The size of a body in bytes. */
export function bodyLength(body: FrameBody): number {
  return body.reduce((length, chunk) => length + Buffer.byteLength(chunk), 0);
}

/** Puts the body of one message into a frame. */
export function frame(body: string | FrameBody): Buffer {
  const chunks = typeof body === 'string' ? [body] : body;
  const length = bodyLength(chunks);
  const bytes = Buffer.allocUnsafe(HEADER_BYTES + length);
  let end = bytes.writeUInt32BE(length, 0);
  for (const chunk of chunks) {
    if (typeof chunk === 'string') end += bytes.write(chunk, end);
    else {
      bytes.set(chunk, end);
      end += chunk.length;
    }
  }
  return bytes;
}

/** Capacity that is kept between frames. */
const MIN_BUFFER_BYTES = 64 * 1024;

/** Finds the frames in bytes as they arrive. */
export class FrameReader {
  readonly #maxMessageSize: number;
  /** Bytes `begin` to `end` are not used yet. They are copied together, so that a frame in single bytes costs no more memory. */
  #buffer = Buffer.allocUnsafe(MIN_BUFFER_BYTES);
  #begin = 0;
  #end = 0;

  /** `maxMessageSize`: the largest body in bytes (option `max-message-size`). */
  constructor(maxMessageSize: number) {
    this.#maxMessageSize = maxMessageSize;
  }

  /** Bytes of a frame that has not arrived completely. */
  get pending(): number {
    return this.#end - this.#begin;
  }

  /**
   * The bodies that these bytes complete; each is valid until the next push. Throws BrokenFrameError if a length is above
   * the limit, before it waits for the body.
   */
  *push(bytes: Uint8Array): Generator<Buffer, void, undefined> {
    this.#append(bytes);
    while (this.pending >= HEADER_BYTES) {
      const length = this.#buffer.readUInt32BE(this.#begin);
      if (length > this.#maxMessageSize) {
        throw new BrokenFrameError(
          `a frame of ${length} bytes arrived; max-message-size allows ${this.#maxMessageSize}`,
        );
      }
      const bodyEnd = this.#begin + HEADER_BYTES + length;
      if (bodyEnd > this.#end) return;
      const body = this.#buffer.subarray(this.#begin + HEADER_BYTES, bodyEnd);
      this.#begin = bodyEnd;
      yield body;
    }
  }

  #append(bytes: Uint8Array): void {
    const needed = this.pending + bytes.length;
    if (this.#end + bytes.length > this.#buffer.length) {
      const next = Buffer.allocUnsafe(Math.max(MIN_BUFFER_BYTES, 2 * needed));
      this.#end = this.#buffer.copy(next, 0, this.#begin, this.#end);
      this.#begin = 0;
      this.#buffer = next;
    }
    this.#buffer.set(bytes, this.#end);
    this.#end += bytes.length;
  }
}
