/** The watches of one kind, one after the other: opening, reading, and what their silence or their end means. */

import { Deadline } from '../../system/async.ts';
import type { Clock } from '../../system/clock.ts';
import type { Log } from '../../system/log.ts';
import { EVENTS, type KubernetesObject, type Resource, type Selection } from '../contract.ts';
import type { Timings } from '../http/timings.ts';
import type { ApiResponse, Transport } from '../http/transport.ts';
import { errorOfStatus, isExpired, KubernetesError } from '../kubernetes-error.ts';
import { queryOf } from '../paths.ts';
import { DecodeError, type Decoder, type Encodings, type RawEvent } from './encodings.ts';

/** Why a watch ended, and so what comes next. */
type WatchEnd =
  /** As every watch does: watch again at once. */
  | { readonly next: 'watch' }
  /** Watch again after a pause. */
  | { readonly next: 'pause'; readonly error: Error }
  /** List, at once if nothing is wrong. */
  | { readonly next: 'list'; readonly error?: Error };

interface WatchOptions<T extends KubernetesObject> {
  readonly transport: Transport;
  readonly clock: Clock;
  readonly log: Log;
  readonly timings: Timings;
  readonly resource: Resource<T>;
  readonly path: string;
  readonly selection: Selection;
  /** Asked of the server, 0 = not asked. */
  readonly timeoutSeconds: number;
  readonly encodings: Encodings;
  /** Everything up to this version was seen. */
  readonly version: () => string | undefined;
  readonly onEvent: (type: 'ADDED' | 'MODIFIED' | 'DELETED', object: T, version: string) => void;
  readonly onBookmark: (version: string) => void;
  /** The watch works: it has sent something, or lived for a moment. */
  readonly onWorking: () => void;
}

export class Watches<T extends KubernetesObject> {
  readonly #options: WatchOptions<T>;
  /** Watches of core/v1 events bypass the server's watch cache and get no bookmarks (kubernetes-facts.md 103). */
  readonly #bookmarks: boolean;
  /** Monotonic time at which the silence of this watch began, and how long earlier ones were silent before they ended. */
  #quietSince = 0;
  #quietBefore = 0;
  #relistAt = Number.POSITIVE_INFINITY;
  /** The version at which a watch last broke off with nonsense. */
  #brokenAt: string | undefined;
  /** Events of all watches. */
  #events = 0;
  /** What comes next if the watch is silent until its deadline; undefined while it is being opened. */
  #afterSilence: 'watch' | 'list' | undefined;

  constructor(options: WatchOptions<T>) {
    this.#options = options;
    this.#bookmarks = !(options.resource.group === EVENTS.group && options.resource.plural === EVENTS.plural);
  }

  /** A list is complete; the next one is due at this monotonic time. */
  listed(relistAt: number): void {
    this.#relistAt = relistAt;
    this.#quietBefore = 0;
    this.#brokenAt = undefined;
  }

  /** One watch, from opening it to its end. Rejects only with the signal's reason. */
  async run(signal: AbortSignal): Promise<WatchEnd> {
    const { clock, timings, encodings, path } = this.#options;
    const deadline = new Deadline(clock, signal);
    const openedAt = clock.monotonic();
    const eventsBefore = this.#events;
    const healthy = (): boolean => this.#events > eventsBefore || clock.monotonic() - openedAt >= timings.watchTooShort;
    let cancelWorking: (() => void) | undefined;
    try {
      const response = await this.#open(deadline);
      // A resumed watch counts once it has lived for a moment: it may be told at once that its version is gone.
      cancelWorking = clock.after(timings.watchTooShort, this.#options.onWorking);
      this.#quietSince = clock.monotonic();
      const decoder = encodings.decoder(response.contentType);
      this.#arm(deadline);
      for await (const pieces of response.pieces()) {
        for (const piece of pieces) {
          const end = this.#piece(piece, decoder, response.authorization);
          if (end !== undefined) return end;
        }
        if (clock.monotonic() >= this.#relistAt) return { next: 'list' };
        this.#arm(deadline);
      }
    } catch (error) {
      signal.throwIfAborted();
      if (deadline.expired && this.#afterSilence !== undefined) return { next: this.#afterSilence };
      if (!(error instanceof Error)) throw error;
      if (error instanceof DecodeError) return this.#broken(error);
      // A healthy watch may be cut at any time; only if it cannot be opened again there is something to tell.
      if (healthy() && isInterrupted(error)) return { next: 'watch' };
      return isExpired(error) || isRefusal(error) ? { next: 'list', error } : { next: 'pause', error };
    } finally {
      cancelWorking?.();
      deadline.end();
      if (cancelWorking !== undefined) this.#quietBefore += clock.monotonic() - this.#quietSince;
    }
    if (healthy()) return { next: 'watch' };
    const text = 'a watch ended at once, without an event';
    return { next: 'pause', error: new KubernetesError({ code: 'interrupted', method: 'WATCH', path, text }) };
  }

  #open(deadline: Deadline): Promise<ApiResponse> {
    const { transport, timings, path, selection, encodings, timeoutSeconds, version } = this.#options;
    this.#afterSilence = undefined;
    // Headers are awaited by the transport; of a refusal its text as well.
    const text = 'the answer to a watch was not complete';
    const ms = timings.connect + timings.watchHeaders + timings.watchGrace;
    deadline.set(ms, () => new KubernetesError({ code: 'timeout', method: 'WATCH', path, text }));
    return transport.send({
      method: 'GET',
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
      lane: 'stream',
      headersMs: timings.watchHeaders,
      signal: deadline.signal,
    });
  }

  /** A piece of a watch. Returns why the watch has to end, undefined if it goes on. */
  #piece(piece: Uint8Array, decoder: Decoder, authorization: string | undefined): WatchEnd | undefined {
    for (const line of decoder.split(piece)) {
      const end = this.#take(line, decoder, authorization);
      if (end !== undefined) return end;
    }
    return undefined;
  }

  /** One line of a watch. Returns why the watch has to end, undefined if it goes on. */
  #take(line: Uint8Array, decoder: Decoder, authorization: string | undefined): WatchEnd | undefined {
    const { clock, log, path, resource } = this.#options;
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
    this.#quietSince = clock.monotonic();
    this.#quietBefore = 0;
    switch (event.type) {
      case 'BOOKMARK':
        this.#options.onBookmark(version);
        break;
      case 'ADDED':
      case 'MODIFIED':
      case 'DELETED':
        this.#events++;
        this.#options.onEvent(event.type, object, version);
        break;
      default:
        log.warning('Kubernetes sent an unknown kind of event', { kind: resource.plural, type: event.type });
    }
    this.#options.onWorking();
    return undefined;
  }

  #badLine(line: Uint8Array, cause?: unknown): KubernetesError {
    const text = `a watch sent a line of ${line.length} bytes that is no event`;
    return new KubernetesError({ code: 'bad-answer', method: 'WATCH', path: this.#options.path, text, cause });
  }

  /** Watch again; if the same place breaks twice, list. */
  #broken(error: Error): WatchEnd {
    const version = this.#options.version();
    const again = this.#brokenAt === version;
    this.#brokenAt = version;
    return again ? { next: 'list', error } : { next: 'pause', error };
  }

  /** Sets the watch's deadline to the first moment at which its silence means something. */
  #arm(deadline: Deadline): void {
    const { clock, log, timings, resource, path, timeoutSeconds } = this.#options;
    const idle = timeoutSeconds > 0 ? timeoutSeconds * 1000 + timings.watchGrace : timings.watchIdle;
    const silence = this.#bookmarks ? Math.max(0, timings.watchSilence - this.#quietBefore) : Number.POSITIVE_INFINITY;
    const relist = Math.max(0, this.#relistAt - clock.monotonic());
    const ms = Math.min(idle, silence, relist);
    this.#afterSilence = ms === idle ? 'watch' : 'list';
    deadline.set(ms, () => {
      if (ms !== relist) log.debug('A watch is silent', { kind: resource.plural, ms, listing: ms === silence });
      return new KubernetesError({ code: 'timeout', method: 'WATCH', path, text: 'the watch is silent' });
    });
  }
}

function isInterrupted(error: Error): boolean {
  return error instanceof KubernetesError && error.code === 'interrupted';
}

/** An answer that another try with the same version would not change: a resourceVersion the server cannot read. */
function isRefusal(error: Error): boolean {
  return error instanceof KubernetesError && ['bad-request', 'not-found', 'invalid'].includes(error.code);
}
