/** One job in detail: its facts, its resources, and the events of its Job and pods. Never values of the environment or stdin. */
import type { Event, Pod } from 'kubernetes-types/core/v1.d.ts';
import type { JobUsage } from '../jobs/contract.ts';
import { type Job, type ResourceLimit, showJob } from '../jobs/job.ts';
import { JobError } from '../jobs/job-error.ts';
import { jobContainer, limitsOf } from '../jobs/objects/from-job.ts';
import { type EventView, jobId, projectEvent } from '../jobs/view/projection.ts';
import { type JobRecord, jobOf } from '../jobs/view/record.ts';
import { STATE_TABLE } from '../jobs/view/state.ts';
import { isObject } from '../system/json.ts';
import { ageText, clockText, whenText } from './age.ts';
import { reasonOf } from './job-list.ts';
import type { Snapshot } from './snapshot.ts';
import { stackedTable, type Terminal } from './terminal.ts';

/** An event and the object it is about. */
interface JobEvent extends EventView {
  /** `Pod session-7dmdc`. */
  readonly of: string;
}

/** One job with its objects. */
export interface JobDetail {
  readonly namespace: string;
  readonly job: Job;
  readonly record: JobRecord;
  readonly pods: readonly Pod[];
  /** The oldest first. */
  readonly events: readonly JobEvent[];
  readonly canListEvents: boolean;
}

const second = (ms: number): number => Math.floor(ms / 1000);

export const noJob = (id: string, namespace: string): string => `there is no job ${id} in namespace ${namespace}`;

/** Throws JobError 'job-not-found', also if the job is another user's. */
export function findJob(snapshot: Snapshot, id: string, user?: string): JobDetail {
  const { namespace, canListEvents } = snapshot;
  const record = snapshot.repository.get(jobId(id));
  if (record === undefined || (user !== undefined && record.job.request.user !== user)) {
    throw new JobError('job-not-found', noJob(id, namespace));
  }
  const pods = snapshot.pods.filter(({ metadata }) => metadata?.ownerReferences?.some(({ uid }) => uid === record.uid));
  const uids = [record.uid, ...pods.map(({ metadata }) => metadata?.uid)];
  return { namespace, job: jobOf(record), record, pods, events: eventsOf(snapshot.events, uids), canListEvents };
}

function eventsOf(events: readonly Event[], uids: readonly (string | undefined)[]): readonly JobEvent[] {
  return (
    events
      .filter(({ involvedObject }) => uids.includes(involvedObject.uid))
      .map((event) => ({
        ...projectEvent(event),
        of: `${event.involvedObject.kind ?? ''} ${event.involvedObject.name ?? ''}`,
      }))
      // The time of most events is in whole seconds.
      .toSorted((a, b) => second(a.at) - second(b.at) || Number(a.resourceVersion) - Number(b.resourceVersion))
  );
}

export function eventTable(
  events: readonly JobEvent[],
  now: number,
  terminal: Pick<Terminal, 'columns' | 'color'>,
): string {
  const rows = events.map(({ at, warning, reason, message, of }) => [
    ageText(now - at),
    warning ? 'Warning' : 'Normal',
    reason,
    of,
    message,
  ]);
  return stackedTable([['AGE', 'EVENT', 'REASON', 'OF', 'MESSAGE'], ...rows], terminal, { least: 40 });
}

const CONTROL_CAUSES: ReadonlySet<string> = new Set(['killed', 'stopped', 'canceled']);

/** `jane killed the job at 2026-01-02T03:04:05Z`; '' if no stop, kill or cancel ended it. */
function controlText({ cause, job: { control } }: JobRecord): string {
  if (!CONTROL_CAUSES.has(cause) || control === undefined) return '';
  return `${control.user === '*' ? 'an administrator' : control.user} ${cause} the job at ${control.at.replace(/\.\d+Z$/, 'Z')}`;
}

/** The row of the state table that decided, and who recorded the result. */
export function causeOf(record: JobRecord) {
  const { cause, outcome, job } = record;
  const seen = STATE_TABLE.find((row) => row.cause === cause)?.seen ?? '';
  return {
    name: cause,
    explanation: outcome.message || controlText(record) || seen,
    recordedBy: job.result?.recordedBy,
    recordedAt: job.result?.recordedAt,
  };
}

/** `out-of-memory: the container exceeded its limit of 512M (recorded by host1 at 23:21:53Z)`; without the text of the reason. */
function causeText(record: JobRecord, reason: string, now: number): string {
  const { name, explanation, recordedBy, recordedAt = '' } = causeOf(record);
  const text = reason.includes(explanation) ? name : `${name}: ${explanation}`;
  if (recordedBy === undefined) return text;
  const [host = recordedBy] = recordedBy.split('/');
  const at = clockText(recordedAt, now);
  return `${text} (recorded by ${host}${at === undefined ? '' : ` at ${at}`})`;
}

/** What a type of resource is called, and its unit; types that are not here are printed as they are. */
const RESOURCES: Readonly<Record<string, string>> = {
  cpuCount: 'CPU',
  memory: 'MB',
  'CPU Request': 'CPU',
  'Memory Request': 'MB',
  'NVIDIA GPUs': 'NVIDIA GPU',
  'AMD GPUs': 'AMD GPU',
};

const isRequest = ({ type }: ResourceLimit): boolean => type.endsWith(' Request');

/** The limits of the container, which the profile or the cluster may have set; what the job asked for while there is no pod. */
export function effectiveLimits({ job, pods }: JobDetail): readonly ResourceLimit[] {
  const container = jobContainer(pods.at(-1)?.spec);
  return container === undefined ? job.resourceLimits : limitsOf(container);
}

const LIMIT_OF_REQUEST: Readonly<Record<string, string>> = { 'CPU Request': 'cpuCount', 'Memory Request': 'memory' };

/** Amounts that are not 0, without requests that equal their limit. */
function amounts(limits: readonly ResourceLimit[]): readonly ResourceLimit[] {
  const values = new Map(limits.map(({ type, value }) => [type, Number(value)]));
  return limits.filter(
    ({ type, value }) => Number(value) !== 0 && values.get(LIMIT_OF_REQUEST[type] ?? '') !== Number(value),
  );
}

/** Amounts that the container has and the job did not ask for. */
export function addedLimits(detail: JobDetail): readonly ResourceLimit[] {
  const requested = new Map(detail.job.resourceLimits.map(({ type, value }) => [type, Number(value)]));
  return amounts(effectiveLimits(detail)).filter(({ type, value }) => requested.get(type) !== Number(value));
}

/** `1 CPU, 2048 MB; requested: 0.5 CPU`. */
export function resourcesText(limits: readonly ResourceLimit[]): string {
  const text = (some: readonly ResourceLimit[]): string =>
    some.map(({ type, value }) => `${Number(value) || value} ${RESOURCES[type] ?? type}`).join(', ');
  const shown = amounts(limits);
  const requested = text(shown.filter(isRequest));
  return [
    text(shown.filter((limit) => !isRequest(limit))) || 'no limits',
    ...(requested === '' ? [] : [`requested: ${requested}`]),
  ].join('; ');
}

/** `0.52 CPU, 310 MB`. */
function usageText({ cpuPercent, residentMemory }: JobUsage): string {
  return [
    ...(cpuPercent === undefined ? [] : [`${(cpuPercent / 100).toFixed(2)} CPU`]),
    ...(residentMemory === undefined ? [] : [`${Math.round(residentMemory)} MB`]),
  ].join(', ');
}

const namesOf = (named: readonly { readonly name: string }[]): readonly string[] => named.map(({ name }) => name);

type Fact = readonly [name: string, value: string];

/** Fields of a job with a line of their own in `factsOf`; every other field of the job table is shown by its name. */
const OWN_LINES: ReadonlySet<string> = new Set<keyof Job>([
  ...(['id', 'name', 'user', 'status', 'statusCode', 'statusMessage', 'exitCode', 'submissionTime'] as const),
  ...(['lastUpdateTime', 'host', 'container', 'command', 'exe', 'args', 'workingDirectory', 'environment'] as const),
  ...(['resourceLimits', 'resourceProfile', 'placementConstraints', 'exposedPorts', 'mounts', 'tags'] as const),
  'instanceId',
]);

/** The other fields, without what may be a secret. */
const otherFacts = (job: Job): readonly Fact[] =>
  Object.entries(showJob(job)).flatMap(([name, value]) => (OWN_LINES.has(name) ? [] : [[name, valueText(value)]]));

/** A list as its items, an object by its name, if it has one; '' for what is empty or false. */
function valueText(value: unknown): string {
  if (Array.isArray(value)) return value.map(valueText).join(', ');
  if (isObject(value)) return typeof value['name'] === 'string' ? value['name'] : JSON.stringify(value);
  return value === false ? '' : String(value);
}

/** The facts that a job has, in the order of their printing. */
export function factsOf(detail: JobDetail, usage: JobUsage, now: number): readonly Fact[] {
  const { job, record, pods } = detail;
  const { service } = record;
  const { control, result } = record.job;
  /** A time of an annotation, which any client can write. */
  const written = (text: string): string => (Number.isNaN(Date.parse(text)) ? text : whenText(Date.parse(text), now));
  const { image = '', runAsUserId, runAsGroupId } = job.container ?? {};
  const profile = ['', 'custom'].includes(job.resourceProfile) ? '' : ` (resource profile ${job.resourceProfile})`;
  const facts: readonly Fact[] = [
    ['id', job.id],
    ['name', job.name],
    ['user', job.user || '- (only administrators see it)'],
    ['state', job.status],
    ['reason', reasonOf(job)],
    ['cause', causeText(record, reasonOf(job), now)],
    ['exit code', job.exitCode === undefined ? '' : String(job.exitCode)],
    ['submitted', whenText(job.submissionTime, now)],
    ['changed', whenText(job.lastUpdateTime, now)],
    ['ended', written(result?.endedAt ?? '')],
    [
      'control',
      control === undefined
        ? ''
        : `${control.operation} by ${control.user} at ${written(control.at)}${control.reason === undefined ? '' : `: ${control.reason}`}`,
    ],
    ['node', job.host],
    ['pods', pods.map(({ metadata, status }) => `${metadata?.name} ${status?.phase}`).join(', ')],
    ['image', image],
    ['runs', [job.command || job.exe, ...job.args].filter(Boolean).join(' ')],
    ['directory', job.workingDirectory],
    ['run as', [runAsUserId, runAsGroupId].filter((part) => part !== undefined).join(':')],
    ['environment', namesOf(job.environment).join(', ')],
    ['resources', `${resourcesText(effectiveLimits(detail))}${profile}`],
    ['usage now', usageText(usage)],
    ['constraints', job.placementConstraints.map(({ name, value }) => `${name}=${value}`).join(', ')],
    ['ports', portsText(job)],
    [
      'service',
      service === undefined ? '' : `${service.type} ${[...service.clusterIps, ...service.ingress].join(', ')}`,
    ],
    [
      'mounts',
      job.mounts
        .map(({ type, mountPath, readOnly }) => `${type} at ${mountPath}${readOnly ? ' (read only)' : ''}`)
        .join(', '),
    ],
    ['tags', job.tags.join(', ')],
    ['launcher', job.instanceId],
    ...otherFacts(job),
  ];
  return facts.filter(([, value]) => value !== '');
}

function portsText({ exposedPorts }: Job): string {
  return exposedPorts
    .map(
      ({ targetPort, publishedPort, protocol }) =>
        `${targetPort}/${protocol}${publishedPort === undefined ? '' : ` at ${publishedPort}`}`,
    )
    .join(', ');
}
