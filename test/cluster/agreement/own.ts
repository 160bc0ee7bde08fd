/**
 * A recorded request as this cluster must get it: with its own names, uids, versions and tokens.
 */
import { isObject, type Json } from '../api/patch.ts';
import { JOBS, PODS } from '../api/resources.ts';
import type { SimulatedCluster } from '../cluster.ts';
import type { CallAnswer } from '../testing.ts';
import type { Exchange } from './recordings.ts';
import { PATIENCE_MS, POLL_MS, sleep } from './waits.ts';

/** Keeps the names, continue tokens and list versions of an answer: recorded -> here. */
export function remember({ method, answer }: Exchange, actual: CallAnswer, names: Map<string, string>): void {
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

const RECORDED_POD = /\/pods\/((?!nope)[a-z0-9-]+?)-([bcdfghjklmnpqrstvwxz2456789]{5})(?=[/?]|$)/;

/** The recorded path with the names that this cluster gave. */
export async function ownPath(
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
export function ownUids(cluster: SimulatedCluster, body: Json | undefined): Json | undefined {
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
