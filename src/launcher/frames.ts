/**
 * Frames of the protocol (section 4.1): four bytes with the length of the body, big-endian, then the body, JSON in UTF-8.
 * The same in both directions; a pipe may split and join them anywhere.
 */

const HEADER_BYTES = 4;

/** What arrived cannot be a frame: the stream cannot be trusted any more, and the process ends with exit code 1. */
export class BrokenFrameError extends Error {
  override readonly name = 'BrokenFrameError';
  readonly code = 'broken-frame';
}

/** The body of one message in pieces, which a frame joins: text, and what is UTF-8 already. */
export type Body = readonly (string | Uint8Array)[];

/** The bytes of a body. */
export function bodyLength(body: Body): number {
  return body.reduce((length, piece) => length + Buffer.byteLength(piece), 0);
}

/** Puts the body of one message into a frame. */
export function frame(body: string | Body): Buffer {
  const pieces = typeof body === 'string' ? [body] : body;
  const length = bodyLength(pieces);
  const bytes = Buffer.allocUnsafe(HEADER_BYTES + length);
  let end = bytes.writeUInt32BE(length, 0);
  for (const piece of pieces) {
    if (typeof piece === 'string') end += bytes.write(piece, end);
    else {
      bytes.set(piece, end);
      end += piece.length;
    }
  }
  return bytes;
}

/** Finds the frames in bytes as they arrive. */
interface FrameReader {
  /**
   * The bodies that these bytes complete; each is good until the next push. Throws BrokenFrameError if a length is above
   * the limit, before waiting for anything of that body.
   */
  readonly push: (bytes: Uint8Array) => Generator<Buffer, void, undefined>;
  /** Bytes of a frame that has not arrived completely. */
  readonly pending: () => number;
}

/** What is kept between frames at least. */
const SMALL_STORE_BYTES = 64 * 1024;

/** `maxMessageSize`: the largest body in bytes (option `max-message-size`). */
export function createFrameReader(maxMessageSize: number): FrameReader {
  /** Bytes `begin` to `end` are not used yet. They are copied together, so that even single bytes cost no more than they are. */
  let store = Buffer.allocUnsafe(SMALL_STORE_BYTES);
  let begin = 0;
  let end = 0;

  const keep = (bytes: Uint8Array): void => {
    const needed = end - begin + bytes.length;
    if (end + bytes.length > store.length) {
      const next = Buffer.allocUnsafe(Math.max(SMALL_STORE_BYTES, 2 * needed));
      end = store.copy(next, 0, begin, end);
      begin = 0;
      store = next;
    }
    store.set(bytes, end);
    end += bytes.length;
  };

  return {
    *push(bytes) {
      keep(bytes);
      while (end - begin >= HEADER_BYTES) {
        const length = store.readUInt32BE(begin);
        if (length > maxMessageSize) {
          throw new BrokenFrameError(`a frame of ${length} bytes arrived; max-message-size allows ${maxMessageSize}`);
        }
        const bodyEnd = begin + HEADER_BYTES + length;
        if (bodyEnd > end) return;
        const body = store.subarray(begin + HEADER_BYTES, bodyEnd);
        begin = bodyEnd;
        yield body;
      }
    },
    pending: () => end - begin,
  };
}
