/**
 * Confirms a final state that something unknown could still explain: reads the Job and its pods once before it is announced,
 * because jobs and pods come by two watches that are not ordered with each other (docs/kubernetes-objects.md section 2).
 */
import { JOBS, PODS } from '../../kubernetes/contract.ts';
import { isNotFound } from '../../kubernetes/kubernetes-error.ts';
import { within } from '../../system/async.ts';
import { sleep } from '../../system/clock.ts';
import type { JobsContext } from '../context.ts';
import { JOB_NAME_LABEL } from '../objects/annotations.ts';
import { type JobView, projectJob, projectPod } from '../view/projection.ts';
import type { JobRecord } from '../view/record.ts';

/** How long the watch of pods may take to catch up with a list. */
const CATCH_UP_MS = 10_000;
/** Instances that did not submit a job wait this long before they record its result. */
export const OTHERS_WAIT_MS = 10_000;
/** After this time an instance that observed the end has recorded it, even if it did not submit the job. */
const OBSERVERS_WAIT_MS = OTHERS_WAIT_MS + 5_000;
/** No instance records an end that is older: after a restart, the final states of old jobs are announced at once. */
const OLD_MS = 60_000;

type ReadContext = Pick<JobsContext, 'client' | 'jobs' | 'pods' | 'clock' | 'log' | 'signal'>;

/**
 * Takes in the newest Job and pods. If another instance may know how the job ended, waits until it has recorded that, and
 * reads the Job once more. `exists` is false if the Job was deleted.
 */
export async function confirmEnd(context: ReadContext, record: JobRecord): Promise<{ readonly exists: boolean }> {
  if (!(await readJobAndPods(context, record.job))) return { exists: false };
  if (!isObservedElsewhere(context, record)) return { exists: true };
  await sleep(context.clock, OBSERVERS_WAIT_MS, context.signal);
  return { exists: await readJob(context, record.job) };
}

/** Did the job end a moment ago, without a final version of its pod that this process observed? */
function isObservedElsewhere({ client }: Pick<ReadContext, 'client'>, { job, pod }: JobRecord): boolean {
  if ((pod !== undefined && pod.isEndUnknown !== true) || job.decision === undefined || job.result !== undefined)
    return false;
  const now = client.serverTime();
  return now === undefined || now - job.decision.at < OLD_MS;
}

type Identity = Pick<JobView, 'name' | 'uid'>;

async function readJobAndPods(context: ReadContext, job: Identity): Promise<boolean> {
  const { pods, clock, signal, log } = context;
  const exists = await readJob(context, job);
  const version = await readPods(context, job, signal);
  const reached = await within(
    clock,
    CATCH_UP_MS,
    async (deadline) => {
      await pods.reached(version, deadline);
      return true;
    },
    signal,
  );
  if (reached === undefined) log.debug('Pod watch is behind; evaluating the job anyway', { job: job.name });
  return exists;
}

/** Takes in the newest Job; false if it was deleted. */
async function readJob({ client, jobs, signal }: ReadContext, job: Identity): Promise<boolean> {
  const found = await client.get(JOBS, job.name, { signal }).then(
    ({ object }) => projectJob(object),
    (error: unknown) => {
      if (isNotFound(error)) return undefined;
      throw error;
    },
  );
  if (found?.uid !== job.uid) return false;
  jobs.offer(found);
  return true;
}

/** Takes in the newest pods of a job, without waiting for their watch; returns the resource version of the list. */
export async function readPods(
  { client, pods }: Pick<JobsContext, 'client' | 'pods'>,
  { name, uid }: Identity,
  signal: AbortSignal,
): Promise<string> {
  const list = await client.list(PODS, { labelSelector: `${JOB_NAME_LABEL}=${name}` }, { signal });
  for (const pod of list.items) {
    const view = projectPod(pod);
    if (view.jobUid === uid) pods.offer(view, { isListed: true });
  }
  return list.resourceVersion;
}
