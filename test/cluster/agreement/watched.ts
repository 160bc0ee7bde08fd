/**
 * The watches that ran beside a scenario, compared by the stages of each object (stages.ts).
 */
import type { Json } from '../api/patch.ts';
import { EVENTS, JOBS, PODS, type Resource, SERVICES } from '../api/resources.ts';
import { visible } from '../api/watch.ts';
import type { SimulatedCluster } from '../cluster.ts';
import type { StoredObject } from '../model.ts';
import { type Exchange, watchLinesOf } from './recordings.ts';
import { addStage, differences, stageOf } from './stages.ts';

const WATCHED: readonly Resource[] = [JOBS, PODS, EVENTS, SERVICES];
const BACKGROUND =
  /\/(jobs|pods|events|services)\?watch=true&allowWatchBookmarks=true&resourceVersion=\d+(?:&labelSelector=launcher-instance-id%3D(\w+))?$/;

export function isBackgroundWatch({ path, t }: Exchange): boolean {
  return t === 0 && BACKGROUND.test(path ?? '');
}

/** One recorded watch beside what happens here from now on. */
export interface Watched {
  readonly n: number;
  readonly plural: string;
  /** What differs from all that was recorded up to a time. */
  readonly differences: (untilMs: number) => string[];
  readonly close: () => void;
}

export function watchBeside(cluster: SimulatedCluster, scenario: string, { n, path }: Exchange): Watched {
  const [, plural, instance] = BACKGROUND.exec(path ?? '') ?? [];
  const resource = WATCHED.find((one) => one.plural === plural);
  if (resource === undefined) throw new Error(`BUG: not a watch of a known kind: ${path}`);
  const lines = watchLinesOf(scenario, resource.plural, Number.POSITIVE_INFINITY).flatMap(({ t, type, object }) => {
    const found = stageOf(type, object);
    return found === undefined ? [] : [{ t, ...found }];
  });
  // Also of what came after the last exchange that is compared.
  const known = new Set(lines.map(({ key }) => key));
  const here = new Map<string, string[]>();
  const isWanted = (object: StoredObject | undefined): boolean =>
    object !== undefined && (instance === undefined || object.metadata.labels?.['launcher-instance-id'] === instance);
  const stop = cluster.store.listen(resource, (change) => {
    const event = visible(change, isWanted);
    // The same shape without what JSON leaves out.
    const found = event === undefined ? undefined : stageOf(event.type, event.object as unknown as Json);
    // Events carry no labels: those of other scenarios are left out by what they are about.
    if (found !== undefined && (instance !== undefined || known.has(found.key))) addStage(here, found);
  });
  return {
    n,
    plural: resource.plural,
    differences: (untilMs) => {
      const recorded = new Map<string, string[]>();
      for (const line of lines) if (line.t <= untilMs) addStage(recorded, line);
      return differences(recorded, here, known);
    },
    close: stop,
  };
}
