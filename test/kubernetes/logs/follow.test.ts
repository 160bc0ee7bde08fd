/** The log of a container comes once and whole, wherever its answers are cut, and at the pace of its reader. */
import t from 'tap';
import { apiServer, clientOf, refuses, Signal, type Step } from '../server.ts';
import { begins, breaks, FOLLOW, following, READ, S, sends, since } from './following.ts';

const waits: Step = refuses(400, 'BadRequest', 'container "c" in pod "p" is waiting to start: ContainerCreating');

t.test('waits for the container, follows it to its end, then looks until there is nothing more', async (t) => {
  const f = await following(t, [
    ({ response }) => void response.writeHead(204).end(),
    waits,
    ({ response }) => {
      begins(response);
      response.write(`${S(1)} one\n`);
      response.write(`${S(20)} two\n`);
      response.end(`${S(40)} three without newline`, () => f.ended.abort());
    },
    sends(`${S(20)} two\n${S(40)} three without newline, and what the follow missed`),
  ]);
  t.equal(await f.all, 'one\ntwo\nthree without newline, and what the follow missed');
  t.strictSame(f.requests, [FOLLOW, FOLLOW, FOLLOW, ...Array(3).fill(`${READ}${since(20)}`)]);
});

t.test('the log of a pod that has finished is read without following', async (t) => {
  const f = await following(t, [sends(`${S(1)} all\n`)], { ended: true });
  t.equal(await f.all, 'all\n');
  t.strictSame(f.requests, [READ, READ]);
  t.equal(await (await following(t, [sends('')], { ended: true })).all, '', 'no output');
  t.equal(await (await following(t, [waits], { ended: true })).all, '', 'a container that never started');
  t.equal(await (await following(t, [({ response }) => void response.writeHead(204).end()], { ended: true })).all, '');
});

t.test('continues exactly after any end of a connection', async (t) => {
  const f = await following(t, [
    breaks(`${S(1)} a\n${S(20)} b\n${S(20)} half of`),
    sends(`${S(1)} a\n${S(20)} b\n${S(20)} half of c\n${S(20)} d\n`),
    refuses(
      500,
      '',
      'Get "https://10.250.0.1:10250/containerLogs/...": dial tcp 10.250.0.1:10250: connect: connection refused',
    ),
    refuses(404, 'NotFound', 'the server could not find the requested resource ( pods/log p)', { kind: 'pods/log' }),
    ({ response }) => void response.socket?.destroy(),
    ({ response }) => {
      begins(response);
      response.write(`${S(1)} a\n${S(20)} b\n${S(20)} half of c\n${S(20)} d\n${S(40)} e\n`);
      f.ended.abort();
      response.end();
    },
    sends(`${S(20)} b\n${S(20)} half of c\n${S(20)} d\n${S(40)} e\n${S(40)} f`),
  ]);
  t.equal(await f.all, 'a\nb\nhalf of c\nd\ne\nf');
  t.strictSame(f.requests.filter((request) => request !== 'pod').slice(0, 2), [FOLLOW, `${FOLLOW}${since(1)}`]);
  t.equal(
    f.requests.filter((request) => request === 'pod').length,
    1,
    'a 404 right after a kubelet restart is not believed',
  );
  t.equal(f.requests.at(-1), `${READ}${since(20)}`);
});

t.test('an answer that ends in order and too early, as when the API server has lost the kubelet', async (t) => {
  const line = `${'x'.repeat(50)}y`;
  const f = await following(
    t,
    [
      sends(`${S(1)} a\n${S(1)} b\n`),
      sends(`${S(1)} a\n`),
      sends(''),
      sends(`${S(1)} a\n${S(1)} b\n${S(2)} ${line}`),
      sends(`${S(1)} a\n${S(1)} b\n${S(2)} ${line.slice(0, 20)}`),
      sends(`${S(1)} a\n${S(1)} b\n${S(2)} ${line}z`),
    ],
    { ended: true },
  );
  t.equal(await f.all, `a\nb\n${line}z`);
  t.equal(f.requests.length, 8, 'the whole of it twice more');
});

t.test('cut in order where the answer before it was cut with trouble: one more look', async (t) => {
  const f = await following(
    t,
    [sends(`${S(1)} a\n${S(1).slice(0, 17)}`), sends(`${S(1)} a\n`), sends(`${S(1)} a\n${S(1)} b\n`)],
    { ended: true },
  );
  t.equal(await f.all, 'a\nb\n');
  t.equal(f.requests.length, 4);
});

t.test('answers that are cut in order again and again', async (t) => {
  const all = `${S(1)} one\n${S(1)} two\n${S(1)} three\n`;
  const line = S(1).length + 5;
  const upTo = (bytes: number): Step => sends(all.slice(0, bytes));
  const whole = sends(all);
  const cases: readonly (readonly [what: string, steps: readonly Step[], requests: number])[] = [
    ['in the last line that was delivered', [upTo(2 * line), upTo(2 * line - 3), whole], 4],
    ['where the last one was cut, in a line', [upTo(2 * line - 2), upTo(2 * line - 2), whole], 4],
    ['here and there', [upTo(2 * line), upTo(0), upTo(line), upTo(line - 2), upTo(0), upTo(line), whole], 8],
    ['at the same byte, but not often enough', [upTo(2 * line), upTo(line), upTo(line), whole], 5],
  ];
  for (const [what, steps, requests] of cases) {
    const f = await following(t, steps, { ended: true });
    t.equal(await f.all, 'one\ntwo\nthree\n', what);
    t.equal(f.requests.length, requests, what);
  }
});

t.test('a log that is not on the node any more after some of it was read', async (t) => {
  const f = await following(t, [sends(`${S(1)} a\n`), sends('')], { ended: true });
  t.equal(await f.all, 'a\n');
  t.equal(f.requests.length, 4);
});

t.test('lines that a node has deleted are reported', async (t) => {
  const f = await following(t, [
    breaks(`${S(1)} a\n${S(2)} b\n`),
    ({ response }) => {
      begins(response);
      f.ended.abort();
      response.end(`${S(9)} later\n`);
    },
    sends(`${S(9)} later\n`),
  ]);
  t.equal(await f.all, 'a\nb\nlater\n');
  t.strictSame(
    f.log.lines.filter(({ level }) => level === 'WARNING').map(({ fields }) => fields),
    [{ pod: 'p', container: 'c', from: S(2), to: S(9) }],
  );
});

t.test('leaving the loop closes the connection', async (t) => {
  const closed = new Signal();
  const server = await apiServer(t, ({ response }) => {
    begins(response);
    response.write(`${S(1)} a\n`);
    response.on('close', () => closed.give());
  });
  const client = clientOf(t, server.url);
  const never = new AbortController().signal;
  for await (const chunk of client.followLog({ pod: 'p', container: 'c', ended: never }, never)) {
    t.equal(Buffer.from(chunk).toString(), 'a\n');
    break;
  }
  await closed.promise;
});

t.test('binary input, a line of 200 KB and 100,000 lines pass complete, in few chunks', async (t) => {
  const binary = Buffer.from(Array.from({ length: 256 }, (_, i) => i).filter((byte) => byte !== 10));
  const long = Buffer.alloc(200 * 1024, 'L');
  const lines = Array.from({ length: 100_000 }, (_, i) => `${S(2)} ${i + 1}\n`);
  const whole = Buffer.concat([
    Buffer.from(`${S(1)} `),
    binary,
    Buffer.from(`\n${S(1)} `),
    long,
    Buffer.from(`\n${lines.join('')}`),
  ]);
  const expected = Buffer.concat([
    binary,
    Buffer.from('\n'),
    long,
    Buffer.from(`\n${lines.map((line) => line.slice(31)).join('')}`),
  ]);
  const f = await following(t, [
    // As the API server does: a chunk a line.
    async ({ response }) => {
      begins(response);
      let start = 0;
      while (start < whole.length) {
        const end = whole.indexOf(10, start) + 1;
        if (!response.write(whole.subarray(start, end)))
          await new Promise((resolve) => response.once('drain', resolve));
        start = end;
      }
      f.ended.abort();
      response.end();
    },
    sends(whole),
  ]);
  await f.all;
  t.ok(Buffer.concat(f.chunks).equals(expected));
  t.ok(f.chunks.length < 10_000, `${f.chunks.length} chunks`);
});

t.test('the pace of the reader is the pace of the source', async (t) => {
  let sent = 0;
  const stalled = new Signal();
  const finished = new Signal();
  const ended = new AbortController();
  const total = 24 * 1024 * 1024;
  const block = Buffer.from(`${S(1)} ${'x'.repeat(65_536 - 32)}\n`);
  const server = await apiServer(t, async ({ response, url }) => {
    begins(response);
    if (!url.searchParams.has('follow')) {
      finished.give();
      // The log since a second, read again: everything carries one stamp.
      for (let i = 0; i < total; i += block.length) {
        if (!response.write(block)) await new Promise((resolve) => response.once('drain', resolve));
      }
      response.end();
      return;
    }
    for (; sent < total; sent += block.length) {
      if (response.write(block)) continue;
      const timer = setTimeout(() => stalled.give(), 150);
      await new Promise((resolve) => response.once('drain', resolve));
      clearTimeout(timer);
    }
    ended.abort();
    response.end();
  });
  const client = clientOf(t, server.url);
  const reader = client.followLog({ pod: 'p', container: 'c', ended: ended.signal }, new AbortController().signal);
  const iterator = reader[Symbol.asyncIterator]();
  let bytes = (await iterator.next()).value?.length ?? 0;
  await stalled.promise;
  t.ok(sent < 16 * 1024 * 1024, `the server stopped after ${sent} bytes`);
  for (;;) {
    const { value, done } = await iterator.next();
    if (done) break;
    bytes += value.length;
  }
  await finished.promise;
  t.equal(bytes, (total / block.length) * (block.length - 31));
});

t.test(
  'a log that was opened before the version of the server is known: text like timestamps is kept from then on',
  async (t) => {
    const known = new Signal();
    const ended = new AbortController();
    const last = `${S(20)} then ${S(40)} now\n`;
    const server = await apiServer(t, async ({ response, url, answer }) => {
      if (url.pathname === '/version') return answer(200, { major: '1', minor: '34', gitVersion: 'v1.34.1' });
      begins(response);
      response.write(`${S(1)} first ${S(2)} record\n`);
      if (url.searchParams.has('follow')) await known.promise;
      response.end(last);
      ended.abort();
    });
    const client = clientOf(t, server.url);
    const reader = client.followLog({ pod: 'p', container: 'c', ended: ended.signal }, new AbortController().signal);
    let text = '';
    for await (const chunk of reader) {
      text += Buffer.from(chunk).toString('latin1');
      await client.version();
      known.give();
    }
    t.equal(text, `first record\nthen ${S(40)} now\n`);
  },
);
