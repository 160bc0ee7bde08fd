/**
 * Limit ranges: what a container did not say is written into the pod's spec, never into the Job's; what it said wrongly
 * is refused (kubernetes-facts.md 26, 28). Only the rules for containers are served.
 */
import type { Container, LimitRangeItem, PodSpec } from 'kubernetes-types/core/v1.d.ts';
import { quantity } from '../kubelet/quantity.ts';
import type { LimitRange, Meta, Pod } from '../model.ts';
import { LIMIT_RANGES, PODS } from './resources.ts';
import { forbidden } from './status.ts';
import type { Draft, Store } from './store.ts';

const ANNOTATION = 'kubernetes.io/limit-ranger';

type Quantities = Readonly<Record<string, string>>;

/** What the server adds to a new LimitRange: defaults follow from the bounds. */
export function defaultLimitRange(draft: Draft<LimitRange>): Draft<LimitRange> {
  const limits = draft.spec.limits.map((item) => {
    if (item.type !== 'Container') return item;
    const limit = { ...item.max, ...item.default };
    const request = { ...item.min, ...limit, ...item.defaultRequest };
    return {
      ...item,
      ...(Object.keys(limit).length === 0 ? {} : { default: limit }),
      ...(Object.keys(request).length === 0 ? {} : { defaultRequest: request }),
    };
  });
  return { ...draft, spec: { ...draft.spec, limits } };
}

function containerRules(store: Store, namespace: string): LimitRangeItem[] {
  const items = store.list(LIMIT_RANGES, namespace).flatMap(({ spec }) => spec.limits);
  return items.filter(({ type }) => type === 'Container');
}

/** The pod with the defaults of its namespace, and the annotation that tells which ones. */
export function withLimitDefaults(
  store: Store,
  namespace: string,
  metadata: Partial<Meta>,
  spec: PodSpec,
): { metadata: Partial<Meta>; spec: PodSpec } {
  const rules = containerRules(store, namespace);
  const limits: Quantities = Object.assign({}, ...rules.map((rule) => rule.default));
  const requests: Quantities = Object.assign({}, ...rules.map((rule) => rule.defaultRequest));
  const told: string[] = [];

  function completed(container: Container, role: string): Container {
    const { resources = {} } = container;
    const added = {
      request: missingIn(resources.requests, requests),
      limit: missingIn(resources.limits, limits),
    };
    for (const [what, names] of Object.entries(added)) {
      if (names.length > 0) told.push(`${names.join(', ')} ${what} for ${role} ${container.name}`);
    }
    if (added.request.length + added.limit.length === 0) return container;
    return {
      ...container,
      resources: {
        ...resources,
        limits: { ...limits, ...resources.limits },
        requests: { ...requests, ...resources.requests },
      },
    };
  }

  const containers = spec.containers.map((container) => completed(container, 'container'));
  const initContainers = spec.initContainers?.map((container) => completed(container, 'init container'));
  if (told.length === 0) return { metadata, spec };
  const annotations = { ...metadata.annotations, [ANNOTATION]: `LimitRanger plugin set: ${told.join('; ')}` };
  return {
    metadata: { ...metadata, annotations },
    spec: { ...spec, containers, ...(initContainers === undefined ? {} : { initContainers }) },
  };
}

function missingIn(given: Quantities | undefined, defaults: Quantities): string[] {
  return Object.keys(defaults)
    .filter((name) => given?.[name] === undefined)
    .sort();
}

/** @throws ApiError 403 for a container outside the bounds */
export function checkLimits(store: Store, namespace: string, pod: Draft<Pod>): void {
  const problems = containerRules(store, namespace).flatMap((rule) =>
    pod.spec.containers.flatMap(({ resources = {} }) => [
      ...bound(rule.min, resources.requests, 'minimum', 'request', (given, limit) => given < limit),
      ...bound(rule.max, resources.limits, 'maximum', 'limit', (given, limit) => given > limit),
      ...ratio(rule.maxLimitRequestRatio, resources.requests ?? {}, resources.limits ?? {}),
    ]),
  );
  if (problems.length === 0) return;
  const why = problems.length === 1 ? (problems[0] ?? '') : `[${problems.join(', ')}]`;
  throw forbidden(PODS, pod.metadata.name ?? '', why);
}

function bound(
  bounds: Quantities = {},
  given: Quantities = {},
  word: string,
  what: string,
  isOutside: (given: number, bound: number) => boolean,
): string[] {
  return sorted(bounds).flatMap(([name, limit]) => {
    const value = given[name];
    const head = `${word} ${name} usage per Container is ${limit}`;
    if (value === undefined) return [`${head}.  No ${what} is specified`];
    return isOutside(quantity(value), quantity(limit)) ? [`${head}, but ${what} is ${value}`] : [];
  });
}

function ratio(ratios: Quantities = {}, requests: Quantities, limits: Quantities): string[] {
  return sorted(ratios).flatMap(([name, max]) => {
    const given = quantity(limits[name] ?? '0') / quantity(requests[name] ?? '0');
    if (!(given > quantity(max))) return [];
    return [`${name} max limit to request ratio per Container is ${max}, but provided ratio is ${given.toFixed(6)}`];
  });
}

function sorted(quantities: Quantities): [string, string][] {
  return Object.entries(quantities).sort(([a], [b]) => (a < b ? -1 : 1));
}
