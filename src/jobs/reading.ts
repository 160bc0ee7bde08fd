/**
 * Before an end is announced that something still unknown could explain, the Job and its pods are read once
 * (kubernetes-objects.md section 2): jobs and pods come by two watches, and neither is ordered with the other.
 */
import { JOBS, PODS } from '../kubernetes/contract.ts';
import { isNotFound } from '../kubernetes/errors.ts';
import { JOB_NAME_LABEL } from './annotations.ts';
import type { Context } from './context.ts';
import { persist } from './failures.ts';
import { type JobView, projectJob, projectPod } from './projection.ts';

/** How long the watch of pods may take to catch up with a list. */
const CATCH_UP_MS = 10_000;

type Reading = Pick<Context, 'client' | 'jobs' | 'pods' | 'clock' | 'log' | 'signal'>;

/** Takes in the newest Job and pods; false if there is no such Job any more. Retries until it has an answer. */
export async function readJobAgain(context: Reading, job: Pick<JobView, 'name' | 'uid'>): Promise<boolean> {
  const { clock, signal, log } = context;
  const onFailure = (error: unknown): void =>
    log.warning('The end of a job cannot be told before it was read again; trying', { job: job.name, error });
  return persist(clock, signal, onFailure, () => readOnce(context, job));
}

async function readOnce({ client, jobs, pods, clock, signal, log }: Reading, job: Pick<JobView, 'name' | 'uid'>) {
  const found = await client.get(JOBS, job.name, { signal }).then(
    ({ object }) => projectJob(object),
    (error: unknown) => {
      if (isNotFound(error)) return undefined;
      throw error;
    },
  );
  const exists = found?.uid === job.uid;
  if (exists && found !== undefined) jobs.offer(found);
  const version = await readPods({ client, pods }, job.name, signal);
  const late = new AbortController();
  const cancel = clock.after(CATCH_UP_MS, () => late.abort(new Error('the watch of pods is behind')));
  try {
    await pods.reached(version, AbortSignal.any([signal, late.signal]));
  } catch (error) {
    signal.throwIfAborted();
    log.debug('Judging a job although the watch of pods is behind', { job: job.name, error });
  } finally {
    cancel();
  }
  return exists;
}

/** Takes in the newest pods of a job, without waiting for their watch; returns the version of the list. */
export async function readPods(
  { client, pods }: Pick<Context, 'client' | 'pods'>,
  job: string,
  signal: AbortSignal,
): Promise<string> {
  const list = await client.list(PODS, { labelSelector: `${JOB_NAME_LABEL}=${job}` }, { signal });
  for (const pod of list.items) pods.offer(projectPod(pod));
  return list.resourceVersion;
}
