/**
 * Follows the log of one container to its end, over any number of connections (architecture.md section 5,
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
  /** Resolves if the pod exists; rejects with its 404 or whatever else went wrong. */
  readonly findPod: (signal: AbortSignal) => Promise<unknown>;
}

/** How one connection ended. */
type Reading =
  /** It ended in order. An API server ends an answer like that also when it has lost the kubelet in the middle. */
  | { readonly kind: 'end'; readonly isWhole: boolean; readonly hasNews: boolean; readonly bytes: number }
  /** It was silent for too long; nothing says that it failed. */
  | { readonly kind: 'silent' }
  /** There is no log yet. */
  | { readonly kind: 'waiting' }
  /** The kubelet sent its own words instead of the log. */
  | { readonly kind: 'foreign'; readonly error: KubernetesError }
  | { readonly kind: 'failed'; readonly error: KubernetesError };

/** After so many follows in a row that brought nothing, the log is polled for a while. */
const FOLLOWS_BEFORE_POLLING = 3;

/**
 * So many answers in a row with nothing new, each as long as the one before it, show the end of a log: what is cut is
 * seldom cut twice at the same byte.
 */
const ANSWERS_AT_END = {
  /** All that was delivered is in it. */
  whole: 1,
  /** So it is, but nothing was delivered, or half a line, or something went wrong since: it may have been cut just there. */
  doubtful: 2,
  /** It lacks what was delivered: the node no longer has it. */
  short: 3,
};

export async function* followLog(
  subject: LogSubject,
  signal: AbortSignal,
  dependencies: LogDependencies,
): AsyncGenerator<Uint8Array, void> {
  const { clock, random, log, timings } = dependencies;
  const what = { pod: subject.pod, container: subject.container };
  const position = new LogPosition();
  const pauses = new Backoff(clock, random, { first: timings.logWaitFirst, longest: timings.logWaitLongest });
  /** In a row. */
  let failures = 0;
  /** What the last of them said, and since when they say so. */
  let said: { readonly code: KubernetesErrorCode; readonly since: number } | undefined;
  /** When the end of the container was first seen here. */
  let endedAt: number | undefined;
  /** Answers in a row that may show the end, and the length of the last one. */
  let atEnd = { answers: 0, bytes: 0 };
  /** Something went wrong since there was news. */
  let isDoubtful = false;
  let pollUntil = Number.NEGATIVE_INFINITY;
  let reportedGap = '';

  for (;;) {
    signal.throwIfAborted();
    const ended = subject.ended.aborted;
    if (ended) endedAt ??= clock.monotonic();
    const follow = !ended && clock.monotonic() >= pollUntil;
    const reading = yield* read(follow);
    if (reading.kind !== 'failed' && reading.kind !== 'foreign') said = undefined;
    switch (reading.kind) {
      case 'silent':
        continue;
      case 'waiting':
        if (ended) return;
        await pause(pauses.next());
        continue;
      case 'end':
        failures = 0;
        if (reading.hasNews) {
          isDoubtful = false;
          atEnd = { answers: 0, bytes: 0 };
          if (ended) continue;
        } else if (ended) {
          const { bytes } = reading;
          atEnd = { answers: bytes === atEnd.bytes ? atEnd.answers + 1 : 1, bytes };
          if (atEnd.answers >= ANSWERS_AT_END[endOf(reading.isWhole)]) return;
        }
        await pause(follow || ended ? pauses.next() : timings.logPoll);
        continue;
    }
    const { kind, error } = reading;
    isDoubtful = true;
    atEnd = { answers: 0, bytes: 0 };
    if (error.code === 'not-found' && kind === 'failed') {
      const gone = await podIsGone();
      if (gone !== undefined) {
        if (position.last === undefined) throw gone;
        if (!ended) log.info('A pod is gone; what was left of its log is lost', what);
        return;
      }
    }
    if (said?.code !== error.code) said = { code: error.code, since: clock.monotonic() };
    if (failures++ === 0) {
      if (kind === 'foreign') log.warning('A node sent an error instead of a log', { ...what, error });
      else log.info('A log cannot be read; trying again', { ...what, error });
    }
    if (isFinal(error, said.since)) throw error;
    if (follow && failures >= FOLLOWS_BEFORE_POLLING) pollUntil = clock.monotonic() + timings.logPollOnly;
    await pause(pauses.next(error));
  }

  /**
   * Does it no longer make sense to go on? A server that starts refuses what is allowed (kubernetes-facts.md 108), and a kubelet that
   * starts finds no log (kubernetes-facts.md 94): for a while. What a server that is away or overloaded says may pass at any time.
   */
  function isFinal(error: KubernetesError, since: number): boolean {
    const now = clock.monotonic();
    if (error.code === 'forbidden') return now - since > timings.logRefused;
    if (isInvalid(error) && error.reason !== '') return true;
    if (isTransient(error) || isUnauthorized(error)) return false;
    return endedAt !== undefined && now - Math.max(endedAt, since) > timings.logGiveUp;
  }

  function endOf(isWhole: boolean): keyof typeof ANSWERS_AT_END {
    if (!isWhole) return 'short';
    return isDoubtful || position.last === undefined || position.isInLine ? 'doubtful' : 'whole';
  }

  /** One connection. */
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
      const response = await dependencies.transport.send({
        method: 'GET',
        path: dependencies.path,
        query: queryOf({
          container: subject.container,
          follow: follow ? true : undefined,
          timestamps: true,
          sinceTime: position.since === undefined ? undefined : sinceTime(position.since),
        }),
        lane: 'stream',
        // Some kubelets answer a follow with its first byte.
        headersMs: follow ? timings.followSilence : timings.watchHeaders,
        signal: deadline.signal,
      });
      if (response.status === 204) {
        response.discard();
        return { kind: 'waiting' };
      }
      let bytes = 0;
      for await (const pieces of response.pieces()) {
        deadline.clear();
        waiting = false;
        for (const piece of pieces) bytes += piece.length;
        yield* deliver(lines.push(pieces), lines);
        if (lines.foreign !== undefined) break;
        waiting = true;
        arm();
      }
      yield* deliver(lines.end(), lines);
      if (lines.foreign !== undefined) return { kind: 'foreign', error: foreignError(lines.foreign) };
      return { kind: 'end', isWhole: lines.reached, hasNews: lines.hasNews, bytes };
    } catch (error) {
      signal.throwIfAborted();
      if (deadline.expired) return { kind: 'silent' };
      if (!(error instanceof KubernetesError)) throw error;
      return isWaiting(error) ? { kind: 'waiting' } : { kind: 'failed', error };
    } finally {
      deadline.end();
      subject.ended.removeEventListener('abort', onEnded);
    }
  }

  function* deliver(bytes: Buffer, lines: StampedLines): Generator<Uint8Array, void> {
    const { gap } = lines;
    if (gap !== undefined && reportedGap !== stampText(gap.to)) {
      reportedGap = stampText(gap.to);
      const between = { from: stampText(gap.from), to: stampText(gap.to) };
      log.warning('A node no longer has all of a log: lines between these times may be lost', { ...what, ...between });
    }
    if (bytes.length === 0) return;
    said = undefined;
    failures = 0;
    pauses.reset();
    yield bytes;
  }

  /** Sleeps; the container's end cuts it short. */
  async function pause(ms: number): Promise<void> {
    // Once the container has ended, this is a pause between attempts, which nothing cuts short.
    if (subject.ended.aborted) await sleep(clock, ms, signal);
    else await within(clock, ms, (rest) => untilAborted(subject.ended, rest), signal);
  }

  /** The 404 of the pod itself. Right after its restart a kubelet answers 404 for logs of pods that exist (kubernetes-facts.md 94). */
  async function podIsGone(): Promise<KubernetesError | undefined> {
    try {
      await dependencies.findPod(signal);
      return undefined;
    } catch (error) {
      signal.throwIfAborted();
      return isNotFound(error) ? error : undefined;
    }
  }

  function foreignError(text: string): KubernetesError {
    const path = dependencies.path;
    return new KubernetesError({ code: 'not-found', method: 'GET', path, status: 200, text: text.trim() });
  }
}

/** kubernetes-facts.md 86: the container waits to be started, or has never been made. */
function isWaiting(error: KubernetesError): boolean {
  return error.code === 'bad-request' && /is waiting to start|is not available/.test(error.text);
}
