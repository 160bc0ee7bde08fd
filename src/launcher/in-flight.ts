/**
 * Requests that were accepted and are not answered yet: each gets exactly one answer, in time, and neither do they pile up
 * nor does one user delay the requests of others.
 */
import { JobError } from '../jobs/job-error.ts';
import type { Clock } from '../system/clock.ts';
import type { Log } from '../system/log.ts';
import type { MakeAnswer } from './answers.ts';
import { FairQueue } from './fair-queue.ts';
import type { RequestId } from './request-id.ts';
import type { Response } from './responses.ts';
import {
  ANSWER_WITHIN_MS,
  MAX_BYTES_ACCEPTED,
  MAX_REQUESTS_ACCEPTED,
  MAX_REQUESTS_IN_PROGRESS,
} from './session-limits.ts';
import type { Writer } from './writer.ts';

/** Answers a request for a stream with an Error, if it is still wanted when the Error is written. */
export type RefuseStream = (requestId: RequestId, error: unknown, isWanted?: () => boolean) => Promise<void>;

interface InFlightOptions {
  readonly writer: Writer;
  readonly clock: Clock;
  readonly log: Log;
  readonly errorResponse: (requestId: RequestId, error: unknown) => Response;
}

/** A request as it was accepted. */
interface Accepted {
  readonly requestId: RequestId;
  /** '' for messages of the launcher itself. */
  readonly user: string;
  /** Size of its frame. */
  readonly bytes: number;
}

export class InFlightRequests {
  readonly #options: InFlightOptions;
  readonly #queue = new FairQueue(MAX_REQUESTS_IN_PROGRESS);
  /** Cancels the deadline of each open request. */
  readonly #deadlines = new Set<() => void>();
  #bytes = 0;
  #closed = false;
  #waiters: (() => void)[] = [];

  constructor(options: InFlightOptions) {
    this.#options = options;
  }

  /**
   * Runs `work` in the user's turn and writes its answer. `work` can ask how many milliseconds are left; after
   * ANSWER_WITHIN_MS the answer is Error 5 instead. Resolves when the answer was written.
   */
  answer(request: Accepted, work: (timeLeft: () => number) => Promise<MakeAnswer>): Promise<void> {
    const { requestId, user, bytes } = request;
    const { writer, clock, log, errorResponse } = this.#options;
    const { promise, resolve } = Promise.withResolvers<void>();
    const start = clock.monotonic();
    const timeLeft = (): number => Math.max(0, ANSWER_WITHIN_MS - (clock.monotonic() - start));
    let answered = false;
    let freePlace = (): void => {};

    const write = async (make: MakeAnswer): Promise<void> => {
      answered = true;
      cancelDeadline();
      await writer.send(() => this.#made(requestId, make));
      this.#deadlines.delete(cancelDeadline);
      this.#bytes -= bytes;
      freePlace();
      resolve();
      this.#notify();
    };
    const writeInTime = (make: MakeAnswer): void => {
      if (!answered) void write(make);
      else log.warning('Request completed after its deadline; the launcher already has an Error', { requestId });
    };
    const cancelDeadline = clock.after(ANSWER_WITHIN_MS, () => {
      const error = new JobError('timeout', `there was no answer within ${ANSWER_WITHIN_MS / 1000} s`);
      void write(() => errorResponse(requestId, error));
    });
    this.#deadlines.add(cancelDeadline);
    this.#bytes += bytes;

    this.#queue.add(user, (done) => {
      if (answered || this.#closed || timeLeft() === 0) {
        queueMicrotask(done);
        return;
      }
      freePlace = done;
      work(timeLeft).then(writeInTime, (error: unknown) => writeInTime(() => errorResponse(requestId, error)));
    });
    return promise;
  }

  /** Requests that are not answered yet. */
  get open(): number {
    return this.#deadlines.size;
  }

  /** True if another request may be accepted. */
  get hasRoom(): boolean {
    return this.open < MAX_REQUESTS_ACCEPTED && this.#bytes < MAX_BYTES_ACCEPTED;
  }

  /** Resolves when the number of open requests changes, or at the end of the session. */
  async changed(): Promise<void> {
    if (!this.#closed) await new Promise<void>((resolve) => this.#waiters.push(resolve));
  }

  /** Leaves open requests unanswered. */
  close(): void {
    this.#closed = true;
    for (const cancelDeadline of this.#deadlines) cancelDeadline();
    this.#deadlines.clear();
    this.#notify();
  }

  #made(requestId: RequestId, make: MakeAnswer): Response | undefined {
    try {
      return make();
    } catch (error) {
      return this.#options.errorResponse(requestId, error);
    }
  }

  #notify(): void {
    for (const waiter of this.#waiters.splice(0)) waiter();
  }
}
