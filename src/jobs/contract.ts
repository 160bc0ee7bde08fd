/**
 * What can be done with jobs; the Launcher's side knows nothing else of them. Jobs of others look like jobs that do
 * not exist (launcher-plugin-api.md section 7.1). Every refusal is a JobError.
 */
import type { Job, JobConfig, JobRequest, PlacementConstraint, ResourceLimit } from './job.ts';

/** For whom something is asked: a user's name, or '*' for everybody (an administrator). */
export type Requester = string;

/** launcher-plugin-api.md section 7.5. */
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

/** A measurement; members are left out when not known. */
export interface JobUsage {
  /** Percent of one core. */
  readonly cpuPercent?: number;
  /** Seconds of CPU since the job began. */
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

/** configuration.md section 5. */
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
  /** Resolves when jobs and pods were listed once; rejects with JobError 'unknown' (the last API error in words) when the signal ends first. */
  readonly synced: (signal: AbortSignal) => Promise<void>;
  /** Checks the policy, creates the objects, and returns the job, Pending. Within 30 s, or `timeoutMs` if part of them was spent waiting, whatever the cluster does. */
  readonly submit: (request: JobRequest, requester: Requester, timeoutMs?: number) => Promise<Job>;
  /** Throws JobError 'job-not-found'. */
  readonly find: (id: string, requester: Requester) => Job;
  readonly list: (requester: Requester) => readonly Job[];
  /** Called for each change of a job's status, statusCode or statusMessage, new jobs included. Returns what ends it. */
  readonly onChange: (listener: (job: Job) => void) => () => void;
  /** May the requester see this job? */
  readonly visible: (job: Job, requester: Requester) => boolean;
  readonly control: (id: string, requester: Requester, operation: ControlOperation) => Promise<ControlResult>;
  /**
   * The job's output from its beginning to its end, in UTF-8 (what is none is replaced), cut between characters. Throws 'job-not-found' at once. Nothing comes while the job
   * is Pending; a job that never ran ends without text. Not consumed, not read. Throws 'output-not-found' if there was
   * output but it is gone.
   */
  readonly output: (id: string, requester: Requester, signal: AbortSignal) => AsyncIterable<Uint8Array>;
  /**
   * Measurements while the job runs, at least every 15 s; ends when the job has ended. Throws 'job-not-found' and
   * 'job-not-running' at once. One poller per job, however many ask.
   */
  readonly usage: (id: string, requester: Requester, signal: AbortSignal) => AsyncIterable<JobUsage>;
  readonly network: (id: string, requester: Requester) => Promise<JobNetwork>;
  readonly clusterInfo: (requester: Requester) => Promise<ClusterInfo>;
}
