/** All jobs of the namespace at one moment, through the plugin's own reading of objects. Writes nothing. */
import type { Event, Pod } from 'kubernetes-types/core/v1.d.ts';
import { JOB_NAME_LABEL, OURS } from '../jobs/objects/annotations.ts';
import { projectEvent, projectJob, projectOurPod, projectService } from '../jobs/view/projection.ts';
import { Repository } from '../jobs/view/repository.ts';
import {
  type Client,
  EVENTS,
  JOBS,
  type KubernetesObject,
  type Page,
  PODS,
  type Projected,
  type ReflectorEvent,
  type Resource,
  SERVICES,
  type Selection,
} from '../kubernetes/contract.ts';
import { isForbidden } from '../kubernetes/kubernetes-error.ts';
import { errorMessage } from '../system/errors.ts';
import { clean } from './terminal.ts';

/** The lists that were read, and the repository built from them. */
export interface Snapshot {
  readonly namespace: string;
  readonly repository: Repository;
  readonly pods: readonly Pod[];
  readonly events: readonly Event[];
  /** Without permission to list them, `events` is empty. */
  readonly canListEvents: boolean;
}

/** Events that explain a state: warnings, and image pulls. */
const EXPLAINING: readonly Selection[] = [{ fieldSelector: 'type=Warning' }, { fieldSelector: 'reason=Pulling' }];

/**
 * Reads what the plugin watches, and hands it to the plugin's repository. `allEvents`: not only those that say why a job
 * is as it is. `warn` receives what may not be listed and what cannot be parsed. Rejects with KubernetesError.
 */
export async function takeSnapshot(
  client: Client,
  warn: (sentence: string) => void,
  { allEvents }: { readonly allEvents: boolean },
): Promise<Snapshot> {
  const ours: Selection = { labelSelector: OURS };
  const refused = new Set<string>();
  const optional = async <T extends KubernetesObject>(
    resource: Resource<T>,
    selection: Selection,
  ): Promise<Page<T>> => {
    try {
      return await client.list(resource, selection);
    } catch (error) {
      if (!isForbidden(error)) throw error;
      if (!refused.has(resource.plural))
        warn(`warning: no permission to list ${resource.plural}; reasons or addresses may be missing`);
      refused.add(resource.plural);
      return { items: [], resourceVersion: '' };
    }
  };
  // Sequential: if the first list is refused, the others are not requested.
  const jobPage = await client.list(JOBS, ours);
  const podPage = await client.list(PODS, { labelSelector: JOB_NAME_LABEL });
  const servicePage = await optional(SERVICES, ours);
  const events: Event[] = [];
  for (const selection of allEvents ? [{}] : EXPLAINING) events.push(...(await optional(EVENTS, selection)).items);
  const repository = new Repository();
  /** Passes each object on; returns those that could be parsed. */
  const take = <T extends KubernetesObject, P extends Projected>(
    { kind }: Resource<T>,
    items: readonly T[],
    project: (item: T) => P | undefined,
    onEvent: (event: ReflectorEvent<P>) => void,
  ): readonly T[] =>
    items.filter((item) => {
      try {
        const object = project(item);
        if (object !== undefined) onEvent({ type: 'ADDED', object });
        return object !== undefined;
      } catch (error) {
        const why = errorMessage(error);
        warn(clean(`warning: skipping ${kind} ${item.metadata?.name ?? ''}, which cannot be parsed: ${why}`));
        return false;
      }
    });
  take(JOBS, jobPage.items, projectJob, repository.applyJob);
  const pods = take(
    PODS,
    podPage.items,
    (pod) => projectOurPod(pod, (uid) => repository.has(uid)),
    repository.applyPod,
  );
  take(SERVICES, servicePage.items, projectService, repository.applyService);
  const readable = take(EVENTS, events, projectEvent, repository.applyEvent);
  repository.open();
  // Everything was read a moment ago: no final state needs to be confirmed by another read.
  for (const record of [...repository.records()]) repository.confirm(record, { exists: true, ran: false });
  return {
    namespace: client.namespace,
    repository,
    pods,
    events: readable,
    canListEvents: !refused.has(EVENTS.plural),
  };
}
