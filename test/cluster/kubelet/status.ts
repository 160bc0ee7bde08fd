/**
 * From what a kubelet knows of a pod to the status it reports. Shapes and orders are those of recording 01.
 */
import { createHash } from 'node:crypto';
import type { Container, ContainerState, ContainerStatus, PodCondition } from 'kubernetes-types/core/v1.d.ts';
import { isSidecar, isTerminated, type Pod, timestamp } from '../model.ts';
import { userOf } from './environment.ts';
import { resolvedName } from './images.ts';

/** What the kubelet knows of one container. */
export interface ContainerRecord {
  readonly spec: Container;
  state: ContainerState;
  /** `containerd://...`; undefined before it was created. */
  id: string | undefined;
}

export interface PodRecord {
  readonly containers: readonly ContainerRecord[];
  readonly initContainers: readonly ContainerRecord[];
  readonly hostIP: string;
  readonly startTime: string;
  sandboxReady: boolean;
  podIP: string | undefined;
  /** The address is known inside the kubelet before it is reported. */
  addressShown: boolean;
  /** Ended by the kubelet: it shows as not ready at once. */
  ending: boolean;
  /** All has been taken down: the phase may become final. */
  tornDown: boolean;
  /** `DeadlineExceeded`, `Evicted`, and its text; shown with the final phase. */
  reason: string | undefined;
  message: string | undefined;
}

type Phase = 'Pending' | 'Running' | 'Succeeded' | 'Failed';

/** The phase as the containers have it, which may be ahead of what is reported (kubernetes-facts.md 6). */
function phaseOf(record: PodRecord): Phase {
  const { containers, initContainers } = record;
  const failedInit = initContainers.some(
    ({ spec, state }) => !isSidecar(spec) && (state.terminated?.exitCode ?? 0) !== 0,
  );
  if (failedInit) return 'Failed';
  if (containers.every(({ state }) => isTerminated(state))) {
    const failed = record.reason !== undefined || containers.some(({ state }) => state.terminated?.exitCode !== 0);
    return failed ? 'Failed' : 'Succeeded';
  }
  if (record.reason !== undefined && record.tornDown) return 'Failed';
  const pending = containers.some(({ state }) => state.waiting !== undefined);
  return pending ? 'Pending' : 'Running';
}

export function podStatus(record: PodRecord, pod: Pod, now: number): Pod['status'] {
  const actual = phaseOf(record);
  const final = actual === 'Succeeded' || actual === 'Failed';
  // Who is ended by the kubelet keeps its phase until that is done.
  const isKept = final || record.reason !== undefined;
  const phase = isKept && !record.tornDown ? shownBefore(pod) : actual;
  const before = pod.status;
  const generation = pod.metadata.generation ?? 1;
  const address = record.addressShown && record.podIP !== undefined ? record.podIP : before.podIP;
  return {
    observedGeneration: generation,
    phase,
    conditions: conditionsOf(record, actual, before.conditions ?? [], generation, now),
    ...(phase === 'Failed' && record.message !== undefined ? { message: record.message } : {}),
    ...(phase === 'Failed' && record.reason !== undefined ? { reason: record.reason } : {}),
    hostIP: record.hostIP,
    hostIPs: [{ ip: record.hostIP }],
    ...(address === undefined ? {} : { podIP: address, podIPs: [{ ip: address }] }),
    startTime: record.startTime,
    ...(record.initContainers.length === 0
      ? {}
      : { initContainerStatuses: record.initContainers.map((one) => containerStatus(one, pod, 'init')) }),
    containerStatuses: [...record.containers]
      .sort((a, b) => (a.spec.name < b.spec.name ? -1 : 1))
      .map((one) => containerStatus(one, pod, 'main')),
    ...(before.qosClass === undefined ? {} : { qosClass: before.qosClass }),
    resources: {},
  };
}

function shownBefore(pod: Pod): Phase {
  return pod.status.phase === 'Running' ? 'Running' : 'Pending';
}

function conditionsOf(
  record: PodRecord,
  actual: Phase,
  before: readonly PodCondition[],
  observedGeneration: number,
  now: number,
): PodCondition[] {
  const incomplete = record.initContainers.filter(({ spec, state }) =>
    isSidecar(spec) ? state.running === undefined : state.terminated?.exitCode !== 0,
  );
  const done = actual === 'Succeeded';
  const own = [
    { type: 'PodReadyToStartContainers', ...yesNo(record.sandboxReady) },
    {
      type: 'Initialized',
      ...(incomplete.length === 0 || record.containers.some(({ state }) => state.waiting === undefined)
        ? { status: 'True', ...(done ? { reason: 'PodCompleted' } : {}) }
        : {
            status: 'False',
            reason: 'ContainersNotInitialized',
            message: `containers with incomplete status: [${names(incomplete)}]`,
          }),
    },
    { type: 'Ready', ...readiness(record, actual) },
    { type: 'ContainersReady', ...readiness(record, actual) },
  ];
  const kept = before.filter(({ type }) => !own.some((condition) => condition.type === type));
  const disruptions = kept.filter(({ type }) => type === 'DisruptionTarget');
  const others = kept.filter(({ type }) => type !== 'DisruptionTarget');
  return [
    ...disruptions,
    ...own.map((condition) => withTimes(condition, before, observedGeneration, now)),
    ...others.map((condition) => ({ ...condition, observedGeneration })),
  ];
}

function yesNo(yes: boolean): { status: string } {
  return { status: yes ? 'True' : 'False' };
}

function readiness(record: PodRecord, actual: Phase): { status: string; reason?: string; message?: string } {
  if (actual === 'Succeeded') return { status: 'False', reason: 'PodCompleted' };
  const wasCreated = [...record.initContainers, ...record.containers].some(({ id }) => id !== undefined);
  if (record.ending || (actual === 'Failed' && wasCreated)) return { status: 'False', reason: 'PodFailed' };
  const unready = record.containers.filter(({ state }) => state.running === undefined);
  if (unready.length === 0) return { status: 'True' };
  return {
    status: 'False',
    reason: 'ContainersNotReady',
    message: `containers with unready status: [${names(unready)}]`,
  };
}

function names(records: readonly ContainerRecord[]): string {
  return records.map(({ spec }) => spec.name).join(' ');
}

function withTimes(
  { type, status, ...rest }: { type: string; status: string; reason?: string; message?: string },
  before: readonly PodCondition[],
  observedGeneration: number,
  now: number,
): PodCondition {
  const previous = before.find((condition) => condition.type === type);
  const same = previous?.status === status ? previous.lastTransitionTime : undefined;
  const condition = {
    type,
    observedGeneration,
    status,
    lastProbeTime: null,
    lastTransitionTime: same ?? timestamp(now),
    ...rest,
  };
  // lastProbeTime is always null in the API; the type knows only absent.
  return condition as unknown as PodCondition;
}

/** An init container is ready when it has done its work, any other one while it runs. */
function containerStatus({ spec, state, id }: ContainerRecord, pod: Pod, role: 'init' | 'main'): ContainerStatus {
  const running = state.running !== undefined;
  const image = spec.image ?? '';
  const user = userOf(pod, spec);
  const group = spec.securityContext?.runAsGroup ?? pod.spec.securityContext?.runAsGroup ?? 0;
  const mounts = (spec.volumeMounts ?? []).map((mount) => ({
    name: mount.name,
    mountPath: mount.mountPath,
    ...(mount.readOnly ? { readOnly: true, recursiveReadOnly: 'Disabled' } : {}),
  }));
  const status = {
    name: spec.name,
    state,
    lastState: {},
    ready: role === 'init' && !isSidecar(spec) ? state.terminated?.exitCode === 0 : running,
    restartCount: 0,
    image: id === undefined ? image : resolvedName(image),
    imageID: id === undefined ? '' : imageId(image),
    ...(id === undefined ? {} : { containerID: id }),
    started: running,
    ...(id === undefined ? {} : { resources: spec.resources ?? {} }),
    ...(mounts.length === 0 ? {} : { volumeMounts: mounts }),
    ...(id === undefined ? {} : { user: { linux: { uid: user, gid: group, supplementalGroups: [group] } } }),
  };
  return status;
}

function imageId(image: string): string {
  return `sha256:${createHash('sha256').update(resolvedName(image)).digest('hex')}`;
}
