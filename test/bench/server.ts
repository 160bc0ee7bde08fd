/**
 * The API server of the benchmark, a process of its own: it has any number of running jobs with their pods, and sends
 * prepared bytes. Messages of its parent (world.ts) say what it has and what it sends.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Writable } from 'node:stream';
import { BLOCK_BYTES, logBlocks } from './log.ts';
import {
  type Encoding,
  type Kind,
  listBody,
  recordedObjects,
  runningObject,
  type Template,
  templatesOf,
  waitingPod,
} from './objects.ts';

/** What the server has. */
export interface World {
  /** Running jobs, each with its pod. */
  readonly jobs: number;
  /** Answer JSON whatever is asked for. */
  readonly jsonOnly?: boolean;
  /** Bytes of the log of every container, without time stamps. */
  readonly logBytes?: number;
  /** Milliseconds that a create takes, if not those of the recorded cluster. */
  readonly writeMs?: number;
}

export type Order =
  | { readonly do: 'have'; readonly world: World }
  /** Changes of pods, `different` ones in turn, to every watcher of pods; as fast as they are read, or at a rate per second. */
  | { readonly do: 'change'; readonly events: number; readonly different: number; readonly perSecond?: number }
  | { readonly do: 'usage' };

export type Report =
  | { readonly did: 'listen'; readonly port: number }
  | { readonly did: 'have' }
  | { readonly did: 'change' }
  /** CPU seconds, and requests served, until now. */
  | { readonly did: 'usage'; readonly cpu: number; readonly requests: number };

/** What a create took on the recorded cluster (median). */
const WRITE_MS = 10;
const FIRST_VERSION = 10_000_000;
const CHUNK = 64 * 1024;

const PROTOBUF = 'application/vnd.kubernetes.protobuf';
const API_VERSIONS = { Job: 'batch/v1', Pod: 'v1' } as const;

const running = { Job: templatesOf(runningObject('Job')).item, Pod: templatesOf(runningObject('Pod')).item };
const waiting = templatesOf(waitingPod()).event('MODIFIED');
const changes = recordedObjects('Pod')
  .slice(1)
  .map((pod) => templatesOf(pod).event('MODIFIED'));

interface Watcher {
  readonly response: ServerResponse;
  readonly encoding: Encoding;
}

let world: World = { jobs: 0 };
let version = FIRST_VERSION;
let created = 0;
let requests = 0;
let lastBody = '';
const podWatchers = new Set<Watcher>();
let watched = Promise.withResolvers<void>();

function encodingOf(request: IncomingMessage): Encoding {
  return !world.jsonOnly && request.headers.accept?.startsWith(PROTOBUF) ? 'protobuf' : 'json';
}

function send(response: ServerResponse, code: number, body: Buffer | string, encoding: Encoding = 'json'): void {
  const type = encoding === 'json' ? 'application/json' : PROTOBUF;
  response.writeHead(code, { 'content-type': type, 'content-length': Buffer.byteLength(body) });
  response.end(body);
}

function list(response: ServerResponse, kind: Kind, query: URLSearchParams, encoding: Encoding): void {
  const one = query.get('labelSelector')?.includes('job-name=') === true;
  const total = one ? 0 : world.jobs;
  const limit = Number(query.get('limit') ?? 0) || total;
  const start = Number(query.get('continue') ?? 0);
  const end = Math.min(start + limit, total);
  const template = running[kind][encoding];
  const items = Array.from({ length: end - start }, (_, index) => template.make(start + index, FIRST_VERSION));
  const next = end < total ? String(end) : '';
  const page = { kind: `${kind}List`, apiVersion: API_VERSIONS[kind], version: FIRST_VERSION, next, items };
  send(response, 200, listBody(page, encoding), encoding);
}

function watch(request: IncomingMessage, response: ServerResponse, plural: string): void {
  const encoding = encodingOf(request);
  response.writeHead(200, {
    'content-type': encoding === 'json' ? 'application/json' : `${PROTOBUF};stream=watch`,
  });
  response.flushHeaders();
  if (plural !== 'pods') return;
  const watcher = { response, encoding };
  podWatchers.add(watcher);
  watched.resolve();
  response.on('close', () => podWatchers.delete(watcher));
}

async function create(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const body = await textOf(request);
  const object = JSON.parse(body);
  lastBody = body;
  const number = String(++created).padStart(12, '0');
  object.metadata = {
    ...object.metadata,
    namespace: 'rstudio',
    uid: `4e481d85-5333-4c0e-1111-${number}`,
    resourceVersion: String(++version),
    creationTimestamp: '2026-11-23T18:40:12Z',
  };
  const answer = JSON.stringify({ ...object, status: {} });
  setTimeout(() => send(response, 201, answer), world.writeMs ?? WRITE_MS);
}

async function textOf(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part);
  return Buffer.concat(parts).toString('utf8');
}

async function log(response: ServerResponse): Promise<void> {
  response.writeHead(200, { 'content-type': 'text/plain', 'transfer-encoding': 'chunked' });
  response.flushHeaders();
  const { socket } = response;
  const next = logBlocks();
  for (let sent = 0; sent < (world.logBytes ?? 0) && socket !== null; sent += BLOCK_BYTES) {
    if (!socket.write(next())) await drained(socket);
    if (socket.destroyed) return;
  }
}

function drained(stream: Writable): Promise<void> {
  return new Promise((resolve) => {
    const go = (): void => {
      stream.off('drain', go);
      stream.off('close', go);
      resolve();
    };
    stream.on('drain', go);
    stream.on('close', go);
  });
}

const LIST_KINDS: Readonly<Record<string, Kind>> = { jobs: 'Job', pods: 'Pod' };

async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://server');
  if (url.pathname === '/version') {
    return send(response, 200, JSON.stringify({ major: '1', minor: '36', gitVersion: 'v1.36.2' }));
  }
  if (url.pathname.endsWith('/selfsubjectaccessreviews')) {
    return send(response, 201, JSON.stringify({ status: { allowed: true } }));
  }
  if (url.pathname === '/bench/body') return send(response, 200, lastBody);
  const [, plural = '', name, subresource] =
    /\/namespaces\/rstudio\/(\w+)(?:\/([^/]+))?(?:\/(\w+))?$/.exec(url.pathname) ?? [];
  if (subresource === 'log') return log(response);
  if (request.method === 'POST') return create(request, response);
  if (url.searchParams.get('watch') === 'true') return watch(request, response, plural);
  const kind = LIST_KINDS[plural];
  if (kind !== undefined && name === undefined) return list(response, kind, url.searchParams, encodingOf(request));
  const nothing = { kind: 'List', apiVersion: 'v1', metadata: { resourceVersion: String(FIRST_VERSION) }, items: [] };
  send(response, name === undefined ? 200 : 404, JSON.stringify(name === undefined ? nothing : {}));
}

async function change(order: Extract<Order, { do: 'change' }>): Promise<void> {
  await watched.promise;
  await Promise.all([...podWatchers].map((watcher) => changeFor(watcher, order)));
}

async function changeFor({ response, encoding }: Watcher, order: Extract<Order, { do: 'change' }>): Promise<void> {
  const { events, different, perSecond } = order;
  if (perSecond !== undefined) return changeAtPace(response, waiting[encoding], order);
  let chunk: Buffer[] = [];
  let size = 0;
  for (let event = 0; event < events; event++) {
    const round = Math.floor(event / different);
    const template = changes[round % changes.length]?.[encoding];
    if (template === undefined) throw new Error('no changes were recorded');
    const bytes = template.make(event % different, FIRST_VERSION + 1 + event);
    chunk.push(bytes);
    size += bytes.length;
    if (size < CHUNK && event < events - 1) continue;
    if (!response.write(Buffer.concat(chunk, size))) await drained(response);
    chunk = [];
    size = 0;
  }
}

/** Every millisecond what is due, each event written by itself and with the moment of its writing. */
function changeAtPace(
  response: ServerResponse,
  template: Template,
  { events, different, perSecond = 1 }: Extract<Order, { do: 'change' }>,
): Promise<void> {
  return new Promise((resolve) => {
    const start = process.hrtime.bigint();
    let sent = 0;
    let moment = 0;
    const timer = setInterval(() => {
      const due = Math.min(events, (Number(process.hrtime.bigint() - start) / 1e9) * perSecond);
      for (; sent < due; sent++) {
        // No two are equal: the plugin would see no change.
        moment = Math.max(moment + 1, Number(process.hrtime.bigint() / 1000n));
        response.write(template.make(sent % different, FIRST_VERSION + 1 + sent, moment));
      }
      if (sent < events) return;
      clearInterval(timer);
      resolve();
    }, 1);
  });
}

function tell(report: Report): void {
  process.send?.(report);
}

process.on('message', (order: Order) => {
  switch (order.do) {
    case 'have':
      world = order.world;
      for (const { response } of podWatchers) response.destroy();
      podWatchers.clear();
      watched = Promise.withResolvers();
      return tell({ did: 'have' });
    case 'change':
      return void change(order).then(() => tell({ did: 'change' }));
    case 'usage': {
      const { user, system } = process.cpuUsage();
      return tell({ did: 'usage', cpu: (user + system) / 1e6, requests });
    }
  }
});
process.on('disconnect', () => process.exit(0));

const server = createServer({ keepAliveTimeout: 0, requestTimeout: 0 }, (request, response) => {
  requests++;
  response.on('error', () => response.destroy());
  handle(request, response).catch((error: unknown) => {
    console.error(error);
    response.destroy();
  });
});
server.listen(0, '127.0.0.1', () => tell({ did: 'listen', port: (server.address() as AddressInfo).port }));
