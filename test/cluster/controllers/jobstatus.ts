/**
 * The status of a Job as the job controller writes it: counters, conditions, in the order of the recorded cluster.
 */
import type { JobStatus } from 'kubernetes-types/batch/v1.d.ts';
import { timestamp } from '../model.ts';

/** Zero is absent (kubernetes-facts.md 5). */
export function addTo(status: JobStatus, key: 'succeeded' | 'failed', more: number): void {
  if (more > 0) status[key] = (status[key] ?? 0) + more;
}

/** Nothing changes where the condition is as wanted already. */
export function setCondition(
  status: JobStatus,
  { type, reason, message, ...rest }: { type: string; status?: string; reason: string; message: string },
  nowMs: number,
): void {
  const now = timestamp(nowMs);
  const wanted = rest.status ?? 'True';
  const conditions = status.conditions ?? [];
  const index = conditions.findIndex((one) => one.type === type);
  if (conditions[index]?.status === wanted) return;
  const condition = { type, status: wanted, lastProbeTime: now, lastTransitionTime: now, reason, message };
  status.conditions = index < 0 ? [...conditions, condition] : conditions.with(index, condition);
}

const ORDER = [
  'conditions',
  'startTime',
  'completionTime',
  'active',
  'succeeded',
  'failed',
  'terminating',
  'uncountedTerminatedPods',
  'ready',
] as const;

export function ordered(status: JobStatus): JobStatus {
  return Object.fromEntries(
    ORDER.flatMap((key) => (status[key] === undefined ? [] : [[key, structuredClone(status[key])]])),
  );
}
