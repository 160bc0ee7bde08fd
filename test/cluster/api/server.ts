/**
 * The API server: TLS, who is asking, what is allowed, and who answers.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { type Accounts, ANONYMOUS, type User } from '../accounts.ts';
import type { ServerIdentity } from '../authority.ts';
import type { JournalWriter, RequestEntry } from '../journal.ts';
import type { Pod } from '../model.ts';
import type { Pace } from '../pace.ts';
import { type Access, attributesOf, authorize } from './access.ts';
import { sendError, sendJson, sendText, warningHeader } from './answer.ts';
import { createEncodings } from './encodings.ts';
import type { Eviction } from './eviction.ts';
import type { Metrics } from './metrics.ts';
import { servePath, serveReview } from './other.ts';
import { type Nodes, serveLog } from './podlog.ts';
import { getObject, listObjects } from './read.ts';
import { bodyOf, queryOf, routeOf, type Target } from './request.ts';
import { PODS } from './resources.ts';
import { ApiError, badRequest, methodNotAllowed, notAcceptable, unauthorized, unknownResource } from './status.ts';
import type { Store } from './store.ts';
import { KubeletRefusal } from './streams.ts';
import { createUpgrade } from './upgrade.ts';
import { type OpenWatch, serveWatch, type WatchOptions } from './watch.ts';
import type { Writer, Written } from './write.ts';

/** What may come between a request and its answer; true if it has taken the request over. */
export type Intercept = (
  request: IncomingMessage,
  entry: RequestEntry,
  to: { readonly response?: ServerResponse; readonly socket: Socket },
) => boolean | Promise<boolean>;

interface ServerParts {
  readonly identity: ServerIdentity;
  readonly accounts: Accounts;
  readonly access: Access;
  readonly store: Store;
  readonly writer: Writer;
  readonly nodes: Nodes;
  readonly metrics: Metrics;
  readonly eviction: Eviction;
  readonly journal: JournalWriter;
  readonly pace: Pace;
  readonly intercept: Intercept;
  readonly watchOptions: (path: string) => WatchOptions;
  readonly version: object;
}

export interface ApiServer {
  readonly port: () => number;
  readonly listen: (port: number) => Promise<void>;
  /** No new connections. `cut`: those that are open break in the middle; else watches end cleanly (kubernetes-facts.md 108). */
  readonly stop: (how: 'cut' | 'clean', lingerMs?: number) => Promise<void>;
  readonly watches: () => readonly OpenWatch[];
}

export function createApiServer(parts: ServerParts): ApiServer {
  const { store, accounts, access, journal } = parts;
  const encodings = createEncodings();
  const sockets = new Set<Socket>();
  const watches = new Set<OpenWatch>();
  const responses = new Set<ServerResponse>();
  let server: Server | undefined;
  let port = 0;

  function userOf(request: IncomingMessage): User {
    const header = request.headers.authorization;
    if (header === undefined) return ANONYMOUS;
    const user = accounts.userOf(header.replace(/^Bearer\s+/i, ''));
    if (user === undefined) throw unauthorized();
    return user;
  }

  function entryOf(request: IncomingMessage): RequestEntry {
    const token = request.headers.authorization?.replace(/^Bearer\s+/i, '');
    const user = token === undefined ? ANONYMOUS : accounts.userOf(token);
    const entry = { at: store.now(), method: request.method ?? '', path: request.url ?? '', user: user?.name ?? '' };
    journal.requestSeen(entry);
    return entry;
  }

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const entry = entryOf(request);
    responses.add(response);
    response.on('close', () => responses.delete(response));
    response.on('finish', () => {
      entry.status = response.statusCode;
    });
    try {
      if (await parts.intercept(request, entry, { response, socket: request.socket })) return;
      await answer(request, response);
    } catch (error) {
      if (response.headersSent) response.destroy();
      else if (error instanceof ApiError) sendError(response, error, encodings(request.headers.accept, 'Status'));
      else if (error instanceof KubeletRefusal)
        sendText(response, error.code, error.message, 'text/plain; charset=utf-8');
      else if (!request.destroyed) throw error;
    }
  }

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const user = userOf(request);
    const url = request.url ?? '/';
    const question = url.indexOf('?');
    const pathname = question < 0 ? url : url.slice(0, question);
    const query = queryOf(question < 0 ? '' : url.slice(question));
    const route = routeOf(pathname);
    switch (route.type) {
      case 'path':
        return servePath(parts, request, response, user, pathname, query);
      case 'unknownResource':
        return serveReview(parts, request, response, user, route);
      case 'resource':
        return resource(request, response, user, route.target, query);
    }
  }

  async function resource(
    request: IncomingMessage,
    response: ServerResponse,
    user: User,
    target: Target,
    query: URLSearchParams,
  ): Promise<void> {
    const { name, subresource } = target;
    if (!isAcceptable(request.headers.accept)) throw notAcceptable();
    authorize(access, user, attributesOf(request.method ?? '', target, query));
    const type = request.headers['content-type'] ?? '';
    const send = ({ code, object, warnings }: Written): void =>
      sendJson(response, code, object, warningHeader(warnings));
    const read = (object: object): void => {
      const encoding = encodings(request.headers.accept, target.resource.kind);
      sendText(response, 200, encoding.body(object), encoding.type);
    };
    if (subresource !== undefined && subresource !== 'status') {
      return pods(request, response, target, subresource, query);
    }
    switch (`${request.method} ${name === undefined ? 'collection' : 'object'}`) {
      case 'GET collection':
        if (query.get('watch') === 'true' || query.get('watch') === '1') return watch(target, query, request, response);
        return read(await listObjects(store, target, query, parts.pace));
      case 'GET object':
        return read(getObject(store, target));
      case 'POST collection':
        return send(parts.writer.create(target, await bodyOf(request), type, query));
      case 'PUT object':
        return send(parts.writer.replace(target, await bodyOf(request), type, query));
      case 'PATCH object':
        return send(parts.writer.patch(target, await bodyOf(request), type, query));
      case 'DELETE object':
        return send(parts.writer.remove(target, await bodyOf(request), query));
      case 'DELETE collection':
        return send(parts.writer.removeAll(target, await bodyOf(request), query));
      default:
        throw methodNotAllowed();
    }
  }

  function watch(target: Target, query: URLSearchParams, request: IncomingMessage, response: ServerResponse): void {
    const encoding = encodings(request.headers.accept, target.resource.kind);
    const open = serveWatch(store, target, query, response, parts.pace, {
      ...parts.watchOptions(request.url ?? ''),
      encoding,
    });
    watches.add(open);
    response.on('close', () => watches.delete(open));
  }

  /** log, exec, attach, eviction. */
  async function pods(
    request: IncomingMessage,
    response: ServerResponse,
    target: Target,
    subresource: string,
    query: URLSearchParams,
  ): Promise<void> {
    if (target.resource.plural !== PODS.plural) throw unknownResource();
    if (subresource === 'eviction' && request.method !== 'POST') throw methodNotAllowed();
    const pod = podOf(target);
    switch (subresource) {
      case 'log':
        return serveLog(pod, query, parts.nodes, parts.pace, response);
      case 'exec':
      case 'attach':
        throw badRequest('Upgrade request required');
      case 'eviction':
        await bodyOf(request);
        return sendJson(response, 201, parts.eviction(pod));
      default:
        throw unknownResource();
    }
  }

  function podOf({ namespace, name = '' }: Target): Pod {
    const found = getObject(store, { resource: PODS, namespace, name, subresource: undefined });
    // The store keeps pods only under this kind.
    return found as Pod;
  }

  const upgrade = createUpgrade({ ...parts, userOf, entryOf, podOf });

  const pause = (ms: number): Promise<void> => new Promise((resolve) => parts.pace.clock.after(ms, resolve));

  function create(): Server {
    const { cert, key } = parts.identity;
    const made = createServer({ cert, key, ALPNProtocols: ['http/1.1'], keepAliveTimeout: 180_000, requestTimeout: 0 });
    made.on('request', (request, response) => void handle(request, response));
    made.on('upgrade', (request, socket, head) => void upgrade(request, socket as Socket, head));
    made.on('secureConnection', track);
    made.on('connection', track);
    made.on('tlsClientError', (_error, socket) => socket.destroy());
    return made;
  }

  function track(socket: Socket): void {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => socket.destroy());
  }

  return {
    port: () => port,
    watches: () => [...watches],
    listen: async (wanted) => {
      const made = create();
      await new Promise<void>((resolve, reject) => {
        made.once('error', reject);
        made.listen(wanted, '127.0.0.1', resolve);
      });
      server = made;
      port = (made.address() as AddressInfo).port;
    },
    stop: async (how, lingerMs = 0) => {
      const closing = server;
      if (closing === undefined) return;
      server = undefined;
      const closed = new Promise<void>((resolve) => closing.close(() => resolve()));
      if (lingerMs > 0) await pause(lingerMs);
      if (how === 'clean') {
        for (const open of [...watches]) open.end();
        for (const response of responses) if (response.headersSent) response.end();
      } else for (const socket of sockets) socket.destroy();
      await Promise.race([pause(50), closed]);
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

/** Whether a client takes one of the encodings there are. */
function isAcceptable(accept = '*/*'): boolean {
  return /\*\/\*|application\/(\*|json|yaml|vnd\.kubernetes\.protobuf)/.test(accept);
}
