/**
 * Job status streams (protocol 8.2): the present state of every job a subscriber may see, then each change, one message
 * for all who may see the job. While the launcher does not read, only the latest state of each job is remembered.
 */
import type { Jobs, Requester } from '../jobs/contract.ts';
import type { Job } from '../jobs/job.ts';
import { JobError } from '../jobs/job-error.ts';
import type { Log } from '../system/log.ts';
import type { RefuseStream } from './answering.ts';
import { MAX_SUBSCRIPTIONS } from './limits.ts';
import { compareRequestIds, type RequestId } from './request-id.ts';
import { type Response, SEQUENCE_BYTES, sequencesThatFit, statusResponse } from './responses.ts';
import type { Writer } from './writer.ts';

interface Subscription {
  readonly requestId: RequestId;
  readonly requester: Requester;
  /** An id, or '*'. */
  readonly jobId: string;
  seqId: number;
  /** False until its present states begin to be sent: they will hold everything that changes before. */
  begun: boolean;
}

/** A state on its way to subscriptions. */
interface Delivery {
  readonly job: Job;
  readonly subscriptions: readonly Subscription[];
}

interface StatusStreams {
  /**
   * Sends the present states, then changes. Again with an active id: the states are sent again, the count goes on. What is
   * refused is answered with an Error.
   */
  readonly start: (requestId: RequestId, jobId: string, requester: Requester) => void;
  readonly cancel: (requestId: RequestId) => void;
  readonly close: () => void;
}

interface StatusStreamsOptions {
  readonly jobs: Jobs;
  readonly writer: Writer;
  readonly log: Log;
  /** Nothing is sent before: the messages carry requestId 0, which would be taken for the Bootstrap answer. */
  readonly mayBegin: Promise<void>;
  /** Resolves when jobs are known, rejects if they are not in time. */
  readonly ready: () => Promise<void>;
  readonly refuse: RefuseStream;
}

export function createStatusStreams(options: StatusStreamsOptions): StatusStreams {
  const { jobs, writer, log, mayBegin, ready, refuse } = options;
  /** Requests that wait for jobs to be known; the last one of an id counts. */
  const waiting = new Map<RequestId, symbol>();
  const subscriptions = new Map<RequestId, Subscription>();
  /** By the jobId that they asked for. */
  const byJob = new Map<string, Set<Subscription>>();
  /** Latest state of jobs that changed and were not sent yet, in the order in which they first changed. */
  const changed = new Map<string, Job>();
  /** Subscriptions that wait for their present states, and the ids that are left of the first one's. */
  const beginning = new Set<Subscription>();
  let left: Set<string> | undefined;
  /** What did not fit into one message. */
  let delivery: Delivery | undefined;
  let changesFirst = true;
  let begun = false;
  let waitsForWriter = false;
  let closed = false;

  const isActive = (subscription: Subscription): boolean => subscriptions.get(subscription.requestId) === subscription;

  const remove = (subscription: Subscription): void => {
    subscriptions.delete(subscription.requestId);
    const same = byJob.get(subscription.jobId);
    same?.delete(subscription);
    if (same?.size === 0) byJob.delete(subscription.jobId);
    stopBeginning(subscription);
  };

  const stopBeginning = (subscription: Subscription): void => {
    const [first] = beginning;
    if (first === subscription) left = undefined;
    beginning.delete(subscription);
  };

  /** The next change that somebody may see. */
  const nextChange = (): Delivery | undefined => {
    for (const [id, job] of changed) {
      changed.delete(id);
      const asked = [...(byJob.get('*') ?? []), ...(byJob.get(id) ?? [])];
      const seen = asked.filter(({ begun, requester }) => begun && jobs.visible(job, requester));
      if (seen.length === 0) continue;
      const [first] = beginning;
      if (first !== undefined && seen.includes(first)) left?.delete(id);
      return { job, subscriptions: seen.sort((a, b) => compareRequestIds(a.requestId, b.requestId)) };
    }
    return undefined;
  };

  /** The next present state that a subscription still has to be told. */
  const nextInitial = (): Delivery | undefined => {
    for (const subscription of beginning) {
      try {
        left ??= begin(subscription);
      } catch (error) {
        remove(subscription);
        void refuse(subscription.requestId, error);
        continue;
      }
      for (const id of left) {
        left.delete(id);
        const job = present(id, subscription.requester);
        if (job !== undefined) return { job, subscriptions: [subscription] };
      }
      stopBeginning(subscription);
    }
    return undefined;
  };

  /** The ids to tell, less those whose change waits to be sent to everybody. */
  const begin = (subscription: Subscription): Set<string> => {
    const { jobId, requester } = subscription;
    subscription.begun = true;
    const ids = jobId === '*' ? jobs.list(requester).map(({ id }) => id) : [jobId];
    return new Set(ids.filter((id) => !changed.has(id)));
  };

  const present = (id: string, requester: Requester): Job | undefined => {
    try {
      return jobs.find(id, requester);
    } catch (error) {
      if (!(error instanceof JobError)) cannotTell(id, error);
      return undefined;
    }
  };

  const cannotTell = (id: string, error: unknown): void =>
    log.error('BUG: the state of a job cannot be told', { job: id, error });

  const nextDelivery = (): Delivery | undefined => {
    changesFirst = !changesFirst;
    return changesFirst ? (nextChange() ?? nextInitial()) : (nextInitial() ?? nextChange());
  };

  const nextMessage = (): Response | undefined => {
    for (delivery ??= nextDelivery(); delivery !== undefined; delivery ??= nextDelivery()) {
      const { job, subscriptions } = delivery;
      delivery = undefined;
      try {
        const message = messageOf(job, subscriptions.filter(isActive));
        if (message !== undefined) return message;
      } catch (error) {
        cannotTell(job.id, error);
      }
    }
    return undefined;
  };

  /** One message, with as many subscriptions as fit, the others the next time; the state's own text is cut if it alone would not. */
  const messageOf = (job: Job, active: Subscription[]): Response | undefined => {
    const room = writer.maxMessageSize - ENVELOPE_BYTES - Buffer.byteLength(JSON.stringify([job.id, job.name]));
    const statusMessage = job.statusMessage.slice(0, Math.max(0, Math.floor((room - SEQUENCE_BYTES) / 6)));
    const free = room - Buffer.byteLength(JSON.stringify(statusMessage));
    const now = active.splice(0, sequencesThatFit(free));
    if (now.length === 0) return undefined;
    if (active.length > 0) delivery = { job, subscriptions: active };
    const sequences = now.map((subscription) => ({
      requestId: subscription.requestId,
      seqId: ++subscription.seqId,
    }));
    return statusResponse(sequences, job, statusMessage);
  };

  const idle = (): boolean => closed || (delivery === undefined && changed.size === 0 && beginning.size === 0);

  /** Sends at once what can be; the rest, by then perhaps newer, when the launcher has read. */
  const pump = (): void => {
    if (waitsForWriter || !begun) return;
    while (!idle() && writer.isFree()) void writer.send(nextMessage);
    if (idle()) return;
    waitsForWriter = true;
    void writer.send(nextMessage).then(() => {
      waitsForWriter = false;
      pump();
    });
  };
  void mayBegin.then(() => {
    begun = true;
    pump();
  });

  const subscribe = (requestId: RequestId, jobId: string, requester: Requester): void => {
    if (jobId !== '*') jobs.find(jobId, requester);
    const known = subscriptions.get(requestId);
    if (known !== undefined) remove(known);
    const subscription = { requestId, requester, jobId, seqId: known?.seqId ?? 0, begun: false };
    subscriptions.set(requestId, subscription);
    const same = byJob.get(jobId) ?? new Set();
    byJob.set(jobId, same.add(subscription));
    beginning.add(subscription);
    pump();
  };

  const stopListening = jobs.onChange((job) => {
    if (subscriptions.size === 0) return;
    changed.set(job.id, job);
    pump();
  });

  return {
    start: (requestId, jobId, requester) => {
      const request = Symbol(requestId);
      const isWaiting = (): boolean => waiting.get(requestId) === request;
      if (waiting.size + subscriptions.size >= MAX_SUBSCRIPTIONS && !subscriptions.has(requestId)) {
        void refuse(requestId, tooMany());
        return;
      }
      waiting.set(requestId, request);
      ready()
        .then(() => {
          if (isWaiting()) subscribe(requestId, jobId, requester);
        })
        .catch((error: unknown) => refuse(requestId, error, isWaiting))
        .finally(() => {
          if (isWaiting()) waiting.delete(requestId);
        });
    },
    cancel: (requestId) => {
      waiting.delete(requestId);
      const subscription = subscriptions.get(requestId);
      if (subscription !== undefined) remove(subscription);
    },
    close: () => {
      closed = true;
      stopListening();
      subscriptions.clear();
      byJob.clear();
      beginning.clear();
      changed.clear();
    },
  };
}

/** More than everything in a status message that is not counted by itself. */
const ENVELOPE_BYTES = 400;

const tooMany = (): JobError =>
  new JobError('unknown', `there are ${MAX_SUBSCRIPTIONS} status streams already; cancel some and ask again`);
