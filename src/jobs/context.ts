/** Dependencies that the modules of jobs/ share; created by jobs.ts. */
import type { Options } from '../config/options/options.ts';
import type { Client, Reflector } from '../kubernetes/contract.ts';
import type { Clock } from '../system/clock.ts';
import type { Log } from '../system/log.ts';
import type { Random } from '../system/random.ts';
import type { TemplateContext } from './objects/template-objects.ts';
import type { Permissions } from './permissions.ts';
import type { Policy } from './policy/policy.ts';
import type { EventView, JobView, PodView, ServiceView } from './view/projection.ts';
import type { Repository } from './view/repository.ts';

/** The options that jobs/ reads (docs/configuration.md section 1). */
export type JobsOptions = Pick<
  Options,
  | 'jobExpiryHours'
  | 'shareProcessNamespace'
  | 'serviceType'
  | 'killMethod'
  | 'resourcePollSeconds'
  | 'pendingTimeoutSeconds'
>;

export interface JobsContext {
  readonly client: Client;
  readonly repository: Repository;
  readonly jobs: Reflector<JobView>;
  readonly pods: Reflector<PodView>;
  readonly services: Reflector<ServiceView>;
  readonly events: Reflector<EventView>;
  readonly policy: Policy;
  readonly permissions: Permissions;
  /** The launcher templates for one job of a user; undefined: `use-templating` is off. */
  readonly templates?: ((user: string) => TemplateContext) | undefined;
  /** The current values; a reload changes them. */
  readonly options: () => JobsOptions;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Host name / NAME / random text of this process (docs/kubernetes-objects.md section 4). */
  readonly processId: string;
  /** Aborted when the plugin stops; ends all background work. */
  readonly signal: AbortSignal;
  /** Minor version of the server, cached. */
  readonly minor: () => Promise<number>;
  /** Ids that this process submitted. */
  readonly submitted: Set<string>;
  /** Runs an attempt to delete the objects of a failed submit, at a time when few others run. */
  readonly undoAttempt: (attempt: () => Promise<void>) => Promise<void>;
}
