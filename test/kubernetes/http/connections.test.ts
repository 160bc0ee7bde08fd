/** When a connection serves another request, and when it must not: unsent bytes, silence, an aborted signal, the end of the client. */
import { connect, createServer, Socket } from 'node:net';
import t, { type Test } from 'tap';
import { Connections } from '../../../src/kubernetes/http/connections.ts';
import { Exchange } from '../../../src/kubernetes/http/exchange.ts';
import { openTunnel } from '../../../src/kubernetes/http/proxy.ts';
import { tlsSettings } from '../../../src/kubernetes/http/tls.ts';
import { systemClock } from '../../../src/system/clock.ts';
import { createIdentity } from '../../cluster/authority.ts';
import { eventually } from '../../support/eventually.ts';
import { fakeClock } from '../../support/fake-clock.ts';
import { END, HEAD, NEVER_MS, rawServer, textOf } from './raw-server.ts';

const ANSWER = `${HEAD}${END}`;
const LARGE_BODY = 'x'.repeat(8_000_000);
const reason = new Error('enough');

t.test('an answer before the end of the request leaves no connection to use again', async (t) => {
  const { send, requests } = await rawServer(t, (socket, request) => {
    if (request === 0) socket.pause().write('HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n');
    else socket.write(ANSWER);
  });
  const refused = await send(undefined, LARGE_BODY);
  t.equal(refused.status, 413);
  refused.discard();
  t.equal((await send()).status, 200);
  t.same(
    requests.map(({ connection }) => connection),
    [0, 1],
  );
});

for (const identity of [undefined, createIdentity(['127.0.0.1'])]) {
  const scheme = identity === undefined ? 'HTTP' : 'HTTPS';
  t.test(`${scheme}: a connection is used again after a large request`, async (t) => {
    let received = 0;
    const serve = (socket: Socket, request: number): void => {
      received += requests[request]?.text.length ?? 0;
      if (received <= LARGE_BODY.length) return;
      received = 0;
      socket.write(ANSWER);
    };
    const { send, requests } = await rawServer(t, serve, identity ? { identity } : {});
    for (let count = 0; count < 2; count++) await textOf(await send(undefined, LARGE_BODY));
    t.equal(requests.at(-1)?.connection, 0);
  });
}

t.test('after a connection that gave no answer the other unused ones are not trusted', async (t) => {
  const clock = fakeClock();
  let isDead = false;
  const { send, requests, connections } = await rawServer(
    t,
    (socket, request) => {
      if (!isDead || requests[request]?.connection === 2) socket.write(ANSWER);
    },
    { clock },
  );
  for (const exchange of await Promise.all([send(), send()])) await textOf(exchange);
  isDead = true;
  const request = { lines: ['GET / HTTP/1.1', 'host: server'], headersMs: 1_000, clock };
  const unanswered = Exchange.send(connections, request, new AbortController().signal);
  await eventually(() => requests.length === 3);
  clock.advance(1_000);
  await t.rejects(unanswered, { code: 'headers-timeout' });
  t.equal((await send()).status, 200);
  t.equal(requests.at(-1)?.connection, 2);
});

t.test('a client that was closed opens no connection for a request that it would send again', async (t) => {
  const { send, requests, connections } = await rawServer(t, (socket) => socket.write(ANSWER));
  await textOf(await send());
  const interrupted = send();
  connections.close(reason);
  await t.rejects(interrupted, { code: 'closed', message: 'the client was closed' });
  t.equal(requests.length, 1);
  await t.rejects(connections.open(new AbortController().signal), { code: 'closed' });
});

/** The port of a server that answers each connection with this, and then nothing. */
async function listen(t: Test, answer = ''): Promise<number> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.once('data', () => socket.write(answer));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const address = server.address();
  return typeof address === 'object' ? (address?.port ?? 0) : 0;
}

t.test('a signal that is aborted just after the connection was opened ends the request', async (t) => {
  const port = await listen(t);
  for (let hops = 1; hops <= 6; hops++) {
    const controller = new AbortController();
    const abortAfter = (left: number): void => {
      if (left === 0) controller.abort(reason);
      else queueMicrotask(() => abortAfter(left - 1));
    };
    const connections = new Connections({
      target: new URL(`http://127.0.0.1:${port}`),
      tls: undefined,
      tunnel: async () => {
        const socket = connect(port, '127.0.0.1');
        await new Promise<void>((resolve) => socket.once('connect', resolve));
        abortAfter(hops);
        return socket;
      },
      clock: systemClock,
      connectMs: NEVER_MS,
      keepAliveMs: NEVER_MS,
      idleMs: NEVER_MS,
    });
    const request = { lines: ['GET / HTTP/1.1'], headersMs: 1_000, clock: systemClock };
    await t.rejects(Exchange.send(connections, request, controller.signal), reason, `after ${hops}`);
    connections.close(reason);
  }
});

t.test('a signal that is aborted just after the proxy answered ends the tunnel', async (t) => {
  const port = await listen(t, 'HTTP/1.1 200 OK\r\n\r\n');
  const controller = new AbortController();
  const { setKeepAlive } = Socket.prototype;
  t.teardown(() => {
    Socket.prototype.setKeepAlive = setKeepAlive;
  });
  // It is called between the two.
  Socket.prototype.setKeepAlive = function (isEnabled?: unknown, delayMs?: number) {
    if (delayMs === NEVER_MS) controller.abort(reason);
    return setKeepAlive.call(this, isEnabled === true, delayMs);
  };
  const opened = openTunnel({
    proxy: new URL(`http://127.0.0.1:${port}`),
    target: new URL('https://192.0.2.1:6443'),
    tls: tlsSettings({ verify: true }),
    timeoutMs: 1_000,
    keepAliveMs: NEVER_MS,
    clock: systemClock,
    signal: controller.signal,
  });
  await t.rejects(opened, reason);
});
