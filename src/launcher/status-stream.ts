/**
 * Job status streams (launcher-plugin-api.md section 8.2): the current state of every job a subscriber may see, then each
 * change, one message for all who may see the job. While the launcher does not read, only the latest state of a job is kept.
 */
import type { Jobs, Requester } from '../jobs/contract.ts';
import type { Job } from '../jobs/job.ts';
import { JobError } from '../jobs/job-error.ts';
import type { Log } from '../system/log.ts';
import { SharedLimit } from '../system/shares.ts';
import type { RefuseStream } from './in-flight.ts';
import { compareRequestIds, type RequestId } from './request-id.ts';
import { type Response, SEQUENCE_BYTES, sequencesThatFit, statusResponse } from './responses.ts';
import { MAX_SEQUENCES, MAX_SUBSCRIPTIONS } from './session-limits.ts';
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
  /** Undefined until its current states begin to be sent: they include every earlier change. */
  start?: Start;
}

/** Current states that are sent to subscriptions of one user to the same jobs. */
interface Start {
  readonly subscriptions: readonly Subscription[];
  /** Job ids that they still have to receive. */
  readonly remaining: Set<string>;
}

/** A state that is to be sent to these subscriptions. */
interface Delivery {
  readonly job: Job;
  readonly subscriptions: readonly Subscription[];
}

/** What waits to be sent because of one user. */
interface Feed {
  /** Jobs of this user that changed, in the order of their first change. */
  readonly changed: Set<string>;
  /** Subscriptions of this user that wait for their current states, by the job id of the request. */
  readonly starting: Map<string, Set<Subscription>>;
  start?: Start | undefined;
  /** What did not fit into one message. */
  rest?: Delivery | undefined;
  changesFirst: boolean;
}

/** From this number of subscriptions on, those of one user to the same jobs receive current states together. */
const MIN_TOGETHER = 16;

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
  /** Latest state of jobs that changed and were not sent yet. */
  readonly #changed = new Map<string, Job>();
  /** By user; only where something waits. One message of each is sent in turn. */
  readonly #feeds = new Map<Requester, Feed>();
  #isBootstrapped = false;
  #isWriting = false;
  #closed = false;

  constructor(options: StatusStreamsOptions) {
    this.#options = options;
    this.#unsubscribe = options.jobs.onChange((job) => {
      if (this.#subscriptions.size === 0) return;
      if (!this.#changed.has(job.id)) this.#feedOf(job.user).changed.add(job.id);
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
    this.#feeds.clear();
    this.#changed.clear();
  }

  #subscribe(requestId: RequestId, jobId: string, requester: Requester): void {
    if (jobId !== '*') this.#options.jobs.find(jobId, requester);
    const known = this.#subscriptions.get(requestId);
    if (known !== undefined) this.#remove(known);
    const subscription = { requestId, requester, jobId, seqId: known?.seqId ?? 0 };
    this.#subscriptions.set(requestId, subscription);
    const ofUser = this.#byUser.get(requester) ?? new Map<string, Set<Subscription>>();
    this.#byUser.set(requester, ofUser.set(jobId, (ofUser.get(jobId) ?? new Set()).add(subscription)));
    const { starting } = this.#feedOf(requester);
    starting.set(jobId, (starting.get(jobId) ?? new Set()).add(subscription));
    this.#pump();
  }

  #remove(subscription: Subscription): void {
    this.#subscriptions.delete(subscription.requestId);
    const ofUser = this.#byUser.get(subscription.requester);
    const same = ofUser?.get(subscription.jobId);
    same?.delete(subscription);
    if (same?.size === 0) ofUser?.delete(subscription.jobId);
    if (ofUser?.size === 0) this.#byUser.delete(subscription.requester);
    const feed = this.#feeds.get(subscription.requester);
    if (feed !== undefined) stopWaiting(feed, subscription);
  }

  #feedOf(user: Requester): Feed {
    const feed = this.#feeds.get(user) ?? { changed: new Set(), starting: new Map(), changesFirst: false };
    this.#feeds.set(user, feed);
    return feed;
  }

  /** Gives the place of a request back that neither waits nor has a subscription. */
  #release(requestId: RequestId): void {
    const holder = this.#holders.get(requestId);
    if (holder === undefined || this.#waiting.has(requestId) || this.#subscriptions.has(requestId)) return;
    this.#holders.delete(requestId);
    this.#places.giveBack(holder);
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
    return this.#closed || this.#feeds.size === 0;
  }

  #nextMessage(): Response | undefined {
    for (const [user, feed] of this.#feeds) {
      const message = this.#nextMessageOf(feed);
      this.#feeds.delete(user);
      if (message === undefined) continue;
      if (!isEmpty(feed)) this.#feeds.set(user, feed);
      return message;
    }
    return undefined;
  }

  /** Undefined: nothing waits in this feed. */
  #nextMessageOf(feed: Feed): Response | undefined {
    for (let next = this.#nextDelivery(feed); next !== undefined; next = this.#nextDelivery(feed)) {
      const { job, subscriptions } = next;
      feed.rest = undefined;
      try {
        const active = subscriptions.filter((one) => this.#isActive(one));
        const message = this.#messageOf(job, active);
        if (active.length > 0) feed.rest = { job, subscriptions: active };
        if (message !== undefined) return message;
      } catch (error) {
        this.#logBug(job.id, error);
      }
    }
    return undefined;
  }

  #isActive(subscription: Subscription): boolean {
    return this.#subscriptions.get(subscription.requestId) === subscription;
  }

  #nextDelivery(feed: Feed): Delivery | undefined {
    if (feed.rest !== undefined) return feed.rest;
    feed.changesFirst = !feed.changesFirst;
    return feed.changesFirst
      ? (this.#nextChange(feed) ?? this.#nextCurrent(feed))
      : (this.#nextCurrent(feed) ?? this.#nextChange(feed));
  }

  /** The next change that a subscriber may see. */
  #nextChange(feed: Feed): Delivery | undefined {
    for (const id of feed.changed) {
      feed.changed.delete(id);
      const job = this.#changed.get(id);
      this.#changed.delete(id);
      if (job === undefined) continue;
      const subscriptions = this.#subscriptionsTo(job).filter(({ start }) => start !== undefined);
      if (subscriptions.length === 0) continue;
      for (const { start } of subscriptions) start?.remaining.delete(id);
      // An earlier state must not follow.
      for (const other of this.#feeds.values()) if (other.rest?.job.id === id) other.rest = undefined;
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

  /** The next current state that new subscriptions still have to receive. */
  #nextCurrent(feed: Feed): Delivery | undefined {
    for (;;) {
      feed.start ??= this.#nextStart(feed);
      if (feed.start === undefined) return undefined;
      const { subscriptions, remaining } = feed.start;
      const requester = subscriptions.find((one) => this.#isActive(one))?.requester;
      for (const id of remaining) {
        remaining.delete(id);
        const job = requester === undefined ? undefined : this.#visibleJob(id, requester);
        if (job !== undefined) return { job, subscriptions };
      }
      feed.start = undefined;
    }
  }

  /** Those that wait for the same jobs start together if they are many. Refuses them if their jobs cannot be listed. */
  #nextStart(feed: Feed): Start | undefined {
    for (const same of feed.starting.values()) {
      const subscriptions = [...same]
        .slice(0, same.size < MIN_TOGETHER ? 1 : MAX_SEQUENCES)
        .sort((a, b) => compareRequestIds(a.requestId, b.requestId));
      for (const subscription of subscriptions) stopWaiting(feed, subscription);
      try {
        const [first] = subscriptions;
        const start = { subscriptions, remaining: first === undefined ? new Set<string>() : this.#startStates(first) };
        for (const subscription of subscriptions) subscription.start = start;
        return start;
      } catch (error) {
        for (const subscription of subscriptions) this.#refuse(subscription, error);
      }
    }
    return undefined;
  }

  #refuse(subscription: Subscription, error: unknown): void {
    const { requestId, requester } = subscription;
    this.#remove(subscription);
    this.#release(requestId);
    void this.#options.refuse(requestId, requester, error);
  }

  /** Ids of the jobs to send, without those that have a change to be sent to all subscribers. */
  #startStates({ jobId, requester }: Subscription): Set<string> {
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

  /** One message with as many subscriptions as fit, which are removed from `active`. The state's message is cut if it alone does not fit. */
  #messageOf(job: Job, active: Subscription[]): Response | undefined {
    const { maxMessageSize } = this.#options.writer;
    const room = maxMessageSize - ENVELOPE_BYTES - Buffer.byteLength(JSON.stringify([job.id, job.name]));
    const statusMessage = job.statusMessage.slice(0, Math.max(0, Math.floor((room - SEQUENCE_BYTES) / 6)));
    const free = room - Buffer.byteLength(JSON.stringify(statusMessage));
    const now = active.splice(0, Math.min(MAX_SEQUENCES, sequencesThatFit(free)));
    if (now.length === 0) return undefined;
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

function stopWaiting({ starting }: Feed, subscription: Subscription): void {
  const same = starting.get(subscription.jobId);
  same?.delete(subscription);
  if (same?.size === 0) starting.delete(subscription.jobId);
}

function isEmpty({ changed, starting, start, rest }: Feed): boolean {
  return changed.size === 0 && starting.size === 0 && rest === undefined && (start?.remaining.size ?? 0) === 0;
}
