/**
 * KubernetesError: every failure of a request, with a code from a table of HTTP statuses (kubernetes-facts.md 98 to 117) and the
 * message of the server's Status where there is one.
 */

import { errorMessage } from '../system/errors.ts';
import { isObject } from '../system/json.ts';
import { firstLine, redactAnswer } from '../system/redact.ts';
import { UserFacingError } from '../system/user-facing-error.ts';

export type KubernetesErrorCode =
  /** 400: a malformed request; also the log of a container that is still waiting (kubernetes-facts.md 86). */
  | 'bad-request'
  /** 401. */
  | 'unauthorized'
  /** 403: missing permission, quota, admission, terminating namespace (kubernetes-facts.md 27, 110, 140). */
  | 'forbidden'
  | 'not-found'
  /** 409 AlreadyExists. */
  | 'already-exists'
  /** 409 Conflict: another resourceVersion or uid. */
  | 'conflict'
  /** 410, or a resourceVersion that the server has not reached yet: a new list is needed. */
  | 'expired'
  /** 413. */
  | 'too-large'
  /** 422. */
  | 'invalid'
  /** 429. */
  | 'too-many-requests'
  /** 3xx: redirects are not followed. */
  | 'redirected'
  /** 5xx. */
  | 'server-error'
  /** The answer is not one of Kubernetes, or too long. */
  | 'bad-answer'
  /** A deadline of the client passed. */
  | 'timeout'
  /** No connection: name resolution, TCP, or a connection closed before the answer. */
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
  /** The server's message, or a description of the failure. */
  readonly text: string;
  readonly causes?: readonly ErrorCause[] | undefined;
  readonly retryAfterSeconds?: number | undefined;
  /** `details.kind` of the Status, e.g. `pods/log`. */
  readonly about?: string | undefined;
  readonly followsLostAnswer?: boolean | undefined;
  readonly cause?: unknown;
}

/** `message` is a complete sentence that ends with the request in brackets. */
export class KubernetesError extends UserFacingError {
  override readonly name = 'KubernetesError';
  readonly code: KubernetesErrorCode;
  readonly method: string;
  readonly path: string;
  /** HTTP status; undefined if there was no answer. */
  readonly status: number | undefined;
  /** `reason` of the Status, '' if it has none. */
  readonly reason: string;
  /** The server's message without the introduction. */
  readonly text: string;
  readonly causes: readonly ErrorCause[];
  readonly retryAfterSeconds: number | undefined;
  readonly about: string;
  /** The answer to an earlier attempt was lost: that attempt may have been carried out. */
  readonly followsLostAnswer: boolean;

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
    this.followsLostAnswer = details.followsLostAnswer ?? false;
  }
}

const INTRODUCTIONS: Readonly<Record<KubernetesErrorCode, string>> = {
  'bad-request': 'Kubernetes cannot read the request',
  unauthorized: 'Kubernetes rejected the token (expired, revoked, or issued by another cluster)',
  forbidden: 'Kubernetes refused the request',
  'not-found': 'Kubernetes has no such object',
  'already-exists': 'The object already exists in Kubernetes',
  conflict: 'The object was changed in Kubernetes by another client',
  expired: 'The Kubernetes API server no longer has (or does not have yet) this resource version',
  'too-large': 'The request is too large for Kubernetes',
  invalid: 'Kubernetes rejected the object as invalid',
  'too-many-requests': 'The Kubernetes API server has too many requests',
  redirected: 'The answer is a redirect, which is not followed; check that api-url names the API server itself',
  'server-error': 'The Kubernetes API server failed',
  'bad-answer': 'The answer is not one of a Kubernetes API server; check api-url',
  timeout: 'The Kubernetes API server did not answer in time',
  unreachable: 'Cannot connect to the Kubernetes API server',
  tls: 'The TLS connection to the Kubernetes API server failed',
  interrupted: 'The connection to the Kubernetes API server was lost',
  credentials: 'Cannot read the token for Kubernetes',
};

/** Reason of `bad-answer` for a body that is too long to be kept in memory; a shorter page of a list may succeed. */
export const ANSWER_TOO_LONG = 'AnswerTooLong';

function sentence(details: KubernetesErrorDetails): string {
  const introduction =
    details.reason === ANSWER_TOO_LONG ? 'The Kubernetes API server sent too much' : INTRODUCTIONS[details.code];
  const status = details.status === undefined ? '' : `: ${details.status}${details.reason ? ` ${details.reason}` : ''}`;
  return `${introduction}: ${details.text} [${details.method} ${details.path}${status}]`;
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

/** The code of an answer with a status of 300 and above. */
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

/** The request that was answered. */
interface Answered {
  readonly method: string;
  readonly path: string;
  readonly retryAfter?: string | undefined;
  /** The Authorization header of the request, which is redacted in the error. */
  readonly authorization: string | undefined;
}

/** The error for a Status: the body of an answer, a watch event of type ERROR, or the last frame of a WebSocket. */
export function errorOfStatus(body: unknown, call: Answered & { readonly status?: number }): KubernetesError {
  const redacted = (value: unknown): string => redactAnswer(text(value), call.authorization);
  const status = record(body);
  const details = record(status['details']);
  const causes = Array.isArray(details['causes'])
    ? details['causes'].map((entry) => {
        const cause = record(entry);
        return {
          reason: redacted(cause['reason']),
          message: redacted(cause['message']),
          field: redacted(cause['field']),
        };
      })
    : [];
  const number = call.status ?? (typeof status['code'] === 'number' ? status['code'] : 500);
  const reason = redacted(status['reason']);
  return new KubernetesError({
    code: codeOf(number, reason, causes),
    method: call.method,
    path: call.path,
    status: number,
    reason,
    text: redacted(status['message']) || reason || 'the server gave no reason',
    causes,
    retryAfterSeconds: retryAfterSeconds(call.retryAfter, details['retryAfterSeconds']),
    about: redacted(details['kind']),
  });
}

/** The error for an answer with a status of 300 and above; its body may be a Status, plain text, or empty. */
export function errorOfAnswer(bodyText: string, call: Answered & { readonly status: number }): KubernetesError {
  return errorOfStatus(statusOf(bodyText, call), call);
}

function statusOf(bodyText: string, { status, authorization }: Answered & { readonly status: number }): unknown {
  // The strings of a Status are redacted one by one, because quotes are escaped in JSON.
  const line = (message: string): string => firstLine(redactAnswer(message, authorization));
  try {
    const body: unknown = JSON.parse(bodyText);
    const { kind, message } = record(body);
    return kind === 'Status' ? body : { message: line(text(message)) };
  } catch {
    // Kubelets, proxies and unknown API groups answer with plain text (kubernetes-facts.md 80, 111, 117).
    return { message: line(bodyText) || `status ${status} without a message` };
  }
}

/** Seconds to wait; the header takes precedence. A date in it is ignored, because that would compare two clocks. */
function retryAfterSeconds(header: string | undefined, detail: unknown): number | undefined {
  if (header !== undefined && /^\d{1,6}$/.test(header)) return Number(header);
  return typeof detail === 'number' && detail >= 0 ? detail : undefined;
}

const HEADERS_TIMEOUT = 'headers-timeout';

/** Codes of answers that are not HTTP/1.1. */
const MALFORMED: ReadonlySet<string> = new Set(['not-http', 'malformed-answer']);

/** The error for a failed connection; a KubernetesError is returned unchanged. */
export function errorOfConnection(
  error: unknown,
  call: { readonly method: string; readonly path: string; readonly origin: string; readonly answered: boolean },
): KubernetesError {
  if (error instanceof KubernetesError) return error;
  const systemCode = connectionCode(error);
  removeNodeAdvice(error);
  const isOtherProtocol = systemCode === NO_HTTP1;
  const message = isOtherProtocol ? 'the server does not speak HTTP/1.1' : connectionMessage(error) || systemCode;
  let code: KubernetesErrorCode = call.answered ? 'interrupted' : 'unreachable';
  if (isOtherProtocol || MALFORMED.has(systemCode)) code = 'bad-answer';
  else if (systemCode === HEADERS_TIMEOUT) code = 'timeout';
  else if (isTlsCode(systemCode)) code = 'tls';
  return new KubernetesError({
    code,
    method: call.method,
    path: call.path,
    text: `${call.origin}: ${message}`,
    reason: systemCode,
    cause: error,
  });
}

/** Removes the advice to use a command-line option of Node.js; here the option is certificate-authority. */
function removeNodeAdvice(error: unknown): void {
  if (error instanceof Error) error.message = error.message.replace(/; if the root CA is installed locally, .*$/s, '');
}

/** A TLS server refuses HTTP/1.1. */
const NO_HTTP1 = 'ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL';

/** The reason of OpenSSL without its file names and numbers, or the message. */
function connectionMessage(error: unknown): string {
  const { code, reason } = record(error);
  if (text(code).startsWith('ERR_SSL_') && text(reason) !== '') return text(reason);
  return errorMessage(error);
}

/** The code of a connection error, '' if it has none; of several addresses the code of the first. */
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

/** True if an API server reports that the object does not exist; a 404 of a proxy or a kubelet (kubernetes-facts.md 94, 111) does not. */
export function isNotFound(error: unknown): error is KubernetesError {
  return hasCode('not-found')(error) && error.reason === 'NotFound' && error.about !== '';
}
export const isAlreadyExists = hasCode('already-exists');
/** The object has another resourceVersion or uid than the request. */
export const isConflict = hasCode('conflict');
export const isExpired = hasCode('expired');
/** A missing permission or another refusal; `allowed` distinguishes them (kubernetes-objects.md section 6). */
export const isForbidden = hasCode('forbidden');
export const isUnauthorized = hasCode('unauthorized');
export const isInvalid = hasCode('invalid', 'bad-request', 'too-large');
export const isTimeout = hasCode('timeout');
/** No answer, so that the request may have been carried out or not. */
export const isUnreachable = hasCode('unreachable', 'tls', 'interrupted');
/** A retry may succeed. */
export const isTransient = hasCode('timeout', 'unreachable', 'interrupted', 'too-many-requests', 'server-error');

/** A refusal by the authorizer; a server that is starting refuses valid tokens, too (kubernetes-facts.md 108). */
export function isMissingPermission(error: unknown): error is KubernetesError {
  return isForbidden(error) && /\bUser ".{0,512}?" cannot \w+ /.test(error.text);
}
