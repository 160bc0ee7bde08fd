/** Cache of decoded values (interning): equal bytes give the same value. */

/** Number of slots; a power of two. */
const SLOTS = 4096;
/** Longest encoded value that is cached; the condition of a pod has about 110 bytes. */
export const LONGEST = 128;
/** Bytes that are compared at once. */
const WORD = 4;

/** A value and its cache key type. */
interface CachedValue {
  readonly type: unknown;
  readonly length: number;
  readonly value: unknown;
}

/**
 * Finds recent values by their bytes, which is faster than decoding them and keeps one copy. Each value has a pair of slots,
 * so that two values of each object that have the same hash do not replace each other. All bytes are compared: values are
 * never confused.
 */
export class ValueCache {
  readonly #keys = new DataView(new ArrayBuffer(SLOTS * LONGEST));
  readonly #values = new Array<CachedValue | undefined>(SLOTS).fill(undefined);
  /** Which slot of its pair the next value takes. */
  #turn = 0;

  /** The first slot of the pair for these bytes, at most LONGEST of them. */
  pair(bytes: DataView, start: number, stop: number): number {
    let hash = 0;
    let at = start;
    for (; at <= stop - WORD; at += WORD) hash = mixed(hash ^ bytes.getInt32(at));
    for (; at < stop; at++) hash = mixed(hash ^ bytes.getUint8(at));
    return hash & (SLOTS - 2);
  }

  /** The slot of the pair that holds this value; undefined if none does. */
  find(pair: number, type: unknown, bytes: DataView, start: number, stop: number): number | undefined {
    if (this.#holds(pair, type, bytes, start, stop)) return pair;
    return this.#holds(pair + 1, type, bytes, start, stop) ? pair + 1 : undefined;
  }

  #holds(slot: number, type: unknown, bytes: DataView, start: number, stop: number): boolean {
    const cached = this.#values[slot];
    if (cached === undefined || cached.type !== type || cached.length !== stop - start) return false;
    const offset = slot * LONGEST - start;
    let at = start;
    for (; at <= stop - WORD; at += WORD) if (bytes.getInt32(at) !== this.#keys.getInt32(offset + at)) return false;
    for (; at < stop; at++) if (bytes.getUint8(at) !== this.#keys.getUint8(offset + at)) return false;
    return true;
  }

  keep(pair: number, type: unknown, bytes: DataView, start: number, stop: number, value: unknown): void {
    this.#turn ^= 1;
    const slot = pair + this.#turn;
    const offset = slot * LONGEST - start;
    for (let at = start; at < stop; at++) this.#keys.setUint8(offset + at, bytes.getUint8(at));
    this.#values[slot] = { type, length: stop - start, value };
  }

  value(slot: number): unknown {
    return this.#values[slot]?.value;
  }
}

/** The multiplication moves bits up only; the shift moves them down. */
function mixed(hash: number): number {
  const product = Math.imul(hash, 0x9e3779b1);
  return product ^ (product >>> 15);
}
