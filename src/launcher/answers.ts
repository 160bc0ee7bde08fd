/**
 * Requests that get one answer, and how each answer is made (launcher-plugin-api.md section 7, messages 201 and 202 of
 * section 15).
 */
import type { Jobs } from '../jobs/contract.ts';
import type { Job, JobState } from '../jobs/job.ts';
import type { Log } from '../system/log.ts';
import { FieldError, type InferRead, readFields } from '../system/schema.ts';
import { encodeJob, encodeJobs } from './job-encoding.ts';
import { INHERITED_SETTINGS, type RequestKind, type RequestOf, type StreamKind } from './requests.ts';
import {
  clusterInfoResponse,
  controlResponse,
  jobsResponse,
  loadBalancerNodesResponse,
  networkResponse,
  type ReloadResult,
  type Response,
  reloadResponse,
} from './responses.ts';
import type { SlicedBuild } from './sliced-build.ts';

/** Seven options as the launcher sends them; an absent field was not sent and keeps its last value. */
export type InheritedSettings = Omit<InferRead<typeof INHERITED_SETTINGS>, 'includePluginMetricsIntervalSeconds'>;

/** Reads the configuration again; must not reject. Called once at a time. */
export type Reload = (settings: InheritedSettings, generation: number) => Promise<ReloadResult>;

interface AnswerContext {
  readonly jobs: Jobs;
  readonly reload: Reload;
  readonly log: Log;
  readonly maxMessageSize: number;
  /** The minor version of the launcher's API. */
  readonly minor: () => number;
  /** Milliseconds that are left for this request. */
  readonly timeLeft: () => number;
}

/** Requests with one answer that is made here; the session answers Bootstrap and heartbeats. */
type AnsweredKind = Exclude<RequestKind, StreamKind | 'heartbeat' | 'bootstrap'>;

/** Builds the response when it is about to be written; undefined if no client waits for it. Throws JobError. */
export type MakeAnswer = () => Response | SlicedBuild<Response> | undefined;

/** A request of one of these kinds. */
export type AnsweredRequest = { [K in AnsweredKind]: RequestOf<K> }[AnsweredKind];

type Answers = {
  readonly [K in AnsweredKind]: (request: RequestOf<K>, context: AnswerContext) => Promise<MakeAnswer>;
};

/** Does what the request asks for. Rejects with JobError, or throws it when the answer is built. */
export function answerTo(request: AnsweredRequest, context: AnswerContext): Promise<MakeAnswer> {
  switch (request.kind) {
    case 'submit':
      return ANSWERS.submit(request, context);
    case 'getJobs':
      return ANSWERS.getJobs(request, context);
    case 'control':
      return ANSWERS.control(request, context);
    case 'network':
      return ANSWERS.network(request, context);
    case 'clusterInfo':
      return ANSWERS.clusterInfo(request, context);
    case 'loadBalancerNodes':
      return ANSWERS.loadBalancerNodes(request, context);
    case 'reload':
      return ANSWERS.reload(request, context);
  }
}

const ANSWERS: Answers = {
  submit: async ({ requestId, username, requestUsername, job }, context) => {
    const systemJob = job.systemJob && username === '*';
    const submitted = await context.jobs.submit(
      { ...job, systemJob },
      username,
      context.timeLeft(),
      requestUsername || username,
    );
    const { jobs, maxMessageSize, minor } = context;
    return function* () {
      const json = encodeJob(submitted, jobs.onChange, { maxMessageSize, minor: minor(), fields: [] });
      return jobsResponse(requestId, yield* json);
    };
  },

  getJobs: async (request, context) =>
    function* () {
      const { requestId, jobId, username, fields } = request;
      const { jobs, log, maxMessageSize, minor } = context;
      const { onChange } = jobs;
      const list = { maxMessageSize, minor: minor(), fields };
      if (jobId !== '*') {
        return jobsResponse(requestId, yield* encodeJob(jobs.find(jobId, username), onChange, list));
      }
      const skipped = (job: Job, error: unknown): void =>
        log.error('BUG: job cannot be encoded; skipping it in the list', { job: job.id, error });
      const accepts = jobFilter(request);
      const found = filterJobs(jobs.list(username), accepts);
      return jobsResponse(requestId, yield* encodeJobs({ jobs: found, accepts, onChange }, list, skipped));
    },

  control: async ({ requestId, jobId, username, requestUsername, operation }, { jobs }) => {
    const result = await jobs.control(jobId, username, operation, requestUsername || username);
    return () => controlResponse(requestId, result);
  },

  network: async ({ requestId, jobId, username }, { jobs }) => {
    const network = await jobs.network(jobId, username);
    return () => networkResponse(requestId, network);
  },

  clusterInfo: async ({ requestId, username }, { jobs, minor }) => {
    const info = await jobs.clusterInfo(username);
    return () => clusterInfoResponse(requestId, info, minor());
  },

  loadBalancerNodes:
    async ({ requestId }) =>
    () =>
      loadBalancerNodesResponse(requestId),

  reload: async ({ requestId, generation, inheritedSettings }, { reload }) => {
    const result = await applySettings(inheritedSettings, generation, reload);
    return () => reloadResponse(requestId, generation, result);
  },
};

/** Requests that wait for the API server; the others are answered from memory. */
export const CALL_API: ReadonlySet<AnsweredKind> = new Set(['submit', 'control', 'network', 'clusterInfo']);

/** Requests that wait for the first list of jobs; a submit and cluster info ask the API server themselves. */
export const NEED_JOBS: ReadonlySet<AnsweredKind> = new Set(['getJobs', 'control', 'network']);

async function applySettings(
  pushed: Readonly<Record<string, unknown>>,
  generation: number,
  reload: Reload,
): Promise<ReloadResult> {
  try {
    const { includePluginMetricsIntervalSeconds, ...settings } = readFields(INHERITED_SETTINGS, pushed);
    const { pluginMetricsIntervalSeconds, ...others } = settings;
    return await reload(includePluginMetricsIntervalSeconds ? settings : others, generation);
  } catch (error) {
    if (!(error instanceof FieldError)) throw error;
    return { errorType: 2, errorMessage: `inheritedSettings.${error.message}`, applied: [], pendingRestart: [] };
  }
}

/** Conditions of a Get jobs request (section 7.4); absent or empty ones accept every job. */
interface JobFilter {
  /** The job has all of them. */
  readonly tags: readonly string[];
  /** Submitted at or after; milliseconds since 1970. */
  readonly startTime?: number;
  /** Submitted at or before; milliseconds since 1970. */
  readonly endTime?: number;
  /** The job is in one of them; '' is the unknown state. */
  readonly statuses: readonly (JobState | '')[];
}

/** Does a job meet all conditions? Request and jobs may have thousands of tags. */
export function jobFilter(filter: JobFilter): (job: Job) => boolean {
  const { startTime = Number.NEGATIVE_INFINITY, endTime = Number.POSITIVE_INFINITY } = filter;
  const tags = new Set(filter.tags);
  const statuses = new Set(filter.statuses);
  return (job) =>
    (statuses.size === 0 || statuses.has(job.status)) &&
    job.submissionTime >= startTime &&
    job.submissionTime <= endTime &&
    (tags.size === 0 || hasAll(job.tags, tags));
}

/** The jobs that are accepted, by id in byte order. */
export function filterJobs(jobs: readonly Job[], accepts: (job: Job) => boolean): readonly Job[] {
  return jobs.filter(accepts).sort((a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0));
}

function hasAll(tags: readonly string[], wanted: ReadonlySet<string>): boolean {
  const found = new Set<string>();
  for (const tag of tags) if (wanted.has(tag)) found.add(tag);
  return found.size === wanted.size;
}
