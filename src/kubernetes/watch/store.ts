/** Store of a reflector: the objects of one kind by uid; their versions only increase. */
import type { Projected, ReflectorEvent } from '../contract.ts';

/** Compares resource versions of one kind as integers (kubernetes-facts.md 8). */
export function isNewer(a: string, b: string): boolean {
  if (a.length !== b.length) return a.length > b.length;
  return a > b;
}

/**
 * Projections by uid, and the version up to which everything was seen. Emits changes; for a list only the differences,
 * deletions included.
 */
export class Store<P extends Projected> {
  readonly #objects = new Map<string, P>();
  readonly #emit: (event: ReflectorEvent<P>) => void;
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
    if (this.#objects.delete(object.uid)) this.#emit({ type: 'DELETED', object, found: 'watch' });
  }

  /**
   * For the answer of a write or a read. An object older than the watch that is not in the store was deleted, or is not
   * selected.
   */
  offer(object: P): void {
    const passed = this.#version !== undefined && !isNewer(object.resourceVersion, this.#version);
    if (passed && !this.#objects.has(object.uid)) return;
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
      this.#objects.delete(uid);
      this.#emit({ type: 'DELETED', object: known, found: 'relist' });
    }
    for (const object of listed.values()) this.#put(object, rolledBack);
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
