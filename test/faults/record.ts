/** What a run knows of its jobs: what each has to do, and what the launcher's side saw of it. */
import type { JobFrame } from '../support/launcher.ts';
import type { Assignment } from './workload.ts';

export interface JobRecord {
  readonly assignment: Assignment;
  /** Its id, once a submit was answered with one. */
  id: string | undefined;
  /** The instance that submitted it. */
  submittedBy: string | undefined;
  /** When another client or a user began to end it. */
  actedAt: number | undefined;
  /** Errors with which submits were answered. */
  readonly refusals: string[];
  /** Each time that its output was read, the first time from its beginning on. */
  readonly readings: Reading[];
  /** It waited for input that will not come, and was killed by the driver in the end. */
  inputLost: boolean;
  /** What is wrong with its addresses. */
  readonly problems: string[];
  /** How it was listed after its end. */
  readonly shown: Shown[];
}

export interface Reading {
  text: string;
  /** How the stream ended, `restarted` if the executable ended first; undefined while it has not. */
  end: 'complete' | 'restarted' | Error | undefined;
}

interface Shown {
  /** By which instance or when, for the findings. */
  readonly where: string;
  readonly job: JobFrame;
}

export function newRecord(assignment: Assignment): JobRecord {
  return {
    assignment,
    id: undefined,
    submittedBy: undefined,
    actedAt: undefined,
    refusals: [],
    readings: [],
    inputLost: false,
    problems: [],
    shown: [],
  };
}
