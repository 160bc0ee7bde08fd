/**
 * List and watch of one kind: what client-go calls a reflector. Lists in pages, watches from the list's version, resumes
 * from the last version seen after any end of a watch, and lists again only when that version is gone or the watch
 * cannot be trusted (design.md section 5, engineering-notes.md section 6). Needs the verbs list and watch.
 */
import { type Clock, sleep } from '../system/clock.ts';
import type { Log } from '../system/log.ts';
import type { Random } from '../system/random.ts';
import { Backoff } from './backoff.ts';
import {
  EVENTS,
  type KubernetesObject,
  type Projected,
  type Reflector,
  type ReflectorEvent,
  type ReflectorOptions,
  type ReflectorState,
} from './contract.ts';
import { Deadline } from './deadline.ts';
import { type Decoder, Encodings, type RawEvent } from './encodings.ts';
import { errorOfStatus, isExpired, KubernetesError } from './errors.ts';
import { type GetJson, listPages } from './lists.ts';
import { queryOf, resourcePath } from './paths.ts';
import { ProtobufError } from './protobuf.ts';
import type { ApiResponse, Transport } from './request.ts';
import { isNewer, Store } from './store.ts';
import type { Timings } from './timings.ts';

export interface ReflectorDependencies {
  readonly transport: Transport;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly timings: Timings;
  readonly namespace: string;
  readonly fetchLimit: number;
  /** Asked of the server, 0 = not asked. */
  readonly watchTimeoutSeconds: number;
  /** One GET of a list, with the deadline of a call. */
  readonly getBody: (path: string, query: string, accept: string, signal: AbortSignal) => Promise<Body>;
}

/** An answer that was read to its end. */
export interface Body {
  readonly contentType: string;
  readonly bytes: Uint8Array;
}

/** Why a watch ended, and so what comes next. */
type WatchEnd =
  /** As every watch does: watch again at once. */
  | { readonly next: 'watch' }
  /** Watch again after a pause. */
  | { readonly next: 'pause'; readonly error: Error }
  /** List, at once if nothing is wrong. */
  | { readonly next: 'list'; readonly error?: Error };

export function createReflector<T extends KubernetesObject, P extends Projected>(
  options: ReflectorOptions<T, P>,
  dependencies: ReflectorDependencies,
): Reflector<P> {
  const { clock, random, timings, transport } = dependencies;
  const { resource, selection, project } = options;
  const path = resourcePath(resource, dependencies.namespace);
  const name = resource.plural;
  const log = dependencies.log;
  const backoff = new Backoff(clock, random, {
    first: timings.backoffFirst,
    longest: timings.backoffLongest,
    resetAfter: timings.backoffReset,
  });
  // Watches of core/v1 events bypass the server's watch cache and get no bookmarks (FACTS 103).
  const bookmarks = !(resource.group === EVENTS.group && resource.plural === EVENTS.plural);
  const encodings = new Encodings(resource.kind, log);
  const waiters = new Set<() => void>();

  let listed = false;
  let syncedSince: number | undefined;
  let lastEventAt: number | undefined;
  /** Events of all watches. */
  let events = 0;
  let failures = 0;
  let lastError: Error | undefined;
  /** Monotonic time at which the silence of the watch began, and how long earlier watches were silent before they ended. */
  let quietSince = 0;
  let quietBefore = 0;
  let relistAt = 0;
  /** The version at which the stream last broke off with nonsense. */
  let brokenAt: string | undefined;

  const emit = (event: ReflectorEvent<P>): void => {
    try {
      options.onEvent(event);
    } catch (error) {
      log.error('BUG: an event of Kubernetes could not be taken in', { kind: name, event: event.type, error });
    }
  };
  const store = new Store<P>(emit);

  function wake(): void {
    for (const waiter of [...waiters]) waiter();
  }

  function succeeded(): void {
    failures = 0;
    lastError = undefined;
    if (syncedSince !== undefined) return;
    syncedSince = clock.now();
    log.info('In step with Kubernetes', { kind: name, resourceVersion: store.version });
    emit({ type: 'SYNCED', resourceVersion: store.version ?? '' });
  }

  function failed(error: Error): void {
    failures++;
    lastError = error;
    encodings.failed(error);
    if (failures === 1) {
      log.warning('Kubernetes does not tell its changes; trying again', { kind: name, error });
      if (listed) emit({ type: 'DESYNCED', error });
    } else {
      log.debug('Kubernetes still does not tell its changes', { kind: name, failures, error });
    }
    syncedSince = undefined;
  }

  async function list(signal: AbortSignal): Promise<void> {
    const found = new Map<string, P>();
    const get: GetJson = async (listPath, query) => {
      const { contentType, bytes } = await dependencies.getBody(listPath, query, encodings.accept('list'), signal);
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
    brokenAt = undefined;
    quietBefore = 0;
    // A tenth earlier or later, so that the kinds do not all list at once.
    relistAt = clock.monotonic() + timings.relist * (0.9 + 0.2 * random());
    succeeded();
    wake();
  }

  function projected(object: T): P | undefined {
    try {
      return project(object);
    } catch (error) {
      log.error('BUG: an object of Kubernetes could not be read', { kind: name, name: object.metadata?.name, error });
      return undefined;
    }
  }

  /** One line of a watch. Returns why the watch has to end, undefined if it goes on. */
  function take(line: Uint8Array, decoder: Decoder): WatchEnd | undefined {
    let event: RawEvent;
    try {
      event = decoder.event(line);
    } catch (error) {
      return broken(badLine(line, error));
    }
    const object = event.object as KubernetesObject | undefined;
    if (event.type === 'ERROR') {
      const error = errorOfStatus(object, { method: 'WATCH', path });
      return isExpired(error) ? { next: 'list', error } : broken(error);
    }
    const version = object?.metadata?.resourceVersion;
    if (object === undefined || typeof version !== 'string') return broken(badLine(line));
    quietSince = clock.monotonic();
    quietBefore = 0;
    switch (event.type) {
      case 'BOOKMARK':
        store.advance(version);
        break;
      case 'ADDED':
      case 'MODIFIED':
      case 'DELETED': {
        lastEventAt = clock.now();
        events++;
        const projection = projected(object as T);
        if (projection === undefined) store.advance(version);
        else if (event.type === 'DELETED') store.deleted(projection);
        else store.changed(projection);
        break;
      }
      default:
        log.warning('Kubernetes sent an unknown kind of event', { kind: name, type: event.type });
    }
    succeeded();
    wake();
    return undefined;
  }

  function badLine(line: Uint8Array, cause?: unknown): KubernetesError {
    const text = `a watch sent a line of ${line.length} bytes that is no event`;
    return new KubernetesError({ code: 'bad-answer', method: 'WATCH', path, text, cause });
  }

  /** Watch again; if the same place breaks twice, list. */
  function broken(error: Error): WatchEnd {
    const again = brokenAt === store.version;
    brokenAt = store.version;
    return again ? { next: 'list', error } : { next: 'pause', error };
  }

  async function open(deadline: Deadline): Promise<ApiResponse> {
    const timeoutSeconds = dependencies.watchTimeoutSeconds;
    return transport.send({
      method: 'GET',
      path,
      query: queryOf({
        ...selection,
        watch: true,
        resourceVersion: store.version,
        allowWatchBookmarks: true,
        timeoutSeconds: timeoutSeconds > 0 ? timeoutSeconds : undefined,
      }),
      accept: encodings.accept('watch'),
      lane: 'stream',
      headersMs: timings.watchHeaders,
      signal: deadline.signal,
    });
  }

  async function watch(signal: AbortSignal): Promise<WatchEnd> {
    const deadline = new Deadline(clock, signal);
    let cancelSettled: (() => void) | undefined;
    let opened = false;
    const openedAt = clock.monotonic();
    const eventsBefore = events;
    const healthy = (): boolean => events > eventsBefore || clock.monotonic() - openedAt >= timings.watchTooShort;
    try {
      const response = await open(deadline);
      // A resumed watch counts once it has lived for a moment: it may be told at once that its version is gone.
      cancelSettled = clock.after(timings.watchTooShort, succeeded);
      quietSince = clock.monotonic();
      opened = true;
      const decoder = encodings.decoder(response.contentType);
      arm(deadline);
      for await (const chunk of response.chunks()) {
        for (const line of decoder.split(chunk)) {
          const end = take(line, decoder);
          if (end !== undefined) return end;
        }
        if (clock.monotonic() >= relistAt) return { next: 'list' };
        arm(deadline);
      }
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof Silence) return error.end;
      if (!(error instanceof Error)) throw error;
      if (error instanceof RangeError || error instanceof ProtobufError) return broken(error);
      // A healthy watch may be cut at any time; only if it cannot be opened again there is something to tell.
      if (healthy() && isInterrupted(error)) return { next: 'watch' };
      return isExpired(error) || isRefusal(error) ? { next: 'list', error } : { next: 'pause', error };
    } finally {
      cancelSettled?.();
      deadline.end();
      if (opened) quietBefore += clock.monotonic() - quietSince;
    }
    if (healthy()) return { next: 'watch' };
    const text = 'a watch ended at once, without an event';
    return { next: 'pause', error: new KubernetesError({ code: 'interrupted', method: 'WATCH', path, text }) };
  }

  /** Sets the watch's deadline to the first moment at which its silence means something. */
  function arm(deadline: Deadline): void {
    const now = clock.monotonic();
    const timeoutMs = dependencies.watchTimeoutSeconds * 1000;
    const idle = timeoutMs > 0 ? timeoutMs + timings.watchGrace : timings.watchIdle;
    const silence = timings.watchSilence - quietBefore;
    const relist = relistAt - now;
    if (relist <= idle && (!bookmarks || relist <= silence)) {
      deadline.set(Math.max(0, relist), () => new Silence({ next: 'list' }));
    } else if (bookmarks && silence < idle) {
      deadline.set(Math.max(0, silence), () => {
        log.debug('A watch is silent, without bookmarks: listing again', { kind: name, ms: timings.watchSilence });
        return new Silence({ next: 'list' });
      });
    } else {
      deadline.set(idle, () => {
        log.debug('A watch is silent: opening it again', { kind: name, ms: idle });
        return new Silence({ next: 'watch' });
      });
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
        const end = await watch(signal);
        if (end.next !== 'pause') next = end.next;
        if (end.next === 'watch' || end.error === undefined) continue;
        failed(end.error);
        // An expired version is no failure of the server's: list at once, unless it happens again and again.
        if (isExpired(end.error) && failures === 1) continue;
        await sleep(clock, backoff.next(end.error), signal);
      } catch (error) {
        if (signal.aborted) break;
        failed(error instanceof Error ? error : new Error(String(error)));
        await sleep(clock, backoff.next(error), signal).catch(() => {});
      }
    }
    syncedSince = undefined;
  }

  /** Resolves as soon as `condition` holds. */
  function until(condition: () => boolean, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const end = (): void => {
        waiters.delete(check);
        signal.removeEventListener('abort', onAbort);
      };
      const check = (): void => {
        if (!condition()) return;
        end();
        resolve();
      };
      const onAbort = (): void => {
        end();
        reject(signal.reason);
      };
      if (signal.aborted) {
        reject(signal.reason);
        return;
      }
      signal.addEventListener('abort', onAbort, { once: true });
      waiters.add(check);
      check();
    });
  }

  return {
    objects: () => store.objects(),
    get: (uid) => store.get(uid),
    state: (): ReflectorState => ({ syncedSince, lastEventAt, failuresInARow: failures, lastError }),
    synced: (signal) => until(() => listed, signal),
    reached: (version, signal) =>
      until(() => listed && store.version !== undefined && !isNewer(version, store.version), signal),
    offer: (object) => store.offer(object),
    run,
  };
}

/** Ends a watch that is silent for too long. */
class Silence extends Error {
  readonly end: WatchEnd;

  constructor(end: WatchEnd) {
    super('silence');
    this.end = end;
  }
}

function isInterrupted(error: Error): boolean {
  return error instanceof KubernetesError && error.code === 'interrupted';
}

/** An answer that another try with the same version would not change: a resourceVersion the server cannot read. */
function isRefusal(error: Error): boolean {
  return error instanceof KubernetesError && ['bad-request', 'not-found', 'invalid'].includes(error.code);
}
