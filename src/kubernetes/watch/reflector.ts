/**
 * Reflector: list and watch of one kind, as in client-go. Watches from the list's version, resumes a watch from the last version
 * seen, and lists again only when that version has expired or the watch is unreliable. Needs the verbs list and watch.
 */
import { Listeners, waitFor } from '../../system/async.ts';
import { type Clock, sleep } from '../../system/clock.ts';
import type { Log } from '../../system/log.ts';
import type { Random } from '../../system/random.ts';
import {
  isKubernetesObject,
  type KubernetesObject,
  type Projected,
  type Reflector,
  type ReflectorEvent,
  type ReflectorOptions,
  type ReflectorState,
} from '../contract.ts';
import { Backoff } from '../http/backoff.ts';
import type { AnswerBody, PageRequest } from '../http/calls.ts';
import type { Timings } from '../http/timings.ts';
import type { Transport } from '../http/transport.ts';
import { isExpired, isMissingPermission, KubernetesError } from '../kubernetes-error.ts';
import { resourcePath } from '../paths.ts';
import type { ApiHealth } from './api-health.ts';
import { Encodings } from './encodings.ts';
import { ExpectedVersions } from './expected-versions.ts';
import { type GetJson, listPages } from './lists.ts';
import { isNewer, Store } from './store.ts';
import { Watches } from './watch.ts';

interface ReflectorDependencies {
  readonly transport: Transport;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly timings: Timings;
  readonly apiHealth: ApiHealth;
  readonly namespace: string;
  readonly fetchLimit: number;
  /** Requested duration of a watch; 0: none is requested. */
  readonly watchTimeoutSeconds: number;
  /** Reads one page of a list, with the deadline of a call. */
  readonly getBody: (request: PageRequest) => Promise<AnswerBody>;
}

export function createReflector<T extends KubernetesObject, P extends Projected>(
  options: ReflectorOptions<T, P>,
  dependencies: ReflectorDependencies,
): Reflector<P> {
  const { clock, random, timings, apiHealth } = dependencies;
  const { resource, selection, project, projectKnown } = options;
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
  /** Watches in a row with an expired version; lists between them do not reset it. */
  let expiries = 0;
  let lastError: Error | undefined;
  let emitted = 0;

  const emit = (event: ReflectorEvent<P>): void => {
    emitted++;
    try {
      options.onEvent(event);
    } catch (error) {
      log.error('BUG: cannot process a watch event; its job may keep an old state until its next event', {
        kind: name,
        event: event.type,
        error,
      });
    }
  };
  const store = new Store<P>(emit);
  const known = (uid: string): P | undefined => store.get(uid);
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
      if (projection === undefined) store.unselected(object.metadata?.uid ?? '', version);
      else if (projection !== 'unreadable' && type === 'DELETED') store.deleted(projection);
      else if (projection !== 'unreadable') store.changed(projection);
      progressed(version);
    },
    onKnown: (event) => {
      const projection = projectedKnown(event);
      if (projection === undefined) return false;
      store.changed(projection);
      progressed(projection.resourceVersion);
      return true;
    },
    onBookmark: progressed,
    onWorking: () => {
      expiries = 0;
      succeeded();
    },
    onSilent: (ms) => apiHealth.silent(name, ms),
  });
  const expected = new ExpectedVersions({
    clock,
    ms: timings.watchLag,
    shown: () => store.version,
    onMissing: (ms) => {
      if (!synced) return;
      log.debug('Watch does not show the newest changes; restarting it', { kind: name, ms: Math.round(ms) });
      apiHealth.silent(name, ms);
      watches.restart();
    },
  });

  function progressed(version: string): void {
    const wasOverdue = expected.isOverdue;
    store.advance(version);
    if (wasOverdue && !expected.isOverdue) apiHealth.heard(name);
    progress.notify();
  }

  function succeeded(): void {
    failures = 0;
    lastError = undefined;
    apiHealth.succeeded(name);
    if (!expected.isOverdue) apiHealth.heard(name);
    if (synced) return;
    synced = true;
    log.info('Watch in sync', { kind: name, resourceVersion: store.version });
  }

  function failed(error: Error): void {
    failures++;
    lastError = error;
    const isShared = apiHealth.failed(name, error, failures);
    const sentence = 'Watch failed; retrying';
    if (failures === 1 && !isShared) log.warning(sentence, { kind: name, error });
    else log.debug(sentence, { kind: name, failures, error });
    synced = false;
    progress.notify();
  }

  /** `silentMs`: the watch before was silent for this time. */
  async function list(signal: AbortSignal, silentMs = 0): Promise<void> {
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
        const text = `${bytes.length} bytes that are not a list`;
        throw new KubernetesError({ code: 'bad-answer', method: 'GET', path: listPath, text, cause });
      }
    };
    const version = await listPages<T>({
      resource,
      namespace: dependencies.namespace,
      selection,
      fetchLimit: dependencies.fetchLimit,
      isVersioned: true,
      get,
      onPage: (items) => {
        for (const item of items) {
          const object = projected(item);
          if (object !== undefined && object !== 'unreadable') found.set(object.uid, object);
        }
      },
      onRestart: () => found.clear(),
    });
    const before = emitted;
    store.replace(found, version);
    if (silentMs > 0 && emitted > before) apiHealth.silent(name, silentMs);
    listed = true;
    // A random tenth earlier or later, so that not all kinds list simultaneously.
    watches.listed(clock.monotonic() + timings.relist * (0.9 + 0.2 * random()));
    succeeded();
    progress.notify();
  }

  /** The watch replays all objects. What it does not replay was deleted meanwhile. */
  function watchWithoutList(): void {
    store.reset();
    listed = true;
    watches.listed(Number.POSITIVE_INFINITY);
    progress.notify();
  }

  /** The last known projection of an object that cannot be projected; undefined for one that is not selected. */
  function projected(object: T): P | undefined | 'unreadable' {
    if (!isKubernetesObject(object) || !object.metadata?.uid) {
      log.warning('Ignoring a malformed Kubernetes object', { kind: name });
      return 'unreadable';
    }
    try {
      return project(object);
    } catch (error) {
      log.error('BUG: cannot read a Kubernetes object; its job keeps the last known state', {
        kind: name,
        name: object.metadata?.name,
        error,
      });
      return store.get(object.metadata.uid) ?? 'unreadable';
    }
  }

  /** Undefined: it must be decoded. */
  function projectedKnown(event: Uint8Array): P | undefined {
    try {
      return Buffer.isBuffer(event) ? projectKnown?.(event, known) : undefined;
    } catch (error) {
      log.error('BUG: cannot scan an event; decoding it', { kind: name, error });
      return undefined;
    }
  }

  async function run(signal: AbortSignal): Promise<void> {
    let next: 'list' | 'watch' = 'list';
    let silentMs = 0;
    while (!signal.aborted) {
      try {
        if (next === 'list') {
          await list(signal, silentMs);
          silentMs = 0;
          next = 'watch';
          continue;
        }
        const end = await watches.run(signal);
        if (end.next !== 'pause') next = end.next;
        if (end.next === 'list') silentMs = end.silentMs ?? 0;
        if (end.next === 'watch' || end.error === undefined) continue;
        failed(end.error);
        // An expired version is not a failure of the server: list at once, unless it happens repeatedly.
        if (isExpired(end.error) && ++expiries === 1) continue;
        await sleep(clock, backoff.next(end.error), signal);
      } catch (error) {
        if (signal.aborted) break;
        if (next === 'list' && options.isListOptional === true && isMissingPermission(error)) {
          watchWithoutList();
          next = 'watch';
          continue;
        }
        failed(error instanceof Error ? error : new Error(String(error)));
        await sleep(clock, backoff.next(error), signal).catch(() => {});
      }
    }
    expected.stop();
    apiHealth.stopped(name);
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
    tried: (signal) => until(() => listed || lastError !== undefined, signal),
    reached: (version, signal) =>
      until(() => listed && store.version !== undefined && !isNewer(version, store.version), signal),
    offer: (object, { isListed = false, isWatched = true } = {}) => {
      store.offer(object, isListed);
      if (isWatched && synced) expected.add(object.resourceVersion);
    },
    run,
  };
}
