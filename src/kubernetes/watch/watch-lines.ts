/** Longest line of a watch: an object of 3 MB, the most a server stores, with room. */
export const MAX_WATCH_LINE = 32 * 1024 * 1024;

const NEWLINE = 10;

/**
 * Splits a body into lines as bytes arrive. Incomplete lines stay bytes until their end is there; a complete line
 * within one chunk is not copied.
 */
export class LineSplitter {
  #parts: Uint8Array[] = [];
  #length = 0;

  /** The lines that this chunk completes, without their newlines; empty ones are left out. Throws a RangeError beyond MAX_WATCH_LINE. */
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
    this.#parts.push(chunk.subarray(start));
    this.#length += chunk.length - start;
    if (this.#length > MAX_WATCH_LINE) throw new RangeError(`a line of a watch is longer than ${MAX_WATCH_LINE} bytes`);
  }
}
