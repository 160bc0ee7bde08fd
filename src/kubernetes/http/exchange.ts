/** One request and its answer, read with back-pressure by a parser of our own (architecture.md section 2). */
import type { Clock } from '../../system/clock.ts';
import { AnswerParser } from './answer-parser.ts';
import { type Connection, ConnectionError, type Connections } from './connections.ts';

/**
 * The connection is paused when this many bytes wait for the reader; one read may exceed it. With half of it a log takes 15 % more
 * CPU time, because its frames are smaller and more. With one read it fits into a large buffer.
 */
const HIGH_WATER_BYTES = 512 * 1024;
const NO_BYTES = Buffer.alloc(0);

interface HttpRequest {
  /** Of the head, without the length of the body and the end. */
  readonly lines: readonly string[];
  /** Undefined: the request changes nothing and has none. */
  readonly body?: string | undefined;
  /** Milliseconds from sending the request to the end of the headers. */
  readonly headersMs: number;
  /** Not over a connection that was used before. */
  readonly isFresh?: boolean;
  readonly clock: Clock;
}

/** The caller of `send` reads the body to its end or discards it. */
export class Exchange {
  readonly #connections: Connections;
  readonly #connection: Connection;
  readonly #signal: AbortSignal;
  readonly #parser = new AnswerParser();
  readonly #answered = Promise.withResolvers<void>();
  /** Bytes of the body that were not read yet. */
  #bytes: Buffer = NO_BYTES;
  #length = 0;
  #hasReceived = false;
  #isPaused = false;
  #ended = false;
  /** Reason of an incomplete answer. */
  #failure: Error | undefined;
  #wake: (() => void) | undefined;
  #isWaking = false;
  readonly #onAbort = (): void => this.#end(this.#signal.reason);

  private constructor(connections: Connections, connection: Connection, signal: AbortSignal) {
    this.#connections = connections;
    this.#connection = connection;
    this.#signal = signal;
  }

  /**
   * Sends a request; resolves when status and headers have arrived. All functions reject with the reason that ended the
   * exchange: the signal's reason, a ConnectionError, a MalformedAnswerError, or an error of the system, TLS or the proxy.
   */
  static async send(connections: Connections, request: HttpRequest, signal: AbortSignal): Promise<Exchange> {
    signal.throwIfAborted();
    const used = request.isFresh ? undefined : connections.reuse();
    if (used !== undefined) {
      const exchange = new Exchange(connections, used, signal);
      try {
        await exchange.#start(request);
        return exchange;
      } catch (error) {
        if (isTimeout(error)) connections.closeIdle();
        // The server may close an unused connection at any time, even while the request is on its way. A change that it may
        // have made is not sent again here.
        const mayBeRepeated = request.body === undefined && !exchange.#hasReceived && !isTimeout(error);
        if (!mayBeRepeated || signal.aborted) throw error;
      }
    }
    const exchange = new Exchange(connections, await connections.open(signal), signal);
    await exchange.#start(request);
    return exchange;
  }

  get status(): number {
    return this.#parser.status;
  }

  /** The values of a header by its name in lower case. */
  header(name: string): readonly string[] {
    return this.#parser.headers.get(name) ?? [];
  }

  /**
   * The body as it arrives, each part valid until the next one is requested. Bytes received before a failure are delivered.
   * Leaving the loop early closes the connection. Throws what `explain` makes of the reason of an incomplete answer.
   */
  async *body(explain: (reason: unknown) => unknown = (reason) => reason): AsyncGenerator<Buffer, void> {
    try {
      for (;;) {
        while (this.#length === 0 && !this.#ended) {
          this.#resume();
          await this.#news();
        }
        if (this.#signal.aborted) throw explain(this.#signal.reason);
        if (this.#length === 0) {
          if (this.#failure !== undefined) throw explain(this.#failure);
          return;
        }
        // The buffer is the reader's until it requests the next part.
        const bytes = this.#bytes;
        const taken = bytes.subarray(0, this.#length);
        this.#bytes = NO_BYTES;
        this.#length = 0;
        if (!this.#connections.isFull) this.#resume();
        try {
          yield taken;
        } finally {
          this.#connections.recycle(bytes);
        }
      }
    } finally {
      this.discard();
    }
  }

  /** The complete body; undefined if it is longer than `maxBytes`. `onProgress` is called when bytes arrive. */
  async complete(maxBytes: number, onProgress?: () => void): Promise<Buffer | undefined> {
    const first = await this.first(maxBytes + 1, onProgress);
    return first.length > maxBytes ? undefined : first;
  }

  /** The first bytes of the body; the rest is discarded. */
  async first(maxBytes: number, onProgress = (): void => {}): Promise<Buffer> {
    // The answer of most calls has arrived in one read.
    if (this.#ended && this.#failure === undefined && !this.#signal.aborted && this.#length <= maxBytes) {
      const bytes = Buffer.from(this.#bytes.subarray(0, this.#length));
      this.discard();
      return bytes;
    }
    const parts: Buffer[] = [];
    let length = 0;
    for await (const part of this.body()) {
      onProgress();
      parts.push(Buffer.from(part));
      length += part.length;
      if (length >= maxBytes) break;
    }
    return Buffer.concat(parts).subarray(0, maxBytes);
  }

  /** Closes the connection if the body has not ended. */
  discard(): void {
    if (!this.#ended) this.#end(new Error('the rest of the answer is not needed'));
    this.#connections.recycle(this.#bytes);
    this.#length = 0;
    this.#bytes = NO_BYTES;
  }

  async #start({ lines, body, headersMs, clock }: HttpRequest): Promise<void> {
    this.#signal.addEventListener('abort', this.#onAbort, { once: true });
    const cancel = clock.after(headersMs, () =>
      this.#end(new ConnectionError('headers-timeout', `no answer after ${headersMs / 1000} s`)),
    );
    const receiver = {
      onBytes: (bytes: Buffer) => this.#onBytes(bytes),
      onEnd: (error: Error | undefined) => this.#onEnd(error),
    };
    try {
      const length = body === undefined ? '' : `content-length: ${Buffer.byteLength(body)}\r\n`;
      // A signal that was aborted since the connection was opened has no event any more.
      if (this.#signal.aborted) this.#onAbort();
      else this.#connection.use(receiver, `${lines.join('\r\n')}\r\n${length}\r\n${body ?? ''}`);
      await this.#answered.promise;
    } catch (error) {
      this.discard();
      throw error;
    } finally {
      cancel();
    }
  }

  #onBytes(bytes: Buffer): void {
    this.#hasReceived = true;
    this.#reserve(this.#length + bytes.length);
    try {
      this.#length = this.#parser.push(bytes, this.#bytes, this.#length);
    } catch (error) {
      this.#end(error instanceof Error ? error : new Error(String(error)));
      return;
    }
    if (this.#parser.status !== 0) this.#answered.resolve();
    if (this.#parser.isComplete) this.#end(undefined);
    else if (this.#length >= HIGH_WATER_BYTES || (this.#length > 0 && this.#connections.isFull)) this.#pause();
    if (this.#length > 0) this.#awakenSoon();
  }

  #onEnd(error: Error | undefined): void {
    if (error === undefined && this.#parser.close()) this.#end(undefined);
    else this.#end(error ?? new ConnectionError('closed', 'other side closed'));
  }

  #reserve(bytes: number): void {
    if (bytes <= this.#bytes.length) return;
    const larger = this.#connections.buffer(bytes);
    this.#bytes.copy(larger, 0, 0, this.#length);
    this.#connections.recycle(this.#bytes);
    this.#bytes = larger;
  }

  #pause(): void {
    if (this.#isPaused) return;
    this.#isPaused = true;
    this.#connection.pause();
  }

  #resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    if (!this.#ended) this.#connection.resume();
  }

  /** Keeps the connection after an orderly end, else closes it. */
  #end(failure: Error | undefined): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#failure = failure;
    this.#signal.removeEventListener('abort', this.#onAbort);
    if (failure === undefined && this.#parser.isReusable) this.#connections.keep(this.#connection);
    else this.#connection.destroy();
    // Has no effect after the headers have arrived.
    if (failure !== undefined) this.#answered.reject(failure);
    this.#awaken();
  }

  #news(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  /** Small reads of one turn of the event loop are delivered together. */
  #awakenSoon(): void {
    if (this.#isWaking || this.#wake === undefined) return;
    this.#isWaking = true;
    setImmediate(() => {
      this.#isWaking = false;
      this.#awaken();
    });
  }

  #awaken(): void {
    this.#wake?.();
    this.#wake = undefined;
  }
}

function isTimeout(error: unknown): boolean {
  return error instanceof ConnectionError && error.code === 'headers-timeout';
}
