/**
 * What the cluster does about nodes that do not answer, or are gone (kubernetes-facts.md 122 to 124).
 */
import { deleteObject } from '../api/deletion.ts';
import { NODES, PODS } from '../api/resources.ts';
import type { Store } from '../api/store.ts';
import { type ClusterNode, isFinishedPod, isReadyPod, type Pod, timestamp } from '../model.ts';
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
const SILENT = { status: 'Unknown', reason: 'NodeStatusUnknown', message: 'Kubelet stopped posting node status.' };

export function createNodeController(store: Store, events: EventRecorder, pace: Pace): NodeController {
  const timers = createTimers(pace.clock);
  /** Node, or uid of a pod -> what calls off what is to happen to it. */
  const waiting = new Map<string, () => void>();
  /** Pods, by uid, that were told to go. */
  const evicted = new Set<string>();
  /** Nodes whose pods are to go. */
  const tainted = new Set<string>();
  /** Nodes that are not heard of -> their conditions before. */
  const lost = new Map<string, NonNullable<ClusterNode['status']['conditions']>>();

  function edit(name: string, change: (node: ClusterNode) => void): void {
    const node = store.get(NODES, '', name);
    if (node !== undefined) store.edit<ClusterNode>(NODES, node, change);
  }

  function setTaints(name: string, effects: readonly string[]): void {
    edit(name, ({ spec }) => {
      const others = (spec.taints ?? []).filter(({ key }) => key !== UNREACHABLE);
      const own = effects.map((effect) => ({ key: UNREACHABLE, effect, timeAdded: timestamp(store.now()) }));
      const taints = [...others, ...own];
      if (taints.length > 0) spec.taints = taints;
      else delete spec.taints;
    });
  }

  function podsOn(name: string): Pod[] {
    return store.list(PODS).filter((pod) => pod.spec.nodeName === name && !isFinishedPod(pod));
  }

  function lose(name: string): void {
    const node = store.get(NODES, '', name);
    if (node === undefined) return;
    lost.set(name, node.status.conditions ?? []);
    edit(name, ({ status }) => {
      for (const condition of status.conditions ?? []) {
        Object.assign(condition, { ...SILENT, lastTransitionTime: timestamp(store.now()) });
      }
    });
    tainted.add(name);
    setTaints(name, ['NoSchedule', 'NoExecute']);
    for (const pod of podsOn(name)) {
      if (isReadyPod(pod)) tellNotReady(pod);
      evictLater(pod);
    }
  }

  function tellNotReady(pod: Pod): void {
    const message = 'Node is not ready';
    events.record({ component: 'node-controller' }, pod, { type: 'Warning', reason: 'NodeNotReady', message });
    store.edit<Pod>(PODS, pod, (draft) => {
      for (const condition of draft.status.conditions ?? []) {
        if (condition.type !== 'Ready') continue;
        Object.assign(condition, { status: 'False', lastTransitionTime: timestamp(store.now()) });
      }
    });
  }

  function evictLater(pod: Pod): void {
    const seconds = pod.spec.tolerations?.find(({ key }) => key === UNREACHABLE)?.tolerationSeconds;
    if (seconds === undefined || waiting.has(pod.metadata.uid) || evicted.has(pod.metadata.uid)) return;
    waiting.set(
      pod.metadata.uid,
      timers.after(pace.seconds(seconds), () => {
        waiting.delete(pod.metadata.uid);
        evicted.add(pod.metadata.uid);
        evict(pod);
      }),
    );
  }

  /** Tells it, where a pod was to be evicted. */
  function stayOrGo(pod: Pod): void {
    const cancel = waiting.get(pod.metadata.uid);
    if (cancel === undefined) return;
    cancel();
    waiting.delete(pod.metadata.uid);
    tellEviction(pod, 'Cancelling deletion of');
  }

  function tellEviction(pod: Pod, what: string): void {
    const message = `${what} Pod ${pod.metadata.namespace}/${pod.metadata.name}`;
    const event = { type: 'Normal' as const, reason: 'TaintManagerEviction', message };
    events.record({ component: 'taint-eviction-controller' }, pod, event);
  }

  function evict(pod: Pod): void {
    const text = `Taint manager: deleting due to NoExecute taint`;
    const marked = disrupt(store, pod, 'DeletionByTaintManager', text);
    if (marked === undefined) return;
    tellEviction(pod, 'Marking for deletion');
    deleteObject(store, PODS, marked, {});
  }

  /** A cordoned node gets a taint, and loses it again (kubernetes-facts.md 121). */
  function followCordon(node: ClusterNode): void {
    const others = (node.spec.taints ?? []).filter(({ key }) => key !== CORDONED);
    const tainted = others.length !== (node.spec.taints ?? []).length;
    if (tainted === (node.spec.unschedulable === true)) return;
    const taint = { key: CORDONED, effect: 'NoSchedule', timeAdded: timestamp(store.now()) };
    store.edit<ClusterNode>(NODES, node, ({ spec }) => {
      const taints = tainted ? others : [...others, taint];
      if (taints.length > 0) spec.taints = taints;
      else delete spec.taints;
    });
  }

  const unlisten = [
    store.listen(NODES, ({ type, object }) => {
      // The store keeps only nodes under this kind.
      if (type !== 'DELETED') timers.after(pace.delay('garbage'), () => followCordon(object as ClusterNode));
    }),
    store.listen(PODS, ({ type, object }) => {
      const pod = object as Pod;
      if (type === 'DELETED') {
        stayOrGo(pod);
        evicted.delete(pod.metadata.uid);
      } else if (tainted.has(pod.spec.nodeName ?? '') && pod.metadata.deletionTimestamp === undefined) evictLater(pod);
    }),
  ];

  return {
    kubeletDown: (name) => {
      waiting.get(name)?.();
      waiting.set(
        name,
        timers.after(pace.delay('nodeMonitorGrace'), () => lose(name)),
      );
    },
    kubeletUp: (name) => {
      waiting.get(name)?.();
      waiting.delete(name);
      const before = lost.get(name);
      if (before === undefined) return;
      lost.delete(name);
      edit(name, ({ status }) => {
        status.conditions = before.map((condition) => ({ ...condition, lastTransitionTime: timestamp(store.now()) }));
      });
      setTaints(name, ['NoExecute']);
      timers.after(pace.delay('taintRemoval'), () => {
        // Gone again meanwhile.
        if (lost.has(name)) return;
        tainted.delete(name);
        setTaints(name, []);
        for (const pod of store.list(PODS)) if (pod.spec.nodeName === name) stayOrGo(pod);
      });
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
      for (const stop of unlisten) stop();
      timers.close();
    },
  };
}
