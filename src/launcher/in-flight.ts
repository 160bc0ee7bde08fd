/**
 * Requests that were accepted and are not answered yet: each gets exactly one answer, in time, and neither do they pile up
 * nor does one user delay the requests of others.
 */
import { JobError } from '../jobs/job-error.ts';
import type { Clock } from '../system/clock.ts';
import type { Log } from '../system/log.ts';
import { SharedLimit } from '../system/shares.ts';
import type { MakeAnswer } from './answers.ts';
import { FairQueue } from './fair-queue.ts';
import type { RequestId } from './request-id.ts';
import type { Response } from './responses.ts';
import {
  ANSWER_WITHIN_MS,
  MAX_ANSWERS_WAITING,
  MAX_BYTES_ACCEPTED,
  MAX_REQUESTS_ACCEPTED,
  MAX_REQUESTS_IN_PROGRESS,
} from './session-limits.ts';
import type { SlicedBuild } from './sliced-build.ts';
import type { Writer } from './writer.ts';

/** Answers a request for a stream with an Error, if it is still wanted when the Error is written. */
export type RefuseStream = InFlightRequests['refuse'];

interface InFlightOptions {
  readonly writer: Writer;
  readonly clock: Clock;
  readonly log: Log;
  readonly errorResponse: (requestId: RequestId, error: unknown) => Response;
}

/** A request as it arrived. */
interface Arrived {
  readonly requestId: RequestId;
  /** '' for messages of the launcher itself. */
  readonly user: string;
  /** Memory that it needs while it is open. */
  readonly bytes: number;
  /** Does it wait for the API server? Then its work begins when the user has a place. */
  readonly needsPlace: boolean;
}

export class InFlightRequests {
  readonly #options: InFlightOptions;
  readonly #queue = new FairQueue(MAX_REQUESTS_IN_PROGRESS);
  readonly #requests = new SharedLimit(MAX_REQUESTS_ACCEPTED, 'open requests', 'wait for answers and ask again');
  readonly #bytes = new SharedLimit(MAX_BYTES_ACCEPTED, 'bytes of open requests', 'wait for answers and ask again');
  /** Cancels the deadline of each request in progress or queued. */
  readonly #deadlines = new Set<() => void>();
  /** Answers that wait for the launcher to read. */
  #waiting = 0;
  #closed = false;
  #waiters: (() => void)[] = [];

  constructor(options: InFlightOptions) {
    this.#options = options;
  }

  /**
   * Runs `work`, in the user's turn if it needs a place, and writes its answer. `work` can ask how many milliseconds are left; after
   * ANSWER_WITHIN_MS the answer is Error 5 instead, and at once Error 0 for a user above the share. Resolves when the answer
   * was written.
   */
  answer(
    { requestId, user, bytes, needsPlace }: Arrived,
    work: (timeLeft: () => number) => Promise<MakeAnswer>,
  ): Promise<void> {
    const denial = this.#accept(user, bytes);
    if (denial !== undefined) return this.refuse(requestId, user, new JobError('unknown', denial));
    const { clock, log, errorResponse } = this.#options;
    const { promise, resolve } = Promise.withResolvers<void>();
    const arrivedAt = clock.monotonic();
    const timeLeft = (): number => Math.max(0, ANSWER_WITHIN_MS - (clock.monotonic() - arrivedAt));
    let answered = false;
    let freePlace = (): void => {};

    const write = async (make: MakeAnswer): Promise<void> => {
      answered = true;
      cancelDeadline();
      this.#deadlines.delete(cancelDeadline);
      await this.#write(requestId, user, make);
      this.#requests.giveBack(user);
      this.#bytes.giveBack(user, bytes);
      freePlace();
      resolve();
    };
    const writeInTime = (make: MakeAnswer): void => {
      if (!answered) void write(make);
      else
        log.warning(
          'Request completed after its deadline, when the launcher already had Error 5; a stop, kill or cancel that it made remains in effect',
          { requestId },
        );
    };
    const cancelDeadline = clock.after(ANSWER_WITHIN_MS, () => {
      const error = new JobError('timeout', `there was no answer within ${ANSWER_WITHIN_MS / 1000} s`);
      void write(() => errorResponse(requestId, error));
    });
    this.#deadlines.add(cancelDeadline);

    const start = (done: () => void): void => {
      if (answered || this.#closed || timeLeft() === 0) {
        queueMicrotask(done);
        return;
      }
      freePlace = done;
      work(timeLeft).then(writeInTime, (error: unknown) => writeInTime(() => errorResponse(requestId, error)));
    };
    if (needsPlace) this.#queue.add(user, start);
    else start(() => {});
    return promise;
  }

  /** Counts the bytes of a request that is not parsed yet; returns the reason if it must be refused. */
  hold(user: string, bytes: number): string | undefined {
    return this.#bytes.take(user, bytes);
  }

  /** The request is parsed now. */
  letGo(user: string, bytes: number): void {
    this.#bytes.giveBack(user, bytes);
  }

  /** Answers with an Error, if it is still wanted when it is written. */
  refuse(requestId: RequestId, user: string, error: unknown, isWanted = () => true): Promise<void> {
    const { errorResponse } = this.#options;
    return this.#write(requestId, user, () => (isWanted() ? errorResponse(requestId, error) : undefined));
  }

  /** Requests without a written answer. */
  get open(): number {
    return this.#deadlines.size + this.#waiting;
  }

  /** True if another request may be read. */
  get hasRoom(): boolean {
    return this.#waiting < MAX_ANSWERS_WAITING;
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

  /** Undefined: the request was accepted. */
  #accept(user: string, bytes: number): string | undefined {
    const denial = this.#requests.take(user);
    if (denial !== undefined) return denial;
    const tooLarge = this.#bytes.take(user, bytes);
    if (tooLarge !== undefined) this.#requests.giveBack(user);
    return tooLarge;
  }

  async #write(requestId: RequestId, user: string, make: MakeAnswer): Promise<void> {
    const { writer, errorResponse } = this.#options;
    this.#waiting++;
    const orError = (error: unknown): Response => errorResponse(requestId, error);
    await writer.send(() => {
      try {
        const made = make();
        return made !== undefined && 'next' in made ? slicedOr(made, orError) : made;
      } catch (error) {
        return orError(error);
      }
    }, user);
    this.#waiting--;
    this.#notify();
  }

  #notify(): void {
    for (const waiter of this.#waiters.splice(0)) waiter();
  }
}

function* slicedOr(build: SlicedBuild<Response>, orError: (error: unknown) => Response): SlicedBuild<Response> {
  try {
    return yield* build;
  } catch (error) {
    return orError(error);
  }
}
