/**
 * What can go wrong between a client and this cluster, by route. What really happened is in the journal all the same.
 */
import { encode } from '../api/answer.ts';
import { ApiError } from '../api/status.ts';

/** An answer that replaces the real one; the request is not carried out. */
interface FalseAnswer {
  readonly status: number;
  readonly body: string;
  readonly contentType: string;
  readonly headers?: Readonly<Record<string, string | string[]>>;
}

export type Fault =
  | { readonly type: 'answer'; readonly answer: FalseAnswer }
  /** The connection is reset before anything is done. */
  | { readonly type: 'resetBeforeWork' }
  /** The request is carried out, its answer never arrives. */
  | { readonly type: 'resetBeforeHeaders' }
  | { readonly type: 'resetAfterHeaders' }
  /** The connection is reset after this many bytes of the body: in the middle of a line. */
  | { readonly type: 'resetAfterBytes'; readonly bytes: number }
  /** A clean end after this many bytes: truncated JSON. */
  | { readonly type: 'truncate'; readonly bytes: number }
  /** Half open: after this many bytes nothing comes any more, and nobody closes. */
  | { readonly type: 'stall'; readonly bytes: number }
  /** Pieces of `bytes` with a pause of `ms` between them. */
  | { readonly type: 'slow'; readonly bytes: number; readonly ms: number }
  /** Watch lines come twice. */
  | { readonly type: 'duplicateEvents' }
  /** The answer comes this much later. */
  | { readonly type: 'delay'; readonly ms: number };

export interface FaultRule {
  readonly fault: Fault;
  /** Default: every method. */
  readonly method?: string;
  /** Matched with path and query; default: every path. */
  readonly path?: RegExp;
  /** How often it strikes; default 1. */
  readonly times?: number;
  /** The fault's bytes are drawn anew each time, between 1 and what it says. */
  readonly drawn?: boolean;
  /** Chance of a request to be struck, 0 to 1, from the seeded generator; default 1. */
  readonly chance?: number;
  /** Asked before the rules that were added earlier. */
  readonly isFirst?: boolean;
}

function answer(error: ApiError, headers: Readonly<Record<string, string>> = {}): Fault {
  return {
    type: 'answer',
    answer: {
      status: error.code,
      body: encode(error.status),
      contentType: 'application/json',
      headers: { ...error.headers, ...headers },
    },
  };
}

function text(status: number, body: string, contentType = 'text/plain; charset=utf-8', headers = {}): Fault {
  return { type: 'answer', answer: { status, body, contentType, headers } };
}

const WEBHOOK_TIMEOUT =
  'failed calling webhook "check.example.com": failed to call webhook: Post "https://check.example.com/?timeout=10s": context deadline exceeded';

/** Answers that clusters and what stands before them give. */
export const FAULTS = {
  unauthorized: answer(new ApiError(401, 'Unauthorized', 'Unauthorized')),
  /** As in the first moments after a restart of the API server (kubernetes-facts.md 108). */
  transientForbidden: answer(
    new ApiError(
      403,
      'Forbidden',
      'forbidden: User "system:serviceaccount:rstudio:job-launcher" cannot do this: RBAC: not yet loaded',
      {},
    ),
  ),
  tooManyRequests: text(429, 'Too many requests, please try again later.', undefined, { 'Retry-After': '1' }),
  internalError: answer(new ApiError(500, 'InternalError', 'Internal error occurred: etcdserver: leader changed')),
  unavailable: text(503, 'error trying to reach service: dial tcp 10.250.0.1:4443: connect: connection refused\n'),
  timeout: answer(new ApiError(504, 'Timeout', 'Timeout: request did not complete within the allotted timeout', {})),
  /** 410 of a watch as HTTP status, which older servers give. */
  gone: answer(new ApiError(410, 'Gone', 'too old resource version: 1 (1000)')),
  htmlPage: text(502, '<html><body><h1>502 Bad Gateway</h1></body></html>\n', 'text/html'),
  /** A proxy that answers 200 with its login page. */
  loginPage: text(200, '<!DOCTYPE html><html><body>Please sign in</body></html>\n', 'text/html; charset=utf-8'),
  noAgent: answer(new ApiError(500, undefined, 'error dialing backend: No agent available')),
  /** What a kubelet that lost a log's directory sends with 200 (kubernetes-facts.md 95). */
  logPathLost: text(
    200,
    'failed to try resolving symlinks in path "/var/log/pods/x/0.log": lstat /var/log/pods/x: no such file or directory',
    'text/plain',
  ),
  tooManyOpenFiles: text(200, 'failed to create fsnotify watcher: too many open files', 'text/plain'),
  /** Right after a restart of a kubelet (kubernetes-facts.md 94). */
  transientLogNotFound: answer(
    new ApiError(404, 'NotFound', 'the server could not find the requested resource ( pods/log x)', {
      name: 'x',
      kind: 'pods/log',
    }),
  ),
  webhookTimeout: answer(
    new ApiError(500, 'InternalError', `Internal error occurred: ${WEBHOOK_TIMEOUT}`, {
      causes: [{ message: WEBHOOK_TIMEOUT }],
    }),
  ),
  resetBeforeWork: { type: 'resetBeforeWork' },
  lostAnswer: { type: 'resetBeforeHeaders' },
  resetAfterHeaders: { type: 'resetAfterHeaders' },
  midLine: { type: 'resetAfterBytes', bytes: 150 },
  truncated: { type: 'truncate', bytes: 100 },
  silent: { type: 'stall', bytes: 0 },
  stalled: { type: 'stall', bytes: 150 },
  slow: { type: 'slow', bytes: 64, ms: 5 },
  duplicateEvents: { type: 'duplicateEvents' },
  /** A watch of pods that replays an event from long ago and ends. */
  replayedEvent: text(
    200,
    `${JSON.stringify({ type: 'MODIFIED', object: { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'x', uid: 'x', resourceVersion: '1' } } })}\n`,
    'application/json',
  ),
} as const satisfies Readonly<Record<string, Fault>>;
