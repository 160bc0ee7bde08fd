/**
 * Upgrades to WebSocket: exec and attach, or the refusal as an answer of HTTP.
 */
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { type WebSocket, WebSocketServer } from 'ws';
import type { User } from '../accounts.ts';
import type { JournalWriter, RequestEntry } from '../journal.ts';
import type { Pod } from '../model.ts';
import type { Pace } from '../pace.ts';
import { type Access, attributesOf, authorize } from './access.ts';
import { encode } from './answer.ts';
import { createChannels, PROTOCOLS } from './channels.ts';
import type { Nodes } from './podlog.ts';
import { queryOf, routeOf, type Target } from './request.ts';
import { PODS } from './resources.ts';
import type { Intercept } from './server.ts';
import { ApiError, unknownResource } from './status.ts';
import { KubeletRefusal, serveAttach, serveExec, streamTarget } from './streams.ts';

interface UpgradeParts {
  readonly access: Access;
  readonly nodes: Nodes;
  readonly journal: JournalWriter;
  readonly pace: Pace;
  readonly intercept: Intercept;
  readonly userOf: (request: IncomingMessage) => User;
  readonly entryOf: (request: IncomingMessage) => RequestEntry;
  readonly podOf: (target: Target) => Pod;
}

export function createUpgrade(
  parts: UpgradeParts,
): (request: IncomingMessage, socket: Socket, head: Buffer) => Promise<void> {
  const { access, journal } = parts;
  const websockets = new WebSocketServer({
    noServer: true,
    handleProtocols: (offered) => bestProtocol(offered) ?? false,
  });

  async function upgrade(request: IncomingMessage, socket: Socket, head: Buffer): Promise<void> {
    const entry = parts.entryOf(request);
    socket.on('error', () => socket.destroy());
    try {
      if (await parts.intercept(request, entry, { socket })) return;
      openStream(request, socket, head, entry);
    } catch (error) {
      const [code, text, type] = refusal(error);
      entry.status = code;
      socket.end(
        `HTTP/1.1 ${code} ${STATUS_TEXTS[code] ?? ''}\r\nCache-Control: no-cache, private\r\n${text === '' ? '' : `Content-Type: ${type}\r\n`}Date: ${new Date().toUTCString()}\r\nContent-Length: ${Buffer.byteLength(text)}\r\nConnection: close\r\n\r\n${text}`,
      );
    }
  }

  function openStream(request: IncomingMessage, socket: Socket, head: Buffer, entry: RequestEntry): void {
    const user = parts.userOf(request);
    const [pathname = '', search = ''] = (request.url ?? '').split(/\?(.*)/s);
    const query = queryOf(search);
    const route = routeOf(pathname);
    if (route.type !== 'resource' || route.target.resource.plural !== PODS.plural) throw unknownResource();
    const { subresource } = route.target;
    authorize(access, user, attributesOf(request.method ?? '', route.target, query));
    if (subresource !== 'exec' && subresource !== 'attach') throw unknownResource();
    const target = streamTarget(subresource, parts.podOf(route.target), query, parts.nodes);
    const offered = request.headers['sec-websocket-protocol'];
    const protocol = offered === undefined ? '' : bestProtocol(offered.split(',').map((one) => one.trim()));
    if (protocol === undefined) throw new KubeletRefusal(403, '');
    entry.status = 101;
    websockets.handleUpgrade(request, socket, head, (websocket: WebSocket) => {
      const channels = createChannels(websocket, protocol);
      if (subresource === 'exec') serveExec(target, query, channels);
      else serveAttach(target, query, channels, parts.pace, journal);
    });
  }

  return upgrade;
}

function bestProtocol(offered: Iterable<string>): string | undefined {
  const list = new Set(offered);
  return PROTOCOLS.find((protocol) => protocol !== '' && list.has(protocol));
}

const STATUS_TEXTS: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  500: 'Internal Server Error',
};

function refusal(error: unknown): [number, string, string] {
  if (error instanceof ApiError) return [error.code, encode(error.status), 'application/json'];
  if (error instanceof KubeletRefusal) return [error.code, error.message, 'text/plain; charset=utf-8'];
  throw error;
}
