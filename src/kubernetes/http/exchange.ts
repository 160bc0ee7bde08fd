/**
 * One HTTP request and its answer, read with back-pressure. It takes chunks directly from undici's parser, because undici's
 * streams cost more CPU time than decoding a watch or a log.
 */
import type { Dispatcher } from 'undici';

/** The connection is paused when this many bytes wait for the reader; one read may exceed it. */
const HIGH_WATER_BYTES = 128 * 1024;

/** The caller of `send` reads the body to its end or discards it. */
export class Exchange implements Dispatcher.DispatchHandler {
  status = 0;
  headers: Readonly<Record<string, string | string[] | undefined>> = {};
  readonly #signal: AbortSignal;
  readonly #answered = Promise.withResolvers<void>();
  #controller: Dispatcher.DispatchController | undefined;
  /** Received and not read yet. */
  #chunks: Buffer[] = [];
  #bytes = 0;
  #highWater = HIGH_WATER_BYTES;
  #ended = false;
  /** Reason of an incomplete answer. */
  #failure: Error | undefined;
  #wake: (() => void) | undefined;
  readonly #onAbort = (): void => this.#abort(this.#signal.reason);

  private constructor(signal: AbortSignal) {
    this.#signal = signal;
  }

  /**
   * Sends a request; resolves when status and headers have arrived. All functions reject with the reason that ended the
   * exchange: the signal's reason, or an error of undici.
   */
  static async send(
    dispatcher: Dispatcher,
    options: Dispatcher.DispatchOptions,
    signal: AbortSignal,
  ): Promise<Exchange> {
    signal.throwIfAborted();
    const exchange = new Exchange(signal);
    signal.addEventListener('abort', exchange.#onAbort, { once: true });
    dispatcher.dispatch(options, exchange);
    await exchange.#answered.promise;
    return exchange;
  }

  /**
   * The body as it arrives, in groups of chunks; chunks received before a failure are delivered. Leaving the loop early
   * closes the connection.
   */
  async *chunks(): AsyncGenerator<readonly Buffer[], void> {
    try {
      for (;;) {
        while (this.#chunks.length === 0 && !this.#ended) await this.#news();
        this.#signal.throwIfAborted();
        if (this.#chunks.length > 0) yield this.#taken();
        else if (this.#failure !== undefined) throw this.#failure;
        else return;
      }
    } finally {
      this.discard();
    }
  }

  /** The complete body; undefined if it is longer than `maxBytes`. `onProgress` is called when bytes arrive. */
  async complete(maxBytes: number, onProgress = (): void => {}): Promise<Buffer | undefined> {
    this.#highWater = Number.POSITIVE_INFINITY;
    this.#controller?.resume();
    while (!this.#ended && this.#bytes <= maxBytes) {
      await this.#news();
      onProgress();
    }
    if (this.#bytes > maxBytes) {
      this.discard();
      return undefined;
    }
    if (this.#failure !== undefined) throw this.#failure;
    return Buffer.concat(this.#taken());
  }

  /** Closes the connection if the body has not ended. */
  discard(): void {
    this.#abort(new Error('the rest of the answer is not needed'));
    this.#taken();
  }

  #news(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  #taken(): readonly Buffer[] {
    const chunks = this.#chunks;
    this.#chunks = [];
    this.#bytes = 0;
    this.#controller?.resume();
    return chunks;
  }

  #abort(reason: Error): void {
    if (this.#ended) return;
    this.#end(reason);
    this.#controller?.abort(reason);
  }

  #end(failure: Error | undefined): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#failure = failure;
    this.#signal.removeEventListener('abort', this.#onAbort);
    // Has no effect after the headers have arrived.
    if (failure !== undefined) this.#answered.reject(failure);
    this.#awaken();
  }

  #awaken(): void {
    this.#wake?.();
    this.#wake = undefined;
  }

  /** The following functions are called by undici. */
  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    // Aborted while it was queued: undici skips a request that throws here, and closes the connection of one that is aborted.
    if (this.#failure !== undefined) throw this.#failure;
  }

  onResponseStart(_controller: unknown, status: number, headers: Exchange['headers']): void {
    // Informational responses precede the answer.
    if (status < 200) return;
    this.status = status;
    this.headers = headers;
    this.#answered.resolve();
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#ended) return;
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    if (this.#bytes >= this.#highWater) controller.pause();
    this.#awaken();
  }

  onResponseEnd(): void {
    this.#end(undefined);
  }

  onResponseError(_controller: unknown, error: Error): void {
    this.#end(error);
  }
}
