/**
 * What becomes of a launcher job under its user's profile (configuration.md sections 2, 2.1, 3): everything the
 * manifest needs beyond the request itself, or a refusal.
 */
import type { PodSecurityContext, SecurityContext, Toleration } from 'kubernetes-types/core/v1.d.ts';
import type { OverrideReference } from '../config/override-references.ts';
import type { JobRequest } from './job.ts';

/** Labels or annotations by key. */
export type KeyValues = Readonly<Record<string, string>>;

/** A variable of the environment that comes out of a Secret. */
export interface SecretVariable {
  readonly name: string;
  readonly secret: string;
  readonly key: string;
}

/** CPU in thousandths, memory in MB (10^6 bytes), whole and above 0; absent: not set. */
export interface ComputeAmounts {
  readonly cpuMillis?: number;
  readonly memoryMb?: number;
}

/** A request that is allowed, with what it amounts to. */
export interface ResolvedJob {
  /** As it came; what is below counts where both say something. */
  readonly request: JobRequest;
  readonly image: string;
  readonly limits: ComputeAmounts & { readonly nvidiaGpus?: number; readonly amdGpus?: number };
  readonly requests: ComputeAmounts;
  /** Placement constraints of job, resource profile and profile. */
  readonly nodeSelector: KeyValues;
  readonly tolerations: readonly Toleration[];
  /** Undefined: the namespace's default account. */
  readonly serviceAccount: string | undefined;
  readonly automountServiceAccountToken: boolean;
  /** From `config` entries named `secret`. */
  readonly secretVariables: readonly SecretVariable[];
  /** Of the pod: users, groups, and what holds for all its containers. Empty: nothing to set. */
  readonly podSecurityContext: PodSecurityContext;
  /** Of the job's container. Empty: nothing to set. */
  readonly securityContext: SecurityContext;
  /** Of each init container. Empty: nothing to set. */
  readonly initSecurityContext: SecurityContext;
  readonly imagePullPolicy: 'Always' | 'IfNotPresent' | 'Never' | undefined;
  readonly imagePullSecrets: readonly string[];
  readonly priorityClass: string | undefined;
  /** For the pod template; at least 2. */
  readonly activeDeadlineSeconds: number | undefined;
  /** From the profile and the job's metadata; keys of ours are not among them. */
  readonly labels: { readonly job: KeyValues; readonly pod: KeyValues; readonly service: KeyValues };
  readonly annotations: { readonly job: KeyValues; readonly pod: KeyValues; readonly service: KeyValues };
  /** To be read (config/overrides.ts) and applied (overrides.ts) to the generated Job, in this order. */
  readonly overrides: readonly OverrideReference[];
}
