/**
 * All of jobs/ put together: what the Launcher's side is given. Owns the reflectors and everything that goes on in the
 * background; `run` ends when its signal does.
 */
import { type Client, EVENTS, JOBS, PODS, type Projected, type Reflector, SERVICES } from '../kubernetes/contract.ts';
import { scopedClient } from '../kubernetes/decorate-client.ts';
import { untilAborted } from '../system/async.ts';
import type { Clock } from '../system/clock.ts';
import type { Log } from '../system/log.ts';
import type { Random } from '../system/random.ts';
import type { Context, JobsOptions } from './context.ts';
import type { Jobs } from './contract.ts';
import type { Job } from './job.ts';
import { JobError } from './job-error.ts';
import { OURS } from './objects/annotations.ts';
import { makeMissingServices } from './objects/service.ts';
import { readJobAgain } from './operations/confirm-end.ts';
import { control, redoControl } from './operations/control.ts';
import { createInputs } from './operations/input.ts';
import { createNetwork } from './operations/network.ts';
import { output } from './operations/output.ts';
import { submit } from './operations/submit.ts';
import { createUsage } from './operations/usage.ts';
import { createPermissions, type Feature } from './permissions.ts';
import { maySee, type Policy } from './policy/policy.ts';
import { expireJobs } from './upkeep/expiry.ts';
import { cancelLatePending } from './upkeep/pending-timeout.ts';
import { runChores } from './upkeep/reconciler.ts';
import { writeResults } from './upkeep/result.ts';
import { endSidecars } from './upkeep/sidecar.ts';
import { projectEvent, projectJob, projectPod, projectService } from './view/projection.ts';
import { type JobEntry, jobOf } from './view/record.ts';
import { createRepository } from './view/repository.ts';

interface JobsDependencies {
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
  const { clock, log } = dependencies;
  const life = new AbortController();
  const client = scopedClient(dependencies.client, life.signal);
  const repository = createRepository({ readAgain: (entry) => readJobAgain(context, entry) });
  const ours = { labelSelector: OURS };
  const context: Context = {
    ...dependencies,
    client,
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
    permissions: createPermissions(client, clock, log),
    signal: life.signal,
    minor: once(async () => (await client.version()).minor),
    submitted: new Set(),
  };
  const { jobs, pods, services, events, permissions } = context;
  repository.onUpdate(({ id, gone }) => {
    if (gone) context.submitted.delete(id);
  });
  logMalformedRecords(context);
  const inputs = createInputs(context);
  const chores = [
    redoControl(context),
    endSidecars(context),
    makeMissingServices(context),
    cancelLatePending(context),
    ...inputs.chores,
  ];

  /** One that cannot be shown must not keep the others from being listed. */
  function shown(entry: JobEntry): readonly Job[] {
    try {
      return [jobOf(entry)];
    } catch (error) {
      log.error('BUG: a job cannot be shown and is left out of the list', { job: entry.id, error });
      return [];
    }
  }

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
    submit: (request, requester, timeoutMs) => submit(context, inputs, request, requester, timeoutMs),
    find: (id, requester) => jobOf(repository.find(id, requester)),
    list: (requester) =>
      [...repository.entries()].flatMap((entry) => (maySee(entry.job.request.user, requester) ? shown(entry) : [])),
    onChange: (listener) => repository.onChange((entry) => listener(jobOf(entry))),
    visible: (job, requester) => maySee(job.user, requester),
    control: (id, requester, operation) => control(context, id, requester, operation),
    output: (id, requester, signal) => output(context, id, requester, signal),
    usage: createUsage(context),
    network: createNetwork(context),
    clusterInfo: (requester) => dependencies.policy.clusterInfo(requester),
    run: async (signal) => {
      const stops = [writeResults(context), inputs.start()];
      try {
        await Promise.all([
          jobs.run(signal),
          pods.run(signal),
          runWhileAllowed(services, 'services', signal),
          runWhileAllowed(events, 'events', signal),
          permissions.run(signal),
          goOnWhenSynced(signal),
        ]);
      } finally {
        for (const stop of stops) stop();
        life.abort(signal.reason);
      }
    },
  };

  /** What is done on our own, as soon as it is known what there is. */
  async function goOnWhenSynced(signal: AbortSignal): Promise<void> {
    try {
      await synced(signal);
    } catch (error) {
      log.debug('Ended before the first list', { error });
      return;
    }
    await Promise.all([runChores(context, chores, signal), expireJobs(context, signal)]);
  }

  async function runWhileAllowed<P extends Projected>(
    reflector: Reflector<P>,
    feature: Feature,
    signal: AbortSignal,
  ): Promise<void> {
    await Promise.race([permissions.asked, untilAborted(signal)]);
    while (!signal.aborted) {
      const changed = new AbortController();
      const isAllowed = permissions.allows(feature);
      const stop = permissions.onChange(() => {
        if (permissions.allows(feature) !== isAllowed) changed.abort();
      });
      const either = AbortSignal.any([signal, changed.signal]);
      await (isAllowed ? reflector.run(either) : untilAborted(either));
      stop();
    }
  }
}

/** Logs once for each job which fields of its submission record are malformed. */
function logMalformedRecords({ repository, log }: Pick<Context, 'repository' | 'log'>): void {
  const logged = new Set<string>();
  repository.onUpdate(({ id, uid, gone, job }) => {
    if (gone) logged.delete(uid);
    else if (job.malformedRecord !== undefined && !logged.has(uid)) {
      logged.add(uid);
      log.warning('Ignoring malformed fields in annotation job-launcher/job', {
        job: id,
        fields: job.malformedRecord,
      });
    }
  });
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
