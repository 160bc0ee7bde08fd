/**
 * What each message of the launcher leads to: one answer, a stream, or nothing.
 */
import type { Jobs } from '../jobs/contract.ts';
import { JobError } from '../jobs/job-error.ts';
import { oneAtATime, repeat } from '../system/async.ts';
import type { Clock } from '../system/clock.ts';
import type { Log } from '../system/log.ts';
import { createAnswering, type RefuseStream } from './answering.ts';
import { type AnsweredRequest, answerTo, NEED_JOBS, type Reload } from './answers.ts';
import { SYNC_WITHIN_MS } from './limits.ts';
import { createOutputStreams } from './output-stream.ts';
import type { RequestId } from './request-id.ts';
import { parseRequest, type Request, type RequestOf, type StreamKind } from './requests.ts';
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
import type { Writer } from './writer.ts';

interface ConversationOptions {
  readonly jobs: Jobs;
  readonly clock: Clock;
  readonly log: Log;
  readonly writer: Writer;
  readonly heartbeatIntervalSeconds: number;
  readonly metricsIntervalSeconds: number;
  readonly maxOutputStreams: number;
  readonly reload: Reload;
  readonly metrics: () => PluginMetrics;
}

interface Conversation {
  /** Takes in the body of one frame. Throws BrokenFrameError if it is not JSON. */
  readonly receive: (body: Buffer) => void;
  /** Resolves when another message may be received; at once, mostly. */
  readonly room: () => Promise<void>;
  /** Resolves when no request is open any more. */
  readonly allAnswered: () => Promise<void>;
  /** Ends streams and timers; open requests stay unanswered. */
  readonly close: () => void;
}

/** Texts of errors that come from elsewhere can be long. */
const MAX_ERROR_CHARACTERS = 2000;

/** What an Error to come counts for among the bytes of open requests. */
const ERROR_BYTES = 500;

/** Message 203 came with this minor version. */
const METRICS_SINCE_MINOR = 7;

/** An Error answer, with a text that fits into a message of this size. */
export function refusal(requestId: RequestId, code: ErrorCode, message: string, maxMessageSize: number): Response {
  const most = Math.min(MAX_ERROR_CHARACTERS, Math.max(0, Math.floor((maxMessageSize - 200) / 6)));
  return errorResponse(requestId, code, message.slice(0, most));
}

export function createConversation(options: ConversationOptions): Conversation {
  const { jobs, clock, log, writer } = options;
  const { maxMessageSize } = writer;
  const ended = new AbortController();

  const refuse = (requestId: RequestId, code: ErrorCode, message: string): Response =>
    refusal(requestId, code, message, maxMessageSize);

  const errorOf = (requestId: RequestId, error: unknown): Response => {
    if (error instanceof JobError) return refuse(requestId, error.code, error.message);
    log.error('A request failed for a reason that should not occur', { requestId, error });
    return refuse(requestId, 'unknown', error instanceof Error ? error.message : 'the request failed');
  };

  let synced = false;
  /** Resolves when jobs are known. Rejects with the domain's JobError, which says what keeps it from knowing them. */
  const ready = async (): Promise<void> => {
    if (synced) return;
    const waiting = new AbortController();
    const stop = clock.after(SYNC_WITHIN_MS, () => waiting.abort());
    try {
      await jobs.synced(AbortSignal.any([waiting.signal, ended.signal]));
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
  const repeating = new Set<string>();
  const repeatedly = (name: string, seconds: number, make: () => Response | undefined): void => {
    if (seconds === 0 || repeating.has(name) || ended.signal.aborted) return;
    repeating.add(name);
    void repeat(clock, seconds * 1000, ended.signal, () => writer.send(make), seconds * 1000);
  };

  const answering = createAnswering({ writer, clock, log, errorResponse: errorOf });
  const refuseStream: RefuseStream = (requestId, error, isWanted = () => true) =>
    answering.answer(
      requestId,
      '',
      ERROR_BYTES,
      async () => () => (isWanted() ? errorOf(requestId, error) : undefined),
    );
  const common = { jobs, writer, log, mayBegin, ready, refuse: refuseStream };
  const statuses = createStatusStreams(common);
  const outputs = createOutputStreams({ ...common, limit: options.maxOutputStreams });
  const usages = createUsageStreams(common);
  const reload = oneAtATime(options.reload);

  const bootstrap = async ({ requestId, version }: RequestOf<'bootstrap'>, bytes: number): Promise<void> => {
    const { major, minor: ours, patch } = API_VERSION;
    const known = version.major === major;
    await answering.answer(requestId, '', bytes, async () => {
      if (!known) {
        const theirs = `${version.major}.${version.minor}.${version.patch}`;
        const text = `API ${theirs} is not supported; this plugin speaks ${major}.${ours}.${patch}`;
        return () => refuse(requestId, 'unsupported-version', text);
      }
      minor = version.minor;
      await ready().catch((error: unknown) => {
        log.warning('The jobs are not known yet; requests about them wait', { error });
      });
      return () => bootstrapResponse(requestId);
    });
    bootstrapAnswered = true;
    openStreams();
    repeatedly('heartbeat', options.heartbeatIntervalSeconds, () => heartbeatResponse);
    if (!known || minor < METRICS_SINCE_MINOR) return;
    repeatedly('metrics', options.metricsIntervalSeconds, () =>
      minor < METRICS_SINCE_MINOR ? undefined : metricsResponse(options.metrics()),
    );
  };

  const answer = (request: AnsweredRequest, bytes: number): void => {
    const user = 'username' in request ? request.username : '';
    void answering.answer(request.requestId, user, bytes, async (timeLeft) => {
      if (NEED_JOBS.has(request.kind)) await ready();
      return answerTo(request, { jobs, reload, log, maxMessageSize, minor: () => minor, timeLeft });
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

  return {
    receive: (body) => {
      const parsed = parseRequest(body);
      const bytes = body.length;
      if (parsed.outcome === 'request') {
        const { kind, requestId } = parsed.request;
        log.debug('Asked by the launcher', { kind, requestId, bytes });
        dispatch(parsed.request, bytes);
      } else if (parsed.outcome === 'refused') {
        const { requestId, code, message } = parsed;
        log.debug('Asked by the launcher what is refused', { requestId, code, bytes });
        void answering.answer(requestId, '', bytes, async () => () => refuse(requestId, code, message));
      } else {
        log.warning('A message of the launcher cannot be answered and was dropped', { reason: parsed.message });
      }
    },
    room: async () => {
      while (!ended.signal.aborted && !answering.hasRoom()) await answering.changed();
    },
    allAnswered: async () => {
      while (answering.open() > 0) await answering.changed();
    },
    close: () => {
      ended.abort(new Error('the conversation with the launcher has ended'));
      statuses.close();
      outputs.close();
      usages.close();
      answering.close();
    },
  };
}
