/**
 * POST pods/NAME/eviction (FACTS 51).
 */
import { disrupt } from '../controllers/scheduler.ts';
import type { Pod } from '../model.ts';
import { deleteObject } from './deletion.ts';
import { PODS } from './resources.ts';
import type { Store } from './store.ts';

export type Eviction = (pod: Pod) => object;

export function createEviction(store: Store): Eviction {
  return (pod) => {
    const marked = disrupt(store, pod, 'EvictionByEvictionAPI', 'Eviction API: evicting');
    deleteObject(store, PODS, marked ?? pod, {});
    return { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', code: 201 };
  };
}
