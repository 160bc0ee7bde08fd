/** Messages for the user of a job: why it waits, why it ended, what removes its pod. Pure functions; all sentences are here. */
import type { ContainerView, EventView, JobView, PodView } from './projection.ts';

/** Waiting reasons of a container that starts normally. */
const NORMAL_REASONS: ReadonlySet<string> = new Set(['', 'ContainerCreating', 'PodInitializing']);

const PULL_PROBLEMS: ReadonlySet<string> = new Set([
  'ErrImagePull',
  'ImagePullBackOff',
  'ImageInspectError',
  'RegistryUnavailable',
]);

/** Reasons with a message that is complete without them. */
const COMPLETE_MESSAGES: ReadonlySet<string> = new Set([
  'CreateContainerConfigError',
  'ErrImageNeverPull',
  'CreateContainerError',
]);

/** Why the container waits; '' for a normal start. */
export function waitingReason(container: ContainerView, previous = ''): string {
  const { reason = '', message = '' } = container.waiting ?? {};
  if (NORMAL_REASONS.has(reason)) return '';
  if (PULL_PROBLEMS.has(reason)) {
    const problem = `image ${container.image} cannot be pulled: `;
    const cause = pullCause(message);
    // Before 1.32 the back-off between two attempts does not repeat the cause of the first.
    if (cause === '' && previous.startsWith(problem)) return previous;
    return `${problem}${cause || reason}`;
  }
  if (reason === 'InvalidImageName') return `image ${container.image} is not a valid image name`;
  if (message === '') return reason;
  return COMPLETE_MESSAGES.has(reason) ? message : `${reason}: ${message}`;
}

/** Cause of a failed pull from the runtime's message, without its prefixes (docs/kubernetes-facts.md 23). */
export function pullCause(message: string): string {
  const cause = message.replace(/^Back-off pulling image "[^"]*"(: \w+: |$)/, '');
  if (/: not found$|\bNotFound\b|manifest unknown|repository does not exist/i.test(cause))
    return 'not found in registry';
  if (/unauthorized|authentication required|401 Unauthorized|denied/i.test(cause))
    return `no access: ${innermost(cause)}`;
  return innermost(cause);
}

/** Go programs put the cause last: the part after the last known prefix. */
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

/** False for a Warning event that only repeats the reason of the container's state. */
export const isInformative = ({ message }: EventView): boolean => !/^Error: \w+$/.test(message);

/** The message of a Warning event. */
export function eventReason(event: EventView): string {
  const [, image, problem] = PULL_EVENT.exec(event.message) ?? [];
  if (image !== undefined && problem !== undefined) return `image ${image} cannot be pulled: ${pullCause(problem)}`;
  if (event.reason !== 'FailedCreate') return startFailure(event.message) || event.reason;
  const message = event.message.replace(PREFIX_OF_FAILED_CREATE, '');
  return message.replace(/^exceeded quota: /, 'quota exceeded: ') || event.reason;
}

const withoutPrefixes = (message: string): string =>
  message.replace(/^(exec: "[^"]*": )stat \S+: /, '$1').replace(/: unknown$/, '');

/** The relevant end of the runtime's message for a program that could not be started (docs/kubernetes-facts.md 14). */
export function startFailure(message: string): string {
  const marks = ['unable to start container process: ', 'runc create failed: ', 'OCI runtime create failed: '];
  for (const mark of marks) {
    const at = message.lastIndexOf(mark);
    if (at >= 0) return withoutPrefixes(message.slice(at + mark.length));
  }
  return message;
}

const DISRUPTIONS: Readonly<Record<string, string>> = {
  EvictionByEvictionAPI: 'evicted',
  PreemptionByScheduler: 'preempted by a job of higher priority',
  DeletionByTaintManager: 'evicted because of a taint of its node',
  DeletionByPodGC: 'removed because its node was deleted',
  TerminationByKubelet: 'ended by its node',
};

/** Reasons of pods that were ended from outside. */
export const POD_ENDINGS: Readonly<Record<string, string>> = {
  Evicted: 'evicted',
  Terminated: 'ended because its node shut down',
  NodeShutdown: 'ended because its node shut down',
  Preempting: 'preempted by a more important pod of its node',
  NodeLost: 'its node was lost',
};

const DELETED_BY_OTHERS = 'its pod was deleted in Kubernetes by another client';

const withMessage = (what: string, message: string): string => (message === '' ? what : `${what}: ${message}`);

/** Who removed a pod, and why. */
export function removalReason(pod: PodView | undefined): string {
  if (pod === undefined) return DELETED_BY_OTHERS;
  const ofPod = POD_ENDINGS[pod.reason];
  if (ofPod !== undefined) return withMessage(ofPod, pod.message);
  const { disruption } = pod;
  if (disruption !== undefined)
    return withMessage(DISRUPTIONS[disruption.reason] ?? disruption.reason, disruption.message);
  // The kubelet had ended or rejected it before: its reason explains more than the deletion.
  return pod.reason === '' ? DELETED_BY_OTHERS : pod.message || pod.reason;
}

/** What removes the pod of a program that still runs; '' if nothing does. */
export function removalInProgress(pod: PodView): string {
  if (pod.disruption !== undefined) return `is being ended: ${removalReason(pod)}`;
  return pod.deletion === undefined ? '' : 'its pod is being deleted in Kubernetes by another client';
}

/** `since` is in milliseconds since 1970; Kubernetes writes seconds. */
export const nodeSilence = (node: string, since: number): string =>
  `node ${node} has not responded since ${new Date(since).toISOString().replace('.000Z', 'Z')}`;

export function outOfMemory(limit: string | undefined): string {
  return limit === undefined ? 'the container ran out of memory' : `the container exceeded its limit of ${limit}`;
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

/** Why a job has not started; '' if unknown. The order is that of row `pending` of the state table. */
export function pendingReason(
  job: JobView,
  pod: PodView | undefined,
  events: {
    readonly warning: EventView | undefined;
    readonly pulling: EventView | undefined;
    readonly createWarning: string;
    /** The message before. */
    readonly previous?: string;
  },
): string {
  const since = pod === undefined ? job.createdAt : pod.createdAt;
  const { warning, pulling } = events;
  return (
    [
      ...(pod === undefined
        ? []
        : [...[...pod.init, pod.container].map((each) => waitingReason(each, events.previous)), pod.unscheduled ?? '']),
      warning !== undefined && warning.at >= since ? eventReason(warning) : '',
      pulling !== undefined && pulling.at >= since ? pulling.message : '',
      events.createWarning,
    ].find((reason) => reason !== '') ?? ''
  );
}
