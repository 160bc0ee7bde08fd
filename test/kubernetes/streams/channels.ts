/** A server that speaks the channel protocols of exec and attach as a test says, and a client for it. */
import type { Test } from 'tap';
import { type WebSocket, WebSocketServer } from 'ws';
import type { ClientOptions } from '../../../src/kubernetes/client.ts';
import type { Client } from '../../../src/kubernetes/contract.ts';
import { apiServer, clientOf, status } from '../server.ts';

export const SUCCESS = '{"metadata":{},"status":"Success"}';

export const frame = (channel: number, text: string | Buffer): Buffer =>
  Buffer.concat([Buffer.of(channel), Buffer.from(text)]);

export const V5 = ['v5.channel.k8s.io'];
export const V4 = ['v4.channel.k8s.io'];

interface Served {
  readonly client: Client;
  /** What was asked for, path and query. */
  readonly urls: string[];
  readonly offered: string[];
}

/** A server that speaks the channel protocols it is given. */
export async function serving(
  t: Test,
  protocols: readonly string[],
  talk: (socket: WebSocket) => void,
  options: Partial<ClientOptions> = {},
): Promise<Served> {
  const urls: string[] = [];
  const offered: string[] = [];
  const server = await apiServer(t, ({ answer }) => answer(400, status(400, 'BadRequest', 'Upgrade request required')));
  const sockets = new WebSocketServer({
    noServer: true,
    handleProtocols: (wanted) => protocols.find((protocol) => wanted.has(protocol)) ?? false,
  });
  server.upgrades((request, socket, head) => {
    urls.push(request.url ?? '');
    offered.push(String(request.headers['sec-websocket-protocol']));
    sockets.handleUpgrade(request, socket, head, talk);
  });
  return { client: clientOf(t, server.url, options), urls, offered };
}
