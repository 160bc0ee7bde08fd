/** All that the state of a job depends on, and the words of kubernetes-objects.md section 2 for it, worked out once. */
import type { JobState } from '../job.ts';
import { podEnded, podRan, type SeenPod, wasRemoved } from './observation.ts';
import type { EventView, JobView, PodView, Terminated } from './projection.ts';

/** What people are told of a job. */
export interface Outcome {
  readonly state: JobState;
  readonly statusCode: string;
  readonly message: string;
  readonly exitCode?: number;
}

/** Everything that the state of a job depends on. */
export interface Situation {
  readonly job: JobView;
  readonly pod?: SeenPod;
  /** What was announced last. */
  readonly announced?: Outcome;
  /** Its program was seen running, in whichever pod. */
  readonly ran: boolean;
  /** Newest Warning event of the pod, or of the Job while there is no pod. */
  readonly warning?: EventView;
  /** Newest event Pulling of the pod. */
  readonly pulling?: EventView;
  /** Warnings of the create answer. */
  readonly createWarning: string;
  /** What the delivery of its input says of a running job. */
  readonly inputProblem: string;
}

/** The words of section 2, worked out once. */
export interface Facts extends Situation {
  readonly podView: PodView | undefined;
  readonly present: boolean;
  readonly terminated: Terminated | undefined;
  readonly stop: boolean;
  readonly kill: boolean;
  readonly cancel: boolean;
  readonly decided: boolean;
  readonly gone: boolean;
  readonly ended: boolean;
  readonly removed: boolean;
  readonly endedByItself: boolean;
}

export function factsOf(situation: Situation): Facts {
  const { job, pod } = situation;
  const podView = pod?.view;
  const present = pod?.present === true;
  const operation = job.control?.operation;
  const stop = operation === 'stop';
  const kill = operation === 'kill';
  const decided = job.decision !== undefined;
  const gone = !present && (decided || stop || kill);
  const ended = (podView !== undefined && podEnded(podView)) || gone;
  const removed = pod !== undefined && wasRemoved(pod);
  return {
    ...situation,
    ran: situation.ran || (podView !== undefined && podRan(podView)),
    podView,
    present,
    terminated: podView?.container.terminated,
    stop,
    kill,
    cancel: operation === 'cancel',
    decided,
    gone,
    ended,
    removed,
    endedByItself: ended && !removed,
  };
}
