/** Creates the client of contract.ts from transport, calls, logs, streams and reflectors. */
import type { WebSocket } from 'ws';
import type { Clock } from '../system/clock.ts';
import type { Log } from '../system/log.ts';
import type { Random } from '../system/random.ts';
import { type Client, PODS } from './contract.ts';
import { Calls } from './http/calls.ts';
import { type Credentials, tokenSource } from './http/credentials.ts';
import { TIMINGS, type Timings } from './http/timings.ts';
import { type TlsOptions, tlsSettings } from './http/tls.ts';
import { createTransport } from './http/transport.ts';
import { followLog } from './logs/follow.ts';
import { createObjects } from './objects.ts';
import { isName, queryOf, resourcePath } from './paths.ts';
import { attachInput } from './streams/attach.ts';
import { exec } from './streams/exec.ts';
import { ApiHealth } from './watch/api-health.ts';
import { createReflector } from './watch/reflector.ts';

export interface ClientOptions {
  /** URL of the API server without `/api`; may have a path prefix. */
  readonly apiUrl: URL | string;
  /** HTTP proxy for all connections, with user and password if it needs them; default: none. */
  readonly proxy?: string | undefined;
  readonly credentials: Credentials;
  readonly tls: TlsOptions;
  readonly namespace: string;
  /** Maximum of objects in one page of a list; 0: no limit. */
  readonly fetchLimit: number;
  /** Requested duration of each watch; 0: none is requested. */
  readonly watchTimeoutSeconds: number;
  /** Deadline of one call. */
  readonly requestTimeoutMs: number;
  /** Durations that differ from the defaults. */
  readonly timings?: Partial<Timings>;
}

interface ClientDependencies {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

const MAX_EXEC_OUTPUT = 64 * 1024;
/** Kubelets are at most three minor versions older than the server, and since 1.26 they write no timestamps within lines. */
const NO_RECORD_STAMPS_SINCE = 29;

/** Throws a TypeError if an option is invalid. Opens no connection. */
export function createClient(options: ClientOptions, { clock, random, log }: ClientDependencies): Client {
  const timings: Timings = { ...TIMINGS, ...options.timings };
  const { namespace } = options;
  if (!isName(namespace)) throw new TypeError(`not a namespace: ${JSON.stringify(namespace)}`);
  const apiUrl = checkedUrl(options.apiUrl);
  const transport = createTransport({
    apiUrl,
    proxy: options.proxy === undefined ? undefined : new URL(options.proxy),
    tls: apiUrl.protocol === 'https:' ? tlsSettings(options.tls) : undefined,
    token: tokenSource(options.credentials, log),
    clock,
    timings,
  });
  const sockets = new Set<WebSocket>();
  const channels = { transport, clock, timings, upgradeMs: options.requestTimeoutMs, sockets };
  const calls = new Calls({ transport, clock, random, timings, timeoutMs: options.requestTimeoutMs });
  const objects = createObjects(calls, namespace, options.fetchLimit);
  let serverMinor: number | undefined;
  const apiHealth = new ApiHealth(clock, log);

  return {
    namespace,
    serverTime: transport.serverTime,
    ...objects,
    version: async (versionOptions) => {
      const version = await objects.version(versionOptions);
      serverMinor = version.minor;
      return version;
    },
    followLog: (subject, signal) =>
      followLog(subject, signal, {
        transport,
        clock,
        random,
        log,
        timings,
        path: resourcePath(PODS, namespace, subject.pod, 'log'),
        stampsRecords: () => serverMinor === undefined || serverMinor < NO_RECORD_STAMPS_SINCE,
        findPod: (findSignal) => objects.get(PODS, subject.pod, { signal: findSignal }),
      }),
    exec: (pod, container, command, execOptions) => {
      const path = resourcePath(PODS, namespace, pod, 'exec');
      const query = queryOf({ container, command, stdout: true, stderr: true });
      const timeoutMs = execOptions?.timeoutMs ?? options.requestTimeoutMs;
      const maxOutputBytes = execOptions?.maxOutputBytes ?? MAX_EXEC_OUTPUT;
      return calls.within('EXEC', path, execOptions, timeoutMs, (signal) =>
        exec({ path, query, maxOutputBytes, signal }, channels),
      );
    },
    attachInput: (pod, container, input, attachOptions) => {
      const path = resourcePath(PODS, namespace, pod, 'attach');
      const query = queryOf({ container, stdin: true });
      return calls.within('ATTACH', path, attachOptions, attachOptions?.timeoutMs, (signal) =>
        attachInput({ path, query, input, signal }, channels),
      );
    },
    reflector: (reflectorOptions) =>
      createReflector(reflectorOptions, {
        transport,
        clock,
        random,
        log,
        timings,
        apiHealth,
        namespace,
        fetchLimit: options.fetchLimit,
        watchTimeoutSeconds: options.watchTimeoutSeconds,
        getBody: (request) => calls.page(request),
      }),
    reportOutages: (signal) => apiHealth.probe(objects.version, signal),
    close: async () => {
      for (const socket of sockets) socket.terminate();
      transport.close();
    },
  };
}

function checkedUrl(apiUrl: URL | string): URL {
  const url = new URL(apiUrl);
  if (url.protocol !== 'https:' && url.protocol !== 'http:') throw new TypeError('api-url must be http or https');
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '') {
    throw new TypeError('api-url must not hold user info, a query or a fragment');
  }
  return url;
}
