/**
 * Follows the log of a container to its end, over any number of connections (architecture.md section 5,
 * kubernetes-objects.md section 7). Needs get on `pods/log` and on `pods`.
 */

import { Deadline, untilAborted, within } from '../../system/async.ts';
import { type Clock, sleep } from '../../system/clock.ts';
import type { Log } from '../../system/log.ts';
import type { Random } from '../../system/random.ts';
import type { LogSubject } from '../contract.ts';
import { Backoff } from '../http/backoff.ts';
import type { Timings } from '../http/timings.ts';
import type { Transport } from '../http/transport.ts';
import {
  isInvalid,
  isNotFound,
  isTransient,
  isUnauthorized,
  KubernetesError,
  type KubernetesErrorCode,
} from '../kubernetes-error.ts';
import { queryOf } from '../paths.ts';
import { StampedLines } from './lines.ts';
import { LogPosition } from './position.ts';
import { sinceTime, stampText } from './stamps.ts';

interface LogDependencies {
  readonly transport: Transport;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly timings: Timings;
  /** `.../pods/NAME/log`. */
  readonly path: string;
  /** False if the kubelets of this server write no timestamps within long lines: known when its version is. */
  readonly stampsRecords: () => boolean;
  /** Resolves if the pod exists; rejects with its 404 or another error. */
  readonly findPod: (signal: AbortSignal) => Promise<unknown>;
}

/** How one connection ended. */
type Reading =
  /** A regular end; an API server also ends an answer regularly when it lost the kubelet in the middle. */
  | { readonly outcome: 'end'; readonly isComplete: boolean; readonly hasOutput: boolean; readonly bytes: number }
  /** No byte until the deadline, without an error. */
  | { readonly outcome: 'silent' }
  /** The log does not exist yet. */
  | { readonly outcome: 'waiting' }
  /** The kubelet sent an error text instead of the log. */
  | { readonly outcome: 'error-text'; readonly error: KubernetesError }
  | { readonly outcome: 'failed'; readonly error: KubernetesError };

/** After this number of follows in a row without output, the log is polled for a while. */
const FOLLOWS_BEFORE_POLLING = 3;

/**
 * Answers in a row without output, and of the same length, that prove the end of a log: an answer that is cut is rarely
 * cut twice at the same byte.
 */
const ANSWERS_AT_END = {
  /** The answer contains everything that was delivered. */
  complete: 1,
  /** The same, but nothing or half a line was delivered, or a request failed since: it may have been cut there. */
  unconfirmed: 2,
  /** The answer lacks some of what was delivered, because the node no longer has it. */
  short: 3,
};

export async function* followLog(
  subject: LogSubject,
  signal: AbortSignal,
  dependencies: LogDependencies,
): AsyncGenerator<Uint8Array, void> {
  const { clock, random, log, timings } = dependencies;
  const fields = { pod: subject.pod, container: subject.container };
  const position = new LogPosition();
  const pauses = new Backoff(clock, random, { first: timings.logWaitFirst, longest: timings.logWaitLongest });
  /** Failures in a row. */
  let failures = 0;
  /** Code of the last failures, and the time since which it is the same. */
  let lastFailure: { readonly code: KubernetesErrorCode; readonly since: number } | undefined;
  /** When this function first saw the end of the container. */
  let endedAt: number | undefined;
  /** Answers in a row without output after the end, and the length of the last one. */
  let atEnd = { answers: 0, bytes: 0 };
  /** A request failed since the last output. */
  let isUnconfirmed = false;
  let pollUntil = Number.NEGATIVE_INFINITY;
  let reportedGap = '';

  for (;;) {
    signal.throwIfAborted();
    const ended = subject.ended.aborted;
    if (ended) endedAt ??= clock.monotonic();
    const follow = !ended && clock.monotonic() >= pollUntil;
    const reading = yield* read(follow);
    if (reading.outcome !== 'failed' && reading.outcome !== 'error-text') lastFailure = undefined;
    switch (reading.outcome) {
      case 'silent':
        continue;
      case 'waiting':
        if (ended) return;
        await pause(pauses.next());
        continue;
      case 'end':
        failures = 0;
        if (reading.hasOutput) {
          isUnconfirmed = false;
          atEnd = { answers: 0, bytes: 0 };
          if (ended) continue;
        } else if (ended) {
          const { bytes } = reading;
          atEnd = { answers: bytes === atEnd.bytes ? atEnd.answers + 1 : 1, bytes };
          if (atEnd.answers >= ANSWERS_AT_END[endOf(reading.isComplete)]) return;
        }
        await pause(follow || ended ? pauses.next() : timings.logPoll);
        continue;
    }
    const { outcome, error } = reading;
    isUnconfirmed = true;
    atEnd = { answers: 0, bytes: 0 };
    if (error.code === 'not-found' && outcome === 'failed') {
      const podMissing = await findPodMissing();
      if (podMissing !== undefined) {
        if (position.last === undefined) throw podMissing;
        if (!ended) log.info('Pod was deleted; the rest of its log is lost', fields);
        return;
      }
    }
    if (lastFailure?.code !== error.code) lastFailure = { code: error.code, since: clock.monotonic() };
    if (failures++ === 0) {
      if (outcome === 'error-text')
        log.warning('Node sent an error instead of the log; retrying', { ...fields, error });
      else log.info('Cannot read the log of a pod; retrying', { ...fields, error });
    }
    if (isFinal(error, lastFailure.since)) throw error;
    if (follow && failures >= FOLLOWS_BEFORE_POLLING) pollUntil = clock.monotonic() + timings.logPollOnly;
    await pause(pauses.next(error));
  }

  /**
   * True if a retry cannot succeed. A starting server refuses what is allowed (kubernetes-facts.md 108) and a starting kubelet finds no
   * log (kubernetes-facts.md 94), both for a while. An unreachable or overloaded server may recover at any time.
   */
  function isFinal(error: KubernetesError, since: number): boolean {
    const now = clock.monotonic();
    if (error.code === 'forbidden') return now - since > timings.logRefused;
    if (isInvalid(error) && error.reason !== '') return true;
    if (isTransient(error) || isUnauthorized(error)) return false;
    return endedAt !== undefined && now - Math.max(endedAt, since) > timings.logGiveUp;
  }

  function endOf(isComplete: boolean): keyof typeof ANSWERS_AT_END {
    if (!isComplete) return 'short';
    return isUnconfirmed || position.last === undefined || position.isInLine ? 'unconfirmed' : 'complete';
  }

  /** Reads one connection. */
  async function* read(follow: boolean): AsyncGenerator<Uint8Array, Reading> {
    const deadline = new Deadline(clock, signal);
    const lines = new StampedLines(position);
    let waiting = true;
    const arm = (): void => {
      const ms = follow && subject.ended.aborted ? timings.followAfterEnd : timings.followSilence;
      deadline.set(ms, () => new Error('the log is silent'));
    };
    const onEnded = (): void => {
      if (waiting) arm();
    };
    subject.ended.addEventListener('abort', onEnded, { once: true });
    try {
      arm();
      const response = await dependencies.transport.stream({
        path: dependencies.path,
        query: queryOf({
          container: subject.container,
          follow: follow ? true : undefined,
          timestamps: true,
          sinceTime: position.since === undefined ? undefined : sinceTime(position.since),
        }),
        // Some kubelets send the headers of a follow with the first byte.
        headersMs: follow ? timings.followSilence : timings.watchHeaders,
        isFresh: follow,
        signal: deadline.signal,
      });
      if (response.status === 204) {
        response.discard();
        return { outcome: 'waiting' };
      }
      let bytes = 0;
      for await (const received of response.body()) {
        deadline.clear();
        waiting = false;
        bytes += received.length;
        // The version may be read after a log that is opened at the start.
        if (!dependencies.stampsRecords()) position.hasRecordStamps = false;
        const text = lines.push(received);
        noteProgress(text, lines);
        if (text.length > 0) yield text;
        if (lines.errorText !== undefined) break;
        waiting = true;
        arm();
      }
      const rest = lines.end();
      noteProgress(rest, lines);
      if (rest.length > 0) yield rest;
      if (lines.errorText !== undefined) return { outcome: 'error-text', error: errorOfText(lines.errorText) };
      return { outcome: 'end', isComplete: lines.isComplete, hasOutput: lines.hasOutput, bytes };
    } catch (error) {
      signal.throwIfAborted();
      if (deadline.expired) return { outcome: 'silent' };
      if (!(error instanceof KubernetesError)) throw error;
      return isWaiting(error) ? { outcome: 'waiting' } : { outcome: 'failed', error };
    } finally {
      deadline.end();
      subject.ended.removeEventListener('abort', onEnded);
    }
  }

  /** Logs a gap, and forgets earlier failures if there is output. */
  function noteProgress(output: Buffer, lines: StampedLines): void {
    const { gap } = lines;
    if (gap !== undefined && reportedGap !== stampText(gap.to)) {
      reportedGap = stampText(gap.to);
      const between = { from: stampText(gap.from), to: stampText(gap.to) };
      log.warning('Node no longer has the complete log; lines between these times may be lost', {
        ...fields,
        ...between,
      });
    }
    if (output.length === 0) return;
    lastFailure = undefined;
    failures = 0;
    pauses.reset();
  }

  /** Sleeps, or until the container ends. */
  async function pause(ms: number): Promise<void> {
    // After its end this is a pause between attempts.
    if (subject.ended.aborted) await sleep(clock, ms, signal);
    else await within(clock, ms, (rest) => untilAborted(subject.ended, rest), signal);
  }

  /** The 404 of the pod itself; a restarted kubelet also answers 404 for logs of existing pods (kubernetes-facts.md 94). */
  async function findPodMissing(): Promise<KubernetesError | undefined> {
    try {
      await dependencies.findPod(signal);
      return undefined;
    } catch (error) {
      signal.throwIfAborted();
      return isNotFound(error) ? error : undefined;
    }
  }

  function errorOfText(text: string): KubernetesError {
    const path = dependencies.path;
    return new KubernetesError({ code: 'not-found', method: 'GET', path, status: 200, text: text.trim() });
  }
}

/** The container waits to be started, or does not exist yet (kubernetes-facts.md 86). */
function isWaiting(error: KubernetesError): boolean {
  return error.code === 'bad-request' && /is waiting to start|is not available/.test(error.text);
}
