/** WebSockets of exec and attach: the upgrade request, its errors, and the channels. */
import type { ClientRequest, ClientRequestArgs, IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import type { WebSocket } from 'ws';
import { Deadline } from '../../system/async.ts';
import type { Clock } from '../../system/clock.ts';
import type { Timings } from '../http/timings.ts';
import type { Transport } from '../http/transport.ts';
import { errorOfAnswer, errorOfConnection, isUnauthorized, KubernetesError } from '../kubernetes-error.ts';

/** First byte of each frame of exec and attach (kubernetes-facts.md 72). */
export const CHANNEL = { stdin: 0, stdout: 1, stderr: 2, status: 3, close: 255 } as const;

/** Newest first; only v5 can close stdin without closing the connection (kubernetes-facts.md 75). */
const PROTOCOLS = ['v5.channel.k8s.io', 'v4.channel.k8s.io'];

/** Longest frame; the server sends frames of 16 KiB. */
const MAX_FRAME = 1024 * 1024;
const ERROR_BODY_BYTES = 64 * 1024;

/** The server answers a close frame when the container has read all input, which may take hours. */
const CLOSE_TIMEOUT_MS = 2 ** 31 - 1;

interface ChannelRequest {
  readonly path: string;
  readonly query: string;
  readonly signal: AbortSignal;
}

export interface ChannelDependencies {
  readonly transport: Transport;
  readonly clock: Clock;
  readonly timings: Timings;
  /** Deadline of the upgrade. */
  readonly upgradeMs: number;
  /** All open sockets; closing the client closes them. */
  readonly sockets: Set<WebSocket>;
}

/** A WebSocket and the Authorization header of its upgrade. */
interface Channels {
  readonly socket: WebSocket;
  readonly authorization: string | undefined;
}

/**
 * Opens a WebSocket to a subresource of a pod with the client's TLS options and token. A refused upgrade rejects with the
 * error of its Status, a request that the server cannot have received as 'unreachable'. The socket is paused, so that no
 * frame is lost before the caller listens and resumes it.
 */
export async function openChannels(request: ChannelRequest, dependencies: ChannelDependencies): Promise<Channels> {
  const { token } = dependencies.transport;
  const authorization = await token.authorization();
  try {
    return await upgrade(request, dependencies, authorization);
  } catch (error) {
    if (!isUnauthorized(error) || !(await token.changedSince(authorization))) throw error;
    return upgrade(request, dependencies, await token.authorization());
  }
}

async function upgrade(
  request: ChannelRequest,
  { transport, clock, timings, upgradeMs, sockets }: ChannelDependencies,
  authorization: string | undefined,
): Promise<Channels> {
  const path = transport.prefix + request.path;
  const call = { method: 'GET', path };
  // Loaded with the first channel, which makes the start faster.
  const { WebSocket } = await import('ws');
  return await new Promise<Channels>((resolve, reject) => {
    request.signal.throwIfAborted();
    const deadline = new Deadline(clock, request.signal);
    /** True when the server may have received the request. */
    let connected = false;
    const options = {
      headers: authorization === undefined ? {} : { authorization },
      ...transport.tls,
      followRedirects: false,
      perMessageDeflate: false,
      skipUTF8Validation: true,
      maxPayload: MAX_FRAME,
      closeTimeout: CLOSE_TIMEOUT_MS,
      ...(transport.tunnel === undefined ? {} : { createConnection: connectionBy(transport.tunnel) }),
      finishRequest: (opening: ClientRequest) => {
        opening.once('socket', (connection) => {
          if (transport.tunnel !== undefined) connected = true;
          connection.once(transport.tls === undefined ? 'connect' : 'secureConnect', () => {
            connected = true;
          });
        });
        opening.end();
      },
    };
    const url = `${transport.origin.replace(/^http/, 'ws')}${path}${request.query}`;
    const socket = new WebSocket(url, PROTOCOLS, options);
    const onAbort = (): void => {
      settle();
      reject(deadline.signal.reason);
      socket.terminate();
    };
    const settle = (): void => {
      deadline.end();
      deadline.signal.removeEventListener('abort', onAbort);
      socket.removeAllListeners();
      // Afterwards the caller listens to errors, or the socket is being closed.
      socket.on('error', () => {});
      socket.on('close', () => sockets.delete(socket));
    };
    sockets.add(socket);
    deadline.signal.addEventListener('abort', onAbort, { once: true });
    deadline.set(upgradeMs, () => {
      const text = `no WebSocket after ${upgradeMs / 1000} s`;
      return new KubernetesError({ code: connected ? 'timeout' : 'unreachable', ...call, text });
    });
    socket.on('upgrade', (answer: IncomingMessage) => answer.socket.setKeepAlive(true, timings.keepAlive));
    socket.on('open', () => {
      settle();
      socket.pause();
      resolve({ socket, authorization });
    });
    socket.on('error', (error) => {
      settle();
      reject(errorOfConnection(error, { ...call, origin: transport.origin, answered: connected }));
    });
    socket.on('unexpected-response', (_request, answer: IncomingMessage) => {
      readBeginning(answer)
        .then((text) => {
          settle();
          const status = answer.statusCode ?? 500;
          reject(errorOfAnswer(text, { ...call, status, retryAfter: answer.headers['retry-after'], authorization }));
        })
        .catch((error) => {
          settle();
          reject(errorOfConnection(error, { ...call, origin: transport.origin, answered: true }));
        })
        .finally(() => socket.terminate());
    });
  });
}

/** As Node.js creates connections: the function returns nothing and calls back. */
function connectionBy(tunnel: () => Promise<Socket>): NonNullable<ClientRequestArgs['createConnection']> {
  return (_options, callback) => {
    tunnel().then(
      (socket) => callback(null, socket),
      (error: Error) => callback(error, new Socket()),
    );
    return undefined;
  };
}

async function readBeginning(answer: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  let length = 0;
  for await (const chunk of answer) {
    parts.push(chunk);
    length += chunk.length;
    if (length >= ERROR_BODY_BYTES) break;
  }
  return Buffer.concat(parts).toString('utf8');
}
