/**
 * The job controller: makes and removes pods, counts them, sets the conditions (kubernetes-facts.md 2 to 5, 26, 46, 54 to 60).
 */
import type { JobStatus } from 'kubernetes-types/batch/v1.d.ts';
import type { Admission } from '../api/admission.ts';
import { JOBS, PODS } from '../api/resources.ts';
import type { Store } from '../api/store.ts';
import {
  controllerOf,
  isFinishedJob,
  isFinishedPod,
  isReadyPod,
  type Job,
  jobCondition,
  type Pod,
  timestamp,
} from '../model.ts';
import type { Pace } from '../pace.ts';
import { createTimers } from '../timers.ts';
import type { EventRecorder } from './events.ts';
import { createJobPods, SOURCE, TRACKING } from './jobpods.ts';
import { addTo, ordered, setCondition } from './jobstatus.ts';
import { createQueue } from './queue.ts';
import {
  BACKOFF_EXCEEDED,
  COMPLETED,
  DEADLINE_EXCEEDED,
  decided,
  hasFailed,
  isRemoved,
  timeLeft,
  type Verdict,
} from './verdict.ts';

const MAX_BACKOFF_S = 600;

export interface Controller {
  readonly close: () => void;
}

export function startJobController(store: Store, admission: Admission, events: EventRecorder, pace: Pace): Controller {
  const timers = createTimers(pace.clock);
  const queue = createQueue(timers, sync);
  const jobPods = createJobPods(store, admission, events);
  /** Seconds of the next back-off after a pod could not be made, per Job. */
  const backoffs = new Map<string, number>();
  /** When Jobs really started, milliseconds. */
  const starts = new Map<string, number>();

  const soon = (key: string): void => queue.add(key, pace.delay('jobSync'));
  const batched = (key: string): void => queue.add(key, pace.delay('jobBatch'));

  const unlisten = [
    store.listen(JOBS, ({ type, object, previous }) => {
      if (type === 'DELETED') for (const map of [backoffs, starts]) map.delete(keyOf(object));
      else if (type === 'ADDED' || object.metadata.generation !== previous?.metadata.generation) soon(keyOf(object));
      else batched(keyOf(object));
    }),
    store.listen(PODS, ({ object }) => {
      const owner = object.metadata.ownerReferences?.find(({ controller }) => controller);
      if (owner !== undefined) batched(`${object.metadata.namespace}/${owner.name}`);
    }),
  ];

  function sync(key: string): void {
    const [namespace = '', name = ''] = key.split('/');
    const job = store.get(JOBS, namespace, name);
    if (job === undefined) return;
    const pods = store.list(PODS, namespace).filter((pod) => controllerOf(pod) === job.metadata.uid);
    if (isFinishedJob(job)) {
      jobPods.releaseAll(pods);
      return;
    }
    syncUnfinished(job, pods, key);
  }

  function syncUnfinished(job: Job, pods: readonly Pod[], key: string): void {
    const status = structuredClone(job.status);
    const tracked = pods.filter((pod) => pod.metadata.finalizers?.includes(TRACKING));
    const uncounted = {
      succeeded: [...(status.uncountedTerminatedPods?.succeeded ?? [])],
      failed: [...(status.uncountedTerminatedPods?.failed ?? [])],
    };
    const isNew = (pod: Pod): boolean => !uncounted.succeeded.concat(uncounted.failed).includes(pod.metadata.uid);
    const succeeded = tracked.filter((pod) => pod.status.phase === 'Succeeded' && isNew(pod) && !isRemoved(pod));
    const failed = tracked.filter((pod) => hasFailed(pod) && isNew(pod));
    let active = pods.filter((pod) => !isFinishedPod(pod) && pod.metadata.deletionTimestamp === undefined);
    const failures = (status.failed ?? 0) + uncounted.failed.length + failed.length;
    const successes = (status.succeeded ?? 0) + uncounted.succeeded.length + succeeded.length;
    const left = timeLeft(job, starts.get(key), pace);
    const suspended = job.spec.suspend === true;

    let verdict = decided(job);
    if (verdict === undefined && job.metadata.deletionTimestamp === undefined) {
      if (failures > (job.spec.backoffLimit ?? 6)) verdict = { type: 'Failed', ...BACKOFF_EXCEEDED };
      else if (left !== undefined && left <= 0) verdict = { type: 'Failed', ...DEADLINE_EXCEEDED };
      else if (successes >= (job.spec.completions ?? 1)) verdict = { type: 'Complete', ...COMPLETED };
    }

    if (verdict !== undefined) {
      for (const pod of active) jobPods.remove(job, pod, 'counted');
      failed.push(...active.filter((pod) => verdict?.type === 'Failed' && isNew(pod)));
      active = [];
    } else if (suspended) {
      for (const pod of active) jobPods.remove(job, pod, 'released');
      active = [];
      suspend(job, status);
    } else {
      const resumed = resume(key, status);
      const wanted = Math.min(job.spec.parallelism ?? 1, (job.spec.completions ?? 1) - successes);
      if (active.length > wanted) {
        for (const pod of active.slice(Math.max(wanted, 0))) jobPods.remove(job, pod, 'released');
        active = active.slice(0, Math.max(wanted, 0));
      } else if (job.metadata.deletionTimestamp === undefined && status.startTime !== undefined) {
        const made = Array.from({ length: wanted - active.length }, () => makePod(job, key)).filter(
          (pod) => pod !== undefined,
        );
        active = [...active, ...made];
      }
      if (resumed) events.record(SOURCE, job, { type: 'Normal', reason: 'Resumed', message: 'Job resumed' });
      const end = timeLeft({ ...job, status }, starts.get(key), pace);
      if (end !== undefined) queue.add(key, Math.max(0, end) + 1);
    }

    const now = pods.map((pod) => store.get(PODS, pod.metadata.namespace ?? '', pod.metadata.name) ?? gone(pod));
    status.ready = active.filter((pod) => isReadyPod(pod)).length;
    status.terminating = now.filter(
      (pod) => pod.metadata.deletionTimestamp !== undefined && !isFinishedPod(pod),
    ).length;
    if (active.length > 0) status.active = active.length;
    else delete status.active;

    uncounted.succeeded.push(...succeeded.map(({ metadata }) => metadata.uid));
    uncounted.failed.push(...failed.map(({ metadata }) => metadata.uid));
    count(job, status, uncounted, verdict);
  }

  /** Writes the status in two steps: first the pods that are to be counted, then, when released, their number. */
  function count(
    job: Job,
    status: JobStatus,
    uncounted: { succeeded: string[]; failed: string[] },
    verdict: Verdict | undefined,
  ): void {
    const pending = uncounted.succeeded.length + uncounted.failed.length > 0;
    const target =
      verdict === undefined
        ? undefined
        : { ...verdict, type: verdict.type === 'Complete' ? 'SuccessCriteriaMet' : 'FailureTarget' };
    if (target !== undefined) setCondition(status, target, store.now());
    status.uncountedTerminatedPods = {
      ...(uncounted.succeeded.length > 0 ? { succeeded: uncounted.succeeded } : {}),
      ...(uncounted.failed.length > 0 ? { failed: uncounted.failed } : {}),
    };
    let stored = write(job, status);
    if (stored === undefined) return;
    if (pending) {
      for (const pod of store.list(PODS, job.metadata.namespace ?? '')) {
        if ([...uncounted.succeeded, ...uncounted.failed].includes(pod.metadata.uid)) jobPods.release(pod);
      }
      status.uncountedTerminatedPods = {};
      addTo(status, 'succeeded', uncounted.succeeded.length);
      addTo(status, 'failed', uncounted.failed.length);
    }
    const quiet = (status.terminating ?? 0) === 0 && status.active === undefined;
    if (verdict !== undefined && quiet) {
      setCondition(status, verdict, store.now());
      if (verdict.type === 'Complete') status.completionTime = timestamp(store.now());
      stored = write(stored, status);
      if (stored !== undefined) tellEnd(stored, verdict);
    } else if (pending) write(stored, status);
  }

  function tellEnd(job: Job, verdict: Verdict): void {
    const text =
      verdict.type === 'Complete'
        ? { type: 'Normal' as const, reason: 'Completed', message: 'Job completed' }
        : { type: 'Warning' as const, reason: verdict.reason, message: verdict.message };
    events.record(SOURCE, job, text);
  }

  function write(job: Job, status: JobStatus): Job | undefined {
    return store.edit<Job>(JOBS, job, (draft) => {
      draft.status = ordered(status);
    });
  }

  function suspend(job: Job, status: JobStatus): void {
    if (status.startTime !== undefined) delete status.startTime;
    if (jobCondition(job, 'Suspended') === 'True') return;
    const condition = { type: 'Suspended', status: 'True', reason: 'JobSuspended', message: 'Job suspended' };
    setCondition(status, condition, store.now());
    events.record(SOURCE, job, { type: 'Normal', reason: 'Suspended', message: 'Job suspended' });
  }

  /** Whether it was suspended until now. */
  function resume(key: string, status: JobStatus): boolean {
    if (status.startTime === undefined) {
      status.startTime = timestamp(store.now());
      starts.set(key, store.now());
    }
    if (!status.conditions?.some((one) => one.type === 'Suspended' && one.status === 'True')) return false;
    const condition = { type: 'Suspended', status: 'False', reason: 'JobResumed', message: 'Job resumed' };
    setCondition(status, condition, store.now());
    return true;
  }

  /** A new pod, or undefined, and another try after the back-off. */
  function makePod(job: Job, key: string): Pod | undefined {
    const pod = jobPods.make(job);
    if (pod !== undefined) backoffs.delete(key);
    else {
      const seconds = backoffs.get(key) ?? 1;
      backoffs.set(key, Math.min(seconds * 2, MAX_BACKOFF_S));
      queue.add(key, pace.delay('quotaRetry') * seconds);
    }
    return pod;
  }

  return {
    close: () => {
      for (const stop of unlisten) stop();
      timers.close();
    },
  };
}

function keyOf({ metadata }: { metadata: { namespace?: string; name: string } }): string {
  return `${metadata.namespace}/${metadata.name}`;
}

/** A pod that went away during this sync is still terminating for it (kubernetes-facts.md 54). */
function gone(pod: Pod): Pod {
  if (pod.metadata.deletionTimestamp !== undefined) return { ...pod, status: { ...pod.status, phase: 'Failed' } };
  return { ...pod, metadata: { ...pod.metadata, deletionTimestamp: pod.metadata.creationTimestamp } };
}
