/**
 * All of jobs/ put together: what the Launcher's side is given. Owns the reflectors and everything that goes on in the
 * background; `run` ends when its signal does.
 */
import { type Client, EVENTS, JOBS, PODS, SERVICES } from '../kubernetes/contract.ts';
import type { Clock } from '../system/clock.ts';
import type { Log } from '../system/log.ts';
import type { Random } from '../system/random.ts';
import { OURS } from './annotations.ts';
import type { Context, JobsOptions, Policy } from './context.ts';
import { JobError, type Jobs } from './contract.ts';
import { control } from './control.ts';
import { createNetwork } from './network.ts';
import { output } from './output.ts';
import { projectEvent, projectJob, projectPod, projectService } from './projection.ts';
import { readJobAgain } from './reading.ts';
import { createRepository, jobOf, maySee } from './repository.ts';
import { writeResults } from './result.ts';
import { submit } from './submit.ts';

export interface JobsDependencies {
  readonly client: Client;
  readonly policy: Policy;
  /** The values now in force; a reload changes them. */
  readonly options: () => JobsOptions;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Host name / NAME / random text of this process. */
  readonly processId: string;
}

export interface RunningJobs extends Jobs {
  /** Follows the cluster until the signal ends; never rejects. Called once. */
  readonly run: (signal: AbortSignal) => Promise<void>;
}

/** Events that tell nothing about why a job is as it is (kubernetes-objects.md section 7). */
const DULL_EVENTS = ['Scheduled', 'Pulled', 'Created', 'Started', 'SuccessfulCreate', 'Completed'];

export function createJobs(dependencies: JobsDependencies): RunningJobs {
  const { client, log } = dependencies;
  const life = new AbortController();
  const repository = createRepository({ readAgain: (entry) => readJobAgain(context, entry.job) });
  const ours = { labelSelector: OURS };
  const context: Context = {
    ...dependencies,
    repository,
    jobs: client.reflector({ resource: JOBS, selection: ours, project: projectJob, onEvent: repository.onJob }),
    pods: client.reflector({ resource: PODS, selection: ours, project: projectPod, onEvent: repository.onPod }),
    services: client.reflector({
      resource: SERVICES,
      selection: ours,
      project: projectService,
      onEvent: repository.onService,
    }),
    events: client.reflector({
      resource: EVENTS,
      selection: { fieldSelector: DULL_EVENTS.map((reason) => `reason!=${reason}`).join(',') },
      project: projectEvent,
      onEvent: repository.onEvent,
    }),
    signal: life.signal,
    minor: once(async () => (await client.version()).minor),
    submitted: new Set(),
  };
  const { jobs, pods, services, events } = context;

  async function synced(signal: AbortSignal): Promise<void> {
    try {
      await Promise.all([jobs.synced(signal), pods.synced(signal)]);
    } catch (error) {
      const last = jobs.state().lastError ?? pods.state().lastError ?? error;
      const words = last instanceof Error ? last.message : String(last);
      throw new JobError('unknown', `The jobs of Kubernetes are not known yet: ${words}`, { cause: last });
    }
    repository.open();
  }

  return {
    synced,
    submit: (request, requester, timeoutMs) => submit(context, request, requester, timeoutMs),
    find: (id, requester) => jobOf(repository.find(id, requester)),
    list: (requester) => [...repository.entries()].map(jobOf).filter((job) => maySee(job.user, requester)),
    onChange: (listener) => repository.onChange((entry) => listener(jobOf(entry))),
    visible: (job, requester) => maySee(job.user, requester),
    control: (id, requester, operation) => control(context, id, requester, operation),
    output: (id, requester, signal) => output(context, id, requester, signal),
    usage: () => {
      throw new JobError('invalid-request', 'resource use is not known');
    },
    network: createNetwork(context),
    clusterInfo: (requester) => dependencies.policy.clusterInfo(requester),
    run: async (signal) => {
      const stopWriting = writeResults(context);
      try {
        await Promise.all([
          ...[jobs, pods, services, events].map((reflector) => reflector.run(signal)),
          synced(signal).catch((error: unknown) => log.debug('Ended before the first list', { error })),
        ]);
      } finally {
        stopWriting();
        life.abort(signal.reason);
      }
    },
  };
}

/** Asks until it was answered once. */
function once<T>(ask: () => Promise<T>): () => Promise<T> {
  let answer: Promise<T> | undefined;
  return () => {
    answer ??= ask().catch((error: unknown) => {
      answer = undefined;
      throw error;
    });
    return answer;
  };
}
