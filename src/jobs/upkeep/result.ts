/**
 * The end of a job is written onto its Job (`job-launcher/result`), because exit code and cause live only on the pod,
 * and pods of finished jobs go (kubernetes-objects.md section 2, "The end is written down"). Needs patch on jobs.
 */
import { isMissingRight, isNotFound } from '../../kubernetes/kubernetes-error.ts';
import { sleep } from '../../system/clock.ts';
import type { Context } from '../context.ts';
import { persist } from '../failures.ts';
import { type JobResult, RESULT_ANNOTATION } from '../objects/annotations.ts';
import { ttlSeconds } from '../objects/to-job.ts';
import { patchJob } from '../operations/patch-job.ts';
import { isTerminal, type JobEntry } from '../view/record.ts';

/** Who did not submit the job lets the one who did go first. */
export const OTHERS_WAIT_MS = 10_000;
/** Whoever never saw the pod lets all go first that may have: they know how it ended. */
const IGNORANT_WAIT_MS = 30_000;

const UNWRITTEN = 'The ends of jobs cannot be written down: they are forgotten at a restart; trying again now and then';

const iso = (milliseconds: number): string => new Date(milliseconds).toISOString();

/** What is written of an end. `noticedAt` is the server's clock when it was seen. */
function resultOf({ job, pod, outcome }: JobEntry, noticedAt: number): JobResult {
  const { terminated, running } = pod?.view.container ?? {};
  const startedAt = terminated?.startedAt ?? running?.startedAt;
  return {
    state: outcome.state,
    statusCode: outcome.statusCode,
    ...(outcome.exitCode === undefined ? {} : { exitCode: outcome.exitCode }),
    message: outcome.message,
    ...(startedAt === undefined ? {} : { startedAt: iso(startedAt) }),
    endedAt: iso(terminated?.finishedAt ?? (job.decision?.at || noticedAt)),
  };
}

/** Writes the end of every job that has none yet. Returns what ends it. */
export function writeResults(context: Context): () => void {
  const { repository, submitted, clock, log, client, signal } = context;
  const busy = new Set<string>();
  /** The job, by uid, that goes on trying while the right to do it is missing; all others wait for it. */
  let refused: string | undefined;

  async function write(entry: JobEntry): Promise<void> {
    const noticedAt = client.serverTime() ?? clock.now();
    if (!submitted.has(entry.id))
      await sleep(clock, entry.pod === undefined ? IGNORANT_WAIT_MS : OTHERS_WAIT_MS, signal);
    const onFailure = (error: unknown): void => {
      if (!isMissingRight(error))
        log.warning('The end of a job cannot be written down; trying again', { job: entry.id, error });
    };
    await persist(clock, signal, onFailure, async () => {
      if (refused !== undefined && refused !== entry.uid) return 'again';
      try {
        await patchJob(context, entry.job, (newest) => patchFor(entry, newest.result, noticedAt), signal);
        if (refused === entry.uid) log.info('The ends of jobs can be written down now');
      } catch (error) {
        if (isMissingRight(error)) {
          if (refused === undefined) log.warning(UNWRITTEN, { error });
          refused ??= entry.uid;
        } else if (refused === entry.uid) refused = undefined;
        if (!isNotFound(error)) throw error;
      }
      if (refused === entry.uid) refused = undefined;
      return undefined;
    });
  }

  function patchFor(entry: JobEntry, there: JobResult | undefined, noticedAt: number) {
    if (there !== undefined) return undefined;
    return {
      annotations: { [RESULT_ANNOTATION]: JSON.stringify(resultOf(entry, noticedAt)) },
      spec: { ttlSecondsAfterFinished: ttlSeconds(context.options().jobExpiryHours) },
    };
  }

  return repository.onUpdate((entry) => {
    if (!isTerminal(entry) || entry.job.result !== undefined || entry.gone || busy.has(entry.uid)) return;
    busy.add(entry.uid);
    write(entry)
      .catch((error: unknown) => {
        if (!signal.aborted) log.error('The end of a job could not be written down', { job: entry.id, error });
      })
      .finally(() => busy.delete(entry.uid));
  });
}
