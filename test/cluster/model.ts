/**
 * Objects as this cluster stores them. A stored object is never changed in place: who wants to change one works on a
 * copy and hands it to the store.
 */
import type { JobSpec, JobStatus } from 'kubernetes-types/batch/v1.d.ts';
import type {
  Container,
  ContainerState,
  EventSource,
  LimitRangeSpec,
  NodeSpec,
  NodeStatus,
  ObjectReference,
  PodSpec,
  PodStatus,
  ResourceQuotaSpec,
  ResourceQuotaStatus,
  ServiceSpec,
} from 'kubernetes-types/core/v1.d.ts';
import type { ObjectMeta } from 'kubernetes-types/meta/v1.d.ts';
import type { PodDisruptionBudgetSpec } from 'kubernetes-types/policy/v1.d.ts';

type Writable<T> = { -readonly [K in keyof T]: T[K] };

/** Metadata after the server has filled it in. */
export interface Meta extends Writable<ObjectMeta> {
  name: string;
  uid: string;
  resourceVersion: string;
  creationTimestamp: string;
}

export interface StoredObject {
  kind: string;
  apiVersion: string;
  metadata: Meta;
}

export interface Job extends StoredObject {
  spec: JobSpec;
  status: JobStatus;
}

/** What v1.36 has and kubernetes-types 1.30 does not know. */
interface NewPodStatus {
  observedGeneration?: number;
  resources?: object;
}

export interface Pod extends StoredObject {
  spec: PodSpec;
  status: PodStatus & NewPodStatus;
}

export interface ClusterNode extends StoredObject {
  spec: NodeSpec;
  status: NodeStatus;
}

export interface Service extends StoredObject {
  spec: ServiceSpec;
  status: object;
}

export interface Secret extends StoredObject {
  type?: string;
  immutable?: boolean;
  data?: Record<string, string>;
}

export interface ConfigMap extends StoredObject {
  data?: Record<string, string>;
}

export interface Namespace extends StoredObject {
  spec: { finalizers?: string[] };
  status: { phase: 'Active' | 'Terminating' };
}

export interface ResourceQuota extends StoredObject {
  spec: ResourceQuotaSpec;
  status: ResourceQuotaStatus;
}

export interface LimitRange extends StoredObject {
  spec: LimitRangeSpec;
}

export interface PriorityClass extends StoredObject {
  value: number;
  globalDefault?: boolean;
  preemptionPolicy?: string;
}

export interface DisruptionBudget extends StoredObject {
  spec: PodDisruptionBudgetSpec;
  status: object;
}

/** An event in its core/v1 form (kubernetes-facts.md 20). */
export interface ClusterEvent extends StoredObject {
  involvedObject: ObjectReference;
  reason: string;
  message: string;
  source: EventSource;
  firstTimestamp: string | null;
  lastTimestamp: string | null;
  count?: number;
  type: 'Normal' | 'Warning';
  eventTime: string | null;
  series?: { count: number; lastObservedTime: string };
  action?: string;
  reportingComponent: string;
  reportingInstance: string;
}

/** The time of an object: whole seconds, as the API writes them. */
export function timestamp(ms: number): string {
  return `${new Date(Math.floor(ms / 1000) * 1000).toISOString().slice(0, 19)}Z`;
}

/** With six digits of a second, as `eventTime` has them. */
export function microTime(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 23)}000Z`;
}

export function isReadyPod({ status }: Pod): boolean {
  return status.conditions?.some(({ type, status: value }) => type === 'Ready' && value === 'True') ?? false;
}

export function isFinishedPod(pod: Pod): boolean {
  return pod.status.phase === 'Succeeded' || pod.status.phase === 'Failed';
}

export function jobCondition(job: Job, type: string): 'True' | 'False' | undefined {
  const status = job.status.conditions?.find((condition) => condition.type === type)?.status;
  return status === 'True' || status === 'False' ? status : undefined;
}

export function isFinishedJob(job: Job): boolean {
  return jobCondition(job, 'Complete') === 'True' || jobCondition(job, 'Failed') === 'True';
}

/** The uid of the controller that owns an object. */
export function controllerOf(object: StoredObject): string | undefined {
  return object.metadata.ownerReferences?.find((owner) => owner.controller)?.uid;
}

/** An init container that keeps running beside the others (kubernetes-facts.md 139). */
export function isSidecar(container: Container): boolean {
  return container.restartPolicy === 'Always';
}

export function isTerminated(state: ContainerState | undefined): boolean {
  return state?.terminated !== undefined;
}
