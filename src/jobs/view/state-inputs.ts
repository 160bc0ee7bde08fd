/** Inputs of the state table: what a job's state depends on, and the terms of docs/kubernetes-objects.md section 2 derived from it. */
import type { JobState } from '../job.ts';
import { type PodObservation, podEnded, podRan, wasRemoved } from './observation.ts';
import type { EventView, JobView, PodView, Terminated } from './projection.ts';

/** State of a job as it is announced. */
export interface Outcome {
  readonly state: JobState;
  readonly statusCode: string;
  readonly message: string;
  readonly exitCode?: number;
}

/** An announced outcome and the row of the state table that gave it. */
interface Announcement {
  readonly outcome: Outcome;
  readonly cause: string;
}

export interface StateInputs {
  readonly job: JobView;
  readonly pod?: PodObservation;
  /** The last announcement. */
  readonly announced?: Announcement;
  /** Its container was observed running, in any pod. */
  readonly ran: boolean;
  /** Newest Warning event of the pod, or of the Job while there is no pod. */
  readonly warning?: EventView;
  /** Newest Pulling event of the pod. */
  readonly pulling?: EventView;
  /** Warnings in the response to the create. */
  readonly createWarning: string;
  /** Problem of the delivery of its input; for running jobs. */
  readonly inputProblem: string;
}

export interface DerivedInputs extends StateInputs {
  readonly podView: PodView | undefined;
  readonly present: boolean;
  readonly terminated: Terminated | undefined;
  readonly stop: boolean;
  readonly kill: boolean;
  readonly cancel: boolean;
  readonly decided: boolean;
  /** No pod exists, and none will be created. */
  readonly podDeleted: boolean;
  readonly ended: boolean;
  readonly removed: boolean;
  readonly endedByItself: boolean;
}

/** A removed pod from before the suspension of a Job that was resumed: the Job gets another one. */
const isBeforeResume = (pod: PodObservation, { resumedAt }: JobView): boolean =>
  resumedAt !== undefined && pod.view.createdAt < resumedAt && (wasRemoved(pod) || pod.isEndUnknown === true);

export function deriveInputs(inputs: StateInputs): DerivedInputs {
  const { job } = inputs;
  const pod = inputs.pod !== undefined && isBeforeResume(inputs.pod, job) ? undefined : inputs.pod;
  const podView = pod?.view;
  const present = pod?.present === true;
  const operation = job.control?.operation;
  const stop = operation === 'stop';
  const kill = operation === 'kill';
  const decided = job.decision !== undefined;
  const podDeleted = !present && (decided || stop || kill || job.deleting);
  const ended = (podView !== undefined && podEnded(podView)) || podDeleted;
  const removed = pod !== undefined && wasRemoved(pod);
  return {
    ...inputs,
    ran: inputs.ran || (podView !== undefined && podRan(podView)),
    podView,
    present,
    terminated: podView?.container.terminated,
    stop,
    kill,
    cancel: operation === 'cancel',
    decided,
    podDeleted,
    ended,
    removed,
    endedByItself: ended && !removed,
  };
}
