/** A reflector before a server whose steps are played, and all that it told. */
import type { ServerResponse } from 'node:http';
import type { Pod } from 'kubernetes-types/core/v1.d.ts';
import type { Test } from 'tap';
import type { ClientOptions } from '../../../src/kubernetes/client.ts';
import { PODS, type Reflector, type ReflectorEvent, type Resource } from '../../../src/kubernetes/contract.ts';
import { apiServer, clientOf, recordingLog, type Step } from '../server.ts';

export interface Slim {
  readonly uid: string;
  readonly name: string;
  readonly resourceVersion: string;
  readonly phase: string | undefined;
}

/** `pod('a', 5)`: uid `uid-a`, version 5. */
export function pod(name: string, version: number, phase = 'Running', uid = `uid-${name}`): Pod {
  return { metadata: { name, uid, resourceVersion: String(version) }, status: { phase } };
}

/** Throws for phase Unreadable. */
export function project(object: Pod): Slim {
  if (object.status?.phase === 'Unreadable') throw new TypeError('this phase cannot be read');
  return {
    uid: object.metadata?.uid ?? '',
    name: object.metadata?.name ?? '',
    resourceVersion: object.metadata?.resourceVersion ?? '',
    phase: object.status?.phase,
  };
}

export const listOf = (version: number, items: readonly Pod[], next?: string) => ({
  kind: 'PodList',
  apiVersion: 'v1',
  metadata: { resourceVersion: String(version), ...(next === undefined ? {} : { continue: next }) },
  items,
});

export const line = (type: string, object: unknown): string => `${JSON.stringify({ type, object })}\n`;
export const bookmark = (version: number): string =>
  line('BOOKMARK', { kind: 'Pod', metadata: { resourceVersion: String(version) }, spec: { containers: null } });

export const lists =
  (version: number, items: readonly Pod[], next?: string): Step =>
  (exchange) =>
    exchange.answer(200, listOf(version, items, next));
export const begins = (response: ServerResponse): void => {
  response.writeHead(200, { 'content-type': 'application/json' });
  response.flushHeaders();
};
/** Sends the lines, then ends in order after `ms`. */
export const watches =
  (lines: readonly string[], ms = 30): Step =>
  ({ response }) => {
    begins(response);
    for (const text of lines) response.write(text);
    setTimeout(() => response.end(), ms);
  };
/** Sends the lines and then nothing more. */
export const stays =
  (...lines: readonly string[]): Step =>
  ({ response }) => {
    begins(response);
    for (const text of lines) response.write(text);
  };

interface Watching {
  readonly reflector: Reflector<Slim>;
  /** `LIST ...` and `WATCH ...` as they came. */
  readonly requests: string[];
  /** Events in short: `ADDED a 5 Running`. */
  readonly events: string[];
  readonly full: ReflectorEvent<Slim>[];
  readonly log: ReturnType<typeof recordingLog>;
  /** Resolves when so many events came. */
  readonly seen: (count: number) => Promise<void>;
  readonly asked: (count: number) => Promise<void>;
  /** The most watches that were open at a time. */
  readonly mostWatches: () => number;
  readonly stop: () => Promise<void>;
}

/** One step for each request; after the last one watches stay open and silent. */
export async function watching(
  t: Test,
  steps: readonly Step[],
  options: Partial<ClientOptions> & { resource?: Resource<Pod>; isListOptional?: true } = {},
): Promise<Watching> {
  const requests: string[] = [];
  const events: string[] = [];
  const full: ReflectorEvent<Slim>[] = [];
  const waiting: (() => void)[] = [];
  const changed = (): void => {
    for (const check of [...waiting]) check();
  };
  const until = (condition: () => boolean): Promise<void> =>
    new Promise((resolve) => {
      const check = (): void => {
        if (!condition()) return;
        const at = waiting.indexOf(check);
        if (at !== -1) waiting.splice(at, 1);
        resolve();
      };
      waiting.push(check);
      check();
    });
  let open = 0;
  let most = 0;
  let next = 0;
  const server = await apiServer(t, async (exchange) => {
    const query = exchange.url.searchParams;
    const isWatch = query.get('watch') === 'true';
    const kept = [...query].filter(([name]) => !['watch', 'allowWatchBookmarks', 'labelSelector'].includes(name));
    requests.push([isWatch ? 'WATCH' : 'LIST', ...kept.map(([name, value]) => `${name}=${value}`)].join(' '));
    if (isWatch) {
      most = Math.max(most, ++open);
      exchange.response.on('close', () => open--);
    }
    changed();
    await (steps[next++] ?? stays())(exchange);
  });
  const log = recordingLog();
  const client = clientOf(t, server.url, { fetchLimit: 2, watchTimeoutSeconds: 0, ...options }, log);
  const reflector = client.reflector<Pod, Slim>({
    resource: options.resource ?? PODS,
    selection: { labelSelector: 'app.kubernetes.io/managed-by=launcher' },
    project,
    ...(options.isListOptional === true ? { isListOptional: true as const } : {}),
    onEvent: (event) => {
      full.push(event);
      const { name, resourceVersion, phase } = event.object;
      const how = event.type === 'DELETED' ? ` ${event.found}` : '';
      events.push(`${event.type} ${name} ${resourceVersion} ${phase}${how}`);
      changed();
    },
  });
  const stopping = new AbortController();
  const running = reflector.run(stopping.signal);
  const stop = async (): Promise<void> => {
    stopping.abort();
    await running;
  };
  t.teardown(stop);
  return {
    reflector,
    requests,
    events,
    full,
    log,
    seen: (count) => until(() => events.length >= count),
    asked: (count) => until(() => requests.length >= count),
    mostWatches: () => most,
    stop,
  };
}

export const never = new AbortController().signal;
