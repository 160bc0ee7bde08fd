/** The one way to the API server: requests over HTTP, with deadlines for connecting, headers and bodies apart. */
import Pool from 'undici/lib/dispatcher/pool.js';
import type { Clock } from '../../system/clock.ts';
import { redactAnswer } from '../../system/redact.ts';
import { errorOfAnswer, errorOfConnection, errorOfStatus, isUnauthorized } from '../kubernetes-error.ts';
import type { TokenSource } from './credentials.ts';
import { Exchange } from './exchange.ts';
import type { Timings } from './timings.ts';
import type { TlsSettings } from './tls.ts';

export interface ApiRequest {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  /** Of paths.ts; the path prefix of `api-url` is put before it. */
  readonly path: string;
  /** Of paths.ts, '' or beginning with `?`. */
  readonly query?: string;
  readonly body?: { readonly type: string; readonly text: string };
  /** Content types that the caller can read; default JSON. */
  readonly accept?: string;
  /** Decodes the Status of a refusal; undefined if it is JSON or plain text. Given where `accept` names another content type. */
  readonly status?: (body: Uint8Array, contentType: string) => unknown;
  /** Calls share a few connections; streams get as many as they need. */
  readonly lane: 'call' | 'stream';
  /** From the moment the request is sent to the first byte of the answer, in milliseconds. */
  readonly headersMs: number;
  /** Ends the request, its body included. */
  readonly signal: AbortSignal;
}

export interface ApiResponse {
  readonly status: number;
  readonly contentType: string;
  readonly warnings: readonly string[];
  readonly date: number | undefined;
  /** The Authorization header that was sent. */
  readonly authorization: string | undefined;
  /** The whole body. Every answer is consumed by exactly one of `bytes`, `pieces` and `discard`. */
  readonly bytes: () => Promise<Buffer>;
  /**
   * The body as it comes, at the reader's pace: the pieces that arrived together. Leaving the loop early closes the
   * connection.
   */
  readonly pieces: () => AsyncGenerator<readonly Buffer[], void>;
  /** Closes the connection if the body has not ended. */
  readonly discard: () => void;
}

export interface Transport {
  /** Scheme, host and port. */
  readonly origin: string;
  /** Path prefix of `api-url` without a slash at its end. */
  readonly prefix: string;
  /** None with plain HTTP. */
  readonly tls: TlsSettings | undefined;
  readonly token: TokenSource;
  /**
   * One request. Statuses of 300 and above reject as KubernetesError, lost connections likewise, an aborted signal with
   * its reason. After a 401 the token is read again, and if it is another one, the request is sent once more.
   */
  readonly send: (request: ApiRequest) => Promise<ApiResponse>;
  readonly serverTime: () => number | undefined;
  /** Ends all connections. */
  readonly close: () => Promise<void>;
}

interface TransportOptions {
  readonly apiUrl: URL;
  readonly tls: TlsSettings | undefined;
  readonly token: TokenSource;
  readonly clock: Clock;
  readonly timings: Timings;
}

/** How many calls are in flight at a time; more wait. As many as a class has students who start their sessions at once. */
const CALL_CONNECTIONS = 64;
const ERROR_BODY_BYTES = 64 * 1024;
const USER_AGENT = 'rstudio-kubernetes-launcher';

/** The one way to the API server: HTTP/1.1, no proxies, no redirects (architecture.md section 5). */
export function createTransport(options: TransportOptions): Transport {
  const { apiUrl, tls, token, clock, timings } = options;
  const { origin } = apiUrl;
  const prefix = apiUrl.pathname.replace(/(?<!\/)\/+$/, '');
  const pool = (connections: number | null): Pool =>
    new Pool(origin, {
      connections,
      pipelining: 1,
      allowH2: false,
      keepAliveTimeout: timings.idleConnection,
      keepAliveMaxTimeout: timings.idleConnection,
      // Silence is judged by whoever reads the body, who knows what may be silent for how long.
      bodyTimeout: 0,
      connect: {
        timeout: timings.connect,
        keepAlive: true,
        keepAliveInitialDelay: timings.keepAlive,
        ...tls,
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
    const response = responseOf(exchange, authorization, (error) => failure(error, true));
    if (response.status < 300) {
      // Others may be a proxy's, whose clock decides nothing.
      if (response.date !== undefined) lastDate = { date: response.date, at: clock.monotonic() };
      return response;
    }
    const body = await limitedBody(response);
    const { status } = response;
    const retryAfter = headerOf(exchange, 'retry-after')[0];
    const refused = { method: api.method, path, status, retryAfter, authorization };
    const decoded = api.status?.(body, response.contentType);
    throw decoded === undefined ? errorOfAnswer(body.toString('utf8'), refused) : errorOfStatus(decoded, refused);
  }

  return {
    origin,
    prefix,
    tls,
    token,
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
  failure: (error: unknown) => unknown,
): ApiResponse {
  return {
    status: exchange.status,
    contentType: headerOf(exchange, 'content-type')[0] ?? '',
    warnings: headerOf(exchange, 'warning')
      .flatMap(warningTexts)
      .map((text) => redactAnswer(text, authorization)),
    date: dateOf(headerOf(exchange, 'date')[0]),
    authorization,
    bytes: async () => {
      try {
        return await exchange.whole();
      } catch (error) {
        throw failure(error);
      }
    },
    pieces: async function* () {
      try {
        yield* exchange.pieces();
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

/** The texts of a Warning header, `299 - "unknown field \"spec.bogus\""` (kubernetes-facts.md 115); several may be joined by commas. */
export function warningTexts(header: string): string[] {
  const texts: string[] = [];
  for (const match of header.matchAll(/\b\d{3} \S+ "((?:[^"\\]|\\.)*)"/g)) {
    texts.push((match[1] ?? '').replace(/\\(.)/g, '$1'));
  }
  return texts;
}

/** The beginning of an error's body; what else there may be is not waited for. */
async function limitedBody(response: ApiResponse): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const pieces of response.pieces()) {
    const part = Buffer.concat(pieces);
    parts.push(part);
    length += part.length;
    if (length >= ERROR_BODY_BYTES) break;
  }
  return Buffer.concat(parts).subarray(0, ERROR_BODY_BYTES);
}
