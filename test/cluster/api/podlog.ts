/**
 * GET pods/NAME/log (kubernetes-facts.md 85 to 95).
 */
import type { ServerResponse } from 'node:http';
import type { Kubelet } from '../kubelet/kubelet.ts';
import type { ContainerLog, LogOptions } from '../kubelet/log.ts';
import type { ContainerRecord } from '../kubelet/status.ts';
import type { Pod } from '../model.ts';
import type { Pace } from '../pace.ts';
import { sendText } from './answer.ts';
import { ApiError, badRequest, invalid } from './status.ts';

/** What the API server needs of the nodes. */
export interface Nodes {
  readonly kubeletOf: (pod: Pod) => Kubelet | undefined;
  /** konnectivity, or whatever leads to the nodes, is away. */
  readonly agentAvailable: () => boolean;
}

/** The container a request names, or the only one. @throws ApiError 400 */
export function containerName(pod: Pod, asked: string | null): string {
  const { containers, initContainers = [] } = pod.spec;
  if (asked === null || asked === '') {
    const names = [...containers.map(({ name }) => name)].sort();
    if (names.length === 1) return names[0] ?? '';
    const inits =
      initContainers.length === 0
        ? ''
        : ` or one of the init containers: [${initContainers.map(({ name }) => name).join(' ')}]`;
    throw badRequest(
      `a container name must be specified for pod ${pod.metadata.name}, choose one of: [${names.join(' ')}]${inits}`,
    );
  }
  if ([...containers, ...initContainers].some(({ name }) => name === asked)) return asked;
  throw badRequest(`container ${asked} is not valid for pod ${pod.metadata.name}`);
}

export async function serveLog(
  pod: Pod,
  query: URLSearchParams,
  nodes: Nodes,
  pace: Pace,
  response: ServerResponse,
): Promise<void> {
  const { name } = pod.metadata;
  const options = logOptions(name, query, pace.clock.now());
  const container = containerName(pod, query.get('container'));
  if (pod.spec.nodeName === undefined) {
    response.writeHead(204, { 'Cache-Control': 'no-cache, private' });
    response.end();
    return;
  }
  const kubelet = reachable(pod, container, query, nodes);
  if (query.get('previous') === 'true') {
    throw badRequest(`previous terminated container "${container}" in pod "${name}" not found`);
  }
  const worker = kubelet.worker(pod.metadata.uid);
  const log = worker?.logs.get(container);
  if (log === undefined) {
    const record = [...(worker?.record.containers ?? []), ...(worker?.record.initContainers ?? [])].find(
      ({ spec }) => spec.name === container,
    );
    throw notStarted(name, container, record);
  }
  if (query.get('follow') !== 'true') {
    sendText(response, 200, log.read(options), 'text/plain');
    return;
  }
  response.writeHead(200, { 'Cache-Control': 'no-cache, private', 'Content-Type': 'text/plain' });
  response.flushHeaders();
  await follow(log, options, kubelet, pace, response);
}

/** Sends what is there and what comes, at the reader's pace, until the container has ended or nobody listens. */
async function follow(
  log: ContainerLog,
  options: LogOptions,
  kubelet: Kubelet,
  pace: Pace,
  response: ServerResponse,
): Promise<void> {
  const cursor = log.follow(options);
  let wake: () => void = () => {};
  const stop = [log.listen(() => wake()), kubelet.onDown(() => wake())];
  response.on('close', () => wake());
  response.on('drain', () => wake());
  const next = () => (response.writableNeedDrain || response.destroyed ? undefined : cursor.next());
  try {
    while (!response.destroyed && kubelet.isAlive()) {
      const more = new Promise<void>((resolve) => {
        wake = resolve;
      });
      // What the reader has not taken yet comes first.
      for (let piece = next(); piece !== undefined; piece = next()) response.write(piece);
      if (log.finished() && !response.writableNeedDrain) break;
      await more;
    }
    if (log.finished()) await new Promise<void>((resolve) => pace.clock.after(pace.delay('followEnd'), resolve));
    response.end();
  } finally {
    for (const unlisten of stop) unlisten();
  }
}

function reachable(pod: Pod, container: string, query: URLSearchParams, nodes: Nodes): Kubelet {
  const { namespace = '', name } = pod.metadata;
  const kubelet = nodes.kubeletOf(pod);
  const host = kubelet?.hostIP ?? pod.status.hostIP ?? '10.250.0.1';
  const asked = `Get "https://${host}:10250/containerLogs/${namespace}/${name}/${container}?${kubeletQuery(query)}"`;
  if (!nodes.agentAvailable()) throw new ApiError(500, undefined, `${asked}: No agent available`);
  if (kubelet?.isStarting()) {
    const message = `the server could not find the requested resource ( pods/log ${name})`;
    throw new ApiError(404, 'NotFound', message, { name, kind: 'pods/log' });
  }
  if (kubelet?.isAlive()) return kubelet;
  throw new ApiError(500, undefined, `${asked}: dial tcp ${host}:10250: connect: connection refused`);
}

const FORWARDED = ['follow', 'limitBytes', 'previous', 'sinceSeconds', 'sinceTime', 'tailLines', 'timestamps'];

/** What the API server asks the kubelet for, as it shows in its error texts. */
function kubeletQuery(query: URLSearchParams): string {
  const asked = FORWARDED.flatMap((key): [string, string][] => {
    const value = query.get(key) ?? '';
    return value === '' || value === 'false' ? [] : [[key, value]];
  });
  const params = new URLSearchParams([...asked, ['stream', 'All']]);
  params.sort();
  return params.toString();
}

const WAITING_TEXTS: Readonly<Record<string, string>> = {
  ErrImagePull: "image can't be pulled",
  ImagePullBackOff: 'trying and failing to pull image',
};

function notStarted(pod: string, container: string, record: ContainerRecord | undefined): ApiError {
  const reason = record?.state.waiting?.reason ?? 'ContainerCreating';
  return badRequest(`container "${container}" in pod "${pod}" is waiting to start: ${WAITING_TEXTS[reason] ?? reason}`);
}

function logOptions(pod: string, query: URLSearchParams, now: number): LogOptions {
  const refuse = (field: string, message: string, reason = 'FieldValueInvalid'): ApiError =>
    invalid('PodLogOptions', '', pod, [{ reason, message, field }]);
  const number = (name: string, minimum: 0 | 1): number | undefined => {
    const text = query.get(name);
    if (text === null || text === '') return undefined;
    const value = Number(text);
    if (value >= minimum) return value;
    const bound = minimum === 0 ? 'must be greater than or equal to 0' : 'must be greater than 0';
    throw refuse(name, `Invalid value: ${text}: ${bound}`);
  };
  const since = query.get('sinceTime');
  const sinceMs = since === null || since === '' ? undefined : Date.parse(since);
  if (sinceMs !== undefined && Number.isNaN(sinceMs)) {
    throw badRequest(
      `parsing time ${JSON.stringify(since)} as "2006-01-02T15:04:05Z07:00": cannot parse ${JSON.stringify(since)} as "2006"`,
    );
  }
  const sinceSeconds = number('sinceSeconds', 1);
  if (sinceMs !== undefined && sinceSeconds !== undefined) {
    throw refuse(
      '[]',
      'Forbidden: at most one of `sinceTime` or `sinceSeconds` may be specified',
      'FieldValueForbidden',
    );
  }
  const from = sinceMs ?? (sinceSeconds === undefined ? undefined : now - sinceSeconds * 1000);
  const tailLines = number('tailLines', 0);
  const limitBytes = number('limitBytes', 1);
  return {
    timestamps: query.get('timestamps') === 'true',
    ...(from === undefined ? {} : { since: from }),
    ...(tailLines === undefined ? {} : { tailLines }),
    ...(limitBytes === undefined ? {} : { limitBytes }),
  };
}
