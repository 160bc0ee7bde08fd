import type { ServerResponse } from 'node:http';
import t, { type Test } from 'tap';
import type { ClientOptions } from '../../src/kubernetes/client.ts';
import { KubernetesError } from '../../src/kubernetes/errors.ts';
import { apiServer, clientOf, type Exchange, recordingLog, Signal, status } from './server.ts';

const S = (second: number): string => `2026-11-23T10:00:${String(second).padStart(2, '0')}.000000000Z`;

/** What the server does with a request for the log, one step each. */
type Step = (exchange: Exchange) => void | Promise<void>;

const begins = (response: ServerResponse): void => {
  response.writeHead(200, { 'content-type': 'text/plain' });
  response.flushHeaders();
};
const sends =
  (text: string | Buffer): Step =>
  ({ response }) => {
    begins(response);
    response.end(text);
  };
/** Sends the text, then nothing more. */
const stays =
  (text = ''): Step =>
  ({ response }) => {
    begins(response);
    if (text !== '') response.write(text);
  };
const breaks =
  (text: string): Step =>
  ({ response }) => {
    begins(response);
    response.write(text, () => setTimeout(() => response.socket?.destroy(), 10));
  };
const refuses =
  (code: number, reason: string, message: string, details?: unknown): Step =>
  ({ answer }) =>
    answer(code, status(code, reason, message, details));
const waits: Step = refuses(400, 'BadRequest', 'container "c" in pod "p" is waiting to start: ContainerCreating');
const absent: Step = refuses(404, 'NotFound', 'pods "p" not found', { kind: 'pods', name: 'p' });

interface Following {
  /** The queries of the requests for the log, `pod` for a look at the pod. */
  readonly requests: string[];
  readonly ended: AbortController;
  readonly abort: AbortController;
  readonly log: ReturnType<typeof recordingLog>;
  readonly chunks: Buffer[];
  /** Resolves with everything that was read. */
  readonly all: Promise<string>;
  readonly asked: (count: number) => Promise<void>;
}

async function following(
  t: Test,
  steps: readonly Step[],
  options: Partial<ClientOptions> & { pod?: Step; ended?: boolean } = {},
): Promise<Following> {
  const requests: string[] = [];
  const waiting: (() => void)[] = [];
  const ended = new AbortController();
  if (options.ended) ended.abort();
  let next = 0;
  const server = await apiServer(t, async (exchange) => {
    const isLog = exchange.url.pathname.endsWith('/log');
    requests.push(isLog ? exchange.url.search : 'pod');
    for (const check of [...waiting]) check();
    // The end is believed when an answer holds nothing new: the last one may be asked for again.
    const last = ended.signal.aborted ? steps.at(-1) : undefined;
    if (isLog) await (steps[next++] ?? last ?? refuses(500, '', 'BUG: no step left'))(exchange);
    else if (options.pod) await options.pod(exchange);
    else exchange.answer(200, { kind: 'Pod', metadata: { name: 'p' } });
  });
  const log = recordingLog();
  const client = clientOf(t, server.url, { ...options, timings: { logGiveUp: 100, ...options.timings } }, log);
  const abort = new AbortController();
  const chunks: Buffer[] = [];
  const read = async (): Promise<string> => {
    const subject = { pod: 'p', container: 'c', ended: ended.signal };
    for await (const chunk of client.followLog(subject, abort.signal)) chunks.push(Buffer.from(chunk));
    return Buffer.concat(chunks).toString('latin1');
  };
  const all = read();
  all.catch(() => {});
  return {
    requests,
    ended,
    abort,
    log,
    chunks,
    all,
    asked: (count) =>
      new Promise((resolve) => {
        const check = (): void => {
          if (requests.length >= count) resolve();
        };
        waiting.push(check);
        check();
      }),
  };
}

const FOLLOW = '?container=c&follow=true&timestamps=true';
const READ = '?container=c&timestamps=true';
const since = (second: number): string => `&sinceTime=2026-11-23T10%3A00%3A${String(second).padStart(2, '0')}Z`;

t.test('waits for the container, follows it to its end, then looks until there is nothing more', async (t) => {
  const f = await following(t, [
    ({ response }) => void response.writeHead(204).end(),
    waits,
    ({ response }) => {
      begins(response);
      response.write(`${S(1)} one\n`);
      response.write(`${S(2)} two\n`);
      response.end(`${S(3)} three without newline`, () => f.ended.abort());
    },
    sends(`${S(2)} two\n${S(3)} three without newline, and what the follow missed`),
  ]);
  t.equal(await f.all, 'one\ntwo\nthree without newline, and what the follow missed');
  t.strictSame(f.requests, [FOLLOW, FOLLOW, FOLLOW, ...Array(3).fill(`${READ}${since(2)}`)]);
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
    breaks(`${S(1)} a\n${S(2)} b\n${S(2)} half of`),
    sends(`${S(1)} a\n${S(2)} b\n${S(2)} half of c\n${S(2)} d\n`),
    refuses(
      500,
      '',
      'Get "https://10.250.0.1:10250/containerLogs/...": dial tcp 10.250.0.1:10250: connect: connection refused',
    ),
    refuses(404, 'NotFound', 'the server could not find the requested resource ( pods/log p)', { kind: 'pods/log' }),
    ({ response }) => void response.socket?.destroy(),
    ({ response }) => {
      begins(response);
      response.write(`${S(1)} a\n${S(2)} b\n${S(2)} half of c\n${S(2)} d\n${S(3)} e\n`);
      f.ended.abort();
      response.end();
    },
    sends(`${S(2)} b\n${S(2)} half of c\n${S(2)} d\n${S(3)} e\n${S(3)} f`),
  ]);
  t.equal(await f.all, 'a\nb\nhalf of c\nd\ne\nf');
  t.strictSame(f.requests.filter((request) => request !== 'pod').slice(0, 2), [FOLLOW, `${FOLLOW}${since(1)}`]);
  t.equal(
    f.requests.filter((request) => request === 'pod').length,
    1,
    'a 404 right after a kubelet restart is not believed',
  );
  t.equal(f.requests.at(-1), `${READ}${since(2)}`);
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

t.test('a pod that is gone', async (t) => {
  const never = await following(t, [absent], { pod: absent });
  const error: unknown = await never.all.catch((reason: unknown) => reason);
  t.ok(error instanceof KubernetesError && error.code === 'not-found', 'before anything could be read: an error');
  const later = await following(t, [breaks(`${S(1)} a\n`), absent], { pod: absent });
  t.equal(await later.all, 'a\n', 'after something was read: the end');
  t.ok(later.log.lines.some(({ sentence }) => sentence.includes('gone')));
});

t.test('a quiet follow is opened anew; before its first byte, too', async (t) => {
  const f = await following(
    t,
    [
      () => {},
      stays(`${S(1)} a\n`),
      ({ response }) => {
        begins(response);
        response.write(`${S(1)} a\n${S(1)} b\n`);
        f.ended.abort();
        response.end();
      },
      sends(`${S(1)} a\n${S(1)} b\n`),
    ],
    { timings: { followSilence: 250 } },
  );
  t.equal(await f.all, 'a\nb\n');
  t.strictSame(f.requests, [FOLLOW, FOLLOW, FOLLOW, READ]);
  t.strictSame(f.log.lines, [], 'nothing has failed');
});

t.test(
  'a follow that does not end after its container is given up, but not while it still brings something',
  async (t) => {
    const f = await following(
      t,
      [
        async ({ response }) => {
          begins(response);
          response.write(`${S(1)} 0\n`);
          f.ended.abort();
          for (let i = 1; i < 6; i++) {
            await new Promise((resolve) => setTimeout(resolve, 100));
            response.write(`${S(1)} ${i}\n`);
          }
        },
        sends(`${[0, 1, 2, 3, 4, 5].map((i) => `${S(1)} ${i}\n`).join('')}${S(1)} rest`),
      ],
      { timings: { followAfterEnd: 450 } },
    );
    t.equal(await f.all, '0\n1\n2\n3\n4\n5\nrest');
    t.strictSame(f.requests, [FOLLOW, READ, READ, READ]);

    const quiet = await following(t, [stays(`${S(1)} a\n`), sends(`${S(1)} a\n`)], { timings: { followAfterEnd: 40 } });
    await quiet.asked(1);
    while (quiet.chunks.length === 0) await new Promise(setImmediate);
    quiet.ended.abort();
    t.equal(await quiet.all, 'a\n', 'the end is noticed while nothing comes');
  },
);

t.test('a frozen server in the middle of the last read', async (t) => {
  const f = await following(t, [stays(`${S(1)} a\n`), () => {}, sends(`${S(1)} a\n${S(1)} b\n`)], {
    ended: true,
    timings: { followSilence: 250, watchHeaders: 250 },
  });
  t.equal(await f.all, 'a\nb\n');
});

t.test(
  'the words of the kubelet are told apart, logged, and tried again; where following fails the log is polled',
  async (t) => {
    const words = sends('failed to create fsnotify watcher: too many open files');
    const f = await following(
      t,
      [
        words,
        words,
        words,
        sends(`${S(1)} a\n`),
        sends(`${S(1)} a\n${S(2)} b\n`),
        async ({ response }) => {
          f.ended.abort();
          response.writeHead(200).end(`${S(1)} a\n${S(2)} b\n${S(3)} c`);
        },
        sends(`${S(2)} b\n${S(3)} c`),
      ],
      { timings: { logPollOnly: 10_000 } },
    );
    t.equal(await f.all, 'a\nb\nc');
    t.strictSame(f.requests, [
      FOLLOW,
      FOLLOW,
      FOLLOW,
      READ,
      READ,
      `${READ}${since(1)}`,
      ...Array(2).fill(`${READ}${since(2)}`),
    ]);
    const warnings = f.log.lines.filter(({ level }) => level === 'WARNING');
    t.equal(warnings.length, 1);
    t.match(warnings[0]?.fields?.error, { message: /too many open files/ });
  },
);

t.test('after a time of polling following is tried again', async (t) => {
  const words = sends('failed to create fsnotify watcher: too many open files');
  let follows = 0;
  const step: Step = (exchange) => {
    if (!exchange.url.searchParams.has('follow')) return sends('')(exchange);
    return ++follows <= 3 ? words(exchange) : stays(`${S(1)} a\n`)(exchange);
  };
  const f = await following(t, Array(1_000).fill(step), { timings: { logPollOnly: 400, logPoll: 20 } });
  while (f.chunks.length === 0) await new Promise(setImmediate);
  t.strictSame(f.requests.slice(0, 5), [FOLLOW, FOLLOW, FOLLOW, READ, READ]);
  t.equal(f.requests.at(-1), FOLLOW);
  f.abort.abort(new Error('enough'));
  await t.rejects(f.all, { message: 'enough' });
});

t.test('a log that the node no longer has is given up after a while, once the container has ended', async (t) => {
  const words = sends('unable to retrieve container logs for containerd://0123456789abcdef');
  const f = await following(t, Array(60).fill(words), { ended: true, timings: { logGiveUp: 40 } });
  const error: unknown = await f.all.catch((reason: unknown) => reason);
  t.ok(error instanceof KubernetesError && error.code === 'not-found' && error.text.includes('unable to retrieve'));
  t.ok(f.requests.length > 2, 'not at the first word');
  const nothing = refuses(404, 'NotFound', 'the server could not find the requested resource ( pods/log p)');
  const absentLog = await following(t, Array(60).fill(nothing), { ended: true, timings: { logGiveUp: 40 } });
  await t.rejects(absentLog.all, { code: 'not-found' });
  const never = refuses(400, 'BadRequest', 'container "c" in pod "p" is not available');
  t.equal(await (await following(t, [never], { ended: true })).all, '', 'a container that was never made');
});

t.test('errors that stay are told: another container, missing rights', async (t) => {
  const other = await following(t, [refuses(400, 'BadRequest', 'container zz is not valid for pod p')]);
  await t.rejects(other.all, { code: 'bad-request' });
  const forbidden = refuses(403, 'Forbidden', 'pods "p" is forbidden: User "x" cannot get resource "pods/log"');
  const once = await following(t, [forbidden, sends(`${S(1)} a\n`)], { ended: true });
  t.equal(await once.all, 'a\n', 'one 403 is not believed');
  const always = await following(t, [forbidden, forbidden, forbidden]);
  await t.rejects(always.all, { code: 'forbidden' });
  t.equal(always.requests.length, 3);
});

t.test('what a node has thrown away is told', async (t) => {
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

t.test('binary input, a line of 200 KB and 100,000 lines pass whole, in few pieces', async (t) => {
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
