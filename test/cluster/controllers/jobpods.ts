/**
 * The pods of a Job: made through the same admission as those of users, released from the controller's finalizer, removed.
 */
import type { Admission } from '../api/admission.ts';
import { deleteObject } from '../api/deletion.ts';
import { PODS } from '../api/resources.ts';
import { ApiError } from '../api/status.ts';
import type { Store } from '../api/store.ts';
import { isFinishedPod, type Job, type Pod } from '../model.ts';
import type { EventRecorder } from './events.ts';

export const TRACKING = 'batch.kubernetes.io/job-tracking';
export const SOURCE = { component: 'job-controller' };

interface JobPods {
  /** The new pod; undefined if admission refused it, which an event tells. */
  readonly make: (job: Job) => Pod | undefined;
  /** `released` pods lose the finalizer first and are not counted; the others are counted as failed. */
  readonly remove: (job: Job, pod: Pod, how: 'released' | 'counted') => void;
  /** Takes the finalizer away. */
  readonly release: (pod: Pod) => Pod | undefined;
  /** The same for all that are over or going. */
  readonly releaseAll: (pods: readonly Pod[]) => void;
}

export function createJobPods(store: Store, admission: Admission, events: EventRecorder): JobPods {
  function make(job: Job): Pod | undefined {
    const { metadata, spec } = job.spec.template;
    const { name, uid, namespace = '' } = job.metadata;
    try {
      const draft = admission.admit(PODS, namespace, {
        metadata: {
          generateName: `${name}-`,
          namespace,
          labels: { ...metadata?.labels },
          ...(metadata?.annotations === undefined ? {} : { annotations: { ...metadata.annotations } }),
          ownerReferences: [
            { apiVersion: 'batch/v1', kind: 'Job', name, uid, controller: true, blockOwnerDeletion: true },
          ],
          finalizers: [TRACKING],
        },
        ...{ spec },
      });
      const pod = store.create(PODS, draft as unknown as Parameters<typeof store.create<Pod>>[1]);
      events.record(SOURCE, job, {
        type: 'Normal',
        reason: 'SuccessfulCreate',
        message: `Created pod: ${pod.metadata.name}`,
      });
      return pod;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      events.record(SOURCE, job, {
        type: 'Warning',
        reason: 'FailedCreate',
        message: `Error creating: ${error.message}`,
      });
      return undefined;
    }
  }

  function remove(job: Job, pod: Pod, how: 'released' | 'counted'): void {
    const current = how === 'released' ? release(pod) : pod;
    if (current === undefined) return;
    deleteObject(store, PODS, current, {});
    events.record(SOURCE, job, {
      type: 'Normal',
      reason: 'SuccessfulDelete',
      message: `Deleted pod: ${pod.metadata.name}`,
    });
  }

  function release(pod: Pod): Pod | undefined {
    return store.edit<Pod>(PODS, pod, ({ metadata }) => {
      const finalizers = metadata.finalizers?.filter((one) => one !== TRACKING) ?? [];
      if (finalizers.length > 0) metadata.finalizers = finalizers;
      else delete metadata.finalizers;
    });
  }

  function releaseAll(pods: readonly Pod[]): void {
    for (const pod of pods) if (isFinishedPod(pod) || pod.metadata.deletionTimestamp !== undefined) release(pod);
  }

  return { make, remove, release, releaseAll };
}
