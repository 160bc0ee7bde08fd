/**
 * The channels of exec and attach over a WebSocket: one byte of channel, then data (kubernetes-facts.md 72 to 75, 84).
 */
import type { WebSocket } from 'ws';

export const CHANNELS = { stdin: 0, stdout: 1, stderr: 2, status: 3, resize: 4, close: 255 } as const;

/** Subprotocols the server speaks, best first; '' is none at all. */
export const PROTOCOLS = [
  'v5.channel.k8s.io',
  'v4.channel.k8s.io',
  'v4.base64.channel.k8s.io',
  'base64.channel.k8s.io',
  'channel.k8s.io',
  '',
];

/** Frames carry at most 16 KiB of data (kubernetes-facts.md 78). */
const FRAME_BYTES = 16 * 1024;
/** Output is held back while this much waits in the socket. */
const HIGH_WATER = 1024 * 1024;

export interface Channels {
  readonly send: (channel: number, data: Buffer) => Promise<void>;
  /** The final status, where the protocol has one, and the end of the connection. */
  readonly finish: (status: object) => void;
  /** Cuts the connection. */
  readonly abort: () => void;
  /** Nothing more is read, pings included, until the listener has taken it: a container that does not read holds the client up. */
  readonly onInput: (listener: (data: Buffer) => Promise<void>) => void;
  /** The client closed stdin: by a close message (v5), or by going away. */
  readonly onInputEnd: (listener: () => void) => void;
  readonly onGone: (listener: () => void) => void;
}

export function createChannels(socket: WebSocket, protocol: string): Channels {
  const base64 = protocol.includes('base64');
  const hasStatus = protocol.startsWith('v');
  const inputListeners: ((data: Buffer) => Promise<void>)[] = [];
  const endListeners: (() => void)[] = [];
  const goneListeners: (() => void)[] = [];
  let inputOver = false;

  function endInput(): void {
    if (inputOver) return;
    inputOver = true;
    for (const listener of endListeners) listener();
  }

  socket.on('message', (raw) => {
    const frame = Buffer.isBuffer(raw) ? raw : Buffer.from(raw as ArrayBuffer);
    if (frame.length === 0) return;
    const channel = base64 ? (frame[0] ?? 0) - 0x30 : frame[0];
    const data = base64 ? Buffer.from(frame.subarray(1).toString(), 'base64') : frame.subarray(1);
    if (channel === CHANNELS.close && protocol === 'v5.channel.k8s.io' && data[0] === CHANNELS.stdin) endInput();
    else if (channel === CHANNELS.stdin && data.length > 0 && !inputOver) {
      socket.pause();
      void Promise.all(inputListeners.map((listener) => listener(data))).then(() => socket.resume());
    }
  });
  socket.on('error', () => socket.terminate());
  socket.on('close', () => {
    endInput();
    for (const listener of goneListeners) listener();
  });

  function frame(channel: number, data: Buffer): Buffer | string {
    if (base64) return String.fromCharCode(0x30 + channel) + data.toString('base64');
    return Buffer.concat([Buffer.from([channel]), data]);
  }

  function write(channel: number, data: Buffer): Promise<void> {
    if (socket.readyState !== socket.OPEN) return Promise.resolve();
    return new Promise((resolve) => {
      socket.send(frame(channel, data), () => resolve());
      if (socket.bufferedAmount < HIGH_WATER) resolve();
    });
  }

  void write(CHANNELS.stdout, Buffer.alloc(0));
  return {
    send: async (channel, data) => {
      for (let start = 0; start < data.length; start += FRAME_BYTES) {
        await write(channel, data.subarray(start, start + FRAME_BYTES));
      }
    },
    finish: (status) => {
      if (hasStatus) void write(CHANNELS.status, Buffer.from(JSON.stringify(status)));
      socket.close(1000);
    },
    abort: () => socket.terminate(),
    onInput: (listener) => inputListeners.push(listener),
    onInputEnd: (listener) => endListeners.push(listener),
    onGone: (listener) => goneListeners.push(listener),
  };
}
