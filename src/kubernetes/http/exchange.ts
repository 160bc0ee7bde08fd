/**
 * One HTTP request of a call and its answer, which is kept in memory. It takes chunks directly from undici's parser, because
 * undici's streams cost more CPU time.
 */
import type { Dispatcher } from 'undici';

type AnswerHeaders = Readonly<Record<string, string | string[] | undefined>>;

/** The caller of `send` reads the body to its end or discards it. */
export class Exchange implements Dispatcher.DispatchHandler {
  status = 0;
  #headers: AnswerHeaders = {};
  readonly #signal: AbortSignal;
  readonly #answered = Promise.withResolvers<void>();
  #controller: Dispatcher.DispatchController | undefined;
  /** Received and not read yet. */
  #chunks: Buffer[] = [];
  #bytes = 0;
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

  /** The values of a header by its name in lower case. */
  header(name: string): readonly string[] {
    const value = this.#headers[name];
    if (value === undefined) return [];
    return typeof value === 'string' ? [value] : value;
  }

  /** The complete body; undefined if it is longer than `maxBytes`. `onProgress` is called when bytes arrive. */
  async complete(maxBytes: number, onProgress?: () => void): Promise<Buffer | undefined> {
    const first = await this.first(maxBytes + 1, onProgress);
    return first.length > maxBytes ? undefined : first;
  }

  /** The first bytes of the body; the rest is discarded. */
  async first(maxBytes: number, onProgress = (): void => {}): Promise<Buffer> {
    while (!this.#ended && this.#bytes < maxBytes) {
      await this.#news();
      onProgress();
    }
    if (this.#failure !== undefined) throw this.#failure;
    const chunks = this.#chunks;
    this.discard();
    return Buffer.concat(chunks).subarray(0, maxBytes);
  }

  /** Closes the connection if the body has not ended. */
  discard(): void {
    if (!this.#ended) this.#abort(new Error('the rest of the answer is not needed'));
    this.#chunks = [];
  }

  #news(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
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

  onResponseStart(_controller: unknown, status: number, headers: AnswerHeaders): void {
    // Informational responses precede the answer.
    if (status < 200) return;
    this.status = status;
    this.#headers = headers;
    this.#answered.resolve();
  }

  onResponseData(_controller: unknown, chunk: Buffer): void {
    if (this.#ended) return;
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    this.#awaken();
  }

  onResponseEnd(): void {
    this.#end(undefined);
  }

  onResponseError(_controller: unknown, error: Error): void {
    this.#end(error);
  }
}
