/** The client: one object with everything that contract.ts promises, made of the other files of this folder. */
import type { WebSocket } from 'ws';
import type { Clock } from '../system/clock.ts';
import type { Log } from '../system/log.ts';
import type { Random } from '../system/random.ts';
import { attachInput } from './attach.ts';
import type { Access, Answer, CallOptions, Client, KubernetesObject, Resource, WriteOptions } from './contract.ts';
import { PODS } from './contract.ts';
import { type Credentials, tokenSource } from './credentials.ts';
import { Deadline } from './deadline.ts';
import { isAlreadyExists, isNotFound, KubernetesError } from './errors.ts';
import { exec } from './exec.ts';
import { listAll } from './lists.ts';
import { followLog } from './logs.ts';
import { isName, queryOf, resourcePath } from './paths.ts';
import { type Body, createReflector } from './reflector.ts';
import { type ApiRequest, type ApiResponse, createTransport } from './request.ts';
import { withRetries } from './retry.ts';
import { TIMINGS, type Timings } from './timings.ts';
import { type TlsOptions, tlsSettings } from './tls.ts';

export interface ClientOptions {
  /** Base of the API up to, not including, `/api`; may have a path prefix. */
  readonly apiUrl: URL | string;
  readonly credentials: Credentials;
  readonly tls: TlsOptions;
  readonly namespace: string;
  /** Most objects of one list answer, 0 = no limit. */
  readonly fetchLimit: number;
  /** The server is asked to end each watch after this long, 0 = not asked. */
  readonly watchTimeoutSeconds: number;
  /** Deadline of one call. */
  readonly requestTimeoutMs: number;
  /** Spans of time other than the usual ones. */
  readonly timings?: Partial<Timings>;
}

export interface ClientDependencies {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

const MAX_EXEC_OUTPUT = 64 * 1024;
const MERGE_PATCH = 'application/merge-patch+json';

/** Throws a TypeError if an option is not usable. Opens no connection. */
export function createClient(options: ClientOptions, { clock, random, log }: ClientDependencies): Client {
  const timings: Timings = { ...TIMINGS, ...options.timings };
  const { namespace } = options;
  if (!isName(namespace)) throw new TypeError(`not a namespace: ${JSON.stringify(namespace)}`);
  const transport = createTransport({
    apiUrl: checkedUrl(options.apiUrl),
    tls: tlsSettings(options.tls),
    token: tokenSource(options.credentials, log),
    clock,
    timings,
  });
  const channels = { transport, clock, timings, upgradeMs: options.requestTimeoutMs };
  const kept = new Set<WebSocket>();

  interface Call {
    readonly method: ApiRequest['method'];
    readonly path: string;
    readonly query?: string;
    readonly body?: ApiRequest['body'];
    readonly idempotent: boolean;
    readonly options: CallOptions | undefined;
  }

  /** One call with its retries and its deadline, its whole body read and parsed. */
  function call<T>(what: Call): Promise<Answer<T>> {
    const timeoutMs = what.options?.timeoutMs ?? options.requestTimeoutMs;
    const { method, path } = what;
    const retry = { clock, random, timings, timeoutMs, signal: what.options?.signal, idempotent: what.idempotent };
    return withRetries({ ...retry, method, path: transport.prefix + path }, async (signal) => {
      const response = await transport.send({
        method,
        path,
        ...(what.query === undefined ? {} : { query: what.query }),
        ...(what.body === undefined ? {} : { body: what.body }),
        lane: 'call',
        // Half of the time, so that a connection that died without a word leaves time for another.
        headersMs: Math.ceil(timeoutMs / 2),
        signal,
      });
      return parsed<T>(response, method, transport.prefix + path);
    });
  }

  const json = (value: unknown, type = 'application/json'): ApiRequest['body'] => ({
    type,
    text: JSON.stringify(value),
  });

  /** One page of a reflector's list: a single attempt, the reflector has pauses of its own. */
  async function getBody(path: string, query: string, accept: string, signal: AbortSignal): Promise<Body> {
    const deadline = new Deadline(clock, signal);
    const ms = options.requestTimeoutMs;
    deadline.set(ms, () => new KubernetesError({ code: 'timeout', method: 'GET', path, text: `${ms / 1000} s` }));
    try {
      const request = { method: 'GET', path, query, accept, lane: 'call', headersMs: ms } as const;
      const response = await transport.send({ ...request, signal: deadline.signal });
      return { contentType: response.contentType, bytes: await response.bytes() };
    } finally {
      deadline.end();
    }
  }

  function get<T extends KubernetesObject>(
    resource: Resource<T>,
    name: string,
    callOptions?: CallOptions,
  ): Promise<Answer<T>> {
    const path = resourcePath(resource, namespace, name);
    return call<T>({ method: 'GET', path, idempotent: true, options: callOptions });
  }

  async function create<T extends KubernetesObject>(
    resource: Resource<T>,
    object: T,
    writeOptions: WriteOptions & { readonly isOurs?: (stored: T) => boolean } = {},
  ): Promise<Answer<T>> {
    const { isOurs } = writeOptions;
    const name = object.metadata?.name;
    const path = resourcePath(resource, namespace);
    const ms = writeOptions.timeoutMs ?? options.requestTimeoutMs;
    return within('POST', path, writeOptions, ms, async (signal) => {
      try {
        return await call<T>({
          method: 'POST',
          path,
          query: writeQuery(writeOptions),
          body: json(object),
          idempotent: isOurs !== undefined && name !== undefined,
          options: writeOptions,
        });
      } catch (error) {
        if (isOurs === undefined || name === undefined || !isAlreadyExists(error)) throw error;
        const stored = await get(resource, name, { signal, timeoutMs: ms });
        if (isOurs(stored.object)) return stored;
        throw error;
      }
    });
  }

  async function version(callOptions?: CallOptions): Promise<{ major: number; minor: number; gitVersion: string }> {
    const { object } = await call<{ major?: string; minor?: string; gitVersion?: string }>({
      method: 'GET',
      path: '/version',
      idempotent: true,
      options: callOptions,
    });
    const { major, minor, gitVersion } = object;
    if (typeof major !== 'string' || typeof minor !== 'string' || typeof gitVersion !== 'string') {
      const text = 'this is not the version of a Kubernetes API server';
      throw new KubernetesError({ code: 'bad-answer', method: 'GET', path: `${transport.prefix}/version`, text });
    }
    // Some vendors write "25+".
    return { major: Number.parseInt(major, 10), minor: Number.parseInt(minor, 10), gitVersion };
  }

  async function allowed(access: Access, callOptions?: CallOptions): Promise<boolean> {
    const { verb, group, resource, subresource, name } = access;
    const { object } = await call<{ status?: { allowed?: boolean } }>({
      method: 'POST',
      path: '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews',
      body: json({
        apiVersion: 'authorization.k8s.io/v1',
        kind: 'SelfSubjectAccessReview',
        spec: {
          resourceAttributes: {
            namespace: access.namespace ?? (CLUSTER_WIDE.has(resource) ? '' : namespace),
            verb,
            group,
            resource,
            subresource,
            name,
          },
        },
      }),
      idempotent: true,
      options: callOptions,
    });
    return object.status?.allowed === true;
  }

  /** Runs with the deadline that the caller gave, or the usual one; with none if it is undefined. */
  async function within<T>(
    method: string,
    path: string,
    callOptions: CallOptions | undefined,
    timeoutMs: number | undefined,
    run: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const deadline = new Deadline(clock, callOptions?.signal);
    if (timeoutMs !== undefined) {
      deadline.set(
        timeoutMs,
        () => new KubernetesError({ code: 'timeout', method, path, text: `${timeoutMs / 1000} s` }),
      );
    }
    try {
      deadline.signal.throwIfAborted();
      return await run(deadline.signal);
    } finally {
      deadline.end();
    }
  }

  return {
    namespace,
    serverTime: transport.serverTime,
    version,
    get,
    create,
    allowed,
    list: (resource, selection = {}, callOptions) => {
      const timeoutMs = callOptions?.timeoutMs ?? options.requestTimeoutMs;
      return within('GET', resourcePath(resource, namespace), callOptions, timeoutMs, (signal) =>
        listAll({
          resource,
          namespace,
          selection,
          fetchLimit: options.fetchLimit,
          get: async (path, query) =>
            (await call({ method: 'GET', path, query, idempotent: true, options: { signal, timeoutMs } })).object,
        }),
      );
    },
    patch: (resource, name, patch, writeOptions = {}) =>
      call({
        method: 'PATCH',
        path: resourcePath(resource, namespace, name),
        query: writeQuery(writeOptions),
        body: json(patch, MERGE_PATCH),
        idempotent: true,
        options: writeOptions,
      }),
    delete: async (resource, name, deleteOptions) => {
      const { propagationPolicy, gracePeriodSeconds, uid } = deleteOptions;
      try {
        await call({
          method: 'DELETE',
          path: resourcePath(resource, namespace, name),
          body: json({
            apiVersion: 'v1',
            kind: 'DeleteOptions',
            propagationPolicy,
            gracePeriodSeconds,
            preconditions: uid === undefined ? undefined : { uid },
          }),
          idempotent: true,
          options: deleteOptions,
        });
        return true;
      } catch (error) {
        if (isNotFound(error)) return false;
        throw error;
      }
    },
    followLog: (subject, signal) =>
      followLog(subject, signal, {
        transport,
        clock,
        random,
        log,
        timings,
        path: resourcePath(PODS, namespace, subject.pod, 'log'),
        findPod: (findSignal) => get(PODS, subject.pod, { signal: findSignal }),
      }),
    exec: (pod, container, command, execOptions) => {
      const path = resourcePath(PODS, namespace, pod, 'exec');
      const query = queryOf({ container, command, stdout: true, stderr: true });
      const timeoutMs = execOptions?.timeoutMs ?? options.requestTimeoutMs;
      const maxOutputBytes = execOptions?.maxOutputBytes ?? MAX_EXEC_OUTPUT;
      return within('EXEC', path, execOptions, timeoutMs, (signal) =>
        exec({ path, query, maxOutputBytes, signal }, channels),
      );
    },
    attachInput: (pod, container, input, attachOptions) => {
      const path = resourcePath(PODS, namespace, pod, 'attach');
      const query = queryOf({ container, stdin: true });
      const keep = (socket: WebSocket): void => {
        kept.add(socket);
        socket.once('close', () => kept.delete(socket));
      };
      return within('ATTACH', path, attachOptions, attachOptions?.timeoutMs, (signal) =>
        attachInput({ path, query, input, signal, keep }, channels),
      );
    },
    reflector: (reflectorOptions) =>
      createReflector(reflectorOptions, {
        transport,
        clock,
        random,
        log,
        timings,
        namespace,
        fetchLimit: options.fetchLimit,
        watchTimeoutSeconds: options.watchTimeoutSeconds,
        getBody,
      }),
    close: async () => {
      for (const socket of kept) socket.terminate();
      await transport.close();
    },
  };
}

/** Resources that have no namespace, as far as anybody asks for them. */
const CLUSTER_WIDE: ReadonlySet<string> = new Set(['nodes', 'namespaces']);

function checkedUrl(apiUrl: URL | string): URL {
  const url = new URL(apiUrl);
  if (url.protocol !== 'https:' && url.protocol !== 'http:') throw new TypeError('api-url must be http or https');
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '') {
    throw new TypeError('api-url must not hold user info, a query or a fragment');
  }
  return url;
}

function writeQuery(options: WriteOptions): string {
  return queryOf({ dryRun: options.dryRun ? 'All' : undefined, fieldValidation: options.fieldValidation ?? 'Warn' });
}

async function parsed<T>(response: ApiResponse, method: string, path: string): Promise<Answer<T>> {
  const text = await response.text();
  try {
    return { object: JSON.parse(text) as T, warnings: response.warnings, date: response.date };
  } catch (cause) {
    const words = `${text.length} characters that are not JSON`;
    throw new KubernetesError({ code: 'bad-answer', method, path, status: response.status, text: words, cause });
  }
}
