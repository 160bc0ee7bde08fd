/**
 * Priority classes: the number that a pod's class stands for (kubernetes-facts.md 26, 52).
 */
import type { PodSpec } from 'kubernetes-types/core/v1.d.ts';
import type { Meta } from '../model.ts';
import { PODS, PRIORITY_CLASSES } from './resources.ts';
import { forbidden } from './status.ts';
import type { Store } from './store.ts';

/** The pod's spec with its priority. @throws ApiError 403 for a class that does not exist */
export function withPriority(store: Store, { generateName, name = '' }: Partial<Meta>, spec: PodSpec): PodSpec {
  const classes = store.list(PRIORITY_CLASSES);
  const wanted = spec.priorityClassName ?? classes.find(({ globalDefault }) => globalDefault === true)?.metadata.name;
  if (wanted === undefined) return spec;
  const found = classes.find(({ metadata }) => metadata.name === wanted);
  if (found === undefined) {
    throw forbidden(PODS, generateName ?? name, `no PriorityClass with name ${wanted} was found`);
  }
  return {
    ...spec,
    priorityClassName: wanted,
    priority: found.value,
    preemptionPolicy: found.preemptionPolicy ?? 'PreemptLowerPriority',
  };
}
