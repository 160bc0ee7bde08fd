/**
 * All jobs as they are now, in memory: what the watches show, put together job by job, and the state that follows. Other
 * parts of jobs/ read it and hear of its changes; nothing but the reflectors' events changes it.
 */
import type { ReflectorEvent } from '../../kubernetes/contract.ts';
import type { Requester } from '../contract.ts';
import { TERMINAL_STATES } from '../job.ts';
import { JobError } from '../job-error.ts';
import { maySee } from '../policy/policy.ts';
import { type Hints, withHint, withoutHint } from './hints.ts';
import { podRan, seePod } from './observation.ts';
import type { EventView, JobView, PodView, ServiceView } from './projection.ts';
import { Entry, isTerminal, type JobEntry, newestOf, type Parts, type PodsOfJob, UNKNOWN } from './record.ts';
import type { Outcome, Situation } from './situation.ts';
import { stateOf, stateWithoutJob, type Verdict } from './state.ts';

interface RepositoryOptions {
  /**
   * Reads the Job and its pods once, offers them to the reflectors and waits until the pods' watch has caught up;
   * resolves with false if there is no such Job any more. Retries until it has an answer, and takes its time where another
   * instance may know more: what comes meanwhile is judged as it comes.
   */
  readonly readAgain: (entry: JobEntry) => Promise<boolean>;
}

type EntryListener = (entry: JobEntry) => void;

export interface Repository {
  readonly onJob: (event: ReflectorEvent<JobView>) => void;
  readonly onPod: (event: ReflectorEvent<PodView>) => void;
  readonly onService: (event: ReflectorEvent<ServiceView>) => void;
  readonly onEvent: (event: ReflectorEvent<EventView>) => void;
  /** Jobs and pods were listed: from now on states are announced. */
  readonly open: () => void;
  /** A job being submitted is found by nobody until its submit is answered (architecture.md section 4). */
  readonly hide: (id: string) => void;
  readonly reveal: (id: string) => void;
  /** What the create answer warned of; shown while nothing better is known. */
  readonly warn: (id: string, warning: string) => void;
  /** What went wrong with the input of a running job. */
  readonly setInputProblem: (id: string, problem: string) => void;
  readonly get: (id: string) => JobEntry | undefined;
  /** Throws JobError 'job-not-found' also for jobs of others. */
  readonly find: (id: string, requester: Requester) => JobEntry;
  readonly entries: () => Iterable<JobEntry>;
  /** Called for each change of what people are told. */
  readonly onChange: (listener: EntryListener) => () => void;
  /** Called whenever anything known of a job changed, after onChange; also when it leaves the repository. */
  readonly onUpdate: (listener: EntryListener) => () => void;
}

const sameOutcome = (a: Outcome, b: Outcome): boolean =>
  a.state === b.state && a.statusCode === b.statusCode && a.message === b.message && a.exitCode === b.exitCode;

const plain = ({ row: _row, doubtful: _doubtful, ...outcome }: Verdict): Outcome => outcome;

const MOST_LOST = 1_000;

export function createRepository({ readAgain }: RepositoryOptions): Repository {
  const byUid = new Map<string, Entry>();
  const byId = new Map<string, Entry>();
  const podsByJob = new Map<string, PodsOfJob>();
  const jobByPod = new Map<string, string>();
  const serviceByJob = new Map<string, ServiceView>();
  const parts: Parts = { pods: podsByJob, services: serviceByJob };
  const hintsBySubject = new Map<string, Hints>();
  /** Unknown jobs whose pods are gone, the oldest first. */
  const lost = new Set<string>();
  /** Jobs that are gone and were known, while their pods are there: nobody will ask how those ended. */
  const leaving = new Set<string>();
  const hidden = new Set<string>();
  const changeListeners = new Set<EntryListener>();
  const updateListeners = new Set<EntryListener>();
  let open = false;

  function situation(entry: Entry): Situation {
    const { pod } = entry;
    const { warning, pulling } = hintsBySubject.get(pod?.present === true ? pod.view.uid : entry.uid) ?? {};
    return {
      job: entry.job,
      ...(pod === undefined ? {} : { pod }),
      ...(entry.announced ? { announced: entry.outcome } : {}),
      ran: entry.ran,
      ...(warning === undefined ? {} : { warning }),
      ...(pulling === undefined ? {} : { pulling }),
      createWarning: entry.createWarning,
      inputProblem: entry.inputProblem,
    };
  }

  function refresh(entry: Entry): void {
    const { pod } = entry;
    if (entry.job.ready || (pod !== undefined && podRan(pod.view))) entry.ran = true;
    if (!open || hidden.has(entry.id)) return;
    const verdict = entry.gone ? stateWithoutJob(situation(entry)) : stateOf(situation(entry));
    const ended = TERMINAL_STATES.has(verdict.state);
    if (ended && verdict.doubtful && entry.reading !== 'done') {
      announce(
        entry,
        entry.announced ? entry.outcome : entry.ran ? { ...UNKNOWN, state: 'Running', statusCode: 'Running' } : UNKNOWN,
      );
      read(entry);
    } else {
      if (!ended && entry.reading === 'done') entry.reading = 'no';
      announce(entry, plain(verdict));
      if (entry.gone) forget(entry);
    }
    for (const listener of updateListeners) listener(entry);
  }

  /** A terminal state is announced once; a different one that another instance wrote changes what is shown only. */
  function announce(entry: Entry, outcome: Outcome): void {
    const changed = !entry.announced || !sameOutcome(entry.outcome, outcome);
    const wasTerminal = entry.announced && isTerminal(entry);
    entry.outcome = outcome;
    entry.announced = true;
    if (changed && !wasTerminal) for (const listener of changeListeners) listener(entry);
  }

  function read(entry: Entry): void {
    if (entry.reading === 'running') return;
    entry.reading = 'running';
    void readAgain(entry).then(
      (found) => {
        // Its watch is behind: the deletion comes with the last version of the Job, which may tell more.
        const isJudged = found || entry.gone;
        entry.reading = isJudged ? 'done' : 'no';
        if (isJudged && byUid.get(entry.uid) === entry) refresh(entry);
      },
      () => {
        // Only the end of the program ends the retries.
        entry.reading = 'no';
      },
    );
  }

  function forget(entry: Entry): void {
    byUid.delete(entry.uid);
    if (byId.get(entry.id) === entry) byId.delete(entry.id);
    serviceByJob.delete(entry.uid);
    hintsBySubject.delete(entry.uid);
    // A Job that gets its label back has its pods still.
    if (entry.pod?.present === true) leaving.add(entry.uid);
    else podsByJob.delete(entry.uid);
  }

  /** The last pod of a job that is not known went. */
  function podsWent(jobUid: string): void {
    if (leaving.delete(jobUid)) podsByJob.delete(jobUid);
    else rememberLost(jobUid);
  }

  /** The watch of jobs may be behind that of pods: how a job ended is kept for a while although it is not known yet. */
  function rememberLost(jobUid: string): void {
    lost.add(jobUid);
    if (lost.size <= MOST_LOST) return;
    const [oldest = ''] = lost;
    lost.delete(oldest);
    if (!byUid.has(oldest)) podsByJob.delete(oldest);
  }

  function refreshUid(jobUid: string): void {
    const entry = byUid.get(jobUid);
    if (entry !== undefined) refresh(entry);
  }

  function addJob(job: JobView): Entry {
    const entry = new Entry(job, parts);
    leaving.delete(job.uid);
    byUid.set(job.uid, entry);
    byId.set(job.name, entry);
    return entry;
  }

  const visible = (entry: Entry): boolean => !hidden.has(entry.id);

  return {
    onJob: (event) => {
      const { object } = event;
      const known = byUid.get(object.uid);
      if (known === undefined && event.type === 'DELETED') return;
      const entry = known ?? addJob(object);
      entry.job = object;
      entry.gone = event.type === 'DELETED';
      refresh(entry);
      if (entry.gone && (!open || hidden.delete(entry.id))) forget(entry);
    },
    onPod: (event) => {
      const { object } = event;
      if (object.jobUid === '') return;
      const known = podsByJob.get(object.jobUid) ?? [];
      const present = event.type !== 'DELETED';
      const before = known.find(({ view }) => view.uid === object.uid);
      const seen = seePod(before, object, present);
      const pods = [...known.filter((pod) => pod !== before), seen];
      const newest = newestOf(pods);
      // Copied, because filter keeps room for more.
      podsByJob.set(object.jobUid, [...pods.filter((pod) => pod.present || pod === newest)]);
      if (present) jobByPod.set(object.uid, object.jobUid);
      else {
        jobByPod.delete(object.uid);
        hintsBySubject.delete(object.uid);
        if (newest?.present !== true && !byUid.has(object.jobUid)) podsWent(object.jobUid);
      }
      refreshUid(object.jobUid);
    },
    onService: (event) => {
      const { jobUid, uid, isNamedLikeJob } = event.object;
      const known = serviceByJob.get(jobUid);
      const isKnown = known === undefined || known.uid === uid;
      if (event.type !== 'DELETED') {
        if (isKnown || (isNamedLikeJob && !known.isNamedLikeJob)) serviceByJob.set(jobUid, event.object);
      } else if (isKnown) serviceByJob.delete(jobUid);
      refreshUid(jobUid);
    },
    onEvent: (event) => {
      const { object } = event;
      const known = hintsBySubject.get(object.subject) ?? {};
      const hints = event.type === 'DELETED' ? withoutHint(known, object) : withHint(known, object);
      if (hints === known) return;
      if (hints.warning === undefined && hints.pulling === undefined) hintsBySubject.delete(object.subject);
      else hintsBySubject.set(object.subject, hints);
      refreshUid(jobByPod.get(object.subject) ?? object.subject);
    },
    open: () => {
      open = true;
      for (const entry of [...byUid.values()]) refresh(entry);
    },
    hide: (id) => {
      hidden.add(id);
    },
    reveal: (id) => {
      if (!hidden.delete(id)) return;
      const entry = byId.get(id);
      if (entry !== undefined) refresh(entry);
    },
    warn: (id, warning) => {
      const entry = byId.get(id);
      if (entry === undefined) return;
      entry.createWarning = warning;
      refresh(entry);
    },
    setInputProblem: (id, problem) => {
      const entry = byId.get(id);
      if (entry === undefined || entry.inputProblem === problem) return;
      entry.inputProblem = problem;
      refresh(entry);
    },
    get: (id) => {
      const entry = byId.get(id);
      return entry !== undefined && visible(entry) ? entry : undefined;
    },
    find: (id, requester) => {
      const entry = byId.get(id);
      if (entry === undefined || !visible(entry) || !maySee(entry.job.request.user, requester))
        throw new JobError('job-not-found', `There is no job ${id} for user ${requester}.`);
      return entry;
    },
    entries: function* () {
      for (const entry of byUid.values()) if (visible(entry)) yield entry;
    },
    onChange: (listener) => listen(changeListeners, listener),
    onUpdate: (listener) => listen(updateListeners, listener),
  };
}

function listen(listeners: Set<EntryListener>, listener: EntryListener): () => void {
  // Wrapped, so that one function may listen twice.
  const own: EntryListener = (entry) => listener(entry);
  listeners.add(own);
  return () => listeners.delete(own);
}
