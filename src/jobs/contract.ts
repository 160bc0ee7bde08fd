/**
 * Contract of jobs/: the operations on jobs that launcher/ uses. A job of another user is reported as not found
 * (docs/launcher-plugin-api.md section 7.1). Every refusal is a JobError (job-error.ts).
 */
import type { Job, JobConfig, JobRequest, PlacementConstraint, ResourceLimit } from './job.ts';

/** User name, or '*' for an administrator, who may access the jobs of all users. */
export type Requester = string;

/** Operations of docs/launcher-plugin-api.md section 7.5. */
export const CONTROL_OPERATIONS = ['suspend', 'resume', 'stop', 'kill', 'cancel'] as const;

export type ControlOperation = (typeof CONTROL_OPERATIONS)[number];

export interface ControlResult {
  readonly complete: boolean;
  readonly message: string;
}

export interface JobNetwork {
  readonly host: string;
  readonly ipAddresses: readonly string[];
}

/** A measurement; unknown fields are absent. */
export interface JobUsage {
  /** Percent of one core. */
  readonly cpuPercent?: number;
  /** Seconds of CPU time since the job started. */
  readonly cpuTime?: number;
  /** MB (10^6 bytes). */
  readonly residentMemory?: number;
  readonly virtualMemory?: number;
}

export interface ResourceProfileInfo {
  readonly name: string;
  readonly displayName: string;
  readonly limits: readonly ResourceLimit[];
  readonly placementConstraints: readonly PlacementConstraint[];
}

/** Values of docs/configuration.md section 5. */
export interface ClusterInfo {
  readonly allowUnknownImages: boolean;
  readonly images: readonly string[];
  readonly defaultImage: string;
  readonly config: readonly JobConfig[];
  readonly resourceLimits: readonly Omit<ResourceLimit, 'value'>[];
  readonly placementConstraints: readonly PlacementConstraint[];
  readonly resourceProfiles: readonly ResourceProfileInfo[];
}

export interface Jobs {
  /** Resolves after the first list of jobs and pods; rejects with JobError 'unknown', which quotes the last API error, if the signal is aborted first. */
  readonly synced: (signal: AbortSignal) => Promise<void>;
  /**
   * Checks the policy, creates the objects and returns the job, Pending. Settles within `timeoutMs` (default: 30 s). `requestedBy`:
   * the user behind an administrator's request, for the audit log; default: the requester.
   */
  readonly submit: (
    request: JobRequest,
    requester: Requester,
    timeoutMs?: number,
    requestedBy?: string,
  ) => Promise<Job>;
  /** Throws JobError 'job-not-found'. */
  readonly find: (id: string, requester: Requester) => Job;
  readonly list: (requester: Requester) => readonly Job[];
  /** Called for each change of a job's status, statusCode or statusMessage, new jobs included. Returns what removes the listener. */
  readonly onChange: (listener: (job: Job) => void) => () => void;
  /** May the requester see this job? */
  readonly visible: (job: Job, requester: Requester) => boolean;
  /** `recordedUser`: written to the Job as the user of the operation; default: the requester. */
  readonly control: (
    id: string,
    requester: Requester,
    operation: ControlOperation,
    recordedUser?: string,
  ) => Promise<ControlResult>;
  /**
   * The job's output from its beginning to its end, as UTF-8 (invalid bytes are replaced), cut between characters. Throws
   * 'job-not-found' at once. Waits while the job is Pending; empty for a job that never ran. Read only as it is consumed; each
   * chunk is valid until the next one is requested.
   * Throws 'output-not-found' if the output was deleted with its pod.
   */
  readonly output: (
    id: string,
    requester: Requester,
    signal: AbortSignal,
    requestedBy?: string,
  ) => AsyncIterable<Uint8Array>;
  /**
   * Measurements while the job runs, at least every 15 s; ends when the job has ended. Throws 'job-not-found' and
   * 'job-not-running' at once. One poller measures a job for all requests.
   */
  readonly usage: (id: string, requester: Requester, signal: AbortSignal) => AsyncIterable<JobUsage>;
  readonly network: (id: string, requester: Requester) => Promise<JobNetwork>;
  readonly clusterInfo: (requester: Requester) => Promise<ClusterInfo>;
}
