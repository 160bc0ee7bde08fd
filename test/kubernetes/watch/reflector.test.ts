/** List and watch: a list first, then what changes, from the last version on; a list again only when that is gone. */
import type { Pod } from 'kubernetes-types/core/v1.d.ts';
import t from 'tap';
import { PODS } from '../../../src/kubernetes/contract.ts';
import { apiServer, clientOf, refuses, type Step, status } from '../server.ts';
import {
  begins,
  bookmark,
  line,
  listOf,
  lists,
  never,
  pod,
  project,
  type Slim,
  stays,
  watches,
  watching,
} from './watching.ts';

t.test('lists in pages, watches from the first page version, and reports changes', async (t) => {
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
    'MODIFIED c 11 Running',
    'ADDED d 12 Running',
    'DELETED a 13 Running watch',
  ]);
  t.strictSame(w.full[3], {
    type: 'MODIFIED',
    object: { uid: 'uid-c', name: 'c', resourceVersion: '11', phase: 'Running' },
  });
  t.strictSame(
    [...w.reflector.objects()].map(({ name }) => name),
    ['b', 'c', 'd'],
  );
  t.equal(w.reflector.get('uid-d')?.resourceVersion, '12');
  t.equal(w.reflector.get('uid-a'), undefined);
  const state = w.reflector.state();
  t.strictSame(state, { synced: true, lastError: undefined });
  await w.stop();
  t.equal(w.reflector.state().synced, false, 'a reflector that was stopped is not in sync');
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
  t.strictSame(w.events, ['ADDED a 15 Running', 'MODIFIED a 41 Running'], 'a watch that ends is nothing to tell');
  t.equal(w.mostWatches(), 1);
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
  t.strictSame(w.events, ['ADDED a 9 Running', 'MODIFIED a 11 Running', 'MODIFIED a 12 Running']);
  t.equal(w.log.lines.filter(({ level }) => level === 'WARNING').length, 1, 'one warning for one trouble');
});

t.test('410 again and again: lists with pauses that grow', async (t) => {
  const w = await watching(
    t,
    Array(500)
      .fill(0)
      .map((_, i) => (i % 2 === 0 ? lists(10, []) : refuses(410, 'Gone', 'too old'))),
    {
      timings: { backoffFirst: 100, backoffLongest: 10_000 },
    },
  );
  await w.asked(5);
  const begun = performance.now();
  await w.asked(9);
  t.ok(performance.now() - begun >= 300, 'two pauses of 100 and 200 ms at least, half of them by chance');
});

t.test('410 as a line of the watch: lists at once in pages, and reports only differences', async (t) => {
  const w = await watching(t, [
    lists(10, [pod('a', 5), pod('gone', 6), pod('same', 7)]),
    watches([line('ERROR', status(410, 'Expired', 'too old resource version: 10 (3239)'))], 0),
    lists(50, [pod('a', 30, 'Succeeded'), pod('same', 7)], 'p2'),
    lists(50, [pod('new', 31)]),
    stays(bookmark(51)),
  ]);
  await w.reflector.reached('51', never);
  t.strictSame(w.requests, [
    'LIST limit=2',
    'WATCH resourceVersion=10',
    'LIST limit=2',
    'LIST limit=2 continue=p2',
    'WATCH resourceVersion=50',
  ]);
  t.strictSame(w.events, [
    'ADDED a 5 Running',
    'ADDED gone 6 Running',
    'ADDED same 7 Running',
    'DELETED gone 6 Running relist',
    'MODIFIED a 30 Succeeded',
    'ADDED new 31 Running',
  ]);
});

t.test('410 as the answer to a watch: lists at once, and reports only differences', async (t) => {
  const w = await watching(t, [
    lists(50, [pod('a', 30), pod('same', 7)]),
    refuses(410, 'Gone', 'too old resource version'),
    lists(60, [pod('same', 7)]),
    stays(bookmark(61)),
  ]);
  await w.reflector.reached('61', never);
  t.strictSame(w.requests, ['LIST limit=2', 'WATCH resourceVersion=50', 'LIST limit=2', 'WATCH resourceVersion=60']);
  t.strictSame(w.events, ['ADDED a 30 Running', 'ADDED same 7 Running', 'DELETED a 30 Running relist']);
});

t.test('a version of the future (504 ResourceVersionTooLarge) leads to a list', async (t) => {
  const tooLarge = refuses(504, 'Timeout', 'Too large resource version: 99999999, current: 2664', {
    causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }],
    retryAfterSeconds: 1,
  });
  const w = await watching(t, [lists(99999999, [pod('a', 5)]), tooLarge, lists(2664, []), stays(bookmark(2665))]);
  await w.asked(4);
  t.strictSame(w.requests, [
    'LIST limit=2',
    'WATCH resourceVersion=99999999',
    'LIST limit=2',
    'WATCH resourceVersion=2664',
  ]);
  t.strictSame(w.events, ['ADDED a 5 Running', 'DELETED a 5 Running relist']);
});

t.test('an expired continue token starts the list again, the second time with longer pages', async (t) => {
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
    'LIST limit=20',
    'WATCH resourceVersion=13',
  ]);
  t.strictSame(
    w.events,
    ['ADDED c 11 Running', 'ADDED d 12 Running'],
    'pages of a list that did not finish do not count',
  );
});

t.test('a list that arrives slowly is read to its end, however long it takes', async (t) => {
  const w = await watching(
    t,
    [
      async ({ response }) => {
        begins(response);
        for (const byte of Buffer.from(JSON.stringify(listOf(10, [pod('a', 5)])))) {
          response.write(Buffer.of(byte));
          await new Promise((resolve) => setTimeout(resolve, 10));
        }
        response.end();
      },
      stays(bookmark(11)),
    ],
    { requestTimeoutMs: 1_000 },
  );
  await w.reflector.reached('11', never);
  t.strictSame(w.requests, ['LIST limit=2', 'WATCH resourceVersion=10']);
});

t.test('a page of more than 64 MiB is requested again with fewer objects', async (t) => {
  const w = await watching(
    t,
    [
      ({ response }) => {
        begins(response);
        const block = Buffer.alloc(1024 * 1024, ' ');
        const write = (left: number): void => {
          if (left > 0 && !response.destroyed) response.write(block, () => write(left - 1));
        };
        write(66);
      },
      lists(10, [pod('a', 5)]),
      stays(bookmark(11)),
    ],
    { fetchLimit: 500, requestTimeoutMs: 60_000 },
  );
  await w.reflector.reached('11', never);
  t.strictSame(w.requests, ['LIST limit=500', 'LIST limit=125', 'WATCH resourceVersion=10']);
});

t.test('an object without uid, or with a name that is not a string, is ignored', async (t) => {
  const nameless = { metadata: { name: 5, uid: 'u', resourceVersion: '1' } } as unknown as Pod;
  const w = await watching(t, [
    lists(10, [nameless, { metadata: { name: 'a', resourceVersion: '2' } }, pod('b', 3)]),
    stays(bookmark(11)),
  ]);
  await w.reflector.reached('11', never);
  t.strictSame(w.events, ['ADDED b 3 Running']);
  t.equal(w.log.lines.filter(({ sentence }) => sentence === 'Ignoring a malformed Kubernetes object').length, 2);
});

t.test(
  'an object that cannot be projected keeps its last known state, in events and lists, until it is deleted',
  async (t) => {
    const w = await watching(t, [
      lists(10, [pod('a', 5), pod('b', 6, 'Unreadable')]),
      watches([line('MODIFIED', pod('a', 11, 'Unreadable')), line('ERROR', status(410, 'Expired', 'too old'))], 0),
      lists(20, [pod('a', 11, 'Unreadable')]),
      stays(line('DELETED', pod('a', 21, 'Unreadable'))),
    ]);
    await w.reflector.reached('21', never);
    t.strictSame(w.requests, ['LIST limit=2', 'WATCH resourceVersion=10', 'LIST limit=2', 'WATCH resourceVersion=20']);
    t.strictSame(w.events, ['ADDED a 5 Running', 'DELETED a 5 Running watch']);
    const sentence = 'BUG: cannot read a Kubernetes object; its job keeps the last known state';
    t.ok(w.log.lines.some((each) => each.sentence === sentence));
  },
);

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

t.test('Retry-After is honored, for lists and watches', async (t) => {
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

t.test('synced and reached end with their signals', async (t) => {
  const w = await watching(t, [() => {}]);
  const leaving = new AbortController();
  const waits = [w.reflector.synced(leaving.signal), w.reflector.reached('5', leaving.signal)];
  leaving.abort(new Error('no longer wanted'));
  for (const wait of waits) await t.rejects(wait, { message: 'no longer wanted' });
  await t.rejects(w.reflector.synced(leaving.signal), { message: 'no longer wanted' });
  t.equal(w.reflector.state().synced, false);
});

t.test('tried resolves after the first list, also if it fails', async (t) => {
  const failing = await watching(t, [({ answer }) => answer(500, {})]);
  await failing.reflector.tried(AbortSignal.timeout(60_000));
  t.equal(failing.reflector.state().synced, false);
  t.match(failing.reflector.state().lastError, { code: 'server-error' });
  const working = await watching(t, [lists(5, [])]);
  await working.reflector.tried(AbortSignal.timeout(60_000));
  t.equal(working.reflector.state().synced, true);
  const waiting = await watching(t, [() => {}]);
  const leaving = new AbortController();
  const wait = waiting.reflector.tried(leaving.signal);
  leaving.abort(new Error('no longer wanted'));
  await t.rejects(wait, { message: 'no longer wanted' });
});

const DENIED = 'pods is forbidden: User "system:serviceaccount:rstudio:job-launcher" cannot list resource "pods"';

t.test('without permission to list, a watch without a version replays all objects', async (t) => {
  const w = await watching(
    t,
    [refuses(403, 'Forbidden', DENIED), stays(line('ADDED', pod('a', 5)), line('ADDED', pod('b', 4)))],
    { isListOptional: true },
  );
  await w.reflector.synced(never);
  await w.seen(2);
  t.strictSame(w.requests, ['LIST limit=2', 'WATCH']);
  t.strictSame(w.events, ['ADDED a 5 Running', 'ADDED b 4 Running']);
});

t.test('without permission to list, an expired watch starts again without a version', async (t) => {
  const w = await watching(
    t,
    [
      refuses(403, 'Forbidden', DENIED),
      stays(line('ADDED', pod('a', 5)), line('ERROR', status(410, 'Expired', 'too old'))),
      refuses(403, 'Forbidden', DENIED),
      stays(line('ADDED', pod('b', 9))),
    ],
    { isListOptional: true },
  );
  await w.seen(3);
  t.strictSame(w.requests, ['LIST limit=2', 'WATCH', 'LIST limit=2', 'WATCH']);
  t.strictSame(w.events, ['ADDED a 5 Running', 'DELETED a 5 Running relist', 'ADDED b 9 Running']);
});
