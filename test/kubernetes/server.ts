/** A small API server that does what a test says, over real sockets; and a client for it with short patience. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { Job } from 'kubernetes-types/batch/v1.d.ts';
import { type ClientOptions, createClient } from '../../src/kubernetes/client.ts';
import type { Client } from '../../src/kubernetes/contract.ts';
import { KubernetesError } from '../../src/kubernetes/kubernetes-error.ts';
import { type Clock, systemClock } from '../../src/system/clock.ts';
import type { Log, LogFields } from '../../src/system/log.ts';
import type { ServerIdentity } from '../cluster/authority.ts';

export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly url: URL;
  readonly body: string;
  /** Answers with JSON. */
  readonly answer: (status: number, object: unknown, headers?: Record<string, string>) => void;
}

/** What a server does with a request; where several are given, one for each request. */
export type Step = (exchange: Exchange) => void | Promise<void>;

interface Teardown {
  teardown: (run: () => unknown) => void;
}

interface ScriptedServer {
  readonly url: string;
  readonly port: number;
  /** Breaks all connections and listens no longer. */
  readonly stop: () => Promise<void>;
  /** Connections open now. */
  readonly sockets: ReadonlySet<Socket>;
  readonly upgrades: (handler: (request: IncomingMessage, socket: Socket, head: Buffer) => void) => void;
}

export async function apiServer(
  t: Teardown,
  handler: Step,
  options: { identity?: ServerIdentity; host?: string; port?: number } = {},
): Promise<ScriptedServer> {
  const sockets = new Set<Socket>();
  const listener = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part);
    await handler({
      request,
      response,
      url: new URL(request.url ?? '/', 'http://api'),
      body: Buffer.concat(parts).toString('utf8'),
      answer: (status, object, headers = {}) => {
        response.writeHead(status, { 'content-type': 'application/json', ...headers });
        response.end(JSON.stringify(object));
      },
    });
  };
  const { identity } = options;
  const server = identity
    ? createTlsServer({ cert: identity.cert, key: identity.key }, listener)
    : createServer(listener);
  server.on(identity ? 'secureConnection' : 'connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => {});
  });
  const host = options.host ?? '127.0.0.1';
  await new Promise<void>((resolve) => server.listen(options.port ?? 0, host, resolve));
  const { port } = server.address() as AddressInfo;
  const stop = (): Promise<void> => {
    for (const socket of sockets) socket.destroy();
    return new Promise((resolve) => server.close(() => resolve()));
  };
  t.teardown(stop);
  return {
    url: `${identity ? 'https' : 'http'}://${host.includes(':') ? `[${host}]` : host}:${port}`,
    port,
    stop,
    sockets,
    upgrades: (take) => server.on('upgrade', take),
  };
}

interface LogLine {
  readonly level: string;
  readonly sentence: string;
  readonly fields: LogFields | undefined;
}

export function recordingLog(): Log & { readonly lines: LogLine[] } {
  const lines: LogLine[] = [];
  const at = (level: string) => (sentence: string, fields?: LogFields) => {
    lines.push({ level, sentence, fields });
  };
  return {
    lines,
    error: at('ERROR'),
    warning: at('WARNING'),
    info: at('INFO'),
    debug: at('DEBUG'),
    notice: at('NOTICE'),
  };
}

/** A client that never waits long. Jitter is none: random 0.5. */
export function clientOf(
  t: Teardown,
  url: string,
  options: Partial<ClientOptions> = {},
  log: Log = recordingLog(),
  clock: Clock = systemClock,
): Client {
  const client = createClient(
    {
      apiUrl: url,
      credentials: { kind: 'token', token: 'token-1' },
      tls: { verify: true },
      namespace: 'rstudio',
      fetchLimit: 500,
      watchTimeoutSeconds: 300,
      requestTimeoutMs: 5_000,
      ...options,
      timings: {
        backoffFirst: 5,
        backoffLongest: 20,
        retryFirst: 5,
        retryLongest: 20,
        watchTooShort: 20,
        logWaitFirst: 5,
        logWaitLongest: 20,
        logPoll: 10,
        ...options.timings,
      },
    },
    { clock, random: () => 0.5, log },
  );
  t.teardown(() => client.close());
  return client;
}

/** Something that a test waits for. */
export class Signal<T = void> {
  readonly promise: Promise<T>;
  #resolve: (value: T) => void = () => {};

  constructor() {
    this.promise = new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }

  give(value: T): void {
    this.#resolve(value);
  }
}

export function status(code: number, reason: string, message: string, details?: unknown): unknown {
  return { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', message, reason, details, code };
}

export const refuses =
  (code: number, reason: string, message = reason, details?: unknown): Step =>
  ({ answer }) =>
    answer(code, status(code, reason, message, details));
export const ok =
  (object: unknown): Step =>
  ({ answer }) =>
    answer(200, object);
export const lose: Step = ({ response }) => void response.socket?.destroy();

interface Scripted {
  readonly client: Client;
  /** `GET /version` and the like, as they came. */
  readonly requests: string[];
  readonly bodies: unknown[];
  readonly exchanges: Exchange[];
}

/** A client of a server that does one step for each request; and what it was asked. */
export async function scripted(
  t: Teardown,
  steps: readonly Step[],
  options: Partial<ClientOptions> = {},
): Promise<Scripted> {
  const requests: string[] = [];
  const bodies: unknown[] = [];
  const exchanges: Exchange[] = [];
  const server = await apiServer(t, async (exchange) => {
    exchanges.push(exchange);
    requests.push(`${exchange.request.method} ${exchange.request.url}`);
    bodies.push(exchange.body === '' ? undefined : JSON.parse(exchange.body));
    await (steps[requests.length - 1] ?? refuses(500, 'BUG', 'no step left'))(exchange);
  });
  return { client: clientOf(t, server.url, options), requests, bodies, exchanges };
}

/** The error of a call that must fail. */
export async function failure(call: Promise<unknown>): Promise<KubernetesError> {
  const error: unknown = await call.then(
    () => new Error('it did not fail'),
    (reason: unknown) => reason,
  );
  if (error instanceof KubernetesError) return error;
  throw error;
}

export const JOB: Job = {
  apiVersion: 'batch/v1',
  kind: 'Job',
  metadata: { name: 'job-1', annotations: { submission: 's-1' } },
};
