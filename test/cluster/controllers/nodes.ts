/**
 * What the cluster does about nodes that do not answer, or are gone (FACTS 122 to 124).
 */
import { deleteObject } from '../api/deletion.ts';
import { NODES, PODS } from '../api/resources.ts';
import type { Store } from '../api/store.ts';
import { type ClusterNode, isFinishedPod, type Pod, timestamp } from '../model.ts';
import type { Pace } from '../pace.ts';
import { createTimers } from '../timers.ts';
import type { EventRecorder } from './events.ts';
import { disrupt } from './scheduler.ts';

export interface NodeController {
  readonly kubeletDown: (node: string) => void;
  readonly kubeletUp: (node: string) => void;
  readonly nodeGone: (node: string) => void;
  readonly close: () => void;
}

const CORDONED = 'node.kubernetes.io/unschedulable';
const UNREACHABLE = 'node.kubernetes.io/unreachable';
const SILENT = { reason: 'NodeStatusUnknown', message: 'Kubelet stopped posting node status.' };
const FINE = { reason: 'KubeletReady', message: 'kubelet is posting ready status' };

export function createNodeController(store: Store, events: EventRecorder, pace: Pace): NodeController {
  const timers = createTimers();
  const waiting = new Map<string, () => void>();

  function setReady(name: string, status: 'True' | 'Unknown'): ClusterNode | undefined {
    const node = store.get(NODES, '', name);
    if (node === undefined) return undefined;
    return store.edit<ClusterNode>(NODES, node, (draft) => {
      const now = timestamp(Date.now());
      for (const condition of draft.status.conditions ?? []) {
        if (condition.type !== 'Ready' || condition.status === status) continue;
        Object.assign(condition, { status, lastTransitionTime: now, ...(status === 'True' ? FINE : SILENT) });
      }
      if (status === 'Unknown') {
        const taints = ['NoSchedule', 'NoExecute'].map((effect) => ({ key: UNREACHABLE, effect, timeAdded: now }));
        draft.spec.taints = taints;
      } else delete draft.spec.taints;
    });
  }

  function podsOn(name: string): Pod[] {
    return store.list(PODS).filter((pod) => pod.spec.nodeName === name && !isFinishedPod(pod));
  }

  function lose(name: string): void {
    if (setReady(name, 'Unknown') === undefined) return;
    for (const pod of podsOn(name)) {
      const message = 'Node is not ready';
      events.record({ component: 'node-controller' }, pod, { type: 'Warning', reason: 'NodeNotReady', message });
      store.edit<Pod>(PODS, pod, (draft) => {
        for (const condition of draft.status.conditions ?? []) {
          if (condition.type !== 'Ready' || condition.status !== 'True') continue;
          Object.assign(condition, { status: 'False', lastTransitionTime: timestamp(Date.now()) });
        }
      });
      const toleration = pod.spec.tolerations?.find(({ key }) => key === UNREACHABLE);
      const seconds = toleration?.tolerationSeconds;
      if (seconds !== undefined)
        waiting.set(
          pod.metadata.uid,
          timers.after(pace.seconds(seconds), () => evict(pod)),
        );
    }
  }

  function evict(pod: Pod): void {
    const text = `Taint manager: deleting due to NoExecute taint`;
    const marked = disrupt(store, pod, 'DeletionByTaintManager', text);
    if (marked === undefined) return;
    const message = `Marking for deletion Pod ${pod.metadata.namespace}/${pod.metadata.name}`;
    events.record({ component: 'taint-eviction-controller' }, pod, {
      type: 'Normal',
      reason: 'TaintManagerEviction',
      message,
    });
    deleteObject(store, PODS, marked, {});
  }

  /** A cordoned node gets a taint, and loses it again (FACTS 121). */
  function followCordon(node: ClusterNode): void {
    const others = (node.spec.taints ?? []).filter(({ key }) => key !== CORDONED);
    const tainted = others.length !== (node.spec.taints ?? []).length;
    if (tainted === (node.spec.unschedulable === true)) return;
    const taint = { key: CORDONED, effect: 'NoSchedule', timeAdded: timestamp(Date.now()) };
    store.edit<ClusterNode>(NODES, node, ({ spec }) => {
      const taints = tainted ? others : [...others, taint];
      if (taints.length > 0) spec.taints = taints;
      else delete spec.taints;
    });
  }

  const unlisten = store.listen(NODES, ({ type, object }) => {
    // The store keeps only nodes under this kind.
    if (type !== 'DELETED') timers.after(pace.delay('garbage'), () => followCordon(object as ClusterNode));
  });

  return {
    kubeletDown: (name) => {
      waiting.get(name)?.();
      waiting.set(
        name,
        timers.after(pace.delay('nodeMonitorGrace'), () => lose(name)),
      );
    },
    kubeletUp: (name) => {
      for (const key of [name, ...podsOn(name).map(({ metadata }) => metadata.uid)]) {
        waiting.get(key)?.();
        waiting.delete(key);
      }
      setReady(name, 'True');
    },
    nodeGone: (name) => {
      timers.after(pace.delay('nodeMonitorGrace'), () => {
        for (const pod of store.list(PODS).filter(({ spec }) => spec.nodeName === name)) {
          const marked = isFinishedPod(pod)
            ? pod
            : store.edit<Pod>(
                PODS,
                disrupt(store, pod, 'DeletionByPodGC', 'PodGC: node no longer exists') ?? pod,
                (draft) => {
                  draft.status.phase = 'Failed';
                },
              );
          if (marked !== undefined) deleteObject(store, PODS, marked, { gracePeriodSeconds: 0 });
        }
      });
    },
    close: () => {
      unlisten();
      timers.close();
    },
  };
}
