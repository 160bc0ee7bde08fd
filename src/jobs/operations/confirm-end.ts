/**
 * Before an end is announced that something still unknown could explain, the Job and its pods are read once
 * (kubernetes-objects.md section 2): jobs and pods come by two watches, and neither is ordered with the other. An end
 * that was not seen at all, because its pod came and went meanwhile, waits for what other instances write of it.
 */
import { JOBS, PODS } from '../../kubernetes/contract.ts';
import { isNotFound } from '../../kubernetes/kubernetes-error.ts';
import { sleep } from '../../system/clock.ts';
import type { Context } from '../context.ts';
import { persist } from '../failures.ts';
import { JOB_NAME_LABEL } from '../objects/annotations.ts';
import { OTHERS_WAIT_MS } from '../upkeep/result.ts';
import { type JobView, projectJob, projectPod } from '../view/projection.ts';
import type { JobEntry } from '../view/record.ts';

/** How long the watch of pods may take to catch up with a list. */
const CATCH_UP_MS = 10_000;

/** By then whoever saw the end has written it down, if he did not submit the job either. */
const WITNESSES_WAIT_MS = OTHERS_WAIT_MS + 5_000;
/** Of an end this long ago nobody writes any more: after a restart, old jobs are told at once. */
const LONG_AGO_MS = 60_000;

type Reading = Pick<Context, 'client' | 'jobs' | 'pods' | 'clock' | 'log' | 'signal'>;

/**
 * Takes in the newest Job and pods; false if there is no such Job any more. Retries until it has an answer. Where another
 * instance may know how the job ended, it is given time to write that down, and the Job is read once more.
 */
export async function readJobAgain(context: Reading, entry: JobEntry): Promise<boolean> {
  const { clock, signal, log } = context;
  const onFailure = (error: unknown): void =>
    log.warning('The end of a job cannot be told before it was read again; trying', { job: entry.id, error });
  const read = (reading: typeof readJob): Promise<boolean> =>
    persist(clock, signal, onFailure, () => reading(context, entry.job));
  if (!(await read(readJobAndPods))) return false;
  if (!othersMayKnow(context, entry)) return true;
  await sleep(clock, WITNESSES_WAIT_MS, signal);
  return read(readJob);
}

/** Has it ended just now, nobody knows how, and this process never saw its pod? */
function othersMayKnow({ client }: Pick<Reading, 'client'>, { job, pod }: JobEntry): boolean {
  if (pod !== undefined || job.decision === undefined || job.result !== undefined) return false;
  const now = client.serverTime();
  return now === undefined || now - job.decision.at < LONG_AGO_MS;
}

type Identity = Pick<JobView, 'name' | 'uid'>;

async function readJobAndPods(context: Reading, job: Identity): Promise<boolean> {
  const { pods, clock, signal, log } = context;
  const exists = await readJob(context, job);
  const version = await readPods(context, job.name, signal);
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

/** Takes in the newest Job; false if there is no such Job any more. */
async function readJob({ client, jobs, signal }: Reading, job: Identity): Promise<boolean> {
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
