/**
 * A launcher job, as the protocol shows it (launcher-plugin-api.md section 6). Absent members are `undefined`-free:
 * they are simply not there. Dates are milliseconds since 1970.
 */

/** Exact spelling of the protocol. */
export const JOB_STATES = ['Pending', 'Running', 'Suspended', 'Finished', 'Failed', 'Killed', 'Canceled'] as const;

export type JobState = (typeof JOB_STATES)[number];

/** States that never change again. */
export const TERMINAL_STATES: ReadonlySet<JobState> = new Set(['Finished', 'Failed', 'Killed', 'Canceled']);

export interface NameValue {
  readonly name: string;
  readonly value: string;
}

export interface JobConfig {
  readonly name: string;
  readonly valueType?: 'string' | 'int' | 'float' | 'enum';
  readonly value: string;
}

export interface Container {
  readonly image: string;
  readonly runAsUserId?: number;
  readonly runAsGroupId?: number;
  readonly supplementalGroupIds?: readonly number[];
  readonly capabilitiesAdd?: readonly string[];
  readonly capabilitiesDrop?: readonly string[];
}

export interface ExposedPort {
  readonly targetPort: number;
  readonly publishedPort?: number;
  readonly protocol: string;
}

export interface PlacementConstraint {
  readonly name: string;
  readonly value: string;
  /** Cluster info only: what a form is filled with. */
  readonly defaultValue?: string;
}

export interface ResourceLimit {
  /** `cpuCount`, `memory` (MB), `CPU Request`, `Memory Request`, `NVIDIA GPUs`, `AMD GPUs`, or anything else, passed through. */
  readonly type: string;
  readonly value: string;
  /** Cluster info only. */
  readonly defaultValue?: string;
  readonly maxValue?: string;
}

export interface Mount {
  readonly name?: string;
  readonly mountPath: string;
  readonly readOnly: boolean;
  /** `azureFile`, `cephFs`, `glusterFs`, `host`, `nfs`, `passthrough` or a custom type. */
  readonly type: string;
  /** As it came, extra members included. */
  readonly source: Readonly<Record<string, unknown>>;
  /** Which shape it came in: `type` and `source` beside `mountPath`, or nested in `mountSource`; written back likewise. */
  readonly shape: 'flat' | 'mountSource';
}

export interface InitContainer {
  readonly name: string;
  readonly image: string;
  readonly command: string;
  readonly exe: string;
  readonly args: readonly string[];
  readonly mounts: readonly Mount[];
  readonly environment: readonly NameValue[];
}

/** What a launcher asks for. Lists that were absent are empty, texts that were absent are ''. */
export interface JobRequest {
  readonly name: string;
  readonly user: string;
  readonly group: string;
  readonly args: readonly string[];
  readonly cluster: string;
  readonly command: string;
  readonly exe: string;
  readonly config: readonly JobConfig[];
  readonly container?: Container;
  readonly environment: readonly NameValue[];
  readonly exposedPorts: readonly ExposedPort[];
  readonly host: string;
  readonly initContainers: readonly InitContainer[];
  readonly instanceId: string;
  /** Any object; its `job`, `pod` and `service` members' labels and annotations go onto those objects. */
  readonly metadata?: Readonly<Record<string, unknown>>;
  readonly mounts: readonly Mount[];
  readonly placementConstraints: readonly PlacementConstraint[];
  readonly queues: readonly string[];
  readonly resourceLimits: readonly ResourceLimit[];
  readonly resourceProfile: string;
  readonly stdin: string;
  readonly stderrFile: string;
  readonly stdoutFile: string;
  readonly systemJob: boolean;
  readonly tags: readonly string[];
  readonly workingDirectory: string;
  /** Kept (`JobNote` of note.ts) and returned, not used on Kubernetes. */
  readonly pid?: number;
}

/** A job of the cluster: what was asked for, and what became of it. `stdin` is always '' here. */
export interface Job extends JobRequest {
  readonly id: string;
  readonly status: JobState;
  readonly statusMessage: string;
  readonly statusCode: string;
  readonly exitCode?: number;
  /** Milliseconds since 1970. */
  readonly submissionTime: number;
  /** Milliseconds since 1970; the newest transition seen in the objects. */
  readonly lastUpdateTime: number;
}
