/** Transport: HTTP/1.1 requests to the API server with tokens, TLS, and deadlines for connections and headers. */
import type { Socket } from 'node:net';
import Pool from 'undici/lib/dispatcher/pool.js';
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
  /** Calls share a limited number of connections; each stream has its own. */
  readonly lane: 'call' | 'stream';
  /** Milliseconds from sending the request to the first byte of the answer. */
  readonly headersMs: number;
  /** Aborts the request and the reading of its answer. */
  readonly signal: AbortSignal;
}

export interface ApiResponse {
  readonly status: number;
  readonly contentType: string;
  readonly warnings: readonly string[];
  readonly date: number | undefined;
  /** The Authorization header that was sent. */
  readonly authorization: string | undefined;
  /**
   * The complete body, up to 64 MiB; `onProgress` is called when bytes arrive. Each answer is consumed by exactly one of
   * `bytes`, `chunks` and `discard`.
   */
  readonly bytes: (onProgress?: () => void) => Promise<Buffer>;
  /**
   * The body as it arrives, with back-pressure, in groups of chunks. Leaving the loop early closes the connection.
   */
  readonly chunks: () => AsyncGenerator<readonly Buffer[], void>;
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
  readonly tunnel: (() => Promise<Socket>) | undefined;
  /**
   * Sends one request. A status of 300 and above and a lost connection reject with a KubernetesError, an aborted signal with
   * its reason. After a 401 the token is read again, and if it has changed, the request is sent once more.
   */
  readonly send: (request: ApiRequest) => Promise<ApiResponse>;
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
  const tunnel = proxy && (() => openTunnel({ proxy, target: apiUrl, tls, timeoutMs, keepAliveMs, clock }));
  const pool = (connections: number | null): Pool =>
    new Pool(origin, {
      connections,
      pipelining: 1,
      allowH2: false,
      keepAliveTimeout: timings.idleConnection,
      keepAliveMaxTimeout: timings.idleConnection,
      // The reader of a body decides how long it may be silent.
      bodyTimeout: 0,
      connect:
        tunnel === undefined
          ? { timeout: timings.connect, keepAlive: true, keepAliveInitialDelay: timings.keepAlive, ...tls }
          : (_options, callback) => {
              tunnel().then(
                (socket) => callback(null, socket),
                (error: Error) => callback(error, null),
              );
            },
    });
  const lanes = { call: pool(CALL_CONNECTIONS), stream: pool(null) };
  let lastDate: { readonly date: number; readonly at: number } | undefined;

  async function attempt(api: ApiRequest, authorization: string | undefined): Promise<ApiResponse> {
    const path = prefix + api.path;
    const call = { method: api.method, path, origin };
    const options = {
      method: api.method,
      path: path + (api.query ?? ''),
      headers: {
        accept: api.accept ?? 'application/json',
        'user-agent': USER_AGENT,
        ...(authorization === undefined ? {} : { authorization }),
        ...(api.body === undefined ? {} : { 'content-type': api.body.type }),
      },
      body: api.body?.text ?? null,
      headersTimeout: api.headersMs,
    };
    const failure = (error: unknown, answered: boolean): unknown =>
      api.signal.aborted ? api.signal.reason : errorOfConnection(error, { ...call, answered });
    let exchange: Exchange;
    try {
      exchange = await Exchange.send(lanes[api.lane], options, api.signal);
    } catch (error) {
      throw failure(error, false);
    }
    const response = responseOf(exchange, authorization, { method: api.method, path }, (error) => failure(error, true));
    if (response.status < 300) {
      // Other answers may come from a proxy with another clock.
      if (response.date !== undefined) lastDate = { date: response.date, at: clock.monotonic() };
      return response;
    }
    const body = await limitedBody(response);
    const { status } = response;
    const retryAfter = headerOf(exchange, 'retry-after')[0];
    const refused = { method: api.method, path, status, retryAfter, authorization };
    const decoded = api.status?.(body, response.contentType);
    const [location] = status < 400 ? headerOf(exchange, 'location') : [];
    if (location !== undefined) throw errorOfAnswer(`it redirects to ${location}`, refused);
    throw decoded === undefined ? errorOfAnswer(body.toString('utf8'), refused) : errorOfStatus(decoded, refused);
  }

  return {
    origin,
    prefix,
    tls,
    token,
    tunnel,
    send: async (api) => {
      api.signal.throwIfAborted();
      const authorization = await token.authorization();
      try {
        return await attempt(api, authorization);
      } catch (error) {
        if (!isUnauthorized(error) || !(await token.changedSince(authorization))) throw error;
        return attempt(api, await token.authorization());
      }
    },
    serverTime: () =>
      lastDate === undefined ? undefined : lastDate.date + Math.round(clock.monotonic() - lastDate.at),
    close: async () => {
      const reason = new Error('the client was closed');
      await Promise.all([lanes.call.destroy(reason), lanes.stream.destroy(reason)]);
    },
  };
}

function headerOf({ headers }: Exchange, name: string): readonly string[] {
  const value = headers[name];
  if (value === undefined) return [];
  return typeof value === 'string' ? [value] : value;
}

function responseOf(
  exchange: Exchange,
  authorization: string | undefined,
  call: { readonly method: string; readonly path: string },
  failure: (error: unknown) => unknown,
): ApiResponse {
  return {
    status: exchange.status,
    contentType: headerOf(exchange, 'content-type')[0] ?? '',
    warnings: headerOf(exchange, 'warning')
      .flatMap(warningMessages)
      .map((text) => redactAnswer(text, authorization)),
    date: dateOf(headerOf(exchange, 'date')[0]),
    authorization,
    bytes: async (onProgress) => {
      try {
        const body = await exchange.complete(MAX_BODY_BYTES, onProgress);
        if (body !== undefined) return body;
      } catch (error) {
        throw failure(error);
      }
      const text = `the answer is longer than ${MAX_BODY_BYTES / 1024 / 1024} MiB`;
      throw new KubernetesError({
        code: 'bad-answer',
        ...call,
        status: exchange.status,
        reason: ANSWER_TOO_LONG,
        text,
      });
    },
    chunks: async function* () {
      try {
        yield* exchange.chunks();
      } catch (error) {
        throw failure(error);
      }
    },
    discard: () => exchange.discard(),
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

/** The first bytes of an error's body; the rest is discarded. */
async function limitedBody(response: ApiResponse): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const chunks of response.chunks()) {
    const part = Buffer.concat(chunks);
    parts.push(part);
    length += part.length;
    if (length >= ERROR_BODY_BYTES) break;
  }
  return Buffer.concat(parts).subarray(0, ERROR_BODY_BYTES);
}
