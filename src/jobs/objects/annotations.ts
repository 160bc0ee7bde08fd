/**
 * The labels and annotations of the objects of a job (kubernetes-objects.md sections 1, 4, 5). Everything that must
 * survive a restart is in these annotations and in the submission record (submission-record.ts).
 */
import { objectIn } from '../../system/json.ts';
import type { ControlOperation } from '../contract.ts';
import { type JobRequest, type JobState, TERMINAL_STATES } from '../job.ts';
import { JobError } from '../job-error.ts';
import { labelValue } from './names.ts';

/** Label on every object of ours. */
export const MANAGED_BY = 'app.kubernetes.io/managed-by';
export const LAUNCHER = 'launcher';
/** Label selector of everything that is ours; nothing else is ever read, changed or deleted. */
export const OURS = `${MANAGED_BY}=${LAUNCHER}`;
export const INSTANCE_LABEL = 'launcher-instance-id';
/** The user made a valid label value, for people; the owner is read from the annotation only. */
export const USER_LABEL = 'job-launcher/user';
/** Label that the job controller puts on the pods of a job. */
export const JOB_NAME_LABEL = 'job-name';

/** The container of a job; every other container of its pod comes from elsewhere. */
export const CONTAINER_NAME = 'rs-launcher-container';

/** Annotations of the pod template, as the first-party plugin writes them. */
export const NAME_ANNOTATION = 'name';
export const USER_ANNOTATION = 'user';
export const TAG_ANNOTATION = 'USER_TAG_';
export const PORTS_ANNOTATION = 'service_ports';
export const METADATA_ANNOTATION = 'user_metadata';

/** Annotations of the Job. */
export const RECORD_ANNOTATION = 'job-launcher/job';
export const RESULT_ANNOTATION = 'job-launcher/result';
export const CONTROL_ANNOTATION = 'job-launcher/control';
export const STDIN_ANNOTATION = 'job-launcher/stdin';
export const SUBMISSION_ANNOTATION = 'job-launcher/submission';
/** The uid of the Job that result, control and stdin belong to: in a copy of that Job they are not its own. */
export const UID_ANNOTATION = 'job-launcher/uid';

/** Why a job of ours is being ended (`job-launcher/control`). `at` is the API server's clock, ISO 8601. */
export interface ControlRecord {
  readonly operation: Extract<ControlOperation, 'stop' | 'kill' | 'cancel'>;
  readonly at: string;
  readonly user: string;
  readonly reason?: string;
}

/** How a job ended (`job-launcher/result`). Times are ISO 8601. */
export interface JobResult {
  readonly state: JobState;
  readonly statusCode: string;
  readonly exitCode?: number;
  readonly message: string;
  readonly startedAt?: string;
  readonly endedAt?: string;
  /** Row of the state table (docs/kubernetes-objects.md section 2); absent in results of older versions. */
  readonly cause?: string;
  /** Process id of the instance that recorded it, and when. */
  readonly recordedBy?: string;
  readonly recordedAt?: string;
}

/** The annotations about the run of a Job. */
export interface RunRecords {
  /** The Job is a copy of another one; the annotations are about that one and are not read. */
  readonly inherits?: true;
  readonly control?: ControlRecord;
  readonly result?: JobResult;
  /** Who delivers or delivered its input. */
  readonly stdinClaim?: string;
}

const text = (value: unknown): string => (typeof value === 'string' ? value : '');

function readControl(annotation: string | undefined): ControlRecord | undefined {
  const value = objectIn(annotation);
  const operation = value?.['operation'];
  if (value === undefined || (operation !== 'stop' && operation !== 'kill' && operation !== 'cancel')) return undefined;
  const reason = text(value['reason']);
  return { operation, at: text(value['at']), user: text(value['user']), ...(reason === '' ? {} : { reason }) };
}

export function readResult(annotation: string | undefined): JobResult | undefined {
  const value = objectIn(annotation);
  if (value === undefined) return undefined;
  const state = [...TERMINAL_STATES].find((terminal) => terminal === value['state']);
  if (state === undefined) return undefined;
  const { exitCode, startedAt, endedAt, cause, recordedBy, recordedAt } = value;
  return {
    state,
    statusCode: text(value['statusCode']),
    ...(typeof exitCode === 'number' ? { exitCode } : {}),
    message: text(value['message']),
    ...(typeof startedAt === 'string' ? { startedAt } : {}),
    ...(typeof endedAt === 'string' ? { endedAt } : {}),
    ...(typeof cause === 'string' ? { cause } : {}),
    ...(typeof recordedBy === 'string' ? { recordedBy } : {}),
    ...(typeof recordedAt === 'string' ? { recordedAt } : {}),
  };
}

/** The annotations about the run of the Job with this uid. */
export function readRecords(annotations: Readonly<Record<string, string>>, uid: string | undefined): RunRecords {
  if ((annotations[UID_ANNOTATION] ?? uid) !== uid) return { inherits: true };
  const control = readControl(annotations[CONTROL_ANNOTATION]);
  const result = readResult(annotations[RESULT_ANNOTATION]);
  const stdinClaim = annotations[STDIN_ANNOTATION];
  return {
    ...(control === undefined ? {} : { control }),
    ...(result === undefined ? {} : { result }),
    ...(stdinClaim === undefined ? {} : { stdinClaim }),
  };
}

/** Bytes of all annotations of an object that the API server stores. */
const ANNOTATION_LIMIT = 262_144;
/** Of these, what stop, kill, cancel and the result of a job need later. */
const RESERVE = 16_384;

/** Throws JobError 'invalid-request' if an object has more annotations than the API server stores (kubernetes-facts.md 113). */
export function checkAnnotationSize(annotations: Readonly<Record<string, string>>): void {
  const sizes = Object.entries(annotations).map(([key, value]) => ({
    key,
    size: Buffer.byteLength(key) + Buffer.byteLength(value),
  }));
  const total = sizes.reduce((sum, { size }) => sum + size, 0);
  if (total <= ANNOTATION_LIMIT - RESERVE) return;
  const largest = sizes.reduce((a, b) => (b.size > a.size ? b : a));
  throw new JobError(
    'invalid-request',
    `The job's description has ${total} bytes, more than the ${ANNOTATION_LIMIT - RESERVE} that Kubernetes stores beside control and result; most of it is ${FIELD_OF[largest.key] ?? largest.key}.`,
  );
}

/** Refuses, before any work on them, metadata and mounts that no annotation holds. */
export function checkDescription({ metadata, mounts, initContainers }: JobRequest): void {
  if (metadata !== undefined) checkAnnotationSize({ [METADATA_ANNOTATION]: JSON.stringify(metadata) });
  const all = [mounts, ...initContainers.map((init) => init.mounts)].filter((each) => each.length > 0);
  if (all.length > 0) checkAnnotationSize({ [RECORD_ANNOTATION]: all.map((each) => JSON.stringify(each)).join('') });
}

/** The fields of a job that an annotation holds, in words. */
const FIELD_OF: Readonly<Record<string, string>> = {
  [NAME_ANNOTATION]: 'the name',
  [USER_ANNOTATION]: 'the user',
  [METADATA_ANNOTATION]: 'metadata',
  [PORTS_ANNOTATION]: 'exposedPorts',
  [RECORD_ANNOTATION]: 'config, mounts and the other lists',
};

/** Labels of every object of a job. */
export function baseLabels(request: JobRequest): Record<string, string> {
  const instance = labelValue(request.instanceId);
  return { [MANAGED_BY]: LAUNCHER, ...(instance === '' ? {} : { [INSTANCE_LABEL]: instance }) };
}
