/**
 * One request and its answer over HTTP, at the reader's pace. It takes what undici's parser finds as it is: the streams
 * that undici makes of it cost more than all else that is done with a watch or a log.
 */
import type { Dispatcher } from 'undici';

/** So many bytes may wait for their reader before no more are read from the connection; more come at once now and then. */
const ENOUGH_BYTES = 128 * 1024;

/** Whoever starts one reads its body to the end or discards it. */
export class Exchange implements Dispatcher.DispatchHandler {
  status = 0;
  headers: Readonly<Record<string, string | string[] | undefined>> = {};
  readonly #signal: AbortSignal;
  readonly #answered = Promise.withResolvers<void>();
  #controller: Dispatcher.DispatchController | undefined;
  /** What came and was not read. */
  #pieces: Buffer[] = [];
  #bytes = 0;
  #enough = ENOUGH_BYTES;
  #over = false;
  /** Why it ended before its end. */
  #failure: Error | undefined;
  #wake: (() => void) | undefined;
  readonly #onAbort = (): void => this.#abort(this.#signal.reason);

  private constructor(signal: AbortSignal) {
    this.#signal = signal;
  }

  /**
   * Sends a request; resolves when status and headers are there. It and everything after it reject with what ended the
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
   * The body as it comes: the pieces that arrived together; what came before it failed, too. Leaving the loop early closes
   * the connection.
   */
  async *pieces(): AsyncGenerator<readonly Buffer[], void> {
    try {
      for (;;) {
        while (this.#pieces.length === 0 && !this.#over) await this.#news();
        this.#signal.throwIfAborted();
        if (this.#pieces.length > 0) yield this.#taken();
        else if (this.#failure !== undefined) throw this.#failure;
        else return;
      }
    } finally {
      this.discard();
    }
  }

  /** The whole body. */
  async whole(): Promise<Buffer> {
    this.#enough = Number.POSITIVE_INFINITY;
    this.#controller?.resume();
    while (!this.#over) await this.#news();
    if (this.#failure !== undefined) throw this.#failure;
    return Buffer.concat(this.#taken());
  }

  /** Closes the connection if the body has not ended. */
  discard(): void {
    this.#abort(new Error('the rest of an answer is not wanted'));
    this.#taken();
  }

  #news(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  #taken(): readonly Buffer[] {
    const pieces = this.#pieces;
    this.#pieces = [];
    this.#bytes = 0;
    this.#controller?.resume();
    return pieces;
  }

  #abort(reason: Error): void {
    if (this.#over) return;
    this.#end(reason);
    this.#controller?.abort(reason);
  }

  #end(failure: Error | undefined): void {
    if (this.#over) return;
    this.#over = true;
    this.#failure = failure;
    this.#signal.removeEventListener('abort', this.#onAbort);
    // Without effect once it was answered.
    if (failure !== undefined) this.#answered.reject(failure);
    this.#awaken();
  }

  #awaken(): void {
    this.#wake?.();
    this.#wake = undefined;
  }

  /** The rest is for undici. */
  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#failure !== undefined) controller.abort(this.#failure);
  }

  onResponseStart(_controller: unknown, status: number, headers: Exchange['headers']): void {
    // Others come before the answer.
    if (status < 200) return;
    this.status = status;
    this.headers = headers;
    this.#answered.resolve();
  }

  onResponseData(controller: Dispatcher.DispatchController, piece: Buffer): void {
    if (this.#over) return;
    this.#pieces.push(piece);
    this.#bytes += piece.length;
    if (this.#bytes >= this.#enough) controller.pause();
    this.#awaken();
  }

  onResponseEnd(): void {
    this.#end(undefined);
  }

  onResponseError(_controller: unknown, error: Error): void {
    this.#end(error);
  }
}
