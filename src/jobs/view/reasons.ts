/**
 * Why something is as it is, in words for the person whose job it is. Pure functions of what the cluster says; how
 * things are put is decided here and nowhere else.
 */
import type { ContainerView, EventView, JobView, PodView } from './projection.ts';

/** What a container that waits is doing as a matter of course. */
const NO_REASON: ReadonlySet<string> = new Set(['', 'ContainerCreating', 'PodInitializing']);

const PULL_PROBLEMS: ReadonlySet<string> = new Set([
  'ErrImagePull',
  'ImagePullBackOff',
  'ImageInspectError',
  'RegistryUnavailable',
]);

/** Reasons whose message already says everything. */
const SPEAKING: ReadonlySet<string> = new Set([
  'CreateContainerConfigError',
  'ErrImageNeverPull',
  'CreateContainerError',
]);

/** Why the container waits; '' if that is as it should be. */
export function waitingReason(container: ContainerView): string {
  const { reason = '', message = '' } = container.waiting ?? {};
  if (NO_REASON.has(reason)) return '';
  if (PULL_PROBLEMS.has(reason)) return `image ${container.image} cannot be pulled: ${pullCause(message) || reason}`;
  if (reason === 'InvalidImageName') return `image ${container.image} is not a valid image name`;
  if (message === '') return reason;
  return SPEAKING.has(reason) ? message : `${reason}: ${message}`;
}

/** What the runtime says of a pull that failed, without the layers around it (kubernetes-facts.md 23). */
export function pullCause(message: string): string {
  const cause = message.replace(/^Back-off pulling image "[^"]*"(: \w+: |$)/, '');
  if (/: not found$|\bNotFound\b|manifest unknown|repository does not exist/i.test(cause))
    return 'not found in registry';
  if (/unauthorized|authentication required|401 Unauthorized|denied/i.test(cause))
    return `no access: ${innermost(cause)}`;
  return innermost(cause);
}

/** Go programs put the cause last: the part behind the last layer that names what was tried. */
function innermost(message: string): string {
  const marks = ['failed to do request: ', 'failed to resolve reference ', 'failed to pull and unpack image '];
  for (const mark of marks) {
    const at = message.lastIndexOf(mark);
    if (at >= 0) return message.slice(at + mark.length);
  }
  return message;
}

const PREFIX_OF_FAILED_CREATE = /^Error creating: (?:pods "[^"]*" is forbidden: )?/;

const PULL_EVENT = /^Failed to pull image "([^"]*)": (.*)$/s;

/** Warning events that only repeat what a container's state says anyway. */
export const isTelling = ({ message }: EventView): boolean => !/^Error: \w+$/.test(message);

/** The message of a Warning event. */
export function eventReason(event: EventView): string {
  const [, image, problem] = PULL_EVENT.exec(event.message) ?? [];
  if (image !== undefined && problem !== undefined) return `image ${image} cannot be pulled: ${pullCause(problem)}`;
  if (event.reason !== 'FailedCreate') return startFailure(event.message) || event.reason;
  const message = event.message.replace(PREFIX_OF_FAILED_CREATE, '');
  return message.replace(/^exceeded quota: /, 'quota exceeded: ') || event.reason;
}

const withoutLayers = (message: string): string =>
  message.replace(/^(exec: "[^"]*": )stat \S+: /, '$1').replace(/: unknown$/, '');

/** The useful end of what the runtime says of a program that could not be started (kubernetes-facts.md 14). */
export function startFailure(message: string): string {
  const marks = ['unable to start container process: ', 'runc create failed: ', 'OCI runtime create failed: '];
  for (const mark of marks) {
    const at = message.lastIndexOf(mark);
    if (at >= 0) return withoutLayers(message.slice(at + mark.length));
  }
  return message;
}

const DISRUPTIONS: Readonly<Record<string, string>> = {
  EvictionByEvictionAPI: 'evicted',
  PreemptionByScheduler: 'preempted by a job of higher priority',
  DeletionByTaintManager: 'evicted because of a taint of its node',
  DeletionByPodGC: 'removed because its node is gone',
  TerminationByKubelet: 'ended by its node',
};

/** Reasons of a pod that something else ended. */
export const POD_ENDINGS: Readonly<Record<string, string>> = {
  Evicted: 'evicted',
  Terminated: 'ended because its node shut down',
  NodeShutdown: 'ended because its node shut down',
  Preempting: 'preempted by a more important pod of its node',
  NodeLost: 'its node was lost',
};

const DELETED_BY_OTHERS = 'its pod was deleted in Kubernetes by somebody else';

const said = (what: string, message: string): string => (message === '' ? what : `${what}: ${message}`);

/** Who removed a pod, and why. */
export function removalReason(pod: PodView | undefined): string {
  if (pod === undefined) return DELETED_BY_OTHERS;
  const ofPod = POD_ENDINGS[pod.reason];
  if (ofPod !== undefined) return said(ofPod, pod.message);
  const { disruption } = pod;
  if (disruption !== undefined) return said(DISRUPTIONS[disruption.reason] ?? disruption.reason, disruption.message);
  // The kubelet had ended or rejected it before: that says more than who cleared it away.
  return pod.reason === '' ? DELETED_BY_OTHERS : pod.message || pod.reason;
}

/** Why a job is being removed although its program still runs; '' if it is not. */
export function removing(pod: PodView): string {
  if (pod.disruption !== undefined) return `is being ended: ${removalReason(pod)}`;
  return pod.deletion === undefined ? '' : 'its pod is being deleted in Kubernetes by somebody else';
}

/** `since` is in milliseconds since 1970; Kubernetes tells whole seconds. */
export const nodeSilence = (node: string, since: number): string =>
  `node ${node} does not answer since ${new Date(since).toISOString().replace('.000Z', 'Z')}`;

export function outOfMemory(limit: string | undefined): string {
  return limit === undefined ? 'out of memory' : `out of memory (limit ${limit})`;
}

const UNITS: readonly (readonly [string, number])[] = [
  ['day', 86_400],
  ['hour', 3_600],
  ['minute', 60],
  ['second', 1],
];

/** `90` -> `1 minute 30 seconds`. */
export function duration(seconds: number): string {
  let rest = seconds;
  const parts: string[] = [];
  for (const [unit, size] of UNITS) {
    const count = Math.floor(rest / size);
    rest -= count * size;
    if (count > 0) parts.push(`${count} ${unit}${count === 1 ? '' : 's'}`);
  }
  return parts.join(' ') || '0 seconds';
}

/** What stands in the way of a job that has not begun to run; '' if nothing is known. Order: section 2, row 15. */
export function pendingReason(
  job: JobView,
  pod: PodView | undefined,
  hints: {
    readonly warning: EventView | undefined;
    readonly pulling: EventView | undefined;
    readonly createWarning: string;
  },
): string {
  const since = pod === undefined ? job.createdAt : pod.createdAt;
  const { warning, pulling } = hints;
  return (
    [
      ...(pod === undefined
        ? []
        : [...pod.init.map(waitingReason), waitingReason(pod.container), pod.unscheduled ?? '']),
      warning !== undefined && warning.at >= since ? eventReason(warning) : '',
      pulling !== undefined && pulling.at >= since ? pulling.message : '',
      hints.createWarning,
    ].find((reason) => reason !== '') ?? ''
  );
}
