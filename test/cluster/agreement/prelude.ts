/**
 * What was in the recorded cluster before a scenario began, as far as its answers show it.
 */
import { isObject, type Json } from '../api/patch.ts';
import type { SimulatedCluster } from '../cluster.ts';
import type { Caller } from '../testing.ts';
import { nameOf } from './own.ts';
import type { Exchange } from './recordings.ts';

/** Objects that were there before a scenario of lists began: those of its first list. */
export async function prelude(
  cluster: SimulatedCluster,
  caller: Caller,
  exchanges: readonly Exchange[],
): Promise<void> {
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
