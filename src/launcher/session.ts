/**
 * Session with one launcher, from the first frame to the last: the entry point of this room.
 */
import type { Readable, Writable } from 'node:stream';
import type { Jobs } from '../jobs/contract.ts';
import { nextTurn, untilAborted, within } from '../system/async.ts';
import type { Clock } from '../system/clock.ts';
import type { Log } from '../system/log.ts';
import { Outage } from '../system/outage.ts';
import type { Reload } from './answers.ts';
import { Conversation, errorAnswer } from './conversation.ts';
import { BrokenFrameError, FrameReader } from './frames.ts';
import type { PluginMetrics } from './plugin-metrics.ts';
import { NO_REQUEST } from './request-id.ts';
import { MAX_OUTPUT_STREAMS } from './session-limits.ts';
import { Writer } from './writer.ts';

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
  /** Option `plugin-metrics-interval-seconds`; 0: no metrics. */
  readonly metricsIntervalSeconds: number;
  /** Output streams at a time: half of RLIMIT_NOFILE if that is less than the default, 1,000. */
  readonly maxOutputStreams?: number;
  /** Message 202: reads the configuration again. Called once at a time. */
  readonly reload: Reload;
  /** Message 203: called when a report is written. */
  readonly metrics: () => PluginMetrics;
}

/** Why a session ended. A broken frame is exit code 1, everything else 0. */
type SessionEnd =
  | { readonly reason: 'input-ended' }
  | { readonly reason: 'output-failed'; readonly error: Error }
  | { readonly reason: 'broken-frame'; readonly error: BrokenFrameError }
  | { readonly reason: 'closed' };

export interface LauncherSession {
  /** Never rejects. Written messages are flushed, as far as the launcher reads them within a second. */
  readonly done: Promise<SessionEnd>;
  /** Ends the session (SIGTERM, SIGINT): streams are cut, requests in progress stay unanswered. */
  readonly close: () => void;
}

/** Requests are read for this long, then everything else has its turn: timers, the API server, the launcher's reading. */
const TURN_MS = 10;

/** After the end of the input: time for the answers to earlier requests. */
const LAST_ANSWERS_MS = 2000;

/** At the end: time for written messages to reach the launcher. */
const FLUSH_MS = 1000;

/** The launcher reads all the time; one that takes nothing for this time has stopped. */
const UNREAD_MS = 10_000;

/** Starts to read at once. */
export function createLauncherSession(options: LauncherSessionOptions): LauncherSession {
  const { input, output, clock, log, maxMessageSize } = options;
  const closed = new AbortController();
  const unread = new UnreadOutput(clock, log);
  const writer = new Writer({
    output,
    full: (isFull) => unread.full(isFull),
    maxMessageSize,
    tooLarge: ({ kind, requestId }, bytes) => {
      const answersRequest = requestId !== NO_REQUEST && kind !== 'error';
      const next = answersRequest ? 'sending Error 0 instead' : 'dropping it';
      log.error(`Response exceeds max-message-size; ${next}`, { kind, bytes, maxMessageSize });
      const text = `the answer of ${bytes} bytes does not fit into a message of ${maxMessageSize} (max-message-size)`;
      return answersRequest ? errorAnswer(requestId, 'unknown', text, maxMessageSize) : undefined;
    },
    // Answers to requests that cannot be built are Error 0 (in-flight.ts).
    failed: (error) =>
      log.error('BUG: cannot build a message of a stream; dropping it, the next one follows', { error }),
    // Types, ids and sizes only: bodies hold the environment of jobs.
    written: ({ kind, requestId }, bytes) => log.debug('Sent response', { kind, requestId, bytes }),
  });
  const broken = Promise.withResolvers<never>();
  const conversation = new Conversation({
    ...options,
    writer,
    broken: broken.reject,
    maxOutputStreams: options.maxOutputStreams ?? MAX_OUTPUT_STREAMS,
  });

  const read = async (): Promise<SessionEnd> => {
    const reader = new FrameReader(maxMessageSize);
    let turnEnds = clock.monotonic() + TURN_MS;
    for await (const bytes of input.iterator({ destroyOnReturn: false })) {
      conversation.arrived();
      for (const body of reader.push(bytes)) {
        conversation.receive(body);
        await conversation.room();
        if (clock.monotonic() >= turnEnds) {
          await nextTurn();
          turnEnds = clock.monotonic() + TURN_MS;
        }
        if (closed.signal.aborted) return { reason: 'closed' };
      }
    }
    if (reader.pending > 0)
      log.warning('Launcher closed the stream within a frame; dropping the incomplete frame and exiting with code 0', {
        bytes: reader.pending,
      });
    return { reason: 'input-ended' };
  };

  // The reader handles errors while it reads; later ones do not matter.
  input.on('error', () => {});
  const failed = (error: unknown): SessionEnd => {
    if (error instanceof BrokenFrameError) {
      log.error('Launcher sent a broken frame; ending the session', { error });
      return { reason: 'broken-frame', error };
    }
    if (!closed.signal.aborted) log.warning('Reading from the launcher failed; ending the session', { error });
    return { reason: 'input-ended' };
  };
  const inputEnded = read().catch(failed);
  const inputBroken = broken.promise.catch(failed);
  const outputFailed = new Promise<SessionEnd>((resolve) => {
    output.on('error', (error) => resolve({ reason: 'output-failed', error }));
    output.once('close', () => resolve({ reason: 'output-failed', error: new Error('the output was closed') }));
  });
  const closing = untilAborted(closed.signal).then((): SessionEnd => ({ reason: 'closed' }));

  const run = async (): Promise<SessionEnd> => {
    let end = await Promise.race([inputEnded, inputBroken, outputFailed, closing]);
    if (end.reason === 'input-ended') {
      const found = inputBroken.then((brokenEnd) => {
        end = brokenEnd;
      });
      await within(clock, LAST_ANSWERS_MS, () =>
        Promise.race([conversation.allAnswered(), found, outputFailed, closing]),
      );
    }
    closed.abort();
    unread.close();
    conversation.close();
    writer.close();
    if (end.reason !== 'output-failed') {
      await within(clock, FLUSH_MS, () => Promise.race([flushed(output), outputFailed]));
    }
    input.destroy();
    return end;
  };

  return { done: run(), close: () => closed.abort() };
}

/** Reports a launcher that stopped reading, and one that reads again. */
class UnreadOutput {
  readonly #clock: Clock;
  readonly #outage: Outage;
  #cancel: (() => void) | undefined;

  constructor(clock: Clock, log: Log) {
    this.#clock = clock;
    this.#outage = new Outage(clock, log, {
      broken: 'Launcher does not read the answers of the plugin; waiting for it',
      meanwhile: 'jobs continue and are followed; answers, states and output wait',
      restored: 'Launcher reads again',
    });
  }

  full(isFull: boolean): void {
    this.close();
    if (isFull) this.#cancel = this.#clock.after(UNREAD_MS, () => this.#outage.failed({}, UNREAD_MS));
    else this.#outage.works();
  }

  close(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }
}

/** Resolves when all messages written so far have left. */
function flushed(output: Writable): Promise<void> {
  return new Promise((resolve) => {
    if (output.writableLength === 0) resolve();
    else output.write('', () => resolve());
  });
}
