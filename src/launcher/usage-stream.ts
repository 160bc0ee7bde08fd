/**
 * Resource utilisation streams (protocol 8.4): one reading of measurements per job, each message for all who asked for
 * that job; complete when the job has ended.
 */
import type { Jobs, JobUsage, Requester } from '../jobs/contract.ts';
import { JobError } from '../jobs/job-error.ts';
import type { Log } from '../system/log.ts';
import type { RefuseStream } from './answering.ts';
import { MAX_SUBSCRIPTIONS } from './limits.ts';
import { compareRequestIds, type RequestId } from './request-id.ts';
import { type Sequence, sequencesThatFit, usageResponse } from './responses.ts';
import type { Writer } from './writer.ts';

interface UsageStreams {
  /** Starts a stream, or joins the one of the same job; does nothing if this id has one. What is refused is answered with an Error. */
  readonly start: (requestId: RequestId, jobId: string, requester: Requester) => void;
  /** Nothing more is sent for this id. */
  readonly cancel: (requestId: RequestId) => void;
  readonly close: () => void;
}

interface UsageStreamsOptions {
  readonly jobs: Jobs;
  readonly writer: Writer;
  readonly log: Log;
  /** Nothing is sent before: the messages carry requestId 0, which would be taken for the Bootstrap answer. */
  readonly mayBegin: Promise<void>;
  /** Resolves when jobs are known, rejects if they are not in time. */
  readonly ready: () => Promise<void>;
  readonly refuse: RefuseStream;
}

/** All who asked for one job, and the reading that serves them. */
interface Reading {
  readonly jobId: string;
  /** The last seqId of each. */
  readonly subscribers: Map<RequestId, number>;
  readonly stop: AbortController;
  /** A measurement came: who joins now is served whatever the job's state. */
  measured: boolean;
}

/** One request; without a reading while it waits for jobs to be known. */
interface Subscription {
  reading?: Reading;
}

export function createUsageStreams(options: UsageStreamsOptions): UsageStreams {
  const { jobs, writer, log, mayBegin, ready, refuse } = options;
  /** By job. */
  const readings = new Map<string, Reading>();
  /** What serves each request. */
  const served = new Map<RequestId, Subscription>();

  const leave = (requestId: RequestId): void => {
    const reading = served.get(requestId)?.reading;
    served.delete(requestId);
    reading?.subscribers.delete(requestId);
    if (reading?.subscribers.size === 0) end(reading);
  };

  const end = (reading: Reading): void => {
    reading.stop.abort();
    if (readings.get(reading.jobId) === reading) readings.delete(reading.jobId);
    for (const requestId of reading.subscribers.keys()) served.delete(requestId);
  };

  /** Tells all who ask now, in as few messages as fit. */
  const tell = async (reading: Reading, usage: JobUsage, complete: boolean): Promise<void> => {
    await mayBegin;
    const atOnce = sequencesThatFit(writer.maxMessageSize - ENVELOPE_BYTES);
    const requestIds = [...reading.subscribers.keys()].sort(compareRequestIds);
    for (let from = 0; from < requestIds.length; from += atOnce) {
      await writer.send(() => {
        const sequences = requestIds.slice(from, from + atOnce).flatMap((id) => numbered(reading, id));
        return sequences.length === 0 ? undefined : usageResponse(sequences, usage, complete);
      });
    }
  };

  /** The next number of a subscriber; none if it has left. */
  const numbered = (reading: Reading, requestId: RequestId): Sequence[] => {
    const last = reading.subscribers.get(requestId);
    if (last === undefined) return [];
    reading.subscribers.set(requestId, last + 1);
    return [{ requestId, seqId: last + 1 }];
  };

  const read = async (reading: Reading, requester: Requester): Promise<void> => {
    const { signal } = reading.stop;
    try {
      for await (const usage of jobs.usage(reading.jobId, requester, signal)) {
        reading.measured = true;
        await tell(reading, usage, false);
        if (signal.aborted) return;
      }
    } catch (error) {
      if (signal.aborted) return;
      if (!reading.measured) {
        const refused = [...reading.subscribers.keys()];
        end(reading);
        for (const requestId of refused) void refuse(requestId, error);
        return;
      }
      log.warning('The resource use of a job cannot be measured any more', { job: reading.jobId, error });
    }
    // Who asks from now on begins anew, and hears that the job is not running.
    readings.delete(reading.jobId);
    await tell(reading, {}, true);
    end(reading);
  };

  const join = (subscription: Subscription, requestId: RequestId, jobId: string, requester: Requester): void => {
    jobs.find(jobId, requester);
    const known = readings.get(jobId);
    const reading = known ?? { jobId, subscribers: new Map(), stop: new AbortController(), measured: false };
    reading.subscribers.set(requestId, 0);
    subscription.reading = reading;
    if (known !== undefined) return;
    readings.set(jobId, reading);
    void read(reading, requester);
  };

  return {
    start: (requestId, jobId, requester) => {
      if (served.has(requestId)) return;
      if (served.size >= MAX_SUBSCRIPTIONS) {
        const error = new JobError(
          'unknown',
          `there are ${MAX_SUBSCRIPTIONS} streams of resource use already; cancel some first`,
        );
        void refuse(requestId, error);
        return;
      }
      const subscription: Subscription = {};
      served.set(requestId, subscription);
      const isActive = (): boolean => served.get(requestId) === subscription;
      ready()
        .then(() => {
          if (isActive()) join(subscription, requestId, jobId, requester);
        })
        .catch((error: unknown) => {
          if (!isActive()) return;
          served.delete(requestId);
          void refuse(requestId, error);
        });
    },
    cancel: leave,
    close: () => {
      for (const reading of readings.values()) reading.stop.abort();
      readings.clear();
      served.clear();
    },
  };
}

/** More than everything in a usage message but its sequences. */
const ENVELOPE_BYTES = 400;
