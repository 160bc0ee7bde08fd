/**
 * The messages that a launcher sends: one table of numbers and fields, from which the types, the validation and the error
 * messages follow (launcher-plugin-api.md sections 4.2, 5, 7, 8 and 15).
 */
import { CONTROL_OPERATIONS } from '../jobs/contract.ts';
import { date, JOB_STATES, parseState, submittedJob } from '../jobs/job.ts';
import { isObject } from '../system/json.ts';
import {
  anyObject,
  anything,
  boolean,
  choice,
  FieldError,
  type Fields,
  type InferRead,
  integer,
  list,
  nonEmpty,
  number,
  object,
  quotedValue,
  readFields,
  text,
  trimmedString,
  trimWhitespace,
} from '../system/schema.ts';
import { BrokenFrameError } from './frames.ts';
import { scanJson } from './json-scan.ts';
import { type RequestId, readRequestId } from './request-id.ts';

const USER = { username: nonEmpty(trimmedString()), requestUsername: text().default('') };

const JOB_ID = { ...USER, jobId: text(), encodedJobId: text().default('') };

const oneJobId = text().map((id) => {
  if (id === '*') throw new FieldError('is "*"; it must be the id of one job');
  return id;
});

const states = list(text()).map((names) => {
  const unknown = names.filter((name) => parseState(name) === undefined);
  if (unknown.length > 0) {
    const shown = unknown.slice(0, 20).map(quotedValue).join(', ');
    throw new FieldError(`has ${shown}, which are no states; states are ${JOB_STATES.join(', ')}`);
  }
  return names.map((name) => parseState(name) ?? '');
});

const operation = choice(
  CONTROL_OPERATIONS.map((name, code) => `${code} (${name})`).join(', '),
  new Map<unknown, (typeof CONTROL_OPERATIONS)[number]>(CONTROL_OPERATIONS.map((name, code) => [code, name])),
);

/** Which output a request asks for, and how its frames are labeled. */
export type OutputType = 'stdout' | 'stderr' | 'mixed';

const outputType = choice(
  '0 or "stdout", 1 or "stderr", 2 or "mixed" or "both"',
  new Map<unknown, OutputType>([
    [0, 'stdout'],
    ['stdout', 'stdout'],
    [1, 'stderr'],
    ['stderr', 'stderr'],
    [2, 'mixed'],
    ['mixed', 'mixed'],
    ['both', 'mixed'],
  ]),
);

const UNSIGNED = integer(0);

/** What a launcher pushes with a reload; absent fields keep the values of the last push (message 202 of section 15). */
export const INHERITED_SETTINGS = {
  serverUser: text().optional(),
  enableDebugLogging: boolean().optional(),
  scratchPath: text().optional(),
  loggingDir: text().optional(),
  heartbeatIntervalSeconds: integer().optional(),
  jobExpiryHours: number().optional(),
  pluginMetricsIntervalSeconds: integer().optional(),
  includePluginMetricsIntervalSeconds: boolean().default(true),
};

interface RequestRow {
  readonly number: number;
  /** For error messages. */
  readonly title: string;
  /** A request with `cancel`: true ends the stream of the same requestId; its other fields are ignored. */
  readonly stream?: true;
  readonly fields: Fields;
}

/** Every request: its number, its name in error messages, its fields. */
const REQUESTS = {
  heartbeat: { number: 0, title: 'heartbeat', fields: {} },
  bootstrap: {
    number: 1,
    title: 'bootstrap',
    fields: {
      version: object({ major: UNSIGNED, minor: UNSIGNED, patch: UNSIGNED }),
    },
  },
  submit: { number: 2, title: 'submit job', fields: { ...USER, job: submittedJob } },
  getJobs: {
    number: 3,
    title: 'get jobs',
    fields: {
      ...JOB_ID,
      tags: list(text()).default([]),
      startTime: date.optional(),
      endTime: date.optional(),
      statuses: states.default([]),
      fields: list(text()).default([]),
    },
  },
  statusStream: { number: 4, title: 'job status stream', stream: true, fields: JOB_ID },
  control: {
    number: 5,
    title: 'control job',
    fields: { ...JOB_ID, jobId: oneJobId, operation },
  },
  outputStream: {
    number: 6,
    title: 'job output stream',
    stream: true,
    fields: { ...JOB_ID, outputType: outputType.default('mixed') },
  },
  usageStream: { number: 7, title: 'job resource utilization stream', stream: true, fields: JOB_ID },
  network: { number: 8, title: 'job network', fields: { ...JOB_ID, jobId: oneJobId } },
  clusterInfo: { number: 9, title: 'cluster info', fields: USER },
  loadBalancerNodes: { number: 201, title: 'set load-balancer nodes', fields: { nodes: anything().optional() } },
  reload: {
    number: 202,
    title: 'config reload',
    fields: { generation: UNSIGNED.default(0), inheritedSettings: anyObject().default({}) },
  },
} as const satisfies Readonly<Record<string, RequestRow>>;

export type RequestKind = keyof typeof REQUESTS;

/** Requests with `stream` in their row. */
export type StreamKind = {
  [K in RequestKind]: (typeof REQUESTS)[K] extends { stream: true } ? K : never;
}[RequestKind];

/** A request of one kind, with the fields of its row. */
export type RequestOf<K extends RequestKind> = { readonly kind: K; readonly requestId: RequestId } & InferRead<
  (typeof REQUESTS)[K]['fields']
>;

/** Ends the stream of this kind with this requestId; never answered. */
interface CancelStream {
  readonly kind: 'cancelStream';
  readonly requestId: RequestId;
  readonly stream: StreamKind;
}

export type Request = { [K in RequestKind]: RequestOf<K> }[RequestKind] | CancelStream;

/** Result of parsing the body of a frame. */
export type ParsedRequest =
  | {
      readonly outcome: 'request';
      readonly request: Request;
      /** JSON values in the message. */
      readonly values: number;
    }
  /** The answer is an Error. */
  | {
      readonly outcome: 'refused';
      readonly requestId: RequestId;
      /** Who sent it; '' if that cannot be read. */
      readonly user: string;
      readonly code: 'request-not-supported' | 'invalid-request';
      readonly message: string;
    }
  /** No answer is possible: the id cannot be read. */
  | { readonly outcome: 'dropped'; readonly message: string };

const KINDS: ReadonlyMap<number, RequestKind> = new Map(
  Object.entries(REQUESTS).map(([kind, row]) => [row.number, kind as RequestKind]),
);

/** Reads one message. Throws BrokenFrameError if the body is not JSON; one that exceeds a limit is not parsed. */
export function parseRequest(body: Buffer): ParsedRequest {
  const scan = scanJson(body);
  const message = scan.excess === undefined ? parseJson(body.toString('utf8')) : {};
  if (!isObject(message)) return { outcome: 'dropped', message: 'a message that is not an object' };
  const requestId = readRequestId(scan.requestId);
  if (requestId === undefined) return { outcome: 'dropped', message: 'a message without a readable requestId' };
  const refused = (code: 'request-not-supported' | 'invalid-request', text: string): ParsedRequest => ({
    outcome: 'refused',
    requestId,
    user: typeof message['username'] === 'string' ? trimWhitespace(message['username']) : '',
    code,
    message: text,
  });

  if (scan.excess !== undefined) return refused('invalid-request', `the message is refused: ${scan.excess}`);
  let title = 'message';
  try {
    const { messageType } = readFields(MESSAGE, message);
    const kind = KINDS.get(messageType);
    if (kind === undefined)
      return refused('request-not-supported', `messages of type ${messageType} are not supported`);
    title = `${REQUESTS[kind].title} (message type ${messageType})`;
    return { outcome: 'request', request: readRequest(kind, requestId, message), values: scan.values };
  } catch (error) {
    if (error instanceof FieldError) return refused('invalid-request', `${title}: ${error.message}`);
    throw error;
  }
}

/** What is known of a message before it is parsed. */
interface MessageHead {
  readonly requestId: RequestId;
  readonly user: string;
}

/** Undefined for a message that is refused or dropped without parsing, if its head shows that. */
export function readHead(body: Buffer): MessageHead | undefined {
  const { excess, requestId: id, username } = scanJson(body, true);
  const requestId = readRequestId(id);
  if (requestId === undefined || excess !== undefined) return undefined;
  return { requestId, user: trimWhitespace(username) };
}

const MESSAGE = { messageType: integer() };
const CANCEL = { cancel: boolean().default(false) };

function readRequest(kind: RequestKind, requestId: RequestId, message: Readonly<Record<string, unknown>>): Request {
  const row: RequestRow = REQUESTS[kind];
  if (isStream(kind) && readFields(CANCEL, message).cancel) return { kind: 'cancelStream', requestId, stream: kind };
  return { kind, requestId, ...readFields(row.fields, message) } as Request;
}

function isStream(kind: RequestKind): kind is StreamKind {
  return 'stream' in REQUESTS[kind];
}

function parseJson(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    // The parser's message quotes the body, which may hold secrets.
    throw new BrokenFrameError('a frame arrived with a body that is not JSON');
  }
}
