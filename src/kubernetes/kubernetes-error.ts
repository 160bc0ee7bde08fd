/**
 * What can go wrong between us and a cluster, as one class. Which `code` an answer gets is a table (kubernetes-facts.md 98 to 117);
 * texts come from the server's Status where there is one.
 */

import { isObject } from '../system/json.ts';
import { firstLine, redactAnswer } from '../system/redact.ts';
import { UserFacingError } from '../system/user-facing-error.ts';

export type KubernetesErrorCode =
  /** 400: the server does not understand the request; also a container that is still waiting (kubernetes-facts.md 86). */
  | 'bad-request'
  /** 401. */
  | 'unauthorized'
  /** 403: missing rights, quota, admission, a namespace that is being terminated (kubernetes-facts.md 27, 110, 140). */
  | 'forbidden'
  | 'not-found'
  /** 409 AlreadyExists. */
  | 'already-exists'
  /** 409 Conflict: another version, another uid. */
  | 'conflict'
  /** 410, or a resourceVersion that the server does not know yet: list again. */
  | 'expired'
  /** 413. */
  | 'too-large'
  /** 422. */
  | 'invalid'
  /** 429. */
  | 'too-many-requests'
  /** 3xx: none is ever followed. */
  | 'redirected'
  /** 5xx. */
  | 'server-error'
  /** The answer is not what Kubernetes sends. */
  | 'bad-answer'
  /** One of our deadlines passed. */
  | 'timeout'
  /** No connection: name resolution, TCP, a connection closed before the answer. */
  | 'unreachable'
  /** The TLS handshake failed: chain, name, expiry, protocol. */
  | 'tls'
  /** The connection broke while the answer was being read. */
  | 'interrupted'
  /** The token cannot be read. */
  | 'credentials';

/** `details.causes` of a Status. */
interface ErrorCause {
  readonly reason: string;
  readonly message: string;
  readonly field: string;
}

interface KubernetesErrorDetails {
  readonly code: KubernetesErrorCode;
  readonly method: string;
  /** Without query. */
  readonly path: string;
  readonly status?: number | undefined;
  readonly reason?: string | undefined;
  /** What the server said, or what is known instead. */
  readonly text: string;
  readonly causes?: readonly ErrorCause[] | undefined;
  readonly retryAfterSeconds?: number | undefined;
  /** Kind of the object that the Status is about, e.g. `pods/log`. */
  readonly about?: string | undefined;
  readonly cause?: unknown;
}

/** `message` is a sentence that a person can act on, ending with the call in brackets. */
export class KubernetesError extends UserFacingError {
  override readonly name = 'KubernetesError';
  readonly code: KubernetesErrorCode;
  readonly method: string;
  readonly path: string;
  /** HTTP status; undefined if there was no answer. */
  readonly status: number | undefined;
  /** `reason` of the Status, '' if it has none. */
  readonly reason: string;
  /** The server's own words, without ours. */
  readonly text: string;
  readonly causes: readonly ErrorCause[];
  readonly retryAfterSeconds: number | undefined;
  readonly about: string;

  constructor(details: KubernetesErrorDetails) {
    super(sentence(details), details.cause === undefined ? undefined : { cause: details.cause });
    this.code = details.code;
    this.method = details.method;
    this.path = details.path;
    this.status = details.status;
    this.reason = details.reason ?? '';
    this.text = details.text;
    this.causes = details.causes ?? [];
    this.retryAfterSeconds = details.retryAfterSeconds;
    this.about = details.about ?? '';
  }
}

const INTRODUCTIONS: Readonly<Record<KubernetesErrorCode, string>> = {
  'bad-request': 'Kubernetes does not accept the request',
  unauthorized: 'Kubernetes does not accept the token (expired, deleted, or of another cluster)',
  forbidden: 'Kubernetes refused the request',
  'not-found': 'Kubernetes does not find it',
  'already-exists': 'It exists in Kubernetes already',
  conflict: 'It was changed in Kubernetes meanwhile',
  expired: 'The Kubernetes API server does not keep (or does not have yet) this version',
  'too-large': 'It is too large for Kubernetes',
  invalid: 'Kubernetes finds it invalid',
  'too-many-requests': 'The Kubernetes API server is busy',
  redirected: 'The answer is a redirect, which is never followed: does api-url name the API server itself?',
  'server-error': 'The Kubernetes API server failed',
  'bad-answer': 'The answer is not one of a Kubernetes API server: does api-url name it?',
  timeout: 'The Kubernetes API server did not answer in time',
  unreachable: 'The Kubernetes API server cannot be reached',
  tls: 'There is no secure connection to the Kubernetes API server',
  interrupted: 'The connection to the Kubernetes API server broke',
  credentials: 'The token for Kubernetes cannot be read',
};

function sentence(details: KubernetesErrorDetails): string {
  const status = details.status === undefined ? '' : `: ${details.status}${details.reason ? ` ${details.reason}` : ''}`;
  return `${INTRODUCTIONS[details.code]}: ${details.text} [${details.method} ${details.path}${status}]`;
}

const CODES: Readonly<Record<number, KubernetesErrorCode>> = {
  401: 'unauthorized',
  403: 'forbidden',
  404: 'not-found',
  409: 'conflict',
  410: 'expired',
  413: 'too-large',
  422: 'invalid',
  429: 'too-many-requests',
};

/** The code of an answer with this status (300 and above), reason and causes. */
function codeOf(status: number, reason: string, causes: readonly ErrorCause[]): KubernetesErrorCode {
  if (causes.some((cause) => cause.reason === 'ResourceVersionTooLarge')) return 'expired';
  if (reason === 'AlreadyExists') return 'already-exists';
  const code = CODES[status];
  if (code !== undefined) return code;
  if (status < 400) return 'redirected';
  return status < 500 ? 'bad-request' : 'server-error';
}

function record(value: unknown): Readonly<Record<string, unknown>> {
  return isObject(value) ? value : {};
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

/** The call that was answered. */
interface Answered {
  readonly method: string;
  readonly path: string;
  readonly retryAfter?: string | undefined;
  /** The Authorization header that was sent, if one was: no error repeats it. */
  readonly authorization: string | undefined;
}

/** The error that a Status tells of, be it an answer's body, a watch line of type ERROR, or a WebSocket's last word. */
export function errorOfStatus(body: unknown, call: Answered & { readonly status?: number }): KubernetesError {
  const said = (value: unknown): string => redactAnswer(text(value), call.authorization);
  const status = record(body);
  const details = record(status['details']);
  const causes = Array.isArray(details['causes'])
    ? details['causes'].map((entry) => {
        const cause = record(entry);
        return { reason: said(cause['reason']), message: said(cause['message']), field: said(cause['field']) };
      })
    : [];
  const number = call.status ?? (typeof status['code'] === 'number' ? status['code'] : 500);
  const reason = said(status['reason']);
  return new KubernetesError({
    code: codeOf(number, reason, causes),
    method: call.method,
    path: call.path,
    status: number,
    reason,
    text: said(status['message']) || reason || 'no reason was given',
    causes,
    retryAfterSeconds: retryAfterSeconds(call.retryAfter, details['retryAfterSeconds']),
    about: said(details['kind']),
  });
}

/** The error of an answer with a status of 300 and above; its body may be a Status, plain text, or nothing. */
export function errorOfAnswer(bodyText: string, call: Answered & { readonly status: number }): KubernetesError {
  return errorOfStatus(statusOf(bodyText, call), call);
}

function statusOf(bodyText: string, { status, authorization }: Answered & { readonly status: number }): unknown {
  // Of a Status each text is cleaned by itself: in JSON its quotes are written in another way.
  const line = (said: string): string => firstLine(redactAnswer(said, authorization));
  try {
    const body: unknown = JSON.parse(bodyText);
    const { kind, message } = record(body);
    return kind === 'Status' ? body : { message: line(text(message)) };
  } catch {
    // Kubelets, proxies and unknown API groups answer with plain text (kubernetes-facts.md 80, 111, 117).
    return { message: line(bodyText) || `status ${status} without a text` };
  }
}

/** Seconds to wait; the header wins. Dates in the header are not read: no decision compares two clocks. */
function retryAfterSeconds(header: string | undefined, detail: unknown): number | undefined {
  if (header !== undefined && /^\d{1,6}$/.test(header)) return Number(header);
  return typeof detail === 'number' && detail >= 0 ? detail : undefined;
}

const TIMEOUTS: ReadonlySet<string> = new Set(['UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_BODY_TIMEOUT']);

/** The error for a failed connection. An error of ours is returned as it is. */
export function errorOfConnection(
  error: unknown,
  call: { readonly method: string; readonly path: string; readonly origin: string; readonly answered: boolean },
): KubernetesError {
  if (error instanceof KubernetesError) return error;
  const systemCode = connectionCode(error);
  withoutHint(error);
  const words = error instanceof Error && error.message !== '' ? error.message : systemCode || String(error);
  let code: KubernetesErrorCode = call.answered ? 'interrupted' : 'unreachable';
  if (TIMEOUTS.has(systemCode)) code = 'timeout';
  else if (isTlsCode(systemCode)) code = 'tls';
  return new KubernetesError({
    code,
    method: call.method,
    path: call.path,
    text: `${call.origin}: ${words}`,
    reason: systemCode,
    cause: error,
  });
}

/** Node advises on its own command line, which nobody has here: the option certificate-authority is the place. */
function withoutHint(error: unknown): void {
  if (error instanceof Error) error.message = error.message.replace(/; if the root CA is installed locally, .*$/s, '');
}

/** The system's or library's code of a connection error, '' if it has none. Attempts over several addresses share one. */
function connectionCode(error: unknown): string {
  const code = text(record(error)['code']);
  if (code !== '') return code;
  if (error instanceof AggregateError && error.errors.length > 0) return connectionCode(error.errors[0]);
  return error instanceof Error && error.cause !== undefined ? connectionCode(error.cause) : '';
}

function isTlsCode(code: string): boolean {
  return /^(ERR_SSL_|ERR_TLS_|CERT_|UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|EPROTO$|HOSTNAME_MISMATCH$|INVALID_CA$)/.test(
    code,
  );
}

function hasCode(...codes: readonly KubernetesErrorCode[]): (error: unknown) => error is KubernetesError {
  return (error): error is KubernetesError => error instanceof KubernetesError && codes.includes(error.code);
}

/** An API server says that the object is not there; a 404 of a proxy or a kubelet (kubernetes-facts.md 94, 111) says nothing of it. */
export function isNotFound(error: unknown): error is KubernetesError {
  return hasCode('not-found')(error) && error.reason === 'NotFound' && error.about !== '';
}
export const isAlreadyExists = hasCode('already-exists');
/** Another version or another uid than the request wanted. */
export const isConflict = hasCode('conflict');
export const isExpired = hasCode('expired');
/** Not only missing rights: ask `allowed` (kubernetes-objects.md section 6). */
export const isForbidden = hasCode('forbidden');
export const isUnauthorized = hasCode('unauthorized');
export const isInvalid = hasCode('invalid', 'bad-request', 'too-large');
export const isTimeout = hasCode('timeout');
/** No answer: it is not known whether the request was carried out. */
export const isUnreachable = hasCode('unreachable', 'tls', 'interrupted');
/** May go away by itself: worth another try. */
export const isTransient = hasCode('timeout', 'unreachable', 'interrupted', 'too-many-requests', 'server-error');

/** A refusal by the authorizer, which a server that has just started also gives to valid tokens (kubernetes-facts.md 108). */
export function isMissingRight(error: unknown): error is KubernetesError {
  return isForbidden(error) && /\bUser ".{0,512}?" cannot \w+ /.test(error.text);
}
