/** Job record: everything that this process knows of one job, and the job as the launcher protocol shows it. */
import { type Job, TERMINAL_STATES } from '../job.ts';
import type { PodObservation } from './observation.ts';
import type { JobId, JobUid, JobView, ServiceView } from './projection.ts';
import type { Outcome } from './state-inputs.ts';

/** Whether the Job and its pods are read once more before a final state is announced. */
type Confirmation = 'none' | 'needed' | 'done';

/** What was read before a final state is announced. */
export interface Confirmed {
  /** There is such a Job. */
  readonly exists: boolean;
  /** Its container has run. */
  readonly ran: boolean;
}

export interface JobRecord {
  readonly id: JobId;
  readonly uid: JobUid;
  readonly job: JobView;
  readonly pod: PodObservation | undefined;
  readonly service: ServiceView | undefined;
  /** The state that was announced last. */
  readonly outcome: Outcome;
  /** The row of the state table that gave `outcome`. */
  readonly cause: string;
  /** Its container was observed running, or its Job or an event said so. */
  readonly ran: boolean;
  /** Its Job object was deleted, or is no longer labeled as ours. */
  readonly deleted: boolean;
  readonly confirmation: Confirmation;
}

/** Pods and services of all jobs. */
export interface ObservationsByJob {
  /** By the uid of their Job. */
  readonly pods: Map<JobUid, PodsOfJob>;
  /** By the id of their Job: Services of adopted jobs have no owner reference. */
  readonly services: Map<JobId, ServiceView>;
}

/** Record in the repository. A class, because a repository holds thousands: functions of their own would be most of a record. */
export class TrackedJob implements JobRecord {
  readonly id: JobId;
  readonly uid: JobUid;
  readonly #observations: ObservationsByJob;
  job: JobView;
  outcome: Outcome = NOT_EVALUATED;
  cause = 'pending';
  ran: boolean;
  isAnnounced = false;
  deleted = false;
  confirmation: Confirmation = 'none';
  createWarning = '';
  inputProblem = '';

  constructor(job: JobView, observations: ObservationsByJob) {
    this.id = job.name;
    this.uid = job.uid;
    this.#observations = observations;
    this.job = job;
    this.ran = job.result?.startedAt !== undefined;
  }

  get pod(): PodObservation | undefined {
    return newestOf(this.#observations.pods.get(this.uid) ?? []);
  }

  get service(): ServiceView | undefined {
    const service = this.#observations.services.get(this.id);
    return service?.ownerUid === '' || service?.ownerUid === this.uid ? service : undefined;
  }
}

/** Until the first evaluation. */
const NOT_EVALUATED: Outcome = { state: 'Pending', statusCode: 'Pending', message: '' };

/** Pods of one job. A deleted pod is kept until a newer one exists, because it holds the exit code. */
type PodsOfJob = readonly PodObservation[];

export const isTerminal = ({ outcome }: JobRecord): boolean => TERMINAL_STATES.has(outcome.state);

/** When a Pending job became Pending; undefined while it is suspended. A pod that replaced one that ran begins again. */
export function pendingSince({ job, pod, ran }: Pick<JobRecord, 'job' | 'pod' | 'ran'>): number | undefined {
  if (job.suspended) return undefined;
  return ran && pod?.present === true ? Math.max(job.startedAt, pod.view.createdAt) : job.startedAt;
}

/** The port at the addresses that a network request reports: those of a load balancer or of the cluster, else of the nodes. */
function publishedPort({ type, ingress }: ServiceView, { port, nodePort }: ServiceView['ports'][number]): number {
  const isAtService = type === 'ClusterIP' || (type === 'LoadBalancer' && ingress.length > 0);
  return isAtService ? port : (nodePort ?? port);
}

/** A job may have 1,000 ports, so those of its Service are looked up by key. */
function publishedPorts(ports: Job['exposedPorts'], service: ServiceView): Job['exposedPorts'] {
  const keyOf = ({ targetPort, protocol }: { targetPort: number; protocol: string }): string =>
    `${targetPort}/${protocol}`;
  // Of two ports of a Service with one target the first counts.
  const byKey = new Map(service.ports.toReversed().map((port) => [keyOf(port), port]));
  return ports.map((port) => {
    const published = byKey.get(keyOf(port));
    if (published === undefined || port.publishedPort !== undefined) return port;
    return { ...port, publishedPort: publishedPort(service, published) };
  });
}

/** The job as the launcher protocol shows it. */
export function jobOf({ id, job, pod, service, outcome }: JobRecord): Job {
  const { request } = job;
  return {
    ...request,
    exposedPorts: service === undefined ? request.exposedPorts : publishedPorts(request.exposedPorts, service),
    host: pod?.view.node || request.host,
    id,
    status: outcome.state,
    statusMessage: outcome.message,
    statusCode: outcome.statusCode,
    ...(outcome.exitCode === undefined ? {} : { exitCode: outcome.exitCode }),
    submissionTime: job.createdAt,
    lastUpdateTime: Math.max(job.lastTransition, pod?.view.lastTransition ?? 0),
  };
}

/** An existing pod is newer than a deleted one; else the pod that was created later is newer. */
function isNewer(a: PodObservation, b: PodObservation): boolean {
  if (a.present !== b.present) return a.present;
  if (a.view.createdAt !== b.view.createdAt) return a.view.createdAt > b.view.createdAt;
  return Number(a.view.resourceVersion) > Number(b.view.resourceVersion);
}

export function newestOf(pods: PodsOfJob): PodObservation | undefined {
  let newest: PodObservation | undefined;
  for (const pod of pods) if (newest === undefined || isNewer(pod, newest)) newest = pod;
  return newest;
}
