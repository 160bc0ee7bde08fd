/**
 * Job output streams (launcher-plugin-api.md section 8.3): the output from its beginning, in frames that fit, then one
 * message that says it is complete. Logs are read as fast as the launcher reads.
 */
import type { Jobs, Requester } from '../jobs/contract.ts';
import { JobError } from '../jobs/job-error.ts';
import { nextTurn, Places } from '../system/async.ts';
import type { Clock } from '../system/clock.ts';
import type { Log } from '../system/log.ts';
import { SharedLimit } from '../system/shares.ts';
import { FairQueue } from './fair-queue.ts';
import type { RefuseStream } from './in-flight.ts';
import { MAX_JSON_BYTES_PER_BYTE } from './json-text.ts';
import { NO_REQUEST, type RequestId } from './request-id.ts';
import type { OutputType, RequestOf } from './requests.ts';
import { outputEnd, outputResponse, type Response } from './responses.ts';
import { MAX_STREAMS_OPENING, STREAM_OPEN_MS } from './session-limits.ts';
import type { Writer } from './writer.ts';

interface OutputStreamsOptions {
  readonly jobs: Jobs;
  readonly writer: Writer;
  readonly clock: Clock;
  readonly log: Log;
  /** Most streams at a time. */
  readonly limit: number;
  /** A stream of request 0 sends nothing before: it would look like the Bootstrap answer. */
  readonly bootstrapped: Promise<void>;
  /** Resolves after the first list of jobs, rejects if it is late. */
  readonly synced: () => Promise<void>;
  readonly refuse: RefuseStream;
}

/** What a request asks for. */
interface Subject {
  readonly jobId: string;
  readonly requester: Requester;
  /** The user behind an administrator's request. */
  readonly requestedBy: string;
  readonly outputType: OutputType;
}

/** Connections of canceled streams that are closed in one turn of the event loop. */
const CLOSED_IN_A_TURN = 1;

export class OutputStreams {
  readonly #options: OutputStreamsOptions;
  readonly #places: SharedLimit;
  /** Streams that open a connection: many at once would stop the event loop for seconds. */
  readonly #opening = new FairQueue(MAX_STREAMS_OPENING);
  readonly #streams = new Map<RequestId, { readonly requester: Requester; readonly controller: AbortController }>();
  /** Of connections, which streams that were just canceled still hold. */
  readonly #connections: Places;
  /** Streams that were canceled and still have their connections. */
  readonly #canceled: AbortController[] = [];

  constructor(options: OutputStreamsOptions) {
    this.#options = options;
    this.#places = new SharedLimit(options.limit, 'output streams', 'cancel some and ask again');
    this.#connections = new Places(this.#places.capacity);
  }

  /** Starts a stream; does nothing if this id has one. A refusal is answered with an Error. */
  start({ requestId, jobId, username: requester, requestUsername, outputType }: RequestOf<'outputStream'>): void {
    if (this.#streams.has(requestId)) return;
    const denial = this.#places.take(requester);
    if (denial !== undefined) {
      void this.#options.refuse(requestId, requester, new JobError('output-not-found', denial));
      return;
    }
    const controller = new AbortController();
    this.#streams.set(requestId, { requester, controller });
    void this.#connections
      .take()
      .then(() =>
        this.#stream(
          requestId,
          { jobId, requester, requestedBy: requestUsername || requester, outputType },
          controller,
        ),
      )
      .finally(() => {
        this.#connections.giveBack();
        if (this.#streams.get(requestId)?.controller === controller) this.#remove(requestId);
      });
  }

  /** Sends nothing more for this id; its connection is closed soon. */
  cancel(requestId: RequestId): void {
    const stream = this.#streams.get(requestId);
    if (stream === undefined) return;
    this.#remove(requestId);
    this.#canceled.push(stream.controller);
    if (this.#canceled.length === 1) void this.#closeCanceled();
  }

  close(): void {
    for (const { controller } of this.#streams.values()) controller.abort();
    for (const controller of this.#canceled) controller.abort();
    this.#streams.clear();
  }

  /** One after the other: a connection takes half a millisecond, and a launcher may cancel a thousand streams at once. */
  async #closeCanceled(): Promise<void> {
    while (this.#canceled.length > 0) {
      await nextTurn();
      for (const controller of this.#canceled.splice(0, CLOSED_IN_A_TURN)) controller.abort();
    }
  }

  #remove(requestId: RequestId): void {
    const stream = this.#streams.get(requestId);
    if (stream === undefined) return;
    this.#streams.delete(requestId);
    this.#places.giveBack(stream.requester);
  }

  async #stream(
    requestId: RequestId,
    { jobId, requester, requestedBy, outputType }: Subject,
    controller: AbortController,
  ): Promise<void> {
    const { jobs, writer, log, bootstrapped, synced, refuse } = this.#options;
    const { signal } = controller;
    const isActive = (): boolean => this.#streams.get(requestId)?.controller === controller;
    let seqId = 0;
    const send = (make: (seqId: number) => Response): Promise<void> =>
      writer.send(() => (isActive() ? make(++seqId) : undefined), requester, 'bulk');
    try {
      await synced();
      if (requestId === NO_REQUEST) await bootstrapped;
      if (!isActive()) return;
      for await (const output of this.#opened(jobs.output(jobId, requester, signal, requestedBy), requester)) {
        for (const part of parts(output, writer.maxMessageSize)) {
          await send((seqId) => outputResponse(requestId, seqId, part, outputType));
          if (!isActive()) return;
        }
      }
    } catch (error) {
      if (!isActive()) return;
      if (seqId === 0) {
        await refuse(requestId, requester, error, isActive);
        return;
      }
      log.warning('Reading job output failed; ending its stream', { job: jobId, requestId, error });
    }
    await send((seqId) => outputEnd(requestId, seqId));
  }

  /** The same chunks; the first one is read when it is the user's turn to open a connection. */
  #opened(output: AsyncIterable<Uint8Array>, requester: Requester): AsyncIterable<Uint8Array> {
    const chunks = output[Symbol.asyncIterator]();
    let isFirst = true;
    const next = (): Promise<IteratorResult<Uint8Array>> => {
      if (!isFirst) return chunks.next();
      isFirst = false;
      return this.#first(chunks, requester);
    };
    const end = async (): Promise<IteratorResult<Uint8Array>> =>
      (await chunks.return?.()) ?? { done: true, value: undefined };
    return { [Symbol.asyncIterator]: () => ({ next, return: end }) };
  }

  #first(chunks: AsyncIterator<Uint8Array>, requester: Requester): Promise<IteratorResult<Uint8Array>> {
    return new Promise((resolve, reject) => {
      this.#opening.add(requester, (done) => {
        let isOpening = true;
        const end = (): void => {
          if (isOpening) done();
          isOpening = false;
        };
        const cancel = this.#options.clock.after(STREAM_OPEN_MS, end);
        chunks
          .next()
          .then(resolve, reject)
          .finally(() => {
            cancel();
            end();
          });
      });
    });
  }
}

/** Upper bound for all of an output message but its text. */
const ENVELOPE_BYTES = 200;

/** Is this byte of UTF-8 within a character? */
const continues = (byte: number | undefined): boolean => byte !== undefined && (byte & 0xc0) === 0x80;

/** Cuts text, between characters, into parts that fit into a frame whatever they hold. */
function* parts(output: Uint8Array, maxMessageSize: number): Generator<Uint8Array, void, undefined> {
  const longest = Math.max(4, Math.floor((maxMessageSize - ENVELOPE_BYTES) / MAX_JSON_BYTES_PER_BYTE));
  for (let from = 0; from < output.length; ) {
    let end = Math.min(from + longest, output.length);
    while (continues(output[end])) end--;
    yield output.subarray(from, end);
    from = end;
  }
}
