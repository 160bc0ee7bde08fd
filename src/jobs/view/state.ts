/**
 * From what is seen of a job to its state: the table of kubernetes-objects.md section 2, row by row; the first that matches
 * wins. Finished: its program ended by itself, with whatever exit code, or was stopped. Killed: it ran, and something else ended it.
 */

import { type JobState, TERMINAL_STATES } from '../job.ts';
import type { JobResult } from '../objects/annotations.ts';
import type { Terminated } from './projection.ts';
import {
  duration,
  nodeSilence,
  outOfMemory,
  POD_ENDINGS,
  pendingReason,
  removalReason,
  removing,
  startFailure,
} from './reasons.ts';
import { type Facts, factsOf, type Outcome, type Situation } from './situation.ts';

/** An outcome and the row of the table that gave it. */
export interface Verdict extends Outcome {
  readonly row: string;
  /** The end could be explained by what is not known yet: read the Job and its pods once before it is announced. */
  readonly doubtful: boolean;
}

/** Of a program that KILL ended. */
export const KILL_CODE = 137;
const SIGNAL_CODES: ReadonlySet<number> = new Set([KILL_CODE, 143]);
const NOT_STARTED: ReadonlySet<string> = new Set(['StartError', 'ContainerCannotRun']);
const STATUS_LOST: ReadonlySet<string> = new Set(['ContainerStatusUnknown', 'Unknown']);

interface Row {
  readonly row: string;
  /** For administrators, in short: what was seen that decides. */
  readonly seen: string;
  readonly when: (facts: Facts) => boolean;
  readonly outcome: (facts: Facts) => Outcome;
  readonly doubtful?: true;
}

const killedOr = (otherwise: JobState, { ran }: Facts): JobState => (ran ? 'Killed' : otherwise);
const codeAsSeen = ({ terminated }: Facts): Pick<Outcome, 'exitCode'> =>
  terminated === undefined ? {} : { exitCode: terminated.exitCode };

/** A process that was just started has announced nothing: then it was what the pod tells. */
function asItWas({ announced, ran }: Facts): Pick<Outcome, 'state' | 'statusCode'> {
  if (announced?.state === 'Running' || (announced === undefined && ran))
    return { state: 'Running', statusCode: 'Running' };
  return { state: 'Pending', statusCode: announced?.statusCode ?? 'Pending' };
}

/** It had ended within its time, and another container held the pod until the deadline. */
function endedInTime({ podView, terminated }: Facts): boolean {
  const { startTime, deadline } = podView ?? {};
  if (terminated?.finishedAt === undefined || startTime === undefined || deadline === undefined) return false;
  return terminated.finishedAt - startTime < deadline * 1000;
}

function deadlineMessage(facts: Facts): string {
  const { podView, ran } = facts;
  if (ran) {
    const limit = podView?.deadline === undefined ? '' : ` of ${duration(podView.deadline)}`;
    return `ran longer than its limit${limit}`;
  }
  const waitedFor = reasonToWait(facts);
  return waitedFor === '' ? 'did not start in time' : `did not start in time: ${waitedFor}`;
}

const reasonToWait = ({ job, podView, present, warning, pulling, createWarning }: Facts): string =>
  pendingReason(job, present ? podView : undefined, { warning, pulling, createWarning });

function endedInit({ podView }: Facts): { name: string; end: Terminated } | undefined {
  for (const { name, terminated } of podView?.init ?? [])
    if (terminated !== undefined) return { name, end: terminated };
  return undefined;
}

const outcomeOfResult = ({ state, statusCode, exitCode, message }: JobResult): Outcome => ({
  state,
  statusCode,
  message,
  ...(exitCode === undefined ? {} : { exitCode }),
});

const isEnd = ({ state }: Outcome): boolean => TERMINAL_STATES.has(state);

const GONE_MESSAGE = 'its pod is gone; how it ended is not known';

const TABLE: readonly Row[] = [
  {
    row: '1',
    seen: 'its recorded result',
    when: ({ job, announced }) => job.result !== undefined || (announced !== undefined && isEnd(announced)),
    outcome: ({ job, announced }) =>
      job.result === undefined
        ? (announced ?? { state: 'Finished', statusCode: '', message: '' })
        : outcomeOfResult(job.result),
  },
  {
    row: '2',
    seen: 'a kill was recorded, and it ended by KILL or with its pod',
    when: (f) => f.kill && f.ended && (f.terminated?.exitCode === KILL_CODE || f.removed || f.gone),
    outcome: () => ({ state: 'Killed', statusCode: 'Killed', message: '', exitCode: KILL_CODE }),
  },
  {
    row: '3',
    seen: 'a stop or kill was recorded, and the deadline of a second that stops a pod ended it',
    when: (f) => (f.stop || f.kill) && f.ended && f.podView?.reason === 'DeadlineExceeded' && f.podView.deadline === 1,
    outcome: (f) => ({ state: 'Finished', statusCode: 'Stopped', message: '', ...codeAsSeen(f) }),
  },
  {
    row: '4',
    seen: 'a cancel was recorded, and nothing of it starts any more',
    when: (f) => f.cancel && (f.job.suspended || f.job.idle) && !f.job.finished && !f.endedByItself,
    outcome: ({ job }) => ({ state: 'Canceled', statusCode: 'Canceled', message: job.control?.reason ?? '' }),
  },
  {
    row: '5',
    seen: 'somebody else suspended its Job',
    when: (f) => f.job.suspended && !f.cancel && !f.job.finished && (f.removed || (!f.present && !f.endedByItself)),
    outcome: () => ({ state: 'Pending', statusCode: 'Suspended', message: 'suspended in Kubernetes by somebody else' }),
  },
  {
    row: '6',
    seen: 'its pod is removed, and the Job controller has not said what becomes of it',
    when: (f) => f.removed && (f.ended || !f.present) && !f.decided,
    outcome: (f) => ({ ...asItWas(f), message: removalReason(f.podView) }),
  },
  {
    row: '6a',
    seen: 'its pod was removed before it ended',
    when: (f) => (f.ended && f.removed) || (f.podView !== undefined && f.podView.reason in POD_ENDINGS),
    outcome: (f) => ({
      state: killedOr('Failed', f),
      statusCode:
        f.podView?.reason ||
        f.podView?.disruption?.reason ||
        (f.job.decision?.reason === 'DeadlineExceeded' ? 'DeadlineExceeded' : 'Deleted'),
      message: removalReason(f.podView),
      ...codeAsSeen(f),
    }),
    doubtful: true,
  },
  {
    row: '7',
    seen: 'its deadline passed',
    when: (f) => f.ended && f.podView?.reason === 'DeadlineExceeded' && !endedInTime(f),
    outcome: (f) => ({
      state: killedOr('Failed', f),
      statusCode: 'DeadlineExceeded',
      message: deadlineMessage(f),
      ...(f.ran ? codeAsSeen(f) : {}),
    }),
    doubtful: true,
  },
  {
    row: '8',
    seen: 'its program could not be started',
    when: ({ terminated }) => terminated !== undefined && NOT_STARTED.has(terminated.reason),
    outcome: ({ terminated }) => ({
      state: 'Failed',
      statusCode: terminated?.reason ?? '',
      message: startFailure(terminated?.message ?? ''),
    }),
  },
  {
    row: '9',
    seen: 'its node or container runtime lost how it ended',
    when: ({ terminated }) => terminated !== undefined && STATUS_LOST.has(terminated.reason),
    outcome: (f) => ({
      state: killedOr('Failed', f),
      statusCode: f.terminated?.reason ?? '',
      message: f.terminated?.message || 'its node or container runtime was restarted; how it ended is not known',
    }),
  },
  {
    row: '10',
    seen: 'its container ended, out of memory',
    when: ({ terminated }) => terminated?.reason === 'OOMKilled',
    outcome: (f) => ({
      state: f.terminated?.exitCode === KILL_CODE ? 'Killed' : 'Finished',
      statusCode: 'OOMKilled',
      message: outOfMemory(f.podView?.memoryLimit),
      ...codeAsSeen(f),
    }),
  },
  {
    row: '11',
    seen: 'its container ended',
    when: ({ terminated }) => terminated !== undefined,
    outcome: (f) => {
      const { exitCode = 0, message = '' } = f.terminated ?? {};
      const statusCode = exitCode === 0 ? 'Completed' : 'Error';
      return {
        state: 'Finished',
        statusCode: f.terminated?.reason || statusCode,
        message: exitCode === 0 ? '' : message.trim() || `ended with exit code ${exitCode}`,
        exitCode,
      };
    },
  },
  {
    row: '12a',
    seen: 'its pod succeeded',
    when: ({ podView }) => podView?.phase === 'Succeeded',
    outcome: () => ({ state: 'Finished', statusCode: 'Completed', message: '', exitCode: 0 }),
  },
  {
    row: '12b',
    seen: 'its pod failed',
    when: ({ podView }) => podView?.phase === 'Failed',
    outcome: (f) => {
      const init = endedInit(f);
      if (init === undefined)
        return { state: 'Failed', statusCode: f.podView?.reason ?? '', message: f.podView?.message ?? '' };
      return {
        state: 'Failed',
        statusCode: init.end.reason,
        message: `init container ${init.name} ended with code ${init.end.exitCode}`,
      };
    },
  },
  {
    row: '13a',
    seen: 'its Job is complete and its pod gone',
    when: ({ gone, job }) => gone && (job.decision?.type === 'Complete' || job.decision?.type === 'SuccessCriteriaMet'),
    outcome: () => ({ state: 'Finished', statusCode: 'Completed', message: GONE_MESSAGE, exitCode: 0 }),
    doubtful: true,
  },
  {
    row: '13b',
    seen: 'its Job has failed or is ended, and its pod is gone',
    when: ({ gone, decided }) => gone && decided,
    outcome: ({ job }) => ({ state: 'Failed', statusCode: job.decision?.reason ?? '', message: GONE_MESSAGE }),
    doubtful: true,
  },
  {
    row: '14',
    seen: 'its container runs',
    when: ({ podView, present }) => present && podView?.container.running !== undefined,
    outcome: (f) => ({ state: 'Running', statusCode: 'Running', message: runningMessage(f) }),
  },
];

/** When no other row matches. */
const PENDING: Row = {
  row: '15',
  seen: 'nothing of it runs yet',
  when: () => true,
  outcome: (f) => ({ state: 'Pending', statusCode: 'Pending', message: reasonToWait(f) }),
};

/** What decides in each row of the table. */
export const SEEN: ReadonlyMap<string, string> = new Map([...TABLE, PENDING].map(({ row, seen }) => [row, seen]));

function runningMessage({ podView, inputProblem, stop, kill }: Facts): string {
  if (podView === undefined) return inputProblem;
  // What we do ourselves needs no explanation.
  const { node, nodeSilentSince } = podView;
  const silence = nodeSilentSince === undefined ? '' : nodeSilence(node, nodeSilentSince);
  return (stop || kill ? '' : removing(podView)) || silence || inputProblem;
}

/** The state of a job whose Job object is there. */
export function stateOf(situation: Situation): Verdict {
  const facts = factsOf(situation);
  const row = TABLE.find(({ when }) => when(facts)) ?? PENDING;
  const outcome = row.outcome(facts);
  const unexplained =
    facts.job.control === undefined && facts.terminated !== undefined && SIGNAL_CODES.has(facts.terminated.exitCode);
  return {
    ...outcome,
    row: row.row,
    doubtful: row.row !== '1' && isEnd(outcome) && (row.doubtful === true || unexplained),
  };
}

/** The last state of a job whose Job object is gone, or is no longer marked as ours. */
export function stateWithoutJob(situation: Situation): Verdict {
  const verdict = stateOf(situation);
  if (isEnd(verdict)) return verdict;
  return {
    state: killedOr('Canceled', factsOf(situation)),
    statusCode: 'Deleted',
    message: 'its Job was deleted in Kubernetes by somebody else',
    row: 'deleted',
    doubtful: true,
  };
}
