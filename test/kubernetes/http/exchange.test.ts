/** Calls: an answer arrives byte for byte, and ends as it did: in order, failed, too long or aborted. */
import { createServer, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';
import type { Dispatcher } from 'undici';
import { Pool } from 'undici';
import { Exchange } from '../../../src/kubernetes/http/exchange.ts';
import { eventually } from '../../support/eventually.ts';

const OPTIONS = { method: 'GET', path: '/' } as const;
const HEAD = 'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n';
const chunk = (text: string): string => `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`;
const END = '0\r\n\r\n';
const MAX = 64 * 1024 * 1024;

/** A server that says what the test writes, byte for byte, to each request. A client that has one connection at a time. */
async function rawServer(t: Test, serve: (socket: Socket) => void): Promise<{ pool: Pool; sockets: Set<Socket> }> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => {});
    socket.on('data', () => serve(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : 0;
  const pool = new Pool(`http://127.0.0.1:${port}`, { bodyTimeout: 0, connections: 1 });
  t.teardown(async () => {
    await pool.destroy();
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  return { pool, sockets };
}

const signal = (): AbortSignal => new AbortController().signal;

t.test('status, headers and body; a connection with a complete answer is used again', async (t) => {
  const connections = new Set<Socket>();
  const { pool } = await rawServer(t, (socket) => {
    connections.add(socket);
    socket.write(`${HEAD}${chunk('one')}${chunk('two')}${END}`);
  });
  const first = await Exchange.send(pool, OPTIONS, signal());
  t.equal(first.status, 200);
  t.same(first.header('content-type'), ['text/plain']);
  t.equal(String(await first.complete(MAX)), 'onetwo');
  t.equal(String(await (await Exchange.send(pool, OPTIONS, signal())).complete(MAX)), 'onetwo');
  t.equal(connections.size, 1);
});

t.test('what comes before the answer is not the answer', async (t) => {
  const { pool } = await rawServer(t, (socket) => {
    socket.write(`HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n${HEAD}${chunk('text')}${END}`);
  });
  const exchange = await Exchange.send(pool, OPTIONS, signal());
  t.equal(exchange.status, 200);
  t.equal(String(await exchange.complete(MAX)), 'text');
});

t.test('a body of no bytes', async (t) => {
  const { pool } = await rawServer(t, (socket) => void socket.write(HEAD + END));
  t.equal((await (await Exchange.send(pool, OPTIONS, signal())).complete(MAX))?.length, 0);
});

t.test('an answer that is not read closes the connection', async (t) => {
  const { pool, sockets } = await rawServer(t, (socket) => void socket.write(HEAD + chunk('one')));
  (await Exchange.send(pool, OPTIONS, signal())).discard();
  await eventually(() => sockets.size === 0);
});

t.test('an aborted signal ends it before the answer and while it waits for more', async (t) => {
  const reason = new Error('enough');
  const silent = await rawServer(t, () => {});
  const early = new AbortController();
  const sent = Exchange.send(silent.pool, OPTIONS, early.signal);
  await eventually(() => silent.sockets.size === 1);
  early.abort(reason);
  await t.rejects(sent, reason);
  await eventually(() => silent.sockets.size === 0);
  await t.rejects(Exchange.send(silent.pool, OPTIONS, early.signal), reason, 'it is not even sent');

  const { pool, sockets } = await rawServer(t, (socket) => void socket.write(HEAD + chunk('x'.repeat(1_000_000))));
  const controller = new AbortController();
  const exchange = await Exchange.send(pool, OPTIONS, controller.signal);
  const waiting = exchange.complete(MAX);
  await sleep(20);
  controller.abort(reason);
  await t.rejects(waiting, reason);
  await eventually(() => sockets.size === 0);
});

t.test(
  'a queued request that is aborted rejects at once, is not sent, and leaves the connection to the next',
  async (t) => {
    const connections = new Set<Socket>();
    const requests: (() => void)[] = [];
    const { pool } = await rawServer(t, (socket) => {
      connections.add(socket);
      requests.push(() => socket.write(`${HEAD}${END}`));
    });
    const first = Exchange.send(pool, OPTIONS, signal());
    await eventually(async () => requests.length === 1 || undefined, 'the first request arrives');
    const controller = new AbortController();
    const reason = new Error('enough');
    const queued = Array.from({ length: 10 }, () => Exchange.send(pool, OPTIONS, controller.signal));
    const last = Exchange.send(pool, OPTIONS, signal());
    controller.abort(reason);
    for (const each of queued) await t.rejects(each, reason);
    requests[0]?.();
    await (await first).complete(MAX);
    await eventually(async () => requests.length === 2 || undefined, 'the last request arrives');
    requests[1]?.();
    await (await last).complete(MAX);
    t.equal(requests.length, 2);
    t.equal(connections.size, 1, 'no connection was closed');
  },
);

t.test('an answer that fails after some bytes is not complete', async (t) => {
  const failure = new Error('other side closed');
  const dispatch = (_options: unknown, handler: Exchange): void => {
    handler.onResponseStart(undefined, 200, {});
    handler.onResponseData(undefined, Buffer.from('half'));
    handler.onResponseError(undefined, failure);
  };
  const exchange = await Exchange.send({ dispatch } as unknown as Dispatcher, OPTIONS, signal());
  await t.rejects(exchange.complete(MAX), failure);
});

t.test('a body that is longer than the limit is not kept, and its connection is closed', async (t) => {
  const { pool, sockets } = await rawServer(t, (socket) => {
    socket.write(`${HEAD}${chunk('x'.repeat(600))}`);
    socket.write(chunk('x'.repeat(600)));
  });
  const exchange = await Exchange.send(pool, OPTIONS, signal());
  t.equal(await exchange.complete(1_000), undefined);
  await eventually(() => sockets.size === 0, 'the connection is closed');
});

t.test('a body as long as the limit is complete', async (t) => {
  const { pool } = await rawServer(t, (socket) => void socket.write(`${HEAD}${chunk('x'.repeat(1_000))}${END}`));
  const exchange = await Exchange.send(pool, OPTIONS, signal());
  t.equal((await exchange.complete(1_000))?.length, 1_000);
});
