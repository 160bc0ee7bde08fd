/**
 * Job output streams (protocol 8.3): the output from its beginning, in frames that fit, then one message that says it
 * is complete. The launcher's pace is the pace at which logs are read.
 */
import type { Jobs, Requester } from '../jobs/contract.ts';
import { JobError } from '../jobs/job-error.ts';
import type { Log } from '../system/log.ts';
import type { RefuseStream } from './answering.ts';
import { MOST_JSON_BYTES } from './json-text.ts';
import type { RequestId } from './request-id.ts';
import type { OutputType } from './requests.ts';
import { outputEnd, outputResponse, type Response } from './responses.ts';
import type { Writer } from './writer.ts';

interface OutputStreams {
  /** Starts a stream; does nothing if this id has one. What is refused is answered with an Error. */
  readonly start: (requestId: RequestId, jobId: string, requester: Requester, outputType: OutputType) => void;
  /** Nothing more is sent for this id. */
  readonly cancel: (requestId: RequestId) => void;
  readonly close: () => void;
}

interface OutputStreamsOptions {
  readonly jobs: Jobs;
  readonly writer: Writer;
  readonly log: Log;
  /** Most streams at a time. */
  readonly limit: number;
  /** Streams of requestId 0 send nothing before: it would be taken for the Bootstrap answer. */
  readonly mayBegin: Promise<void>;
  /** Resolves when jobs are known, rejects if they are not in time. */
  readonly ready: () => Promise<void>;
  readonly refuse: RefuseStream;
}

export function createOutputStreams(options: OutputStreamsOptions): OutputStreams {
  const { jobs, writer, log, limit, mayBegin, ready, refuse } = options;
  const streams = new Map<RequestId, AbortController>();
  /** Streams that hold something, those cancelled a moment ago included, and what begins when one of them has ended. */
  let open = 0;
  const waiting: (() => void)[] = [];

  const place = async (): Promise<void> => {
    if (open >= limit) await new Promise<void>((resolve) => waiting.push(resolve));
    else open++;
  };
  const leave = (): void => {
    const next = waiting.shift();
    if (next === undefined) open--;
    else next();
  };

  const stream = async (
    requestId: RequestId,
    jobId: string,
    requester: Requester,
    outputType: OutputType,
    signal: AbortSignal,
  ): Promise<void> => {
    let seqId = 0;
    const send = (make: (seqId: number) => Response): Promise<void> =>
      writer.send(() => (signal.aborted ? undefined : make(++seqId)), 'bulk');
    try {
      await ready();
      if (requestId === '0') await mayBegin;
      if (signal.aborted) return;
      for await (const output of jobs.output(jobId, requester, signal)) {
        for (const part of parts(output, writer.maxMessageSize)) {
          await send((seqId) => outputResponse(requestId, seqId, part, outputType));
          if (signal.aborted) return;
        }
      }
    } catch (error) {
      if (signal.aborted) return;
      if (seqId === 0) {
        await refuse(requestId, error, () => !signal.aborted);
        return;
      }
      log.warning('A stream of job output ended before its end', { job: jobId, requestId, error });
    }
    await send((seqId) => outputEnd(requestId, seqId));
  };

  return {
    start: (requestId, jobId, requester, outputType) => {
      if (streams.has(requestId)) return;
      if (streams.size >= limit) {
        const error = new JobError(
          'output-not-found',
          `there are ${limit} output streams already, the most that are served at a time; cancel some and ask again`,
        );
        void refuse(requestId, error);
        return;
      }
      const controller = new AbortController();
      streams.set(requestId, controller);
      void place()
        .then(() => stream(requestId, jobId, requester, outputType, controller.signal))
        .finally(() => {
          leave();
          if (streams.get(requestId) === controller) streams.delete(requestId);
        });
    },
    cancel: (requestId) => {
      streams.get(requestId)?.abort();
      streams.delete(requestId);
    },
    close: () => {
      for (const controller of streams.values()) controller.abort();
      streams.clear();
    },
  };
}

/** More than everything in an output message but its text. */
const ENVELOPE_BYTES = 200;

/** Is this byte of UTF-8 within a character? */
const continues = (byte: number | undefined): boolean => byte !== undefined && (byte & 0xc0) === 0x80;

/** Cuts a text, between characters, into parts that fit into a frame whatever they hold. */
function* parts(output: Uint8Array, maxMessageSize: number): Generator<Uint8Array, void, undefined> {
  const most = Math.max(4, Math.floor((maxMessageSize - ENVELOPE_BYTES) / MOST_JSON_BYTES));
  for (let from = 0; from < output.length; ) {
    let end = Math.min(from + most, output.length);
    while (continues(output[end])) end--;
    yield output.subarray(from, end);
    from = end;
  }
}
