/**
 * A submit: policy, manifest, and the objects in the order Job, Service, Secret (kubernetes-objects.md sections 1, 3, 4).
 * It is answered within 30 s. What it leaves half made is deleted again; until it is known what became of it, no request
 * finds the job (architecture.md section 4). Needs create, get and delete on jobs.
 */
import type { Job as KubernetesJob } from 'kubernetes-types/batch/v1.d.ts';
import { JOBS } from '../../kubernetes/contract.ts';
import { isNotFound, isTransient } from '../../kubernetes/kubernetes-error.ts';
import { Deadline } from '../../system/async.ts';
import { redactQuoted, secretStrings } from '../../system/redact.ts';
import type { Context } from '../context.ts';
import type { Requester } from '../contract.ts';
import { persist } from '../failures.ts';
import type { Job, JobRequest } from '../job.ts';
import { JobError, jobErrorOf } from '../job-error.ts';
import type { ResolvedJob } from '../objects/resolved.ts';
import { buildService, createService, needsService } from '../objects/service.ts';
import { withOwner } from '../policy/policy.ts';
import { projectJob } from '../view/projection.ts';
import { jobOf } from '../view/record.ts';
import { checkInput, type Inputs } from './input.ts';
import { type NewJob, newJob } from './new-job.ts';

/** All of a submit. */
const SUBMIT_MS = 30_000;
/** Kept for the answer itself. */
const ANSWER_MS = 2_000;
/** A create whose answer was lost may still arrive at the server this much later. */
const LATE_ARRIVAL_MS = 60_000;

export async function submit(
  context: Context,
  inputs: Inputs,
  request: JobRequest,
  requester: Requester,
  timeoutMs = SUBMIT_MS,
): Promise<Job> {
  const owned = withOwner(request, requester);
  checkFeatures(context, owned);
  const deadline = new Deadline(context.clock, context.signal);
  deadline.set(
    Math.max(0, timeoutMs - ANSWER_MS),
    () => new JobError('timeout', 'The job was not made in time; what there is of it is deleted.'),
  );
  try {
    const resolved = await context.policy.resolve(owned, requester);
    deadline.signal.throwIfAborted();
    return await make(context, inputs, resolved, deadline.signal);
  } finally {
    deadline.end();
  }
}

/** Makes the job and what belongs to it before the signal ends, or undoes it. */
async function make(context: Context, inputs: Inputs, resolved: ResolvedJob, signal: AbortSignal): Promise<Job> {
  const { client, repository, random, options } = context;
  const job = newJob(resolved, options(), random);
  const { id } = job;
  repository.hide(id);
  let created: KubernetesJob | undefined;
  let manifest: KubernetesJob | undefined;
  const forLog = (text: string): string => redactQuoted(text, unloggable(resolved.request, manifest));
  try {
    manifest = job.manifest(await context.minor());
    const answer = await client.create(JOBS, manifest, { signal, isOurs: job.isOurs });
    created = answer.object;
    const owner = { name: id, uid: created.metadata?.uid ?? '' };
    if (needsService(resolved.request))
      await createService(context, buildService(resolved, owner, options().serviceType), signal);
    if (resolved.request.stdin !== '') await inputs.put(owner, resolved.request.stdin, signal);
    signal.throwIfAborted();
    context.submitted.add(id);
    context.jobs.offer(projectJob(created));
    if (answer.warnings.length > 0) {
      context.log.warning('Kubernetes warned of a new job', { job: id, warnings: answer.warnings.map(forLog) });
      repository.warn(id, answer.warnings.join('; '));
    }
    repository.reveal(id);
    const entry = repository.get(id);
    if (entry === undefined) throw new JobError('unknown', `Job ${id} was deleted while it was being submitted.`);
    return jobOf(entry);
  } catch (error) {
    const unclear = created !== undefined || signal.aborted || isTransient(error);
    if (unclear) void undo(context, job);
    else repository.reveal(id);
    throw jobErrorOf(signal.aborted ? signal.reason : error, 'The job could not be made', forLog);
  }
}

/** What of a job no log may hold, be it the user's or an override's. */
function unloggable({ config, metadata, stdin }: JobRequest, manifest: KubernetesJob | undefined): Iterable<string> {
  const others = config.filter(({ name }) => name !== 'serviceAccountName');
  const data = [metadata, stdin, Buffer.from(stdin, 'utf8').toString('base64')];
  return secretStrings({ manifest, config: others, data });
}

/** What could never work is refused before anything is made. */
function checkFeatures({ permissions }: Context, request: JobRequest): void {
  checkInput(request.stdin);
  if (request.stdin !== '' && !permissions.allows('input'))
    throw new JobError('unknown', 'The job has input (stdin), but the plugin may not attach to pods.');
  if (needsService(request) && !permissions.allows('services'))
    throw new JobError('unknown', 'The job exposes ports, but the plugin may not make Services.');
}

/** Deletes what a failed submit made, however long it takes to know whether it made anything. */
async function undo(context: Context, { id, isOurs }: NewJob): Promise<void> {
  const { client, clock, repository, log, signal } = context;
  const giveUpAt = clock.monotonic() + LATE_ARRIVAL_MS;
  const onFailure = (error: unknown): void =>
    log.warning('What a failed submit may have made cannot be deleted yet; trying again', { job: id, error });
  try {
    await persist(clock, signal, onFailure, async () => {
      const uid = await client.get(JOBS, id, { signal }).then(
        ({ object }) => (isOurs(object) ? object.metadata?.uid : undefined),
        (error: unknown) => {
          if (isNotFound(error)) return 'none' as const;
          throw error;
        },
      );
      if (uid === 'none' && clock.monotonic() < giveUpAt) return 'again';
      // The repository hides it until the watch says that it is gone.
      if (uid !== 'none' && uid !== undefined)
        await client.delete(JOBS, id, { propagationPolicy: 'Background', uid, signal });
      else repository.reveal(id);
      return undefined;
    });
  } catch (error) {
    if (!signal.aborted) log.error('What a failed submit made could not be deleted', { job: id, error });
  }
}
