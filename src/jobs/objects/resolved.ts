/**
 * A job as it is to be made: what was asked for, after the policy has filled in defaults and refused what is not allowed
 * (configuration.md section 2).
 */
import type { Toleration } from 'kubernetes-types/core/v1.d.ts';
import type { Override } from '../../config/profiles/override-files.ts';
import type { JobRequest } from '../job.ts';

/** CPUs in thousandths, memory in MB (10^6 bytes); absent = none. */
export interface Amounts {
  readonly cpuMillis?: number;
  readonly memoryMb?: number;
}

export interface ResolvedJob {
  readonly request: JobRequest;
  readonly image: string;
  readonly limits: Amounts;
  readonly requests: Amounts;
  readonly nvidiaGpus: number;
  readonly amdGpus: number;
  readonly pod: PodExtras;
  /** What `job-json-overrides` puts into the generated Job, in this order, after everything else. */
  readonly overrides?: readonly Override[];
}

/** What a profile adds to pods (configuration.md section 2, origin O). */
export interface PodExtras {
  readonly imagePullPolicy?: 'Always' | 'IfNotPresent' | 'Never';
  readonly imagePullSecrets: readonly string[];
  /** Used unless the job names one. */
  readonly serviceAccount?: string;
  /** Absent: only when job or profile names a service account. */
  readonly automountServiceAccountToken?: boolean;
  readonly tolerations: readonly Toleration[];
  readonly nodeSelector: Readonly<Record<string, string>>;
  readonly priorityClass?: string;
  readonly runAsNonRoot: boolean;
  readonly dropCapabilities: readonly string[];
  /** Profile key `pod-security=restricted`. */
  readonly restricted: boolean;
  /** 0 = no limit. */
  readonly activeDeadlineSeconds: number;
  /** On Job, pod and Service, placeholders filled in. */
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

export const NO_EXTRAS: PodExtras = {
  imagePullSecrets: [],
  tolerations: [],
  nodeSelector: {},
  runAsNonRoot: false,
  dropCapabilities: [],
  restricted: false,
  activeDeadlineSeconds: 0,
  labels: {},
  annotations: {},
};
