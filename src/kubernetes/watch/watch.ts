/** Watches of one kind, one after the other: opening, reading, and the decision what follows a silent or ended watch. */

import { Deadline } from '../../system/async.ts';
import type { Clock } from '../../system/clock.ts';
import type { Log } from '../../system/log.ts';
import { EVENTS, type KubernetesObject, type Resource, type Selection } from '../contract.ts';
import type { Timings } from '../http/timings.ts';
import type { StreamResponse, Transport } from '../http/transport.ts';
import { errorOfStatus, isExpired, KubernetesError } from '../kubernetes-error.ts';
import { queryOf } from '../paths.ts';
import { DecodeError, type Decoder, type Encodings, type RawEvent } from './encodings.ts';

/** What follows the end of a watch. */
type WatchEnd =
  /** A regular end: watch again at once. */
  | { readonly next: 'watch' }
  /** Watch again after a pause. */
  | { readonly next: 'pause'; readonly error: Error }
  /** List; at once unless there is an error. Changes in the list after a silent watch show that it missed them. */
  | { readonly next: 'list'; readonly error?: Error; readonly silentMs?: number };

interface WatchOptions<T extends KubernetesObject> {
  readonly transport: Pick<Transport, 'stream'>;
  readonly clock: Clock;
  readonly log: Log;
  readonly timings: Timings;
  readonly resource: Resource<T>;
  readonly path: string;
  readonly selection: Selection;
  /** Requested duration of a watch; 0: none is requested. */
  readonly timeoutSeconds: number;
  readonly encodings: Encodings;
  /** The version up to which everything was seen. */
  readonly version: () => string | undefined;
  readonly onEvent: (type: 'ADDED' | 'MODIFIED' | 'DELETED', object: T, version: string) => void;
  /** Called first with each event in protobuf, as it was sent. False: it must be decoded. */
  readonly onKnown?: (event: Uint8Array) => boolean;
  readonly onBookmark: (version: string) => void;
  /** The watch works: it has sent an event, or stayed open for a moment. */
  readonly onWorking: () => void;
  /** The connection was dead for this time: nothing arrived that the server sent. */
  readonly onSilent: (ms: number) => void;
}

export class Watches<T extends KubernetesObject> {
  readonly #options: WatchOptions<T>;
  /** Watches of core/v1 events bypass the server's watch cache and receive no bookmarks (kubernetes-facts.md 103). */
  readonly #bookmarks: boolean;
  /** Monotonic time at which this watch became silent, and the silent time of the watches before it. */
  #quietSince = 0;
  #quietBefore = 0;
  /** A bookmark of the current version has arrived. */
  #isAlive = false;
  #relistAt = Number.POSITIVE_INFINITY;
  /** The version at which a watch last sent something that is not an event. */
  #brokenAt: string | undefined;
  /** What follows if the watch is silent until its deadline; undefined while it is being opened. */
  #afterSilence: 'watch' | 'list' | undefined;
  /** Ends the open watch. */
  #restart: (() => void) | undefined;

  constructor(options: WatchOptions<T>) {
    this.#options = options;
    this.#bookmarks = !(options.resource.group === EVENTS.group && options.resource.plural === EVENTS.plural);
  }

  /** For a complete list; the next list is due at this monotonic time. */
  listed(relistAt: number): void {
    this.#relistAt = relistAt;
    this.#quietBefore = 0;
    this.#brokenAt = undefined;
  }

  /** Opens the watch again, on another connection. */
  restart(): void {
    this.#restart?.();
  }

  /** Runs one watch to its end. Rejects only with the signal's reason. */
  async run(signal: AbortSignal): Promise<WatchEnd> {
    const { clock, timings, encodings, path } = this.#options;
    const deadline = new Deadline(clock, signal);
    const openedAt = clock.monotonic();
    const versionBefore = this.#options.version();
    // Events that do not advance the version are no progress: a server may replay them with each watch.
    const healthy = (): boolean =>
      this.#options.version() !== versionBefore || clock.monotonic() - openedAt >= timings.watchTooShort;
    let cancelWorking: (() => void) | undefined;
    let response: StreamResponse | undefined;
    try {
      response = await this.#open(deadline);
      // A resumed watch counts as working after a moment, because its version may turn out to have expired.
      cancelWorking = clock.after(timings.watchTooShort, this.#options.onWorking);
      this.#quietSince = clock.monotonic();
      this.#restart = () => {
        this.#afterSilence = 'watch';
        deadline.set(0, () => this.#silence());
      };
      const decoder = encodings.decoder(response.contentType);
      this.#arm(deadline);
      for await (const bytes of response.body()) {
        const end = this.#take(bytes, decoder, response.authorization);
        if (end !== undefined) return end;
        if (clock.monotonic() >= this.#relistAt) return { next: 'list' };
        this.#arm(deadline);
      }
    } catch (error) {
      signal.throwIfAborted();
      if (deadline.expired && this.#afterSilence === 'watch') return { next: 'watch' };
      if (deadline.expired && this.#afterSilence === 'list')
        return clock.monotonic() < this.#relistAt ? { next: 'list', silentMs: this.#quietMs() } : { next: 'list' };
      if (!(error instanceof Error)) throw error;
      if (error instanceof DecodeError) return this.#broken(error);
      // A healthy watch may be interrupted at any time; it is a failure only if it cannot be opened again.
      if (healthy() && isInterrupted(error)) {
        if (isDeadConnection(error)) this.#options.onSilent(clock.monotonic() - this.#quietSince);
        return { next: 'watch' };
      }
      return isExpired(error) || isRefusal(error) ? { next: 'list', error } : { next: 'pause', error };
    } finally {
      cancelWorking?.();
      // Nothing of it was read if its encoding is not the one that was requested.
      response?.discard();
      this.#restart = undefined;
      deadline.end();
      if (cancelWorking !== undefined) this.#quietBefore += clock.monotonic() - this.#quietSince;
    }
    if (healthy()) return { next: 'watch' };
    const text = 'the watch ended at once without a new event';
    return { next: 'pause', error: new KubernetesError({ code: 'interrupted', method: 'WATCH', path, text }) };
  }

  #open(deadline: Deadline): Promise<StreamResponse> {
    const { transport, timings, path, selection, encodings, timeoutSeconds, version } = this.#options;
    this.#afterSilence = undefined;
    // The transport waits for the headers, and for the body of a refusal.
    const text = 'the answer to the watch was incomplete';
    const ms = timings.connect + timings.watchHeaders + timings.watchGrace;
    deadline.set(ms, () => new KubernetesError({ code: 'timeout', method: 'WATCH', path, text }));
    return transport.stream({
      path,
      query: queryOf({
        ...selection,
        watch: true,
        resourceVersion: version(),
        allowWatchBookmarks: true,
        timeoutSeconds: timeoutSeconds > 0 ? timeoutSeconds : undefined,
      }),
      accept: encodings.accept('watch'),
      status: (bytes, contentType) => encodings.status(bytes, contentType),
      headersMs: timings.watchHeaders,
      signal: deadline.signal,
    });
  }

  /** Processes received bytes. Returns what follows if the watch must end, undefined if it continues. */
  #take(bytes: Uint8Array, decoder: Decoder, authorization: string | undefined): WatchEnd | undefined {
    const before = this.#options.version();
    this.#isAlive = false;
    try {
      for (const line of decoder.split(bytes)) {
        const end = this.#event(line, decoder, authorization);
        if (end !== undefined) return end;
      }
      return undefined;
    } finally {
      // Once for all events that arrived together.
      const hasAdvanced = this.#options.version() !== before;
      if (hasAdvanced || this.#isAlive) {
        this.#quietSince = this.#options.clock.monotonic();
        this.#quietBefore = 0;
      }
      if (hasAdvanced) this.#options.onWorking();
    }
  }

  /** Processes one event. Returns what follows if the watch must end, undefined if it continues. */
  #event(line: Uint8Array, decoder: Decoder, authorization: string | undefined): WatchEnd | undefined {
    const { log, path, resource, onKnown } = this.#options;
    if (decoder.isProtobuf && onKnown?.(line)) return undefined;
    let event: RawEvent;
    try {
      event = decoder.event(line);
    } catch (error) {
      return this.#broken(this.#badLine(line, error));
    }
    const object = event.object as T | undefined;
    if (event.type === 'ERROR') {
      const error = errorOfStatus(object, { method: 'WATCH', path, authorization });
      return isExpired(error) ? { next: 'list', error } : this.#broken(error);
    }
    const version = object?.metadata?.resourceVersion;
    if (object === undefined || typeof version !== 'string') return this.#broken(this.#badLine(line));
    switch (event.type) {
      case 'BOOKMARK':
        // Of the same version it shows that the server is alive; an event of an old version may be a replay.
        if (version === this.#options.version()) this.#isAlive = true;
        this.#options.onBookmark(version);
        break;
      case 'ADDED':
      case 'MODIFIED':
      case 'DELETED':
        this.#options.onEvent(event.type, object, version);
        break;
      default:
        log.warning('Ignoring a watch event of unknown type', { kind: resource.plural, type: event.type });
    }
    return undefined;
  }

  #badLine(line: Uint8Array, cause?: unknown): KubernetesError {
    const text = `the watch sent ${line.length} bytes that are not an event`;
    return new KubernetesError({ code: 'bad-answer', method: 'WATCH', path: this.#options.path, text, cause });
  }

  /** Watch again; list if it happens twice at the same version. */
  #broken(error: Error): WatchEnd {
    const version = this.#options.version();
    const again = this.#brokenAt === version;
    this.#brokenAt = version;
    return again ? { next: 'list', error } : { next: 'pause', error };
  }

  /** Sets the deadline to the earliest time at which silence ends the watch. */
  #arm(deadline: Deadline): void {
    const { clock, log, timings, resource, timeoutSeconds, onSilent } = this.#options;
    const idle = timeoutSeconds > 0 ? timeoutSeconds * 1000 + timings.watchGrace : timings.watchIdle;
    // Events that show no progress do not extend it.
    const silence = this.#bookmarks ? Math.max(0, timings.watchSilence - this.#quietMs()) : Number.POSITIVE_INFINITY;
    const relist = Math.max(0, this.#relistAt - clock.monotonic());
    const ms = Math.min(idle, silence, relist);
    this.#afterSilence = ms === idle ? 'watch' : 'list';
    deadline.set(ms, () => {
      if (ms !== relist)
        log.debug('Watch is silent; restarting it', { kind: resource.plural, ms, listing: ms === silence });
      // The server ends a watch after the duration that was requested.
      if (ms === idle && timeoutSeconds > 0) onSilent(ms);
      return this.#silence();
    });
  }

  /** Time without progress, also of the watches before this one. */
  #quietMs(): number {
    return this.#quietBefore + this.#options.clock.monotonic() - this.#quietSince;
  }

  #silence(): KubernetesError {
    const text = 'the watch is silent';
    return new KubernetesError({ code: 'timeout', method: 'WATCH', path: this.#options.path, text });
  }
}

function isInterrupted(error: Error): boolean {
  return error instanceof KubernetesError && error.code === 'interrupted';
}

/** TCP keep-alive was not answered. */
function isDeadConnection(error: Error): boolean {
  return error instanceof KubernetesError && ['ETIMEDOUT', 'EHOSTUNREACH'].includes(error.reason);
}

/** A retry with the same version would fail again: the server cannot read that resourceVersion. */
function isRefusal(error: Error): boolean {
  return error instanceof KubernetesError && ['bad-request', 'not-found', 'invalid'].includes(error.code);
}
