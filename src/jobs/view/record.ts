/** A job as the repository knows it, and how the protocol shows it. */
import { type Job, TERMINAL_STATES } from '../job.ts';
import type { SeenPod } from './observation.ts';
import type { JobView, ServiceView } from './projection.ts';
import type { Outcome } from './situation.ts';

/** One job and all that is known of it. */
export interface JobEntry {
  readonly id: string;
  readonly uid: string;
  readonly job: JobView;
  readonly pod: SeenPod | undefined;
  readonly service: ServiceView | undefined;
  /** What was announced last. */
  readonly outcome: Outcome;
  /** Its program was seen running, or its Job said so. */
  readonly ran: boolean;
  /** Its Job object is gone, or is no longer marked as ours. */
  readonly gone: boolean;
}

/** What is known of the pods and services of all jobs, by the uid of their job. */
export interface Parts {
  readonly pods: Map<string, PodsOfJob>;
  readonly services: Map<string, ServiceView>;
}

/** A class, because there are many: members of their own that are functions would be most of an entry. */
export class Entry implements JobEntry {
  readonly id: string;
  readonly uid: string;
  readonly #parts: Parts;
  job: JobView;
  outcome = UNKNOWN;
  ran: boolean;
  announced = false;
  gone = false;
  /** The Job and its pods are being read, or were read, before a doubtful end. */
  reading: 'no' | 'running' | 'done' = 'no';
  createWarning = '';
  inputProblem = '';

  constructor(job: JobView, parts: Parts) {
    this.id = job.name;
    this.uid = job.uid;
    this.#parts = parts;
    this.job = job;
    this.ran = job.result?.startedAt !== undefined;
  }

  get pod(): SeenPod | undefined {
    return newestOf(this.#parts.pods.get(this.uid) ?? []);
  }

  get service(): ServiceView | undefined {
    return this.#parts.services.get(this.uid);
  }
}

/** Pods of one job; those that are gone stay until a newer one comes, because they tell how it ended. */
export type PodsOfJob = readonly SeenPod[];

export const UNKNOWN: Outcome = { state: 'Pending', statusCode: 'Pending', message: '' };

export const isTerminal = ({ outcome }: JobEntry): boolean => TERMINAL_STATES.has(outcome.state);

/** The job as the protocol shows it. */
export function jobOf({ id, job, pod, service, outcome }: JobEntry): Job {
  const { request } = job;
  return {
    ...request,
    exposedPorts: request.exposedPorts.map((port) => {
      const published = service?.ports.find(
        ({ targetPort, protocol }) => targetPort === port.targetPort && protocol === port.protocol,
      );
      return port.publishedPort !== undefined || published === undefined
        ? port
        : { ...port, publishedPort: published.published };
    }),
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

/** A pod that is there before one that is gone; else the younger. */
function isNewer(a: SeenPod, b: SeenPod): boolean {
  if (a.present !== b.present) return a.present;
  if (a.view.createdAt !== b.view.createdAt) return a.view.createdAt > b.view.createdAt;
  return Number(a.view.resourceVersion) > Number(b.view.resourceVersion);
}

export function newestOf(pods: PodsOfJob): SeenPod | undefined {
  let newest: SeenPod | undefined;
  for (const pod of pods) if (newest === undefined || isNewer(pod, newest)) newest = pod;
  return newest;
}
