/**
 * Composition of jobs/: the reflectors, the repository, the operations and the reconciler. `run` follows the cluster until its
 * signal is aborted.
 */
import { type Client, EVENTS, JOBS, PODS, type Projected, type Reflector, SERVICES } from '../kubernetes/contract.ts';
import { scopedClient } from '../kubernetes/decorate-client.ts';
import { atMost, nextTurn, untilAborted, within } from '../system/async.ts';
import type { Clock } from '../system/clock.ts';
import { errorMessage } from '../system/errors.ts';
import type { Log } from '../system/log.ts';
import type { Random } from '../system/random.ts';
import type { JobsContext, JobsOptions } from './context.ts';
import type { Jobs } from './contract.ts';
import type { Job } from './job.ts';
import { JobError } from './job-error.ts';
import { JOB_NAME_LABEL, OURS } from './objects/annotations.ts';
import type { TemplateContext } from './objects/template-objects.ts';
import { control } from './operations/control.ts';
import { Inputs } from './operations/input.ts';
import { createNetwork } from './operations/network.ts';
import { output } from './operations/output.ts';
import { submit } from './operations/submit.ts';
import { createUsage } from './operations/usage.ts';
import { createPermissions, type Feature } from './permissions.ts';
import { maySee, type Policy } from './policy/policy.ts';
import { type Rule, runReconciler } from './upkeep/reconciler.ts';
import { confirmFinalState, createRules } from './upkeep/rules.ts';
import { projectKnownPod } from './view/known-pod.ts';
import { projectJob, projectJobEvent, projectOurPod, projectService } from './view/projection.ts';
import { type JobRecord, jobOf } from './view/record.ts';
import { Repository } from './view/repository.ts';

interface JobsDependencies {
  readonly client: Client;
  readonly policy: Policy;
  /** The launcher templates for one job of a user; undefined: `use-templating` is off. */
  readonly templates?: ((user: string) => TemplateContext) | undefined;
  /** The current values; a reload changes them. */
  readonly options: () => JobsOptions;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Host name / NAME / random text of this process. */
  readonly processId: string;
}

export interface RunningJobs extends Jobs {
  /** Follows the cluster until the signal is aborted; never rejects. Called once. */
  readonly run: (signal: AbortSignal) => Promise<void>;
  /** Resolves when other requests may be sent: after the first lists, which Bootstrap waits for, but soon in any case. Never rejects. */
  readonly mayCall: (signal: AbortSignal) => Promise<void>;
  /** The same as `run`, but changes nothing by itself: for commands beside a running plugin. Called instead of `run`. */
  readonly observe: (signal: AbortSignal) => Promise<void>;
}

/** Reasons of events that do not explain the state of a job (docs/kubernetes-objects.md section 7). */
const IGNORED_EVENTS = ['Scheduled', 'Pulled', 'Created', 'Started', 'SuccessfulCreate', 'Completed'];

/** Other requests wait so long for the first lists. */
const LISTS_FIRST_MS = 1_000;

/** Turns of the event loop until the answer to Bootstrap is written, after the first lists. */
const ANSWER_TURNS = 4;

/** Connections for calls are few, and submits of users need them, too. */
const MAX_UNDO_ATTEMPTS = 4;

export function createJobs(dependencies: JobsDependencies): RunningJobs {
  const { clock, log } = dependencies;
  const life = new AbortController();
  const client = scopedClient(dependencies.client, life.signal);
  const repository = new Repository();
  const ours = { labelSelector: OURS };
  const context: JobsContext = {
    ...dependencies,
    client,
    repository,
    jobs: client.reflector({ resource: JOBS, selection: ours, project: projectJob, onEvent: repository.applyJob }),
    // Pods of adopted jobs have no label of ours; the Job controller labels all of its pods.
    pods: client.reflector({
      resource: PODS,
      selection: { labelSelector: JOB_NAME_LABEL },
      project: (pod) => projectOurPod(pod, (uid) => repository.has(uid)),
      projectKnown: (event, known) => {
        const pod = projectKnownPod(event, known);
        // Of a pod of another Job the label decides.
        return pod !== undefined && repository.has(pod.jobUid) ? pod : undefined;
      },
      onEvent: repository.applyPod,
    }),
    services: client.reflector({
      resource: SERVICES,
      selection: ours,
      project: projectService,
      onEvent: repository.applyService,
    }),
    events: client.reflector({
      resource: EVENTS,
      selection: { fieldSelector: IGNORED_EVENTS.map((reason) => `reason!=${reason}`).join(',') },
      project: (event) => {
        const view = projectJobEvent(event);
        if (view === undefined || repository.hasSubject(view.subject)) return view;
        repository.keepEarlyEvent(view);
        return undefined;
      },
      onEvent: repository.applyEvent,
      isListOptional: true,
    }),
    permissions: createPermissions(client, clock, log),
    signal: life.signal,
    minor: once(async () => (await client.version()).minor),
    submitted: new Set(),
    undoAttempt: atMost(MAX_UNDO_ATTEMPTS, (attempt) => attempt()),
  };
  const { jobs, pods, services, events, permissions } = context;
  repository.onUpdate(({ id, deleted }) => {
    if (deleted) context.submitted.delete(id);
  });
  const inputs = new Inputs(context);

  /** A job that cannot be shown must not hide the others from a list. */
  function shown(record: JobRecord): readonly Job[] {
    try {
      return [jobOf(record)];
    } catch (error) {
      log.error('BUG: a job cannot be shown; it is left out of the list', { job: record.id, error });
      return [];
    }
  }

  async function synced(signal: AbortSignal): Promise<void> {
    try {
      await Promise.all([jobs.synced(signal), pods.synced(signal)]);
    } catch (error) {
      const last = jobs.state().lastError ?? pods.state().lastError ?? error;
      const message = `The jobs in Kubernetes have not been listed yet: ${errorMessage(last)}`;
      throw new JobError('unknown', message, { cause: last });
    }
    repository.open();
  }

  async function mayCall(signal: AbortSignal): Promise<void> {
    const listed = async (until: AbortSignal): Promise<void> => {
      await jobs.tried(until);
      if (jobs.state().lastError === undefined) await pods.tried(until);
    };
    await within(clock, LISTS_FIRST_MS, listed, signal).catch(() => {});
    for (let turn = 0; turn < ANSWER_TURNS; turn++) await nextTurn();
  }

  /** Starts after the first list of jobs: which pods are kept depends on it. */
  async function runPods(signal: AbortSignal): Promise<void> {
    await jobs.synced(signal).catch(() => {});
    if (!signal.aborted) await pods.run(signal);
  }

  /** Starts after the first lists of jobs and pods: which events are kept depends on them. */
  async function runEvents(signal: AbortSignal): Promise<void> {
    await Promise.all([jobs.synced(signal), pods.synced(signal)]).catch(() => {});
    await runWhileAllowed(events, 'events', signal);
  }

  /** Starts as soon as jobs and pods were listed. */
  async function reconcile(rules: readonly Rule[], signal: AbortSignal): Promise<void> {
    try {
      await synced(signal);
    } catch (error) {
      log.debug('Ended before the first list of jobs', { error });
      return;
    }
    await runReconciler(context, rules, signal);
  }

  async function runWhileAllowed<P extends Projected>(
    reflector: Reflector<P>,
    feature: Feature,
    signal: AbortSignal,
  ): Promise<void> {
    await Promise.race([permissions.reviewed, untilAborted(signal)]);
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

  async function follow(rules: readonly Rule[], signal: AbortSignal): Promise<void> {
    try {
      await Promise.all([
        jobs.run(signal),
        runPods(signal),
        runWhileAllowed(services, 'services', signal),
        runEvents(signal),
        mayCall(signal).then(() => permissions.run(signal)),
        reconcile(rules, signal),
      ]);
    } finally {
      life.abort(signal.reason);
    }
  }

  return {
    synced,
    submit: (request, requester, timeoutMs) => submit(context, inputs, request, requester, timeoutMs),
    find: (id, requester) => jobOf(repository.find(id, requester)),
    list: (requester) => [...repository.recordsOf(requester)].flatMap(shown),
    onChange: (listener) => repository.onChange((record) => listener(jobOf(record))),
    visible: (job, requester) => maySee(job.user, requester),
    control: (id, requester, operation, recordedUser) => control(context, id, requester, operation, recordedUser),
    output: (id, requester, signal) => output(context, id, requester, signal),
    usage: createUsage(context),
    network: createNetwork(context),
    clusterInfo: (requester) => dependencies.policy.clusterInfo(requester),
    mayCall,
    run: (signal) => follow(createRules(context, inputs), signal),
    observe: (signal) => follow([confirmFinalState(context)], signal),
  };
}

/** Caches the first result; a failed attempt is repeated by the next call. */
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
