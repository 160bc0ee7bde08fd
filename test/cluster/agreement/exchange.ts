/**
 * One recorded request, sent to the simulated cluster, and whether the answer was the same.
 */
import { errorCode } from '../../../src/system/errors.ts';
import { isObject, type Json } from '../api/patch.ts';
import { PODS } from '../api/resources.ts';
import type { SimulatedCluster } from '../cluster.ts';
import type { CallAnswer, Caller } from '../testing.ts';
import { answered, describe, endOf, recordedAnswer } from './describe.ts';
import type { DrivenClock } from './drive.ts';
import type { History } from './history.ts';
import { normal } from './normal.ts';
import { type Names, ownPath, ownUids, ownVersions, type RecordedPod, remember, renamed, tokenOf } from './own.ts';
import type { Exchange } from './recordings.ts';
import { became, LIMIT_MS, PATIENCE_MS, POLL_MS, within } from './waits.ts';

export interface Outcome {
  readonly n: number;
  readonly same: boolean;
  /** What was expected and what came, for people. */
  readonly expected: string;
  readonly actual: string;
}

/** What the exchanges of one replay share. */
export interface Replay {
  readonly cluster: SimulatedCluster;
  readonly clock: DrivenClock;
  readonly caller: Caller;
  readonly history: History;
  readonly pods: readonly RecordedPod[];
  readonly names: Names;
  /** Known to differ: nothing is waited for. */
  readonly differing: ReadonlySet<number>;
}

/** @param onBegun called when a stream stands and, if it showed anything, has shown something */
export async function exchange(replay: Replay, recorded: Exchange, onBegun: () => void): Promise<Outcome> {
  const { n } = recorded;
  const expected = renamed(recordedAnswer(recorded), replay.names);
  try {
    const path = await ownPath(replay, wholePath(recorded));
    if (recorded.protocol !== undefined || recorded.status === 101) {
      return await refusedOrNot(replay, recorded, expected, () => stream(replay, recorded, path, onBegun));
    }
    return await request(replay, recorded, path, expected);
  } catch (error) {
    const actual = recorded.status === null && isRefused(error) ? recordedAnswer(recorded) : String(error);
    return { n, same: actual === expected, expected, actual };
  }
}

/** A connection that was refused is tried until its recorded end: at some moment of it the answer was given. */
async function refusedOrNot(
  { clock, differing }: Replay,
  recorded: Exchange,
  expected: string,
  send: () => Promise<string>,
): Promise<Outcome> {
  const { n, status } = recorded;
  const last = clock.now() + (status === 101 || differing.has(n) ? 0 : lengthOf(recorded));
  for (;;) {
    const actual = await send();
    const same = actual === expected;
    if (same || clock.now() >= last) return { n, same, expected, actual };
    await clock.sleep(1);
  }
}

/** In places the recorder noted only the end of it. */
function wholePath({ path }: Exchange): string {
  return path?.startsWith('/') ? path : `/api/v1/namespaces/rstudio/${path}`;
}

/** What the recorder has of a connection that was refused is an exchange without a status. */
function isRefused(error: unknown): boolean {
  return errorCode(error) === 'ECONNREFUSED';
}

async function request(replay: Replay, recorded: Exchange, path: string, expected: string): Promise<Outcome> {
  const { clock, names, history, differing } = replay;
  const { n, method } = recorded;
  const isFollowed = endOf(recorded) !== undefined && path.includes('/log?');
  if (path.endsWith('/eviction') || isFollowed) await untilStarted(replay, path);
  if (isFollowed && path.includes('tailLines=')) await untilWritten(replay, recorded, path);
  if (method !== 'GET') await stateBefore(replay, recorded, path);
  const deadline = clock.now() + (differing.has(n) ? 0 : PATIENCE_MS);
  for (;;) {
    const answer = await within(clock, LIMIT_MS + 2 * lengthOf(recorded), send(replay, recorded, path));
    const actual = describe(answered(recorded, answer));
    remember(recorded, answer, names);
    const same = actual === renamed(expected, names) || wasSo(recorded, answer, history, path, names);
    if (same || method !== 'GET' || endOf(recorded) !== undefined || clock.now() > deadline)
      return { n, same, expected, actual };
    await clock.sleep(POLL_MS);
  }
}

/** Whether the object was once as recorded: as a whole, or, for a change, in its status. */
function wasSo(recorded: Exchange, own: CallAnswer, history: History, path: string, names: Names): boolean {
  const { method, answer, status } = recorded;
  if (answer === undefined || status !== 200 || own.status !== 200) return false;
  const text = (value: Json): string => renamed(JSON.stringify(normal(value)), names);
  if (method === 'GET') return history.had(path, text(answer));
  const actual = own.body as Json;
  if (!isObject(answer) || !isObject(answer['status']) || !isObject(actual)) return false;
  const { status: wanted, ...rest } = answer;
  const { status: _status, ...ownRest } = actual;
  return text(rest) === text(ownRest) && history.hadStatus(path, text(wanted));
}

/** The recorder connected when the container ran. */
async function untilStarted(replay: Replay, path: string): Promise<void> {
  const name = /\/pods\/([^/]+)/.exec(path)?.[1];
  await became(replay, () => {
    const pod = replay.cluster.store.list(PODS).find(({ metadata }) => metadata.name === name);
    return (
      pod?.status.containerStatuses?.some(({ started, state }) => started || state?.terminated !== undefined) ?? false
    );
  });
}

/** The last lines of a log are followed when the program has written the recorded ones. */
async function untilWritten({ cluster, caller, clock }: Replay, recorded: Exchange, path: string): Promise<void> {
  const wanted = /^\d{4}-\S+( [^\n]+)/.exec(recorded.text ?? '')?.[1];
  const complete = path.replace(/&(follow|tailLines)=\w+/g, '');
  const deadline = clock.now() + PATIENCE_MS;
  while (wanted !== undefined && clock.now() < deadline) {
    const { text } = await caller.call('GET', complete, undefined, { token: tokenOf(cluster, recorded) });
    if (text.includes(wanted)) return;
    await clock.sleep(POLL_MS);
  }
}

/** A change whose answer shows a status is sent when the object has, or had, that status. */
async function stateBefore(replay: Replay, { answer, method }: Exchange, path: string): Promise<void> {
  if (method === 'POST' || !/\/(jobs|pods)\//.test(path)) return;
  if (!isObject(answer) || !isObject(answer['status'])) return;
  const wanted = renamed(JSON.stringify(normal(answer['status'])), replay.names);
  await became(replay, () => replay.history.hadStatus(path, wanted));
}

/** Milliseconds that the answer may take to its recorded end here. */
function lengthOf({ t, until }: Exchange): number {
  return until === undefined ? 0 : Math.max(0, until - (t ?? 0));
}

function send({ cluster, caller, names }: Replay, recorded: Exchange, path: string): Promise<CallAnswer> {
  const { method, body, type, accept } = recorded;
  return caller.call(
    method ?? 'GET',
    path,
    recorded.raw ?? ownVersions(cluster, recorded, path, ownUids(cluster, body, names)),
    {
      token: tokenOf(cluster, recorded),
      ...(type === undefined ? {} : { contentType: type }),
      ...(accept === undefined ? {} : { headers: { accept } }),
      ...limitOf(recorded),
    },
  );
}

/** What the recorder cut off is cut off here; other streams have some time more than they took. */
function limitOf(recorded: Exchange): { limitMs?: number } {
  const end = endOf(recorded);
  if (end === undefined) return {};
  return { limitMs: lengthOf(recorded) + (end === 'ours' ? 0 : LIMIT_MS) };
}

async function stream(replay: Replay, recorded: Exchange, path: string, onBegun: () => void): Promise<string> {
  const { cluster, caller } = replay;
  if (recorded.status === 101) await untilStarted(replay, path);
  const protocols = (recorded.protocol ?? '')
    .split(',')
    .map((one) => one.trim())
    .filter((one) => one !== '');
  const opened = cluster.clock.now();
  const input = (recorded.sent ?? []).map(([t, _opcode, hex]) => ({
    at: opened + (t - (recorded.t ?? 0)),
    data: Buffer.from(hex, 'hex'),
  }));
  // What the recorder closed is closed here; anything else ends by itself.
  const isOurs = /client closed|recorder/.test(recorded.end ?? '');
  const limitMs = lengthOf(recorded) + (isOurs ? 0 : LIMIT_MS);
  const token = tokenOf(cluster, recorded);
  const isSilent = (recorded.frames ?? []).every(([, text]) => text === '');
  const onOutput = (text: string): void => {
    if (isSilent || text !== '') onBegun();
  };
  const result = await caller.stream(path, { token, protocols, timed: input, limitMs, onOutput });
  if (result.status === undefined) return describe({ status: 101, frames: result.frames });
  const isJson = (result.text ?? '').startsWith('{');
  const body = isJson ? { answer: JSON.parse(result.text ?? '') as Json } : { text: result.text ?? '' };
  const headers = (recorded.headers ?? []).filter(([name]) => name !== 'Content-Type');
  const type = (result.contentType ?? '') === '' ? [] : [['Content-Type', result.contentType ?? ''] as const];
  return describe({ status: result.status, headers: [...headers, ...type], ...body });
}
