/** Situations of jobs as the state table sees them, and what is to be told of them. */

import type { PodObservation } from '../../../src/jobs/view/observation.ts';
import { type JobView, type PodView, projectJob, projectPod } from '../../../src/jobs/view/projection.ts';
import type { StateInputs } from '../../../src/jobs/view/state-inputs.ts';
import { request } from '../requests.ts';

export const SECOND = 1000;
export const START = Date.UTC(2026, 10, 23, 18, 0, 0);

const { uid, name } = projectJob({ metadata: { name: 'job-a', uid: 'j' } });
const JOB = { uid, name };
const OWNER = { apiVersion: 'batch/v1', kind: 'Job', name: 'job-a', uid: 'j', controller: true };
const POD = projectPod({ metadata: { uid: 'p', ownerReferences: [OWNER] } });

/** A Job with its metadata only. */
export const job = (members: Partial<JobView> = {}): JobView => ({
  ...JOB,
  resourceVersion: '1',
  request: request(),
  createdAt: START,
  startedAt: START,
  deleting: false,
  lastTransition: START,
  suspended: false,
  idle: false,
  active: false,
  ready: false,
  finished: false,
  stdinDue: false,
  ...members,
});
/** Its pod, whose container runs. */
export const pod = (members: Partial<PodView> = {}): PodView => ({
  uid: POD.uid,
  name: 'job-a-x',
  resourceVersion: '2',
  jobUid: POD.jobUid,
  createdAt: START,
  lastTransition: START,
  node: 'node0',
  phase: 'Running',
  reason: '',
  message: '',
  startTime: START,
  container: { name: 'c', image: 'busybox', running: { startedAt: START } },
  init: [],
  sharesProcesses: true,
  hostIp: '',
  podIps: [],
  ...members,
});
/** A container that has ended after five seconds. */
export const end = (
  exitCode: number,
  members: Partial<NonNullable<PodView['container']['terminated']>> = {},
): PodView['container'] => ({
  name: 'c',
  image: 'busybox',
  terminated: {
    exitCode,
    reason: exitCode === 0 ? 'Completed' : 'Error',
    message: '',
    startedAt: START,
    finishedAt: START + 5 * SECOND,
    ...members,
  },
});
/** A pod as this process saw it: whether it is still there, and what came first. */
export const seen = (view: PodView, present = true, first?: 'end' | 'removal'): PodObservation => ({
  view,
  present,
  ...(first === undefined ? {} : { first }),
});
/** What the Job controller has decided. */
export const FAILED = {
  decision: { type: 'Failed', reason: 'BackoffLimitExceeded', message: '', at: START },
  finished: true,
} as const;
export const COMPLETE = {
  decision: { type: 'Complete', reason: 'CompletionsReached', message: '', at: START },
  finished: true,
} as const;
export const RUNNING: NonNullable<StateInputs['announced']> = {
  outcome: { state: 'Running', statusCode: 'Running', message: '' },
  cause: 'running',
};
/** What a user asked for, written onto the Job. */
export const control = (operation: 'stop' | 'kill' | 'cancel', reason?: string): Pick<JobView, 'control'> => ({
  control: { operation, at: '', user: 'alice', ...(reason === undefined ? {} : { reason }) },
});
/** A Job that was just made, and what else is seen. */
export const stateInputs = (members: Partial<StateInputs>): StateInputs => ({
  job: job(),
  ran: false,
  createWarning: '',
  inputProblem: '',
  ...members,
});

/** What is seen, and what is to be told of it. */
export interface Case {
  readonly what: string;
  readonly cause: string;
  readonly given: Partial<StateInputs>;
  /** state, statusCode, exit code, message. */
  readonly expected: readonly [string, string, number | undefined, string];
  readonly isUnconfirmed?: boolean;
}

/** Asked for 4 s after the start: 30 s of grace end at this time. */
export const DELETION = { deletion: { at: START + 34 * SECOND, graceSeconds: 30 } };
