/**
 * The messages that we send: their numbers, their members in order, and how they become text (protocol sections 5 and 7 to 9).
 */
import type { ClusterInfo, ControlResult, JobNetwork, JobUsage } from '../jobs/contract.ts';
import { CONFIG, type Job, PLACEMENT_CONSTRAINT, RESOURCE_LIMIT } from '../jobs/job.ts';
import type { JobErrorCode } from '../jobs/job-error.ts';
import { boolean, list, object, string, writeFields } from '../system/schema.ts';
import type { Body } from './frames.ts';
import { jsonText } from './json-text.ts';
import type { RequestId } from './request-id.ts';
import type { OutputType } from './requests.ts';

/** The version of the protocol that we speak. */
export const API_VERSION = { major: 3, minor: 10, patch: 0 } as const;

const NUMBERS = {
  error: -1,
  heartbeat: 0,
  bootstrap: 1,
  jobs: 2,
  status: 3,
  control: 4,
  output: 5,
  usage: 6,
  network: 7,
  clusterInfo: 8,
  loadBalancerNodes: 201,
  reload: 202,
  metrics: 203,
} as const;

type ResponseKind = keyof typeof NUMBERS;

/** These always carry responseId 0 and do not advance the counter (protocol 5.2). */
const UNCOUNTED: ReadonlySet<ResponseKind> = new Set(['error', 'heartbeat', 'metrics']);

/** One message to the launcher; its responseId comes at the moment of writing. */
export interface Response {
  readonly kind: ResponseKind;
  /** '0' in messages that are nobody's answer, and in those that serve many requests. */
  readonly requestId: RequestId;
  /** The members after requestId and responseId, as JSON: `"a":1,"b":2`, or ''. Much text comes as bytes between others. */
  readonly members: string | readonly [before: string, text: Uint8Array, after: string];
}

/** Error codes of protocol section 9. */
const ERROR_CODES = {
  unknown: 0,
  'request-not-supported': 1,
  'invalid-request': 2,
  'job-not-found': 3,
  timeout: 5,
  'job-not-running': 6,
  'output-not-found': 7,
  'invalid-job-state': 8,
  'unsupported-version': 10,
} as const satisfies Readonly<Record<JobErrorCode | 'request-not-supported' | 'unsupported-version', number>>;

export type ErrorCode = keyof typeof ERROR_CODES;

/** One request among those that a message serves, and its number in that request's stream. */
export interface Sequence {
  readonly requestId: RequestId;
  readonly seqId: number;
}

/** The text of a response with its number, in pieces. */
export function encode({ kind, requestId, members }: Response, responseId: number): Body {
  const head = `{"messageType":${NUMBERS[kind]},"requestId":${requestId},"responseId":${responseId}`;
  if (typeof members === 'string') return [`${head}${members === '' ? '' : `,${members}`}}`];
  const [before, text, after] = members;
  return [`${head},${before}`, text, `${after}}`];
}

/** Does this response take a number of the counter? */
export function isCounted(response: Response): boolean {
  return !UNCOUNTED.has(response.kind);
}

const members = (json: object): string => JSON.stringify(json).slice(1, -1);

export function errorResponse(requestId: RequestId, code: ErrorCode, message: string): Response {
  return { kind: 'error', requestId, members: members({ errorCode: ERROR_CODES[code], errorMessage: message }) };
}

export const heartbeatResponse: Response = { kind: 'heartbeat', requestId: '0', members: '' };

export function bootstrapResponse(requestId: RequestId): Response {
  return { kind: 'bootstrap', requestId, members: members({ version: API_VERSION }) };
}

/** `jobs`: each already JSON text. */
export function jobsResponse(requestId: RequestId, jobs: readonly string[]): Response {
  return { kind: 'jobs', requestId, members: `"jobs":[${jobs.join(',')}]` };
}

export function statusResponse(sequences: readonly Sequence[], job: Job, statusMessage: string): Response {
  const state = {
    id: job.id,
    name: job.name,
    status: job.status,
    statusMessage: statusMessage === '' ? undefined : statusMessage,
    statusCode: job.statusCode === '' ? undefined : job.statusCode,
  };
  return { kind: 'status', requestId: '0', members: `${sequencesJson(sequences)},${members(state)}` };
}

export function controlResponse(requestId: RequestId, result: ControlResult): Response {
  const json = { statusMessage: result.message, operationComplete: result.complete };
  return { kind: 'control', requestId, members: members(json) };
}

/** `output`: UTF-8, whole characters. */
export function outputResponse(
  requestId: RequestId,
  seqId: number,
  output: Uint8Array,
  outputType: OutputType,
): Response {
  const before = `${members({ seqId, complete: false })},"output":`;
  const after = `,${members({ outputType })}`;
  return { kind: 'output', requestId, members: [before, jsonText(output), after] };
}

/** The last message of an output stream: neither text nor label. */
export function outputEnd(requestId: RequestId, seqId: number): Response {
  return { kind: 'output', requestId, members: members({ seqId, complete: true }) };
}

export function usageResponse(sequences: readonly Sequence[], usage: JobUsage, complete: boolean): Response {
  const { cpuPercent, cpuTime, virtualMemory, residentMemory } = usage;
  const json = members({ cpuPercent, cpuTime, virtualMemory, residentMemory, complete });
  return { kind: 'usage', requestId: '0', members: `${sequencesJson(sequences)},${json}` };
}

export function networkResponse(requestId: RequestId, network: JobNetwork): Response {
  const { host, ipAddresses } = network;
  return { kind: 'network', requestId, members: members({ host, ipAddresses }) };
}

/** The first minor version whose launchers do without an empty list of images. */
const IMAGES_OPTIONAL_SINCE_MINOR = 1;

const { value: _, ...OFFERED_LIMIT } = RESOURCE_LIMIT;

const CLUSTER_INFO = {
  supportsContainers: boolean(),
  defaultImage: string().omitEmpty(),
  allowUnknownImages: boolean(),
  images: list(string()).with({
    write: (images, minor) =>
      images.length === 0 && minor >= IMAGES_OPTIONAL_SINCE_MINOR ? undefined : images.toSorted(),
  }),
  config: list(object(CONFIG)),
  resourceLimits: list(object(OFFERED_LIMIT)),
  placementConstraints: list(object(PLACEMENT_CONSTRAINT)),
  resourceProfiles: list(
    object({
      name: string(),
      displayName: string().omitEmpty(),
      limits: list(object(RESOURCE_LIMIT)).omitEmpty(),
      placementConstraints: list(object(PLACEMENT_CONSTRAINT)).omitEmpty(),
    }),
  ),
  supportsInitContainers: boolean(),
  containersUseHostNetwork: boolean(),
};

export function clusterInfoResponse(requestId: RequestId, info: ClusterInfo, minor: number): Response {
  const all = { ...info, supportsContainers: true, supportsInitContainers: true, containersUseHostNetwork: false };
  return { kind: 'clusterInfo', requestId, members: members(writeFields(CLUSTER_INFO, all, minor)) };
}

export function loadBalancerNodesResponse(requestId: RequestId): Response {
  return { kind: 'loadBalancerNodes', requestId, members: '' };
}

/** What became of a reload: -1 unknown, 0 none, 1 load, 2 validate, 3 save (protocol 15, message 202). */
export interface ReloadResult {
  readonly errorType: -1 | 0 | 1 | 2 | 3;
  readonly errorMessage: string;
  /** Options whose running value changed now. */
  readonly applied: readonly string[];
  /** Options whose value differs from the one in force since the start, and counts only after a restart. */
  readonly pendingRestart: readonly string[];
}

export function reloadResponse(requestId: RequestId, generation: number, result: ReloadResult): Response {
  const { errorType, errorMessage, applied, pendingRestart } = result;
  const json = { errorType, errorMessage, applied, pendingRestart, generation };
  return { kind: 'reload', requestId, members: members(json) };
}

/** What the plugin says of itself (protocol 15, message 203). */
export interface PluginMetrics {
  readonly uptimeSeconds: number;
  /** 0: unknown. */
  readonly memoryUsageBytes: number;
  readonly clusterInteractionLatencySample?: LatencySample;
}

/** Counts since the last report: ten buckets, not cumulative; `sum` in seconds. */
export interface LatencySample {
  readonly buckets: readonly number[];
  readonly sum: number;
}

export function metricsResponse(metrics: PluginMetrics): Response {
  const { uptimeSeconds, memoryUsageBytes, clusterInteractionLatencySample } = metrics;
  const json = {
    uptimeSeconds: Math.floor(uptimeSeconds),
    memoryUsageBytes: Math.floor(memoryUsageBytes),
    clusterInteractionLatencySample,
  };
  return { kind: 'metrics', requestId: '0', members: members(json) };
}

/** The most that one element of `sequences` takes: `{"requestId":18446744073709551615,"seqId":9007199254740991},` */
export const SEQUENCE_BYTES = 62;

/** How many requests one message can serve that has this many bytes left for them; at least one. */
export function sequencesThatFit(bytes: number): number {
  return Math.max(1, Math.floor(bytes / SEQUENCE_BYTES));
}

function sequencesJson(sequences: readonly Sequence[]): string {
  const elements = sequences.map(({ requestId, seqId }) => `{"requestId":${requestId},"seqId":${seqId}}`);
  return `"sequences":[${elements.join(',')}]`;
}
