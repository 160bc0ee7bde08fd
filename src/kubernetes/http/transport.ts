/** Transport: HTTP/1.1 requests to the API server with tokens and deadlines, a connection for each request. */
import type { Socket } from 'node:net';
import { Places } from '../../system/async.ts';
import type { Clock } from '../../system/clock.ts';
import { redactAnswer } from '../../system/redact.ts';
import {
  ANSWER_TOO_LONG,
  errorOfAnswer,
  errorOfConnection,
  errorOfStatus,
  isUnauthorized,
  KubernetesError,
} from '../kubernetes-error.ts';
import { Connections } from './connections.ts';
import type { TokenSource } from './credentials.ts';
import { Exchange } from './exchange.ts';
import { openTunnel } from './proxy.ts';
import type { Timings } from './timings.ts';
import type { TlsSettings } from './tls.ts';

export interface ApiRequest {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  /** From paths.ts, without the path prefix of `api-url`. */
  readonly path: string;
  /** From paths.ts: '' or starting with `?`. */
  readonly query?: string;
  readonly body?: { readonly type: string; readonly text: string };
  /** Accept header; default JSON. */
  readonly accept?: string;
  /** Decodes the Status of a refusal in a content type other than JSON; returns undefined for JSON and plain text. */
  readonly status?: (body: Uint8Array, contentType: string) => unknown;
  /** Milliseconds from sending the request to the headers of the answer. */
  readonly headersMs: number;
  /** Aborts the request and the reading of its answer. */
  readonly signal: AbortSignal;
  /** It shows whether the server answers: it does not wait until other calls have ended. */
  readonly isProbe?: boolean;
  /** The headers may take long: no connection that was used before, because it may have died silently. */
  readonly isFresh?: boolean;
}

/** A GET request. */
type StreamRequest = Omit<ApiRequest, 'method' | 'body' | 'isProbe'>;

/** Status and headers of an answer. */
interface AnswerHead {
  readonly status: number;
  readonly contentType: string;
  readonly warnings: readonly string[];
  readonly date: number | undefined;
  /** The Authorization header that was sent. */
  readonly authorization: string | undefined;
}

/** An answer with its complete body, up to 64 MiB. */
export interface ApiResponse extends AnswerHead {
  readonly bytes: Buffer;
}

/** Each answer is consumed by either `body` or `discard`. */
export interface StreamResponse extends AnswerHead {
  /**
   * The body as it arrives, with back-pressure, each part valid until the next one is requested. Leaving the loop early closes
   * the connection.
   */
  readonly body: () => AsyncGenerator<Buffer, void>;
  /** Closes the connection if the body has not ended. */
  readonly discard: () => void;
}

export interface Transport {
  /** Scheme, host and port. */
  readonly origin: string;
  /** Path prefix of `api-url` without trailing slash. */
  readonly prefix: string;
  /** Undefined for plain HTTP. */
  readonly tls: TlsSettings | undefined;
  readonly token: TokenSource;
  /** Opens a connection through the proxy, TLS included; undefined without a proxy. */
  readonly tunnel: ((signal?: AbortSignal) => Promise<Socket>) | undefined;
  /**
   * Sends one request. A status of 300 and above and a lost connection reject with a KubernetesError, an aborted signal with
   * its reason. After a 401 the token is read again, and if it has changed, the request is sent once more.
   */
  readonly send: (request: ApiRequest) => Promise<ApiResponse>;
  /** The same for a GET request with an answer that is read as it arrives; it does not count as a call. */
  readonly stream: (request: StreamRequest) => Promise<StreamResponse>;
  /** The same with the complete body, for lists; `onProgress` is called when bytes arrive. */
  readonly list: (request: StreamRequest, onProgress: () => void) => Promise<ApiResponse>;
  readonly serverTime: () => number | undefined;
  /** Ends all connections. */
  readonly close: () => void;
}

interface TransportOptions {
  readonly apiUrl: URL;
  /** HTTP proxy for all connections, with user and password if it needs them. */
  readonly proxy: URL | undefined;
  readonly tls: TlsSettings | undefined;
  readonly token: TokenSource;
  readonly clock: Clock;
  readonly timings: Timings;
}

/** Concurrent calls; more are queued. A class of students starts this many sessions at once. */
const MAX_CALLS = 64;
const ERROR_BODY_BYTES = 64 * 1024;
/** Longest body that is kept in memory. */
const MAX_BODY_BYTES = 64 * 1024 * 1024;
const USER_AGENT = 'rstudio-kubernetes-launcher';

/** HTTP/1.1 without redirects; the environment has no effect (architecture.md section 5). */
export function createTransport(options: TransportOptions): Transport {
  const { apiUrl, proxy, tls, token, clock, timings } = options;
  const { origin } = apiUrl;
  const prefix = apiUrl.pathname.replace(/(?<!\/)\/+$/, '');
  const { connect: timeoutMs, keepAlive: keepAliveMs } = timings;
  const tunnel =
    proxy &&
    ((signal?: AbortSignal) => openTunnel({ proxy, target: apiUrl, tls, timeoutMs, keepAliveMs, clock, signal }));
  const calls = new Places(MAX_CALLS);
  const connections = new Connections({
    target: apiUrl,
    tls,
    tunnel,
    clock,
    connectMs: timeoutMs,
    keepAliveMs,
    idleMs: timings.idleConnection,
  });
  let lastDate: { readonly date: number; readonly at: number } | undefined;

  /** Sends a request once; a status of 300 and above is an error. */
  async function attempt(api: ApiRequest, authorization: string | undefined): Promise<Answered> {
    const path = prefix + api.path;
    const call = { method: api.method, path, origin };
    const failure = (error: unknown, answered: boolean): unknown =>
      api.signal.aborted ? api.signal.reason : errorOfConnection(error, { ...call, answered });
    const { method, query = '', accept = 'application/json', body, headersMs, isFresh = false, signal } = api;
    const lines = [
      `${method} ${path}${query} HTTP/1.1`,
      `host: ${apiUrl.host}`,
      `accept: ${accept}`,
      `user-agent: ${USER_AGENT}`,
    ];
    if (authorization !== undefined) lines.push(`authorization: ${authorization}`);
    if (body !== undefined) lines.push(`content-type: ${body.type}`);
    let exchange: Exchange;
    try {
      exchange = await Exchange.send(connections, { lines, body: body?.text, headersMs, isFresh, clock }, signal);
    } catch (error) {
      throw failure(error, false);
    }
    const head = headOf(exchange, authorization);
    const { status, date, contentType } = head;
    if (status < 300) {
      // Other answers may come from a proxy with another clock.
      if (date !== undefined) lastDate = { date, at: clock.monotonic() };
      return { exchange, head, failure: (error) => failure(error, true) };
    }
    const text = await exchange.first(ERROR_BODY_BYTES).catch((error: unknown) => {
      throw failure(error, true);
    });
    const [retryAfter] = exchange.header('retry-after');
    const refused = { method, path, status, retryAfter, authorization };
    const decoded = api.status?.(text, contentType);
    const [location] = status < 400 ? exchange.header('location') : [];
    if (location !== undefined) throw errorOfAnswer(`it redirects to ${location}`, refused);
    throw decoded === undefined ? errorOfAnswer(text.toString('utf8'), refused) : errorOfStatus(decoded, refused);
  }

  /** Sends a request; after a 401 once more if the token has changed. */
  async function authorized(api: ApiRequest): Promise<Answered> {
    api.signal.throwIfAborted();
    const authorization = await token.authorization();
    try {
      return await attempt(api, authorization);
    } catch (error) {
      if (!isUnauthorized(error) || !(await token.changedSince(authorization))) throw error;
      return attempt(api, await token.authorization());
    }
  }

  /** The same with the complete body. */
  async function complete(api: ApiRequest, onProgress?: () => void): Promise<ApiResponse> {
    const { exchange, head, failure } = await authorized(api);
    const bytes = await exchange.complete(MAX_BODY_BYTES, onProgress).catch((error: unknown) => {
      throw failure(error);
    });
    if (bytes !== undefined) return { ...head, bytes };
    throw new KubernetesError({
      code: 'bad-answer',
      method: api.method,
      path: prefix + api.path,
      status: head.status,
      reason: ANSWER_TOO_LONG,
      text: `the answer is longer than ${MAX_BODY_BYTES / 1024 / 1024} MiB`,
    });
  }

  return {
    origin,
    prefix,
    tls,
    token,
    tunnel,
    send: (api) => (api.isProbe ? complete(api) : calls.use(() => complete(api), api.signal)),
    list: (request, onProgress) => complete({ ...request, method: 'GET' }, onProgress),
    stream: async (request) => {
      const { exchange, head, failure } = await authorized({ ...request, method: 'GET' });
      return {
        ...head,
        body: () => exchange.body(failure),
        discard: () => exchange.discard(),
      };
    },
    serverTime: () =>
      lastDate === undefined ? undefined : lastDate.date + Math.round(clock.monotonic() - lastDate.at),
    close: () => connections.close(new Error('the client was closed')),
  };
}

/** An answer below 300. */
interface Answered {
  readonly exchange: Exchange;
  readonly head: AnswerHead;
  /** The error of a body that could not be read. */
  readonly failure: (error: unknown) => unknown;
}

function headOf(exchange: Exchange, authorization: string | undefined): AnswerHead {
  return {
    status: exchange.status,
    contentType: exchange.header('content-type')[0] ?? '',
    warnings: exchange
      .header('warning')
      .flatMap(warningMessages)
      .map((text) => redactAnswer(text, authorization)),
    date: dateOf(exchange.header('date')[0]),
    authorization,
  };
}

function dateOf(text: string | undefined): number | undefined {
  const date = text === undefined ? Number.NaN : Date.parse(text);
  return Number.isNaN(date) ? undefined : date;
}

/** Messages of a Warning header, `299 - "unknown field \"spec.bogus\""` (kubernetes-facts.md 115), which may be joined by commas. */
export function warningMessages(header: string): string[] {
  const messages: string[] = [];
  for (const match of header.matchAll(/\b\d{3} \S+ "((?:[^"\\]|\\.)*)"/g)) {
    messages.push((match[1] ?? '').replace(/\\(.)/g, '$1'));
  }
  return messages;
}
