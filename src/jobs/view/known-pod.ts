/**
 * Projection of a new version of a known pod, straight from the event of a watch in protobuf: makes only what has changed and is
 * kept. An event takes a third less CPU time than with its twin projectPod, which is the rule: a test compares both for any pods.
 */
import { EventScan, UNUSUAL } from '../../kubernetes/watch/protobuf/event-scan.ts';
import { compactList } from '../../system/omit-empty.ts';
import { CONTAINER_NAME } from '../objects/annotations.ts';
import type { ContainerView, Draft, PodView, Terminated } from './projection.ts';

const scan = new EventScan('Pod');
const [NAME, UID, VERSION, CREATED] = scan.words('metadata', 'name', 'uid', 'resourceVersion', 'creationTimestamp');
const [DELETED, GRACE] = scan.words('metadata', 'deletionTimestamp', 'deletionGracePeriodSeconds');
const [OWNERS] = scan.words('metadata', 'ownerReferences');
const [OWNER_KIND, OWNER_UID, CONTROLS] = scan.words('metadata.ownerReferences', 'kind', 'uid', 'controller');
const [CONTAINERS, INITS, NODE] = scan.words('spec', 'containers', 'initContainers', 'nodeName');
const [DEADLINE, HOST_PID, SHARES] = scan.words('spec', 'activeDeadlineSeconds', 'hostPID', 'shareProcessNamespace');
const [PHASE, REASON, MESSAGE, HOST_IP] = scan.words('status', 'phase', 'reason', 'message', 'hostIP');
const [STARTED, CONDITIONS, IPS] = scan.words('status', 'startTime', 'conditions', 'podIPs');
const [IP] = scan.words('status.podIPs', 'ip');
const [STATUSES, INIT_STATUSES] = scan.words('status', 'containerStatuses', 'initContainerStatuses');
const [TYPE, STATUS, CHANGED] = scan.words('status.conditions', 'type', 'status', 'lastTransitionTime');
const [CONDITION_REASON, CONDITION_MESSAGE] = scan.words('status.conditions', 'reason', 'message');

// Of containers and of init containers.
const [CONTAINER, IMAGE] = scan.words('spec.containers', 'name', 'image');
const [LIMITS] = scan.words('spec.containers.resources', 'limits');
const [LIMIT, AMOUNT] = scan.words('spec.containers.resources.limits', 'key', 'value.string');
const STATE = 'status.containerStatuses.state';
const [STATUS_OF] = scan.words('status.containerStatuses', 'name');
const [WAITING, RUNNING, TERMINATED] = scan.words(STATE, 'waiting', 'running', 'terminated');
const [WAITING_REASON, WAITING_MESSAGE] = scan.words(`${STATE}.waiting`, 'reason', 'message');
const [RUNNING_SINCE] = scan.words(`${STATE}.running`, 'startedAt');
const [EXIT_CODE, END_REASON, END_MESSAGE] = scan.words(`${STATE}.terminated`, 'exitCode', 'reason', 'message');
const [BEGAN, FINISHED] = scan.words(`${STATE}.terminated`, 'startedAt', 'finishedAt');

/** The record of the pod. */
const POD = 0;
const NO_CONTAINERS: readonly ContainerView[] = compactList([]);
const NOTHING = { reason: '', message: '' };

/**
 * `known`: the projection of the version before. Undefined if there is none, or if the event is another one, malformed or unusual:
 * then projectPod is called.
 */
export function projectKnownPod(event: Buffer, known: (uid: string) => PodView | undefined): PodView | undefined {
  if (!scan.read(event)) return undefined;
  const before = known(scan.unique(POD, UID));
  if (before === undefined || !scan.has(POD, VERSION)) return undefined;
  try {
    return changed(before);
  } catch (error) {
    if (error === UNUSUAL) return undefined;
    throw error;
  }
}

function changed(before: PodView): PodView {
  const main = named(CONTAINERS, CONTAINER, CONTAINER_NAME) || scan.first(POD, CONTAINERS);
  // An API server accepts no pod without.
  if (main === 0) throw UNUSUAL;
  const name = scan.text(main, CONTAINER, before.container.name);
  const image = scan.text(main, IMAGE, before.container.image);
  const container = containerOf(name, image, STATUSES, before.container);
  const createdAt = scan.time(POD, CREATED) ?? 0;
  const startTime = scan.time(POD, STARTED);
  let lastTransition = Math.max(
    createdAt,
    startTime ?? 0,
    container.running?.startedAt ?? 0,
    container.terminated?.startedAt ?? 0,
    container.terminated?.finishedAt ?? 0,
  );
  let disruption: PodView['disruption'];
  let unscheduled: string | undefined;
  let nodeSilentSince: number | undefined;
  for (let item = scan.first(POD, CONDITIONS); item !== 0; item = scan.next(item)) {
    const at = scan.time(item, CHANGED) ?? 0;
    lastTransition = Math.max(lastTransition, at);
    if (scan.is(item, STATUS, 'False')) {
      if (scan.is(item, TYPE, 'PodScheduled')) unscheduled = scan.text(item, CONDITION_MESSAGE, before.unscheduled);
      if (scan.is(item, TYPE, 'Ready') && scan.text(item, CONDITION_REASON) === '') nodeSilentSince = at;
    } else if (scan.is(item, TYPE, 'DisruptionTarget') && scan.is(item, STATUS, 'True')) {
      disruption = { reason: scan.text(item, CONDITION_REASON), message: scan.text(item, CONDITION_MESSAGE), at };
    }
  }
  const view: Draft<PodView> = {
    uid: before.uid,
    name: scan.text(POD, NAME, before.name),
    resourceVersion: scan.unique(POD, VERSION),
    jobUid: jobUid(before),
    createdAt,
    lastTransition,
    node: scan.text(POD, NODE, before.node),
    phase: scan.text(POD, PHASE, before.phase),
    reason: scan.text(POD, REASON, before.reason),
    message: scan.text(POD, MESSAGE, before.message),
    container,
    init: initContainers(),
    sharesProcesses: scan.flag(POD, SHARES) && !scan.flag(POD, HOST_PID),
    hostIp: scan.text(POD, HOST_IP, before.hostIp),
    podIps: podIps(before.podIps),
  };
  if (startTime !== undefined) view.startTime = startTime;
  const deadline = scan.number(POD, DEADLINE);
  if (deadline !== undefined) view.deadline = deadline;
  const deletedAt = scan.time(POD, DELETED);
  if (deletedAt !== undefined) view.deletion = { at: deletedAt, graceSeconds: scan.number(POD, GRACE) ?? 0 };
  const memoryLimit = limitOfMemory(main, before.memoryLimit);
  if (memoryLimit !== undefined) view.memoryLimit = memoryLimit;
  if (disruption !== undefined) view.disruption = disruption;
  if (unscheduled !== undefined) view.unscheduled = unscheduled;
  if (nodeSilentSince !== undefined) view.nodeSilentSince = nodeSilentSince;
  return view;
}

/** The first record of a repeated field with this name; 0 if there is none. */
function named(field: number, nameField: number, name: string): number {
  let item = scan.first(POD, field);
  while (item !== 0 && !scan.is(item, nameField, name)) item = scan.next(item);
  return item;
}

function limitOfMemory(container: number, before: string | undefined): string | undefined {
  let found: string | undefined;
  for (let item = scan.first(container, LIMITS); item !== 0; item = scan.next(item))
    if (scan.is(item, LIMIT, 'memory')) found = scan.text(item, AMOUNT, before);
  return found;
}

function containerOf(name: string, image: string, statuses: number, before?: ContainerView): ContainerView {
  const status = named(statuses, STATUS_OF, name);
  if (status === 0) return { name, image };
  const isWaiting = scan.has(status, WAITING);
  const isTerminated = scan.has(status, TERMINATED);
  let view: Draft<ContainerView> = { name, image };
  if (scan.has(status, RUNNING)) {
    const startedAt = scan.time(status, RUNNING_SINCE);
    view = { name, image, running: startedAt === undefined ? {} : { startedAt } };
    if (!isWaiting && !isTerminated && before !== undefined && isSameRunning(view, before)) return before;
  }
  if (isWaiting) {
    const { reason, message } = before?.waiting ?? NOTHING;
    view.waiting = {
      reason: scan.text(status, WAITING_REASON, reason),
      message: scan.text(status, WAITING_MESSAGE, message),
    };
  }
  if (isTerminated) view.terminated = terminated(status, before?.terminated ?? NOTHING);
  return view;
}

/** Is this container, which runs, as it was before? */
function isSameRunning({ name, image, running }: ContainerView, before: ContainerView): boolean {
  if (before.running === undefined || before.waiting !== undefined || before.terminated !== undefined) return false;
  return before.running.startedAt === running?.startedAt && before.name === name && before.image === image;
}

function terminated(status: number, before: Pick<Terminated, 'reason' | 'message'>): Terminated {
  const exitCode = scan.number(status, EXIT_CODE);
  // An API server writes it even if it is 0.
  if (exitCode === undefined) throw UNUSUAL;
  const view: Draft<Terminated> = {
    exitCode,
    reason: scan.text(status, END_REASON, before.reason),
    message: scan.text(status, END_MESSAGE, before.message),
  };
  const startedAt = scan.time(status, BEGAN);
  const finishedAt = scan.time(status, FINISHED);
  if (startedAt !== undefined) view.startedAt = startedAt;
  if (finishedAt !== undefined) view.finishedAt = finishedAt;
  return view;
}

/** Init containers that wait or failed. */
function initContainers(): readonly ContainerView[] {
  let item = scan.first(POD, INITS);
  if (item === 0) return NO_CONTAINERS;
  const views: ContainerView[] = [];
  for (; item !== 0; item = scan.next(item)) {
    const view = containerOf(scan.text(item, CONTAINER), scan.text(item, IMAGE), INIT_STATUSES);
    if (view.waiting !== undefined || (view.terminated?.exitCode ?? 0) !== 0) views.push(view);
  }
  return compactList(views);
}

/** Of the first owner that is a controlling Job; '' without one. */
function jobUid(before: PodView): PodView['jobUid'] {
  let item = scan.first(POD, OWNERS);
  while (item !== 0 && !(scan.is(item, OWNER_KIND, 'Job') && scan.flag(item, CONTROLS))) item = scan.next(item);
  return (item === 0 ? '' : scan.text(item, OWNER_UID, before.jobUid)) as PodView['jobUid'];
}

function podIps(before: readonly string[]): readonly string[] {
  let item = scan.first(POD, IPS);
  let same = 0;
  for (; item !== 0 && scan.is(item, IP, before[same] ?? ''); item = scan.next(item)) same++;
  if (item === 0 && same === before.length) return before;
  const ips: string[] = [];
  for (item = scan.first(POD, IPS); item !== 0; item = scan.next(item)) {
    const ip = scan.text(item, IP);
    if (ip !== '') ips.push(ip);
  }
  return compactList(ips);
}
