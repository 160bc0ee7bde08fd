/**
 * Job status streams (launcher-plugin-api.md section 8.2): the current state of every job a subscriber may see, then each
 * change, one message for all who may see the job. While the launcher does not read, only the latest state of a job is kept.
 */
import type { Jobs, Requester } from '../jobs/contract.ts';
import type { Job } from '../jobs/job.ts';
import { JobError } from '../jobs/job-error.ts';
import type { Log } from '../system/log.ts';
import type { RefuseStream } from './in-flight.ts';
import { compareRequestIds, type RequestId } from './request-id.ts';
import { type Response, SEQUENCE_BYTES, sequencesThatFit, statusResponse } from './responses.ts';
import { MAX_SEQUENCES, MAX_SUBSCRIPTIONS } from './session-limits.ts';
import { SharedLimit } from './shares.ts';
import type { Writer } from './writer.ts';

interface StatusStreamsOptions {
  readonly jobs: Jobs;
  readonly writer: Pick<Writer, 'isFree' | 'maxMessageSize' | 'send'>;
  readonly log: Log;
  /** Nothing is sent before: the messages carry request id 0, which would look like the Bootstrap answer. */
  readonly bootstrapped: Promise<void>;
  /** Resolves after the first list of jobs, rejects if it is late. */
  readonly synced: () => Promise<void>;
  readonly refuse: RefuseStream;
}

interface Subscription {
  readonly requestId: RequestId;
  readonly requester: Requester;
  /** An id, or '*'. */
  readonly jobId: string;
  seqId: number;
  /** False until its current states begin to be sent: they include every earlier change. */
  started: boolean;
  /** Job ids that it still has to receive, while its current states are sent. */
  remaining?: Set<string> | undefined;
}

/** A state that is to be sent to these subscriptions. */
interface Delivery {
  readonly job: Job;
  readonly subscriptions: readonly Subscription[];
}

/** Upper bound for the parts of a status message that are not counted one by one. */
const ENVELOPE_BYTES = 400;

export class StatusStreams {
  readonly #options: StatusStreamsOptions;
  readonly #unsubscribe: () => void;
  readonly #places = new SharedLimit(MAX_SUBSCRIPTIONS, 'status streams', 'cancel some and ask again');
  /** The user of each request that waits or has a subscription. */
  readonly #holders = new Map<RequestId, Requester>();
  /** Requests that wait for the first list of jobs; the last one of an id counts. */
  readonly #waiting = new Map<RequestId, symbol>();
  readonly #subscriptions = new Map<RequestId, Subscription>();
  /** By user, then by the job id of the request: a user with many streams costs the changes of other users nothing. */
  readonly #byUser = new Map<Requester, Map<string, Set<Subscription>>>();
  /** Latest state of jobs that changed and were not sent yet, in the order of their first change. */
  readonly #changed = new Map<string, Job>();
  /** Subscriptions that wait for their current states: those of one user one after the other, users in turn. */
  readonly #starting = new Map<Requester, Set<Subscription>>();
  /** What did not fit into one message. */
  #delivery: Delivery | undefined;
  #changesFirst = true;
  #isBootstrapped = false;
  #isWriting = false;
  #closed = false;

  constructor(options: StatusStreamsOptions) {
    this.#options = options;
    this.#unsubscribe = options.jobs.onChange((job) => {
      if (this.#subscriptions.size === 0) return;
      this.#changed.set(job.id, job);
      this.#pump();
    });
    void options.bootstrapped.then(() => {
      this.#isBootstrapped = true;
      this.#pump();
    });
  }

  /**
   * Sends the current states, then changes. For an active id the current states are sent again and the count continues. A
   * refusal is answered with an Error.
   */
  start(requestId: RequestId, jobId: string, requester: Requester): void {
    const { synced, refuse } = this.#options;
    const denial = this.#holders.has(requestId) ? undefined : this.#places.take(requester);
    if (denial !== undefined) {
      void refuse(requestId, requester, new JobError('unknown', denial));
      return;
    }
    if (!this.#holders.has(requestId)) this.#holders.set(requestId, requester);
    const request = Symbol(requestId);
    const isWaiting = (): boolean => this.#waiting.get(requestId) === request;
    this.#waiting.set(requestId, request);
    synced()
      .then(() => {
        if (isWaiting()) this.#subscribe(requestId, jobId, requester);
      })
      .catch((error: unknown) => refuse(requestId, requester, error, isWaiting))
      .finally(() => {
        if (!isWaiting()) return;
        this.#waiting.delete(requestId);
        this.#release(requestId);
      });
  }

  /** Sends nothing more for this id. */
  cancel(requestId: RequestId): void {
    this.#waiting.delete(requestId);
    const subscription = this.#subscriptions.get(requestId);
    if (subscription !== undefined) this.#remove(subscription);
    this.#release(requestId);
  }

  close(): void {
    this.#closed = true;
    this.#unsubscribe();
    this.#subscriptions.clear();
    this.#byUser.clear();
    this.#starting.clear();
    this.#changed.clear();
  }

  #subscribe(requestId: RequestId, jobId: string, requester: Requester): void {
    if (jobId !== '*') this.#options.jobs.find(jobId, requester);
    const known = this.#subscriptions.get(requestId);
    if (known !== undefined) this.#remove(known);
    const subscription = { requestId, requester, jobId, seqId: known?.seqId ?? 0, started: false };
    this.#subscriptions.set(requestId, subscription);
    const ofUser = this.#byUser.get(requester) ?? new Map<string, Set<Subscription>>();
    this.#byUser.set(requester, ofUser.set(jobId, (ofUser.get(jobId) ?? new Set()).add(subscription)));
    this.#starting.set(requester, (this.#starting.get(requester) ?? new Set()).add(subscription));
    this.#pump();
  }

  #remove(subscription: Subscription): void {
    this.#subscriptions.delete(subscription.requestId);
    const ofUser = this.#byUser.get(subscription.requester);
    const same = ofUser?.get(subscription.jobId);
    same?.delete(subscription);
    if (same?.size === 0) ofUser?.delete(subscription.jobId);
    if (ofUser?.size === 0) this.#byUser.delete(subscription.requester);
    this.#stopStarting(subscription);
  }

  /** Gives the place of a request back that neither waits nor has a subscription. */
  #release(requestId: RequestId): void {
    const holder = this.#holders.get(requestId);
    if (holder === undefined || this.#waiting.has(requestId) || this.#subscriptions.has(requestId)) return;
    this.#holders.delete(requestId);
    this.#places.giveBack(holder);
  }

  #stopStarting(subscription: Subscription): void {
    subscription.remaining = undefined;
    const ofUser = this.#starting.get(subscription.requester);
    ofUser?.delete(subscription);
    if (ofUser?.size === 0) this.#starting.delete(subscription.requester);
  }

  /** Sends at once what it can; the rest, in its latest state, when the launcher has read. */
  #pump(): void {
    const { writer } = this.#options;
    if (this.#isWriting || !this.#isBootstrapped) return;
    const next = (): Response | undefined => this.#nextMessage();
    while (!this.#isIdle() && writer.isFree) void writer.send(next);
    if (this.#isIdle()) return;
    this.#isWriting = true;
    void writer.send(next).then(() => {
      this.#isWriting = false;
      this.#pump();
    });
  }

  #isIdle(): boolean {
    return this.#closed || (this.#delivery === undefined && this.#changed.size === 0 && this.#starting.size === 0);
  }

  #nextMessage(): Response | undefined {
    for (let next = this.#nextDelivery(); next !== undefined; next = this.#nextDelivery()) {
      const { job, subscriptions } = next;
      this.#delivery = undefined;
      const isActive = (one: Subscription): boolean => this.#subscriptions.get(one.requestId) === one;
      try {
        const message = this.#messageOf(job, subscriptions.filter(isActive));
        if (message !== undefined) return message;
      } catch (error) {
        this.#logBug(job.id, error);
      }
    }
    return undefined;
  }

  #nextDelivery(): Delivery | undefined {
    if (this.#delivery !== undefined) return this.#delivery;
    this.#changesFirst = !this.#changesFirst;
    return this.#changesFirst
      ? (this.#nextChange() ?? this.#nextCurrent())
      : (this.#nextCurrent() ?? this.#nextChange());
  }

  /** The next change that a subscriber may see. */
  #nextChange(): Delivery | undefined {
    for (const [id, job] of this.#changed) {
      this.#changed.delete(id);
      const subscriptions = this.#subscriptionsTo(job).filter(({ started }) => started);
      if (subscriptions.length === 0) continue;
      for (const { remaining } of subscriptions) remaining?.delete(id);
      return { job, subscriptions: subscriptions.toSorted((a, b) => compareRequestIds(a.requestId, b.requestId)) };
    }
    return undefined;
  }

  #subscriptionsTo(job: Job): readonly Subscription[] {
    return [...this.#byUser].flatMap(([requester, byJob]) => {
      const asked = [byJob.get('*'), byJob.get(job.id)].filter((same) => same !== undefined);
      return asked.length > 0 && this.#options.jobs.visible(job, requester) ? asked.flatMap((same) => [...same]) : [];
    });
  }

  /** The next current state that a new subscription still has to receive: one state for each user in turn. */
  #nextCurrent(): Delivery | undefined {
    for (const [requester, subscriptions] of this.#starting) {
      for (const subscription of subscriptions) {
        const job = this.#nextStateFor(subscription);
        if (job === undefined) continue;
        this.#starting.delete(requester);
        this.#starting.set(requester, subscriptions);
        return { job, subscriptions: [subscription] };
      }
    }
    return undefined;
  }

  /** Undefined: the subscription has its current states, or was refused. */
  #nextStateFor(subscription: Subscription): Job | undefined {
    const { requestId, requester } = subscription;
    try {
      subscription.remaining ??= this.#startStates(subscription);
    } catch (error) {
      this.#remove(subscription);
      this.#release(requestId);
      void this.#options.refuse(requestId, requester, error);
      return undefined;
    }
    for (const id of subscription.remaining) {
      subscription.remaining.delete(id);
      const job = this.#visibleJob(id, requester);
      if (job !== undefined) return job;
    }
    this.#stopStarting(subscription);
    return undefined;
  }

  /** Ids of the jobs to send, without those that have a change to be sent to all subscribers. */
  #startStates(subscription: Subscription): Set<string> {
    const { jobId, requester } = subscription;
    subscription.started = true;
    const ids = jobId === '*' ? this.#options.jobs.list(requester).map(({ id }) => id) : [jobId];
    return new Set(ids.filter((id) => !this.#changed.has(id)));
  }

  #visibleJob(id: string, requester: Requester): Job | undefined {
    try {
      return this.#options.jobs.find(id, requester);
    } catch (error) {
      if (!(error instanceof JobError)) this.#logBug(id, error);
      return undefined;
    }
  }

  /** One message with as many subscriptions as fit; the others follow. The state's message is cut if it alone does not fit. */
  #messageOf(job: Job, active: Subscription[]): Response | undefined {
    const { maxMessageSize } = this.#options.writer;
    const room = maxMessageSize - ENVELOPE_BYTES - Buffer.byteLength(JSON.stringify([job.id, job.name]));
    const statusMessage = job.statusMessage.slice(0, Math.max(0, Math.floor((room - SEQUENCE_BYTES) / 6)));
    const free = room - Buffer.byteLength(JSON.stringify(statusMessage));
    const now = active.splice(0, Math.min(MAX_SEQUENCES, sequencesThatFit(free)));
    if (now.length === 0) return undefined;
    if (active.length > 0) this.#delivery = { job, subscriptions: active };
    const sequences = now.map((subscription) => ({
      requestId: subscription.requestId,
      seqId: ++subscription.seqId,
    }));
    return statusResponse(sequences, job, statusMessage);
  }

  #logBug(job: string, error: unknown): void {
    this.#options.log.error('BUG: cannot report a job state; skipping it until the job changes', { job, error });
  }
}
