/**
 * Resource utilization streams (launcher-plugin-api.md section 8.4): one measurement per job, each message for all requests
 * for that job; complete when the job has ended.
 */
import type { Jobs, JobUsage, Requester } from '../jobs/contract.ts';
import { JobError } from '../jobs/job-error.ts';
import type { Log } from '../system/log.ts';
import { SharedLimit } from '../system/shares.ts';
import type { RefuseStream } from './in-flight.ts';
import { compareRequestIds, type RequestId } from './request-id.ts';
import { type Sequence, sequencesThatFit, usageResponse } from './responses.ts';
import { MAX_SEQUENCES, MAX_SUBSCRIPTIONS } from './session-limits.ts';
import type { Writer } from './writer.ts';

interface UsageStreamsOptions {
  readonly jobs: Jobs;
  readonly writer: Writer;
  readonly log: Log;
  /** Nothing is sent before: the messages carry request id 0, which would look like the Bootstrap answer. */
  readonly bootstrapped: Promise<void>;
  /** Resolves after the first list of jobs, rejects if it is late. */
  readonly synced: () => Promise<void>;
  readonly refuse: RefuseStream;
}

/** The measurements of one job, and the requests that receive them. */
interface Measurement {
  readonly jobId: string;
  /** The last seqId of each request. */
  readonly subscribers: Map<RequestId, number>;
  readonly stop: AbortController;
  /** A value was read: a request that joins now is served whatever the job's state. */
  hasValue: boolean;
}

/** One request; without a measurement while it waits for the first list of jobs. */
interface Subscription {
  readonly requester: Requester;
  measurement?: Measurement;
}

/** Upper bound for all of a usage message but its sequences. */
const ENVELOPE_BYTES = 400;

export class UsageStreams {
  readonly #options: UsageStreamsOptions;
  /** By job id. */
  readonly #measurements = new Map<string, Measurement>();
  readonly #subscriptions = new Map<RequestId, Subscription>();
  readonly #places = new SharedLimit(MAX_SUBSCRIPTIONS, 'resource usage streams', 'cancel some and ask again');

  constructor(options: UsageStreamsOptions) {
    this.#options = options;
  }

  /** Starts a stream, or joins the one of the same job; does nothing if this id has one. A refusal is answered with an Error. */
  start(requestId: RequestId, jobId: string, requester: Requester): void {
    const { synced, refuse } = this.#options;
    if (this.#subscriptions.has(requestId)) return;
    const denial = this.#places.take(requester);
    if (denial !== undefined) {
      void refuse(requestId, requester, new JobError('unknown', denial));
      return;
    }
    const subscription: Subscription = { requester };
    this.#subscriptions.set(requestId, subscription);
    const isActive = (): boolean => this.#subscriptions.get(requestId) === subscription;
    synced()
      .then(() => {
        if (isActive()) this.#join(subscription, requestId, jobId, requester);
      })
      .catch((error: unknown) => {
        if (!isActive()) return;
        this.#remove(requestId);
        void refuse(requestId, requester, error);
      });
  }

  /** Sends nothing more for this id. */
  cancel(requestId: RequestId): void {
    const measurement = this.#subscriptions.get(requestId)?.measurement;
    this.#remove(requestId);
    measurement?.subscribers.delete(requestId);
    if (measurement?.subscribers.size === 0) this.#end(measurement);
  }

  close(): void {
    for (const measurement of this.#measurements.values()) measurement.stop.abort();
    this.#measurements.clear();
    this.#subscriptions.clear();
  }

  #join(subscription: Subscription, requestId: RequestId, jobId: string, requester: Requester): void {
    this.#options.jobs.find(jobId, requester);
    const known = this.#measurements.get(jobId);
    const measurement = known ?? { jobId, subscribers: new Map(), stop: new AbortController(), hasValue: false };
    measurement.subscribers.set(requestId, 0);
    subscription.measurement = measurement;
    if (known !== undefined) return;
    this.#measurements.set(jobId, measurement);
    void this.#measure(measurement, requester);
  }

  async #measure(measurement: Measurement, requester: Requester): Promise<void> {
    const { jobs, log, refuse } = this.#options;
    const { signal } = measurement.stop;
    try {
      for await (const usage of jobs.usage(measurement.jobId, requester, signal)) {
        measurement.hasValue = true;
        await this.#send(measurement, usage, false);
        if (signal.aborted) return;
      }
    } catch (error) {
      if (signal.aborted) return;
      if (!measurement.hasValue) {
        const refused = [...measurement.subscribers.keys()];
        this.#end(measurement);
        for (const requestId of refused) void refuse(requestId, requester, error);
        return;
      }
      log.warning('Measuring resource usage failed; ending its streams', { job: measurement.jobId, error });
    }
    // A request from now on starts a new measurement, which reports that the job is not running.
    this.#measurements.delete(measurement.jobId);
    await this.#send(measurement, {}, true);
    this.#end(measurement);
  }

  /** Sends a value to all requests for the job, in as few messages as fit. */
  async #send(measurement: Measurement, usage: JobUsage, complete: boolean): Promise<void> {
    const { writer, bootstrapped } = this.#options;
    await bootstrapped;
    const perMessage = Math.min(MAX_SEQUENCES, sequencesThatFit(writer.maxMessageSize - ENVELOPE_BYTES));
    const requestIds = [...measurement.subscribers.keys()].sort(compareRequestIds);
    for (let from = 0; from < requestIds.length; from += perMessage) {
      await writer.send(() => {
        const sequences = requestIds.slice(from, from + perMessage).flatMap((id) => nextSequence(measurement, id));
        return sequences.length === 0 ? undefined : usageResponse(sequences, usage, complete);
      });
    }
  }

  #end(measurement: Measurement): void {
    measurement.stop.abort();
    const { jobId, subscribers } = measurement;
    if (this.#measurements.get(jobId) === measurement) this.#measurements.delete(jobId);
    for (const requestId of subscribers.keys()) this.#remove(requestId);
  }

  #remove(requestId: RequestId): void {
    const subscription = this.#subscriptions.get(requestId);
    if (subscription === undefined) return;
    this.#subscriptions.delete(requestId);
    this.#places.giveBack(subscription.requester);
  }
}

/** The next sequence number of a request; none if it was canceled. */
function nextSequence({ subscribers }: Measurement, requestId: RequestId): readonly Sequence[] {
  const last = subscribers.get(requestId);
  if (last === undefined) return [];
  subscribers.set(requestId, last + 1);
  return [{ requestId, seqId: last + 1 }];
}
