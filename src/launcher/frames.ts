/**
 * Frames of the protocol (launcher-plugin-api.md section 4.1): four bytes with the length of the body, big-endian, then the
 * body, JSON in UTF-8. Both directions use them; a pipe may split and join them anywhere.
 */

import type { JsonChunks } from './json-chunks.ts';
import { MAX_JSON_BYTES_PER_BYTE, writeJsonText } from './json-text.ts';

export const HEADER_BYTES = 4;

/** Received bytes that cannot be a frame: the rest of the stream is not usable, and the process ends with exit code 1. */
export class BrokenFrameError extends Error {
  override readonly name = 'BrokenFrameError';
  readonly code = 'broken-frame';
}

/** The body of one message in parts: JSON, and UTF-8 text that becomes a JSON string. */
export type FrameBody = readonly (string | Uint8Array)[];

/** A frame, and what is to be called when it was written. */
export interface BuiltFrame {
  readonly parts: readonly Buffer[];
  /** Bytes of all parts. */
  readonly length: number;
  readonly release: () => void;
}

/** A buffer for frames with the text that a stream receives at once, and how many unused ones are kept. */
const TEXT_FRAME_BYTES = 2 * 1024 * 1024;
const MAX_UNUSED = 4;

/** Builds frames. The buffers of job output are used again: new ones would make V8 collect garbage for each few MB. */
export class FrameBuilder {
  readonly #unused: Buffer[] = [];

  build(body: FrameBody | { readonly json: JsonChunks }): BuiltFrame {
    if ('json' in body) return this.#ofChunks(body.json);
    const hasText = body.some((part) => typeof part !== 'string');
    const most = HEADER_BYTES + body.reduce((length, part) => length + mostBytes(part), 0);
    const isShared = hasText && most > Buffer.poolSize && most <= TEXT_FRAME_BYTES;
    const buffer = isShared
      ? (this.#unused.pop() ?? Buffer.allocUnsafeSlow(TEXT_FRAME_BYTES))
      : Buffer.allocUnsafe(most);
    let end = HEADER_BYTES;
    for (const part of body) {
      if (typeof part === 'string') end += buffer.write(part, end);
      else end = writeJsonText(part, buffer, end);
    }
    buffer.writeUInt32BE(end - HEADER_BYTES, 0);
    return {
      parts: [buffer.subarray(0, end)],
      length: end,
      release: () => {
        if (isShared && this.#unused.length < MAX_UNUSED) this.#unused.push(buffer);
      },
    };
  }

  /** What is in UTF-8 already is not copied. */
  #ofChunks(chunks: JsonChunks): BuiltFrame {
    if (!chunks.some(Buffer.isBuffer)) return this.build([chunks.join('')]);
    const parts = [Buffer.allocUnsafe(HEADER_BYTES)];
    let text = '';
    for (const chunk of [...chunks, Buffer.alloc(0)]) {
      if (typeof chunk === 'string') text += chunk;
      else {
        parts.push(Buffer.from(text), chunk);
        text = '';
      }
    }
    const length = parts.reduce((bytes, part) => bytes + part.length, 0);
    parts[0]?.writeUInt32BE(length - HEADER_BYTES);
    return { parts: parts.filter((part) => part.length > 0), length, release: () => {} };
  }
}

/** The exact size of JSON in bytes, and the largest that text can have. */
function mostBytes(part: string | Uint8Array): number {
  return typeof part === 'string' ? Buffer.byteLength(part) : part.length * MAX_JSON_BYTES_PER_BYTE + 2;
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
