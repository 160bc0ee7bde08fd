/** Passes input to a container that was started with stdin, over a WebSocket. */
import type { WebSocket } from 'ws';
import { KubernetesError } from '../kubernetes-error.ts';
import { isStatus, untilClosed } from './exec.ts';
import { CHANNEL, type ChannelDependencies, openChannels } from './websocket.ts';

interface AttachRequest {
  /** `.../pods/NAME/attach`. */
  readonly path: string;
  readonly query: string;
  readonly input: Uint8Array;
  /** Ends it; the container then sees the end of its input. */
  readonly signal: AbortSignal;
}

const FRAME_BYTES = 32 * 1024;

/**
 * Writes a container's stdin and closes it. Needs `create` (before Kubernetes 1.31 `get`) on `pods/attach`.
 * With v5 the channel is closed by a frame, and resolved when the server has read that far; the connection stays until
 * the server ends it, because ending it earlier could cut what is still on its way to a slow container. With v4
 * the connection itself is closed, which the server answers after it has passed everything on (kubernetes-facts.md 75, 79).
 */
export async function attachInput(request: AttachRequest, dependencies: ChannelDependencies): Promise<void> {
  const { socket } = await openChannels(request, dependencies);
  const path = dependencies.transport.prefix + request.path;
  let sent = 0;
  let whole = false;
  const closed = untilClosed(socket, {
    method: 'ATTACH',
    path,
    signal: request.signal,
    frames: (frame) => {
      // The server has nothing to add: the container has ended. It does not take what is still on its way.
      if (isStatus(frame) && !whole) socket.terminate();
    },
    whole: () => true,
  }).then(() => {
    if (whole) return;
    const text = `the container's end, or that of the connection, came after ${sent} of ${request.input.length} bytes of its input`;
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
      whole = true;
      return;
    }
    whole = true;
    socket.close(1000);
    await closed;
  };
  const written = write().catch(async (error) => {
    // A frame that could not be sent: the connection's end says why.
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
