/** Connections to the API server: each request has its own, which is kept for another request after an orderly end. */
import { isIP, type Socket, connect as tcpConnect } from 'node:net';
import { connect as tlsConnect } from 'node:tls';
import { Deadline } from '../../system/async.ts';
import type { Clock } from '../../system/clock.ts';
import { LARGE_BYTES, LargeBuffers } from '../../system/loop-memory.ts';
import { hostOf, portOf } from './proxy.ts';
import type { TlsSettings } from './tls.ts';

/** Bytes of a read, and of one after a read that was full, while few connections are open: a log takes 10 % less CPU time then. */
const READ_BYTES = 64 * 1024;
const LARGE_READ_BYTES = 256 * 1024;
const MAX_LARGE_READERS = 128;
/** Unused connections that are kept: as many as there are calls at a time. */
const MAX_IDLE = 64;
const SMALL_BYTES = 16 * 1024;
/** The size of buffers where all large ones are used. */
const MEDIUM_BYTES = 320 * 1024;

/** One for all large reads, because the bytes of a read are used before the next read; the others for received bytes. */
const readBuffers = new LargeBuffers(1);
const received = new LargeBuffers(5);
let largeRead: Buffer | undefined;

/** While received bytes take more memory than this, a stream holds one read more than its reader has. */
const MAX_HELD_BYTES = 64 * 1024 * 1024;

/** No answer, or a connection that ended too early. */
export class ConnectionError extends Error {
  override readonly name = 'ConnectionError';
  readonly code: 'connect-timeout' | 'headers-timeout' | 'closed';

  constructor(code: ConnectionError['code'], message: string) {
    super(message);
    this.code = code;
  }
}

/** The request that a connection serves. */
interface Receiver {
  /** The bytes are valid during the call. */
  readonly onBytes: (bytes: Buffer) => void;
  /** No more bytes follow; undefined: the server has closed its side in order. */
  readonly onEnd: (error: Error | undefined) => void;
}

interface ConnectionsOptions {
  /** URL of the API server. */
  readonly target: URL;
  /** Undefined for plain HTTP. */
  readonly tls: TlsSettings | undefined;
  /** Opens a connection through the proxy, TLS included; undefined without a proxy. */
  readonly tunnel: ((signal: AbortSignal) => Promise<Socket>) | undefined;
  readonly clock: Clock;
  /** Deadline of TCP and TLS together. */
  readonly connectMs: number;
  readonly keepAliveMs: number;
  /** An unused connection is closed after this time. */
  readonly idleMs: number;
}

/** One socket, used by one request at a time. */
export class Connection {
  /** Undefined: the connection is not used. */
  #receiver: Receiver | undefined;
  #socket: Socket | undefined;
  #isEnded = false;
  readonly #onEnded: (connection: Connection) => void;
  #cancelIdle: (() => void) | undefined;

  constructor(onEnded: (connection: Connection) => void) {
    this.#onEnded = onEnded;
  }

  attach(socket: Socket): void {
    this.#socket = socket;
    socket.on('data', (bytes: Buffer) => this.take(bytes));
    socket.once('end', () => this.#end(undefined));
    socket.on('error', (error) => this.#end(error));
    socket.once('close', () => this.#end(new ConnectionError('closed', 'other side closed')));
  }

  /** For each read of the socket. */
  take(bytes: Buffer): void {
    // Nothing was requested.
    if (this.#receiver === undefined) this.destroy();
    else this.#receiver.onBytes(bytes);
  }

  /** Sends a request; the receiver gets what follows. */
  use(receiver: Receiver, request: string): void {
    this.#cancelIdle?.();
    this.#receiver = receiver;
    this.#socket?.ref();
    if (this.#isEnded) receiver.onEnd(new ConnectionError('closed', 'other side closed'));
    else this.#socket?.write(request);
  }

  /** True if the server has not taken the complete request: another one would wait behind it. */
  get isSending(): boolean {
    return (this.#socket?.writableLength ?? 0) > 0;
  }

  pause(): void {
    this.#socket?.pause();
  }

  resume(): void {
    this.#socket?.resume();
  }

  /** Closes it, without a report to the receiver. */
  destroy(): void {
    this.#receiver = undefined;
    this.#end(undefined);
  }

  /** Closes it, and the request that it serves fails with this reason. */
  fail(reason: Error): void {
    this.#end(reason);
    this.destroy();
  }

  /** Keeps the connection until it is used or `ms` have passed, and does not keep the process running for it. */
  rest(clock: Clock, ms: number): void {
    this.#receiver = undefined;
    this.#cancelIdle = clock.after(ms, () => this.destroy());
    this.#socket?.resume();
    this.#socket?.unref();
  }

  #end(error: Error | undefined): void {
    const receiver = this.#receiver;
    this.#isEnded = true;
    this.#cancelIdle?.();
    this.#onEnded(this);
    if (receiver === undefined) this.#socket?.destroy();
    else receiver.onEnd(error);
  }
}

export class Connections {
  readonly #options: ConnectionsOptions;
  /** Shared by all sockets: the bytes of a read are used before the next read. */
  readonly #buffer = Buffer.allocUnsafeSlow(READ_BYTES);
  readonly #open = new Set<Connection>();
  readonly #idle: Connection[] = [];
  /** The size of all buffers that are used. */
  #held = 0;
  /** The session of the last connection, which makes the next handshake shorter. */
  #session: Buffer | undefined;
  #closed = false;

  constructor(options: ConnectionsOptions) {
    this.#options = options;
  }

  /** A connection that was used before; undefined if there is none. */
  reuse(): Connection | undefined {
    return this.#idle.pop();
  }

  /** Opens a connection. Rejects with a ConnectionError, the signal's reason, or an error of the system, TLS or the proxy. */
  async open(signal: AbortSignal): Promise<Connection> {
    const { tunnel } = this.#options;
    this.#throwIfClosed();
    const connection = new Connection((ended) => this.#forget(ended));
    this.#open.add(connection);
    try {
      if (tunnel === undefined) await this.#connect(connection, signal);
      else connection.attach(await tunnel(signal));
      signal.throwIfAborted();
      this.#throwIfClosed();
      return connection;
    } catch (error) {
      connection.destroy();
      throw error;
    }
  }

  /** True while streams hold so much that none may receive in advance. */
  get isFull(): boolean {
    return this.#held >= MAX_HELD_BYTES;
  }

  /** Each connection may hold one read more than all are allowed. */
  get #mayReadMore(): boolean {
    return !this.isFull && this.#open.size <= MAX_LARGE_READERS;
  }

  /**
   * A buffer of at least this size, for `recycle`. Large ones are used again, because the kernel would clear the pages of new
   * ones. Many streams may hold a few bytes at the same time: only those that receive more use a large buffer.
   */
  buffer(bytes: number): Buffer {
    const buffer = bytes <= SMALL_BYTES ? Buffer.allocUnsafe(bytes) : this.#largeBuffer(bytes);
    this.#held += buffer.length;
    return buffer;
  }

  #largeBuffer(bytes: number): Buffer {
    if (this.isFull) return Buffer.allocUnsafeSlow(bytes);
    const large = bytes <= LARGE_BYTES ? received.take() : undefined;
    return large ?? Buffer.allocUnsafeSlow(bytes <= MEDIUM_BYTES ? MEDIUM_BYTES : Math.max(bytes, LARGE_BYTES));
  }

  /** For a buffer that is not used any more. */
  recycle(buffer: Buffer): void {
    this.#held -= buffer.length;
    received.give(buffer);
  }

  /** For a connection after an orderly answer. */
  keep(connection: Connection): void {
    if (this.#closed || this.#idle.length >= MAX_IDLE || connection.isSending) {
      connection.destroy();
      return;
    }
    this.#idle.push(connection);
    connection.rest(this.#options.clock, this.#options.idleMs);
  }

  /** After a request that got no answer: the connections that wait for another one may be as dead as its own. */
  closeIdle(): void {
    for (const connection of [...this.#idle]) connection.destroy();
  }

  /** Closes all connections; their requests fail with this reason. */
  close(reason: Error): void {
    this.#closed = true;
    for (const connection of [...this.#open]) connection.fail(reason);
  }

  #throwIfClosed(): void {
    if (this.#closed) throw new ConnectionError('closed', 'the client was closed');
  }

  #forget(connection: Connection): void {
    this.#open.delete(connection);
    const at = this.#idle.indexOf(connection);
    if (at !== -1) this.#idle.splice(at, 1);
  }

  async #connect(connection: Connection, signal: AbortSignal): Promise<void> {
    const { target, tls, clock, connectMs, keepAliveMs } = this.#options;
    const host = hostOf(target);
    let buffer: Buffer = this.#buffer;
    const options = {
      host,
      port: portOf(target),
      // Saves a Buffer and the work of a Readable for each read: 8 % of the CPU time of a log.
      onread: {
        buffer: () => buffer,
        callback: (length: number): boolean => {
          connection.take(buffer.subarray(0, length));
          buffer = (length >= READ_BYTES && this.#mayReadMore ? largeReadBuffer() : undefined) ?? this.#buffer;
          return true;
        },
      },
    };
    const deadline = new Deadline(clock, signal);
    deadline.set(
      connectMs,
      () => new ConnectionError('connect-timeout', `no connection to ${target.host} after ${connectMs / 1000} s`),
    );
    const name = isIP(host) === 0 ? { servername: host } : {};
    const session = this.#session === undefined ? {} : { session: this.#session };
    const socket =
      tls === undefined
        ? tcpConnect(options)
        : tlsConnect({ ...options, ...tls, ...name, ...session, ALPNProtocols: ['http/1.1'] });
    // With TLS, Node.js before 24 ignores them as options of the connection.
    socket.setNoDelay(true).setKeepAlive(true, keepAliveMs);
    connection.attach(socket);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const onAbort = (): void => reject(deadline.signal.reason);
    deadline.signal.addEventListener('abort', onAbort, { once: true });
    const onClose = (): void => reject(new ConnectionError('closed', 'other side closed'));
    socket
      .once(tls === undefined ? 'connect' : 'secureConnect', resolve)
      .once('error', reject)
      .once('close', onClose);
    socket.on('session', (received: Buffer) => {
      this.#session = received;
    });
    try {
      deadline.signal.throwIfAborted();
      await promise;
    } finally {
      socket.off('error', reject).off('close', onClose);
      deadline.signal.removeEventListener('abort', onAbort);
      deadline.end();
    }
  }
}

function largeReadBuffer(): Buffer | undefined {
  largeRead ??= readBuffers.take()?.subarray(0, LARGE_READ_BYTES);
  return largeRead;
}
