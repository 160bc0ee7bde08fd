/**
 * Repository of all jobs in memory: joins Jobs, pods, Services and events as the watches deliver them, evaluates the state of
 * each job, and notifies listeners. Only the watches change it.
 */
import type { ReflectorEvent } from '../../kubernetes/contract.ts';
import { Listeners } from '../../system/async.ts';
import type { Requester } from '../contract.ts';
import { TERMINAL_STATES } from '../job.ts';
import { JobError } from '../job-error.ts';
import { maySee } from '../policy/policy.ts';
import { observePod, podEnded, podRan } from './observation.ts';
import {
  type EventView,
  type JobId,
  type JobUid,
  type JobView,
  jobId,
  type PodView,
  type ServiceView,
} from './projection.ts';
import { isInformative } from './reasons.ts';
import { type Confirmed, isTerminal, type JobRecord, newestOf, type ObservationsByJob, TrackedJob } from './record.ts';
import { evaluateDeleted, evaluateState, type StateEvaluation } from './state.ts';
import type { Outcome, StateInputs } from './state-inputs.ts';

/** Newest warning and newest image pull of a pod, or of a Job without a pod. */
interface EventSummary {
  readonly warning?: EventView;
  readonly pulling?: EventView;
}

/** Listeners to the progress of one job. */
interface FollowedJob {
  readonly listeners: Listeners;
  progress: string;
}

function progressOf(record: JobRecord): string {
  const { pod, deleted } = record;
  const ofJob = `${isTerminal(record)} ${deleted}`;
  if (pod === undefined) return ofJob;
  const { view, present } = pod;
  return [ofJob, view.uid, present, podRan(view), podEnded(view), view.deletion !== undefined].join(' ');
}

const isSameOutcome = (a: Outcome, b: Outcome): boolean =>
  a.state === b.state && a.statusCode === b.statusCode && a.message === b.message && a.exitCode === b.exitCode;

/** Limit of the pods that are kept for unknown Jobs. */
const MAX_UNKNOWN_JOBS = 1_000;
/** Limit of the unknown Jobs and pods of which events are kept. */
const MAX_UNKNOWN_SUBJECTS = 1_000;
const MAX_FINAL_STATES = 1_000;

export class Repository {
  readonly #byUid = new Map<JobUid, TrackedJob>();
  readonly #byId = new Map<JobId, TrackedJob>();
  readonly #byUser = new Map<string, Set<TrackedJob>>();
  readonly #observations: ObservationsByJob = { pods: new Map(), services: new Map() };
  readonly #jobOfPod = new Map<PodView['uid'], JobUid>();
  readonly #eventsOf = new Map<JobUid | PodView['uid'], EventSummary>();
  /** Uids of Jobs and pods that were unknown when an event of them came, the oldest first. */
  readonly #unknownSubjects = new Set<EventView['subject']>();
  /** Uids of unknown Jobs without an existing pod, the oldest first. */
  readonly #unknownJobs = new Set<JobUid>();
  /** Uids of deleted Jobs with an existing pod. */
  readonly #leavingJobs = new Set<JobUid>();
  /** Final states of jobs that left the repository: a Job that is labeled again keeps its final state. */
  readonly #finalStates = new Map<JobUid, Pick<StateEvaluation, 'outcome' | 'cause'>>();
  readonly #hiddenIds = new Set<JobId>();
  readonly #changes = new Listeners<[JobRecord]>();
  readonly #updates = new Listeners<[JobRecord]>();
  readonly #followed = new Map<JobRecord, FollowedJob>();
  #isOpen = false;

  readonly applyJob = ({ type, object }: ReflectorEvent<JobView>): void => {
    const isDeleted = type === 'DELETED';
    const record = this.#byUid.get(object.uid) ?? (isDeleted ? undefined : this.#add(object));
    if (record === undefined) return;
    this.#setJob(record, object);
    record.deleted = isDeleted;
    this.#refresh(record);
    if (isDeleted && (!this.#isOpen || this.#hiddenIds.delete(record.id))) this.#forget(record);
  };

  readonly applyPod = (event: ReflectorEvent<PodView>): void => {
    if (event.type === 'DELETED') this.#observe(event.object, false, event.found);
    else this.#observe(event.object, true);
  };

  readonly applyService = ({ type, object }: ReflectorEvent<ServiceView>): void => {
    const { services } = this.#observations;
    const { jobId: id, uid } = object;
    if (id === '') return;
    const known = services.get(id);
    if (type === 'DELETED') {
      if (known?.uid === uid) services.delete(id);
    } else if (known === undefined || known.uid === uid || isPreferred(object, known)) services.set(id, object);
    const record = this.#byId.get(id);
    if (record !== undefined) this.#refresh(record);
  };

  readonly applyEvent = ({ type, object }: ReflectorEvent<EventView>): void => {
    const { subject } = object;
    const known = this.#eventsOf.get(subject) ?? {};
    const summary = type === 'DELETED' ? withoutEvent(known, object) : withEvent(known, object);
    if (summary === known) return;
    if (summary.warning === undefined && summary.pulling === undefined) this.#eventsOf.delete(subject);
    else this.#eventsOf.set(subject, summary);
    this.#refreshUid(this.#jobOfPod.get(subject) ?? subject);
  };

  /** Is this a Job of ours, or a pod of one? */
  hasSubject(subject: EventView['subject']): boolean {
    return this.#byUid.has(subject) || this.#jobOfPod.has(subject);
  }

  /** Keeps an event for a while: its watch may be ahead of those of jobs and pods. Most are of objects of other clients. */
  keepEarlyEvent(event: EventView): void {
    this.applyEvent({ type: 'ADDED', object: event });
    if (!this.#eventsOf.has(event.subject)) return;
    this.#unknownSubjects.add(event.subject);
    if (this.#unknownSubjects.size <= MAX_UNKNOWN_SUBJECTS) return;
    const [oldest] = this.#unknownSubjects;
    if (oldest === undefined) return;
    this.#unknownSubjects.delete(oldest);
    if (!this.hasSubject(oldest)) this.#eventsOf.delete(oldest);
  }

  /** Jobs and pods were listed: states are announced from now on. Each request that waited for the lists calls this. */
  open(): void {
    if (this.#isOpen) return;
    this.#isOpen = true;
    for (const record of [...this.#byUid.values()]) this.#refresh(record);
  }

  /** Hides a job until its submit has ended (docs/architecture.md section 4). */
  hide(id: JobId): void {
    this.#hiddenIds.add(id);
  }

  reveal(id: JobId): void {
    if (!this.#hiddenIds.delete(id)) return;
    const record = this.#byId.get(id);
    if (record !== undefined) this.#refresh(record);
  }

  /** Sets the warnings of the create; shown while there is no better reason. */
  setCreateWarning(id: JobId, warning: string): void {
    const record = this.#byId.get(id);
    if (record === undefined) return;
    record.createWarning = warning;
    this.#refresh(record);
  }

  /** Sets the problem of the input of a running job; '' for none. */
  setInputProblem(id: JobId, problem: string): void {
    const record = this.#byId.get(id);
    if (record === undefined || record.inputProblem === problem) return;
    record.inputProblem = problem;
    this.#refresh(record);
  }

  /** Ends the confirmation of a final state. If its Job does not exist, its deletion is awaited. */
  confirm({ uid, confirmation }: JobRecord, { exists, ran }: Confirmed): void {
    const record = this.#byUid.get(uid);
    if (record === undefined || confirmation !== 'needed') return;
    record.ran ||= ran;
    record.confirmation = exists || record.deleted ? 'done' : 'none';
    if (record.confirmation === 'done') this.#refresh(record);
  }

  /** Is this the uid of a Job of ours? */
  has(uid: JobUid): boolean {
    return this.#byUid.has(uid);
  }

  get(id: JobId): JobRecord | undefined {
    const record = this.#byId.get(id);
    return record !== undefined && this.#isVisible(record) ? record : undefined;
  }

  /** Throws JobError 'job-not-found', also for a job of another user. */
  find(id: string, requester: Requester): JobRecord {
    const record = this.get(jobId(id));
    if (record === undefined || !maySee(record.job.request.user, requester))
      throw new JobError('job-not-found', `There is no job ${id} for user ${requester}.`);
    return record;
  }

  *records(): Iterable<JobRecord> {
    for (const record of this.#byUid.values()) if (this.#isVisible(record)) yield record;
  }

  *recordsOf(requester: Requester): Iterable<JobRecord> {
    if (requester === '*') yield* this.records();
    else for (const record of this.#byUser.get(requester) ?? []) if (this.#isVisible(record)) yield record;
  }

  /** Called after each change of the announced outcome of a job. Returns what removes the listener. */
  onChange(listener: (record: JobRecord) => void): () => void {
    return this.#changes.add(listener);
  }

  /** Called after each update of a job, after onChange; also for its deletion. */
  onUpdate(listener: (record: JobRecord) => void): () => void {
    return this.#updates.add(listener);
  }

  /** Called when the pod of this job appears, runs, ends, is to be deleted or is deleted, and when the job ends or is deleted. */
  onProgressOf(record: JobRecord, listener: () => void): () => void {
    const followed = this.#followed.get(record) ?? { listeners: new Listeners(), progress: progressOf(record) };
    this.#followed.set(record, followed);
    const remove = followed.listeners.add(listener);
    return () => {
      remove();
      if (followed.listeners.size === 0) this.#followed.delete(record);
    };
  }

  #isVisible({ id }: TrackedJob): boolean {
    return !this.#hiddenIds.has(id);
  }

  #add(job: JobView): TrackedJob {
    const record = new TrackedJob(job, this.#observations);
    this.#leavingJobs.delete(job.uid);
    const final = this.#finalStates.get(job.uid);
    if (final !== undefined) {
      record.outcome = final.outcome;
      record.cause = final.cause;
      record.isAnnounced = true;
    }
    this.#byUid.set(job.uid, record);
    this.#byId.set(job.name, record);
    this.#index(record);
    return record;
  }

  #setJob(record: TrackedJob, job: JobView): void {
    const isSameUser = record.job.request.user === job.request.user;
    if (!isSameUser) this.#unindex(record);
    record.job = job;
    if (!isSameUser) this.#index(record);
  }

  #index(record: TrackedJob): void {
    const { user } = record.job.request;
    const records = this.#byUser.get(user);
    if (records === undefined) this.#byUser.set(user, new Set([record]));
    else records.add(record);
  }

  #unindex(record: TrackedJob): void {
    const { user } = record.job.request;
    const records = this.#byUser.get(user);
    records?.delete(record);
    if (records?.size === 0) this.#byUser.delete(user);
  }

  #inputsOf(record: TrackedJob): StateInputs {
    const { pod, job, ran, createWarning, inputProblem, outcome, cause } = record;
    const { warning, pulling } = this.#eventsOf.get(pod?.present === true ? pod.view.uid : record.uid) ?? {};
    return {
      job,
      ...(pod === undefined ? {} : { pod }),
      ...(record.isAnnounced ? { announced: { outcome, cause } } : {}),
      ran,
      ...(warning === undefined ? {} : { warning }),
      ...(pulling === undefined ? {} : { pulling }),
      createWarning,
      inputProblem,
    };
  }

  #refresh(record: TrackedJob): void {
    const { pod } = record;
    if (record.job.ready || (pod !== undefined && podRan(pod.view))) record.ran = true;
    if (!this.#isOpen || this.#hiddenIds.has(record.id)) return;
    const inputs = this.#inputsOf(record);
    const evaluation = record.deleted ? evaluateDeleted(inputs) : evaluateState(inputs);
    const isFinal = TERMINAL_STATES.has(evaluation.outcome.state);
    if (isFinal && evaluation.isUnconfirmed && record.confirmation !== 'done') {
      if (!record.isAnnounced) this.#announce(record, unconfirmedState(record));
      record.confirmation = 'needed';
    } else {
      if (!isFinal || record.confirmation === 'needed') record.confirmation = 'none';
      this.#announce(record, evaluation);
      if (record.deleted) this.#forget(record);
    }
    this.#updates.notify(record);
    this.#notifyOfProgress(record);
  }

  /** A thousand output streams may follow one job: changes of a message are nothing to them. */
  #notifyOfProgress(record: TrackedJob): void {
    const followed = this.#followed.get(record);
    if (followed === undefined) return;
    const progress = progressOf(record);
    if (progress === followed.progress) return;
    followed.progress = progress;
    followed.listeners.notify();
  }

  /** Listeners hear of the first final state only: a different one of another instance changes what later requests show. */
  #announce(record: TrackedJob, { outcome, cause }: Pick<StateEvaluation, 'outcome' | 'cause'>): void {
    const isChanged = !record.isAnnounced || !isSameOutcome(record.outcome, outcome);
    const wasTerminal = record.isAnnounced && isTerminal(record);
    record.outcome = outcome;
    record.cause = cause;
    record.isAnnounced = true;
    if (isChanged && !wasTerminal) this.#changes.notify(record);
  }

  #forget(record: TrackedJob): void {
    this.#byUid.delete(record.uid);
    if (record.isAnnounced && isTerminal(record)) {
      this.#finalStates.set(record.uid, { outcome: record.outcome, cause: record.cause });
      const [oldest] = this.#finalStates.keys();
      if (this.#finalStates.size > MAX_FINAL_STATES && oldest !== undefined) this.#finalStates.delete(oldest);
    }
    if (this.#byId.get(record.id) === record) this.#byId.delete(record.id);
    this.#unindex(record);
    this.#eventsOf.delete(record.uid);
    // A Job that is labeled again still has its pods.
    if (record.pod?.present === true) this.#leavingJobs.add(record.uid);
    else this.#observations.pods.delete(record.uid);
  }

  #observe(view: PodView, present: boolean, found: 'watch' | 'relist' = 'watch'): void {
    const { uid, jobUid } = view;
    this.#leaveJob(uid, jobUid);
    if (jobUid === '') return;
    const { pods } = this.#observations;
    const known = pods.get(jobUid) ?? [];
    const before = known.find((each) => each.view.uid === uid);
    const observation = observePod(before, view, present, found);
    const all = [...known.filter((each) => each !== before), observation];
    const newest = newestOf(all);
    // Copied, because an array made by filter keeps spare capacity.
    pods.set(jobUid, [...all.filter((each) => each.present || each === newest)]);
    if (present) this.#jobOfPod.set(uid, jobUid);
    else {
      this.#jobOfPod.delete(uid);
      this.#eventsOf.delete(uid);
      if (newest?.present !== true && !this.#byUid.has(jobUid)) this.#lastPodDeleted(jobUid);
    }
    this.#refreshUid(jobUid);
  }

  /** A pod that was orphaned or adopted by another Job is no longer there for the Job before. */
  #leaveJob(uid: PodView['uid'], jobUid: JobUid): void {
    const before = this.#jobOfPod.get(uid);
    if (before === undefined || before === jobUid) return;
    const known = this.#observations.pods.get(before)?.find((each) => each.view.uid === uid);
    if (known !== undefined) this.#observe(known.view, false);
  }

  /**
   * Of a job that is not known: the watch of jobs may be behind the watch of pods, so its exit code is kept for a while,
   * unless the Job was deleted before.
   */
  #lastPodDeleted(jobUid: JobUid): void {
    const { pods } = this.#observations;
    if (this.#leavingJobs.delete(jobUid)) {
      pods.delete(jobUid);
      return;
    }
    this.#unknownJobs.add(jobUid);
    if (this.#unknownJobs.size <= MAX_UNKNOWN_JOBS) return;
    const [oldest] = this.#unknownJobs;
    if (oldest === undefined) return;
    this.#unknownJobs.delete(oldest);
    if (!this.#byUid.has(oldest)) pods.delete(oldest);
  }

  #refreshUid(jobUid: JobUid): void {
    const record = this.#byUid.get(jobUid);
    if (record !== undefined) this.#refresh(record);
  }
}

/** A Service with an owner before one without, then one with the name of the Job. */
function isPreferred(service: ServiceView, other: ServiceView): boolean {
  if ((service.ownerUid === '') !== (other.ownerUid === '')) return other.ownerUid === '';
  return service.isNamedLikeJob && !other.isNamedLikeJob;
}

/** State of a job that this process has not announced yet, while its final state is being confirmed. */
function unconfirmedState({ ran, outcome, cause, job }: TrackedJob): Pick<StateEvaluation, 'outcome' | 'cause'> {
  // A Job with a decision has had a pod: that it was Running is more likely than that it is Pending.
  if (!ran && job.decision === undefined) return { outcome, cause };
  return { outcome: { state: 'Running', statusCode: 'Running', message: '' }, cause: 'running' };
}

function withEvent(summary: EventSummary, event: EventView): EventSummary {
  if (event.warning) {
    const isNewest = event.at >= (summary.warning?.at ?? 0) && isInformative(event);
    return isNewest ? { ...summary, warning: event } : summary;
  }
  const isNewest = event.reason === 'Pulling' && event.at >= (summary.pulling?.at ?? 0);
  return isNewest ? { ...summary, pulling: event } : summary;
}

/** Events are deleted after an hour; then the reason is forgotten, too. */
function withoutEvent(summary: EventSummary, event: EventView): EventSummary {
  const { warning, pulling, ...rest } = summary;
  if (warning?.uid === event.uid) return pulling === undefined ? rest : { ...rest, pulling };
  if (pulling?.uid === event.uid) return warning === undefined ? rest : { ...rest, warning };
  return summary;
}
