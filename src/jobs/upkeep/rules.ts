/** Reconcile rules that are a condition and one action; the rules with a state of their own are in result.ts and expiry.ts. */

import type { Job as KubernetesJob } from 'kubernetes-types/batch/v1.d.ts';
import type { Service } from 'kubernetes-types/core/v1.d.ts';
import { JOBS, PODS, SERVICES } from '../../kubernetes/contract.ts';
import { Places } from '../../system/async.ts';
import { SharedLimit } from '../../system/shares.ts';
import type { JobsContext } from '../context.ts';
import type { JobRequest } from '../job.ts';
import { JobError } from '../job-error.ts';
import { type JobResult, RESULT_ANNOTATION } from '../objects/annotations.ts';
import { buildService, needsService, profileMetadataOf, withOwnerReference } from '../objects/service.ts';
import { buildServiceOf } from '../objects/to-job.ts';
import { confirmEnd, newestJob, readPods } from '../operations/confirm-end.ts';
import { cancel } from '../operations/control.ts';
import type { Inputs } from '../operations/input.ts';
import { patchJob } from '../operations/patch-job.ts';
import { act } from '../operations/stop-kill.ts';
import { createService } from '../operations/submit.ts';
import { podEnded } from '../view/observation.ts';
import { type JobView, projectPod } from '../view/projection.ts';
import { duration } from '../view/reasons.ts';
import { isTerminal, type JobRecord, pendingSince } from '../view/record.ts';
import { expireJobs } from './expiry.ts';
import type { Rule } from './reconciler.ts';
import { recordResult } from './result.ts';

/** All rules, in the order in which they are evaluated. */
export function createRules(context: JobsContext, inputs: Inputs): readonly Rule[] {
  return [
    confirmFinalState(context),
    readMissingPods(context),
    recordResult(context),
    expireJobs(context),
    repeatControl(context),
    endSidecars(context),
    createMissingService(context),
    deleteAdoptedService(context),
    cancelPending(context),
    failPending(context),
    ...inputRules(context, inputs),
    reportMalformedAnnotation(context),
  ];
}

/** Final states that are read at a time: the client's calls are few, and requests of users need them, too. */
const MAX_CONFIRMATION_READS = 16;

/** The only rule that changes nothing in the cluster. */
export function confirmFinalState(context: JobsContext): Rule {
  const places = new Places(MAX_CONFIRMATION_READS);
  return {
    name: 'confirm-final-state',
    failure: "Cannot confirm the job's final state yet",
    prompt: true,
    coversDeleted: true,
    // Waits for other instances are part of an attempt; its reads have a limit of their own.
    concurrency: Number.POSITIVE_INFINITY,
    due: ({ confirmation }) => confirmation === 'needed',
    act: async (record) => {
      context.repository.confirm(record, await confirmEnd(context, record, places));
    },
  };
}

const MISSING_PODS_MS = 2_000;

/** The watch of pods ignores pods of unknown Jobs, and may be ahead of the watch of jobs by the first versions of a pod. */
function readMissingPods(context: JobsContext): Rule {
  return {
    name: 'read-missing-pods',
    failure: 'Cannot read the pods of a job',
    afterMs: () => MISSING_PODS_MS,
    due: (record) => record.job.active && record.pod === undefined && !isTerminal(record),
    act: async ({ job }) => {
      await readPods(context, job, context.signal);
    },
  };
}

/** Longer than a kill takes. */
const REPEAT_MS = 30_000;

/** A process may end between recording a stop or kill and doing it: it is repeated while the container runs. */
function repeatControl(context: JobsContext): Rule {
  return {
    name: 'repeat-control',
    failure: 'Cannot repeat the stop or kill of a job',
    afterMs: () => REPEAT_MS,
    due: ({ job, pod }) =>
      (job.control?.operation === 'stop' || job.control?.operation === 'kill') &&
      pod?.present === true &&
      pod.view.container.running !== undefined &&
      !podEnded(pod.view),
    act: async (record) => {
      const operation = record.job.control?.operation;
      if (operation !== 'stop' && operation !== 'kill') return;
      context.log.info('Repeating the stop or kill of a job', { job: record.id, operation });
      const action = await act(context, record, operation);
      if (action.outcome === 'refused') throw new JobError('unknown', action.message);
    },
  };
}

const SIDECAR_MS = 60_000;

/**
 * An injected container that never ends keeps the pod, and with it the Job, running after the job's container has ended
 * (docs/kubernetes-facts.md 132): the pod gets a deadline of 1 s once the final state is saved. Needs patch on pods.
 */
function endSidecars({ client, pods, log }: JobsContext): Rule {
  return {
    name: 'end-sidecars',
    failure: 'Cannot end the containers that keep the pod of a finished job running',
    afterMs: () => SIDECAR_MS,
    due: ({ job, pod }) =>
      job.result !== undefined &&
      pod?.present === true &&
      pod.view.container.terminated !== undefined &&
      pod.view.phase === 'Running' &&
      pod.view.deletion === undefined &&
      pod.view.deadline !== 1,
    act: async ({ id, pod }) => {
      if (pod === undefined) return;
      log.info('Ending the containers that keep the pod of a finished job running', { job: id, pod: pod.view.name });
      const metadata = { uid: pod.view.uid };
      const { object } = await client.patch(PODS, pod.view.name, { metadata, spec: { activeDeadlineSeconds: 1 } });
      pods.offer(projectPod(object));
    },
  };
}

const MISSING_SERVICE_MS = 60_000;

/** A process may end between creating the Job and its Service. */
function createMissingService(context: JobsContext): Rule {
  const { client, log, permissions, services, signal } = context;
  /** Uids of jobs for which a template renders no Service. */
  const withoutService = new Set<string>();
  return {
    name: 'create-missing-service',
    failure: 'Cannot create the missing Service of a job',
    afterMs: () => MISSING_SERVICE_MS,
    due: (record) =>
      record.service === undefined &&
      needsService(record.job.request) &&
      !withoutService.has(record.uid) &&
      !isTerminal(record) &&
      !record.job.deleting &&
      permissions.allows('services') &&
      services.state().synced,
    act: async ({ job }) => {
      log.info('Creating the missing Service of a job', { job: job.name });
      const { object } = await client.get(JOBS, job.name, { signal });
      const service = await missingService(context, job.request, job.name, object);
      if (service === undefined) withoutService.add(job.uid);
      else await createService(context, withOwnerReference(service, job), signal);
    },
  };
}

/**
 * The Service of an adopted job may have no owner reference: then it is deleted after the Job, which is read before, because a
 * Job that lost its label, or that a list left out, still has its session. Needs delete on services.
 */
function deleteAdoptedService({ client, log, permissions, signal }: JobsContext): Rule {
  /** Last versions of Jobs; one that is labeled again is deleted in another version. */
  const done = new WeakSet<JobView>();
  return {
    name: 'delete-adopted-service',
    failure: 'Cannot delete the Service of a deleted job',
    prompt: true,
    coversDeleted: true,
    due: (record) =>
      record.deleted &&
      record.service?.ownerUid === '' &&
      !done.has(record.job) &&
      permissions.allows('serviceDeletion'),
    act: async (record) => {
      const { id, job, service } = record;
      if (service === undefined) return;
      const { name, uid } = service;
      if ((await newestJob({ client, signal }, job)) !== undefined) {
        done.add(job);
        log.info('Keeping the Service of a job that lost its label: its Job still exists', { job: id, service: name });
        return;
      }
      await client.delete(SERVICES, name, { propagationPolicy: 'Background', uid });
      done.add(job);
      log.info('Deleted the Service of a deleted job', { job: id, service: name });
    },
  };
}

/** The Service of a stored Job; by the template if there is one. Rejects with JobError if the template cannot make it. */
async function missingService(
  { policy, minor, options, templates }: JobsContext,
  request: JobRequest,
  name: string,
  stored: KubernetesJob,
): Promise<Service | undefined> {
  const { serviceType, jobExpiryHours, shareProcessNamespace } = options();
  const current = templates?.(request.user);
  if (current?.set.has('service.tpl') !== true)
    return buildService({ request, ...profileMetadataOf(stored) }, name, serviceType);
  const resolved = await policy.resolve({ ...request, environment: [] }, '*');
  const context = { id: name, submissionId: '', jobExpiryHours, shareProcessNamespace, templates: current };
  return await current.slices.run(buildServiceOf(resolved, { ...context, minor: await minor() }, serviceType));
}

/** Field `user` of the control annotation. */
const CANCELED_BY = 'launcher';

/** Option `pending-timeout-seconds`: cancels jobs that are Pending for too long; the reason becomes the job's message. */
function cancelPending(context: JobsContext): Rule {
  const { client, log, options } = context;
  return {
    name: 'cancel-pending',
    failure: 'Cannot cancel a job that has been Pending for longer than pending-timeout-seconds',
    due: (record) => {
      const { job, outcome } = record;
      const seconds = options().pendingTimeoutSeconds;
      const now = client.serverTime();
      const since = pendingSince(record);
      if (seconds === 0 || now === undefined || since === undefined || outcome.state !== 'Pending') return false;
      // A job with a decision is about to get its final state.
      const isOpen = job.control === undefined && job.decision === undefined && !job.deleting;
      return isOpen && now - since >= seconds * 1000;
    },
    act: async (record) => {
      const limit = `pending for more than ${duration(options().pendingTimeoutSeconds)}`;
      const { message } = record.outcome;
      log.info('Canceling a job that has been Pending for longer than pending-timeout-seconds', { job: record.id });
      await cancel(context, record, CANCELED_BY, message === '' ? limit : `${limit}: ${message}`);
    },
  };
}

/** Waiting reason of the first container of the pod that has one. */
function waitingReasonOf({ outcome, pod }: JobRecord): string | undefined {
  if (outcome.state !== 'Pending' || pod?.present !== true) return undefined;
  const { init, container } = pod.view;
  return [...init, container].find(({ waiting }) => waiting !== undefined)?.waiting?.reason;
}

/** Profile key `fail-pending-reasons`: the job fails at once, and its pod is deleted as by a cancel. */
function failPending(context: JobsContext): Rule {
  const { client, clock, log, policy, processId } = context;
  /** The reason that was compared with the profile of the job's user. */
  const checked = new WeakMap<JobRecord, string>();
  return {
    name: 'fail-pending',
    failure: 'Cannot fail a job with a reason of fail-pending-reasons',
    prompt: true,
    due: (record) => {
      const reason = waitingReasonOf(record);
      if (reason === undefined || reason === 'ContainerCreating' || reason === 'PodInitializing') return false;
      return record.job.control === undefined && !record.job.deleting && checked.get(record) !== reason;
    },
    act: async (record) => {
      const reason = waitingReasonOf(record);
      const { user } = record.job.request;
      if (reason === undefined) return;
      if (user !== '' && (await policy.failPendingReasons(user)).includes(reason)) {
        const now = new Date(client.serverTime() ?? clock.now()).toISOString();
        const result: JobResult = {
          state: 'Failed',
          statusCode: reason,
          message: record.outcome.message,
          endedAt: now,
          cause: 'pending-reason',
          recordedBy: processId,
          recordedAt: now,
        };
        const patched = await patchJob(context, record.job, (newest) =>
          newest.result === undefined && newest.control === undefined && !newest.finished
            ? {
                annotations: { [RESULT_ANNOTATION]: JSON.stringify(result) },
                spec: { suspend: true, parallelism: 0 },
              }
            : undefined,
        );
        if (patched !== undefined)
          log.info('Failed a Pending job with a reason of fail-pending-reasons', { job: record.id, reason });
      }
      checked.set(record, reason);
    },
  };
}

/**
 * A job may take hours to read its input, and up to 1 MiB is kept for it. With the reserve (shares.ts) they are 60, fewer than
 * the client's connections, because each begins with two calls.
 */
const MAX_DELIVERIES = 48;
/** The instance that submitted the job goes first. */
const OTHERS_DELIVERY_WAIT_MS = 30_000;
/** Most claims have led to a delivery after this time. Where the job reads slowly, the claim is checked again as often. */
const CLAIM_MS = 10 * 60_000;
/** Enough for a delivery, or a late Secret, of another instance to be complete. */
const LEFTOVER_MS = 10_000;

function inputRules({ log, submitted }: JobsContext, inputs: Inputs): readonly Rule[] {
  return [
    {
      name: 'deliver-input',
      failure: 'Cannot deliver the input (stdin) of a job, or cannot delete its Secret',
      prompt: true,
      shares: new SharedLimit(MAX_DELIVERIES, 'deliveries of input', 'wait'),
      afterMs: ({ id }) => (submitted.has(id) ? 0 : OTHERS_DELIVERY_WAIT_MS),
      due: inputs.isDeliverable,
      act: inputs.deliver,
    },
    {
      name: 'check-input-claim',
      failure: 'Cannot check stdin claimed by another plugin process',
      afterMs: (record) => (inputs.isClaimedByEarlierProcess(record) ? 0 : CLAIM_MS),
      due: inputs.isClaimOpen,
      act: async (record) => {
        log.info('Checking stdin claimed by another plugin process', { job: record.id, claim: record.job.stdinClaim });
        await inputs.checkClaim(record);
      },
    },
    {
      name: 'report-misdelivered-input',
      failure: 'Cannot report that the input of a job was delivered to an earlier pod',
      prompt: true,
      // The process that has claimed the input may still deliver it to the new pod.
      afterMs: ({ id }) => (submitted.has(id) ? 0 : OTHERS_DELIVERY_WAIT_MS),
      due: inputs.isMisdelivered,
      act: inputs.reportMisdelivery,
    },
    {
      name: 'delete-input-secret',
      failure: 'Cannot delete the stdin Secret of a finished job',
      afterMs: () => LEFTOVER_MS,
      due: inputs.isLeftOver,
      act: async (record) => {
        log.info('Deleting the stdin Secret of a finished job', { job: record.id });
        await inputs.deleteSecret(record);
      },
    },
  ];
}

function reportMalformedAnnotation({ log }: JobsContext): Rule {
  const reported = new WeakSet<JobRecord>();
  return {
    name: 'report-malformed-annotation',
    failure: 'Cannot report malformed fields of a job',
    prompt: true,
    due: (record) => record.job.malformedRecord !== undefined && !reported.has(record),
    act: async (record) => {
      reported.add(record);
      log.warning('Ignoring malformed fields in annotation job-launcher/job', {
        job: record.id,
        fields: record.job.malformedRecord,
      });
    },
  };
}
