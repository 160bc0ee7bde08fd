/**
 * State table: the state of a job from its inputs, row by row; the first row that matches decides. Finished: the program ended
 * by itself, with any exit code, or was stopped. Killed: it ran, and something else ended it.
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
  removalInProgress,
  removalReason,
  startFailure,
} from './reasons.ts';
import { type DerivedInputs, deriveInputs, type Outcome, type StateInputs } from './state-inputs.ts';

/** Result of the state table. */
export interface StateEvaluation {
  readonly outcome: Outcome;
  /** Name of the row that decided; for a recorded result the cause that is recorded with it. */
  readonly cause: string;
  /** Something unknown could still explain this final state: the Job and its pods are read before it is announced. */
  readonly isUnconfirmed: boolean;
}

/** Exit code of a program that was ended by signal KILL. */
export const KILL_CODE = 137;
const SIGNAL_CODES: ReadonlySet<number> = new Set([KILL_CODE, 143]);
const NOT_STARTED: ReadonlySet<string> = new Set(['StartError', 'ContainerCannotRun']);
const STATUS_LOST: ReadonlySet<string> = new Set(['ContainerStatusUnknown', 'Unknown']);

/** A row as the documentation shows it. */
interface RowText {
  readonly cause: string;
  /** What was observed; `jobs ID` shows it if the outcome has no message. */
  readonly seen: string;
  readonly state: string;
  readonly statusCode: string;
  /** Exit code, message, and what else is to be known of the row. */
  readonly details: string;
}

interface Row extends RowText {
  readonly when: (inputs: DerivedInputs) => boolean;
  readonly outcome: (inputs: DerivedInputs) => Outcome;
  readonly isUnconfirmed?: true;
}

const killedOr = (otherwise: JobState, { ran }: DerivedInputs): JobState => (ran ? 'Killed' : otherwise);
const observedCode = ({ terminated }: DerivedInputs): Pick<Outcome, 'exitCode'> =>
  terminated === undefined ? {} : { exitCode: terminated.exitCode };

/** The state before; a process that has announced nothing yet takes it from the pod. */
function unchangedState({ announced, ran }: DerivedInputs): Pick<Outcome, 'state' | 'statusCode'> {
  if (announced?.outcome.state === 'Running' || (announced === undefined && ran))
    return { state: 'Running', statusCode: 'Running' };
  return { state: 'Pending', statusCode: announced?.outcome.statusCode ?? 'Pending' };
}

/** The container had ended before the deadline, and another container kept the pod running until then. */
function endedInTime({ podView, terminated }: DerivedInputs): boolean {
  const { startTime, deadline } = podView ?? {};
  if (terminated?.finishedAt === undefined || startTime === undefined || deadline === undefined) return false;
  return terminated.finishedAt - startTime < deadline * 1000;
}

function deadlineMessage(inputs: DerivedInputs): string {
  const { podView, ran } = inputs;
  if (ran) {
    const limit = podView?.deadline === undefined ? '' : ` of ${duration(podView.deadline)}`;
    return `ran longer than its limit${limit}`;
  }
  const reason = reasonToWait(inputs);
  return reason === '' ? 'did not start in time' : `did not start in time: ${reason}`;
}

const reasonToWait = ({ job, podView, present, warning, pulling, createWarning, announced }: DerivedInputs): string => {
  const previous = announced?.outcome.message ?? '';
  return pendingReason(job, present ? podView : undefined, { warning, pulling, createWarning, previous });
};

function endedInit({ podView }: DerivedInputs): { name: string; end: Terminated } | undefined {
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

const isFinal = ({ state }: Outcome): boolean => TERMINAL_STATES.has(state);

const UNKNOWN_END = 'its pod was deleted; how it ended is not known';
const deletedOutcome = (inputs: DerivedInputs): Outcome => ({
  state: killedOr('Canceled', inputs),
  statusCode: 'Deleted',
  message: 'its Job was deleted in Kubernetes by another client',
});

/** Cause of results that were recorded without one. */
const RECORDED = 'recorded-result';

const TABLE: readonly Row[] = [
  {
    cause: RECORDED,
    seen: 'its result is recorded, without a cause',
    state: 'as recorded',
    statusCode: 'as recorded',
    details:
      'annotation `job-launcher/result`, else the final state that was announced; the cause is the recorded one. A final state never changes: a status stream that reported one sends nothing more, even if another instance recorded a different result',
    when: ({ job, announced }) => job.result !== undefined || (announced !== undefined && isFinal(announced.outcome)),
    outcome: ({ job, announced }) =>
      job.result === undefined
        ? (announced?.outcome ?? { state: 'Finished', statusCode: '', message: '' })
        : outcomeOfResult(job.result),
  },
  {
    cause: 'killed',
    seen: 'a kill is recorded, and the container ended with exit code 137 or was removed with its pod',
    state: 'Killed',
    statusCode: 'Killed',
    details:
      '137, also if the pod shows 143 or nothing (a kill deletes the pod if exec is not possible, and a deleted pod often shows no exit code)',
    when: (i) => i.kill && i.ended && (i.terminated?.exitCode === KILL_CODE || i.removed || i.podDeleted),
    outcome: () => ({ state: 'Killed', statusCode: 'Killed', message: '', exitCode: KILL_CODE }),
  },
  {
    cause: 'stopped',
    seen: 'a stop or kill is recorded, and the pod ended by its deadline of 1 s (DeadlineExceeded)',
    state: 'Finished',
    statusCode: 'Stopped',
    details:
      'as observed: 143 for TERM, 0 for a program that traps it; none if the kubelet never reported it (before 1.22)',
    when: (i) => (i.stop || i.kill) && i.ended && i.podView?.reason === 'DeadlineExceeded' && i.podView.deadline === 1,
    outcome: (i) => ({ state: 'Finished', statusCode: 'Stopped', message: '', ...observedCode(i) }),
  },
  {
    cause: 'canceled',
    seen: 'a cancel is recorded, and the Job is suspended or has parallelism 0, is not Complete or Failed, and did not end by itself',
    state: 'Canceled',
    statusCode: 'Canceled',
    details: 'the reason of the cancel, if it has one; also while the pod is still being deleted',
    when: (i) => i.cancel && (i.job.suspended || i.job.idle) && !i.job.finished && !i.endedByItself,
    outcome: ({ job }) => ({ state: 'Canceled', statusCode: 'Canceled', message: job.control?.reason ?? '' }),
  },
  {
    cause: 'suspended',
    seen: 'another client suspended the Job, which is not finished, and its pod was removed or does not exist',
    state: 'Pending',
    statusCode: 'Suspended',
    details:
      '"suspended in Kubernetes by another client"; the only transition from Running to Pending (the output continues with the log of the new pod)',
    when: (i) => i.job.suspended && !i.cancel && !i.job.finished && (i.removed || (!i.present && !i.endedByItself)),
    outcome: () => ({
      state: 'Pending',
      statusCode: 'Suspended',
      message: 'suspended in Kubernetes by another client',
    }),
  },
  {
    cause: 'pod-removal-pending',
    seen: 'its pod was removed and ended, or was deleted, and the Job has no decision yet and is not being deleted',
    state: 'unchanged (Running, else Pending)',
    statusCode: 'unchanged',
    details:
      'what removed the pod; the Job controller decides within 1 to 2 s. A deletion that only a list showed is no removal: the end was not observed',
    when: (i) =>
      (i.removed || i.pod?.isEndUnknown === true) && (i.ended || !i.present) && !i.decided && !i.job.deleting,
    outcome: (i) => ({
      ...unchangedState(i),
      message: i.pod?.isEndUnknown === true ? UNKNOWN_END : removalReason(i.podView),
    }),
  },
  {
    cause: 'pod-removed',
    seen: 'its pod was removed before it ended, or has reason Evicted, Terminated, NodeShutdown, Preempting or NodeLost',
    state: 'Killed if it ran, else Failed',
    statusCode:
      "the pod's reason, else that of condition DisruptionTarget (EvictionByEvictionAPI, PreemptionByScheduler, DeletionByTaintManager ...), else DeadlineExceeded if that is the Job's reason, else Deleted",
    details:
      'code as observed; what removed the pod and why, else "its pod was deleted in Kubernetes by another client"',
    when: (i) =>
      (i.ended && i.removed && (i.decided || !i.job.deleting)) ||
      (i.podView !== undefined && i.podView.reason in POD_ENDINGS),
    outcome: (i) => ({
      state: killedOr('Failed', i),
      statusCode:
        i.podView?.reason ||
        i.podView?.disruption?.reason ||
        (i.job.decision?.reason === 'DeadlineExceeded' ? 'DeadlineExceeded' : 'Deleted'),
      message: removalReason(i.podView),
      ...observedCode(i),
    }),
    isUnconfirmed: true,
  },
  {
    cause: 'job-deleted',
    seen: 'its Job is being deleted or was deleted in Kubernetes by another client, or is no longer labeled as ours',
    state: 'Killed if it ran, else Canceled',
    statusCode: 'Deleted',
    details:
      'code as observed; while a finalizer keeps the Job: once its pod was removed, unless it had ended before; for a deleted Job, only if no other row gives a final state for its last version',
    when: (i) =>
      i.job.deleting &&
      !i.decided &&
      (i.podView === undefined || i.pod?.isEndUnknown === true || (i.removed && (i.ended || !i.present))),
    outcome: (i) => ({ ...deletedOutcome(i), ...observedCode(i) }),
    isUnconfirmed: true,
  },
  {
    cause: 'deadline-exceeded',
    seen: 'it ended with DeadlineExceeded, and its container had not ended before the deadline',
    state: 'Killed if it ran, else Failed',
    statusCode: 'DeadlineExceeded',
    details:
      '"ran longer than its limit of ..." or "did not start in time: <reason>"; not if finishedAt - pod startTime < activeDeadlineSeconds: then a sidecar kept the pod running',
    when: (i) => i.ended && i.podView?.reason === 'DeadlineExceeded' && !endedInTime(i),
    outcome: (i) => ({
      state: killedOr('Failed', i),
      statusCode: 'DeadlineExceeded',
      message: deadlineMessage(i),
      ...(i.ran ? observedCode(i) : {}),
    }),
    isUnconfirmed: true,
  },
  {
    cause: 'start-failed',
    seen: 'its container terminated with StartError or ContainerCannotRun',
    state: 'Failed',
    statusCode: 'the reason',
    details: 'no exit code; the relevant end of the runtime\'s message (`exec: "/no/such": no such file or directory`)',
    when: ({ terminated }) => terminated !== undefined && NOT_STARTED.has(terminated.reason),
    outcome: ({ terminated }) => ({
      state: 'Failed',
      statusCode: terminated?.reason ?? '',
      message: startFailure(terminated?.message ?? ''),
    }),
  },
  {
    cause: 'status-lost',
    seen: 'its container terminated with ContainerStatusUnknown or Unknown (node or runtime restarted)',
    state: 'Killed if it ran, else Failed',
    statusCode: 'the reason',
    details: 'no exit code',
    when: ({ terminated }) => terminated !== undefined && STATUS_LOST.has(terminated.reason),
    outcome: (i) => ({
      state: killedOr('Failed', i),
      statusCode: i.terminated?.reason ?? '',
      message: i.terminated?.message || 'its node or container runtime was restarted; how it ended is not known',
    }),
    isUnconfirmed: true,
  },
  {
    cause: 'out-of-memory',
    seen: 'its container terminated with OOMKilled',
    state:
      'Killed for exit code 137, else Finished (the kernel killed only a child process, and the program ended by itself)',
    statusCode: 'OOMKilled',
    details:
      'code as observed; "the container exceeded its limit of 512M": the limit of the **pod\'s** container (defaults of a LimitRange are only there)',
    when: ({ terminated }) => terminated?.reason === 'OOMKilled',
    outcome: (i) => ({
      state: i.terminated?.exitCode === KILL_CODE ? 'Killed' : 'Finished',
      statusCode: 'OOMKilled',
      message: outOfMemory(i.podView?.memoryLimit),
      ...observedCode(i),
    }),
  },
  {
    cause: 'container-ended',
    seen: 'its container terminated',
    state: 'Finished',
    statusCode: 'Completed or Error',
    details: 'exit code; no message for 0',
    when: ({ terminated }) => terminated !== undefined,
    outcome: (i) => {
      const { exitCode = 0, message = '' } = i.terminated ?? {};
      const statusCode = exitCode === 0 ? 'Completed' : 'Error';
      return {
        state: 'Finished',
        statusCode: i.terminated?.reason || statusCode,
        message: exitCode === 0 ? '' : message.trim() || `ended with exit code ${exitCode}`,
        exitCode,
      };
    },
  },
  {
    cause: 'pod-succeeded',
    seen: 'its pod has phase Succeeded, without a terminated container',
    state: 'Finished',
    statusCode: 'Completed',
    details: '0',
    when: ({ podView }) => podView?.phase === 'Succeeded',
    outcome: () => ({ state: 'Finished', statusCode: 'Completed', message: '', exitCode: 0 }),
  },
  {
    cause: 'pod-failed',
    seen: 'its pod has phase Failed, without a terminated container',
    state: 'Failed',
    statusCode:
      "the pod's reason (OutOfcpu, NodeAffinity, UnexpectedAdmissionError ...), for an init container its own reason",
    details: '"init container X ended with code N", else the pod\'s message',
    when: ({ podView }) => podView?.phase === 'Failed',
    outcome: (i) => {
      const init = endedInit(i);
      if (init === undefined)
        return { state: 'Failed', statusCode: i.podView?.reason ?? '', message: i.podView?.message ?? '' };
      return {
        state: 'Failed',
        statusCode: init.end.reason,
        message: `init container ${init.name} ended with code ${init.end.exitCode}`,
      };
    },
  },
  {
    cause: 'job-complete',
    seen: 'its Job is Complete, and its pod is deleted',
    state: 'Finished',
    statusCode: 'Completed',
    details: `0; "${UNKNOWN_END}"`,
    when: ({ podDeleted, job }) =>
      podDeleted && (job.decision?.type === 'Complete' || job.decision?.type === 'SuccessCriteriaMet'),
    outcome: () => ({ state: 'Finished', statusCode: 'Completed', message: UNKNOWN_END, exitCode: 0 }),
    isUnconfirmed: true,
  },
  {
    cause: 'job-failed',
    seen: 'its Job is Failed, and its pod is deleted',
    state: 'Failed',
    statusCode: "the Job's reason",
    details: `"${UNKNOWN_END}"`,
    when: ({ podDeleted, decided }) => podDeleted && decided,
    outcome: ({ job }) => ({ state: 'Failed', statusCode: job.decision?.reason ?? '', message: UNKNOWN_END }),
    isUnconfirmed: true,
  },
  {
    cause: 'running',
    seen: 'its container runs',
    state: 'Running',
    statusCode: 'Running',
    details: 'also while its pod is being removed and has not ended (the message names what removes it)',
    when: ({ podView, present }) => present && podView?.container.running !== undefined,
    outcome: (i) => ({ state: 'Running', statusCode: 'Running', message: runningMessage(i) }),
  },
  {
    cause: 'pod-outdated',
    seen: 'its Job has a decision, it was announced as Running, and the known version of its pod has not started',
    state: 'unchanged (Running)',
    statusCode: 'unchanged',
    details: 'the message is unchanged, too; that version is older than the decision, and one that has ended follows',
    when: ({ decided, announced }) => decided && announced?.outcome.state === 'Running',
    outcome: (i) => ({ ...unchangedState(i), message: i.announced?.outcome.message ?? '' }),
  },
];

/** The last row. */
const PENDING: Row = {
  cause: 'pending',
  seen: 'its container does not run yet',
  state: 'Pending',
  statusCode: 'Pending',
  details:
    'the first of: waiting reason of an init container, then of the container, with its message (ContainerCreating and PodInitializing are no reasons); message of PodScheduled=False; newest Warning event newer than the pod (than the Job while there is no pod): FailedCreate (quota ...), FailedMount ...; "Pulling image X" (a Normal event); warning of the create',
  when: () => true,
  outcome: (i) => ({ state: 'Pending', statusCode: 'Pending', message: reasonToWait(i) }),
};

/** The rows in order, without their functions. */
export const STATE_TABLE: readonly RowText[] = [...TABLE, PENDING];

function runningMessage({ podView, inputProblem, stop, kill }: DerivedInputs): string {
  if (podView === undefined) return inputProblem;
  const { node, nodeSilentSince } = podView;
  const silence = nodeSilentSince === undefined ? '' : nodeSilence(node, nodeSilentSince);
  return (stop || kill ? '' : removalInProgress(podView)) || silence || inputProblem;
}

/** Evaluates a job with an existing Job object. */
export function evaluateState(inputs: StateInputs): StateEvaluation {
  const derived = deriveInputs(inputs);
  const row = TABLE.find(({ when }) => when(derived)) ?? PENDING;
  const outcome = row.outcome(derived);
  if (row.cause === RECORDED)
    return { outcome, cause: (inputs.job.result ?? inputs.announced)?.cause ?? RECORDED, isUnconfirmed: false };
  const exitCode = derived.terminated?.exitCode;
  const isUnexplained = inputs.job.control === undefined && exitCode !== undefined && SIGNAL_CODES.has(exitCode);
  return {
    outcome,
    cause: row.cause,
    isUnconfirmed: isFinal(outcome) && (row.isUnconfirmed === true || isUnexplained),
  };
}

/** Evaluates a job for the last time: its Job object was deleted, or is no longer labeled as ours. */
export function evaluateDeleted(inputs: StateInputs): StateEvaluation {
  const evaluation = evaluateState(inputs);
  if (isFinal(evaluation.outcome)) return evaluation;
  return { outcome: deletedOutcome(deriveInputs(inputs)), cause: 'job-deleted', isUnconfirmed: true };
}
