/**
 * Sends the requests of a recorded scenario to the simulated cluster, at the recorded times divided by SCALE, and says
 * of each whether the answer was the same.
 */
import { isDeepStrictEqual } from 'node:util';
import { isObject, type Json } from '../api/patch.ts';
import { PODS } from '../api/resources.ts';
import type { SimulatedCluster } from '../cluster.ts';
import type { CallAnswer, Caller } from '../testing.ts';
import { BY_HAND } from './byhand.ts';
import { answered, describe } from './describe.ts';
import { type History, recordHistory } from './history.ts';
import { faster, normal, SCALE } from './normal.ts';
import { ownPath, ownUids, ownVersions, remember, tokenOf } from './own.ts';
import { prelude } from './prelude.ts';
import type { Exchange } from './recordings.ts';
import { PATIENCE_MS, POLL_MS, STREAM_LIMIT_MS, sleep } from './waits.ts';
import { isBackgroundWatch, watchDifferences } from './watched.ts';

export interface Outcome {
  readonly n: number;
  readonly same: boolean;
  /** What was expected and what came, for people. */
  readonly expected: string;
  readonly actual: string;
}

export async function replay(
  cluster: SimulatedCluster,
  caller: Caller,
  scenario: string,
  exchanges: readonly Exchange[],
  skip: ReadonlySet<number>,
): Promise<Outcome[]> {
  const start = Date.now();
  const since = cluster.store.revision();
  /** Names that the server made: recorded -> here. */
  const names = new Map<string, string>();
  const history = recordHistory(cluster);
  const outcomes: Promise<Outcome>[] = [];
  const wanted = exchanges.filter(({ n, method, path }) => method !== null && path !== null && !skip.has(n));
  const watches = wanted.filter(isBackgroundWatch);
  const requests = wanted.filter((exchange) => !watches.includes(exchange));
  const byHand = BY_HAND[scenario] ?? [];
  await prelude(cluster, caller, exchanges);
  for (const exchange of [...requests, ...byHand].sort((a, b) => (a.t ?? 0) - (b.t ?? 0))) {
    const wait = (exchange.t ?? 0) / SCALE - (Date.now() - start);
    if (wait > 0) await sleep(wait);
    if (!('n' in exchange)) {
      await caller.call(exchange.method, exchange.path, undefined, { token: cluster.adminToken });
      continue;
    }
    const outcome = one(cluster, caller, faster(exchange), start, names, history);
    outcomes.push(outcome);
    if (!isStream(exchange)) await outcome;
  }
  const all = await Promise.all(outcomes);
  const end = Math.max(...requests.map(({ t }) => t ?? 0));
  for (const watch of watches) all.push(await watched(cluster, scenario, watch, since, end));
  history.close();
  return all;
}

/** Whether all objects came as far as the recorded ones had at the end. */
async function watched(
  cluster: SimulatedCluster,
  scenario: string,
  watch: Exchange,
  since: number,
  end: number,
): Promise<Outcome> {
  const deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    const found = watchDifferences(cluster, scenario, watch, since, end);
    const same = found.length === 0;
    if (same || Date.now() > deadline) return { n: watch.n, same, expected: '', actual: found.join('\n') };
    await sleep(POLL_MS);
  }
}

function isStream({ path, status }: Exchange): boolean {
  return status === 101 || /[?&](watch|follow)=true/.test(path ?? '');
}

async function one(
  cluster: SimulatedCluster,
  caller: Caller,
  exchange: Exchange,
  start: number,
  names: Map<string, string>,
  history: History,
): Promise<Outcome> {
  const expected = describe(exchange);
  let actual = '';
  const give = (same: boolean): Outcome => ({ n: exchange.n, same, expected, actual });
  try {
    const path = await ownPath(cluster, exchange.path ?? '', names);
    if (exchange.protocol !== undefined || exchange.status === 101) {
      if (exchange.status === 101) await untilRunning(cluster, path);
      actual = await stream(caller, exchange, path, tokenOf(cluster, exchange), start);
      return give(actual === expected);
    }
    if (path.endsWith('/eviction')) await untilRunning(cluster, path);
    if (exchange.method !== 'GET') await stateBefore(cluster, caller, exchange, path);
    const deadline = Date.now() + PATIENCE_MS;
    for (;;) {
      const answer = await Promise.race([send(cluster, caller, exchange, path), limit()]);
      actual = describe(answered(exchange, answer));
      remember(exchange, answer, names);
      if (actual === expected) return give(true);
      if (wasSo(exchange, history, path)) return give(true);
      if (exchange.method !== 'GET' || Date.now() > deadline) return give(false);
      await sleep(POLL_MS);
    }
  } catch (error) {
    actual = String(error);
    return give(false);
  }
}

/** Whether the object was once as recorded. */
function wasSo({ method, answer, status }: Exchange, history: History, path: string): boolean {
  return (
    method === 'GET' && answer !== undefined && status === 200 && history.had(path, JSON.stringify(normal(answer)))
  );
}

/** The recorder connected when the container ran. */
async function untilRunning(cluster: SimulatedCluster, path: string): Promise<void> {
  const name = /\/pods\/([^/]+)/.exec(path)?.[1];
  const deadline = Date.now() + PATIENCE_MS;
  while (Date.now() < deadline) {
    const pod = cluster.store.list(PODS).find(({ metadata }) => metadata.name === name);
    if (pod?.status.containerStatuses?.some(({ state }) => state?.running !== undefined)) return;
    await sleep(POLL_MS);
  }
}

async function limit(): Promise<never> {
  await sleep(2 * STREAM_LIMIT_MS);
  throw new Error('no end of the answer');
}

function send(cluster: SimulatedCluster, caller: Caller, exchange: Exchange, path: string): Promise<CallAnswer> {
  const { method, body, type, accept } = exchange;
  return caller.call(
    method ?? 'GET',
    path,
    exchange.raw ?? ownVersions(cluster, exchange, path, ownUids(cluster, body)),
    {
      token: tokenOf(cluster, exchange),
      ...(type === undefined ? {} : { contentType: type }),
      ...(accept === undefined ? {} : { headers: { accept } }),
    },
  );
}

async function stream(caller: Caller, exchange: Exchange, path: string, token: string, start: number): Promise<string> {
  const protocols = (exchange.protocol ?? '')
    .split(',')
    .map((one) => one.trim())
    .filter((one) => one !== '');
  const input = (exchange.sent ?? []).map(([t, _opcode, hex]) => ({
    at: start + t / SCALE,
    data: Buffer.from(hex, 'hex'),
  }));
  const result = await caller.stream(path, { token, protocols, timed: input, limitMs: STREAM_LIMIT_MS });
  if (result.status === undefined) return describe({ status: 101, frames: result.frames });
  const isJson = (result.text ?? '').startsWith('{');
  const body = isJson ? { answer: JSON.parse(result.text ?? '') as Json } : { text: result.text ?? '' };
  const headers = (exchange.headers ?? []).filter(([name]) => name !== 'Content-Type');
  const type = (result.contentType ?? '') === '' ? [] : [['Content-Type', result.contentType ?? ''] as const];
  return describe({ status: result.status, headers: [...headers, ...type], ...body });
}

/** A change whose answer shows a status is sent when the object has that status. */
async function stateBefore(
  cluster: SimulatedCluster,
  caller: Caller,
  { answer, method }: Exchange,
  path: string,
): Promise<void> {
  if (method === 'POST' || !isObject(answer) || answer['status'] === undefined || !isObject(answer['status'])) return;
  const wanted = normal(answer['status']);
  const deadline = Date.now() + PATIENCE_MS;
  while (Date.now() < deadline) {
    const { body } = await caller.call('GET', path.split('?')[0] ?? path, undefined, { token: cluster.adminToken });
    const now = isObject(body as Json) ? (body as { status?: Json }).status : undefined;
    if (isDeepStrictEqual(normal(now), wanted)) return;
    await sleep(POLL_MS);
  }
}
