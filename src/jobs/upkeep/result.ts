/**
 * Reconcile rule that saves the final state of a job in the annotation `job-launcher/result` of its Job: exit code and
 * cause exist only on the pod, and pods of finished jobs are deleted (docs/kubernetes-objects.md section 2). Needs patch on jobs.
 */
import { isNotFound } from '../../kubernetes/kubernetes-error.ts';
import type { JobsContext } from '../context.ts';
import { type JobResult, RESULT_ANNOTATION } from '../objects/annotations.ts';
import { ttlSeconds } from '../objects/to-job.ts';
import { OTHERS_WAIT_MS } from '../operations/confirm-end.ts';
import { patchJob } from '../operations/patch-job.ts';
import { isTerminal, type JobRecord } from '../view/record.ts';
import type { Rule } from './reconciler.ts';

/** Annotations of a Job have 16 KiB left for the records of the plugin. */
const MAX_MESSAGE = 4_096;

const iso = (milliseconds: number): string => new Date(milliseconds).toISOString();

/** The confirmation of an end that this process did not observe has waited for the instances that did. */
const isUnobserved = ({ pod, confirmation }: JobRecord): boolean =>
  confirmation === 'done' && (pod === undefined || pod.isEndUnknown === true);

/** No other process can read it from the pod. */
const isPodLeaving = ({ pod }: JobRecord): boolean =>
  pod !== undefined && (!pod.present || pod.view.deletion !== undefined);

export function recordResult(context: JobsContext): Rule {
  const { client, clock, options, processId, repository, signal, submitted } = context;
  /** The server's time at which this process noticed the final state. */
  const noticed = new WeakMap<JobRecord, number>();
  const serverTime = (): number => client.serverTime() ?? clock.now();
  repository.onChange((record) => {
    if (isTerminal(record)) noticed.set(record, serverTime());
  });

  function resultOf(record: JobRecord): JobResult {
    const { job, pod, outcome, cause } = record;
    const { terminated, running } = pod?.view.container ?? {};
    const startedAt = terminated?.startedAt ?? running?.startedAt;
    const endedAt = terminated?.finishedAt ?? (job.decision?.at || (noticed.get(record) ?? serverTime()));
    return {
      state: outcome.state,
      statusCode: outcome.statusCode,
      ...(outcome.exitCode === undefined ? {} : { exitCode: outcome.exitCode }),
      message: outcome.message.slice(0, MAX_MESSAGE),
      ...(startedAt === undefined ? {} : { startedAt: iso(startedAt) }),
      endedAt: iso(endedAt),
      cause,
      recordedBy: processId,
      recordedAt: iso(serverTime()),
    };
  }

  return {
    name: 'record-result',
    failure: 'Cannot save final job states (annotation job-launcher/result); they would be lost on restart',
    prompt: true,
    beforeExit: true,
    afterMs: (record) =>
      submitted.has(record.id) || isUnobserved(record) || isPodLeaving(record) ? 0 : OTHERS_WAIT_MS,
    due: (record) => isTerminal(record) && record.job.result === undefined,
    act: async (record) => {
      try {
        await patchJob(
          context,
          record.job,
          (newest) =>
            newest.result === undefined
              ? {
                  annotations: { [RESULT_ANNOTATION]: JSON.stringify(resultOf(record)) },
                  spec: { ttlSecondsAfterFinished: ttlSeconds(options().jobExpiryHours) },
                }
              : undefined,
          signal,
        );
      } catch (error) {
        if (!isNotFound(error)) throw error;
      }
    },
  };
}
