/**
 * The scheduler: binds pods to nodes, or says why it cannot (kubernetes-facts.md 19 to 21, 52, 71, 121, 135).
 */
import type { NodeSelectorTerm } from 'kubernetes-types/core/v1.d.ts';
import { NODES, PODS } from '../api/resources.ts';
import type { Store } from '../api/store.ts';
import { quantity } from '../kubelet/quantity.ts';
import { type ClusterNode, isFinishedPod, type Pod, timestamp } from '../model.ts';
import type { Pace } from '../pace.ts';
import { createTimers } from '../timers.ts';
import type { EventRecorder } from './events.ts';
import type { Controller } from './jobs.ts';
import { createQueue } from './queue.ts';

const NAME = 'default-scheduler';

export function startScheduler(store: Store, events: EventRecorder, pace: Pace): Controller {
  const timers = createTimers(pace.clock);
  const queue = createQueue(timers, schedule);
  const soon = (pod: { metadata: { namespace?: string; name: string } }): void =>
    queue.add(`${pod.metadata.namespace}/${pod.metadata.name}`, pace.delay('schedule'));

  /** Room may have come up: all that wait are looked at again. */
  function retryAll(): void {
    for (const pod of store.list(PODS)) if (isWaiting(pod)) soon(pod);
  }

  const unlisten = [
    store.listen(PODS, ({ type, object, previous }) => {
      const pod = object as Pod;
      if (type === 'ADDED') soon(pod);
      else if (type === 'DELETED' || (isFinishedPod(pod) && !isFinishedPod(previous as Pod))) retryAll();
    }),
    store.listen(NODES, retryAll),
  ];

  function schedule(key: string): void {
    const [namespace = '', name = ''] = key.split('/');
    const pod = store.get(PODS, namespace, name);
    if (pod === undefined || !isWaiting(pod)) return;
    const nodes = store.list(NODES);
    const pods = store.list(PODS).filter((other) => other.spec.nodeName !== undefined && !isFinishedPod(other));
    const problems = nodes.map((node) =>
      problemsOf(
        pod,
        node,
        pods.filter(({ spec }) => spec.nodeName === node.metadata.name),
      ),
    );
    const counts = new Map(
      nodes.map((node) => [node.metadata.name, pods.filter(({ spec }) => spec.nodeName === node.metadata.name).length]),
    );
    const free = nodes
      .filter((_node, index) => problems[index]?.length === 0)
      .sort((a, b) => (counts.get(a.metadata.name) ?? 0) - (counts.get(b.metadata.name) ?? 0))[0];
    if (free !== undefined) bind(pod, free);
    else if (!preempt(pod, nodes, pods, problems.flat())) {
      const hopeless = nodes.filter((node) => problemsOf(pod, node, []).length > 0).length;
      refuse(pod, unschedulable(nodes.length, problems.flat(), hopeless));
    }
  }

  function bind(pod: Pod, node: ClusterNode): void {
    const bound = store.edit<Pod>(PODS, pod, (draft) => {
      draft.spec.nodeName = node.metadata.name;
      draft.status.conditions = [scheduledCondition('True', store.now())];
      delete draft.status.nominatedNodeName;
    });
    if (bound === undefined) return;
    events.recordNew(NAME, 'Binding', pod, {
      type: 'Normal',
      reason: 'Scheduled',
      message: `Successfully assigned ${pod.metadata.namespace}/${pod.metadata.name} to ${node.metadata.name}`,
    });
  }

  /** @param nominated node on which room is being made for it */
  function refuse(pod: Pod, message: string, nominated?: string): void {
    const before = pod.status.conditions?.find(({ type }) => type === 'PodScheduled');
    if (before?.message === message) return;
    events.recordNew(NAME, 'Scheduling', pod, { type: 'Warning', reason: 'FailedScheduling', message });
    store.edit<Pod>(PODS, pod, (draft) => {
      const condition = {
        ...scheduledCondition('False', store.now()),
        observedGeneration: pod.metadata.generation ?? 1,
        reason: 'Unschedulable',
        message,
      };
      draft.status.conditions = [condition];
      if (nominated !== undefined) draft.status.nominatedNodeName = nominated;
    });
  }

  /** Removes a pod of lower priority where that makes room (kubernetes-facts.md 52). */
  function preempt(
    pod: Pod,
    nodes: readonly ClusterNode[],
    pods: readonly Pod[],
    problems: readonly string[],
  ): boolean {
    for (const node of nodes) {
      const here = pods.filter(({ spec }) => spec.nodeName === node.metadata.name);
      const victims = here.filter(({ spec }) => (spec.priority ?? 0) < (pod.spec.priority ?? 0));
      const rest = here.filter((other) => !victims.includes(other));
      if (victims.length === 0 || problemsOf(pod, node, rest).length > 0) continue;
      const going = victims.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
      const marked = going.flatMap((victim) => {
        const message = `${NAME}: preempting to accommodate a higher priority pod`;
        return disrupt(store, victim, 'PreemptionByScheduler', message) ?? [];
      });
      refuse(pod, lacking(nodes.length, problems), node.metadata.name);
      for (const victim of marked) evictFor(victim, pod, node);
      return true;
    }
    return false;
  }

  function evictFor(victim: Pod, pod: Pod, node: ClusterNode): void {
    store.edit<Pod>(
      PODS,
      victim,
      ({ metadata, spec }) => {
        const grace = spec.terminationGracePeriodSeconds ?? 30;
        metadata.deletionTimestamp = timestamp(store.now() + grace * 1000);
        metadata.deletionGracePeriodSeconds = grace;
        metadata.generation = (metadata.generation ?? 1) + 1;
      },
      'held',
    );
    // The kubelet has begun by then.
    timers.after(pace.delay('schedule'), () =>
      events.recordNew(NAME, 'Preempting', victim, {
        type: 'Normal',
        reason: 'Preempted',
        message: `Preempted by pod ${pod.metadata.uid} on node ${node.metadata.name}`,
      }),
    );
  }

  return {
    close: () => {
      for (const stop of unlisten) stop();
      timers.close();
    },
  };
}

/** Says on a pod who removes it, before it is removed. */
export function disrupt(store: Store, pod: Pod, reason: string, message: string): Pod | undefined {
  return store.edit<Pod>(PODS, pod, (draft) => {
    const condition = {
      type: 'DisruptionTarget',
      observedGeneration: draft.metadata.generation ?? 1,
      status: 'True',
      lastProbeTime: null,
      lastTransitionTime: timestamp(store.now()),
      reason,
      message,
    };
    const others = (draft.status.conditions ?? []).filter(({ type }) => type !== 'DisruptionTarget');
    // lastProbeTime is always null in the API; the type knows only absent.
    draft.status.conditions = [...others, condition as unknown as (typeof others)[number]];
  });
}

type Condition = NonNullable<Pod['status']['conditions']>[number];

function scheduledCondition(status: 'True' | 'False', now: number): Condition {
  const condition = { type: 'PodScheduled', status, lastProbeTime: null, lastTransitionTime: timestamp(now) };
  // lastProbeTime is always null in the API; the type knows only absent.
  return condition as unknown as Condition;
}

function isWaiting(pod: Pod): boolean {
  return pod.spec.nodeName === undefined && !isFinishedPod(pod) && pod.metadata.deletionTimestamp === undefined;
}

const COUNTED = ['cpu', 'memory', 'nvidia.com/gpu', 'amd.com/gpu'];

/** Texts of the recordings; empty where the pod fits. */
function problemsOf(pod: Pod, node: ClusterNode, here: readonly Pod[]): string[] {
  if (pod.spec.volumes?.some(({ persistentVolumeClaim }) => persistentVolumeClaim !== undefined)) {
    const claim = pod.spec.volumes.find((volume) => volume.persistentVolumeClaim !== undefined)?.persistentVolumeClaim;
    return [`persistentvolumeclaim "${claim?.claimName}" not found`];
  }
  if (node.spec.unschedulable) return ['node(s) were unschedulable'];
  const taint = untolerated(pod, node);
  if (taint !== undefined) return [`node(s) had untolerated taint(s)`];
  if (namesAnotherNode(pod, node)) return ["node(s) didn't satisfy plugin(s) [NodeAffinity]"];
  if (!matchesNode(pod, node)) return ["node(s) didn't match Pod's node affinity/selector"];
  const ports = new Set(here.flatMap(hostPorts));
  if (hostPorts(pod).some((port) => ports.has(port)))
    return ["node(s) didn't have free ports for the requested pod ports"];
  const lacking = COUNTED.filter((name) => {
    const wanted = requestOf(pod, name);
    const used = here.reduce((sum, other) => sum + requestOf(other, name), 0);
    return wanted > 0 && wanted + used > quantity(node.status.allocatable?.[name] ?? '0');
  });
  const full = here.length >= quantity(node.status.allocatable?.['pods'] ?? '110') ? ['Too many pods'] : [];
  return [...lacking.map((name) => `Insufficient ${name}`), ...full];
}

function hostPorts(pod: Pod): string[] {
  return pod.spec.containers.flatMap(({ ports = [] }) =>
    ports.flatMap(({ hostPort, protocol = 'TCP' }) => (hostPort === undefined ? [] : [`${protocol}/${hostPort}`])),
  );
}

function requestOf(pod: Pod, name: string): number {
  return pod.spec.containers.reduce((sum, { resources }) => {
    const text = resources?.requests?.[name] ?? resources?.limits?.[name];
    return sum + (text === undefined ? 0 : quantity(text));
  }, 0);
}

function untolerated(pod: Pod, node: ClusterNode): string | undefined {
  return node.spec.taints?.find(
    ({ key, effect }) =>
      (effect === 'NoSchedule' || effect === 'NoExecute') &&
      !(pod.spec.tolerations ?? []).some(
        (one) => (one.key === undefined || one.key === key) && (one.effect === undefined || one.effect === effect),
      ),
  )?.key;
}

function matchesNode(pod: Pod, node: ClusterNode): boolean {
  const labels = node.metadata.labels ?? {};
  const selector = Object.entries(pod.spec.nodeSelector ?? {});
  const terms = pod.spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms;
  return (
    selector.every(([key, value]) => labels[key] === value) &&
    (terms === undefined || terms.some((term) => matchesTerm(term, node)))
  );
}

/** An affinity that names nodes is looked at before everything else, with a text of its own (kubernetes-facts.md 135). */
function namesAnotherNode(pod: Pod, node: ClusterNode): boolean {
  const terms =
    pod.spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms ?? [];
  return terms.some(({ matchFields }) => matchFields !== undefined) && !terms.some((term) => matchesTerm(term, node));
}

function matchesTerm({ matchExpressions = [], matchFields = [] }: NodeSelectorTerm, node: ClusterNode): boolean {
  const labels = node.metadata.labels ?? {};
  const matches = (value: string | undefined, operator: string, values: readonly string[] = []): boolean => {
    switch (operator) {
      case 'In':
        return value !== undefined && values.includes(value);
      case 'NotIn':
        return value === undefined || !values.includes(value);
      case 'Exists':
        return value !== undefined;
      case 'DoesNotExist':
        return value === undefined;
      default:
        return false;
    }
  };
  return (
    matchExpressions.every(({ key, operator, values }) => matches(labels[key], operator, values)) &&
    matchFields.every(({ operator, values }) => matches(node.metadata.name, operator, values))
  );
}

/** What is in the way, and how often: `0/2 nodes are available: 2 Insufficient cpu.` */
function lacking(nodes: number, problems: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const text of problems) counts.set(text, (counts.get(text) ?? 0) + 1);
  const list = [...counts].map(([text, count]) => `${count} ${text}`).sort();
  return `0/${nodes} nodes are available: ${list.join(', ')}.`;
}

/** @param hopeless nodes that the pod would not fit on even if nothing else ran there */
function unschedulable(nodes: number, problems: readonly string[], hopeless: number): string {
  const claim = problems.find((text) => text.startsWith('persistentvolumeclaim'));
  if (claim !== undefined) return `0/${nodes} nodes are available: ${claim}. not found`;
  const crowded = nodes - hopeless;
  const why = [
    ...(crowded > 0 ? [`${crowded} No preemption victims found for incoming pod`] : []),
    ...(hopeless > 0 ? [`${hopeless} Preemption is not helpful for scheduling`] : []),
  ];
  return `${lacking(nodes, problems)} no new claims to deallocate, preemption: 0/${nodes} nodes are available: ${why.join(', ')}.`;
}
