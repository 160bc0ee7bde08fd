/** Pod observations: what this process saw of a pod over time, whether its container ran and ended, and whether it was removed before. */
import type { PodView } from './projection.ts';

/** A pod as this process saw it. */
export interface PodObservation {
  /** Its last version. */
  readonly view: PodView;
  /** Does it still exist? */
  readonly present: boolean;
  /** It was deleted while the watch was interrupted: how it ended was not observed. */
  readonly isEndUnknown?: true;
  /** Which was observed first: its end or its removal. Undefined while neither was observed, and if both came in one version. */
  readonly first?: 'end' | 'removal';
}

/** Clocks of kubelets and controllers may differ this much. */
const CLOCK_TOLERANCE_MS = 2_000;

/** Has its container ended, or will it never run? */
export function podEnded(pod: PodView): boolean {
  return pod.container.terminated !== undefined || pod.phase === 'Succeeded' || pod.phase === 'Failed';
}

export function podRan(pod: PodView): boolean {
  return pod.container.running !== undefined || pod.container.terminated?.startedAt !== undefined;
}

/** Adds a version of a pod. The order of end and removal is known only if they were observed in different versions. */
export function observePod(
  previous: PodObservation | undefined,
  view: PodView,
  present: boolean,
  found: 'watch' | 'relist' = 'watch',
): PodObservation {
  const ended = podEnded(view);
  const removed = view.deletion !== undefined || view.disruption !== undefined;
  const first = previous?.first ?? (ended === removed ? undefined : ended ? 'end' : 'removal');
  const isEndUnknown = !present && found === 'relist' && !ended && !removed;
  return {
    view,
    present,
    ...(isEndUnknown ? { isEndUnknown } : {}),
    ...(first === undefined ? {} : { first }),
  };
}

/** Was it removed before its container ended? */
export function wasRemoved({ view, present, first, isEndUnknown }: PodObservation): boolean {
  const ended = podEnded(view);
  if (isEndUnknown === true) return false;
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

/** Did it end, and not because it was removed? */
export const endedByItself = (pod: PodObservation): boolean => podEnded(pod.view) && !wasRemoved(pod);
