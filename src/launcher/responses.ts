/**
 * The messages that the plugin sends: their numbers, their fields in order, and their JSON (launcher-plugin-api.md sections
 * 5 and 7 to 9).
 */
import type { ClusterInfo, ControlResult, JobNetwork, JobUsage } from '../jobs/contract.ts';
import { CONFIG, type Job, PLACEMENT_CONSTRAINT, RESOURCE_LIMIT } from '../jobs/job.ts';
import type { JobErrorCode } from '../jobs/job-error.ts';
import { boolean, list, object, text, writeFields } from '../system/schema.ts';
import type { FrameBody } from './frames.ts';
import type { JsonChunks } from './json-chunks.ts';
import type { PluginMetrics } from './plugin-metrics.ts';
import { NO_REQUEST, type RequestId } from './request-id.ts';
import type { OutputType } from './requests.ts';

/** The version of the protocol that this plugin supports. */
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

/** These always carry responseId 0 and do not advance the counter (section 5.2). */
const UNCOUNTED: ReadonlySet<ResponseKind> = new Set(['error', 'heartbeat', 'metrics']);

/** One message to the launcher, without its responseId, which the writer assigns. */
export interface Response {
  readonly kind: ResponseKind;
  readonly requestId: RequestId;
  /**
   * The fields after requestId and responseId, as JSON: `"a":1,"b":2`, or ''. Job output is UTF-8 text between two of these;
   * jobs are in chunks.
   */
  readonly fields: string | readonly [before: string, text: Uint8Array, after: string] | { readonly json: JsonChunks };
}

/** Error codes of section 9. */
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

/** One of the requests that a message serves, and the number of the message in the stream of that request. */
export interface Sequence {
  readonly requestId: RequestId;
  readonly seqId: number;
}

/** The JSON of a response with its number. */
export function encode(
  { kind, requestId, fields }: Response,
  responseId: number,
): FrameBody | { readonly json: JsonChunks } {
  const head = `{"messageType":${NUMBERS[kind]},"requestId":${requestId},"responseId":${responseId}`;
  if (typeof fields === 'string') return [`${head}${fields === '' ? '' : `,${fields}`}}`];
  if ('json' in fields) return { json: [`${head},`, ...fields.json, '}'] };
  const [before, text, after] = fields;
  return [`${head},${before}`, text, `${after}}`];
}

/** Does this response take a number of the counter? */
export function isCounted(response: Response): boolean {
  return !UNCOUNTED.has(response.kind);
}

const fieldsOf = (json: object): string => JSON.stringify(json).slice(1, -1);

export function errorResponse(requestId: RequestId, code: ErrorCode, message: string): Response {
  return { kind: 'error', requestId, fields: fieldsOf({ errorCode: ERROR_CODES[code], errorMessage: message }) };
}

export const heartbeatResponse: Response = { kind: 'heartbeat', requestId: NO_REQUEST, fields: '' };

export function bootstrapResponse(requestId: RequestId): Response {
  return { kind: 'bootstrap', requestId, fields: fieldsOf({ version: API_VERSION }) };
}

/** `jobs`: their JSON, with commas between them. */
export function jobsResponse(requestId: RequestId, jobs: JsonChunks): Response {
  return { kind: 'jobs', requestId, fields: { json: ['"jobs":[', ...jobs, ']'] } };
}

export function statusResponse(sequences: readonly Sequence[], job: Job, statusMessage: string): Response {
  const state = {
    id: job.id,
    name: job.name,
    status: job.status,
    statusMessage: statusMessage === '' ? undefined : statusMessage,
    statusCode: job.statusCode === '' ? undefined : job.statusCode,
  };
  return { kind: 'status', requestId: NO_REQUEST, fields: `${sequencesJson(sequences)},${fieldsOf(state)}` };
}

export function controlResponse(requestId: RequestId, result: ControlResult): Response {
  const json = { statusMessage: result.message, operationComplete: result.complete };
  return { kind: 'control', requestId, fields: fieldsOf(json) };
}

/** `output`: UTF-8, complete characters. */
export function outputResponse(
  requestId: RequestId,
  seqId: number,
  output: Uint8Array,
  outputType: OutputType,
): Response {
  const before = `${fieldsOf({ seqId, complete: false })},"output":`;
  const after = `,${fieldsOf({ outputType })}`;
  return { kind: 'output', requestId, fields: [before, output, after] };
}

/** The last message of an output stream, without text and type. */
export function outputEnd(requestId: RequestId, seqId: number): Response {
  return { kind: 'output', requestId, fields: fieldsOf({ seqId, complete: true }) };
}

export function usageResponse(sequences: readonly Sequence[], usage: JobUsage, complete: boolean): Response {
  const { cpuPercent, cpuTime, virtualMemory, residentMemory } = usage;
  const json = fieldsOf({ cpuPercent, cpuTime, virtualMemory, residentMemory, complete });
  return { kind: 'usage', requestId: NO_REQUEST, fields: `${sequencesJson(sequences)},${json}` };
}

export function networkResponse(requestId: RequestId, network: JobNetwork): Response {
  const { host, ipAddresses } = network;
  return { kind: 'network', requestId, fields: fieldsOf({ host, ipAddresses }) };
}

/** Launchers since this minor version need no empty list of images. */
const IMAGES_OPTIONAL_SINCE_MINOR = 1;

const { value: _, ...OFFERED_LIMIT } = RESOURCE_LIMIT;

const CLUSTER_INFO = {
  supportsContainers: boolean(),
  defaultImage: text().omitEmpty(),
  allowUnknownImages: boolean(),
  images: list(text()).with({
    write: (images, minor) =>
      images.length === 0 && minor >= IMAGES_OPTIONAL_SINCE_MINOR ? undefined : images.toSorted(),
  }),
  config: list(object(CONFIG)),
  resourceLimits: list(object(OFFERED_LIMIT)),
  placementConstraints: list(object(PLACEMENT_CONSTRAINT)),
  resourceProfiles: list(
    object({
      name: text(),
      displayName: text().omitEmpty(),
      limits: list(object(RESOURCE_LIMIT)).omitEmpty(),
      placementConstraints: list(object(PLACEMENT_CONSTRAINT)).omitEmpty(),
    }),
  ),
  supportsInitContainers: boolean(),
  containersUseHostNetwork: boolean(),
};

export function clusterInfoResponse(requestId: RequestId, info: ClusterInfo, minor: number): Response {
  const all = { ...info, supportsContainers: true, supportsInitContainers: true, containersUseHostNetwork: false };
  return { kind: 'clusterInfo', requestId, fields: fieldsOf(writeFields(CLUSTER_INFO, all, minor)) };
}

export function loadBalancerNodesResponse(requestId: RequestId): Response {
  return { kind: 'loadBalancerNodes', requestId, fields: '' };
}

/** Result of a reload; errorType: -1 unknown, 0 none, 1 load, 2 validate, 3 save (message 202 of section 15). */
export interface ReloadResult {
  readonly errorType: -1 | 0 | 1 | 2 | 3;
  readonly errorMessage: string;
  /** Options with a new value that is used from now on. */
  readonly applied: readonly string[];
  /** Options with a new value that is used only after a restart. */
  readonly pendingRestart: readonly string[];
}

export function reloadResponse(requestId: RequestId, generation: number, result: ReloadResult): Response {
  const { errorType, errorMessage, applied, pendingRestart } = result;
  const json = { errorType, errorMessage, applied, pendingRestart, generation };
  return { kind: 'reload', requestId, fields: fieldsOf(json) };
}

export function metricsResponse(metrics: PluginMetrics): Response {
  const { uptimeSeconds, memoryUsageBytes, clusterInteractionLatencySample } = metrics;
  const json = {
    uptimeSeconds: Math.floor(uptimeSeconds),
    memoryUsageBytes: Math.floor(memoryUsageBytes),
    clusterInteractionLatencySample,
  };
  return { kind: 'metrics', requestId: NO_REQUEST, fields: fieldsOf(json) };
}

/** Upper bound for one element of `sequences`: `{"requestId":18446744073709551615,"seqId":9007199254740991},` */
export const SEQUENCE_BYTES = 62;

/** How many requests fit into this many bytes of a message; at least one. */
export function sequencesThatFit(bytes: number): number {
  return Math.max(1, Math.floor(bytes / SEQUENCE_BYTES));
}

function sequencesJson(sequences: readonly Sequence[]): string {
  const elements = sequences.map(({ requestId, seqId }) => `{"requestId":${requestId},"seqId":${seqId}}`);
  return `"sequences":[${elements.join(',')}]`;
}
