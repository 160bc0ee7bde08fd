/**
 * List and watch of one kind: what client-go calls a reflector. Lists in pages, watches from the list's version, resumes
 * from the last version seen after any end of a watch, and lists again only when that version is gone or the watch
 * cannot be trusted (architecture.md section 5, engineering-notes.md section 6). Needs the verbs list and watch.
 */
import { Listeners, waitFor } from '../../system/async.ts';
import { type Clock, sleep } from '../../system/clock.ts';
import type { Log } from '../../system/log.ts';
import type { Random } from '../../system/random.ts';
import type {
  KubernetesObject,
  Projected,
  Reflector,
  ReflectorEvent,
  ReflectorOptions,
  ReflectorState,
} from '../contract.ts';
import { Backoff } from '../http/backoff.ts';
import type { Body, PageRequest } from '../http/calls.ts';
import type { Timings } from '../http/timings.ts';
import type { Transport } from '../http/transport.ts';
import { isExpired, KubernetesError } from '../kubernetes-error.ts';
import { resourcePath } from '../paths.ts';
import type { Contact } from './api-health.ts';
import { Encodings } from './encodings.ts';
import { type GetJson, listPages } from './lists.ts';
import { isNewer, Store } from './store.ts';
import { Watches } from './watch.ts';

interface ReflectorDependencies {
  readonly transport: Transport;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly timings: Timings;
  readonly contact: Contact;
  readonly namespace: string;
  readonly fetchLimit: number;
  /** Asked of the server, 0 = not asked. */
  readonly watchTimeoutSeconds: number;
  /** One GET of a list, with the deadline of a call. */
  readonly getBody: (request: PageRequest) => Promise<Body>;
}

export function createReflector<T extends KubernetesObject, P extends Projected>(
  options: ReflectorOptions<T, P>,
  dependencies: ReflectorDependencies,
): Reflector<P> {
  const { clock, random, timings, contact } = dependencies;
  const { resource, selection, project } = options;
  const path = resourcePath(resource, dependencies.namespace);
  const name = resource.plural;
  const log = dependencies.log;
  const backoff = new Backoff(clock, random, {
    first: timings.backoffFirst,
    longest: timings.backoffLongest,
    resetAfter: timings.backoffReset,
  });
  const encodings = new Encodings(resource.kind, log);
  const progress = new Listeners();

  let listed = false;
  let synced = false;
  let failures = 0;
  /** Watches in a row whose version was gone; the lists between them say nothing. */
  let expiries = 0;
  let lastError: Error | undefined;

  const emit = (event: ReflectorEvent<P>): void => {
    try {
      options.onEvent(event);
    } catch (error) {
      log.error('BUG: an event of Kubernetes could not be taken in', { kind: name, event: event.type, error });
    }
  };
  const store = new Store<P>(emit);
  const watches = new Watches<T>({
    transport: dependencies.transport,
    clock,
    log,
    timings,
    resource,
    path,
    selection,
    timeoutSeconds: dependencies.watchTimeoutSeconds,
    encodings,
    version: () => store.version,
    onEvent: (type, object, version) => {
      const projection = projected(object);
      if (projection === undefined) store.advance(version);
      else if (type === 'DELETED') store.deleted(projection);
      else store.changed(projection);
      progress.notify();
    },
    onBookmark: (version) => {
      store.advance(version);
      progress.notify();
    },
    onWorking: () => {
      expiries = 0;
      succeeded();
    },
  });

  function succeeded(): void {
    failures = 0;
    lastError = undefined;
    contact.regained(name);
    if (synced) return;
    synced = true;
    log.info('Watch in sync', { kind: name, resourceVersion: store.version });
  }

  function failed(error: Error): void {
    failures++;
    lastError = error;
    const isEverybodys = contact.lost(name, error, failures);
    const sentence = 'Kubernetes does not tell its changes; trying again';
    if (failures === 1 && !isEverybodys) log.warning(sentence, { kind: name, error });
    else log.debug(sentence, { kind: name, failures, error });
    synced = false;
  }

  async function list(signal: AbortSignal): Promise<void> {
    const found = new Map<string, P>();
    const get: GetJson = async (listPath, query) => {
      const { contentType, bytes } = await dependencies.getBody({
        path: listPath,
        query,
        accept: encodings.accept('list'),
        status: (body, type) => encodings.status(body, type),
        signal,
      });
      try {
        return encodings.decoder(contentType).body(bytes);
      } catch (cause) {
        const text = `${bytes.length} bytes that are no list`;
        throw new KubernetesError({ code: 'bad-answer', method: 'GET', path: listPath, text, cause });
      }
    };
    const version = await listPages<T>({
      resource,
      namespace: dependencies.namespace,
      selection,
      fetchLimit: dependencies.fetchLimit,
      get,
      onPage: (items) => {
        for (const item of items) {
          const object = projected(item);
          if (object !== undefined) found.set(object.uid, object);
        }
      },
      onRestart: () => found.clear(),
    });
    store.replace(found, version);
    listed = true;
    // A tenth earlier or later, so that the kinds do not all list at once.
    watches.listed(clock.monotonic() + timings.relist * (0.9 + 0.2 * random()));
    succeeded();
    progress.notify();
  }

  function projected(object: T): P | undefined {
    try {
      return project(object);
    } catch (error) {
      log.error('BUG: an object of Kubernetes could not be read', { kind: name, name: object.metadata?.name, error });
      return undefined;
    }
  }

  async function run(signal: AbortSignal): Promise<void> {
    let next: 'list' | 'watch' = 'list';
    while (!signal.aborted) {
      try {
        if (next === 'list') {
          await list(signal);
          next = 'watch';
          continue;
        }
        const end = await watches.run(signal);
        if (end.next !== 'pause') next = end.next;
        if (end.next === 'watch' || end.error === undefined) continue;
        failed(end.error);
        // An expired version is no failure of the server's: list at once, unless it happens again and again.
        if (isExpired(end.error) && ++expiries === 1) continue;
        await sleep(clock, backoff.next(end.error), signal);
      } catch (error) {
        if (signal.aborted) break;
        failed(error instanceof Error ? error : new Error(String(error)));
        await sleep(clock, backoff.next(error), signal).catch(() => {});
      }
    }
    contact.left(name);
    synced = false;
  }

  async function until(condition: () => boolean, signal: AbortSignal): Promise<void> {
    await waitFor(
      (check) => progress.add(check),
      () => condition() || undefined,
      signal,
    );
  }

  return {
    objects: () => store.objects(),
    get: (uid) => store.get(uid),
    state: (): ReflectorState => ({ synced, lastError }),
    synced: (signal) => until(() => listed, signal),
    reached: (version, signal) =>
      until(() => listed && store.version !== undefined && !isNewer(version, store.version), signal),
    offer: (object) => store.offer(object),
    run,
  };
}
