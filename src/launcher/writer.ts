/**
 * The one place that writes to the launcher. Responses are built and numbered at the moment of writing: while the launcher
 * does not read, only functions that build responses wait in memory.
 */
import type { Writable } from 'node:stream';
import { RoundRobin } from '../system/round-robin.ts';
import { type BuiltFrame, FrameBuilder, HEADER_BYTES } from './frames.ts';
import { encode, isCounted, type Response } from './responses.ts';

/** Builds a response when it is about to be written; undefined, or an error: nothing is written. */
type MakeResponse = () => Response | undefined;

/**
 * A heartbeat is the next message that is written. Answers and states are written before job output, and that before the
 * answers of a user with a large answer before: one user's large lists delay another user by one message at most.
 */
const CLASSES = ['heartbeat', 'answer', 'bulk', 'large'] as const;
type Class = (typeof CLASSES)[number];
type Priority = Exclude<Class, 'large'>;

/** After this number of other messages in a row one message of a class that waits is written: no class waits for ever. */
const OTHERS_IN_A_ROW = 8;

/** Bytes that are written in one turn of the event loop: with a launcher that reads fast, writing would never end. */
const MAX_BYTES_IN_A_TURN = 64 * 1024;

/** An answer of this size or more is large. */
const LARGE_BYTES = 64 * 1024;

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
  readonly #queues: Readonly<Record<Class, RoundRobin<QueuedResponse>>> = {
    heartbeat: new RoundRobin(),
    answer: new RoundRobin(),
    bulk: new RoundRobin(),
    large: new RoundRobin(),
  };
  /** Messages that were written while a message of this class waited. */
  readonly #passedBy = { heartbeat: 0, answer: 0, bulk: 0, large: 0 };
  /** Users with a last answer that was large. */
  readonly #usersOfLarge = new Set<string>();
  readonly #frames = new FrameBuilder();
  #responseId = 0;
  #isFull = false;
  #isPumpDue = false;
  #bytesInTurn = 0;
  #closed = false;
  #corked = false;

  constructor(options: WriterOptions) {
    this.#options = options;
    this.maxMessageSize = options.maxMessageSize;
    options.output.on('drain', this.#onDrain);
  }

  /** Would `send` write at once? */
  get isFree(): boolean {
    return !this.#isFull && !this.#closed && this.#bytesInTurn < MAX_BYTES_IN_A_TURN;
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
      const own = priority === 'answer' && this.#usersOfLarge.has(user) ? 'large' : priority;
      this.#queues[own].push(user, { make, written: resolve });
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

  /** Before a large answer is built, requests that have arrived are read: their answers are written first. */
  #pumpNextTurn(): void {
    if (this.#isPumpDue) return;
    this.#isPumpDue = true;
    setImmediate(() => {
      this.#isPumpDue = false;
      this.#pump(true);
    });
  }

  #onDrain = (): void => {
    this.#isFull = false;
    this.#options.full?.(false);
    this.#pump();
  };

  #pump(mayBeLarge = false): void {
    while (this.isFree) {
      const from = this.#nextClass();
      if (from === 'large' && !mayBeLarge) {
        this.#pumpNextTurn();
        return;
      }
      const next = from && this.#take(from);
      if (next === undefined) return;
      const bytes = this.#write(next.item.make);
      if (from !== 'bulk') this.#remember(next.user, bytes);
      next.item.written();
      mayBeLarge = false;
    }
  }

  #remember(user: string, bytes: number): void {
    if (user !== '' && bytes >= LARGE_BYTES) this.#usersOfLarge.add(user);
    else this.#usersOfLarge.delete(user);
  }

  /** The class of the next message; undefined: none waits. */
  #nextClass(): Class | undefined {
    const isPassedBy = (name: Class): boolean => this.#passedBy[name] >= OTHERS_IN_A_ROW && !this.#queues[name].isEmpty;
    return CLASSES.find(isPassedBy) ?? CLASSES.find((name) => !this.#queues[name].isEmpty);
  }

  #take(from: Class): { readonly user: string; readonly item: QueuedResponse } | undefined {
    for (const name of CLASSES) if (!this.#queues[name].isEmpty) this.#passedBy[name]++;
    this.#passedBy[from] = 0;
    return this.#queues[from].shift();
  }

  /** Returns the size of the message; 0: nothing was written. */
  #write(make: MakeResponse): number {
    const { output, tooLarge, written } = this.#options;
    const next = this.#built(make);
    if (next === undefined) return 0;
    const { response, bytes, release } = next;
    const bodyBytes = bytes.length - HEADER_BYTES;
    if (bodyBytes > this.maxMessageSize) {
      release();
      const instead = tooLarge(response, bodyBytes);
      return instead === undefined ? 0 : this.#write(() => instead);
    }
    if (isCounted(response)) this.#responseId++;
    this.#cork();
    this.#bytesInTurn += bytes.length;
    this.#isFull = !output.write(bytes, release);
    if (this.#isFull) {
      this.#uncork();
      this.#options.full?.(true);
    }
    written?.(response, bytes.length);
    return bytes.length;
  }

  #built(make: MakeResponse): (BuiltFrame & { readonly response: Response }) | undefined {
    try {
      const response = make();
      const responseId = response !== undefined && isCounted(response) ? this.#responseId : 0;
      return response && { response, ...this.#frames.build(encode(response, responseId)) };
    } catch (error) {
      this.#options.failed(error);
      return undefined;
    }
  }

  /** Messages of one turn of the event loop leave together: one system call for many answers. */
  #cork(): void {
    if (this.#bytesInTurn === 0) setImmediate(() => this.#endTurn());
    if (this.#corked) return;
    this.#corked = true;
    this.#options.output.cork();
  }

  #endTurn(): void {
    this.#bytesInTurn = 0;
    this.#uncork();
    this.#pump();
  }

  #uncork(): void {
    if (!this.#corked) return;
    this.#corked = false;
    this.#options.output.uncork();
  }
}
