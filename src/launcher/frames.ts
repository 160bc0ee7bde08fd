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

/** Puts the body of one message into a frame. */
export function frame(body: string): Buffer {
  const length = Buffer.byteLength(body);
  const bytes = Buffer.allocUnsafe(HEADER_BYTES + length);
  bytes.writeUInt32BE(length, 0);
  bytes.write(body, HEADER_BYTES);
  return bytes;
}

/** Finds the frames in bytes as they arrive. */
export interface FrameReader {
  /** The bodies that these bytes complete. Throws BrokenFrameError if a length is above the limit, before keeping anything of it. */
  readonly push: (bytes: Uint8Array) => Generator<Buffer, void, undefined>;
  /** Bytes of a frame that has not arrived completely. */
  readonly pending: () => number;
}

/** `maxMessageSize`: the largest body in bytes (option `max-message-size`). */
export function createFrameReader(maxMessageSize: number): FrameReader {
  let chunks: Uint8Array[] = [];
  let available = 0;
  let bodyLength: number | undefined;

  /** The first `length` of the bytes kept, copied once. */
  const take = (length: number): Buffer => {
    const taken = Buffer.allocUnsafe(length);
    let filled = 0;
    let used = 0;
    while (filled < length) {
      const chunk = chunks[used] ?? new Uint8Array();
      const part = chunk.subarray(0, length - filled);
      taken.set(part, filled);
      filled += part.length;
      if (part.length === chunk.length) used++;
      else chunks[used] = chunk.subarray(part.length);
    }
    chunks = chunks.slice(used);
    available -= length;
    return taken;
  };

  return {
    *push(bytes) {
      if (bytes.length > 0) {
        chunks.push(bytes);
        available += bytes.length;
      }
      for (;;) {
        if (bodyLength === undefined) {
          if (available < HEADER_BYTES) return;
          bodyLength = take(HEADER_BYTES).readUInt32BE(0);
          if (bodyLength > maxMessageSize) {
            throw new BrokenFrameError(
              `a frame of ${bodyLength} bytes arrived; max-message-size allows ${maxMessageSize}`,
            );
          }
        }
        if (available < bodyLength) return;
        const body = take(bodyLength);
        bodyLength = undefined;
        yield body;
      }
    },
    pending: () => available + (bodyLength === undefined ? 0 : HEADER_BYTES),
  };
}
