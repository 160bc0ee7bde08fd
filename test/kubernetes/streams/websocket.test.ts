/** An upgrade that failed says whether the server can have seen it: only what it has not seen may be asked again. */
import { type AddressInfo, createServer, type Socket } from 'node:net';
import t, { type Test } from 'tap';
import type { ClientOptions } from '../../../src/kubernetes/client.ts';
import { KubernetesError } from '../../../src/kubernetes/kubernetes-error.ts';
import { createIdentity } from '../../cluster/authority.ts';
import { apiServer, clientOf } from '../server.ts';

/** The code of the error with which an attach fails. */
async function failure(t: Test, url: string, options: Partial<ClientOptions> = {}): Promise<unknown> {
  const error: unknown = await clientOf(t, url, options)
    .attachInput('p', 'c', Buffer.from('x'))
    .catch((reason: unknown) => reason);
  return error instanceof KubernetesError ? error.code : error;
}

/** The port of a server that does this with each connection, and speaks no TLS. */
async function rawServer(t: Test, take: (socket: Socket) => void): Promise<number> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    take(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

t.test('it cannot have seen it: there is no connection yet', async (t) => {
  t.equal(await failure(t, 'http://127.0.0.1:1'), 'unreachable');
  const closing = await rawServer(t, (socket) => socket.destroy());
  t.equal(await failure(t, `https://127.0.0.1:${closing}`), 'unreachable', 'a load balancer without servers');
  const silent = await rawServer(t, () => {});
  t.equal(await failure(t, `https://127.0.0.1:${silent}`, { requestTimeoutMs: 60 }), 'unreachable', 'a silent one');
  const strange = await apiServer(t, () => {}, { identity: createIdentity() });
  t.equal(await failure(t, strange.url), 'tls');
});

t.test('it may have seen it: the answer did not come', async (t) => {
  const identity = createIdentity();
  const tls = { verify: true, ca: identity.ca };
  for (const secure of [{}, { identity }]) {
    const closing = await apiServer(t, () => {}, secure);
    closing.upgrades((_request, socket) => socket.destroy());
    t.equal(await failure(t, closing.url, { tls }), 'interrupted');
    const silent = await apiServer(t, () => {}, secure);
    silent.upgrades(() => {});
    t.equal(await failure(t, silent.url, { tls, requestTimeoutMs: 200 }), 'timeout');
  }
});

t.test('an upgrade that the server refuses has the code of its answer', async (t) => {
  const server = await apiServer(t, ({ answer }) => answer(422, { kind: 'Status', reason: 'Invalid', code: 422 }));
  server.upgrades((_request, socket) => {
    const body = JSON.stringify({ kind: 'Status', reason: 'Invalid', message: 'no', code: 422 });
    socket.end(`HTTP/1.1 422 Unprocessable Entity\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
  });
  t.equal(await failure(t, server.url), 'invalid');
});
