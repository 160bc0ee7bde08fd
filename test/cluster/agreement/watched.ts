/**
 * The watches that ran beside a scenario, compared by the stages of each object (stages.ts).
 */
import { isObject, type Json } from '../api/patch.ts';
import { EVENTS, JOBS, PODS, type Resource, SERVICES } from '../api/resources.ts';
import type { SimulatedCluster } from '../cluster.ts';
import { type Exchange, watchLinesOf } from './recordings.ts';
import { differences, type Stages, stagesOf, type WatchLine } from './stages.ts';

const WATCHED: readonly Resource[] = [JOBS, PODS, EVENTS, SERVICES];
const BACKGROUND =
  /\/(jobs|pods|events|services)\?watch=true&allowWatchBookmarks=true&resourceVersion=\d+(?:&labelSelector=launcher-instance-id%3D(\w+))?$/;

export function isBackgroundWatch({ path, t }: Exchange): boolean {
  return t === 0 && BACKGROUND.test(path ?? '');
}

/** What differs between a recorded watch and all that happened here since a version of the store. */
export function watchDifferences(
  cluster: SimulatedCluster,
  scenario: string,
  { path }: Exchange,
  since: number,
  untilMs: number,
): string[] {
  const [, plural, instance] = BACKGROUND.exec(path ?? '') ?? [];
  const resource = WATCHED.find((one) => one.plural === plural);
  if (resource === undefined) throw new Error(`BUG: not a watch of a known kind: ${path}`);
  const recorded = stagesOf(watchLinesOf(scenario, resource.plural, untilMs));
  const lines = (cluster.store.since(resource, since) ?? []).map(({ type, object }): WatchLine => {
    const json: Json = JSON.parse(JSON.stringify(object));
    return { type, object: json };
  });
  const own = lines.filter(({ object }) => instance === undefined || instanceOf(object) === instance);
  const here = stagesOf(own);
  // The recorder went on after the last exchange that is compared.
  const known = new Set(stagesOf(watchLinesOf(scenario, resource.plural, Number.POSITIVE_INFINITY)).keys());
  return differences(recorded, instance === undefined ? only(here, recorded) : here, known);
}

function instanceOf(object: Json): Json | undefined {
  const metadata = isObject(object) ? object['metadata'] : undefined;
  const labels = isObject(metadata) ? metadata['labels'] : undefined;
  return isObject(labels) ? labels['launcher-instance-id'] : undefined;
}

/** Events carry no labels: those of other scenarios are left out by what they are about. */
function only(here: Stages, recorded: Stages): Stages {
  return new Map([...here].filter(([key]) => recorded.has(key)));
}
