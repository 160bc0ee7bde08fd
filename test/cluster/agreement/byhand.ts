/**
 * What the recorder did beside the recorded exchanges: objects deleted (seen in the watches), servers killed and started.
 */
import { isObject, type Json } from '../api/patch.ts';
import type { SimulatedCluster } from '../cluster.ts';
import { FAULTS } from '../faults/rules.ts';
import type { Caller } from '../testing.ts';
import { type Exchange, watchLinesOf } from './recordings.ts';

export interface ByHand {
  /** Milliseconds since the scenario began. */
  readonly t: number;
  readonly act: (cluster: SimulatedCluster, caller: Caller) => unknown;
}

const TO_OBJECTS: Readonly<Record<string, readonly ByHand[]>> = {
  '17-list-watch': [
    { t: 26_395, act: change('s17-0', { labels: { 'launcher-instance-id': 'other' } }) },
    { t: 26_403, act: change('s17-0', { labels: { 'launcher-instance-id': 's17' } }) },
    { t: 26_409, act: change('s17-1', { annotations: { x: '1' } }) },
    ...[0, 1, 2].map((y) => ({ t: 26_425 + 5 * y, act: change('s17-2', { annotations: { y: String(y) } }) })),
  ],
  '18-errors': [{ t: 680, act: change('s18-dup', { annotations: { a: '1' } }) }],
};

/** In scenarios that need a cluster of their own for it. */
const TO_THE_CLUSTER: Readonly<Record<string, readonly ByHand[]>> = {
  '19b-kubelet-restart': [
    { t: 3300, act: (cluster) => cluster.killKubelet() },
    { t: 5600, act: (cluster) => cluster.startKubelet() },
    { t: 8000, act: (cluster) => cluster.killKubelet() },
    { t: 10_000, act: (cluster) => cluster.startKubelet() },
  ],
  '19c-apiserver-restart': [
    { t: 3500, act: (cluster) => void cluster.stopApi('clean', 57_750) },
    { t: 64_000, act: (cluster) => cluster.startApi('lost') },
    { t: 69_450, act: (cluster) => cluster.stopApi('cut') },
    { t: 75_000, act: (cluster) => cluster.startApi('lost') },
  ],
  '19d-hard-kills': [
    { t: 3040, act: (cluster) => cluster.killKubelet() },
    { t: 4100, act: (cluster) => cluster.startKubelet() },
    { t: 8330, act: (cluster) => cluster.stopApi('cut') },
    { t: 14_000, act: (cluster) => cluster.startApi('lost') },
  ],
  '21-metrics': [
    { t: 0, act: (cluster) => cluster.setMetrics('present') },
    {
      t: 22_000,
      act: (cluster) =>
        cluster.faults.add({ fault: FAULTS.unavailable, path: /metrics/, times: Number.POSITIVE_INFINITY }),
    },
  ],
  '23b-node-notready': [
    { t: 1500, act: (cluster) => cluster.killKubelet() },
    { t: 83_150, act: (cluster) => cluster.startKubelet() },
  ],
};

export function doneByHand(scenario: string, exchanges: readonly Exchange[]): ByHand[] {
  return [
    ...(TO_THE_CLUSTER[scenario] ?? []),
    ...(TO_OBJECTS[scenario] ?? []),
    ...['jobs', 'services'].flatMap((plural) => deleted(scenario, plural, exchanges)),
  ];
}

/** Somebody else's change of a Job. */
function change(job: string, metadata: object): ByHand['act'] {
  const path = `/apis/batch/v1/namespaces/rstudio/jobs/${job}`;
  const contentType = 'application/merge-patch+json';
  return (cluster, caller) => caller.call('PATCH', path, { metadata }, { token: cluster.adminToken, contentType });
}

/** Objects whose deletion the watch showed, but that no request, time to live or owner explains. */
function deleted(scenario: string, plural: string, exchanges: readonly Exchange[]): ByHand[] {
  const requested = exchanges.filter(({ method }) => method === 'DELETE').map(({ path }) => path?.split('?')[0]);
  const hasAll = (path: string): boolean =>
    requested.some((one) => one === path || one === path.slice(0, path.lastIndexOf('/')));
  const seen = new Set<string>();
  const lines = watchLinesOf(scenario, plural, Number.POSITIVE_INFINITY);
  const last = new Map(lines.map(({ t, object }) => [uidOf(object), t]));
  return lines.flatMap(({ t, type, object }) => {
    const { metadata, spec } = record(object);
    const { name, namespace, deletionTimestamp, ownerReferences } = record(metadata);
    const uid = uidOf(object);
    const path = `${plural === 'jobs' ? '/apis/batch/v1' : '/api/v1'}/namespaces/${namespace}/${plural}/${name}`;
    // An object that leaves a selector is shown as deleted, and may come back.
    const goes =
      (type === 'DELETED' && t === last.get(uid)) || (type !== 'BOOKMARK' && deletionTimestamp !== undefined);
    if (!goes || seen.has(uid) || hasAll(path)) return [];
    if (ownerReferences !== undefined || record(spec)['ttlSecondsAfterFinished'] !== undefined) return [];
    seen.add(uid);
    const act: ByHand['act'] = (cluster, caller) =>
      caller.call('DELETE', `${path}?propagationPolicy=Background`, undefined, { token: cluster.adminToken });
    return [{ t, act }];
  });
}

function uidOf(object: Json): string {
  return String(record(record(object)['metadata'])['uid']);
}

function record(value: Json | undefined): Readonly<Record<string, Json>> {
  return isObject(value) ? value : {};
}
