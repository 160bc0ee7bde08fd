/**
 * A job as it is to be made: the request after the policy has filled in defaults and refused what is not allowed
 * (configuration.md section 2).
 */
import type { Job as KubernetesJob } from 'kubernetes-types/batch/v1.d.ts';
import type { Toleration } from 'kubernetes-types/core/v1.d.ts';
import type { Override } from '../../config/profiles/override-files.ts';
import type { EffectiveProfile } from '../../config/profiles/profiles.ts';
import type { JobRequest } from '../job.ts';

/** CPUs in thousandths, memory in MB (10^6 bytes); absent = none. */
export interface Amounts {
  readonly cpuMillis?: number;
  readonly memoryMb?: number;
}

/** Labels and annotations of the profile, on Job, pod and Service. */
export interface ProfileMetadata {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

export interface ResolvedJob extends ProfileMetadata {
  readonly request: JobRequest;
  readonly image: string;
  readonly limits: Amounts;
  readonly requests: Amounts;
  readonly nvidiaGpus: number;
  readonly amdGpus: number;
  /** The profile of the job's user. */
  readonly profile: EffectiveProfile;
  /** Node labels to match: constraints of the job and of its resource profile, and those of the profile. */
  readonly nodeSelector: Readonly<Record<string, string>>;
  readonly tolerations: readonly Toleration[];
  /** The values of `job-json-overrides`, put into the generated Job in this order, after everything else. */
  readonly overrides: readonly Override[];
  /**
   * Judges a Job that a template rendered; `fromJob`: strings in it that came from the job. Throws JobError
   * 'invalid-request' for what the profile does not allow.
   */
  readonly checkResult: (job: KubernetesJob, fromJob: readonly string[]) => void;
}
