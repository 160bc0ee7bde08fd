/**
 * Confirms a final state that something unknown could still explain: reads the Job, its pods and the events of their start
 * before it is announced, because jobs and pods come by two watches that are not ordered with each other, and a list shows
 * nothing of deleted ones (docs/kubernetes-objects.md section 2).
 */
import { EVENTS, JOBS, PODS } from '../../kubernetes/contract.ts';
import { isForbidden, isNotFound } from '../../kubernetes/kubernetes-error.ts';
import { type Places, waitFor, within } from '../../system/async.ts';
import { sleep } from '../../system/clock.ts';
import type { JobsContext } from '../context.ts';
import { CONTAINER_NAME, JOB_NAME_LABEL } from '../objects/annotations.ts';
import { podEnded } from '../view/observation.ts';
import { type JobView, type PodView, projectJob, projectPod } from '../view/projection.ts';
import type { Confirmed, JobRecord } from '../view/record.ts';

/** How long the watch of pods may take to catch up with a list. */
const CATCH_UP_MS = 10_000;
/** How long the pod of a deleted Job is followed: its container may start before the garbage collector deletes it. */
const LATE_START_MS = 30_000;
/** Instances that did not submit a job wait this long before they record its result. */
export const OTHERS_WAIT_MS = 10_000;
/** After this time an instance that observed the end has recorded it, even if it did not submit the job. */
const OBSERVERS_WAIT_MS = OTHERS_WAIT_MS + 5_000;
/** No instance records an end that is older: after a restart, the final states of old jobs are announced at once. */
const OLD_MS = 60_000;

type ReadContext = Pick<JobsContext, 'client' | 'jobs' | 'pods' | 'clock' | 'log' | 'signal'>;
type ConfirmContext = ReadContext & Pick<JobsContext, 'permissions' | 'repository'>;

/**
 * Takes in the newest Job and pods, and finds out whether the container ran if the final state depends on it. If another
 * instance may know how the job ended, waits until it has recorded that, and reads the Job once more. Reads take one of
 * `places`, which all confirmations share; waits take none.
 */
export async function confirmEnd(context: ConfirmContext, record: JobRecord, places: Places): Promise<Confirmed> {
  const read = <T>(ask: () => Promise<T>): Promise<T> => places.use(ask, context.signal);
  const { exists, resourceVersion } = await read(() => readJobAndPods(context, record.job));
  await untilReached(context, record.job, resourceVersion);
  if (record.deleted) await followLateStart(context, record);
  const { job, pod, deleted } = record;
  const isStartDecisive = !record.ran && (deleted || job.deleting || pod !== undefined);
  const started = isStartDecisive ? await read(() => wasStarted(context, record)) : false;
  const ran = started === true;
  const mayBeRecorded = exists && (isEndedUnobserved(context, record) || (job.deleting && started === undefined));
  if (!mayBeRecorded) return { exists, ran };
  await sleep(context.clock, OBSERVERS_WAIT_MS, context.signal);
  return { exists: await read(() => readJob(context, job)), ran };
}

/** Did the job end a moment ago, without a final version of its pod that this process observed? */
function isEndedUnobserved({ client }: Pick<ReadContext, 'client'>, { job, pod }: JobRecord): boolean {
  if ((pod !== undefined && pod.isEndUnknown !== true) || job.decision === undefined || job.result !== undefined)
    return false;
  const now = client.serverTime();
  return now === undefined || now - job.decision.at < OLD_MS;
}

/** Waits until the pod of a deleted Job has started, has ended or was deleted. */
async function followLateStart({ clock, repository, signal }: ConfirmContext, record: JobRecord): Promise<void> {
  const isDecided = (): boolean => record.ran || record.pod?.present !== true || podEnded(record.pod.view);
  await within(
    clock,
    LATE_START_MS,
    (deadline) =>
      waitFor(
        (check) => repository.onProgressOf(record, check),
        () => isDecided() || undefined,
        deadline,
      ),
    signal,
  );
}

const CREATED_POD = /^Created pod: (\S+)$/;

/**
 * Did the kubelet report the start of the container? Events outlive pods, and all instances read the same ones. undefined if
 * events cannot be listed.
 */
async function wasStarted(
  { client, permissions, signal }: ConfirmContext,
  { job, pod }: JobRecord,
): Promise<boolean | undefined> {
  const eventsOf = async (about: string, reason: string) =>
    (await client.list(EVENTS, { fieldSelector: `${about},reason=${reason}` }, { signal })).items;
  const container = pod?.view.container.name ?? CONTAINER_NAME;
  try {
    if (!permissions.allows('eventList')) return undefined;
    const names =
      pod === undefined
        ? (await eventsOf(`involvedObject.uid=${job.uid}`, 'SuccessfulCreate')).map(
            ({ message = '' }) => CREATED_POD.exec(message)?.[1] ?? '',
          )
        : [pod.view.name];
    for (const name of names) {
      const starts = await eventsOf(`involvedObject.kind=Pod,involvedObject.name=${name}`, 'Started');
      if (starts.some(({ involvedObject }) => involvedObject.fieldPath === `spec.containers{${container}}`))
        return true;
    }
    return false;
  } catch (error) {
    if (isForbidden(error) && (await permissions.isMissing('eventList', error))) return undefined;
    throw error;
  }
}

type Identity = Pick<JobView, 'name' | 'uid'>;

async function readJobAndPods(
  context: ReadContext,
  job: Identity,
): Promise<{ readonly exists: boolean; readonly resourceVersion: string }> {
  const exists = await readJob(context, job);
  const { resourceVersion } = await readPods(context, job, context.signal);
  return { exists, resourceVersion };
}

/** Waits until the watch of pods has caught up with a list. */
async function untilReached(
  { pods, clock, signal, log }: ReadContext,
  job: Identity,
  resourceVersion: string,
): Promise<void> {
  const reached = await within(
    clock,
    CATCH_UP_MS,
    async (deadline) => {
      await pods.reached(resourceVersion, deadline);
      return true;
    },
    signal,
  );
  if (reached === undefined) log.debug('Pod watch is behind; evaluating the job anyway', { job: job.name });
}

/** Takes in the newest Job; false if it was deleted. */
async function readJob(context: ReadContext, job: Identity): Promise<boolean> {
  const found = await newestJob(context, job);
  if (found !== undefined) context.jobs.offer(found);
  return found !== undefined;
}

/** Reads the newest version of a Job, labeled as ours or not; undefined if it was deleted. */
export async function newestJob(
  { client, signal }: Pick<JobsContext, 'client' | 'signal'>,
  { name, uid }: Identity,
): Promise<JobView | undefined> {
  try {
    const found = projectJob((await client.get(JOBS, name, { signal })).object);
    return found.uid === uid ? found : undefined;
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

/** Takes in the newest pods of a job, without waiting for their watch; returns them, and the resource version of the list. */
export async function readPods(
  { client, pods }: Pick<JobsContext, 'client' | 'pods'>,
  { name, uid }: Identity,
  signal: AbortSignal,
): Promise<{ readonly found: readonly PodView[]; readonly resourceVersion: string }> {
  const list = await client.list(PODS, { labelSelector: `${JOB_NAME_LABEL}=${name}` }, { signal });
  const found = list.items.map(projectPod).filter(({ jobUid }) => jobUid === uid);
  for (const view of found) pods.offer(view, { isListed: true });
  return { found, resourceVersion: list.resourceVersion };
}
