/** Transport: HTTP/1.1 requests to the API server with tokens and deadlines, calls over undici and streams over sockets of their own. */
import type { Socket } from 'node:net';
import type { Pool } from 'undici';
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
import type { TokenSource } from './credentials.ts';
import { Exchange } from './exchange.ts';
import { openTunnel } from './proxy.ts';
import { StreamConnections } from './stream-connections.ts';
import { StreamExchange } from './stream-exchange.ts';
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
}

/** A GET request. */
type StreamRequest = Omit<ApiRequest, 'method' | 'body'>;

/** Status and headers of an answer. */
interface AnswerHead {
  readonly status: number;
  readonly contentType: string;
  readonly warnings: readonly string[];
  readonly date: number | undefined;
  /** The Authorization header that was sent. */
  readonly authorization: string | undefined;
}

export interface ApiResponse extends AnswerHead {
  /** The complete body, up to 64 MiB; `onProgress` is called when bytes arrive. Called once for each answer. */
  readonly bytes: (onProgress?: () => void) => Promise<Buffer>;
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
  /** The same for a GET request with an answer that is read as it arrives, over a connection of its own. */
  readonly stream: (request: StreamRequest) => Promise<StreamResponse>;
  /** The same with the complete body: for lists, after which a watch uses the connection. */
  readonly list: (request: StreamRequest) => Promise<ApiResponse>;
  readonly serverTime: () => number | undefined;
  /** Ends all connections. */
  readonly close: () => Promise<void>;
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
const CALL_CONNECTIONS = 64;
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
  const createPool = async (): Promise<Pool> => {
    // Loaded for the first call: lists and watches need none, and a start is faster without it.
    const { default: CallPool } = await import('undici/lib/dispatcher/pool.js');
    return new CallPool(origin, {
      connections: CALL_CONNECTIONS,
      pipelining: 1,
      allowH2: false,
      keepAliveTimeout: timings.idleConnection,
      keepAliveMaxTimeout: timings.idleConnection,
      // The reader of a body decides how long it may be silent.
      bodyTimeout: 0,
      connect:
        tunnel === undefined
          ? { timeout: timeoutMs, keepAlive: true, keepAliveInitialDelay: keepAliveMs, ...tls }
          : (_options, callback) => {
              tunnel().then(
                (socket) => callback(null, socket),
                (error: Error) => callback(error, null),
              );
            },
    });
  };
  let pool: Promise<Pool> | undefined;
  const connections = new StreamConnections({
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
  async function attempt<E extends Exchange | StreamExchange>(
    api: ApiRequest,
    authorization: string | undefined,
    exchanges: (target: string, headers: Readonly<Record<string, string>>) => Promise<E>,
  ): Promise<Answered<E>> {
    const path = prefix + api.path;
    const call = { method: api.method, path, origin };
    const failure = (error: unknown, answered: boolean): unknown =>
      api.signal.aborted ? api.signal.reason : errorOfConnection(error, { ...call, answered });
    const headers = {
      accept: api.accept ?? 'application/json',
      'user-agent': USER_AGENT,
      ...(authorization === undefined ? {} : { authorization }),
      ...(api.body === undefined ? {} : { 'content-type': api.body.type }),
    };
    let exchange: E;
    try {
      exchange = await exchanges(path + (api.query ?? ''), headers);
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
    const body = await exchange.first(ERROR_BODY_BYTES).catch((error: unknown) => {
      throw failure(error, true);
    });
    const [retryAfter] = exchange.header('retry-after');
    const refused = { method: api.method, path, status, retryAfter, authorization };
    const decoded = api.status?.(body, contentType);
    const [location] = status < 400 ? exchange.header('location') : [];
    if (location !== undefined) throw errorOfAnswer(`it redirects to ${location}`, refused);
    throw decoded === undefined ? errorOfAnswer(body.toString('utf8'), refused) : errorOfStatus(decoded, refused);
  }

  /** Sends a request; after a 401 once more if the token has changed. */
  async function authorized<E extends Exchange | StreamExchange>(
    api: ApiRequest,
    exchanges: (target: string, headers: Readonly<Record<string, string>>) => Promise<E>,
  ): Promise<Answered<E>> {
    api.signal.throwIfAborted();
    const authorization = await token.authorization();
    try {
      return await attempt(api, authorization, exchanges);
    } catch (error) {
      if (!isUnauthorized(error) || !(await token.changedSince(authorization))) throw error;
      return attempt(api, await token.authorization(), exchanges);
    }
  }

  const streamed = (request: StreamRequest): Promise<Answered<StreamExchange>> =>
    authorized({ ...request, method: 'GET' }, (target, headers) => {
      const lines = Object.entries({ host: apiUrl.host, ...headers }).map(([name, value]) => `${name}: ${value}`);
      const { headersMs, signal } = request;
      return StreamExchange.send(
        connections,
        { lines: [`GET ${target} HTTP/1.1`, ...lines], headersMs, clock },
        signal,
      );
    });

  const complete = (
    { exchange, head, failure }: Answered<Exchange | StreamExchange>,
    method: ApiRequest['method'],
    path: string,
  ): ApiResponse => ({
    ...head,
    bytes: async (onProgress) => {
      const body = await exchange.complete(MAX_BODY_BYTES, onProgress).catch((error: unknown) => {
        throw failure(error);
      });
      if (body !== undefined) return body;
      throw new KubernetesError({
        code: 'bad-answer',
        method,
        path: prefix + path,
        status: head.status,
        reason: ANSWER_TOO_LONG,
        text: `the answer is longer than ${MAX_BODY_BYTES / 1024 / 1024} MiB`,
      });
    },
  });

  return {
    origin,
    prefix,
    tls,
    token,
    tunnel,
    send: async (api) => {
      const { method, headersMs: headersTimeout, signal } = api;
      const answered = await authorized(api, async (path, headers) => {
        pool ??= createPool();
        const options = { method, path, headers, body: api.body?.text ?? null, headersTimeout };
        return Exchange.send(await pool, options, signal);
      });
      return complete(answered, method, api.path);
    },
    list: async (request) => complete(await streamed(request), 'GET', request.path),
    stream: async (request) => {
      const { exchange, head, failure } = await streamed(request);
      return {
        ...head,
        body: () => exchange.body(failure),
        discard: () => exchange.discard(),
      };
    },
    serverTime: () =>
      lastDate === undefined ? undefined : lastDate.date + Math.round(clock.monotonic() - lastDate.at),
    close: async () => {
      const reason = new Error('the client was closed');
      connections.close(reason);
      await (await pool)?.destroy(reason);
    },
  };
}

/** An answer below 300. */
interface Answered<E> {
  readonly exchange: E;
  readonly head: AnswerHead;
  /** The error of a body that could not be read. */
  readonly failure: (error: unknown) => unknown;
}

function headOf(exchange: Exchange | StreamExchange, authorization: string | undefined): AnswerHead {
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
