/**
 * What tests of the cluster share: calls with a token, waiting for a state of the store, a job's body.
 */
import type { Readable } from 'node:stream';
import { Agent, request } from 'undici';
import { WebSocket } from 'ws';
import type { Resource } from './api/resources.ts';
import { PODS } from './api/resources.ts';
import type { SimulatedCluster } from './cluster.ts';
import type { Pod, StoredObject } from './model.ts';
import type { ClusterClock } from './timers.ts';

export interface CallAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
  /** Parsed, if it is JSON. */
  readonly body: unknown;
  /** How the body ended: by the server, by a broken connection, or because `limitMs` was over. */
  readonly end: 'clean' | 'broken' | 'ours';
}

export interface Caller {
  readonly call: (method: string, path: string, body?: unknown, options?: CallOptions) => Promise<CallAnswer>;
  /** Runs until the server ends it; each frame as [channel, text]. */
  readonly stream: (path: string, options?: StreamOptions) => Promise<StreamResult>;
  readonly close: () => Promise<void>;
}

interface CallOptions {
  readonly token?: string;
  readonly contentType?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** The body is cut off after this long. */
  readonly limitMs?: number;
}

interface StreamOptions {
  readonly token?: string;
  readonly protocols?: string[];
  /** Raw frames, each at its time (milliseconds since 1970). */
  readonly timed?: readonly { readonly at: number; readonly data: Buffer }[];
  /** Cuts the connection after this long. */
  readonly limitMs?: number;
  /** Called with each frame that holds something, and when the connection stands (with ''). */
  readonly onOutput?: (text: string) => void;
  /** Sent after the connection is open; `null` closes stdin (v5). */
  readonly input?: readonly (string | null)[];
}

interface StreamResult {
  readonly frames: readonly (readonly [channel: number, text: string])[];
  readonly code: number;
  /** Of a refused upgrade. */
  readonly status?: number;
  readonly text?: string;
  readonly contentType?: string;
}

export function createCaller(cluster: SimulatedCluster): Caller {
  const dispatcher = new Agent({ connect: { ca: cluster.ca }, allowH2: false });
  return {
    call: async (
      method,
      path,
      body,
      { token = cluster.token, contentType = 'application/json', headers = {}, limitMs } = {},
    ) => {
      const answer = await request(cluster.url + path, {
        method,
        dispatcher,
        headers: {
          ...(token === '' ? {} : { authorization: `Bearer ${token}` }),
          ...(body === undefined ? {} : { 'content-type': contentType }),
          ...headers,
        },
        body: body === undefined ? null : typeof body === 'string' ? body : JSON.stringify(body),
      });
      const { text, end } = await bodyOf(answer.body, limitMs, cluster.clock);
      const isJson = String(answer.headers['content-type']).startsWith('application/json');
      const { statusCode: status } = answer;
      return {
        status,
        headers: answer.headers,
        text,
        end,
        // A watch has a line of JSON per event.
        body: isJson && text !== '' && (status !== 200 || !path.includes('watch=')) ? JSON.parse(text) : undefined,
      };
    },
    stream: (
      path,
      {
        token = cluster.token,
        protocols = ['v5.channel.k8s.io', 'v4.channel.k8s.io'],
        input = [],
        timed = [],
        limitMs,
        onOutput,
      } = {},
    ) =>
      new Promise((resolve) => {
        const frames: (readonly [number, string])[] = [];
        const socket = new WebSocket(cluster.url.replace('https', 'wss') + path, protocols, {
          ca: cluster.ca,
          headers: { authorization: `Bearer ${token}` },
        });
        socket.on('open', () => {
          onOutput?.('');
          for (const text of input) {
            socket.send(text === null ? Buffer.from([255, 0]) : Buffer.concat([Buffer.from([0]), Buffer.from(text)]));
          }
        });
        if (limitMs !== undefined) {
          const cancel = cluster.clock.after(limitMs, () => socket.terminate());
          socket.on('close', cancel);
        }
        socket.setMaxListeners(0);
        socket.on('open', () => {
          for (const { at, data } of timed) {
            const cancel = cluster.clock.after(Math.max(0, at - cluster.clock.now()), () => {
              if (socket.readyState === socket.OPEN) socket.send(data);
            });
            socket.on('close', cancel);
          }
        });
        socket.on('message', (data: Buffer) => {
          frames.push([data[0] ?? -1, data.subarray(1).toString()]);
          if (data.length > 1) onOutput?.(data.subarray(1).toString());
        });
        socket.on('close', (code) => resolve({ frames, code }));
        socket.on('error', () => {});
        socket.on('unexpected-response', (_request, response) => {
          const chunks: Buffer[] = [];
          response.on('data', (chunk: Buffer) => chunks.push(chunk));
          response.on('end', () =>
            resolve({
              frames,
              code: 0,
              status: response.statusCode ?? 0,
              text: Buffer.concat(chunks).toString(),
              contentType: response.headers['content-type'] ?? '',
            }),
          );
        });
      }),
    close: () => dispatcher.destroy(),
  };
}

async function bodyOf(
  body: Readable,
  limitMs: number | undefined,
  clock: ClusterClock,
): Promise<Pick<CallAnswer, 'text' | 'end'>> {
  const chunks: Buffer[] = [];
  let end: CallAnswer['end'] = 'clean';
  let isCut = false;
  const cut = (): void => {
    isCut = true;
    body.destroy();
  };
  const cancel = limitMs === undefined ? undefined : clock.after(limitMs, cut);
  try {
    for await (const chunk of body) chunks.push(chunk);
  } catch (error) {
    if (limitMs === undefined) throw error;
    end = isCut ? 'ours' : 'broken';
  } finally {
    cancel?.();
  }
  return { text: Buffer.concat(chunks).toString(), end };
}

export const JOBS_PATH = '/apis/batch/v1/namespaces/rstudio/jobs';
export const PODS_PATH = '/api/v1/namespaces/rstudio/pods';
export const CONTAINER = 'rs-launcher-container';

/** A Job as the plugin makes them; `pod` and `container` override single members. */
export function jobBody(name: string, command: readonly string[], pod: object = {}, container: object = {}): object {
  const labels = { 'app.kubernetes.io/managed-by': 'launcher' };
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name, labels },
    spec: {
      backoffLimit: 0,
      template: {
        metadata: { labels },
        spec: {
          restartPolicy: 'Never',
          shareProcessNamespace: true,
          containers: [{ name: CONTAINER, image: 'busybox:1', imagePullPolicy: 'IfNotPresent', command, ...container }],
          ...pod,
        },
      },
    },
  };
}

/** Resolves with the first version of an object of a kind that `wanted` accepts, the stored ones first. */
export function until<T extends StoredObject>(
  cluster: SimulatedCluster,
  resource: Resource<T>,
  wanted: (object: T, type: string) => boolean,
): Promise<T> {
  const found = cluster.store.list(resource).find((object) => wanted(object, 'ADDED'));
  if (found !== undefined) return Promise.resolve(found);
  return new Promise((resolve) => {
    const stop = cluster.store.listen(resource, ({ object, type }) => {
      // The store keeps only objects of this kind under it.
      if (!wanted(object as T, type)) return;
      stop();
      resolve(object as T);
    });
  });
}

export function untilPod(cluster: SimulatedCluster, job: string, wanted: (pod: Pod) => boolean): Promise<Pod> {
  return until(cluster, PODS, (pod) => pod.metadata.labels?.['job-name'] === job && wanted(pod));
}

export const isRunning = (pod: Pod): boolean => pod.status.containerStatuses?.[0]?.state?.running !== undefined;
export const hasEnded = (pod: Pod): boolean => pod.status.phase === 'Succeeded' || pod.status.phase === 'Failed';
