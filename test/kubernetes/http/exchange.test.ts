/** Requests over real sockets: the body arrives at its reader's pace, and ends as it did: in order, cut, reset or aborted. */
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { Connections } from '../../../src/kubernetes/http/connections.ts';
import { Exchange } from '../../../src/kubernetes/http/exchange.ts';
import { createIdentity } from '../../cluster/authority.ts';
import { eventually } from '../../support/eventually.ts';
import { fakeClock } from '../../support/fake-clock.ts';
import { chunk, END, HEAD, NEVER_MS, rawServer, textOf } from './raw-server.ts';

/** The text until the failure, and the failure. */
async function failureOf(exchange: Exchange): Promise<{ readonly text: string; readonly error: unknown }> {
  let text = '';
  try {
    for await (const part of exchange.body()) text += String(part);
  } catch (error) {
    return { text, error };
  }
  throw new Error('it did not fail');
}

t.test('a request has its lines, and its answer status, headers and body', async (t) => {
  const { send, requests } = await rawServer(t, (socket) =>
    socket.write(`${HEAD}${chunk('one')}${chunk('two')}${END}`),
  );
  const exchange = await send();
  t.equal(exchange.status, 200);
  t.same(exchange.header('content-type'), ['text/plain']);
  t.equal(await textOf(exchange), 'onetwo');
  t.equal(requests[0]?.text, 'GET / HTTP/1.1\r\nhost: server\r\n\r\n');
});

t.test('a body is sent in UTF-8 after its length', async (t) => {
  const { send, requests } = await rawServer(t, (socket) => socket.write(`${HEAD}${END}`));
  t.equal(await textOf(await send(undefined, 'äö')), '');
  t.equal(requests[0]?.text, 'GET / HTTP/1.1\r\nhost: server\r\ncontent-length: 4\r\n\r\näö');
});

t.test('what comes before the answer is not the answer', async (t) => {
  const hints = 'HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n';
  const { send } = await rawServer(t, (socket) => socket.write(`${hints}${HEAD}${chunk('text')}${END}`));
  const exchange = await send();
  t.equal(exchange.status, 200);
  t.equal(await textOf(exchange), 'text');
});

for (const host of ['localhost', '127.0.0.1']) {
  t.test(`TLS to ${host}, byte for byte in records of their own`, async (t) => {
    const identity = createIdentity([host]);
    const answer = `${HEAD}${chunk('one')}${chunk('two')}${END}`;
    const { send } = await rawServer(
      t,
      async (socket) => {
        socket.setNoDelay(true);
        for (const byte of answer) await new Promise((resolve) => socket.write(byte, resolve));
      },
      { identity, host },
    );
    t.equal(await textOf(await send()), 'onetwo');
  });
}

t.test('a certificate for another name is refused', async (t) => {
  const identity = createIdentity(['somewhere.else']);
  const { send } = await rawServer(t, () => {}, { identity });
  await t.rejects(send(), { code: 'ERR_TLS_CERT_ALTNAME_INVALID' });
});

t.test('a connection is used again after an orderly end', async (t) => {
  const { send, requests } = await rawServer(t, (socket) => socket.write(`${HEAD}${chunk('one')}${END}`));
  t.equal(await textOf(await send()), 'one');
  t.equal(await textOf(await send()), 'one');
  t.same(
    requests.map(({ connection }) => connection),
    [0, 0],
  );
});

t.test('a request for a fresh connection does not use one that may have died', async (t) => {
  const { send, requests } = await rawServer(t, (socket) => socket.write(`${HEAD}${chunk('one')}${END}`));
  t.equal(await textOf(await send()), 'one');
  t.equal(await textOf(await send(undefined, undefined, true)), 'one');
  t.same(
    requests.map(({ connection }) => connection),
    [0, 1],
  );
});

t.test('streams at the same time have connections of their own', async (t) => {
  const { send, requests } = await rawServer(t, (socket) => socket.write(`${HEAD}${chunk('one')}`));
  await Promise.all([send(), send()]);
  t.same(requests.map(({ connection }) => connection).sort(), [0, 1]);
});

t.test('a connection that the server closes when it gets the second request is replaced', async (t) => {
  const { send, requests } = await rawServer(t, (socket, request) => {
    if (request === 1) socket.destroy();
    else socket.write(`${HEAD}${chunk('one')}${END}`);
  });
  await textOf(await send());
  t.equal(await textOf(await send()), 'one');
  t.same(
    requests.map(({ connection }) => connection),
    [0, 0, 1],
  );
});

t.test(
  'a request with a body is not sent again when the server closes its connection: it may have been carried out',
  async (t) => {
    const { send, requests } = await rawServer(t, (socket, request) => {
      if (request === 1) socket.destroy();
      else socket.write(`${HEAD}${chunk('one')}${END}`);
    });
    await textOf(await send());
    await t.rejects(send(undefined, '{}'), /other side closed|ECONNRESET/);
    t.equal(requests.length, 2);
  },
);

t.test('a connection that the server has closed meanwhile is not used', async (t) => {
  const { send, requests, sockets } = await rawServer(t, (socket) => socket.write(`${HEAD}${chunk('one')}${END}`));
  await textOf(await send());
  for (const socket of sockets) socket.end();
  await eventually(() => sockets.size === 0);
  t.equal(await textOf(await send()), 'one');
  t.same(
    requests.map(({ connection }) => connection),
    [0, 1],
  );
});

t.test('bytes that nobody requested close an unused connection', async (t) => {
  const { send, sockets } = await rawServer(t, (socket) => socket.write(`${HEAD}${chunk('one')}${END}`));
  await textOf(await send());
  for (const socket of sockets) socket.write('HTTP/1.1 408 Request Timeout\r\n\r\n');
  await eventually(() => sockets.size === 0);
  t.equal(await textOf(await send()), 'one');
});

t.test('an unused connection is closed after a minute', async (t) => {
  const clock = fakeClock();
  const { send, sockets } = await rawServer(t, (socket) => socket.write(`${HEAD}${END}`), { clock });
  await textOf(await send());
  clock.advance(59_999);
  t.equal(sockets.size, 1);
  clock.advance(1);
  await eventually(() => sockets.size === 0);
});

t.test('a body without an end that the server closes is incomplete, and what arrived is delivered', async (t) => {
  const { send } = await rawServer(t, (socket) => socket.end(`${HEAD}${chunk('one')}`));
  t.match(await failureOf(await send()), { text: 'one', error: { code: 'closed', message: 'other side closed' } });
});

t.test('a connection that is reset is an error of the system, and what arrived is delivered', async (t) => {
  const { send } = await rawServer(t, (socket) => {
    socket.write(`${HEAD}${chunk('one')}`);
    setTimeout(() => socket.resetAndDestroy(), 50);
  });
  t.match(await failureOf(await send()), { text: 'one', error: { code: 'ECONNRESET' } });
});

t.test('a body without length ends with the connection', async (t) => {
  const { send } = await rawServer(t, (socket) => socket.end('HTTP/1.1 200 OK\r\n\r\none'));
  t.equal(await textOf(await send()), 'one');
});

t.test('a connection that is closed before the headers is an error', async (t) => {
  const { send } = await rawServer(t, (socket) => socket.end('HTTP/1.1 200 OK\r\nA: b\r\n'));
  await t.rejects(send(), { code: 'closed' });
});

t.test('a server that does not speak HTTP is an error', async (t) => {
  const { send, sockets } = await rawServer(t, (socket) => socket.write('SSH-2.0-OpenSSH\r\n'));
  await t.rejects(send(), { code: 'not-http' });
  await eventually(() => sockets.size === 0);
});

t.test('a malformed chunk ends the stream with an error', async (t) => {
  const { send, sockets } = await rawServer(t, (socket) => {
    socket.write(`${HEAD}${chunk('one')}`);
    setTimeout(() => socket.write('x\r\n'), 50);
  });
  t.match(await failureOf(await send()), { text: 'one', error: { code: 'malformed-answer' } });
  await eventually(() => sockets.size === 0);
});

t.test('a server that sends no headers is given up after the deadline', async (t) => {
  const clock = fakeClock();
  const { send, sockets, requests } = await rawServer(t, () => {}, { clock });
  const sent = send();
  await eventually(() => requests.length === 1);
  clock.advance(NEVER_MS);
  await t.rejects(sent, { code: 'headers-timeout', message: 'no answer after 600 s' });
  await eventually(() => sockets.size === 0);
});

t.test('a server that accepts no connection is given up after the deadline', async (t) => {
  const clock = fakeClock();
  const connections = new Connections({
    // TEST-NET-1: packets to it are lost.
    target: new URL('http://192.0.2.1:6443'),
    tls: undefined,
    tunnel: () => new Promise((_resolve, reject) => setTimeout(() => reject(new Error('the proxy is slow')), 0)),
    clock,
    connectMs: 10_000,
    keepAliveMs: 20_000,
    idleMs: 60_000,
  });
  const request = { lines: ['GET / HTTP/1.1'], headersMs: NEVER_MS, clock };
  await t.rejects(Exchange.send(connections, request, new AbortController().signal), /the proxy is slow/);
});

t.test('nobody reads: the server is not read from either, and later nothing is missing', async (t) => {
  const LENGTH = 64 * 1024 * 1024;
  for (const identity of [undefined, createIdentity(['127.0.0.1'])]) {
    const { send, sockets } = await rawServer(
      t,
      (socket) => {
        socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${LENGTH}\r\n\r\n`);
        socket.end(Buffer.alloc(LENGTH, 'x'));
      },
      identity ? { identity } : {},
    );
    const exchange = await send();
    await sleep(200);
    const [socket] = sockets;
    t.ok((socket?.writableLength ?? 0) > LENGTH / 2, 'most of it waits at the server');
    let length = 0;
    for await (const part of exchange.body()) length += part.length;
    t.equal(length, LENGTH);
  }
});

t.test('while streams hold 64 MiB, a stream receives one read at a time, and all bytes arrive', async (t) => {
  const LENGTH = 2 * 1024 * 1024;
  const ONE_READ = 64 * 1024;
  const { send, connections } = await rawServer(t, (socket) => {
    socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${LENGTH}\r\n\r\n`);
    socket.write(Buffer.alloc(LENGTH, 'x'));
  });
  const others = connections.buffer(64 * 1024 * 1024);
  t.equal(connections.isFull, true);
  const exchange = await send();
  let length = 0;
  let longest = 0;
  for await (const part of exchange.body()) {
    length += part.length;
    longest = Math.max(longest, part.length);
    for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
  }
  t.equal(length, LENGTH);
  t.ok(longest <= ONE_READ, `${longest} bytes in one part`);
  connections.recycle(others);
  t.equal(connections.isFull, false);
});

t.test('reads of one turn of the event loop are delivered together', async (t) => {
  const lines = Array.from({ length: 1_000 }, (_, index) => `line ${index}\n`);
  const identity = createIdentity(['127.0.0.1']);
  const serve = (socket: Socket): void => {
    socket.write(HEAD);
    for (const line of lines) socket.write(chunk(line));
    socket.write(END);
  };
  const { send } = await rawServer(t, serve, { identity });
  const parts: string[] = [];
  for await (const part of (await send()).body()) parts.push(String(part));
  t.equal(parts.join(''), lines.join(''));
  t.ok(parts.length < 100, `${parts.length} parts of 1000 records`);
});

t.test('leaving early, or not reading at all, closes the connection', async (t) => {
  const { send, sockets } = await rawServer(t, (socket) => socket.write(HEAD + chunk('one')));
  for await (const part of (await send()).body()) {
    t.equal(String(part), 'one');
    break;
  }
  await eventually(() => sockets.size === 0);
  (await send()).discard();
  await eventually(() => sockets.size === 0);
});

t.test('the first bytes of a body; the rest closes the connection', async (t) => {
  const { send, sockets } = await rawServer(t, (socket) => socket.write(HEAD + chunk('one')));
  t.equal(String(await (await send()).first(2)), 'on');
  await eventually(() => sockets.size === 0);
});

t.test('a complete body: in one read or in several, empty, and as long as the limit', async (t) => {
  const texts = ['', 'x'.repeat(1_000), 'x'.repeat(999)];
  const { send, requests } = await rawServer(t, async (socket, request) => {
    const text = texts[request] ?? '';
    if (request < 2) socket.write(`${HEAD}${text === '' ? '' : chunk(text)}${END}`);
    else {
      socket.write(`${HEAD}${chunk(text.slice(0, 500))}`);
      await sleep(20);
      socket.write(`${chunk(text.slice(500))}${END}`);
    }
  });
  for (const text of texts) t.equal(String(await (await send()).complete(1_000)), text);
  t.same(
    requests.map(({ connection }) => connection),
    [0, 0, 0],
  );
});

t.test('a body that is longer than the limit is not kept, and its connection is closed', async (t) => {
  const { send, sockets } = await rawServer(t, (socket) => {
    socket.write(`${HEAD}${chunk('x'.repeat(600))}`);
    socket.write(chunk('x'.repeat(600)));
  });
  t.equal(await (await send()).complete(1_000), undefined);
  await eventually(() => sockets.size === 0);
  const complete = await rawServer(t, (socket) => socket.write(`${HEAD}${chunk('x'.repeat(1_001))}${END}`));
  t.equal(await (await complete.send()).complete(1_000), undefined);
});

t.test('an aborted signal ends a request before its answer, and sends none afterwards', async (t) => {
  const reason = new Error('enough');
  const { send, sockets, requests } = await rawServer(t, () => {});
  const controller = new AbortController();
  const sent = send(controller.signal);
  await eventually(() => requests.length === 1);
  controller.abort(reason);
  await t.rejects(sent, reason);
  await eventually(() => sockets.size === 0);
  await t.rejects(send(controller.signal), reason);
  t.equal(requests.length, 1);
});

t.test('an aborted signal ends a stream that waits, and one that is paused', async (t) => {
  const reason = new Error('enough');
  const { send, sockets } = await rawServer(t, (socket) => socket.write(HEAD + chunk('x'.repeat(1_000_000))));
  for (const isRead of [true, false]) {
    const controller = new AbortController();
    const exchange = await send(controller.signal);
    const reading = isRead ? failureOf(exchange) : undefined;
    await sleep(50);
    controller.abort(reason);
    t.equal((await (reading ?? failureOf(exchange))).error, reason);
    await eventually(() => sockets.size === 0);
  }
});

t.test('a signal that is aborted while the last bytes wait is no orderly end', async (t) => {
  const { send } = await rawServer(t, (socket) => {
    socket.write(HEAD + chunk('one'));
    setTimeout(() => socket.write(chunk('two') + END), 20);
  });
  const controller = new AbortController();
  const reason = new Error('enough');
  const found: string[] = [];
  const exchange = await send(controller.signal);
  const reading = (async () => {
    for await (const part of exchange.body()) {
      found.push(String(part));
      await sleep(80);
      controller.abort(reason);
    }
  })();
  await t.rejects(reading, reason);
  t.same(found, ['one']);
});

t.test('closing all connections ends a stream, one that is being opened, and one that is not used', async (t) => {
  const reason = new Error('the client was closed');
  const { send, sockets, connections, requests } = await rawServer(t, (socket, request) => {
    if (request === 0) socket.write(`${HEAD}${END}`);
    if (request === 1) socket.write(`${HEAD}${chunk('one')}`);
  });
  const unused = await send();
  const open = await send();
  await textOf(unused);
  const waiting = send();
  const opening = send();
  const results = Promise.allSettled([failureOf(open), waiting, opening]);
  await eventually(() => requests.length >= 3);
  connections.close(reason);
  const [first, second, third] = await results;
  t.match(first, { status: 'fulfilled', value: { text: 'one', error: reason } });
  t.match([second?.status, third?.status], ['rejected', 'rejected']);
  await eventually(() => sockets.size === 0);
});
