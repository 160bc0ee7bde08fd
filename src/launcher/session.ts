/**
 * The conversation with one launcher, from the first frame to the last. `createLauncherSession` is what main.ts needs;
 * the rest of this room is behind it.
 */
import type { Readable, Writable } from 'node:stream';
import { JobError, type Jobs } from '../jobs/contract.ts';
import { type Clock, sleep } from '../system/clock.ts';
import type { Log } from '../system/log.ts';
import { createAnswering } from './answering.ts';
import { type AnsweredRequest, answerTo, NEED_JOBS, type Reload } from './answers.ts';
import { BrokenFrameError, createFrameReader } from './frames.ts';
import { MAX_OUTPUT_STREAMS, SYNC_WITHIN_MS } from './limits.ts';
import { createOutputStreams } from './output-stream.ts';
import { parseRequest, type Request, type RequestId, type RequestOf, type StreamKind } from './requests.ts';
import {
  API_VERSION,
  bootstrapResponse,
  type ErrorCode,
  errorResponse,
  heartbeatResponse,
  metricsResponse,
  type PluginMetrics,
  type Response,
} from './responses.ts';
import { createStatusStreams } from './status-stream.ts';
import { createUsageStreams } from './usage-stream.ts';
import { createWriter } from './writer.ts';

export interface LauncherSessionOptions {
  /** What the launcher writes. Destroyed when the session ends. */
  readonly input: Readable;
  /** What the launcher reads. Nothing else may write to it. */
  readonly output: Writable;
  readonly jobs: Jobs;
  readonly clock: Clock;
  readonly log: Log;
  /** Option `heartbeat-interval-seconds`; 0: only heartbeat requests are answered. */
  readonly heartbeatIntervalSeconds: number;
  /** Option `max-message-size` in bytes. */
  readonly maxMessageSize: number;
  /** Option `plugin-metrics-interval-seconds`; 0: none. */
  readonly metricsIntervalSeconds: number;
  /** Output streams at a time: half of RLIMIT_NOFILE if that is less than the default, 1,000. */
  readonly maxOutputStreams?: number;
  /** Message 202: reads the configuration again and says what became of it. Called once at a time. */
  readonly reload: Reload;
  /** Message 203: called when a report is written; createLatencyHistogram has the latencies. */
  readonly metrics: () => PluginMetrics;
}

/** Why a session ended. A broken frame is exit code 1, everything else 0. */
export type SessionEnd =
  | { readonly reason: 'input-ended' }
  | { readonly reason: 'output-failed'; readonly error: Error }
  | { readonly reason: 'broken-frame'; readonly error: BrokenFrameError }
  | { readonly reason: 'closed' };

export interface LauncherSession {
  /** Never rejects. What was written before the end is flushed, as far as the launcher reads it within a second. */
  readonly done: Promise<SessionEnd>;
  /** Ends the conversation (SIGTERM, SIGINT): streams are cut, requests in progress stay unanswered. */
  readonly close: () => void;
}

/** After the end of the input: time for the answers to what was asked before. */
const LAST_ANSWERS_MS = 2000;

/** At the end: time for what was written to reach the launcher. */
const FLUSH_MS = 1000;

/** Texts of errors that come from elsewhere can be long. */
const MAX_ERROR_CHARACTERS = 2000;

/** Message 203 came with this minor version. */
const METRICS_SINCE_MINOR = 7;

/** Begins to read at once. */
export function createLauncherSession(options: LauncherSessionOptions): LauncherSession {
  const { input, output, jobs, clock, log, maxMessageSize } = options;
  const ended = new AbortController();
  const { signal } = ended;

  const refusal = (requestId: RequestId, code: ErrorCode, message: string): Response => {
    const most = Math.min(MAX_ERROR_CHARACTERS, Math.max(0, Math.floor((maxMessageSize - 200) / 6)));
    return errorResponse(requestId, code, message.slice(0, most));
  };
  const errorOf = (requestId: RequestId, error: unknown): Response => {
    if (error instanceof JobError) return refusal(requestId, error.code, error.message);
    log.error('A request failed for a reason that should not occur.', { requestId, error });
    return refusal(requestId, 'unknown', error instanceof Error ? error.message : 'the request failed');
  };
  const writer = createWriter({
    output,
    maxMessageSize,
    tooLarge: ({ kind, requestId }, bytes) => {
      log.error('A message to the launcher was too large and was not sent.', { kind, bytes, maxMessageSize });
      const text = `the answer of ${bytes} bytes does not fit into a message of ${maxMessageSize} (max-message-size)`;
      return requestId === '0' || kind === 'error' ? undefined : refusal(requestId, 'unknown', text);
    },
  });

  let synced = false;
  /** Resolves when jobs are known. Rejects with the domain's JobError, which says what keeps it from knowing them. */
  const ready = async (): Promise<void> => {
    if (synced) return;
    const waiting = new AbortController();
    const stop = clock.after(SYNC_WITHIN_MS, () => waiting.abort());
    try {
      await jobs.synced(AbortSignal.any([waiting.signal, signal]));
      synced = true;
    } finally {
      stop();
    }
  };

  /** The launcher's minor version; until it says one it is taken for as new as we are. */
  let minor: number = API_VERSION.minor;
  let bootstrapAnswered = false;
  let openStreams = (): void => {};
  const mayBegin = new Promise<void>((resolve) => {
    openStreams = resolve;
  });
  const repeating = new Map<string, () => void>();
  const repeatedly = (name: string, seconds: number, run: () => Promise<void>): void => {
    if (seconds > 0 && !repeating.has(name)) repeating.set(name, every(clock, seconds, run));
  };

  const common = { jobs, writer, clock, log, mayBegin, ready, errorResponse: errorOf };
  const statuses = createStatusStreams(common);
  const outputs = createOutputStreams({ ...common, limit: options.maxOutputStreams ?? MAX_OUTPUT_STREAMS });
  const usages = createUsageStreams(common);
  const answering = createAnswering(common);
  const reload = oneAtATime(options.reload);

  const bootstrap = async ({ requestId, version }: RequestOf<'bootstrap'>, bytes: number): Promise<void> => {
    const { major, minor: ours, patch } = API_VERSION;
    const known = version.major === major;
    await answering.answer(requestId, '', bytes, async () => {
      if (!known) {
        const theirs = `${version.major}.${version.minor}.${version.patch}`;
        const refused = `API ${theirs} is not supported; this plugin speaks ${major}.${ours}.${patch}`;
        return () => refusal(requestId, 'unsupported-version', refused);
      }
      minor = version.minor;
      await ready().catch((error: unknown) => {
        log.warning('The jobs are not known yet; requests about them wait.', { error });
      });
      return () => bootstrapResponse(requestId);
    });
    bootstrapAnswered = true;
    openStreams();
    repeatedly('heartbeat', options.heartbeatIntervalSeconds, () => writer.send(() => heartbeatResponse));
    if (!known || minor < METRICS_SINCE_MINOR) return;
    repeatedly('metrics', options.metricsIntervalSeconds, () =>
      writer.send(() => (minor < METRICS_SINCE_MINOR ? undefined : metricsResponse(options.metrics()))),
    );
  };

  const answer = (request: AnsweredRequest, bytes: number): void => {
    const user = 'username' in request ? request.username : '';
    void answering.answer(request.requestId, user, bytes, async (timeLeft) => {
      if (NEED_JOBS.has(request.kind)) await ready();
      return answerTo(request, { jobs, reload, maxMessageSize, minor: () => minor, timeLeft });
    });
  };

  const cancels: Readonly<Record<StreamKind, (requestId: RequestId) => void>> = {
    statusStream: statuses.cancel,
    outputStream: outputs.cancel,
    usageStream: usages.cancel,
  };

  const dispatch = (request: Request, bytes: number): void => {
    switch (request.kind) {
      case 'heartbeat':
        if (bootstrapAnswered) void answering.answer('0', '', bytes, async () => () => heartbeatResponse);
        return;
      case 'bootstrap':
        void bootstrap(request, bytes);
        return;
      case 'statusStream':
        statuses.start(request.requestId, request.jobId, request.username);
        return;
      case 'outputStream':
        outputs.start(request.requestId, request.jobId, request.username, request.outputType);
        return;
      case 'usageStream':
        usages.start(request.requestId, request.jobId, request.username);
        return;
      case 'cancelStream':
        cancels[request.stream](request.requestId);
        return;
      default:
        answer(request, bytes);
    }
  };

  const receive = (body: Buffer): void => {
    const parsed = parseRequest(body);
    if (parsed.outcome === 'request') {
      dispatch(parsed.request, body.length);
    } else if (parsed.outcome === 'refused') {
      const { requestId, errorCode, message } = parsed;
      const code = errorCode === 1 ? 'request-not-supported' : 'invalid-request';
      void answering.answer(requestId, '', body.length, async () => () => refusal(requestId, code, message));
    } else {
      log.warning('A message of the launcher cannot be answered and was dropped.', { reason: parsed.message });
    }
  };

  const read = async (): Promise<SessionEnd> => {
    const reader = createFrameReader(maxMessageSize);
    for await (const bytes of input) {
      for (const body of reader.push(bytes)) {
        receive(body);
        while (!signal.aborted && !answering.hasRoom()) await answering.changed();
        if (signal.aborted) return { reason: 'closed' };
      }
    }
    if (reader.pending() > 0) {
      log.warning('The launcher ended the conversation within a frame.', { bytes: reader.pending() });
    }
    return { reason: 'input-ended' };
  };

  const close = new Promise<SessionEnd>((resolve) => {
    signal.addEventListener('abort', () => resolve({ reason: 'closed' }), { once: true });
  });
  const outputFailed = new Promise<SessionEnd>((resolve) => {
    output.on('error', (error) => resolve({ reason: 'output-failed', error }));
    output.once('close', () => resolve({ reason: 'output-failed', error: new Error('the output was closed') }));
  });
  const inputEnded = read().catch((error: unknown): SessionEnd => {
    if (error instanceof BrokenFrameError) return { reason: 'broken-frame', error };
    if (!signal.aborted) log.warning('Reading from the launcher failed.', { error });
    return { reason: 'input-ended' };
  });

  const converse = async (): Promise<SessionEnd> => {
    const end = await Promise.race([inputEnded, outputFailed, close]);
    if (end.reason === 'input-ended') await within(LAST_ANSWERS_MS, [allAnswered(), outputFailed, close]);
    ended.abort();
    for (const stop of repeating.values()) stop();
    statuses.close();
    outputs.close();
    usages.close();
    answering.close();
    writer.close();
    input.destroy();
    if (end.reason !== 'output-failed') await within(FLUSH_MS, [flushed(output), outputFailed]);
    return end;
  };

  /** Waits for one of these, but no longer than this. */
  const within = async (ms: number, events: readonly Promise<unknown>[]): Promise<void> => {
    const stop = new AbortController();
    await Promise.race([...events, sleep(clock, ms, stop.signal).catch(() => {})]);
    stop.abort();
  };

  const allAnswered = async (): Promise<void> => {
    while (answering.open() > 0) await answering.changed();
  };

  return { done: converse(), close: () => ended.abort() };
}

/** Calls again and again, but never while the last call has not resolved. */
function every(clock: Clock, seconds: number, run: () => Promise<void>): () => void {
  const ms = Math.min(seconds * 1000, 2 ** 31 - 1);
  let stopped = false;
  let cancel = (): void => {};
  const wait = (): void => {
    cancel = clock.after(ms, () => {
      void run().then(() => {
        if (!stopped) wait();
      });
    });
  };
  wait();
  return () => {
    stopped = true;
    cancel();
  };
}

/** The same function, of which a call begins only when the one before has ended. */
function oneAtATime<A extends readonly unknown[], R>(run: (...args: A) => Promise<R>): (...args: A) => Promise<R> {
  let last: Promise<unknown> = Promise.resolve();
  return (...args) => {
    const next = last.then(() => run(...args));
    last = next.catch(() => {});
    return next;
  };
}

/** Resolves when everything written so far has left. */
function flushed(output: Writable): Promise<void> {
  return new Promise((resolve) => {
    if (output.writableLength === 0) resolve();
    else output.write('', () => resolve());
  });
}
