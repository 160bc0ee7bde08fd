/**
 * Requests that get one answer, and how each comes about (protocol section 7, and 201 and 202 of section 15).
 */
import type { Jobs } from '../jobs/contract.ts';
import { type Job, jobWriter } from '../jobs/job.ts';
import { JobError } from '../jobs/job-error.ts';
import type { Log } from '../system/log.ts';
import { FieldError, type InferRead, readFields } from '../system/schema.ts';
import { filterJobs } from './filter.ts';

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

/** Seven options as the launcher passes them on; a member that is not there was not pushed and keeps its last value. */
export type InheritedSettings = Omit<InferRead<typeof INHERITED_SETTINGS>, 'includePluginMetricsIntervalSeconds'>;

/** Reads the configuration again; must not reject. Called once at a time. */
export type Reload = (inherited: InheritedSettings, generation: number) => Promise<ReloadResult>;

/** What the answers are made from. */
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

/** Requests with one answer that is found here; Bootstrap and heartbeats are the session's own. */
type AnsweredKind = Exclude<RequestKind, StreamKind | 'heartbeat' | 'bootstrap'>;

/** Makes the response when it is about to be written; undefined: nobody waits for it any more. Throws JobError. */
export type MakeAnswer = () => Response | undefined;

/** A request of one of these kinds. */
export type AnsweredRequest = { [K in AnsweredKind]: RequestOf<K> }[AnsweredKind];

type Answers = {
  readonly [K in AnsweredKind]: (request: RequestOf<K>, context: AnswerContext) => Promise<MakeAnswer>;
};

/** Does what is asked. Rejects with JobError, or throws it when the answer is made. */
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
  submit: async ({ requestId, username, job }, context) => {
    const systemJob = job.systemJob && username === '*';
    const submitted = await context.jobs.submit({ ...job, systemJob }, username, context.timeLeft());
    return () => jobsResponse(requestId, jobTexts([submitted], [], context));
  },

  getJobs: async (request, context) => () => {
    const { requestId, jobId, username, fields } = request;
    const { jobs, log } = context;
    if (jobId !== '*') return jobsResponse(requestId, jobTexts([jobs.find(jobId, username)], fields, context));
    const leftOut = (job: Job, error: unknown): void =>
      log.error('BUG: a job cannot be written and is left out of the list', { job: job.id, error });
    return jobsResponse(requestId, jobTexts(filterJobs(jobs.list(username), request), fields, context, leftOut));
  },

  control: async ({ requestId, jobId, username, operation }, { jobs }) => {
    const result = await jobs.control(jobId, username, operation);
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

/** Requests about jobs that wait until jobs are known; a submit and cluster info have the cluster's own answer to wait for. */
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

/** More than everything in a list of jobs but the jobs. */
const ENVELOPE_BYTES = 200;

/**
 * The jobs as JSON. Throws JobError if they do not fit into one message. `leftOut` is told of each that cannot be
 * written; without it, that is thrown.
 */
function jobTexts(
  jobs: readonly Job[],
  fields: readonly string[],
  context: AnswerContext,
  leftOut?: (job: Job, error: unknown) => void,
): readonly string[] {
  const write = jobWriter(context.minor(), fields);
  const texts: string[] = [];
  let bytes = ENVELOPE_BYTES;
  for (const job of jobs) {
    let text: string;
    try {
      text = JSON.stringify(write(job));
    } catch (error) {
      if (leftOut === undefined) throw error;
      leftOut(job, error);
      continue;
    }
    bytes += Buffer.byteLength(text) + 1;
    if (bytes > context.maxMessageSize) {
      throw new JobError(
        'invalid-request',
        `${jobs.length === 1 ? 'the job does' : `the ${jobs.length} jobs do`} not fit into a message of ${context.maxMessageSize} bytes ` +
          '(max-message-size); ask for less with fields, tags, statuses, startTime or endTime',
      );
    }
    texts.push(text);
  }
  return texts;
}
