import type { ServerResponse } from 'node:http';
import type { Pod } from 'kubernetes-types/core/v1.d.ts';
import t, { type Test } from 'tap';
import type { ClientOptions } from '../../src/kubernetes/client.ts';
import { EVENTS, PODS, type Reflector, type ReflectorEvent, type Resource } from '../../src/kubernetes/contract.ts';
import { apiServer, clientOf, type Exchange, recordingLog, status } from './server.ts';

interface Slim {
  readonly uid: string;
  readonly name: string;
  readonly resourceVersion: string;
  readonly phase: string | undefined;
}

/** `pod('a', 5)`: uid `uid-a`, version 5. */
function pod(name: string, version: number, phase = 'Running', uid = `uid-${name}`): Pod {
  return { metadata: { name, uid, resourceVersion: String(version) }, status: { phase } };
}

const project = (object: Pod): Slim => ({
  uid: object.metadata?.uid ?? '',
  name: object.metadata?.name ?? '',
  resourceVersion: object.metadata?.resourceVersion ?? '',
  phase: object.status?.phase,
});

const listOf = (version: number, items: readonly Pod[], next?: string) => ({
  kind: 'PodList',
  apiVersion: 'v1',
  metadata: { resourceVersion: String(version), ...(next === undefined ? {} : { continue: next }) },
  items,
});

const line = (type: string, object: unknown): string => `${JSON.stringify({ type, object })}\n`;
const bookmark = (version: number): string =>
  line('BOOKMARK', { kind: 'Pod', metadata: { resourceVersion: String(version) }, spec: { containers: null } });

/** What the server does with a request, one step each; after the last one watches stay open and silent. */
type Step = (exchange: Exchange) => void | Promise<void>;

const lists =
  (version: number, items: readonly Pod[], next?: string): Step =>
  (exchange) =>
    exchange.answer(200, listOf(version, items, next));
const refuses =
  (code: number, reason: string, message = reason, details?: unknown): Step =>
  (exchange) =>
    exchange.answer(code, status(code, reason, message, details));
const begins = (response: ServerResponse): void => {
  response.writeHead(200, { 'content-type': 'application/json' });
  response.flushHeaders();
};
/** Sends the lines, then ends in order after `ms`. */
const watches =
  (lines: readonly string[], ms = 30): Step =>
  ({ response }) => {
    begins(response);
    for (const text of lines) response.write(text);
    setTimeout(() => response.end(), ms);
  };
/** Sends the lines and then nothing more. */
const stays =
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

async function watching(
  t: Test,
  steps: readonly Step[],
  options: Partial<ClientOptions> & { resource?: Resource<Pod> } = {},
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
    onEvent: (event) => {
      full.push(event);
      if (event.type === 'SYNCED') events.push(`SYNCED ${event.resourceVersion}`);
      else if (event.type === 'DESYNCED') events.push('DESYNCED');
      else {
        const { name, resourceVersion, phase } = event.object;
        const how = event.type === 'DELETED' ? ` ${event.found}` : '';
        events.push(`${event.type} ${name} ${resourceVersion} ${phase}${how}`);
      }
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

const never = new AbortController().signal;

t.test('lists in pages, watches from the first page version, and tells what changes', async (t) => {
  const w = await watching(t, [
    lists(10, [pod('a', 3), pod('b', 4)], 'next-1'),
    lists(12, [pod('c', 5, 'Pending')]),
    stays(line('MODIFIED', pod('c', 11)), line('ADDED', pod('d', 12)), line('DELETED', pod('a', 13)), bookmark(20)),
  ]);
  await w.reflector.reached('20', never);
  t.strictSame(w.requests, ['LIST limit=2', 'LIST limit=2 continue=next-1', 'WATCH resourceVersion=10']);
  t.strictSame(w.events, [
    'ADDED a 3 Running',
    'ADDED b 4 Running',
    'ADDED c 5 Pending',
    'SYNCED 10',
    'MODIFIED c 11 Running',
    'ADDED d 12 Running',
    'DELETED a 13 Running watch',
  ]);
  t.strictSame(w.full[4], {
    type: 'MODIFIED',
    object: { uid: 'uid-c', name: 'c', resourceVersion: '11', phase: 'Running' },
    previous: { uid: 'uid-c', name: 'c', resourceVersion: '5', phase: 'Pending' },
  });
  t.strictSame(
    [...w.reflector.objects()].map(({ name }) => name),
    ['b', 'c', 'd'],
  );
  t.equal(w.reflector.get('uid-d')?.resourceVersion, '12');
  t.equal(w.reflector.get('uid-a'), undefined);
  const state = w.reflector.state();
  t.ok(state.syncedSince !== undefined && state.lastEventAt !== undefined);
  t.equal(state.failuresInARow, 0);
  await w.stop();
  t.equal(w.reflector.state().syncedSince, undefined, 'a reflector that was stopped is not in sync');
});

t.test('asks for what it should', async (t) => {
  const paths: string[] = [];
  const server = await apiServer(t, ({ url, answer, response }) => {
    paths.push(url.pathname + url.search);
    if (url.searchParams.has('watch')) begins(response);
    else answer(200, listOf(10, []));
  });
  const client = clientOf(t, server.url, { watchTimeoutSeconds: 300 });
  const stopping = new AbortController();
  const reflector = client.reflector<Pod, Slim>({
    resource: PODS,
    selection: { labelSelector: 'a=b', fieldSelector: 'reason!=Scheduled,reason!=Pulled' },
    project,
    onEvent: () => {},
  });
  const running = reflector.run(stopping.signal);
  while (paths.length < 2) await new Promise(setImmediate);
  t.strictSame(paths, [
    '/api/v1/namespaces/rstudio/pods?labelSelector=a%3Db&fieldSelector=reason!%3DScheduled%2Creason!%3DPulled&limit=500',
    '/api/v1/namespaces/rstudio/pods?labelSelector=a%3Db&fieldSelector=reason!%3DScheduled%2Creason!%3DPulled&watch=true&resourceVersion=10&allowWatchBookmarks=true&timeoutSeconds=300',
  ]);
  stopping.abort();
  await running;
});

t.test('resumes from the last version, of an event or a bookmark, without listing', async (t) => {
  const w = await watching(t, [
    lists(10, []),
    watches([line('ADDED', pod('a', 15))]),
    watches([bookmark(40)]),
    stays(line('MODIFIED', pod('a', 41))),
  ]);
  await w.reflector.reached('41', never);
  t.strictSame(w.requests, [
    'LIST limit=2',
    'WATCH resourceVersion=10',
    'WATCH resourceVersion=15',
    'WATCH resourceVersion=40',
  ]);
  t.strictSame(
    w.events,
    ['SYNCED 10', 'ADDED a 15 Running', 'MODIFIED a 41 Running'],
    'a watch that ends is nothing to tell',
  );
  t.equal(w.mostWatches(), 1);
});

t.test('bytes may be split anywhere', async (t) => {
  const text = Buffer.from(line('ADDED', pod('ä-€-😀', 15)) + line('ADDED', pod('b', 16)));
  const w = await watching(t, [
    lists(10, []),
    async ({ response }) => {
      begins(response);
      response.socket?.setNoDelay(true);
      for (const byte of text) {
        response.write(Buffer.of(byte));
        await new Promise(setImmediate);
      }
    },
  ]);
  await w.reflector.reached('16', never);
  t.strictSame(w.events.slice(1), ['ADDED ä-€-😀 15 Running', 'ADDED b 16 Running']);
});

t.test('a connection that breaks, and a server that is away, do not lead to a list', async (t) => {
  const w = await watching(t, [
    lists(10, [pod('a', 9)]),
    ({ response }) => {
      begins(response);
      response.write(line('MODIFIED', pod('a', 11)) + line('MODIFIED', pod('a', 12)).slice(0, 20));
      setTimeout(() => response.socket?.destroy(), 10);
    },
    refuses(429, 'TooManyRequests'),
    refuses(500, 'InternalError'),
    refuses(403, 'Forbidden'),
    refuses(401, 'Unauthorized'),
    ({ response }) => void response.socket?.destroy(),
    stays(line('MODIFIED', pod('a', 12)), bookmark(13)),
  ]);
  await w.reflector.reached('13', never);
  t.strictSame(w.requests, ['LIST limit=2', 'WATCH resourceVersion=10', ...Array(6).fill('WATCH resourceVersion=11')]);
  t.strictSame(
    w.events,
    [
      'ADDED a 9 Running',
      'SYNCED 10',
      'MODIFIED a 11 Running',
      'DESYNCED',
      'DESYNCED',
      'DESYNCED',
      'DESYNCED',
      'DESYNCED',
      'DESYNCED',
      'MODIFIED a 12 Running',
      'SYNCED 12',
    ].filter((event, i, all) => event !== 'DESYNCED' || all[i - 1] !== 'DESYNCED'),
  );
  t.equal(w.log.lines.filter(({ level }) => level === 'WARNING').length, 1, 'one warning for one trouble');
});

t.test('410 as a line of the watch, and as an answer: lists at once, and tells only differences', async (t) => {
  const expired = status(410, 'Expired', 'too old resource version: 10 (3239)');
  const w = await watching(t, [
    lists(10, [pod('a', 5), pod('gone', 6), pod('same', 7)]),
    watches([line('ERROR', expired)], 0),
    lists(50, [pod('a', 30, 'Succeeded'), pod('same', 7)], 'p2'),
    lists(50, [pod('new', 31)]),
    refuses(410, 'Gone', 'too old resource version'),
    lists(60, [pod('same', 7)]),
    stays(bookmark(61)),
  ]);
  await w.reflector.reached('61', never);
  t.strictSame(w.requests, [
    'LIST limit=2',
    'WATCH resourceVersion=10',
    'LIST limit=2',
    'LIST limit=2 continue=p2',
    'WATCH resourceVersion=50',
    'LIST limit=2',
    'WATCH resourceVersion=60',
  ]);
  t.strictSame(w.events, [
    'ADDED a 5 Running',
    'ADDED gone 6 Running',
    'ADDED same 7 Running',
    'SYNCED 10',
    'DESYNCED',
    'DELETED gone 6 Running relist',
    'MODIFIED a 30 Succeeded',
    'ADDED new 31 Running',
    'SYNCED 50',
    'DESYNCED',
    'DELETED a 30 Succeeded relist',
    'DELETED new 31 Running relist',
    'SYNCED 60',
  ]);
});

t.test('a version of the future (504 ResourceVersionTooLarge) leads to a list', async (t) => {
  const tooLarge = refuses(504, 'Timeout', 'Too large resource version: 99999999, current: 2664', {
    causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }],
    retryAfterSeconds: 1,
  });
  const w = await watching(t, [lists(99999999, [pod('a', 5)]), tooLarge, lists(2664, []), stays(bookmark(2665))]);
  await w.seen(5);
  await w.asked(4);
  t.strictSame(w.requests, [
    'LIST limit=2',
    'WATCH resourceVersion=99999999',
    'LIST limit=2',
    'WATCH resourceVersion=2664',
  ]);
  t.strictSame(w.events, [
    'ADDED a 5 Running',
    'SYNCED 99999999',
    'DESYNCED',
    'DELETED a 5 Running relist',
    'SYNCED 2664',
  ]);
});

t.test('a silent watch, as one from the future is, leads to a list; bookmarks keep it', async (t) => {
  const w = await watching(
    t,
    [
      lists(900, [pod('a', 800)]),
      async ({ response }) => {
        begins(response);
        for (let version = 901; version < 906; version++) {
          response.write(bookmark(version));
          await new Promise((resolve) => setTimeout(resolve, 120));
        }
      },
      lists(20, [pod('b', 15)]),
      stays(bookmark(21)),
    ],
    { timings: { watchSilence: 500 } },
  );
  await w.asked(4);
  await w.seen(4);
  t.strictSame(w.requests, ['LIST limit=2', 'WATCH resourceVersion=900', 'LIST limit=2', 'WATCH resourceVersion=20']);
  t.strictSame(
    w.events,
    ['ADDED a 800 Running', 'SYNCED 900', 'DELETED a 800 Running relist', 'ADDED b 15 Running'],
    'the cluster was set back: what it no longer has is deleted although it is newer than the list',
  );
});

t.test('silence adds up over watches that the server ends early', async (t) => {
  const either: Step = (exchange) =>
    exchange.url.searchParams.has('watch') ? watches([], 40)(exchange) : lists(20, [])(exchange);
  const w = await watching(t, [lists(900, []), ...Array(20).fill(either)], { timings: { watchSilence: 150 } });
  await w.reflector.synced(never);
  while (w.requests.filter((request) => request.startsWith('LIST')).length < 2) await new Promise(setImmediate);
  const second = w.requests.lastIndexOf('LIST limit=2');
  t.ok(second > 2, 'no single watch was silent for so long');
  t.strictSame(w.requests.slice(0, second), ['LIST limit=2', ...Array(second - 1).fill('WATCH resourceVersion=900')]);
});

t.test('a watch that now and then sends a bookmark is not silent', async (t) => {
  const marks = Array.from({ length: 8 }, (_, i) => watches([bookmark(901 + i)], 60));
  const w = await watching(t, [lists(900, []), ...marks, stays(bookmark(950))], { timings: { watchSilence: 400 } });
  await w.reflector.reached('950', never);
  t.equal(w.requests.filter((request) => request.startsWith('LIST')).length, 1);
});

t.test('watches of events send no bookmarks: their silence only opens them again', async (t) => {
  const w = await watching(t, [lists(10, []), stays(), stays(bookmark(11))], {
    resource: { ...PODS, plural: EVENTS.plural, kind: EVENTS.kind },
    timings: { watchSilence: 20, watchIdle: 300 },
  });
  await w.reflector.reached('11', never);
  t.strictSame(w.requests, ['LIST limit=2', 'WATCH resourceVersion=10', 'WATCH resourceVersion=10']);
  t.strictSame(w.events, ['SYNCED 10']);
});

t.test('a frozen server: the headers of a watch and of a list have deadlines', async (t) => {
  const frozen: Step = () => {};
  const w = await watching(t, [frozen, lists(10, []), frozen, stays(bookmark(11))], {
    requestTimeoutMs: 1_000,
    timings: { watchHeaders: 100 },
  });
  await w.reflector.reached('11', never);
  t.strictSame(w.requests, ['LIST limit=2', 'LIST limit=2', 'WATCH resourceVersion=10', 'WATCH resourceVersion=10']);
  t.equal(w.mostWatches(), 1);
});

t.test('a list that freezes in the middle of its body', async (t) => {
  const w = await watching(
    t,
    [
      ({ response }) => {
        begins(response);
        response.write('{"kind":"PodList","metadata":{"resourceVersion":"10"},"items":[');
      },
      lists(10, []),
      stays(bookmark(11)),
    ],
    { requestTimeoutMs: 1_000 },
  );
  await w.reflector.reached('11', never);
  t.strictSame(w.requests, ['LIST limit=2', 'LIST limit=2', 'WATCH resourceVersion=10']);
});

t.test('a full list from time to time finds what the watch did not tell', async (t) => {
  const w = await watching(
    t,
    [lists(10, [pod('a', 5), pod('b', 6)]), stays(bookmark(12)), lists(20, [pod('a', 5)]), stays(bookmark(21))],
    {
      timings: { relist: 60 },
    },
  );
  await w.seen(4);
  t.strictSame(w.requests.slice(0, 3), ['LIST limit=2', 'WATCH resourceVersion=10', 'LIST limit=2']);
  t.strictSame(w.events.slice(0, 4), [
    'ADDED a 5 Running',
    'ADDED b 6 Running',
    'SYNCED 10',
    'DELETED b 6 Running relist',
  ]);
});

t.test('an expired continue token begins the list again, the second time without pages', async (t) => {
  const expired = refuses(
    410,
    'Expired',
    'The provided continue parameter is too old to display a consistent list result.',
  );
  const w = await watching(t, [
    lists(10, [pod('a', 1), pod('b', 2)], 't1'),
    expired,
    lists(12, [pod('b', 2), pod('c', 11)], 't2'),
    expired,
    lists(13, [pod('c', 11), pod('d', 12)]),
    stays(bookmark(14)),
  ]);
  await w.reflector.reached('14', never);
  t.strictSame(w.requests, [
    'LIST limit=2',
    'LIST limit=2 continue=t1',
    'LIST limit=2',
    'LIST limit=2 continue=t2',
    'LIST',
    'WATCH resourceVersion=13',
  ]);
  t.strictSame(
    w.events,
    ['ADDED c 11 Running', 'ADDED d 12 Running', 'SYNCED 13'],
    'pages of a list that did not finish do not count',
  );
});

t.test('a watch that ends at once without an event has failed', async (t) => {
  const w = await watching(t, [lists(10, []), watches([], 0), watches([bookmark(11)], 0), stays(bookmark(12))], {
    timings: { watchTooShort: 500, backoffFirst: 30, backoffLongest: 60 },
  });
  await w.reflector.reached('12', never);
  t.strictSame(w.requests, [
    'LIST limit=2',
    'WATCH resourceVersion=10',
    'WATCH resourceVersion=10',
    'WATCH resourceVersion=11',
  ]);
  t.equal(w.full.find((event) => event.type === 'DESYNCED')?.error.message.includes('ended at once'), true);
});

t.test('a line that is no event restarts the watch; at the same place again it leads to a list', async (t) => {
  const w = await watching(t, [
    lists(10, []),
    watches([line('ADDED', pod('a', 11)), 'this is not JSON\n']),
    watches(['{"type":"MODIFIED"}\n']),
    lists(20, [pod('a', 11)]),
    watches([line('ERROR', status(500, 'InternalError', 'etcdserver: no leader for Bearer token-1'))]),
    stays(line('SOMETHING', pod('x', 24)), bookmark(25)),
  ]);
  await w.reflector.reached('25', never);
  t.strictSame(w.requests, [
    'LIST limit=2',
    'WATCH resourceVersion=10',
    'WATCH resourceVersion=11',
    'LIST limit=2',
    'WATCH resourceVersion=20',
    'WATCH resourceVersion=20',
  ]);
  const errors = w.log.lines.flatMap(({ fields }) => fields?.error ?? []);
  t.match(errors[0], { code: 'bad-answer', cause: { message: 'not JSON' } }, 'without a word of the line');
  t.match(errors.at(-1), { code: 'server-error', text: 'etcdserver: no leader for Bearer ***' }, 'without the token');
  t.ok(
    w.log.lines.some(
      ({ sentence, fields }) => sentence.includes('unknown kind of event') && fields?.['type'] === 'SOMETHING',
    ),
  );
});

t.test('Retry-After is honoured, for lists and watches', async (t) => {
  const asked: number[] = [];
  const busy: Step = ({ response }) => {
    asked.push(performance.now());
    response.writeHead(429, { 'retry-after': '1' }).end('Too many requests, please try again later.');
  };
  const w = await watching(t, [
    busy,
    (e) => {
      asked.push(performance.now());
      lists(10, [])(e);
    },
    stays(bookmark(11)),
  ]);
  await w.reflector.reached('11', never);
  t.ok((asked[1] ?? 0) - (asked[0] ?? 0) >= 990);
});

t.test('a job of the same name is another one; an old version changes nothing', async (t) => {
  const w = await watching(t, [
    lists(10, [pod('a', 5, 'Running', 'first')]),
    stays(
      line('ADDED', pod('a', 11, 'Pending', 'second')),
      line('DELETED', pod('a', 12, 'Failed', 'first')),
      line('DELETED', pod('never-seen', 13)),
      bookmark(14),
    ),
  ]);
  await w.reflector.reached('14', never);
  t.strictSame(w.events, ['ADDED a 5 Running', 'SYNCED 10', 'ADDED a 11 Pending', 'DELETED a 12 Failed watch']);
  t.strictSame(
    [...w.reflector.objects()].map(({ uid }) => uid),
    ['second'],
  );
});

t.test('offer: the answer of a write counts at once, and never twice or backwards', async (t) => {
  let response: ServerResponse | undefined;
  const w = await watching(t, [
    lists(10, [pod('a', 5)]),
    (exchange) => {
      response = exchange.response;
      begins(exchange.response);
      exchange.response.write(bookmark(12));
    },
    lists(30, [pod('a', 20)]),
    stays(bookmark(41)),
  ]);
  await w.reflector.reached('12', never);
  w.reflector.offer(project(pod('new', 15, 'Pending')));
  w.reflector.offer(project(pod('a', 20, 'Succeeded')));
  w.reflector.offer(project(pod('a', 14)));
  w.reflector.offer(project(pod('deleted-long-ago', 11)));
  t.strictSame(w.events.splice(0), [
    'ADDED a 5 Running',
    'SYNCED 10',
    'ADDED new 15 Pending',
    'MODIFIED a 20 Succeeded',
  ]);
  t.equal(w.reflector.get('uid-deleted-long-ago'), undefined, 'what the watch has passed and does not know is gone');
  response?.write(
    line('ADDED', pod('new', 15, 'Pending')) +
      line('MODIFIED', pod('a', 17)) +
      line('MODIFIED', pod('a', 20, 'Succeeded')),
  );
  await w.reflector.reached('20', never);
  t.strictSame(w.events.splice(0), []);
  w.reflector.offer(project(pod('later', 35)));
  w.reflector.offer(project(pod('lost', 25)));
  t.strictSame(w.events.splice(0), ['ADDED later 35 Running', 'ADDED lost 25 Running']);
  response?.write(line('ERROR', status(410, 'Expired', 'too old')));
  await w.reflector.reached('41', never);
  t.strictSame(
    w.events.filter((event) => event.startsWith('DELETED')),
    ['DELETED new 15 Pending relist', 'DELETED lost 25 Running relist'],
    'an object newer than the list is not taken as deleted by it',
  );
  t.ok(w.reflector.get('uid-later'));
});

t.test('synced and reached end with their signals', async (t) => {
  const w = await watching(t, [() => {}]);
  const leaving = new AbortController();
  const waits = [w.reflector.synced(leaving.signal), w.reflector.reached('5', leaving.signal)];
  leaving.abort(new Error('no longer wanted'));
  for (const wait of waits) await t.rejects(wait, { message: 'no longer wanted' });
  await t.rejects(w.reflector.synced(leaving.signal), { message: 'no longer wanted' });
  t.equal(w.reflector.state().syncedSince, undefined);
});

t.test('versions are compared as numbers', async (t) => {
  const w = await watching(t, [
    lists(98, []),
    stays(line('ADDED', pod('a', 99)), line('MODIFIED', pod('a', 100, 'Failed')), bookmark(101)),
  ]);
  await w.reflector.reached('100', never);
  t.strictSame(w.events.slice(1), ['ADDED a 99 Running', 'MODIFIED a 100 Failed']);
});

t.test('a listener or a projection that throws does not end the watch', async (t) => {
  const log = recordingLog();
  const server = await apiServer(t, ({ url, answer, response }) => {
    if (!url.searchParams.has('watch')) {
      answer(200, listOf(10, [pod('bad', 5), pod('good', 6)]));
      return;
    }
    begins(response);
    response.write(line('MODIFIED', pod('good', 11)) + bookmark(12));
  });
  const client = clientOf(t, server.url, {}, log);
  const seen: string[] = [];
  const reflector = client.reflector<Pod, Slim>({
    resource: PODS,
    selection: {},
    project: (object) => {
      if (object.metadata?.name === 'bad') throw new Error('cannot read it');
      return project(object);
    },
    onEvent: (event) => {
      seen.push(event.type);
      if (event.type === 'MODIFIED') throw new Error('cannot take it');
    },
  });
  const stopping = new AbortController();
  const running = reflector.run(stopping.signal);
  await reflector.reached('12', never);
  t.strictSame(seen, ['ADDED', 'SYNCED', 'MODIFIED']);
  t.equal(log.lines.filter(({ level }) => level === 'ERROR').length, 2);
  stopping.abort();
  await running;
});

t.test('a cut watch is opened again at once and without a word, if it was healthy', async (t) => {
  const cut: Step = ({ response }) => {
    begins(response);
    response.write(bookmark(11));
    setTimeout(() => response.socket?.destroy(), 40);
  };
  const w = await watching(t, [lists(10, []), cut, stays(bookmark(12))], { timings: { backoffFirst: 60_000 } });
  await w.reflector.reached('12', never);
  t.strictSame(w.events, ['SYNCED 10']);
  t.strictSame(w.requests, ['LIST limit=2', 'WATCH resourceVersion=10', 'WATCH resourceVersion=11']);
});

t.test('an outage is no silence of the watch', async (t) => {
  const away: Step = refuses(503, 'ServiceUnavailable', 'the server is shutting down');
  const w = await watching(t, [lists(10, []), watches([], 40), ...Array(10).fill(away), stays(bookmark(11))], {
    timings: { watchSilence: 500, backoffFirst: 80, backoffLongest: 80 },
  });
  await w.reflector.reached('11', never);
  t.equal(w.requests.filter((request) => request.startsWith('LIST')).length, 1);
});

t.test('an API server that restarts under 1,000 objects: all of them are right afterwards', async (t) => {
  // FACTS 100, 108: connection refused, a 403 for a valid token, a watch cache without history, then everything as it is.
  const before = new Map(Array.from({ length: 1_000 }, (_, i) => [`job-${i}`, pod(`job-${i}`, i + 1)]));
  const after = new Map(before);
  for (let i = 0; i < 1_000; i += 10) after.delete(`job-${i}`);
  for (let i = 1; i < 1_000; i += 10) after.set(`job-${i}`, pod(`job-${i}`, 5_000 + i, 'Succeeded'));
  for (let i = 0; i < 50; i++) after.set(`new-${i}`, pod(`new-${i}`, 7_000 + i, 'Pending'));
  let objects = before;
  let version = 2_000;
  let starting = 0;
  const pages: number[] = [];
  const handler = ({ url, answer, response }: Exchange): void => {
    if (starting-- > 0) {
      answer(403, status(403, 'Forbidden', 'pods is forbidden: User "x" cannot list resource "pods"'));
      return;
    }
    const query = url.searchParams;
    if (query.has('watch')) {
      begins(response);
      if (Number(query.get('resourceVersion')) < version) {
        response.end(line('ERROR', status(410, 'Expired', 'too old resource version')));
      } else response.write(bookmark(version + 1));
      return;
    }
    const start = Number(query.get('continue') ?? 0);
    const items = [...objects.values()].slice(start, start + 100);
    pages.push(items.length);
    answer(200, listOf(version, items, start + 100 < objects.size ? String(start + 100) : undefined));
  };
  const first = await apiServer(t, handler);
  const client = clientOf(t, first.url, { fetchLimit: 100, timings: { watchTooShort: 0 } });
  const told: Record<string, number> = {};
  const reflector = client.reflector<Pod, Slim>({
    resource: PODS,
    selection: {},
    project,
    onEvent: ({ type }) => {
      told[type] = (told[type] ?? 0) + 1;
    },
  });
  const stopping = new AbortController();
  const running = reflector.run(stopping.signal);
  await reflector.reached('2001', never);
  t.strictSame(told, { ADDED: 1_000, SYNCED: 1 });
  await first.stop();
  objects = after;
  version = 9_000;
  starting = 3;
  await apiServer(t, handler, { port: first.port });
  await reflector.reached('9001', never);
  t.strictSame(pages, Array(20).fill(100).with(19, 50), 'ten pages, and ten pages');
  t.equal(told['ADDED'], 1_050);
  t.equal(told['MODIFIED'], 100);
  t.equal(told['DELETED'], 100);
  const known = [...reflector.objects()].map(
    ({ name, resourceVersion, phase }) => `${name} ${resourceVersion} ${phase}`,
  );
  const expected = [...after.values()].map(
    ({ metadata, status }) => `${metadata?.name} ${metadata?.resourceVersion} ${status?.phase}`,
  );
  t.strictSame(known.sort(), expected.sort());
  stopping.abort();
  await running;
});
