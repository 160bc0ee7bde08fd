/**
 * Projections of Kubernetes objects: the few fields that are kept in memory. Times are milliseconds since 1970, from the
 * objects, never from the clock of this host.
 */
import type { Job as KubernetesJob } from 'kubernetes-types/batch/v1.d.ts';
import type {
  ContainerStateRunning,
  ContainerStatus,
  Event,
  Pod,
  PodSpec,
  PodStatus,
  Service,
} from 'kubernetes-types/core/v1.d.ts';
import type { ObjectMeta, OwnerReference } from 'kubernetes-types/meta/v1.d.ts';
import type { Projected } from '../../kubernetes/contract.ts';
import { compactList } from '../../system/omit-empty.ts';
import type { JobRequest } from '../job.ts';
import {
  JOB_NAME_LABEL,
  LAUNCHER,
  MANAGED_BY,
  RECORD_ANNOTATION,
  type RunRecords,
  readRecords,
} from '../objects/annotations.ts';
import { jobContainer, recoverRequest } from '../objects/from-job.ts';
import { readRecord } from '../objects/submission-record.ts';

/** Conditions with a decision of the Job controller; later ones override earlier ones. */
const DECISIONS = ['SuccessCriteriaMet', 'FailureTarget', 'Complete', 'Failed'] as const;

declare const JOB_UID: unique symbol;
declare const POD_UID: unique symbol;
declare const JOB_ID: unique symbol;
/** `metadata.uid` of a Job. */
export type JobUid = string & { readonly [JOB_UID]: true };
/** `metadata.uid` of a Pod. */
type PodUid = string & { readonly [POD_UID]: true };
/** `metadata.name` of a Job: the launcher's job id. */
export type JobId = string & { readonly [JOB_ID]: true };

/** The id in a request, which need not be that of a job. */
export const jobId = (text: string): JobId => text as JobId;

interface JobDecision {
  readonly type: (typeof DECISIONS)[number];
  readonly reason: string;
  readonly message: string;
  readonly at: number;
}

export interface JobView extends Projected, RunRecords {
  readonly uid: JobUid;
  readonly name: JobId;
  readonly request: JobRequest;
  /** Fields of its submission record that are malformed, for the log. */
  readonly malformedRecord?: string;
  readonly createdAt: number;
  /** Its creation, or the last time at which it was resumed: `status.startTime`. */
  readonly startedAt: number;
  /** When the Job controller resumed it after a suspension. */
  readonly resumedAt?: number;
  /** It has a deletionTimestamp; a finalizer may keep it. */
  readonly deleting: boolean;
  readonly lastTransition: number;
  /** `spec.suspend` is true, or the Job controller has not resumed it yet. */
  readonly suspended: boolean;
  /** `spec.parallelism` is 0. */
  readonly idle: boolean;
  /** `status.active` is not 0: the Job has a pod that has not ended. */
  readonly active: boolean;
  /** A pod of it is ready: its containers run. The Job controller updates it once a second, since 1.24 (docs/kubernetes-facts.md 3). */
  readonly ready: boolean;
  readonly decision?: JobDecision;
  /** Has condition Complete or Failed. */
  readonly finished: boolean;
  /** Input waits to be delivered (docs/kubernetes-objects.md section 4). */
  readonly stdinDue: boolean;
}

export interface ContainerView {
  readonly name: string;
  readonly image: string;
  readonly waiting?: { readonly reason: string; readonly message: string };
  readonly running?: { readonly startedAt?: number };
  readonly terminated?: Terminated;
}

export interface Terminated {
  readonly exitCode: number;
  readonly reason: string;
  readonly message: string;
  /** Absent if it never started (1970, docs/kubernetes-facts.md 15). */
  readonly startedAt?: number;
  readonly finishedAt?: number;
}

export interface PodView extends Projected {
  readonly uid: PodUid;
  /** The Job that controls it. */
  readonly jobUid: JobUid;
  readonly createdAt: number;
  readonly lastTransition: number;
  readonly node: string;
  readonly phase: string;
  readonly reason: string;
  readonly message: string;
  readonly startTime?: number;
  /** Seconds; `spec.activeDeadlineSeconds`. */
  readonly deadline?: number;
  /** `deletionTimestamp`: `deletionGracePeriodSeconds` after the request to delete it. */
  readonly deletion?: { readonly at: number; readonly graceSeconds: number };
  /** Condition DisruptionTarget. */
  readonly disruption?: { readonly reason: string; readonly message: string; readonly at: number };
  readonly container: ContainerView;
  /** Init containers that wait or failed. */
  readonly init: readonly ContainerView[];
  /** Message of PodScheduled=False. */
  readonly unscheduled?: string;
  /** Transition to Ready=False without a reason: set by the node controller for a node that does not respond (docs/kubernetes-facts.md 122). */
  readonly nodeSilentSince?: number;
  /** As written in the pod, e.g. `512M`. */
  readonly memoryLimit?: string;
  /** Does a signal to all processes reach the processes of the job only? (kill) */
  readonly sharesProcesses: boolean;
  readonly hostIp: string;
  readonly podIps: readonly string[];
}

interface ServicePortView {
  /** Port of the pod. */
  readonly targetPort: number;
  /** Port of the cluster addresses and of a load balancer. */
  readonly port: number;
  /** Port of the nodes. */
  readonly nodePort?: number;
  readonly protocol: string;
}

export interface ServiceView extends Projected {
  /** The Job that it belongs to: by its owner reference, else by its label `job-name`. */
  readonly jobId: JobId;
  /** uid of its owner; '' without an owner: then the Service is not deleted with the Job. */
  readonly ownerUid: JobUid | '';
  /** Is its name that of the Job, as for Services of this plugin? */
  readonly isNamedLikeJob: boolean;
  readonly type: string;
  readonly clusterIps: readonly string[];
  readonly ports: readonly ServicePortView[];
  readonly ingress: readonly string[];
}

export interface EventView extends Projected {
  /** The Job or Pod that it is about. */
  readonly subject: JobUid & PodUid;
  readonly warning: boolean;
  readonly reason: string;
  readonly message: string;
  readonly at: number;
}

/** A name or uid as the API sent it. The kind of object gives it its branded type. */
const idOf = <Id extends string>(text: string | undefined): Id => (text ?? '') as Id;

const identityOf = <Uid extends string, Name extends string>(metadata: ObjectMeta | undefined) => ({
  uid: idOf<Uid>(metadata?.uid),
  name: idOf<Name>(metadata?.name),
  resourceVersion: metadata?.resourceVersion ?? '',
});

/** Owner reference to a Job. */
function owner(metadata: ObjectMeta | undefined, controlling: boolean): OwnerReference | undefined {
  return metadata?.ownerReferences?.find(
    ({ kind, controller }) => kind === 'Job' && (!controlling || controller === true),
  );
}

export function projectJob(job: KubernetesJob): JobView {
  const { metadata, spec, status } = job;
  const annotations = metadata?.annotations ?? {};
  const conditions = status?.conditions ?? [];
  const decided = DECISIONS.toReversed().flatMap((type) => {
    const condition = conditions.find((each) => each.type === type && each.status === 'True');
    if (condition === undefined) return [];
    const { reason = '', message = '', lastTransitionTime } = condition;
    return [{ type, reason, message, at: time(lastTransitionTime) ?? 0 }];
  });
  const decision = decided[0];
  const records = readRecords(annotations, metadata?.uid);
  const { record, malformed } = readRecord(annotations[RECORD_ANNOTATION]);
  const createdAt = time(metadata?.creationTimestamp) ?? 0;
  const suspension = conditions.find(({ type }) => type === 'Suspended');
  const resumedAt = suspension?.status === 'False' ? time(suspension.lastTransitionTime) : undefined;
  return {
    ...identityOf<JobUid, JobId>(metadata),
    request: recoverRequest(job, record),
    ...(malformed === undefined ? {} : { malformedRecord: malformed }),
    createdAt,
    startedAt: newest(createdAt, time(status?.startTime)),
    ...(resumedAt === undefined ? {} : { resumedAt }),
    deleting: metadata?.deletionTimestamp !== undefined,
    lastTransition: newest(
      createdAt,
      time(status?.startTime),
      time(status?.completionTime),
      newestTransition(conditions),
      time(records.result?.endedAt),
    ),
    suspended: spec?.suspend === true || suspension?.status === 'True',
    idle: spec?.parallelism === 0,
    active: (status?.active ?? 0) > 0,
    ready: (status?.ready ?? 0) > 0,
    ...(decision === undefined ? {} : { decision }),
    finished: decided.some(({ type }) => type === 'Complete' || type === 'Failed'),
    stdinDue: record?.stdin === true,
    ...records,
  };
}

/** Filled in field by field: most are absent, and pods change more often than all other objects. */
export type Draft<T> = { -readonly [Key in keyof T]: T[Key] };

function projectContainer(name: string, image: string, status: ContainerStatus | undefined): ContainerView {
  const { waiting, running, terminated } = status?.state ?? {};
  // Most containers run; a field that is added to an object later takes 32 bytes more.
  const view: Draft<ContainerView> =
    running === undefined ? { name, image } : { name, image, running: projectRunning(running) };
  if (waiting !== undefined) view.waiting = { reason: waiting.reason ?? '', message: waiting.message ?? '' };
  if (terminated !== undefined) view.terminated = projectTerminated(terminated);
  return view;
}

function projectRunning(running: ContainerStateRunning): NonNullable<ContainerView['running']> {
  const startedAt = time(running.startedAt);
  return startedAt === undefined ? {} : { startedAt };
}

function projectTerminated(end: NonNullable<NonNullable<ContainerStatus['state']>['terminated']>): Terminated {
  const startedAt = time(end.startedAt);
  const finishedAt = time(end.finishedAt);
  const view: Draft<Terminated> = { exitCode: end.exitCode, reason: end.reason ?? '', message: end.message ?? '' };
  if (startedAt !== undefined) view.startedAt = startedAt;
  if (finishedAt !== undefined) view.finishedAt = finishedAt;
  return view;
}

/** Init containers that wait or failed. */
function projectInit(spec: PodSpec | undefined, status: PodStatus | undefined): readonly ContainerView[] {
  return (spec?.initContainers ?? [])
    .map(({ name, image = '' }) =>
      projectContainer(
        name,
        image,
        status?.initContainerStatuses?.find((each) => each.name === name),
      ),
    )
    .filter(({ waiting, terminated }) => waiting !== undefined || (terminated?.exitCode ?? 0) !== 0);
}

/**
 * Selects pods with a controlling Job of ours. The Job controller labels the pods of all Jobs alike, and pods of adopted
 * jobs have no other label. A pod with our label is kept before its Job is known.
 */
export function projectOurPod(pod: Pod, isOurJob: (uid: JobUid) => boolean): PodView | undefined {
  const { metadata } = pod;
  const jobUid = idOf<JobUid>(owner(metadata, true)?.uid);
  if (jobUid === '') return undefined;
  return isOurJob(jobUid) || metadata?.labels?.[MANAGED_BY] === LAUNCHER ? projectPod(pod) : undefined;
}

export function projectPod(pod: Pod): PodView {
  const { metadata, spec, status } = pod;
  const conditions = status?.conditions ?? [];
  const main = jobContainer(spec);
  const name = main?.name ?? '';
  const mainStatus = status?.containerStatuses?.find((each) => each.name === name);
  const container = projectContainer(name, main?.image ?? '', mainStatus);
  const createdAt = time(metadata?.creationTimestamp) ?? 0;
  const startTime = time(status?.startTime);
  const view: Draft<PodView> = {
    uid: idOf(metadata?.uid),
    name: metadata?.name ?? '',
    resourceVersion: metadata?.resourceVersion ?? '',
    jobUid: idOf(owner(metadata, true)?.uid),
    createdAt,
    lastTransition: Math.max(
      createdAt,
      startTime ?? 0,
      container.running?.startedAt ?? 0,
      container.terminated?.startedAt ?? 0,
      container.terminated?.finishedAt ?? 0,
      newestTransition(conditions) ?? 0,
    ),
    node: spec?.nodeName ?? '',
    phase: status?.phase ?? '',
    reason: status?.reason ?? '',
    message: status?.message ?? '',
    container,
    init: compactList(projectInit(spec, status)),
    sharesProcesses: spec?.shareProcessNamespace === true && spec.hostPID !== true,
    hostIp: status?.hostIP ?? '',
    podIps: compactList((status?.podIPs ?? []).flatMap(({ ip }) => ip || [])),
  };
  if (startTime !== undefined) view.startTime = startTime;
  const deadline = spec?.activeDeadlineSeconds;
  if (deadline !== undefined) view.deadline = deadline;
  const deletedAt = time(metadata?.deletionTimestamp);
  if (deletedAt !== undefined) {
    view.deletion = { at: deletedAt, graceSeconds: metadata?.deletionGracePeriodSeconds ?? 0 };
  }
  const memoryLimit = main?.resources?.limits?.['memory'];
  if (memoryLimit !== undefined) view.memoryLimit = memoryLimit;
  for (const { type, status: is, reason = '', message = '', lastTransitionTime } of conditions) {
    if (type === 'DisruptionTarget' && is === 'True') {
      view.disruption = { reason, message, at: time(lastTransitionTime) ?? 0 };
    }
    if (type === 'PodScheduled' && is === 'False') view.unscheduled = message;
    if (type === 'Ready' && is === 'False' && reason === '') view.nodeSilentSince = time(lastTransitionTime) ?? 0;
  }
  return view;
}

export function projectService(service: Service): ServiceView {
  const { metadata, spec, status } = service;
  const job = owner(metadata, false);
  const id = idOf<JobId>(job?.name ?? metadata?.labels?.[JOB_NAME_LABEL]);
  return {
    ...identityOf(metadata),
    jobId: id,
    ownerUid: idOf(job?.uid),
    isNamedLikeJob: id !== '' && id === metadata?.name,
    type: spec?.type ?? 'ClusterIP',
    clusterIps: (spec?.clusterIPs ?? [spec?.clusterIP ?? '']).filter((ip) => ip !== '' && ip !== 'None'),
    ports: (spec?.ports ?? []).map(({ port, targetPort, nodePort, protocol }) => ({
      targetPort: typeof targetPort === 'number' ? targetPort : port,
      port,
      ...(nodePort === undefined ? {} : { nodePort }),
      protocol: protocol ?? 'TCP',
    })),
    ingress: (status?.loadBalancer?.ingress ?? []).flatMap(({ ip, hostname }) => ip ?? hostname ?? []),
  };
}

/** Selects events of Jobs and pods. */
export function projectJobEvent(event: Event): EventView | undefined {
  const { kind } = event.involvedObject;
  return kind === 'Job' || kind === 'Pod' ? projectEvent(event) : undefined;
}

/** Kubelet and scheduler use different time fields (docs/kubernetes-facts.md 20). */
export function projectEvent(event: Event): EventView {
  return {
    ...identityOf(event.metadata),
    subject: idOf(event.involvedObject.uid),
    warning: event.type === 'Warning',
    reason: event.reason ?? '',
    message: event.message ?? '',
    at: time(event.lastTimestamp) ?? time(event.eventTime) ?? time(event.metadata.creationTimestamp) ?? 0,
  };
}

/** Milliseconds since 1970 of an API time; undefined for none, and for 1970 itself, which means "never". */
export function time(text: string | undefined | null): number | undefined {
  if (text === undefined || text === null) return undefined;
  const milliseconds = wholeSeconds(text) ?? Date.parse(text);
  return Number.isNaN(milliseconds) || milliseconds === 0 ? undefined : milliseconds;
}

/**
 * A time of 20 characters, as nearly all are written, from 1970 on; undefined for others. Times are most of what is read of
 * a pod: with Date.UTC or Date.parse an event of a watch takes 5 % more CPU time.
 */
function wholeSeconds(text: string): number | undefined {
  if (text.length !== TIME_FORMAT.length) return undefined;
  for (const [at, code] of TIME_SEPARATORS) if (text.charCodeAt(at) !== code) return undefined;
  const year = two(text, 0) * 100 + two(text, 2);
  const month = two(text, 5);
  const day = two(text, 8);
  const seconds = two(text, 11) * 3600 + two(text, 14) * 60 + two(text, 17);
  if (!(year >= 1970 && month >= 1 && month <= 12 && day >= 1 && seconds >= 0)) return undefined;
  return (daysBefore(year, month) + day - 1) * 86_400_000 + seconds * 1000;
}

const TIME_FORMAT = '0000-00-00T00:00:00Z';
const TIME_SEPARATORS = [...TIME_FORMAT].flatMap((character, at): readonly (readonly [number, number])[] =>
  character === '0' ? [] : [[at, character.charCodeAt(0)]],
);

/** Two digits as a number; NaN for other characters. */
function two(text: string, at: number): number {
  const high = text.charCodeAt(at) - ZERO;
  const low = text.charCodeAt(at + 1) - ZERO;
  return high >= 0 && high <= 9 && low >= 0 && low <= 9 ? high * 10 + low : Number.NaN;
}

/** Days from 1970 to the first of a month. Years start in March here, so that the leap day is the last. */
function daysBefore(year: number, month: number): number {
  const years = month < 3 ? year - 1 : year;
  const months = month < 3 ? month + 9 : month - 3;
  const leapDays = Math.floor(years / 4) - Math.floor(years / 100) + Math.floor(years / 400);
  return years * 365 + leapDays + Math.floor((153 * months + 2) / 5) - DAYS_TO_1970;
}

/** Days from 1 March of the year 0 to 1970. */
const DAYS_TO_1970 = 719_468;
/** Character code of the digit 0. */
const ZERO = 48;

const newest = (...times: readonly (number | undefined)[]): number => Math.max(0, ...times.map((at) => at ?? 0));

/** The newest of the conditions' times; they are all written alike (UTC, whole seconds), and so compare as strings. */
function newestTransition(conditions: readonly { readonly lastTransitionTime?: string }[]): number | undefined {
  let latest = '';
  for (const { lastTransitionTime } of conditions) {
    if (lastTransitionTime && lastTransitionTime > latest) latest = lastTransitionTime;
  }
  return time(latest);
}
