/** The objects of one kind as a reflector knows them, by uid; versions only go forward. */
import type { Projected, ReflectorEvent } from '../contract.ts';

/** Is version `a` newer than `b`? Compared as integers, within one kind only (kubernetes-facts.md 8). */
export function isNewer(a: string, b: string): boolean {
  if (a.length !== b.length) return a.length > b.length;
  return a > b;
}

/**
 * The projections of one kind by uid, and how far its watch has come. Says what changed as events: a list only
 * differences, deletions included.
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

  /** A bookmark, or the version of an event. */
  advance(version: string): void {
    if (this.#version === undefined || isNewer(version, this.#version)) this.#version = version;
  }

  /** An ADDED or MODIFIED of the watch. Which of the two it says does not matter: what is known decides. */
  changed(object: P): void {
    this.#put(object);
    this.advance(object.resourceVersion);
  }

  /** A DELETED of the watch: deleted, or no longer selected (kubernetes-facts.md 106). Carries the version of the deletion (kubernetes-facts.md 66). */
  deleted(object: P): void {
    this.advance(object.resourceVersion);
    if (this.#objects.delete(object.uid)) this.#emit({ type: 'DELETED', object, found: 'watch' });
  }

  /**
   * The answer of a write. An object that the watch has passed without leaving it in the store was deleted, or is not
   * selected.
   */
  offer(object: P): void {
    const passed = this.#version !== undefined && !isNewer(object.resourceVersion, this.#version);
    if (passed && !this.#objects.has(object.uid)) return;
    this.#put(object);
  }

  /**
   * A complete list. What is known but not listed was deleted, unless it is newer than the list (a job just submitted).
   * A list older than what was seen means that the cluster was set back (etcd restored): then only the list counts.
   */
  replace(listed: ReadonlyMap<string, P>, version: string): void {
    const setBack = this.#version !== undefined && isNewer(this.#version, version);
    this.#version = version;
    for (const [uid, known] of this.#objects) {
      if (listed.has(uid) || (!setBack && isNewer(known.resourceVersion, version))) continue;
      this.#objects.delete(uid);
      this.#emit({ type: 'DELETED', object: known, found: 'relist' });
    }
    for (const object of listed.values()) this.#put(object, setBack);
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
