/**
 * Where all objects are: one store for all kinds, one counter of versions for all writes, and a bounded history for
 * watches and paged lists (the watch cache).
 */
import { randomUUID } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import type { JournalWriter } from '../journal.ts';
import { type StoredObject, timestamp } from '../model.ts';
import { apiVersionOf, type Resource } from './resources.ts';
import { alreadyExists, conflict, notFound } from './status.ts';

export interface Change {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  readonly revision: number;
  readonly object: StoredObject;
  /** The object before a modification. */
  readonly previous?: StoredObject;
}

/** An object that is to be created: the server fills in the rest. */
export type Draft<T extends StoredObject> = Omit<T, 'metadata' | 'kind' | 'apiVersion'> & {
  metadata: Partial<T['metadata']>;
};

export interface Store {
  /** What the cluster's clock says, milliseconds since 1970. */
  readonly now: () => number;
  /** The version of the newest write. */
  readonly revision: () => number;
  readonly get: <T extends StoredObject>(resource: Resource<T>, namespace: string, name: string) => T | undefined;
  /** All objects of a kind, of one namespace if one is given, in the order of their keys. */
  readonly list: <T extends StoredObject>(resource: Resource<T>, namespace?: string) => T[];
  readonly create: <T extends StoredObject>(resource: Resource<T>, draft: Draft<T>) => T;
  /**
   * Stores a changed copy and returns it; the same object if nothing changed (kubernetes-facts.md 106). An object whose deletion is
   * due and that no finalizer holds any more goes away instead, unless it is `held`.
   */
  readonly update: <T extends StoredObject>(resource: Resource<T>, object: T, held?: 'held') => T;
  /** `update` with a copy that `change` works on; undefined if the object is gone. */
  readonly edit: <T extends StoredObject>(
    resource: Resource<T>,
    object: StoredObject,
    change: (draft: T) => void,
    held?: 'held',
  ) => T | undefined;
  /** Takes an object away, whatever its finalizers say. */
  readonly remove: (resource: Resource, object: StoredObject) => void;
  /** Calls `listener` after each change of this kind, until the returned function is called. */
  readonly listen: (resource: Resource, listener: (change: Change) => void) => () => void;
  /** Changes after a version, oldest first; undefined if the history does not reach back that far. */
  readonly since: (resource: Resource, revision: number) => readonly Change[] | undefined;
  /** All objects as they were at a version; undefined if the history does not reach back that far. */
  readonly at: (resource: Resource, revision: number) => readonly StoredObject[] | undefined;
  /** Forgets the history up to now (a compaction, or a restart of the API server). */
  readonly forget: () => void;
  /** Puts the counter back, as a restored etcd does; objects stay as they are. */
  readonly setRevision: (revision: number) => void;
}

interface Kind {
  readonly objects: Map<string, StoredObject>;
  changes: Change[];
  /** Versions up to this one are forgotten. */
  floor: number;
  readonly listeners: Set<(change: Change) => void>;
}

const FIRST_REVISION = 1000;

export function createStore(journal: JournalWriter, now: () => number, historyLength = 20_000): Store {
  const kinds = new Map<string, Kind>();
  let revision = FIRST_REVISION;

  function kindOf(resource: Resource): Kind {
    const key = `${resource.group}/${resource.plural}`;
    let kind = kinds.get(key);
    if (kind === undefined) {
      kind = { objects: new Map(), changes: [], floor: FIRST_REVISION - 1, listeners: new Set() };
      kinds.set(key, kind);
    }
    return kind;
  }

  function commit(resource: Resource, change: Change): void {
    const kind = kindOf(resource);
    const key = keyOf(change.object);
    if (change.type === 'DELETED') kind.objects.delete(key);
    else kind.objects.set(key, change.object);
    kind.changes.push(change);
    if (kind.changes.length > historyLength) {
      const dropped = kind.changes.splice(0, kind.changes.length - Math.floor(historyLength / 2));
      kind.floor = dropped.at(-1)?.revision ?? kind.floor;
    }
    const entry = {
      at: now(),
      kind: resource.kind,
      namespace: change.object.metadata.namespace ?? '',
      name: change.object.metadata.name,
      uid: change.object.metadata.uid,
    };
    if (change.type === 'ADDED') journal.objectCreated(entry);
    if (change.type === 'DELETED') journal.objectDeleted(entry);
    for (const listener of [...kind.listeners]) listener(change);
  }

  function find<T extends StoredObject>(resource: Resource<T>, namespace: string, name: string): T | undefined {
    // The parsing edge: objects were checked against their schema when they came in.
    return kindOf(resource).objects.get(`${resource.namespaced ? namespace : ''}/${name}`) as T | undefined;
  }

  function remove(resource: Resource, object: StoredObject): void {
    revision += 1;
    const last = withVersion(object, revision);
    commit(resource, { type: 'DELETED', revision, object: last });
  }

  function update<T extends StoredObject>(resource: Resource<T>, object: T, held?: 'held'): T {
    const { namespace = '', name } = object.metadata;
    const current = find(resource, namespace, name);
    if (current === undefined) throw notFound(resource, name);
    if (object.metadata.resourceVersion !== current.metadata.resourceVersion) throw conflict(resource, name);
    if (isDeepStrictEqual(object, current)) return current;
    if (held === undefined && isDue(object)) {
      remove(resource, object);
      return object;
    }
    revision += 1;
    const next = withVersion(object, revision);
    if (resource.generation && !isDeepStrictEqual(specOf(next), specOf(current))) {
      next.metadata.generation = (current.metadata.generation ?? 0) + 1;
    }
    commit(resource, { type: 'MODIFIED', revision, object: next, previous: current });
    return next;
  }

  return {
    now,
    revision: () => revision,
    get: find,
    list: <T extends StoredObject>(resource: Resource<T>, namespace?: string) =>
      sorted([...kindOf(resource).objects.values()].filter((object) => isIn(object, namespace))) as T[],
    create: <T extends StoredObject>(resource: Resource<T>, draft: Draft<T>) => {
      const { namespace = '', name = '' } = draft.metadata;
      if (find(resource, namespace, name) !== undefined) throw alreadyExists(resource, name);
      revision += 1;
      const { metadata, ...content } = draft;
      const object = {
        kind: resource.kind,
        apiVersion: apiVersionOf(resource),
        metadata: {
          ...metadata,
          name,
          uid: metadata.uid ?? randomUUID(),
          resourceVersion: String(revision),
          ...(resource.generation ? { generation: 1 } : {}),
          creationTimestamp: timestamp(now()),
        },
        ...structuredClone(content),
      } as unknown as T;
      commit(resource, { type: 'ADDED', revision, object });
      return object;
    },
    update,
    edit: (resource, object, change, held) => {
      const current = find(resource, object.metadata.namespace ?? '', object.metadata.name);
      if (current === undefined || current.metadata.uid !== object.metadata.uid) return undefined;
      const draft = structuredClone(current);
      change(draft);
      return update(resource, draft, held);
    },
    remove,
    listen: (resource, listener) => {
      const { listeners } = kindOf(resource);
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    since: (resource, from) => {
      const kind = kindOf(resource);
      if (from < kind.floor) return undefined;
      return kind.changes.slice(firstAfter(kind.changes, from));
    },
    at: (resource, from) => {
      const kind = kindOf(resource);
      if (from < kind.floor) return undefined;
      const objects = new Map(kind.objects);
      for (const change of kind.changes.slice(firstAfter(kind.changes, from)).reverse()) {
        const before = change.type === 'ADDED' ? undefined : (change.previous ?? change.object);
        if (before === undefined) objects.delete(keyOf(change.object));
        else objects.set(keyOf(before), before);
      }
      return sorted([...objects.values()]);
    },
    forget: () => {
      for (const kind of kinds.values()) {
        kind.changes = [];
        kind.floor = revision;
      }
    },
    setRevision: (to) => {
      revision = to;
    },
  };
}

function keyOf(object: StoredObject): string {
  return `${object.metadata.namespace ?? ''}/${object.metadata.name}`;
}

function isIn(object: StoredObject, namespace: string | undefined): boolean {
  return namespace === undefined || object.metadata.namespace === namespace;
}

function sorted(objects: StoredObject[]): StoredObject[] {
  return objects.sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
}

function withVersion<T extends StoredObject>(object: T, revision: number): T {
  return { ...object, metadata: { ...object.metadata, resourceVersion: String(revision) } };
}

/** What counts for metadata.generation: binding a pod to its node does not. */
function specOf(object: StoredObject): unknown {
  if (!('spec' in object) || typeof object.spec !== 'object' || object.spec === null) return undefined;
  return { ...object.spec, nodeName: undefined };
}

/** Deletion was asked for, nothing holds it and nobody needs time for it. */
export function isDue({ metadata }: StoredObject): boolean {
  return (
    metadata.deletionTimestamp !== undefined &&
    (metadata.finalizers ?? []).length === 0 &&
    (metadata.deletionGracePeriodSeconds ?? 0) === 0
  );
}

/** Index of the first change after a version. */
function firstAfter(changes: readonly Change[], revision: number): number {
  let low = 0;
  let high = changes.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((changes[middle]?.revision ?? 0) > revision) high = middle;
    else low = middle + 1;
  }
  return low;
}
