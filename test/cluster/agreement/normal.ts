/**
 * Two answers are the same if they are once everything random is taken out: names, uids, versions, times, addresses.
 */
import { isObject, type Json } from '../api/patch.ts';

/** Members that no two clusters share, or that only the recorded machine has (kubernetes-facts.md 0). */
const DROPPED = new Set([
  'uid',
  'resourceVersion',
  'managedFields',
  'creationTimestamp',
  'nodeInfo',
  'images',
  'runtimeHandlers',
  'declaredFeatures',
  'features',
  'machineID',
  'reportingInstance',
  'clusterIP',
  'clusterIPs',
  'nodePort',
  'allocatable',
  'capacity',
  'continue',
  'remainingItemCount',
  'allocatedResources',
]);

/** What was measured: the form of it. */
const MEASURED: Readonly<Record<string, RegExp>> = {
  cpu: /^\d+n$/,
  memory: /^\d+Ki$/,
  window: /^\d+\.\d+s$/,
};

export function normal(value: Json | undefined, key = ''): Json {
  if (value === undefined) return null;
  if (isObject(value) && value['kind'] === 'EventList') return withoutRepeats(value);
  if (typeof value === 'string' && MEASURED[key]?.test(value)) return `<${key}>`;
  if (typeof value === 'string')
    return key === 'name' && /^kube-api-access/.test(value) ? '<token volume>' : normalText(value);
  if (Array.isArray(value)) return value.filter(isComparable).map((one) => normal(one));
  return isObject(value) ? normalRecord(value) : value;
}

function normalRecord(value: Readonly<Record<string, Json>>): Record<string, Json> {
  // The kubelet of the recorded machine reads limits back from its cgroups (kubernetes-facts.md 0).
  const entries = Object.entries(value).filter(
    ([name]) => !DROPPED.has(name) && !(name === 'resources' && 'phase' in value),
  );
  return Object.fromEntries(
    entries.sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, one]) => [name, normal(one, name)]),
  );
}

/** How often an event was written again as a new object depends on the moment (kubernetes-facts.md 21). */
function withoutRepeats({ kind, items, ...rest }: Readonly<Record<string, Json>>): Json {
  const texts = (Array.isArray(items) ? items : []).map((item) => {
    const { series: _series, count = 0, ...event } = isObject(item) ? item : {};
    return JSON.stringify(normal({ ...event, isRepeated: Number(count) > 1 }));
  });
  return { kind: kind ?? null, ...normalRecord(rest), items: [...new Set(texts)].map((text) => JSON.parse(text)) };
}

/** OpenShift's own volume source. */
function isComparable(value: Json): boolean {
  if (!isObject(value) || !isObject(value['configMap'])) return true;
  return value['configMap']['name'] !== 'openshift-service-ca.crt';
}

export function normalText(text: string): string {
  return text
    .replace(/\b(?!1970)\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z/g, '<time>')
    .replace(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, '<uid>')
    .replace(/[0-9a-f]{64}/g, '<id>')
    .replace(/\.[0-9a-f]{14,17}\b/g, '.<event>')
    .replace(/-[bcdfghjklmnpqrstvwxz2456789]{5}(?![a-z0-9-])/g, '-<pod>')
    .replace(/\b10\.(\d+)\.\d+\.\d+\b/g, '<ip>')
    .replace(/\(\d+\)/g, '(<n>)')
    .replace(/current: \d+/g, 'current: <n>');
}
