/**
 * Watches: history, then live; selectors, bookmarks, time-outs, 410 in the stream (kubernetes-facts.md 99 to 107).
 */
import type { ServerResponse } from 'node:http';
import type { StoredObject } from '../model.ts';
import type { Pace } from '../pace.ts';
import { createTimers } from '../timers.ts';
import { commonHeaders } from './answer.ts';
import { type Encoding, JSON_ENCODING } from './encodings.ts';
import type { Target } from './request.ts';
import { apiVersionOf, type Resource } from './resources.ts';
import { bothSelectors, type Matcher } from './selectors.ts';
import { ApiError, expired, invalid } from './status.ts';
import type { Change, Store } from './store.ts';

/** Without timeoutSeconds the server chooses 30 to 60 minutes. */
const DEFAULT_TIMEOUT_S = 1800;
const BOOKMARK_MS = 60_000;
/** Bookmarks also come this long before the time-out; none for very short watches. */
const LAST_BOOKMARKS_MS = [2000, 1000];
/** A reader that is this many bytes behind is dropped with a clean end (kubernetes-facts.md 107). */
const MAX_BEHIND = 16 * 1024 * 1024;

export interface OpenWatch {
  readonly resource: Resource;
  readonly response: ServerResponse;
  /** Ends it cleanly, without an ERROR line. */
  readonly end: () => void;
  /** Writes one line as it is. */
  readonly write: (line: Line) => void;
}

/** An event as it is sent: a line of JSON, or a frame of protobuf. */
type Line = string | Buffer;

export interface WatchOptions {
  /** Called for each line before it is written; what it returns is written instead (duplicates, for one). */
  readonly lines?: (line: Line) => readonly Line[];
  readonly bookmarkMs?: number;
  /** Default JSON. */
  readonly encoding?: Encoding;
}

export function serveWatch(
  store: Store,
  { resource, namespace }: Target,
  query: URLSearchParams,
  response: ServerResponse,
  pace: Pace,
  options: WatchOptions = {},
): OpenWatch {
  const matches = bothSelectors(resource, query.get('labelSelector') ?? '', query.get('fieldSelector') ?? '');
  const wanted: Matcher = (object) => (namespace === '' || object.metadata.namespace === namespace) && matches(object);
  const bookmarks = query.get('allowWatchBookmarks') === 'true' && resource.cached;
  const asked = query.get('sendInitialEvents') === 'true';
  if (asked && query.get('resourceVersionMatch') !== 'NotOlderThan') throw needsMatch();
  const from = watchVersion(query.get('resourceVersion'));
  // Who asks for bookmarks and names no version is told the end of what is there, too (recorded in 22-nodes).
  const initial = asked || (from === 0 && bookmarks && !query.has('sendInitialEvents'));
  const scale = pace.timeScale;
  const timeoutMs = (Number(query.get('timeoutSeconds') || DEFAULT_TIMEOUT_S) * 1000) / scale;

  const encoding = options.encoding ?? JSON_ENCODING;
  response.writeHead(200, commonHeaders(encoding.streamType));
  response.flushHeaders();

  const timers = createTimers(pace.clock);
  let unlisten: (() => void) | undefined;
  let ended = false;
  let seen = from;

  function stop(): void {
    timers.close();
    unlisten?.();
  }
  function end(): void {
    if (ended) return;
    ended = true;
    stop();
    response.end();
  }
  function write(line: Line): void {
    if (ended) return;
    for (const text of options.lines?.(line) ?? [line]) response.write(text);
    if (response.writableLength > MAX_BEHIND) end();
  }
  function send(type: string, object: object): void {
    write(encoding.event({ type, object }));
  }
  function forward(change: Change): void {
    if (change.revision <= seen) return;
    seen = change.revision;
    const event = visible(change, wanted);
    if (event !== undefined) send(event.type, event.object);
  }
  function bookmark(annotations?: Record<string, string>): void {
    send('BOOKMARK', {
      kind: resource.kind,
      apiVersion: apiVersionOf(resource),
      metadata: {
        resourceVersion: String(Math.max(seen, store.revision())),
        ...(annotations === undefined ? {} : { annotations }),
      },
      ...resource.bookmark,
    });
  }

  response.on('close', () => {
    ended = true;
    stop();
  });
  timers.after(timeoutMs, end);

  if (from > 0 && !initial) {
    if (from > store.revision()) {
      // A version of the future: silence until it is reached (kubernetes-facts.md 101).
    } else {
      const changes = store.since(resource, from);
      if (changes === undefined) {
        send('ERROR', tooOld(resource, from, store.revision()));
        end();
        return { resource, response, end, write };
      }
      for (const change of changes) forward(change);
    }
  } else {
    const objects: StoredObject[] = store.list(resource, namespace === '' ? undefined : namespace);
    for (const object of objects.filter(wanted)) send('ADDED', object);
    seen = store.revision();
    if (initial && bookmarks) bookmark({ 'k8s.io/initial-events-end': 'true' });
  }
  unlisten = store.listen(resource, forward);
  if (bookmarks) {
    const every = options.bookmarkMs ?? BOOKMARK_MS / scale;
    timers.every(every, bookmark);
    if (timeoutMs * scale > Math.max(...LAST_BOOKMARKS_MS)) {
      for (const before of LAST_BOOKMARKS_MS) timers.after(timeoutMs - before / scale, bookmark);
    }
  }
  return { resource, response, end, write };
}

/** What a watcher with a selector sees of a change (kubernetes-facts.md 106). */
export function visible(change: Change, wanted: Matcher): { type: string; object: StoredObject } | undefined {
  const now = wanted(change.object);
  if (change.type !== 'MODIFIED') return now ? change : undefined;
  const before = change.previous !== undefined && wanted(change.previous);
  if (now) return { type: before ? 'MODIFIED' : 'ADDED', object: change.object };
  return before ? { type: 'DELETED', object: change.object } : undefined;
}

function watchVersion(text: string | null): number {
  if (text === null || text === '') return 0;
  if (/^\d+$/.test(text)) return Number(text);
  throw new ApiError(
    500,
    undefined,
    `resourceVersion: Invalid value: ${JSON.stringify(text)}: strconv.ParseUint: parsing ${JSON.stringify(text)}: invalid syntax`,
  );
}

function tooOld(resource: Resource, from: number, current: number): object {
  const message = resource.cached
    ? `too old resource version: ${from} (${current})`
    : 'The resourceVersion for the provided watch is too old.';
  return expired(message).status;
}

function needsMatch(): ApiError {
  return invalid('ListOptions', 'meta.k8s.io', '', [
    {
      reason: 'FieldValueForbidden',
      message: 'Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan',
      field: 'resourceVersionMatch',
    },
  ]);
}
