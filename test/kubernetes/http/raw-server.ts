/** A server that answers with the bytes that a test says, and connections to it. */
import { createServer, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import type { Test } from 'tap';
import { Connections } from '../../../src/kubernetes/http/connections.ts';
import { Exchange } from '../../../src/kubernetes/http/exchange.ts';
import { tlsSettings } from '../../../src/kubernetes/http/tls.ts';
import { systemClock } from '../../../src/system/clock.ts';
import type { ServerIdentity } from '../../cluster/authority.ts';

export const HEAD = 'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n';
export const chunk = (text: string): string => `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`;
export const END = '0\r\n\r\n';
export const NEVER_MS = 600_000;

interface RawServer {
  /** A request with this body; default: none. */
  readonly send: (signal?: AbortSignal, body?: string, isFresh?: boolean) => Promise<Exchange>;
  /** Connections that are open. */
  readonly sockets: ReadonlySet<Socket>;
  /** Requests, each with the number of its connection. */
  readonly requests: readonly { readonly connection: number; readonly text: string }[];
  readonly connections: Connections;
}

/** A server that does what the test says with each request, and connections to it. */
export async function rawServer(
  t: Test,
  serve: (socket: Socket, request: number) => void,
  {
    identity,
    clock = systemClock,
    host = '127.0.0.1',
  }: { identity?: ServerIdentity; clock?: typeof systemClock; host?: string } = {},
): Promise<RawServer> {
  const sockets = new Set<Socket>();
  const requests: { connection: number; text: string }[] = [];
  let accepted = 0;
  const accept = (socket: Socket): void => {
    const connection = accepted++;
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => {});
    socket.on('data', (data) => {
      requests.push({ connection, text: String(data) });
      serve(socket, requests.length - 1);
    });
  };
  const server = identity ? createTlsServer({ cert: identity.cert, key: identity.key }, accept) : createServer(accept);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : 0;
  const connections = new Connections({
    target: new URL(`${identity ? 'https' : 'http'}://${host}:${port}`),
    tls: identity && tlsSettings({ ca: identity.ca, verify: true }),
    tunnel: undefined,
    clock,
    connectMs: 10_000,
    keepAliveMs: 20_000,
    idleMs: 60_000,
  });
  const lines = ['GET / HTTP/1.1', 'host: server'];
  t.teardown(async () => {
    connections.close(new Error('the test is over'));
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  return {
    send: (signal = new AbortController().signal, body, isFresh = false) =>
      Exchange.send(connections, { lines, body, headersMs: NEVER_MS, isFresh, clock }, signal),
    sockets,
    requests,
    connections,
  };
}

export async function textOf(exchange: Exchange): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of exchange.body()) parts.push(part);
  return Buffer.concat(parts).toString('utf8');
}
