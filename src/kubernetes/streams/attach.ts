/** Attach: writes the stdin of a container over a WebSocket. */
import type { WebSocket } from 'ws';
import { KubernetesError } from '../kubernetes-error.ts';
import { isStatus, untilClosed } from './exec.ts';
import { CHANNEL, type ChannelDependencies, openChannels } from './websocket.ts';

interface AttachRequest {
  /** `.../pods/NAME/attach`. */
  readonly path: string;
  readonly query: string;
  readonly input: Uint8Array;
  /** Aborts it; the container then reads the end of its input. */
  readonly signal: AbortSignal;
}

const FRAME_BYTES = 32 * 1024;

/**
 * Writes a container's stdin and closes it. Needs `create` (before Kubernetes 1.31 `get`) on `pods/attach`.
 * With v5 a frame closes the channel, and the promise resolves when the server has read it; the connection stays open until
 * the server closes it, because input may still be in transit to a slow container. With v4 the connection is closed, which
 * the server answers when it has delivered everything (kubernetes-facts.md 75, 79).
 */
export async function attachInput(request: AttachRequest, dependencies: ChannelDependencies): Promise<void> {
  const { socket } = await openChannels(request, dependencies);
  const path = dependencies.transport.prefix + request.path;
  let sent = 0;
  let isComplete = false;
  const closed = untilClosed(socket, {
    method: 'ATTACH',
    path,
    signal: request.signal,
    frames: (frame) => {
      // The container has ended; the server discards the rest of the input.
      if (isStatus(frame) && !isComplete) socket.terminate();
    },
    isComplete: () => true,
  }).then(() => {
    if (isComplete) return;
    const text = `the container ended, or the connection was closed, after ${sent} of ${request.input.length} bytes of input`;
    throw new KubernetesError({ code: 'interrupted', method: 'ATTACH', path, text });
  });
  const write = async (): Promise<void> => {
    for (let start = 0; start < request.input.length; start += FRAME_BYTES) {
      const part = request.input.subarray(start, start + FRAME_BYTES);
      await sendFrame(socket, CHANNEL.stdin, part);
      sent += part.length;
    }
    if (socket.protocol === 'v5.channel.k8s.io') {
      const answered = new Promise<void>((resolve) => socket.once('pong', () => resolve()));
      await sendFrame(socket, CHANNEL.close, Uint8Array.of(CHANNEL.stdin));
      socket.ping();
      await answered;
      isComplete = true;
      return;
    }
    isComplete = true;
    socket.close(1000);
    await closed;
  };
  const written = write().catch(async (error) => {
    // The close of the connection has the reason of a frame that was not sent.
    await closed;
    throw error;
  });
  await Promise.race([written, closed]);
}

/** Resolves when the frame has left this process. */
function sendFrame(socket: WebSocket, channel: number, bytes: Uint8Array): Promise<void> {
  const frame = Buffer.allocUnsafe(bytes.length + 1);
  frame[0] = channel;
  frame.set(bytes, 1);
  return new Promise((resolve, reject) => {
    socket.send(frame, (error) => (error ? reject(error) : resolve()));
  });
}
