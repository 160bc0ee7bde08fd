/** Values that were read from a few bytes and come again and again. */

/** How many values are remembered; a power of two. */
const REMEMBERED = 4096;
/** Most bytes of a value that is remembered; the condition of a pod has about 110. */
export const LONGEST = 128;
/** Bytes that are looked at together. */
const WORD = 4;

/** A value, and as what it was read. */
interface Seen {
  readonly type: unknown;
  readonly length: number;
  readonly value: unknown;
}

/**
 * What was read lately, to be found again by its bytes: that is quicker than reading it, and holds it once only. A value
 * has one place, and leaves it to the next that belongs there. All of it is compared, so none is taken for another.
 */
export class SeenValues {
  readonly #keys = new DataView(new ArrayBuffer(REMEMBERED * LONGEST));
  readonly #values = new Array<Seen | undefined>(REMEMBERED).fill(undefined);

  /** The place of these bytes, of which there are at most LONGEST. */
  slot(bytes: DataView, start: number, stop: number): number {
    let hash = 0;
    let at = start;
    for (; at <= stop - WORD; at += WORD) hash = mixed(hash ^ bytes.getInt32(at));
    for (; at < stop; at++) hash = mixed(hash ^ bytes.getUint8(at));
    return hash & (REMEMBERED - 1);
  }

  holds(slot: number, type: unknown, bytes: DataView, start: number, stop: number): boolean {
    const seen = this.#values[slot];
    if (seen === undefined || seen.type !== type || seen.length !== stop - start) return false;
    const offset = slot * LONGEST - start;
    let at = start;
    for (; at <= stop - WORD; at += WORD) if (bytes.getInt32(at) !== this.#keys.getInt32(offset + at)) return false;
    for (; at < stop; at++) if (bytes.getUint8(at) !== this.#keys.getUint8(offset + at)) return false;
    return true;
  }

  keep(slot: number, type: unknown, bytes: DataView, start: number, stop: number, value: unknown): void {
    const offset = slot * LONGEST - start;
    for (let at = start; at < stop; at++) this.#keys.setUint8(offset + at, bytes.getUint8(at));
    this.#values[slot] = { type, length: stop - start, value };
  }

  value(slot: number): unknown {
    return this.#values[slot]?.value;
  }
}

/** A multiplication carries bits up only; the shift brings them down. */
function mixed(hash: number): number {
  const product = Math.imul(hash, 0x9e3779b1);
  return product ^ (product >>> 15);
}
