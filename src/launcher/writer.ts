/**
 * The one place that writes to the launcher. Responses are built and numbered at the moment of writing: while the launcher
 * does not read, only functions that build responses wait in memory.
 */
import type { Writable } from 'node:stream';
import { RoundRobin } from '../system/round-robin.ts';
import { type BuiltFrame, buildFrame, HEADER_BYTES } from './frames.ts';
import { encode, isCounted, type Response } from './responses.ts';
import type { SlicedBuild } from './sliced-build.ts';

/** Builds a response when it is about to be written; undefined, or an error: nothing is written. */
type MakeResponse = () => Response | SlicedBuild<Response> | undefined;

/**
 * A heartbeat is the next message that is written. Answers and states are written before job output, and that before answers
 * that took more than one slice to build: one user's large lists delay another user by one slice and one message at most.
 */
const CLASSES = ['heartbeat', 'answer', 'bulk', 'large'] as const;
type Class = (typeof CLASSES)[number];
type Priority = Exclude<Class, 'large'>;

/** After this number of other messages in a row one message of a class that waits is written: no class waits for ever. */
const OTHERS_IN_A_ROW = 8;

/** Bytes that are written in one turn of the event loop: with a launcher that reads fast, writing would never end. */
const MAX_BYTES_IN_A_TURN = 64 * 1024;

/** Users with an answer in memory that is built in slices; those of other users wait. */
const MAX_BUILDS = 8;

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

/** A response that is built in slices. */
interface Build {
  readonly steps: SlicedBuild<Response>;
  readonly written: () => void;
  /** Its next step is taken when it may be written. */
  isReady: boolean;
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
  /** Builds that are not ready, one step of one user in an iteration of the event loop. */
  readonly #builds = new RoundRobin<Build>();
  /** The build of each user that was begun and is not written. */
  readonly #begun = new Map<string, Build>();
  #isStepDue = false;
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
      this.#queues[priority].push(user, { make, written: resolve });
      this.#pump();
    });
  }

  /** Writes nothing more; drops all that is queued. */
  close(): void {
    this.#closed = true;
    this.#uncork();
    this.#options.output.off('drain', this.#onDrain);
    for (const queue of [...Object.values(this.#queues), this.#builds]) {
      for (let next = queue.shift(); next !== undefined; next = queue.shift()) next.item.written();
    }
    for (const { steps } of this.#begun.values()) steps.return(undefined as never);
  }

  /** Before a large answer is written, requests that have arrived are read: their answers are written first. */
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
      this.#advance(next.user, next.item);
      mayBeLarge = false;
    }
  }

  /** Writes the response, or begins to build it. */
  #advance(user: string, { make, written }: QueuedResponse): void {
    const made = this.#tried(make);
    if (made === undefined || !('next' in made)) {
      this.#write(made);
      written();
      return;
    }
    const begun = this.#begun.get(user);
    const build = begun?.steps === made ? begun : { steps: made, written, isReady: false };
    // A small list is complete after its first slice. Those of a user with a large one wait for it.
    if (build !== begun && (begun !== undefined || this.#builds.has(user))) {
      this.#builds.push(user, build);
      return;
    }
    const first = this.#step(build);
    const last = first === 'ready' ? this.#step(build) : first;
    if (last === 'more' || last === 'ready') {
      build.isReady = false;
      this.#builds.putBack(user, build);
      this.#countBytes(MAX_BYTES_IN_A_TURN);
    } else {
      this.#begun.delete(user);
      this.#write(last);
      written();
    }
    this.#stepNextTurn();
  }

  #step({ steps }: Build): 'more' | 'ready' | Response | undefined {
    return this.#tried(() => steps.next().value);
  }

  #tried<T>(work: () => T): T | undefined {
    try {
      return work();
    } catch (error) {
      this.#options.failed(error);
      return undefined;
    }
  }

  #stepNextTurn(): void {
    if (this.#isStepDue || this.#builds.isEmpty) return;
    this.#isStepDue = true;
    setImmediate(() => {
      this.#isStepDue = false;
      this.#stepOne();
    });
  }

  #stepOne(): void {
    const mayStep = (user: string): boolean => {
      const begun = this.#begun.get(user);
      return begun === undefined ? this.#begun.size < MAX_BUILDS : !begun.isReady;
    };
    const next = this.#builds.shift(mayStep);
    if (next === undefined) return;
    const { user, item } = next;
    this.#begun.set(user, item);
    const step = this.#step(item);
    if (step === 'more') this.#builds.putBack(user, item);
    else {
      item.isReady = step === 'ready';
      if (!item.isReady) this.#begun.delete(user);
      const make = (): Response | SlicedBuild<Response> | undefined => (step === 'ready' ? item.steps : step);
      this.#queues.large.push(user, { make, written: item.written });
      this.#pump();
    }
    this.#stepNextTurn();
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

  #write(response: Response | undefined): void {
    const { output, tooLarge, written } = this.#options;
    const frame = response && this.#tried(() => this.#frameOf(response));
    if (response === undefined || frame === undefined) return;
    const { parts, length, release } = frame;
    const bodyBytes = length - HEADER_BYTES;
    if (bodyBytes > this.maxMessageSize) {
      release();
      this.#write(tooLarge(response, bodyBytes));
      return;
    }
    if (isCounted(response)) this.#responseId++;
    this.#countBytes(length);
    this.#cork();
    for (const [index, part] of parts.entries()) {
      this.#isFull = !output.write(part, index === parts.length - 1 ? release : undefined);
    }
    if (this.#isFull) {
      this.#uncork();
      this.#options.full?.(true);
    }
    written?.(response, length);
  }

  #frameOf(response: Response): BuiltFrame {
    return buildFrame(encode(response, isCounted(response) ? this.#responseId : 0));
  }

  #countBytes(bytes: number): void {
    if (this.#bytesInTurn === 0) setImmediate(() => this.#endTurn());
    this.#bytesInTurn += bytes;
  }

  /** Messages of one turn of the event loop leave together: one system call for many answers. */
  #cork(): void {
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
