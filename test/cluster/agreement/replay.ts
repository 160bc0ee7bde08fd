/**
 * Sends the requests of a recorded scenario to the simulated cluster, at the recorded times divided by SCALE, and says
 * of each whether the answer was the same.
 */
import { isDeepStrictEqual } from 'node:util';
import { isObject, type Json } from '../api/patch.ts';
import { JOBS, PODS } from '../api/resources.ts';
import type { SimulatedCluster } from '../cluster.ts';
import type { CallAnswer, Caller } from '../testing.ts';
import { BY_HAND } from './byhand.ts';
import { type History, recordHistory } from './history.ts';
import { faster, normal, normalText, SCALE } from './normal.ts';
import type { Exchange } from './recordings.ts';
import { isBackgroundWatch, watchDifferences } from './watched.ts';

export interface Outcome {
  readonly n: number;
  readonly same: boolean;
  /** What was expected and what came, for people. */
  readonly expected: string;
  readonly actual: string;
}

/** How long an answer may take to become the recorded one. */
const PATIENCE_MS = 600;
const POLL_MS = 40;
/** How long a stream may take to its end; any other answer has twice as long. */
const STREAM_LIMIT_MS = 3000;

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

/** Objects that were there before a scenario of lists began: those of its first list. */
async function prelude(cluster: SimulatedCluster, caller: Caller, exchanges: readonly Exchange[]): Promise<void> {
  const lists = exchanges.filter(
    ({ path, note }) =>
      /^\/apis\/batch.*labelSelector=launcher-instance-id%3Ds17b?&limit/.test(path ?? '') &&
      /^(page|last)/.test(note ?? ''),
  );
  const names = new Set<string>();
  for (const { answer } of lists) {
    const items = isObject(answer) && Array.isArray(answer['items']) ? answer['items'] : [];
    for (const item of items) {
      const name = nameOf(item);
      if (!isObject(item) || name === undefined || names.has(name)) continue;
      names.add(name);
      await caller.call('POST', '/apis/batch/v1/namespaces/rstudio/jobs', createdFrom(item), {
        token: cluster.adminToken,
      });
    }
  }
}

/** The body that an object was created with, as far as it can be seen. */
function createdFrom(item: Record<string, Json>): Json {
  const { metadata, spec } = item;
  if (!isObject(metadata) || !isObject(spec) || !isObject(spec['template'])) return item;
  const template = isObject(spec['template']['metadata']) ? spec['template']['metadata'] : {};
  const labels = Object.entries(isObject(template['labels']) ? template['labels'] : {}).filter(
    ([key]) => !/controller-uid|job-name/.test(key),
  );
  const { selector: _selector, manualSelector: _manual, ...rest } = spec;
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name: metadata['name'] ?? '', labels: metadata['labels'] ?? {} },
    spec: { ...rest, template: { ...spec['template'], metadata: { ...template, labels: Object.fromEntries(labels) } } },
  };
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
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

function remember({ method, answer }: Exchange, actual: CallAnswer, names: Map<string, string>): void {
  const recorded = nameOf(answer);
  const own = nameOf(actual.body as Json);
  if (method === 'POST' && recorded !== undefined && own !== undefined && recorded !== own) names.set(recorded, own);
  const before = listMeta(answer);
  const now = listMeta(actual.body as Json);
  if (before['continue'] !== undefined && now['continue'] !== undefined) names.set(before['continue'], now['continue']);
  if (method === 'GET' && before['resourceVersion'] !== undefined && now['resourceVersion'] !== undefined) {
    names.set(`resourceVersion=${before['resourceVersion']}`, `resourceVersion=${now['resourceVersion']}`);
  }
}

function listMeta(answer: Json | undefined): Record<string, string> {
  const metadata = isObject(answer) && Array.isArray(answer['items']) ? answer['metadata'] : undefined;
  if (!isObject(metadata)) return {};
  return Object.fromEntries(
    Object.entries(metadata).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
  );
}

function nameOf(answer: Json | undefined): string | undefined {
  const name = isObject(answer) && isObject(answer['metadata']) ? answer['metadata']['name'] : undefined;
  return typeof name === 'string' ? name : undefined;
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

function tokenOf(cluster: SimulatedCluster, { as, status }: Exchange): string {
  if (status === 401) return 'not-a-token';
  if (as === '<launcher-token>') return cluster.token;
  if (as === 'admin') return cluster.adminToken;
  if (as === '<other-token>') return cluster.accounts.issue('default', 'default');
  return as === 'none' ? '' : 'not-a-token';
}

/** What of an answer is compared, as text: status, headers that matter, body without what is random. */
function describe({
  status,
  headers = [],
  answer,
  text,
  frames,
}: Pick<Exchange, 'status' | 'headers' | 'answer' | 'text' | 'frames'>): string {
  const compared = headers
    .map(([name, value]) => [name.toLowerCase(), value] as const)
    .filter(([name]) => name === 'content-type' || name === 'warning' || name === 'retry-after')
    .map(([name, value]) => `${name}: ${value}`);
  const lines = (text ?? '').split('\n').map(normalText).slice(0, 100);
  const body = answer !== undefined ? JSON.stringify(normal(answer), null, 1) : lines.join('\n');
  const streams = frames === undefined ? '' : channels(frames);
  return [status, ...compared.sort(), body, streams].join('\n');
}

/** Frames of one channel as one text: where they are split is chance. */
function channels(frames: readonly (readonly [number, string])[]): string {
  const texts = new Map<number, string>();
  for (const [channel, text] of frames) texts.set(channel, (texts.get(channel) ?? '') + text);
  return [...texts]
    .filter(([channel]) => channel >= 0)
    .sort(([a], [b]) => a - b)
    .map(([channel, text]) => `${channel}: ${normalText(text)}`)
    .join('\n');
}

function answered(
  { answer, text }: Exchange,
  actual: CallAnswer,
): Pick<Exchange, 'status' | 'headers' | 'answer' | 'text'> {
  const headers = Object.entries(actual.headers).flatMap(([name, value]) =>
    (Array.isArray(value) ? value : [value ?? '']).map((single) => [name, single] as const),
  );
  // A body that the recorder kept as text is compared as text.
  const body =
    answer !== undefined && actual.body !== undefined
      ? { answer: actual.body as Json }
      : { text: text === undefined ? '' : actual.text.slice(0, 3000) };
  return { status: actual.status, headers, ...body };
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

const RECORDED_POD = /\/pods\/((?!nope)[a-z0-9-]+?)-([bcdfghjklmnpqrstvwxz2456789]{5})(?=[/?]|$)/;

/** The recorded path with the names that this cluster gave. */
async function ownPath(
  cluster: SimulatedCluster,
  recorded: string,
  names: ReadonlyMap<string, string>,
): Promise<string> {
  const path = [...names].reduce((text, [from, to]) => text.replaceAll(from, to), recorded);
  const [, job, suffix] = RECORDED_POD.exec(path) ?? [];
  if (job === undefined) return path;
  const deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    const pods = cluster.store.list(PODS).filter(({ metadata }) => metadata.labels?.['job-name'] === job);
    const pod = pods.at(-1);
    if (pod !== undefined) return path.replace(`${job}-${suffix}`, pod.metadata.name);
    if (Date.now() > deadline) return path;
    await sleep(POLL_MS);
  }
}

/** Owner references name objects of the recorded cluster by uid: here by what that name has now. */
function ownUids(cluster: SimulatedCluster, body: Json | undefined): Json | undefined {
  if (!isObject(body)) return body;
  const metadata = isObject(body['metadata']) ? body['metadata'] : undefined;
  const uid = metadata?.['uid'];
  if (metadata !== undefined && typeof uid === 'string' && !uid.startsWith('00000000')) {
    const own = cluster.store.list(JOBS).find((job) => job.metadata.name === metadata['name'])?.metadata.uid;
    return own === undefined ? body : { ...body, metadata: { ...metadata, uid: own } };
  }
  const owners = isObject(body['metadata']) ? body['metadata']['ownerReferences'] : undefined;
  if (!Array.isArray(owners)) return body;
  const jobs = cluster.store.list(JOBS);
  const own = owners.map((owner) => {
    const uid = isObject(owner)
      ? jobs.find(({ metadata }) => metadata.name === owner['name'])?.metadata.uid
      : undefined;
    return isObject(owner) && uid !== undefined ? { ...owner, uid } : owner;
  });
  return { ...body, metadata: { ...(isObject(body['metadata']) ? body['metadata'] : {}), ownerReferences: own } };
}

/** A guard that held in the recording holds here: by the version and the uid that the object has now. */
function ownVersions(
  cluster: SimulatedCluster,
  { status }: Exchange,
  path: string,
  body: Json | undefined,
): Json | undefined {
  if (!isObject(body) || status !== 200) return body;
  const [, plural, name] = /\/(jobs|pods)\/([^/?]+)/.exec(path) ?? [];
  const object = [...cluster.store.list(JOBS), ...cluster.store.list(PODS)].find(
    ({ kind, metadata }) => metadata.name === name && kind === (plural === 'jobs' ? 'Job' : 'Pod'),
  );
  if (object === undefined) return body;
  const { uid, resourceVersion } = object.metadata;
  const { metadata, preconditions } = body;
  return {
    ...body,
    ...(isObject(metadata) && 'resourceVersion' in metadata ? { metadata: { ...metadata, resourceVersion } } : {}),
    ...(isObject(preconditions) && 'uid' in preconditions ? { preconditions: { ...preconditions, uid } } : {}),
  };
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
