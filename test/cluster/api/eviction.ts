/**
 * POST pods/NAME/eviction, and the budgets that may forbid it (kubernetes-facts.md 51).
 */
import { disrupt } from '../controllers/scheduler.ts';
import { type DisruptionBudget, isFinishedPod, type Pod } from '../model.ts';
import { deleteObject } from './deletion.ts';
import { DISRUPTION_BUDGETS, PODS } from './resources.ts';
import { ApiError } from './status.ts';
import type { Store } from './store.ts';

/** @throws ApiError 429 where a budget forbids it */
export type Eviction = (pod: Pod) => object;

export function createEviction(store: Store): Eviction {
  function checkBudgets(pod: Pod): void {
    if (isFinishedPod(pod)) return;
    const { namespace } = pod.metadata;
    for (const budget of store.list(DISRUPTION_BUDGETS, namespace)) {
      if (!isCovered(budget, pod)) continue;
      const covered = store.list(PODS, namespace).filter((other) => isCovered(budget, other) && !isFinishedPod(other));
      const healthy = covered.filter(isReady).length;
      const needed = neededOf(budget, covered.length);
      if (healthy > needed) continue;
      const message = `The disruption budget ${budget.metadata.name} needs ${needed} healthy pods and has ${healthy} currently`;
      throw new ApiError(429, 'TooManyRequests', "Cannot evict pod as it would violate the pod's disruption budget.", {
        causes: [{ reason: 'DisruptionBudget', message }],
      });
    }
  }

  return (pod) => {
    checkBudgets(pod);
    const marked = disrupt(store, pod, 'EvictionByEvictionAPI', 'Eviction API: evicting');
    deleteObject(store, PODS, marked ?? pod, {});
    return { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', code: 201 };
  };
}

function isCovered({ spec }: DisruptionBudget, { metadata }: Pod): boolean {
  const wanted = Object.entries(spec.selector?.matchLabels ?? {});
  return wanted.every(([key, value]) => metadata.labels?.[key] === value);
}

function isReady({ status }: Pod): boolean {
  return (status.conditions ?? []).some((condition) => condition.type === 'Ready' && condition.status === 'True');
}

/** Pods that must stay; both bounds may be a number or a percentage. */
function neededOf({ spec }: DisruptionBudget, pods: number): number {
  const share = (value: number | string): number =>
    typeof value === 'number' ? value : Math.ceil((Number.parseFloat(value) / 100) * pods);
  if (spec.minAvailable !== undefined) return share(spec.minAvailable);
  return spec.maxUnavailable === undefined ? 0 : pods - share(spec.maxUnavailable);
}
