/**
 * Submit: policy, manifest, and the objects in the order Job, Service, Secret (docs/kubernetes-objects.md sections 1, 3, 4).
 * It ends within 30 s; objects of a failed submit are deleted again, and the job is hidden until then (docs/architecture.md
 * section 4). Needs create, get and delete on jobs, create on services.
 */
import type { Job as KubernetesJob } from 'kubernetes-types/batch/v1.d.ts';
import type { Service } from 'kubernetes-types/core/v1.d.ts';
import { JOBS, SERVICES } from '../../kubernetes/contract.ts';
import { Backoff } from '../../kubernetes/http/backoff.ts';
import { isNotFound, isTransient } from '../../kubernetes/kubernetes-error.ts';
import { Deadline } from '../../system/async.ts';
import { sleep } from '../../system/clock.ts';
import { type Random, randomText } from '../../system/random.ts';
import { redactQuoted, secretStrings } from '../../system/redact.ts';
import { runAtOnce, type Sliced } from '../../system/slices.ts';
import type { JobsContext, JobsOptions } from '../context.ts';
import type { Requester } from '../contract.ts';
import type { Job, JobRequest } from '../job.ts';
import { JobError, jobErrorOf } from '../job-error.ts';
import { checkDescription, SUBMISSION_ANNOTATION } from '../objects/annotations.ts';
import { newJobName } from '../objects/names.ts';
import type { ResolvedJob } from '../objects/resolved.ts';
import { needsService, withOwnerReference } from '../objects/service.ts';
import type { TemplateContext } from '../objects/template-objects.ts';
import { buildJob, buildServiceOf } from '../objects/to-job.ts';
import { withOwner } from '../policy/policy.ts';
import { type JobId, jobId, projectJob, projectService } from '../view/projection.ts';
import { jobOf } from '../view/record.ts';
import { checkInput, type Inputs } from './input.ts';

/** Deadline of a submit. */
const SUBMIT_MS = 30_000;
/** Reserved for the response. */
const ANSWER_MS = 2_000;
/** A create without a response may still reach the server this much later. */
const LATE_ARRIVAL_MS = 60_000;
const UNDO_BACKOFF = { first: 1_000, longest: 30_000 };

export async function submit(
  context: JobsContext,
  inputs: Inputs,
  request: JobRequest,
  requester: Requester,
  timeoutMs = SUBMIT_MS,
): Promise<Job> {
  const owned = withOwner(request, requester);
  checkFeatures(context, owned);
  checkDescription(owned);
  const deadline = new Deadline(context.clock, context.signal);
  deadline.set(
    Math.max(0, timeoutMs - ANSWER_MS),
    () => new JobError('timeout', 'The job was not created in time; its objects are being deleted.'),
  );
  try {
    const resolved = await context.policy.resolve(owned, requester);
    deadline.signal.throwIfAborted();
    return await create(context, inputs, resolved, deadline.signal);
  } finally {
    deadline.end();
  }
}

/** Creates the Job, its Service and its Secret before the signal is aborted, or deletes them. */
async function create(context: JobsContext, inputs: Inputs, resolved: ResolvedJob, signal: AbortSignal): Promise<Job> {
  const { client, repository, random, options } = context;
  const job = newJob(resolved, options(), random, context.templates?.(resolved.request.user));
  const { id } = job;
  repository.hide(id);
  let isSent = false;
  let created: KubernetesJob | undefined;
  let manifest: KubernetesJob | undefined;
  const forLog = (text: string): string => redactQuoted(text, unloggable(resolved.request, manifest));
  try {
    const minor = await context.minor();
    manifest = await job.manifest(minor, signal);
    const service = needsService(resolved.request)
      ? await job.service(minor, options().serviceType, signal)
      : undefined;
    signal.throwIfAborted();
    isSent = true;
    const answer = await client.create(JOBS, manifest, { signal, isOurs: job.isOurs });
    created = answer.object;
    const owner = { name: id, uid: created.metadata?.uid ?? '' };
    if (service !== undefined) await createService(context, withOwnerReference(service, owner), signal);
    if (resolved.request.stdin !== '') await inputs.put(owner, resolved.request.stdin, signal);
    signal.throwIfAborted();
    context.submitted.add(id);
    context.jobs.offer(projectJob(created));
    const warnings = answer.warnings.join('; ');
    if (warnings !== '') {
      context.log.warning('Kubernetes accepted a job with warnings; it may ignore the fields that they name', {
        job: id,
        warnings: forLog(warnings),
      });
      repository.setCreateWarning(id, warnings);
    }
    repository.reveal(id);
    const record = repository.get(id);
    if (record === undefined) throw new JobError('unknown', `Job ${id} was deleted while it was being submitted.`);
    return jobOf(record);
  } catch (error) {
    const mayExist = isSent && (created !== undefined || signal.aborted || isTransient(error));
    if (mayExist) void undo(context, job);
    else repository.reveal(id);
    throw jobErrorOf(signal.aborted ? signal.reason : redacted(error, forLog), 'Cannot create the job', forLog);
  }
}

/** An error of a template, with what it quotes of the job redacted. */
function redacted(error: unknown, forLog: (text: string) => string): unknown {
  if (!(error instanceof JobError) || error.logged === error.message) return error;
  return new JobError(error.code, error.message, { cause: error, logged: forLog(error.logged) });
}

/** Values of a job that must not be logged, from the request and from overrides. */
function unloggable(
  { config, metadata, stdin, environment, initContainers }: JobRequest,
  manifest: KubernetesJob | undefined,
): Iterable<string> {
  const others = config.filter(({ name }) => name !== 'serviceAccountName');
  const values = [environment, ...initContainers.map((init) => init.environment)].flat().map(({ value }) => value);
  const data = [metadata, stdin, Buffer.from(stdin, 'utf8').toString('base64'), values];
  return secretStrings({ manifest, config: others, data });
}

/** Refuses a job that needs a missing permission before any object is created. */
function checkFeatures({ permissions }: JobsContext, request: JobRequest): void {
  checkInput(request.stdin);
  if (request.stdin !== '' && !permissions.allows('input'))
    throw new JobError('unknown', 'The job has input (stdin), but the plugin lacks the permission create pods/attach.');
  if (needsService(request) && !permissions.allows('services'))
    throw new JobError('unknown', 'The job exposes ports, but the plugin lacks the permission create services.');
}

/** Deletes the objects of a failed submit, also if the create arrives late. */
async function undo(context: JobsContext, job: NewJob): Promise<void> {
  const { clock, log, random, signal } = context;
  const backoff = new Backoff(clock, random, UNDO_BACKOFF);
  const giveUpAt = clock.monotonic() + LATE_ARRIVAL_MS;
  while (!signal.aborted) {
    let failure: unknown;
    let isOver = false;
    try {
      await context.undoAttempt(async () => {
        const { outcome } = await deleteSubmitted(context, job);
        isOver = outcome === 'done' || clock.monotonic() >= giveUpAt;
        if (isOver && outcome === 'absent') context.repository.reveal(job.id);
      });
      if (isOver) return;
    } catch (error) {
      failure = error;
      if (!signal.aborted)
        log.warning(
          'Cannot delete the objects of a failed submit yet; retrying until they are deleted or the plugin exits',
          { job: job.id, error },
        );
    }
    await sleep(clock, backoff.next(failure), signal).catch(() => {});
  }
}

/** `absent`: there is no such Job, or not yet. */
async function deleteSubmitted(
  { client, repository, signal }: JobsContext,
  { id, isOurs }: NewJob,
): Promise<{ readonly outcome: 'done' | 'absent' }> {
  signal.throwIfAborted();
  const found = await client.get(JOBS, id, { signal }).catch((error: unknown) => {
    if (isNotFound(error)) return undefined;
    throw error;
  });
  if (found === undefined) return { outcome: 'absent' };
  const uid = isOurs(found.object) ? found.object.metadata?.uid : undefined;
  // The repository hides the job until the watch delivers its deletion.
  if (uid !== undefined) await client.delete(JOBS, id, { propagationPolicy: 'Background', uid, signal });
  else repository.reveal(id);
  return { outcome: 'done' };
}

const SUBMISSION_ID_LENGTH = 20;

interface NewJob {
  readonly id: JobId;
  /** For a server of this minor version. Rejects with JobError 'invalid-request'. */
  readonly manifest: (minor: number, signal?: AbortSignal) => Promise<KubernetesJob>;
  /** Its Service without an owner; undefined: a template renders none. Rejects with JobError 'invalid-request'. */
  readonly service: (minor: number, type: string, signal?: AbortSignal) => Promise<Service | undefined>;
  /** Is it the Job of this submission, not a Job of another client with the same name? */
  readonly isOurs: (stored: KubernetesJob) => boolean;
}

export function newJob(
  resolved: ResolvedJob,
  { jobExpiryHours, shareProcessNamespace }: Pick<JobsOptions, 'jobExpiryHours' | 'shareProcessNamespace'>,
  random: Random,
  templates?: TemplateContext,
): NewJob {
  const id = jobId(newJobName(resolved.request.name, random));
  const submissionId = randomText(random, SUBMISSION_ID_LENGTH);
  const context = { id, submissionId, jobExpiryHours, shareProcessNamespace, templates };
  const built = async <T>(work: Sliced<T>, signal?: AbortSignal): Promise<T> =>
    templates === undefined ? runAtOnce(work) : await templates.slices.run(work, signal);
  return {
    id,
    manifest: (minor, signal) => built(buildJob(resolved, { ...context, minor }), signal),
    service: (minor, type, signal) => built(buildServiceOf(resolved, { ...context, minor }, type), signal),
    isOurs: ({ metadata }) => metadata?.annotations?.[SUBMISSION_ANNOTATION] === submissionId,
  };
}

/** Makes the Service; one that is there already and belongs to the Job is as good. */
export async function createService(
  { client, services }: Pick<JobsContext, 'client' | 'services'>,
  service: Service,
  signal: AbortSignal,
): Promise<void> {
  const uid = service.metadata?.ownerReferences?.[0]?.uid;
  const { object } = await client.create(SERVICES, service, {
    signal,
    isOurs: (stored) => stored.metadata?.ownerReferences?.some((owner) => owner.uid === uid) === true,
  });
  services.offer(projectService(object));
}
