/** Responses that take long to build: the writer lets other work run between their slices. */

/** Yields 'more' where other work may run, and 'ready' when the next step may return the result: it is taken to write it. */
export type SlicedBuild<T> = Generator<'more' | 'ready', T, undefined>;

/** Bytes of JSON after which other work runs: a few milliseconds of CPU at most. */
const SLICE_BYTES = 256 * 1024;

/** Counts the bytes of a slice. */
export class Pace {
  #bytes = 0;

  /** Adds what was done; true at the end of a slice. */
  isOver(bytes: number): boolean {
    this.#bytes += bytes;
    if (this.#bytes < SLICE_BYTES) return false;
    this.#bytes = 0;
    return true;
  }
}
