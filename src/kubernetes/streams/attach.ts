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

/** How much of the input was written. Listeners of the socket keep this and not the input, which may be large. */
interface Progress {
  sent: number;
  readonly length: number;
  isComplete: boolean;
}

const FRAME_BYTES = 32 * 1024;

/**
 * Writes a container's stdin and closes it. Needs `create` (before Kubernetes 1.31 `get`) on `pods/attach`.
 * With v5 a frame closes the channel, and the promise resolves when the server has read it; the connection stays open until
 * the server closes it, because input may still be in transit to a slow container. With v4 the connection is closed, which
 * the server answers when it has delivered everything (kubernetes-facts.md 75, 79).
 */
export async function attachInput(request: AttachRequest, dependencies: ChannelDependencies): Promise<void> {
  const { path, query, signal, input } = request;
  const { socket } = await openChannels({ path, query, signal }, dependencies);
  const progress: Progress = { sent: 0, length: input.length, isComplete: false };
  const closed = untilContainerEnds(socket, dependencies.transport.prefix + path, signal, progress);
  const written = write(socket, input, progress).then(
    async () => {
      if (socket.protocol !== V5) await closed;
    },
    async (error: unknown) => {
      // The close of the connection has the reason of a frame that was not sent.
      await closed;
      throw error;
    },
  );
  await Promise.race([written, closed]);
}

/** Resolves when the connection is closed after the complete input; rejects if it is closed before. */
async function untilContainerEnds(
  socket: WebSocket,
  path: string,
  signal: AbortSignal,
  progress: Progress,
): Promise<void> {
  await untilClosed(socket, {
    method: 'ATTACH',
    path,
    signal,
    frames: (frame) => {
      // The container has ended; the server discards the rest of the input.
      if (isStatus(frame) && !progress.isComplete) socket.terminate();
    },
    isComplete: () => true,
  });
  if (progress.isComplete) return;
  const text = `the container ended, or the connection was closed, after ${progress.sent} of ${progress.length} bytes of input`;
  throw new KubernetesError({ code: 'interrupted', method: 'ATTACH', path, text });
}

const V5 = 'v5.channel.k8s.io';

async function write(socket: WebSocket, input: Uint8Array, progress: Progress): Promise<void> {
  for (let start = 0; start < input.length; start += FRAME_BYTES) {
    const part = input.subarray(start, start + FRAME_BYTES);
    await sendFrame(socket, CHANNEL.stdin, part);
    progress.sent += part.length;
  }
  if (socket.protocol !== V5) {
    progress.isComplete = true;
    socket.close(1000);
    return;
  }
  const answered = new Promise<void>((resolve) => socket.once('pong', () => resolve()));
  await sendFrame(socket, CHANNEL.close, Uint8Array.of(CHANNEL.stdin));
  socket.ping();
  await answered;
  progress.isComplete = true;
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
