/**
 * Resource quotas: what the objects of a namespace use, and the refusal of an object that would use too much (kubernetes-facts.md 26,
 * 27). Scopes are not looked at.
 */
import type { Container } from 'kubernetes-types/core/v1.d.ts';
import { quantity } from '../kubelet/quantity.ts';
import { isFinishedPod, type Pod, type ResourceQuota, type Service, type StoredObject } from '../model.ts';
import { CONFIG_MAPS, JOBS, PODS, QUOTAS, type Resource, SECRETS, SERVICES } from './resources.ts';
import { forbidden, qualified } from './status.ts';
import type { Draft, Store } from './store.ts';

/** What a quota may count. */
export const COUNTED: readonly Resource[] = [JOBS, PODS, SERVICES, SECRETS, CONFIG_MAPS];

/** By the names that a quota has for them, in thousandths. */
type Usage = Readonly<Record<string, number>>;

const COMPUTE = ['cpu', 'memory'];

function usageOf(resource: Resource, object: Draft<StoredObject>): Usage {
  const count = { [`count/${qualified(resource.plural, resource.group)}`]: 1000 };
  switch (resource.plural) {
    case PODS.plural: {
      const pod = object as Draft<Pod>;
      return isFinishedPod(pod as Pod) ? count : { ...count, pods: 1000, ...computeOf(pod.spec.containers) };
    }
    case SERVICES.plural: {
      const { spec } = object as Draft<Service>;
      const ports = (spec.ports ?? []).filter(({ nodePort }) => nodePort !== undefined).length;
      return {
        ...count,
        services: 1000,
        ...(ports > 0 ? { 'services.nodeports': ports * 1000 } : {}),
        ...(spec.type === 'LoadBalancer' ? { 'services.loadbalancers': 1000 } : {}),
      };
    }
    default:
      return resource.group === '' ? { ...count, [resource.plural]: 1000 } : count;
  }
}

/** `requests.cpu`, `limits.memory` and so on; `cpu` and `memory` are other words for requests. */
function computeOf(containers: readonly Container[]): Usage {
  const sums: Record<string, number> = {};
  for (const { resources } of containers) {
    for (const kind of ['requests', 'limits'] as const) {
      for (const [name, text] of Object.entries(resources?.[kind] ?? {})) {
        const names = kind === 'requests' && COMPUTE.includes(name) ? [name, `requests.${name}`] : [`${kind}.${name}`];
        for (const one of names) sums[one] = (sums[one] ?? 0) + Math.round(quantity(text) * 1000);
      }
    }
  }
  return sums;
}

/** What is used of all that a quota limits, as its status says it. */
export function usedOf(store: Store, quota: ResourceQuota): Record<string, string> {
  const used = sumOf(store, quota);
  return Object.fromEntries(Object.entries(used).map(([name, value]) => [name, written(name, value)]));
}

function sumOf(store: Store, { metadata, spec }: ResourceQuota): Usage {
  const sums = Object.fromEntries(Object.keys(spec.hard ?? {}).map((name) => [name, 0]));
  for (const resource of COUNTED) {
    for (const object of store.list(resource, metadata.namespace)) {
      for (const [name, value] of Object.entries(usageOf(resource, object))) {
        if (sums[name] !== undefined) sums[name] += value;
      }
    }
  }
  return sums;
}

/** @throws ApiError 403 for an object that exceeds a quota of its namespace */
export function checkQuotas(store: Store, resource: Resource, namespace: string, object: Draft<StoredObject>): void {
  if (!COUNTED.includes(resource)) return;
  const name = object.metadata.name ?? '';
  const wanted = usageOf(resource, object);
  for (const quota of store.list(QUOTAS, namespace)) {
    const hard = quota.spec.hard ?? {};
    const unsaid = resource.plural === PODS.plural ? unsaidIn(object as Draft<Pod>, Object.keys(hard)) : [];
    if (unsaid.length > 0) {
      throw forbidden(resource, name, `failed quota: ${quota.metadata.name}: must specify ${unsaid.join('; ')}`);
    }
    const used = sumOf(store, quota);
    const exceeded = Object.keys(hard)
      .filter((one) => (wanted[one] ?? 0) > 0 && (wanted[one] ?? 0) + (used[one] ?? 0) > limitOf(hard[one]))
      .sort();
    if (exceeded.length === 0) continue;
    const list = (values: Usage): string => exceeded.map((one) => `${one}=${written(one, values[one] ?? 0)}`).join();
    const limited = exceeded.map((one) => `${one}=${hard[one]}`).join();
    throw forbidden(
      resource,
      name,
      `exceeded quota: ${quota.metadata.name}, requested: ${list(wanted)}, used: ${list(used)}, limited: ${limited}`,
    );
  }
}

/** Under a quota for cpu or memory every container must say what it wants of it. */
function unsaidIn(pod: Draft<Pod>, names: readonly string[]): string[] {
  return names
    .filter((name) => /^((requests|limits)\.)?(cpu|memory)$/.test(name))
    .sort()
    .flatMap((name) => {
      const silent = pod.spec.containers.filter((container) => computeOf([container])[name] === undefined);
      return silent.length === 0 ? [] : [`${name} for: ${silent.map((container) => container.name).join()}`];
    });
}

function limitOf(text = '0'): number {
  return Math.round(quantity(text) * 1000);
}

const BINARY = ['', 'Ki', 'Mi', 'Gi', 'Ti'];

/** Thousandths as the API writes quantities: `900m`, `2`, `128Mi`. */
function written(name: string, value: number): string {
  if (value % 1000 !== 0) return `${value}m`;
  let whole = value / 1000;
  let unit = 0;
  while (/memory|storage/.test(name) && whole > 0 && whole % 1024 === 0 && unit < BINARY.length - 1) {
    whole /= 1024;
    unit += 1;
  }
  return `${whole}${BINARY[unit]}`;
}
