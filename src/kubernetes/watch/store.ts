/** Store of a reflector: the objects of one kind by uid; their versions only increase. */
import type { Projected, ReflectorEvent } from '../contract.ts';

/** Compares resource versions of one kind as integers (kubernetes-facts.md 8). */
export function isNewer(a: string, b: string): boolean {
  if (a.length !== b.length) return a.length > b.length;
  return a > b;
}

const MAX_DELETED_UIDS = 1_000;

/**
 * Projections by uid, and the version up to which everything was seen. Emits changes; for a list only the differences,
 * deletions included.
 */
export class Store<P extends Projected> {
  readonly #objects = new Map<string, P>();
  readonly #emit: (event: ReflectorEvent<P>) => void;
  /** The most recent deletions, so that an older list does not add such an object again. */
  readonly #deletedUids = new Set<string>();
  #version: string | undefined;

  constructor(emit: (event: ReflectorEvent<P>) => void) {
    this.#emit = emit;
  }

  /** Everything up to this version was seen; undefined before the first list. */
  get version(): string | undefined {
    return this.#version;
  }

  objects(): Iterable<P> {
    return this.#objects.values();
  }

  get(uid: string): P | undefined {
    return this.#objects.get(uid);
  }

  /** For the version of a bookmark or an event. */
  advance(version: string): void {
    if (this.#version === undefined || isNewer(version, this.#version)) this.#version = version;
  }

  /** For ADDED or MODIFIED of the watch; which of them is emitted depends on the store. */
  changed(object: P): void {
    this.#put(object);
    this.advance(object.resourceVersion);
  }

  /** For DELETED of the watch: deleted, or no longer selected (kubernetes-facts.md 106). Has the version of the deletion (kubernetes-facts.md 66). */
  deleted(object: P): void {
    this.advance(object.resourceVersion);
    this.#remove(object, 'watch');
  }

  /** Forgets all objects and the version. */
  reset(): void {
    this.#version = undefined;
    for (const object of [...this.#objects.values()]) this.#remove(object, 'relist');
    this.#deletedUids.clear();
  }

  /** For an object of the watch that the projection does not select. */
  unselected(uid: string, version: string): void {
    this.advance(version);
    const known = this.#objects.get(uid);
    if (known !== undefined) this.#remove(known, 'watch');
  }

  /**
   * For the answer of a write or a read. An object older than the watch that is not in the store was deleted, or is not
   * selected; an object of a list that was just read exists unless the watch has reported its deletion.
   */
  offer(object: P, isListed = false): void {
    const passed = this.#version !== undefined && !isNewer(object.resourceVersion, this.#version);
    const isUnknown = passed && !this.#objects.has(object.uid);
    if (isUnknown && (!isListed || this.#deletedUids.has(object.uid))) return;
    this.#put(object);
  }

  /**
   * For a complete list. An object that is not listed was deleted, unless it is newer than the list (just submitted).
   * A list older than the store means that etcd was restored from a backup: then only the list counts.
   */
  replace(listed: ReadonlyMap<string, P>, version: string): void {
    const rolledBack = this.#version !== undefined && isNewer(this.#version, version);
    this.#version = version;
    for (const [uid, known] of this.#objects) {
      if (listed.has(uid) || (!rolledBack && isNewer(known.resourceVersion, version))) continue;
      this.#remove(known, 'relist');
    }
    for (const object of listed.values()) this.#put(object, rolledBack);
  }

  #remove(object: P, found: 'watch' | 'relist'): void {
    this.#deletedUids.add(object.uid);
    const [oldest] = this.#deletedUids;
    if (this.#deletedUids.size > MAX_DELETED_UIDS && oldest !== undefined) this.#deletedUids.delete(oldest);
    if (this.#objects.delete(object.uid)) this.#emit({ type: 'DELETED', object, found });
  }

  #put(object: P, always = false): void {
    const previous = this.#objects.get(object.uid);
    if (previous === undefined) {
      this.#objects.set(object.uid, object);
      this.#emit({ type: 'ADDED', object });
      return;
    }
    const changes = always
      ? object.resourceVersion !== previous.resourceVersion
      : isNewer(object.resourceVersion, previous.resourceVersion);
    if (!changes) return;
    this.#objects.set(object.uid, object);
    this.#emit({ type: 'MODIFIED', object });
  }
}
