/**
 * The garbage collector (dependents of what was deleted, foreground and orphan deletion; kubernetes-facts.md 61 to 69) and the
 * controller of ttlSecondsAfterFinished.
 */
import { deleteObject } from '../api/deletion.ts';
import { JOBS, PODS, RESOURCES, type Resource, SECRETS, SERVICES } from '../api/resources.ts';
import type { Store } from '../api/store.ts';
import { isFinishedJob, type Job, type StoredObject } from '../model.ts';
import type { Pace } from '../pace.ts';
import { createTimers } from '../timers.ts';
import type { Controller } from './jobs.ts';

/** Kinds that are owned by others here. */
const DEPENDENTS: readonly Resource[] = [PODS, SERVICES, SECRETS];

export function startGarbageCollector(store: Store, pace: Pace): Controller {
  const timers = createTimers(pace.clock);
  const later = (run: () => void): void => {
    timers.after(pace.delay('garbage'), run);
  };

  function dependentsOf(uid: string): { resource: Resource; object: StoredObject }[] {
    return DEPENDENTS.flatMap((resource) =>
      store
        .list(resource)
        .filter(({ metadata }) => metadata.ownerReferences?.some((owner) => owner.uid === uid))
        .map((object) => ({ resource, object })),
    );
  }

  function collect(uid: string): void {
    for (const { resource, object } of dependentsOf(uid)) {
      // What a Job tracks is released first, or nobody would count it any more.
      const released = withoutFinalizer(resource, object, 'batch.kubernetes.io/job-tracking');
      if (released !== undefined) deleteObject(store, resource, released, { propagationPolicy: 'Background' });
    }
  }

  function withoutFinalizer(resource: Resource, object: StoredObject, finalizer: string): StoredObject | undefined {
    return store.edit(resource, object, ({ metadata }) => {
      const rest = metadata.finalizers?.filter((one) => one !== finalizer) ?? [];
      if (rest.length > 0) metadata.finalizers = rest;
      else delete metadata.finalizers;
    });
  }

  function foreground(resource: Resource, object: StoredObject): void {
    collect(object.metadata.uid);
    if (dependentsOf(object.metadata.uid).length === 0) withoutFinalizer(resource, object, 'foregroundDeletion');
  }

  function orphan(resource: Resource, object: StoredObject): void {
    for (const dependent of dependentsOf(object.metadata.uid)) {
      store.edit(dependent.resource, dependent.object, ({ metadata }) => {
        const owners = metadata.ownerReferences?.filter(({ uid }) => uid !== object.metadata.uid) ?? [];
        if (owners.length > 0) metadata.ownerReferences = owners;
        else delete metadata.ownerReferences;
      });
    }
    withoutFinalizer(resource, object, 'orphan');
  }

  /** An object whose owner never existed, or is gone. */
  function checkOwners(resource: Resource, object: StoredObject): void {
    const owners = object.metadata.ownerReferences ?? [];
    const alive = owners.some(({ uid }) =>
      RESOURCES.some((kind) => store.list(kind).some((one) => one.metadata.uid === uid)),
    );
    if (owners.length === 0 || alive) return;
    const current = store.get(resource, object.metadata.namespace ?? '', object.metadata.name);
    if (current !== undefined) deleteObject(store, resource, current, { propagationPolicy: 'Background' });
  }

  const unlisten = RESOURCES.map((resource) =>
    store.listen(resource, ({ type, object }) => {
      if (type === 'DELETED') {
        if (resource.plural === JOBS.plural) later(() => collect(object.metadata.uid));
        const owner = object.metadata.ownerReferences?.[0];
        const job = owner === undefined ? undefined : store.get(JOBS, object.metadata.namespace ?? '', owner.name);
        if (job?.metadata.finalizers?.includes('foregroundDeletion')) later(() => foreground(JOBS, job));
        return;
      }
      const { finalizers = [], deletionTimestamp, ownerReferences } = object.metadata;
      if (type === 'ADDED' && ownerReferences !== undefined) later(() => checkOwners(resource, object));
      if (deletionTimestamp === undefined) return;
      if (finalizers.includes('foregroundDeletion')) later(() => foreground(resource, object));
      if (finalizers.includes('orphan')) later(() => orphan(resource, object));
    }),
  );

  const unlistenTtl = store.listen(JOBS, ({ type, object }) => {
    const job = object as Job;
    const seconds = job.spec.ttlSecondsAfterFinished;
    if (type === 'DELETED' || seconds === undefined || !isFinishedJob(job)) return;
    const end = job.status.conditions?.find(
      ({ type: kind, status }) => status === 'True' && (kind === 'Complete' || kind === 'Failed'),
    );
    const left = Date.parse(end?.lastTransitionTime ?? '') + pace.seconds(seconds) - store.now();
    timers.after(Math.max(left, 0) + pace.delay('garbage'), () => {
      const current = store.get(JOBS, job.metadata.namespace ?? '', job.metadata.name);
      if (current?.metadata.uid !== job.metadata.uid || current.metadata.deletionTimestamp !== undefined) return;
      if (current.spec.ttlSecondsAfterFinished !== seconds) return;
      deleteObject(store, JOBS, current, { propagationPolicy: 'Foreground' });
    });
  });

  return {
    close: () => {
      for (const stop of unlisten) stop();
      unlistenTtl();
      timers.close();
    },
  };
}
