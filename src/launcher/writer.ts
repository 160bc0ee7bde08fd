/**
 * The one place that writes to the launcher. Responses are built and numbered at the moment of writing: while the launcher
 * does not read, only functions that build responses wait in memory.
 */
import type { Writable } from 'node:stream';
import { RoundRobin } from './fair-queue.ts';
import { bodyLength, type FrameBody, frame } from './frames.ts';
import { JsonTextEncoder } from './json-text.ts';
import { encode, isCounted, type Response } from './responses.ts';

/** Builds a response when it is about to be written; undefined, or an error: nothing is written. */
type MakeResponse = () => Response | undefined;

/** Answers and states are written before job output, but not for long: they cannot keep output from being written. */
type Priority = 'answer' | 'bulk';

/** After this number of answers in a row one message of job output is written. */
const ANSWERS_IN_A_ROW = 8;

interface WriterOptions {
  readonly output: Writable;
  readonly maxMessageSize: number;
  /** Returns what is written instead of a response above `maxMessageSize`; undefined: nothing. */
  readonly tooLarge: (response: Response, bytes: number) => Response | undefined;
  /** Called with the error of a response that could not be built: nothing is written instead. */
  readonly failed: (error: unknown) => void;
  /** Called when the output takes nothing more, and when it takes more again. */
  readonly full?: (isFull: boolean) => void;
  /** Called with each message that was written. */
  readonly written?: (response: Response, bytes: number) => void;
}

interface QueuedResponse {
  readonly make: MakeResponse;
  readonly written: () => void;
}

export class Writer {
  /** The largest body in bytes (option `max-message-size`). */
  readonly maxMessageSize: number;
  readonly #options: WriterOptions;
  readonly #queues: Readonly<Record<Priority, RoundRobin<QueuedResponse>>> = {
    answer: new RoundRobin(),
    bulk: new RoundRobin(),
  };
  #answersInARow = 0;
  readonly #json = new JsonTextEncoder();
  #responseId = 0;
  #isFull = false;
  #closed = false;
  #corked = false;

  constructor(options: WriterOptions) {
    this.#options = options;
    this.maxMessageSize = options.maxMessageSize;
    options.output.on('drain', this.#onDrain);
  }

  /** Would `send` write at once? */
  get isFree(): boolean {
    return !this.#isFull && !this.#closed;
  }

  /**
   * Resolves when the response was handed to the output and the output can take more; at once after the end. Never rejects.
   * Users are served in turn; '' is for messages to the launcher itself.
   */
  send(make: MakeResponse, user = '', priority: Priority = 'answer'): Promise<void> {
    return new Promise((resolve) => {
      if (this.#closed) {
        resolve();
        return;
      }
      this.#queues[priority].push(user, { make, written: resolve });
      this.#pump();
    });
  }

  /** Writes nothing more; drops all that is queued. */
  close(): void {
    this.#closed = true;
    this.#uncork();
    this.#options.output.off('drain', this.#onDrain);
    for (const queue of Object.values(this.#queues)) {
      for (let next = queue.shift(); next !== undefined; next = queue.shift()) next.item.written();
    }
  }

  #onDrain = (): void => {
    this.#isFull = false;
    this.#options.full?.(false);
    this.#pump();
  };

  #pump(): void {
    while (this.isFree) {
      const next = this.#next();
      if (next === undefined) return;
      this.#write(next.make);
      next.written();
    }
  }

  #next(): QueuedResponse | undefined {
    const { answer, bulk } = this.#queues;
    const first = this.#answersInARow < ANSWERS_IN_A_ROW ? answer.shift() : undefined;
    this.#answersInARow = first === undefined ? 0 : this.#answersInARow + 1;
    return (first ?? bulk.shift() ?? answer.shift())?.item;
  }

  #write(make: MakeResponse): void {
    const { output, tooLarge, written } = this.#options;
    const next = this.#encoded(make);
    if (next === undefined) return;
    const { response, body } = next;
    const bytes = this.#excess(body);
    if (bytes > 0) {
      const instead = tooLarge(response, bytes);
      if (instead !== undefined) this.#write(() => instead);
      return;
    }
    if (isCounted(response)) this.#responseId++;
    const message = frame(body);
    this.#cork();
    this.#isFull = !output.write(message);
    if (this.#isFull) {
      this.#uncork();
      this.#options.full?.(true);
    }
    written?.(response, message.length);
  }

  #encoded(make: MakeResponse): { readonly response: Response; readonly body: FrameBody } | undefined {
    try {
      const response = make();
      const responseId = response !== undefined && isCounted(response) ? this.#responseId : 0;
      return response && { response, body: encode(response, responseId, this.#json) };
    } catch (error) {
      this.#options.failed(error);
      return undefined;
    }
  }

  /** The size of a body above the limit, else 0. Bytes are counted only where three for each UTF-16 unit might not fit. */
  #excess(body: FrameBody): number {
    const units = body.reduce((sum, { length }) => sum + length, 0);
    const bytes = units * 3 <= this.maxMessageSize ? 0 : bodyLength(body);
    return bytes > this.maxMessageSize ? bytes : 0;
  }

  /** Messages of one turn of the event loop leave together: one system call for many answers. */
  #cork(): void {
    if (this.#corked) return;
    this.#corked = true;
    this.#options.output.cork();
    setImmediate(() => this.#uncork());
  }

  #uncork(): void {
    if (!this.#corked) return;
    this.#corked = false;
    this.#options.output.uncork();
  }
}
