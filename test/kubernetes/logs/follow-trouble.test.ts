/** A log that cannot be read now is asked for again, or polled; one that never will be is given up, and why is told. */
import t from 'tap';
import { KubernetesError } from '../../../src/kubernetes/kubernetes-error.ts';
import { refuses, type Step } from '../server.ts';
import { begins, breaks, deadlineClock, FOLLOW, following, READ, S, sends, since, stays, taking } from './following.ts';

const absent: Step = refuses(404, 'NotFound', 'pods "p" not found', { kind: 'pods', name: 'p' });

t.test('a quiet follow is opened anew; before its first byte, too', async (t) => {
  const clock = deadlineClock();
  const f = await following(
    t,
    [
      () => clock.advance(300_000),
      async ({ response }) => {
        begins(response);
        response.write(`${S(1)} a\n`);
        await f.read(1);
        clock.advance(300_000);
      },
      ({ response }) => {
        begins(response);
        response.write(`${S(1)} a\n${S(1)} b\n`);
        f.ended.abort();
        response.end();
      },
      sends(`${S(1)} a\n${S(1)} b\n`),
    ],
    { clock },
  );
  t.equal(await f.all, 'a\nb\n');
  t.strictSame(f.requests, [FOLLOW, FOLLOW, FOLLOW, READ]);
  t.strictSame(f.log.lines, [], 'nothing has failed');
});

t.test('a follow that still brings something after the end of its container is read on', async (t) => {
  const clock = deadlineClock();
  const f = await following(
    t,
    [
      async ({ response }) => {
        begins(response);
        response.write(`${S(1)} 0\n`);
        f.ended.abort();
        for (let i = 1; i < 6; i++) {
          await f.read(i);
          clock.advance(4_900);
          response.write(`${S(1)} ${i}\n`);
        }
        await f.read(6);
        clock.advance(5_000);
      },
      sends(`${[0, 1, 2, 3, 4, 5].map((i) => `${S(1)} ${i}\n`).join('')}${S(1)} rest`),
    ],
    { clock },
  );
  t.equal(await f.all, '0\n1\n2\n3\n4\n5\nrest');
  t.strictSame(f.requests, [FOLLOW, READ, READ, READ]);
});

t.test('a follow that is silent after the end of its container is closed', async (t) => {
  const clock = deadlineClock();
  const f = await following(t, [stays(`${S(1)} a\n`), sends(`${S(1)} a\n`)], { clock });
  await f.read(1);
  f.ended.abort();
  clock.advance(5_000);
  t.equal(await f.all, 'a\n');
});

t.test('a frozen server in the middle of the last read', async (t) => {
  const clock = deadlineClock();
  const freezes: Step = async ({ response }) => {
    begins(response);
    response.write(`${S(1)} a\n`);
    await f.read(1);
    clock.advance(300_000);
  };
  const steps = [freezes, () => clock.advance(300_000), sends(`${S(1)} a\n${S(1)} b\n`)];
  const f = await following(t, steps, { ended: true, clock });
  t.equal(await f.all, 'a\nb\n');
});

t.test(
  'messages of the kubelet are distinguished, logged, and retried; where following fails the log is polled',
  async (t) => {
    const words = sends('failed to create fsnotify watcher: too many open files');
    const f = await following(
      t,
      [
        words,
        words,
        words,
        sends(`${S(1)} a\n`),
        sends(`${S(1)} a\n${S(20)} b\n`),
        async ({ response }) => {
          f.ended.abort();
          response.writeHead(200).end(`${S(1)} a\n${S(20)} b\n${S(40)} c`);
        },
        sends(`${S(20)} b\n${S(40)} c`),
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
      ...Array(2).fill(`${READ}${since(20)}`),
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
  await f.read(1);
  t.strictSame(f.requests.slice(0, 5), [FOLLOW, FOLLOW, FOLLOW, READ, READ]);
  t.equal(f.requests.at(-1), FOLLOW);
  f.abort.abort(new Error('enough'));
  await t.rejects(f.all, { message: 'enough' });
});

t.test('a log that the node no longer has is given up after a while, once the container has ended', async (t) => {
  const { step, clock } = taking(150_000, sends('unable to retrieve container logs for containerd://0123456789abcdef'));
  const f = await following(t, Array(60).fill(step), { ended: true, clock, timings: { logGiveUp: 400_000 } });
  const error: unknown = await f.all.catch((reason: unknown) => reason);
  t.ok(error instanceof KubernetesError && error.code === 'not-found' && error.text.includes('unable to retrieve'));
  t.strictSame(f.requests, [READ, READ, READ, READ]);
});

t.test('a log that the server does not find is given up after a while, once the container has ended', async (t) => {
  const nothing = refuses(404, 'NotFound', 'the server could not find the requested resource ( pods/log p)');
  const { step, clock } = taking(150_000, nothing);
  const f = await following(t, Array(60).fill(step), { ended: true, clock, timings: { logGiveUp: 400_000 } });
  await t.rejects(f.all, { code: 'not-found' });
  t.strictSame(f.requests, [READ, 'pod', READ, 'pod', READ, 'pod', READ, 'pod']);
});

t.test('the log of a container that never started is empty', async (t) => {
  const never = refuses(400, 'BadRequest', 'container "c" in pod "p" is not available');
  t.equal(await (await following(t, [never], { ended: true })).all, '');
});

t.test('a pod that was deleted', async (t) => {
  const never = await following(t, [absent], { pod: absent });
  const error: unknown = await never.all.catch((reason: unknown) => reason);
  t.ok(error instanceof KubernetesError && error.code === 'not-found', 'before anything could be read: an error');
  const later = await following(t, [breaks(`${S(1)} a\n`), absent], { pod: absent });
  t.equal(await later.all, 'a\n', 'after something was read: the end');
  t.ok(later.log.lines.some(({ sentence }) => sentence.includes('Pod was deleted')));
});

t.test('while the container runs nothing but the word of an API server ends the log', async (t) => {
  const proxy =
    (code: number): Step =>
    ({ response }) =>
      void response.writeHead(code, { location: '/login' }).end('<html>');
  const forbidden = refuses(403, 'Forbidden', 'pods "p" is forbidden: User "x" cannot get resource "pods/log"');
  const expired = refuses(410, 'Expired', 'too old resource version');
  const troubles = [302, 400, 404, 408, 413].map(proxy);
  const steps = [...troubles, expired, ...Array(5).fill(forbidden), sends(`${S(1)} a\n`)];
  const f = await following(t, [...steps, stays()], { timings: { logPollOnly: 0 } });
  await f.read(1);
  t.equal(Buffer.concat(f.chunks).toString(), 'a\n');
  f.abort.abort(new Error('enough'));
  await t.rejects(f.all, { message: 'enough' });
});

t.test('a log that was withheld long ago, and for a moment after the end, is not given up', async (t) => {
  const absentLog = refuses(404, 'NotFound', 'the server could not find the requested resource ( pods/log p)');
  const f = await following(
    t,
    [
      absentLog,
      // Nothing comes for much longer than a log may be withheld.
      async (exchange) => {
        begins(exchange.response);
        await new Promise((resolve) => setTimeout(resolve, 120));
        f.ended.abort();
        exchange.response.end();
      },
      absentLog,
      sends(`${S(1)} a\n`),
    ],
    { timings: { logGiveUp: 60, logWaitFirst: 5, logWaitLongest: 5 } },
  );
  t.equal(await f.all, 'a\n');
});

t.test('one refusal after a long outage is that of a server or a kubelet that starts', async (t) => {
  const away = refuses(500, '', 'Get "https://10.250.0.1:10250/containerLogs": dial tcp: connect: connection refused');
  const forbidden = refuses(403, 'Forbidden', 'pods "p" is forbidden: User "x" cannot get resource "pods/log"');
  const absentLog = refuses(404, 'NotFound', 'the server could not find the requested resource ( pods/log p)');
  const timings = { logGiveUp: 40, logRefused: 40, logWaitFirst: 10, logWaitLongest: 10 };
  for (const refusal of [forbidden, absentLog]) {
    const f = await following(t, [...Array(12).fill(away), refusal, sends(`${S(1)} a\n`)], { ended: true, timings });
    t.equal(await f.all, 'a\n');
  }
  const quiet: Step = async ({ response }) => {
    begins(response);
    await new Promise((resolve) => setTimeout(resolve, 100));
    response.end();
  };
  const f = await following(t, [forbidden, quiet, forbidden, stays(`${S(1)} a\n`)], { timings });
  await f.read(1);
  f.abort.abort(new Error('enough'));
  await t.rejects(f.all, { message: 'enough' }, 'with a quiet time between two of them');
});

t.test('the permanent answer of a gateway for the log of an ended container is reported after a while', async (t) => {
  const redirect: Step = ({ response }) => void response.writeHead(302, { location: '/login' }).end();
  const { step, clock } = taking(150_000, redirect);
  const f = await following(t, Array(60).fill(step), { ended: true, clock, timings: { logGiveUp: 400_000 } });
  await t.rejects(f.all, { code: 'redirected' });
  t.equal(f.requests.length, 4);
});

t.test('a container that the pod does not have is an error at once', async (t) => {
  const { all } = await following(t, [refuses(400, 'BadRequest', 'container zz is not valid for pod p')]);
  await t.rejects(all, { code: 'bad-request' });
});

const forbidden = refuses(403, 'Forbidden', 'pods "p" is forbidden: User "x" cannot get resource "pods/log"');

t.test('a log that is forbidden once is read, because servers that start refuse what is allowed', async (t) => {
  const { all } = await following(t, [forbidden, sends(`${S(1)} a\n`)], { ended: true });
  t.equal(await all, 'a\n');
});

t.test('a log that stays forbidden is an error after a while', async (t) => {
  const { step, clock } = taking(400_000, forbidden);
  const f = await following(t, Array(60).fill(step), { clock, timings: { logRefused: 1_000_000 } });
  await t.rejects(f.all, { code: 'forbidden' });
  t.equal(f.requests.length, 4);
});
