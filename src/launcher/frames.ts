/**
 * Frames of the protocol (launcher-plugin-api.md section 4.1): four bytes with the length of the body, big-endian, then the
 * body, JSON in UTF-8. Both directions use them; a pipe may split and join them anywhere.
 */

import { LargeBuffers } from '../system/loop-memory.ts';
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

/** Frames with much text that are built or written at a time; the output takes one after another. */
const textFrames = new LargeBuffers(2);

/** Job output is written into large buffers: new ones would make V8 collect garbage for each few MB. */
export function buildFrame(body: FrameBody | { readonly json: JsonChunks }): BuiltFrame {
  if ('json' in body) return frameOfChunks(body.json);
  const most = HEADER_BYTES + body.reduce((length, part) => length + mostBytes(part), 0);
  const hasText = body.some((part) => typeof part !== 'string');
  const large = hasText && most > Buffer.poolSize ? textFrames.take() : undefined;
  if (large !== undefined) {
    const bytes = frameIn(large, body);
    const release = (): void => textFrames.give(large);
    if (bytes !== undefined) return { parts: [bytes], length: bytes.length, release };
    release();
  }
  const bytes = frameIn(Buffer.allocUnsafe(most), body);
  if (bytes === undefined) throw new Error('a frame is longer than its parts');
  return { parts: [bytes], length: bytes.length, release: () => {} };
}

/** Undefined if it may not fit. */
function frameIn(buffer: Buffer, body: FrameBody): Buffer | undefined {
  let end = HEADER_BYTES;
  for (const part of body) {
    if (typeof part !== 'string') end = writeJsonText(part, buffer, end);
    else if (Buffer.byteLength(part) > buffer.length - end) return undefined;
    else end += buffer.write(part, end);
    if (end === -1) return undefined;
  }
  buffer.writeUInt32BE(end - HEADER_BYTES, 0);
  return buffer.subarray(0, end);
}

/** What is in UTF-8 already is not copied. */
function frameOfChunks(chunks: JsonChunks): BuiltFrame {
  if (!chunks.some(Buffer.isBuffer)) return buildFrame([chunks.join('')]);
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
