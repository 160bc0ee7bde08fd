/** A watch is read whatever its pieces are, opened again while healthy, and not trusted when silent or broken. */
import fc from 'fast-check';
import t from 'tap';
import { EVENTS, PODS } from '../../../src/kubernetes/contract.ts';
import { TIMINGS } from '../../../src/kubernetes/http/timings.ts';
import { KubernetesError } from '../../../src/kubernetes/kubernetes-error.ts';
import { Encodings, LineSplitter, MAX_WATCH_LINE } from '../../../src/kubernetes/watch/encodings.ts';
import { Watches } from '../../../src/kubernetes/watch/watch.ts';
import { silentLog } from '../../../src/system/log.ts';
import { fakeClock } from '../../support/fake-clock.ts';
import { refuses, type Step, status } from '../server.ts';
import { begins, bookmark, line, lists, never, pod, project, stays, watches, watching } from './watching.ts';

t.test('lines of a watch', async (t) => {
  fc.assert(
    fc.property(
      fc.array(fc.string({ unit: 'binary' }).map((s) => s.replaceAll('\n', ''))),
      fc.array(fc.integer({ min: 1, max: 9 })),
      (lines, sizes) => {
        const bytes = Buffer.from(lines.map((line) => `${line}\n`).join(''));
        const splitter = new LineSplitter();
        const got: string[] = [];
        let start = 0;
        for (let i = 0; start < bytes.length; i++) {
          const end = start + (sizes[i % Math.max(1, sizes.length)] ?? bytes.length);
          for (const line of splitter.push(bytes.subarray(start, end))) got.push(Buffer.from(line).toString());
          start = end;
        }
        return (
          JSON.stringify(got) ===
          JSON.stringify(lines.filter((line) => line !== '').map((line) => Buffer.from(line).toString()))
        );
      },
    ),
  );
  const splitter = new LineSplitter();
  const block = Buffer.alloc(MAX_WATCH_LINE / 2 + 1);
  t.strictSame([...splitter.push(block)], []);
  t.throws(() => [...splitter.push(block)], { name: 'DecodeError', code: 'line-too-long' });
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
  t.strictSame(w.events, ['ADDED ä-€-😀 15 Running', 'ADDED b 16 Running']);
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
      ({ sentence, fields }) => sentence.includes('of unknown type') && fields?.['type'] === 'SOMETHING',
    ),
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
  const errors = w.log.lines.flatMap(({ fields }) => fields?.error ?? []);
  t.match(errors, [{ code: 'interrupted', text: 'the watch ended at once without a new event' }]);
});

t.test('a cut watch is opened again at once and without a word, if it was healthy', async (t) => {
  const cut: Step = ({ response }) => {
    begins(response);
    response.write(bookmark(11));
    setTimeout(() => response.socket?.destroy(), 40);
  };
  const w = await watching(t, [lists(10, []), cut, stays(bookmark(12))], { timings: { backoffFirst: 60_000 } });
  await w.reflector.reached('12', never);
  t.strictSame(w.events, []);
  t.strictSame(w.requests, ['LIST limit=2', 'WATCH resourceVersion=10', 'WATCH resourceVersion=11']);
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
  await w.seen(3);
  t.strictSame(w.requests, ['LIST limit=2', 'WATCH resourceVersion=900', 'LIST limit=2', 'WATCH resourceVersion=20']);
  t.strictSame(
    w.events,
    ['ADDED a 800 Running', 'DELETED a 800 Running relist', 'ADDED b 15 Running'],
    'the cluster was set back: what it no longer has is deleted although it is newer than the list',
  );
});

/** The lines about a silent watch, without times. */
const silences = (log: Awaited<ReturnType<typeof watching>>['log']): readonly string[] =>
  log.lines.map(({ sentence }) => sentence).filter((sentence) => sentence.startsWith('Watch of the API server'));

const SILENT = 'Watch of the API server is silent; opening it again';
const WORKS = 'Watch of the API server works again';

t.test(
  'a watch that does not show what a call returned is silent: it is opened again, with a line in the log',
  async (t) => {
    const w = await watching(t, [lists(10, []), stays(), stays(line('ADDED', pod('a', 12)))], {
      timings: { watchTooShort: 1, watchLag: 100 },
    });
    await w.asked(2);
    await w.reflector.synced(never);
    w.reflector.offer(project(pod('a', 12)));
    await w.reflector.reached('12', never);
    t.strictSame(w.requests, ['LIST limit=2', 'WATCH resourceVersion=10', 'WATCH resourceVersion=10']);
    t.strictSame(silences(w.log), [SILENT, WORKS]);
  },
);

t.test('an object that the watch does not select says nothing about the watch', async (t) => {
  const w = await watching(t, [lists(10, []), stays()], { timings: { watchSilence: 300, watchLag: 20 } });
  await w.asked(2);
  w.reflector.offer(project(pod('a', 12)), { isWatched: false });
  await w.asked(3);
  t.strictSame(w.requests, ['LIST limit=2', 'WATCH resourceVersion=10', 'LIST limit=2']);
});

t.test('a list after a silent watch with changes that the watch missed is a line in the log', async (t) => {
  const w = await watching(t, [lists(10, []), stays(), lists(20, [pod('a', 15)]), stays(bookmark(21))], {
    timings: { watchSilence: 50 },
  });
  await w.reflector.reached('21', never);
  t.strictSame(silences(w.log), [SILENT, WORKS]);
});

t.test('a list after a quiet watch without changes is no line in the log', async (t) => {
  const w = await watching(t, [lists(10, []), stays(), lists(20, []), stays(bookmark(21))], {
    timings: { watchSilence: 50 },
  });
  await w.reflector.reached('21', never);
  t.strictSame(silences(w.log), []);
});

t.test('a watch that does not end after its duration is silent', async (t) => {
  const w = await watching(t, [lists(10, []), stays(), stays(bookmark(11))], {
    watchTimeoutSeconds: 1,
    timings: { watchGrace: 1, watchTooShort: 1 },
  });
  await w.reflector.reached('11', never);
  t.strictSame(w.requests, [
    'LIST limit=2',
    'WATCH resourceVersion=10 timeoutSeconds=1',
    'WATCH resourceVersion=10 timeoutSeconds=1',
  ]);
  t.strictSame(silences(w.log).slice(0, 1), [SILENT]);
});

t.test('a watch with a dead connection was silent since its last event', async (t) => {
  const clock = fakeClock();
  const silent: number[] = [];
  const dead = new KubernetesError({ code: 'interrupted', method: 'WATCH', path: '/', text: '', reason: 'ETIMEDOUT' });
  const body = async function* (): AsyncGenerator<Buffer, void> {
    yield Buffer.from(bookmark(10));
    clock.advance(14_000);
    throw dead;
  };
  const response = { status: 200, contentType: 'application/json', warnings: [], date: undefined, authorization: '' };
  const watches = new Watches({
    transport: { stream: async () => ({ ...response, body, discard: () => {} }) },
    clock,
    log: silentLog,
    timings: TIMINGS,
    resource: PODS,
    path: '/',
    selection: {},
    timeoutSeconds: 300,
    encodings: new Encodings('Pod', silentLog),
    version: () => '10',
    onEvent: () => {},
    onBookmark: () => {},
    onWorking: () => {},
    onSilent: (ms) => silent.push(ms),
  });
  t.strictSame(await watches.run(never), { next: 'watch' });
  t.strictSame(silent, [14_000]);
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

t.test('an outage is no silence of the watch', async (t) => {
  const away: Step = refuses(503, 'ServiceUnavailable', 'the server is shutting down');
  const w = await watching(t, [lists(10, []), watches([], 40), ...Array(10).fill(away), stays(bookmark(11))], {
    timings: { watchSilence: 500, backoffFirst: 80, backoffLongest: 80 },
  });
  await w.reflector.reached('11', never);
  t.equal(w.requests.filter((request) => request.startsWith('LIST')).length, 1);
});

t.test('watches of events send no bookmarks: their silence only opens them again', async (t) => {
  const w = await watching(t, [lists(10, []), stays(), stays(bookmark(11))], {
    resource: { ...PODS, plural: EVENTS.plural, kind: EVENTS.kind },
    timings: { watchSilence: 20, watchIdle: 300 },
  });
  await w.reflector.reached('11', never);
  t.strictSame(w.requests, ['LIST limit=2', 'WATCH resourceVersion=10', 'WATCH resourceVersion=10']);
  t.strictSame(w.events, []);
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

t.test('a refusal without its text is given up like a watch that is not answered', async (t) => {
  const w = await watching(
    t,
    [
      lists(10, []),
      ({ response }) => {
        response.writeHead(503, { 'content-length': '100' });
        response.write('upstream');
      },
      stays(bookmark(11)),
    ],
    { timings: { connect: 30, watchHeaders: 30, watchGrace: 30 } },
  );
  await w.reflector.reached('11', never);
  t.strictSame(w.requests, ['LIST limit=2', 'WATCH resourceVersion=10', 'WATCH resourceVersion=10']);
});

t.test('a server that replays an old event with each watch is asked again only after pauses', async (t) => {
  const replay = watches([line('MODIFIED', pod('a', 5))], 0);
  const w = await watching(t, [lists(10, [pod('a', 5)]), replay, replay, stays(bookmark(11))], {
    timings: { watchTooShort: 60_000, backoffFirst: 30, backoffLongest: 60 },
  });
  await w.reflector.reached('11', never);
  t.strictSame(w.requests, [
    'LIST limit=2',
    'WATCH resourceVersion=10',
    'WATCH resourceVersion=10',
    'WATCH resourceVersion=10',
  ]);
  const failures = w.log.lines.filter(({ sentence }) => sentence === 'Watch failed; retrying');
  t.match(
    failures.map(({ fields }) => fields?.error),
    [{ text: 'the watch ended at once without a new event' }, { text: 'the watch ended at once without a new event' }],
  );
});

t.test('a watch that only replays an old event is silent', async (t) => {
  const w = await watching(
    t,
    [
      lists(900, [pod('a', 800)]),
      ({ response }) => {
        begins(response);
        const timer = setInterval(() => response.write(line('MODIFIED', pod('a', 800))), 20);
        response.on('close', () => clearInterval(timer));
      },
      lists(20, [pod('b', 15)]),
      stays(bookmark(21)),
    ],
    { timings: { watchSilence: 300 } },
  );
  await w.seen(3);
  t.strictSame(w.events, ['ADDED a 800 Running', 'DELETED a 800 Running relist', 'ADDED b 15 Running']);
});

t.test('an answer of another encoding than the one requested is closed before the watch is opened again', async (t) => {
  const otherEncoding: Step = ({ response }) => {
    response.writeHead(200, { 'content-type': 'application/vnd.kubernetes.protobuf' });
    response.flushHeaders();
  };
  const resource = { ...PODS, kind: 'Event' };
  const w = await watching(t, [lists(5, []), otherEncoding, stays(line('ADDED', pod('a', 6)))], {
    resource,
  });
  await w.seen(1);
  t.equal(w.mostWatches(), 1);
});
