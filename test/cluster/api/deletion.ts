/**
 * DELETE: preconditions, propagation, grace periods, finalizers (kubernetes-facts.md 45 to 49, 61 to 66).
 */
import { isFinishedPod, type Pod, type StoredObject, timestamp } from '../model.ts';
import { JOBS, NAMESPACES, PODS, type Resource } from './resources.ts';
import { conflict } from './status.ts';
import { isDue, type Store } from './store.ts';

export interface DeleteOptions {
  readonly gracePeriodSeconds?: number;
  readonly propagationPolicy?: string;
  readonly preconditions?: { readonly uid?: string; readonly resourceVersion?: string };
}

const ORPHAN_WARNING =
  'child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove them or set propagationPolicy=Orphan to suppress this warning';

export function warningsOf(resource: Resource, options: DeleteOptions): string[] {
  return resource.plural === JOBS.plural && options.propagationPolicy === undefined ? [ORPHAN_WARNING] : [];
}

export function deleteObject(store: Store, resource: Resource, object: StoredObject, options: DeleteOptions): object {
  checkPreconditions(resource, object, options);
  if (resource.plural === PODS.plural) return deletePod(store, object, options);
  if (resource.plural === NAMESPACES.plural) return endNamespace(store, object);
  const finalizer = finalizerOf(resource, options);
  const finalizers = [...(object.metadata.finalizers ?? [])];
  if (finalizer !== undefined && !finalizers.includes(finalizer)) finalizers.push(finalizer);
  if (finalizers.length === 0) {
    store.remove(resource, object);
    const { name, uid } = object.metadata;
    return {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Success',
      details: { name, ...(resource.group === '' ? {} : { group: resource.group }), kind: resource.plural, uid },
    };
  }
  return (
    store.edit(resource, object, ({ metadata }) => {
      metadata.finalizers = finalizers;
      if (metadata.deletionTimestamp !== undefined) return;
      metadata.deletionTimestamp = timestamp(store.now());
      metadata.deletionGracePeriodSeconds = 0;
      if (metadata.generation !== undefined) metadata.generation += 1;
    }) ?? object
  );
}

/** It goes when its content has gone (controllers/namespaces.ts). */
function endNamespace(store: Store, namespace: StoredObject): object {
  const ended = store.edit(
    NAMESPACES,
    namespace,
    (draft) => {
      draft.metadata.deletionTimestamp ??= timestamp(store.now());
      draft.status = { phase: 'Terminating' };
    },
    'held',
  );
  return ended ?? namespace;
}

/** Jobs are orphaned where nothing is said; other kinds have no dependents here. */
function finalizerOf(resource: Resource, { propagationPolicy }: DeleteOptions): string | undefined {
  if (propagationPolicy === 'Foreground') return 'foregroundDeletion';
  const orphan = propagationPolicy ?? (resource.plural === JOBS.plural ? 'Orphan' : 'Background');
  return orphan === 'Orphan' ? 'orphan' : undefined;
}

function checkPreconditions(resource: Resource, { metadata }: StoredObject, { preconditions }: DeleteOptions): void {
  const { uid, resourceVersion } = preconditions ?? {};
  if (uid !== undefined && uid !== metadata.uid) {
    const why = `the UID in the precondition (${uid}) does not match the UID in record (${metadata.uid}). The object might have been deleted and then recreated`;
    throw conflict(resource, metadata.name, why, resource.kind);
  }
  if (resourceVersion !== undefined && resourceVersion !== metadata.resourceVersion) {
    const why = `the ResourceVersion in the precondition (${resourceVersion}) does not match the ResourceVersion in record (${metadata.resourceVersion}). The object might have been modified`;
    throw conflict(resource, metadata.name, why, resource.kind);
  }
}

/** A pod gets time to end, unless nothing runs yet or any more; a later deletion can only shorten it. */
function deletePod(store: Store, object: StoredObject, options: DeleteOptions): object {
  const marked = store.edit<Pod>(
    PODS,
    object,
    (pod) => {
      const { metadata } = pod;
      const idle = pod.spec.nodeName === undefined || isFinishedPod(pod);
      const asked = options.gracePeriodSeconds ?? pod.spec.terminationGracePeriodSeconds ?? 30;
      const grace = idle ? 0 : asked < 0 ? 1 : asked;
      if (metadata.deletionTimestamp !== undefined && grace >= (metadata.deletionGracePeriodSeconds ?? 0)) return;
      if (metadata.deletionTimestamp === undefined) metadata.generation = (metadata.generation ?? 0) + 1;
      metadata.deletionTimestamp = timestamp(store.now() + grace * 1000);
      metadata.deletionGracePeriodSeconds = grace;
    },
    'held',
  );
  if (marked === undefined) return object;
  if (isDue(marked)) store.remove(PODS, marked);
  return marked;
}
