/**
 * A recorded request as this cluster must get it: with its own names, uids, versions and tokens.
 */
import { isObject, type Json } from '../api/patch.ts';
import { JOBS, PODS } from '../api/resources.ts';
import type { SimulatedCluster } from '../cluster.ts';
import type { CallAnswer } from '../testing.ts';
import type { Replay } from './exchange.ts';
import { type Exchange, watchLinesOf } from './recordings.ts';
import { became } from './waits.ts';

/** Recorded names, continue tokens and versions of lists -> those here. */
export type Names = Map<string, string>;

/** Keeps what an answer of this cluster named otherwise than the recorded one. */
export function remember({ method, answer }: Exchange, actual: CallAnswer, names: Names): void {
  const recorded = nameOf(answer);
  const own = nameOf(actual.body as Json);
  if (method === 'POST' && recorded !== undefined && own !== undefined && recorded !== own) names.set(recorded, own);
  for (const [from, to] of zip(nodePorts(answer), nodePorts(actual.body as Json))) names.set(from, to);
  const before = metaOf(answer);
  const now = metaOf(actual.body as Json);
  if (before['continue'] !== undefined && now['continue'] !== undefined) names.set(before['continue'], now['continue']);
  if (before['resourceVersion'] !== undefined && now['resourceVersion'] !== undefined) {
    names.set(`${VERSION}${before['resourceVersion']}`, `${VERSION}${now['resourceVersion']}`);
  }
}

const VERSION = 'resourceVersion=';
/** Versions this far behind the last known one are of the future. */
const FUTURE = 100_000;

/** A version of the recording by the last one before it that is known; those before all and of the future stay. */
function ownVersion(path: string, names: Names): string {
  return path.replace(/(?<=[?&])resourceVersion=(\d+)/, (same, text: string) => {
    const known = [...names].flatMap(([from, to]) =>
      from.startsWith(VERSION) ? [{ from: Number(from.slice(VERSION.length)), to }] : [],
    );
    const before = known.filter(({ from }) => from <= Number(text)).sort((a, b) => b.from - a.from)[0];
    return before === undefined || Number(text) - before.from > FUTURE ? same : before.to;
  });
}

/** Ports that the server chose for a service. */
function nodePorts(answer: Json | undefined): string[] {
  const spec = isObject(answer) && answer['kind'] === 'Service' ? answer['spec'] : undefined;
  const ports = isObject(spec) && Array.isArray(spec['ports']) ? spec['ports'] : [];
  return ports.flatMap((port) => (isObject(port) && port['nodePort'] !== undefined ? [String(port['nodePort'])] : []));
}

function zip(from: readonly string[], to: readonly string[]): [string, string][] {
  return from.flatMap((one, index): [string, string][] => {
    const other = to[index];
    return other === undefined || other === one ? [] : [[one, other]];
  });
}

/** A recorded text with the names that this cluster gave. */
export function renamed(text: string, names: Names): string {
  return [...names].reduce(
    (sofar, [from, to]) => (from.startsWith(VERSION) ? sofar : sofar.replaceAll(from, to)),
    text,
  );
}

function metaOf(answer: Json | undefined): Record<string, string> {
  const metadata = isObject(answer) ? answer['metadata'] : undefined;
  if (!isObject(metadata)) return {};
  return Object.fromEntries(
    Object.entries(metadata).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
  );
}

export function nameOf(answer: Json | undefined): string | undefined {
  const name = isObject(answer) && isObject(answer['metadata']) ? answer['metadata']['name'] : undefined;
  return typeof name === 'string' ? name : undefined;
}

export function tokenOf(cluster: SimulatedCluster, { as, status }: Exchange): string {
  if (status === 401) return 'not-a-token';
  if (as === '<launcher-token>') return cluster.token;
  if (as === 'admin') return cluster.adminToken;
  if (as === '<other-token>') return cluster.accounts.issue('default', 'default');
  return as === 'none' ? '' : 'not-a-token';
}

/** A pod of the recording: the how-manieth of which Job. */
export interface RecordedPod {
  readonly name: string;
  readonly job: string;
  readonly index: number;
}

const POD_IN_PATH = /\/pods\/(((?!nope)[a-z0-9-]+?)-[bcdfghjklmnpqrstvwxz2456789]{5})(?=[/?]|$)/;

/** The pods that a scenario's answers and watches show. */
export function recordedPods(scenario: string, exchanges: readonly Exchange[]): RecordedPod[] {
  const found = new Map<string, string[]>();
  const look = (object: Json | undefined): void => {
    if (!isObject(object)) return;
    if (Array.isArray(object['items'])) for (const item of object['items']) look(item);
    const metadata = isObject(object['metadata']) ? object['metadata'] : {};
    const job = isObject(metadata['labels']) ? metadata['labels']['batch.kubernetes.io/job-name'] : undefined;
    const name = nameOf(object);
    if (typeof job !== 'string' || name === undefined || metadata['generateName'] !== `${job}-`) return;
    const names = found.get(job) ?? [];
    if (!names.includes(name)) found.set(job, [...names, name]);
  };
  for (const { object } of watchLinesOf(scenario, 'pods', Number.POSITIVE_INFINITY)) look(object);
  for (const { answer, path } of exchanges) {
    look(answer);
    const [, name, job] = POD_IN_PATH.exec(path ?? '') ?? [];
    if (name !== undefined && job !== undefined && !found.has(job)) found.set(job, [name]);
  }
  return [...found].flatMap(([job, names]) => names.map((name, index) => ({ name, job, index })));
}

/** The recorded path for this cluster; waits for the pod that it names. */
export async function ownPath(replay: Replay, recorded: string): Promise<string> {
  const { names, pods, history } = replay;
  const path = ownVersion(renamed(recorded, names), names);
  const pod = pods.find(({ name }) => recorded.includes(name));
  if (pod === undefined) return path;
  const own = renamed(pod.job, names);
  await became(replay, () => history.podsOf(own)[pod.index] !== undefined);
  return path.replaceAll(renamed(pod.name, names), history.podsOf(own)[pod.index] ?? pod.name);
}

/** A body with names and ports of this cluster; owner references by the uid that the owner's name has now. */
export function ownUids(cluster: SimulatedCluster, recorded: Json | undefined, names: Names): Json | undefined {
  const body: Json | undefined =
    recorded === undefined ? undefined : JSON.parse(renamed(JSON.stringify(recorded), names));
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
export function ownVersions(
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
