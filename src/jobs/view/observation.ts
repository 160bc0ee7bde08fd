/** A pod as this process saw it over time: did its program run, has it ended, and was it taken away before it had? */
import type { PodView } from './projection.ts';

/** The newest pod of a job as this process saw it. */
export interface SeenPod {
  /** Its last version. */
  readonly view: PodView;
  /** Is it still there? */
  readonly present: boolean;
  /** Which was seen first, its end or its removal; undefined if neither, or both in one version. */
  readonly first?: 'end' | 'removal';
}

/** Kubelets' and controllers' clocks may differ this much where nothing better than times is known. */
const CLOCK_TOLERANCE_MS = 2_000;

/** Is it the end of its program, whatever becomes of the pod? */
export function podEnded(pod: PodView): boolean {
  return pod.container.terminated !== undefined || pod.phase === 'Succeeded' || pod.phase === 'Failed';
}

export function podRan(pod: PodView): boolean {
  return pod.container.running !== undefined || pod.container.terminated?.startedAt !== undefined;
}

/** Takes in a version of a pod: which of end and removal came first is known only by those who saw both. */
export function seePod(previous: SeenPod | undefined, view: PodView, present: boolean): SeenPod {
  const ended = podEnded(view);
  const removed = view.deletion !== undefined || view.disruption !== undefined;
  const first = previous?.first ?? (ended === removed ? undefined : ended ? 'end' : 'removal');
  return { view, present, ...(first === undefined ? {} : { first }) };
}

/** Was it taken away before its program had ended? */
export function wasRemoved({ view, present, first }: SeenPod): boolean {
  const ended = podEnded(view);
  if (!ended) return !present || view.deletion !== undefined || view.disruption !== undefined;
  if (view.deletion === undefined && view.disruption === undefined) return false;
  if (first !== undefined) return first === 'removal';
  const finishedAt = view.container.terminated?.finishedAt;
  if (finishedAt === undefined) return true;
  const removedAt = [
    ...(view.deletion === undefined ? [] : [view.deletion.at - view.deletion.graceSeconds * 1000]),
    ...(view.disruption === undefined ? [] : [view.disruption.at]),
  ];
  return Math.min(...removedAt) <= finishedAt + CLOCK_TOLERANCE_MS;
}

/** In this version of it: did it end, and not because somebody removed it? */
export const endedByItself = (pod: PodView): boolean => podEnded(pod) && !wasRemoved(seePod(undefined, pod, true));
