/** A Job that is about to be made: its name, and the id by which it is known again when the answer was lost (architecture.md section 5). */
import type { Job as KubernetesJob } from 'kubernetes-types/batch/v1.d.ts';
import { type Random, randomText } from '../../system/random.ts';
import type { JobsOptions } from '../context.ts';
import { SUBMISSION_ANNOTATION } from '../objects/annotations.ts';
import { newJobName } from '../objects/names.ts';
import type { ResolvedJob } from '../objects/resolved.ts';
import { buildJob } from '../objects/to-job.ts';

const SUBMISSION_ID_LENGTH = 20;

export interface NewJob {
  readonly id: string;
  /** For a server of this minor version. Throws JobError 'invalid-request'. */
  readonly manifest: (minor: number) => KubernetesJob;
  /** Is that the Job of this submission, and not one that somebody else gave the same name? */
  readonly isOurs: (stored: KubernetesJob) => boolean;
}

export function newJob(
  resolved: ResolvedJob,
  { jobExpiryHours, shareProcessNamespace }: Pick<JobsOptions, 'jobExpiryHours' | 'shareProcessNamespace'>,
  random: Random,
): NewJob {
  const id = newJobName(resolved.request.name, random);
  const submissionId = randomText(random, SUBMISSION_ID_LENGTH);
  return {
    id,
    manifest: (minor) => buildJob(resolved, { id, submissionId, jobExpiryHours, shareProcessNamespace, minor }),
    isOurs: ({ metadata }) => metadata?.annotations?.[SUBMISSION_ANNOTATION] === submissionId,
  };
}
