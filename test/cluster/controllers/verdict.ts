/**
 * How a Job ends: which of its pods have failed or were taken away, whether its time is over, what was decided before.
 */
import type { Job, Pod } from '../model.ts';
import type { Pace } from '../pace.ts';

export const BACKOFF_EXCEEDED = {
  reason: 'BackoffLimitExceeded',
  message: 'Job has reached the specified backoff limit',
};
export const DEADLINE_EXCEEDED = {
  reason: 'DeadlineExceeded',
  message: 'Job was active longer than specified deadline',
};
export const COMPLETED = { reason: 'CompletionsReached', message: 'Reached expected number of succeeded pods' };

export interface Verdict {
  readonly type: 'Complete' | 'Failed';
  readonly reason: string;
  readonly message: string;
}

/** What was decided in an earlier sync and only waits for the pods to go. */
export function decided(job: Job): Verdict | undefined {
  for (const [target, type] of [
    ['FailureTarget', 'Failed'],
    ['SuccessCriteriaMet', 'Complete'],
  ] as const) {
    const condition = job.status.conditions?.find((one) => one.type === target && one.status === 'True');
    if (condition !== undefined) return { type, reason: condition.reason ?? '', message: condition.message ?? '' };
  }
  return undefined;
}

/** Milliseconds until a Job's time is over; undefined if it has no limit or has not started. */
export function timeLeft(job: Job, startedAt: number | undefined, pace: Pace): number | undefined {
  const { startTime } = job.status;
  const seconds = job.spec.activeDeadlineSeconds;
  if (seconds === undefined || startTime === undefined) return undefined;
  // The start is known in whole seconds; where seconds are scaled down that would be far too rough.
  const start = pace.timeScale === 1 ? Date.parse(startTime) : (startedAt ?? Date.parse(startTime));
  return start + pace.seconds(seconds) - pace.clock.now();
}

export function isRemoved(pod: Pod): boolean {
  return pod.metadata.deletionTimestamp !== undefined && pod.status.phase !== 'Succeeded';
}

/** A pod that is being deleted counts as failed unless it has succeeded (kubernetes-facts.md 46, 50). */
export function hasFailed(pod: Pod): boolean {
  return pod.status.phase === 'Failed' || isRemoved(pod);
}
