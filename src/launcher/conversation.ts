/**
 * Dispatches each message of the launcher: to one answer, a stream, or nothing.
 */
import type { Jobs } from '../jobs/contract.ts';
import { JobError } from '../jobs/job-error.ts';
import { atMost, Deadline, repeat } from '../system/async.ts';
import type { Clock } from '../system/clock.ts';
import type { Log } from '../system/log.ts';
import { type AnsweredRequest, answerTo, CALL_API, NEED_JOBS, type Reload } from './answers.ts';
import { InFlightRequests, type RefuseStream } from './in-flight.ts';
import { LARGE_FRAME_BYTES, LargeFrames } from './large-frames.ts';
import { OutputStreams } from './output-stream.ts';
import type { PluginMetrics } from './plugin-metrics.ts';
import { NO_REQUEST, type RequestId } from './request-id.ts';
import { parseRequest, type Request, type RequestOf, readHead, type StreamKind } from './requests.ts';
import {
  API_VERSION,
  bootstrapResponse,
  type ErrorCode,
  errorResponse,
  heartbeatResponse,
  metricsResponse,
  type Response,
} from './responses.ts';
import { BYTES_OF_A_VALUE, SYNC_WITHIN_MS } from './session-limits.ts';
import { StatusStreams } from './status-stream.ts';
import { UsageStreams } from './usage-stream.ts';
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
  /** Called for a large frame that is not JSON. */
  readonly broken: (error: unknown) => void;
}

interface LargeFrame {
  readonly body: Buffer;
  readonly user: string;
}

/** Longest text of an Error; errors from elsewhere can be long. */
const MAX_ERROR_CHARACTERS = 2000;

/** Message 203 exists since this minor version. */
const METRICS_SINCE_MINOR = 7;

/** An Error answer, with a text that fits into a message of this size. */
export function errorAnswer(requestId: RequestId, code: ErrorCode, message: string, maxMessageSize: number): Response {
  const longest = Math.min(MAX_ERROR_CHARACTERS, Math.max(0, Math.floor((maxMessageSize - 200) / 6)));
  return errorResponse(requestId, code, message.slice(0, longest));
}

export class Conversation {
  readonly #options: ConversationOptions;
  readonly #ended = new AbortController();
  readonly #inFlight: InFlightRequests;
  readonly #streams: Readonly<{ statusStream: StatusStreams; outputStream: OutputStreams; usageStream: UsageStreams }>;
  readonly #large: LargeFrames<LargeFrame>;
  readonly #reload: Reload;
  readonly #bootstrapped = Promise.withResolvers<void>();
  #isBootstrapped = false;
  #isSynced = false;
  /** The launcher's minor version; until its Bootstrap arrives it counts as new as this plugin's. */
  #minor: number = API_VERSION.minor;
  readonly #repeated = new Set<string>();

  constructor(options: ConversationOptions) {
    this.#options = options;
    const { jobs, clock, log, writer } = options;
    this.#inFlight = new InFlightRequests({
      writer,
      clock,
      log,
      errorResponse: (id, error) => this.#errorOf(id, error),
    });
    const refuse: RefuseStream = (...refusal) => this.#inFlight.refuse(...refusal);
    const bootstrapped = this.#bootstrapped.promise;
    const common = { jobs, writer, log, bootstrapped, synced: () => this.#synced(), refuse };
    this.#streams = {
      statusStream: new StatusStreams(common),
      outputStream: new OutputStreams({ ...common, clock, limit: options.maxOutputStreams }),
      usageStream: new UsageStreams(common),
    };
    this.#large = new LargeFrames((frame) => this.#receiveLarge(frame));
    this.#reload = atMost(1, options.reload);
  }

  /** Handles the body of one frame, or a copy of a large one later. Throws BrokenFrameError if it is not JSON. */
  receive(body: Buffer): void {
    const head = body.length < LARGE_FRAME_BYTES ? undefined : readHead(body);
    if (head === undefined) {
      this.#receive(body);
      return;
    }
    const { requestId, user } = head;
    const denial = this.#inFlight.hold(user, body.length);
    if (denial === undefined) this.#large.add(user, { body: Buffer.from(body), user });
    else void this.#inFlight.refuse(requestId, user, new JobError('unknown', denial));
  }

  /** Bytes of the launcher have arrived: large frames wait for smaller ones among them. */
  arrived(): void {
    this.#large.arrived();
  }

  #receiveLarge({ body, user }: LargeFrame): void {
    this.#inFlight.letGo(user, body.length);
    try {
      this.#receive(body);
    } catch (error) {
      this.#options.broken(error);
    }
  }

  #receive(body: Buffer): void {
    const { log } = this.#options;
    const parsed = parseRequest(body);
    const bytes = body.length;
    if (parsed.outcome === 'request') {
      const { kind, requestId } = parsed.request;
      log.debug('Received launcher request', { kind, requestId, bytes });
      this.#dispatch(parsed.request, bytes + BYTES_OF_A_VALUE * parsed.values);
    } else if (parsed.outcome === 'refused') {
      const { requestId, user, code, message } = parsed;
      log.debug('Rejected launcher request', { requestId, code, bytes });
      const answer = async () => () => this.#error(requestId, code, message);
      void this.#inFlight.answer({ requestId, user, bytes, needsPlace: false }, answer);
    } else {
      log.warning('Dropped launcher message that cannot be answered', { reason: parsed.message });
    }
  }

  /** Resolves when another message may be received; usually at once. */
  async room(): Promise<void> {
    while (!this.#ended.signal.aborted && !this.#inFlight.hasRoom) await this.#inFlight.changed();
  }

  /** Resolves when no request is open. */
  async allAnswered(): Promise<void> {
    while (this.#inFlight.open + this.#large.count > 0) await this.#inFlight.changed();
  }

  /** Ends streams and timers; open requests stay unanswered. */
  close(): void {
    this.#ended.abort(new Error('the conversation with the launcher has ended'));
    for (const streams of Object.values(this.#streams)) streams.close();
    this.#large.close();
    this.#inFlight.close();
  }

  #dispatch(request: Request, bytes: number): void {
    const { statusStream, outputStream, usageStream } = this.#streams;
    switch (request.kind) {
      case 'heartbeat':
        if (this.#isBootstrapped) {
          const heartbeat = { requestId: NO_REQUEST, user: '', bytes, needsPlace: false };
          void this.#inFlight.answer(heartbeat, async () => () => heartbeatResponse);
        }
        return;
      case 'bootstrap':
        void this.#bootstrap(request, bytes);
        return;
      case 'statusStream':
        statusStream.start(request.requestId, request.jobId, request.username);
        return;
      case 'outputStream':
        outputStream.start(request);
        return;
      case 'usageStream':
        usageStream.start(request.requestId, request.jobId, request.username);
        return;
      case 'cancelStream':
        this.#cancel(request.stream, request.requestId);
        return;
      default:
        this.#answer(request, bytes);
    }
  }

  #cancel(stream: StreamKind, requestId: RequestId): void {
    this.#streams[stream].cancel(requestId);
  }

  async #bootstrap({ requestId, version }: RequestOf<'bootstrap'>, bytes: number): Promise<void> {
    const { log, heartbeatIntervalSeconds, metricsIntervalSeconds, metrics } = this.#options;
    const { major, minor, patch } = API_VERSION;
    const isSupported = version.major === major;
    await this.#inFlight.answer({ requestId, user: '', bytes, needsPlace: false }, async () => {
      if (!isSupported) {
        const theirs = `${version.major}.${version.minor}.${version.patch}`;
        const text = `API ${theirs} is not supported; this plugin supports ${major}.${minor}.${patch}`;
        return () => this.#error(requestId, 'unsupported-version', text);
      }
      this.#minor = version.minor;
      await this.#synced().catch((error: unknown) => {
        log.warning('First list of jobs is not complete; requests about jobs wait for it', { error });
      });
      return () => bootstrapResponse(requestId);
    });
    this.#isBootstrapped = true;
    this.#bootstrapped.resolve();
    this.#repeat('heartbeat', heartbeatIntervalSeconds, () => heartbeatResponse);
    const reports = (): boolean => this.#minor >= METRICS_SINCE_MINOR;
    if (!isSupported || !reports()) return;
    this.#repeat('metrics', metricsIntervalSeconds, () => (reports() ? metricsResponse(metrics()) : undefined));
  }

  #answer(request: AnsweredRequest, bytes: number): void {
    const { jobs, log, writer } = this.#options;
    const { requestId } = request;
    const user = 'username' in request ? request.username : '';
    const arrived = { requestId, user, bytes, needsPlace: CALL_API.has(request.kind) };
    void this.#inFlight.answer(arrived, async (timeLeft) => {
      if (NEED_JOBS.has(request.kind)) await this.#synced();
      const { maxMessageSize } = writer;
      return answerTo(request, { jobs, reload: this.#reload, log, maxMessageSize, minor: () => this.#minor, timeLeft });
    });
  }

  /** Resolves after the first list of jobs. Rejects after SYNC_WITHIN_MS with a JobError that names the cause. */
  async #synced(): Promise<void> {
    if (this.#isSynced) return;
    const { jobs, clock } = this.#options;
    const deadline = new Deadline(clock, this.#ended.signal);
    deadline.set(SYNC_WITHIN_MS, () => new Error(`jobs were not listed within ${SYNC_WITHIN_MS / 1000} s`));
    try {
      await jobs.synced(deadline.signal);
      this.#isSynced = true;
    } finally {
      deadline.end();
    }
  }

  #repeat(name: string, seconds: number, make: () => Response | undefined): void {
    const { clock, writer } = this.#options;
    const { signal } = this.#ended;
    if (seconds === 0 || this.#repeated.has(name) || signal.aborted) return;
    this.#repeated.add(name);
    void repeat(clock, seconds * 1000, signal, () => writer.send(make, '', 'heartbeat'), seconds * 1000);
  }

  #error(requestId: RequestId, code: ErrorCode, message: string): Response {
    return errorAnswer(requestId, code, message, this.#options.writer.maxMessageSize);
  }

  #errorOf(requestId: RequestId, error: unknown): Response {
    if (error instanceof JobError) return this.#error(requestId, error.code, error.message);
    this.#options.log.error('BUG: request failed with an unexpected error; answering with Error 0', {
      requestId,
      error,
    });
    return this.#error(requestId, 'unknown', error instanceof Error ? error.message : 'the request failed');
  }
}
