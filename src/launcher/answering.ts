/**
 * Sees to it that each request gets exactly one answer, in time, and that requests neither pile up nor push each other aside.
 */
import { JobError } from '../jobs/job-error.ts';
import type { Clock } from '../system/clock.ts';
import type { Log } from '../system/log.ts';
import type { MakeAnswer } from './answers.ts';
import { ANSWER_WITHIN_MS, MAX_BYTES_ACCEPTED, MAX_REQUESTS_ACCEPTED, MAX_REQUESTS_IN_PROGRESS } from './limits.ts';
import type { RequestId } from './request-id.ts';
import type { Response } from './responses.ts';
import { createTurns } from './turns.ts';
import type { Writer } from './writer.ts';

interface Answering {
  /**
   * Does the work in the user's turn and writes its answer. `work` is told how many milliseconds it has; after
   * ANSWER_WITHIN_MS the request is answered with Error 5, done or not. Resolves when the answer was written.
   */
  readonly answer: (
    requestId: RequestId,
    user: string,
    bytes: number,
    work: (timeLeft: () => number) => Promise<MakeAnswer>,
  ) => Promise<void>;
  /** May another request be accepted? */
  readonly hasRoom: () => boolean;
  /** Resolves when the number of open requests changes, or at the end. */
  readonly changed: () => Promise<void>;
  /** Requests that are not answered yet. */
  readonly open: () => number;
  /** What is open stays unanswered. */
  readonly close: () => void;
}

/** Answers a request for a stream with an Error, if it is still wanted when its turn comes. */
export type RefuseStream = (requestId: RequestId, error: unknown, isWanted?: () => boolean) => Promise<void>;

interface AnsweringOptions {
  readonly writer: Writer;
  readonly clock: Clock;
  readonly log: Log;
  readonly errorResponse: (requestId: RequestId, error: unknown) => Response;
}

export function createAnswering({ writer, clock, log, errorResponse }: AnsweringOptions): Answering {
  const turns = createTurns(MAX_REQUESTS_IN_PROGRESS);
  /** What stops the deadline of each open request. */
  const open = new Set<() => void>();
  let openBytes = 0;
  let closed = false;
  const watchers: (() => void)[] = [];

  const notify = (): void => {
    for (const watcher of watchers.splice(0)) watcher();
  };

  const attempt = (requestId: RequestId, make: MakeAnswer): Response | undefined => {
    try {
      return make();
    } catch (error) {
      return errorResponse(requestId, error);
    }
  };

  return {
    answer: (requestId, user, bytes, work) =>
      new Promise((resolve) => {
        const begun = clock.monotonic();
        const timeLeft = (): number => Math.max(0, ANSWER_WITHIN_MS - (clock.monotonic() - begun));
        let answered = false;
        let giveBackTurn = (): void => {};

        const finish = async (make: MakeAnswer): Promise<void> => {
          answered = true;
          stopDeadline();
          await writer.send(() => attempt(requestId, make));
          open.delete(stopDeadline);
          openBytes -= bytes;
          giveBackTurn();
          resolve();
          notify();
        };
        const finishInTime = (make: MakeAnswer): void => {
          if (!answered) void finish(make);
          else log.warning('A request was done only after it had been answered with an error', { requestId });
        };
        const stopDeadline = clock.after(ANSWER_WITHIN_MS, () => {
          const error = new JobError('timeout', `there was no answer within ${ANSWER_WITHIN_MS / 1000} s`);
          void finish(() => errorResponse(requestId, error));
        });
        open.add(stopDeadline);
        openBytes += bytes;

        turns.take(user, (done) => {
          if (answered || closed || timeLeft() === 0) {
            queueMicrotask(done);
            return;
          }
          giveBackTurn = done;
          work(timeLeft).then(finishInTime, (error: unknown) => finishInTime(() => errorResponse(requestId, error)));
        });
      }),
    hasRoom: () => open.size < MAX_REQUESTS_ACCEPTED && openBytes < MAX_BYTES_ACCEPTED,
    changed: () =>
      new Promise((resolve) => {
        if (closed) resolve();
        else watchers.push(resolve);
      }),
    open: () => open.size,
    close: () => {
      closed = true;
      for (const stopDeadline of open) stopDeadline();
      open.clear();
      notify();
    },
  };
}
