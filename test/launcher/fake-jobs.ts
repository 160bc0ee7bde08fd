/**
 * A scripted domain for the tests of the Launcher's side: jobs are where the test puts them, and every call can be
 * held, refused or answered by hand.
 */
import type {
  ClusterInfo,
  ControlOperation,
  ControlResult,
  JobNetwork,
  Jobs,
  JobUsage,
  Requester,
} from '../../src/jobs/contract.ts';
import type { Job, JobRequest } from '../../src/jobs/job.ts';
import { JobError } from '../../src/jobs/job-error.ts';
import { withOwner } from '../../src/jobs/policy/policy.ts';
import { EMPTY_REQUEST } from '../support/job-request.ts';

/** An async iterable that a test feeds. Reading is counted, so that a test sees who stopped reading. */
interface Feed<T> {
  readonly push: (value: T) => void;
  readonly end: () => void;
  readonly fail: (error: unknown) => void;
  /** Values that somebody took. */
  readonly taken: () => number;
  readonly iterate: (signal: AbortSignal) => AsyncIterable<T>;
}

function createFeed<T>(): Feed<T> {
  const values: T[] = [];
  let over = false;
  let failure: unknown;
  let taken = 0;
  let wakers: (() => void)[] = [];
  const wake = (): void => {
    const now = wakers;
    wakers = [];
    for (const waker of now) waker();
  };
  return {
    push: (value) => {
      values.push(value);
      wake();
    },
    end: () => {
      over = true;
      wake();
    },
    fail: (error) => {
      failure = error;
      over = true;
      wake();
    },
    taken: () => taken,
    iterate: async function* (signal) {
      signal.addEventListener('abort', wake, { once: true });
      for (let next = 0; ; ) {
        signal.throwIfAborted();
        const value = values[next];
        if (next < values.length && value !== undefined) {
          next++;
          taken++;
          yield value;
        } else if (over) {
          if (failure !== undefined) throw failure;
          return;
        } else {
          await new Promise<void>((resolve) => wakers.push(resolve));
        }
      }
    },
  };
}

async function* encoded(texts: AsyncIterable<string>): AsyncGenerator<Uint8Array> {
  for await (const text of texts) yield Buffer.from(text);
}

const EMPTY_INFO: ClusterInfo = {
  allowUnknownImages: true,
  images: [],
  defaultImage: '',
  config: [],
  resourceLimits: [],
  placementConstraints: [],
  resourceProfiles: [],
};

export interface FakeJobs extends Jobs {
  /** What was asked, in order: `control job-1 alice stop`. */
  readonly calls: string[];
  readonly submitted: { request: JobRequest; requester: Requester; timeoutMs: number | undefined }[];
  /** Adds or changes a job and notifies listeners. */
  readonly put: (job: Partial<Job> & { id: string }) => Job;
  readonly remove: (id: string) => void;
  readonly outputOf: (id: string) => Feed<string>;
  readonly usageOf: (id: string) => Feed<JobUsage>;
  /** How many iterations of output or usage are open. */
  readonly reading: () => number;
  /** Replaces what a call does. */
  readonly on: {
    synced: (signal: AbortSignal) => Promise<void>;
    submit: ((request: JobRequest, requester: Requester) => Promise<Job>) | undefined;
    control: (id: string, operation: ControlOperation) => Promise<ControlResult>;
    network: (id: string) => Promise<JobNetwork>;
    clusterInfo: (requester: Requester) => Promise<ClusterInfo>;
  };
}

/** 2026-01-02T03:04:05Z */
export const SUBMITTED_AT = 1767323045000;

export function aJob(job: Partial<Job> & { id: string }): Job {
  return {
    ...EMPTY_REQUEST,
    name: job.id,
    command: 'true',
    resourceProfile: 'custom',
    status: 'Pending',
    statusMessage: '',
    statusCode: '',
    submissionTime: SUBMITTED_AT,
    lastUpdateTime: SUBMITTED_AT,
    ...job,
  };
}

export function createFakeJobs(): FakeJobs {
  const jobs = new Map<string, Job>();
  const listeners = new Set<(job: Job) => void>();
  const outputs = new Map<string, Feed<string>>();
  const usages = new Map<string, Feed<JobUsage>>();
  const calls: string[] = [];
  const submitted: FakeJobs['submitted'] = [];
  let reading = 0;

  const visible = (job: Job, requester: Requester): boolean => requester === '*' || requester === job.user;
  const find = (id: string, requester: Requester): Job => {
    const job = jobs.get(id);
    if (job === undefined || !visible(job, requester))
      throw new JobError('job-not-found', `no job ${id} for ${requester}`);
    return job;
  };
  const put = (job: Partial<Job> & { id: string }): Job => {
    const now = { ...(jobs.get(job.id) ?? aJob({ id: job.id })), ...job };
    jobs.set(job.id, now);
    for (const listener of listeners) listener(now);
    return now;
  };
  const feed = <T>(feeds: Map<string, Feed<T>>, id: string): Feed<T> => {
    const known = feeds.get(id) ?? createFeed<T>();
    feeds.set(id, known);
    return known;
  };
  async function* counted<T>(values: AsyncIterable<T>): AsyncGenerator<T, void, undefined> {
    reading++;
    try {
      yield* values;
    } finally {
      reading--;
    }
  }
  const on: FakeJobs['on'] = {
    synced: async () => {},
    submit: undefined,
    control: async () => ({ complete: true, message: '' }),
    network: async () => ({ host: 'node-1', ipAddresses: ['10.0.0.7'] }),
    clusterInfo: async () => EMPTY_INFO,
  };

  return {
    calls,
    submitted,
    on,
    put,
    remove: (id) => jobs.delete(id),
    outputOf: (id) => feed(outputs, id),
    usageOf: (id) => feed(usages, id),
    reading: () => reading,
    synced: (signal) => on.synced(signal),
    submit: async (asked, requester, timeoutMs) => {
      const request = withOwner(asked, requester);
      calls.push(`submit ${request.name} ${requester}`);
      submitted.push({ request, requester, timeoutMs });
      if (on.submit !== undefined) return on.submit(request, requester);
      return put({ ...request, stdin: '', id: `job-${submitted.length}`, status: 'Pending' });
    },
    find,
    list: (requester) => [...jobs.values()].filter((job) => visible(job, requester)),
    onChange: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    visible,
    control: async (id, requester, operation) => {
      find(id, requester);
      calls.push(`control ${id} ${requester} ${operation}`);
      return on.control(id, operation);
    },
    output: (id, requester, signal) => {
      find(id, requester);
      calls.push(`output ${id} ${requester}`);
      return counted(encoded(feed(outputs, id).iterate(signal)));
    },
    usage: (id, requester, signal) => {
      if (find(id, requester).status !== 'Running') throw new JobError('job-not-running', `job ${id} is not running`);
      calls.push(`usage ${id} ${requester}`);
      return counted(feed(usages, id).iterate(signal));
    },
    network: async (id, requester) => {
      find(id, requester);
      return on.network(id);
    },
    clusterInfo: (requester) => on.clusterInfo(requester),
  };
}

/** Jobs with network calls that stay open until the test answers them. */
export function heldJobs(): { jobs: FakeJobs; held: { id: string; answer: () => void }[] } {
  const jobs = createFakeJobs();
  const held: { id: string; answer: () => void }[] = [];
  jobs.on.network = (id) =>
    new Promise((resolve) => held.push({ id, answer: () => resolve({ host: id, ipAddresses: [] }) }));
  return { jobs, held };
}
