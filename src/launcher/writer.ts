/**
 * The one place that writes to the launcher. Responses are numbered at the moment of writing, and made at that moment
 * too: while the launcher does not read, nothing is built up but the intentions to write.
 */
import type { Writable } from 'node:stream';
import { type Body, bodyLength, frame } from './frames.ts';
import { encode, isCounted, type Response } from './responses.ts';

/** Makes a response when its turn has come; undefined, or an error: there is nothing to say. */
type MakeResponse = () => Response | undefined;

/** What is written first when both wait: answers and states before job output. */
type Priority = 'answer' | 'bulk';

export interface Writer {
  /** Resolves when the response was handed to the output, and the output can take more. Never rejects; after the end it resolves at once. */
  readonly send: (make: MakeResponse, priority?: Priority) => Promise<void>;
  /** Would `send` write at once? */
  readonly isFree: () => boolean;
  /** The most bytes that a body may have (option `max-message-size`). */
  readonly maxMessageSize: number;
  /** Writes nothing more; all that waits is dropped. */
  readonly close: () => void;
}

interface WriterOptions {
  readonly output: Writable;
  readonly maxMessageSize: number;
  /** What goes instead of a response above `maxMessageSize`; undefined: nothing. */
  readonly tooLarge: (response: Response, bytes: number) => Response | undefined;
  /** Told what the making of a response threw: nothing goes instead. */
  readonly failed: (error: unknown) => void;
  /** Called with each message that was written. */
  readonly written?: (response: Response, bytes: number) => void;
}

interface Waiting {
  readonly make: MakeResponse;
  readonly written: () => void;
}

export function createWriter({ output, maxMessageSize, tooLarge, failed, written }: WriterOptions): Writer {
  const queues: Readonly<Record<Priority, Waiting[]>> = { answer: [], bulk: [] };
  let responseId = 0;
  let full = false;
  let closed = false;
  let corked = false;

  /** What is written in one turn of the event loop leaves together: a system call for many answers, not for each. */
  const cork = (): void => {
    if (corked) return;
    corked = true;
    output.cork();
    setImmediate(uncork);
  };
  const uncork = (): void => {
    if (!corked) return;
    corked = false;
    output.uncork();
  };

  const made = (make: MakeResponse): { readonly response: Response; readonly body: Body } | undefined => {
    try {
      const response = make();
      return response && { response, body: encode(response, isCounted(response) ? responseId : 0) };
    } catch (error) {
      failed(error);
      return undefined;
    }
  };

  /** The bytes of a body if they are too many, else 0. They are counted only where three for each UTF-16 unit might not fit. */
  const excess = (body: Body): number => {
    const units = body.reduce((sum, { length }) => sum + length, 0);
    const bytes = units * 3 <= maxMessageSize ? 0 : bodyLength(body);
    return bytes > maxMessageSize ? bytes : 0;
  };

  const write = (make: MakeResponse): void => {
    const next = made(make);
    if (next === undefined) return;
    const { response, body } = next;
    const bytes = excess(body);
    if (bytes === 0) {
      if (isCounted(response)) responseId++;
      const message = frame(body);
      cork();
      full = !output.write(message);
      if (full) uncork();
      written?.(response, message.length);
      return;
    }
    const instead = tooLarge(response, bytes);
    if (instead !== undefined) write(() => instead);
  };

  const pump = (): void => {
    while (!full && !closed) {
      const next = queues.answer.shift() ?? queues.bulk.shift();
      if (next === undefined) return;
      write(next.make);
      next.written();
    }
  };
  const onDrain = (): void => {
    full = false;
    pump();
  };
  output.on('drain', onDrain);

  return {
    maxMessageSize,
    isFree: () => !full && !closed,
    send: (make, priority = 'answer') =>
      new Promise((resolve) => {
        if (closed) {
          resolve();
          return;
        }
        queues[priority].push({ make, written: resolve });
        pump();
      }),
    close: () => {
      closed = true;
      uncork();
      output.off('drain', onDrain);
      for (const queue of Object.values(queues)) {
        for (const { written } of queue.splice(0)) written();
      }
    },
  };
}
