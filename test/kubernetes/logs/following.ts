/** The log of a container before a server whose steps are played, and all that was read of it. */
import type { ServerResponse } from 'node:http';
import type { Test } from 'tap';
import type { ClientOptions } from '../../../src/kubernetes/client.ts';
import { type Clock, systemClock } from '../../../src/system/clock.ts';
import { fakeClock } from '../../support/fake-clock.ts';
import { apiServer, clientOf, recordingLog, refuses, type Step } from '../server.ts';

/** The stamp of a second. */
export const S = (second: number): string => `2026-11-23T10:00:${String(second).padStart(2, '0')}.000000000Z`;

export const begins = (response: ServerResponse): void => {
  response.writeHead(200, { 'content-type': 'text/plain' });
  response.flushHeaders();
};
export const sends =
  (text: string | Buffer): Step =>
  ({ response }) => {
    begins(response);
    response.end(text);
  };
/** Sends the text, then nothing more. */
export const stays =
  (text = ''): Step =>
  ({ response }) => {
    begins(response);
    if (text !== '') response.write(text);
  };
export const breaks =
  (text: string): Step =>
  ({ response }) => {
    begins(response);
    response.write(text, () => setTimeout(() => response.socket?.destroy(), 10));
  };

/** The same step, with a clock on which each of its requests takes so long that the time of a busy host does not count. */
export function taking(ms: number, step: Step): { step: Step; clock: Clock } {
  let now = 0;
  return {
    step: (exchange) => {
      now += ms;
      return step(exchange);
    },
    clock: { ...systemClock, monotonic: () => systemClock.monotonic() + now },
  };
}

/** Deadlines of this clock pass in `advance` only; pauses, which tests make short, take their time. */
export function deadlineClock(): ReturnType<typeof fakeClock> {
  const clock = fakeClock();
  return { ...clock, after: (ms, run) => (ms <= LONGEST_PAUSE_MS ? systemClock : clock).after(ms, run) };
}

const LONGEST_PAUSE_MS = 20;

interface Following {
  /** The queries of the requests for the log, `pod` for a look at the pod. */
  readonly requests: string[];
  readonly ended: AbortController;
  readonly abort: AbortController;
  readonly log: ReturnType<typeof recordingLog>;
  readonly chunks: Buffer[];
  /** Resolves with everything that was read. */
  readonly all: Promise<string>;
  readonly asked: (count: number) => Promise<void>;
  /** Resolves when this many chunks have been read. */
  readonly read: (count: number) => Promise<void>;
}

export async function following(
  t: Test,
  steps: readonly Step[],
  options: Partial<ClientOptions> & { pod?: Step; ended?: boolean; clock?: Clock } = {},
): Promise<Following> {
  const requests: string[] = [];
  const waiting: (() => void)[] = [];
  const ended = new AbortController();
  if (options.ended) ended.abort();
  let next = 0;
  const server = await apiServer(t, async (exchange) => {
    const isLog = exchange.url.pathname.endsWith('/log');
    requests.push(isLog ? exchange.url.search : 'pod');
    for (const check of [...waiting]) check();
    // The end is believed when an answer holds nothing new: the last one may be asked for again.
    const last = ended.signal.aborted ? steps.at(-1) : undefined;
    if (isLog) await (steps[next++] ?? last ?? refuses(500, '', 'BUG: no step left'))(exchange);
    else if (options.pod) await options.pod(exchange);
    else exchange.answer(200, { kind: 'Pod', metadata: { name: 'p' } });
  });
  const log = recordingLog();
  const client = clientOf(
    t,
    server.url,
    { ...options, timings: { logGiveUp: 100, ...options.timings } },
    log,
    options.clock,
  );
  const abort = new AbortController();
  const chunks: Buffer[] = [];
  const read = async (): Promise<string> => {
    const subject = { pod: 'p', container: 'c', ended: ended.signal };
    for await (const chunk of client.followLog(subject, abort.signal)) chunks.push(Buffer.from(chunk));
    return Buffer.concat(chunks).toString('latin1');
  };
  const all = read();
  all.catch(() => {});
  return {
    requests,
    ended,
    abort,
    log,
    chunks,
    all,
    asked: (count) =>
      new Promise((resolve) => {
        const check = (): void => {
          if (requests.length >= count) resolve();
        };
        waiting.push(check);
        check();
      }),
    read: async (count) => {
      while (chunks.length < count) await new Promise(setImmediate);
    },
  };
}

export const FOLLOW = '?container=c&follow=true&timestamps=true';
export const READ = '?container=c&timestamps=true';
export const since = (second: number): string => `&sinceTime=2026-11-23T10%3A00%3A${String(second).padStart(2, '0')}Z`;
