/** What a reflector knows is what the server has: versions only go forward, and no trouble leaves a trace. */
import type { ServerResponse } from 'node:http';
import type { Pod } from 'kubernetes-types/core/v1.d.ts';
import t from 'tap';
import { PODS } from '../../../src/kubernetes/contract.ts';
import { isNewer, Store } from '../../../src/kubernetes/watch/store.ts';
import { apiServer, clientOf, type Exchange, recordingLog, status } from '../server.ts';
import { begins, bookmark, line, listOf, lists, never, pod, project, type Slim, stays, watching } from './watching.ts';

t.test('versions are numbers of any size', async (t) => {
  t.equal(isNewer('10', '9'), true);
  t.equal(isNewer('9', '10'), false);
  t.equal(isNewer('9', '9'), false);
  t.equal(isNewer('18446744073709551615', '18446744073709551614'), true);
});

t.test('versions are compared as numbers', async (t) => {
  const w = await watching(t, [
    lists(98, []),
    stays(line('ADDED', pod('a', 99)), line('MODIFIED', pod('a', 100, 'Failed')), bookmark(101)),
  ]);
  await w.reflector.reached('100', never);
  t.strictSame(w.events, ['ADDED a 99 Running', 'MODIFIED a 100 Failed']);
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
  t.strictSame(w.events, ['ADDED a 5 Running', 'ADDED a 11 Pending', 'DELETED a 12 Failed watch']);
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
  t.strictSame(w.events.splice(0), ['ADDED a 5 Running', 'ADDED new 15 Pending', 'MODIFIED a 20 Succeeded']);
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

t.test('a full list from time to time finds what the watch did not report', async (t) => {
  const w = await watching(
    t,
    [lists(10, [pod('a', 5), pod('b', 6)]), stays(bookmark(12)), lists(20, [pod('a', 5)]), stays(bookmark(21))],
    {
      timings: { relist: 60 },
    },
  );
  await w.seen(3);
  t.strictSame(w.requests.slice(0, 3), ['LIST limit=2', 'WATCH resourceVersion=10', 'LIST limit=2']);
  t.strictSame(w.events.slice(0, 3), ['ADDED a 5 Running', 'ADDED b 6 Running', 'DELETED b 6 Running relist']);
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
  t.strictSame(seen, ['ADDED', 'MODIFIED']);
  t.equal(log.lines.filter(({ level }) => level === 'ERROR').length, 2);
  stopping.abort();
  await running;
});

t.test('an API server that restarts under 1,000 objects: all of them are right afterwards', async (t) => {
  // kubernetes-facts.md 100, 108: connection refused, a 403 for a valid token, a watch cache without history, then everything as it is.
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
  t.strictSame(told, { ADDED: 1_000 });
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

/** A store that has seen everything up to version 50, and what it emits. */
function storeAt50() {
  const events: string[] = [];
  const store = new Store<Slim>(({ type, object }) => events.push(`${type} ${object.name} ${object.resourceVersion}`));
  store.replace(new Map(), '50');
  return { store, events };
}

t.test('offer: an object of a list that was just read exists, although the watch has passed its version', async (t) => {
  const { store, events } = storeAt50();
  store.offer(project(pod('adopted', 30)), true);
  t.strictSame(events, ['ADDED adopted 30']);
});

t.test('offer: an object that the watch has deleted is not added again by an older list', async (t) => {
  const { store, events } = storeAt50();
  store.changed(project(pod('a', 51)));
  store.deleted(project(pod('a', 52)));
  store.offer(project(pod('a', 51)), true);
  t.strictSame(events, ['ADDED a 51', 'DELETED a 52']);
});

t.test('an object that is not selected any more is deleted with its last known version', async (t) => {
  const { store, events } = storeAt50();
  store.changed(project(pod('a', 51)));
  store.unselected('uid-a', '52');
  store.unselected('uid-other', '53');
  t.strictSame(events, ['ADDED a 51', 'DELETED a 51']);
  t.equal(store.version, '53');
});
