/**
 * The input of a job (kubernetes-objects.md section 4). It waits in a Secret that the Job owns, until the container
 * runs. Whoever wants to deliver it first claims it on the Job: it is delivered at most once, by construction, and if it
 * is not, the job says why. Needs create, get and delete on secrets.
 */
import type { Secret } from 'kubernetes-types/core/v1.d.ts';
import { SECRETS } from '../../kubernetes/contract.ts';
import { isNotFound } from '../../kubernetes/kubernetes-error.ts';
import type { Context } from '../context.ts';
import { persist } from '../failures.ts';
import { JobError } from '../job-error.ts';
import { LAUNCHER, MANAGED_BY, STDIN_ANNOTATION } from '../objects/annotations.ts';
import { ownedBy } from '../objects/service.ts';
import type { Chore } from '../upkeep/reconciler.ts';
import type { JobEntry } from '../view/record.ts';
import { attachInput, isRunning } from './attach-input.ts';
import { patchJob } from './patch-job.ts';

const INPUT_LIMIT = 1_048_576;
const KEY = 'stdin';
/** Who did not submit the job lets the one who did go first. */
const OTHERS_WAIT_MS = 30_000;
/** A claim that has not led to a delivery by then never will. */
const CLAIM_MS = 10 * 60_000;
/** Whoever delivers the input, or makes its Secret late, is done by then. */
const REMAINS_MS = 10_000;

const LOST = 'its input was lost';
const CUT = 'its input may have been cut';

const UNDELIVERED = 'The input of a job could not be delivered';
const UNCLEARED = 'The Secret of input that was delivered cannot be deleted; trying again';

export const inputSecretName = (id: string): string => `${id}-stdin`;

/** Throws JobError 'invalid-request' for more than a Secret holds. */
export function checkInput(text: string): void {
  const size = Buffer.byteLength(text);
  if (size > INPUT_LIMIT)
    throw new JobError('invalid-request', `stdin has ${size} bytes; at most ${INPUT_LIMIT} can be passed to a job.`);
}

export function buildInputSecret(job: { readonly name: string; readonly uid: string }, text: string): Secret {
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: inputSecretName(job.name), labels: { [MANAGED_BY]: LAUNCHER }, ownerReferences: ownedBy(job) },
    type: 'Opaque',
    immutable: true,
    data: { [KEY]: Buffer.from(text, 'utf8').toString('base64') },
  };
}

export interface Inputs {
  /** Puts the text where it waits for the container. */
  readonly put: (
    job: { readonly name: string; readonly uid: string },
    text: string,
    signal: AbortSignal,
  ) => Promise<void>;
  /** For jobs of other instances, and for what became of claims. */
  readonly chores: readonly Chore[];
  /** Delivers the input of jobs of this process as soon as they run. Returns what ends it. */
  readonly start: () => () => void;
}

export function createInputs(context: Context): Inputs {
  const { client, clock, repository, submitted, permissions, log, processId, signal: life } = context;
  /** Texts for which no Secret may be made, by uid. */
  const kept = new Map<string, string>();
  const busy = new Set<string>();
  /** How much of its input this process may have passed to the container of a job, by uid. */
  const passed = new Map<string, 'some' | 'all'>();
  /** Claims that were looked at, by the uid of their job. */
  const judged = new Set<string>();
  /** Jobs whose Secret is being deleted, or is gone, by uid. */
  const cleared = new Set<string>();
  const isPassed = ({ uid }: JobEntry): boolean => passed.get(uid) === 'all';
  const isEarlierRun = (claim: string): boolean => claim !== processId && ownerOf(claim) === ownerOf(processId);

  async function waitingText({ id, uid }: JobEntry): Promise<Buffer | undefined> {
    const text = kept.get(uid);
    if (text !== undefined) return Buffer.from(text, 'utf8');
    try {
      const { object } = await client.get(SECRETS, inputSecretName(id));
      const isOfJob = object.metadata?.ownerReferences?.some((owner) => owner.uid === uid) === true;
      return isOfJob ? Buffer.from(object.data?.[KEY] ?? '', 'base64') : undefined;
    } catch (error) {
      // Where Secrets may not be read, none was made.
      if (isNotFound(error) || (await permissions.isMissing('secrets', error))) return undefined;
      throw error;
    }
  }

  /** Writes our name onto the Job; false if it was somebody else's or the job has ended. */
  async function claim(entry: JobEntry): Promise<boolean> {
    const patched = await patchJob(context, entry.job, (newest) =>
      newest.stdinClaim === undefined && newest.result === undefined
        ? { annotations: { [STDIN_ANNOTATION]: processId } }
        : undefined,
    );
    // An answer that was lost left our name there.
    return patched !== undefined || entry.job.stdinClaim === processId;
  }

  /** Whether all of the input was passed. */
  async function deliver(entry: JobEntry): Promise<boolean> {
    const input = await waitingText(entry);
    if (input === undefined) {
      if (entry.job.stdinClaim === undefined) repository.setInputProblem(entry.id, LOST);
      return false;
    }
    if (!(await claim(entry))) return false;
    passed.set(entry.uid, 'some');
    try {
      if (!(await attachInput(context, entry, input))) {
        // Another pod may take the place of this one.
        passed.delete(entry.uid);
        return false;
      }
    } catch (error) {
      if (isRunning(entry)) repository.setInputProblem(entry.id, CUT);
      throw error;
    }
    passed.set(entry.uid, 'all');
    // It counted as lost if its Secret could not be read for a while.
    repository.setInputProblem(entry.id, '');
    return true;
  }

  async function pass(entry: JobEntry): Promise<void> {
    if (isPassed(entry) || (await deliver(entry))) await clear(entry);
  }

  async function alone({ uid }: JobEntry, work: () => Promise<unknown>): Promise<void> {
    if (busy.has(uid)) return;
    busy.add(uid);
    try {
      await work();
    } finally {
      busy.delete(uid);
    }
  }

  /** A server that gives no answer for a while delays the input of our own jobs, and no more. */
  async function deliverOwn(entry: JobEntry): Promise<void> {
    const onFailure = (error: unknown): void =>
      log.warning(isPassed(entry) ? UNCLEARED : UNDELIVERED, { job: entry.id, error });
    await alone(entry, () =>
      persist(clock, life, onFailure, async () => {
        if (isDueNow(entry)) await pass(entry);
      }),
    ).catch(() => {
      // Only the end of the program ends the attempts.
    });
  }

  async function clear({ id, uid }: JobEntry): Promise<void> {
    cleared.add(uid);
    if (kept.delete(uid)) return;
    try {
      await client.delete(SECRETS, inputSecretName(id), { propagationPolicy: 'Background' });
    } catch (error) {
      if (!(await permissions.isMissing('secrets', error))) {
        cleared.delete(uid);
        throw error;
      }
    }
  }

  /**
   * The claim stands, but the text still waits: whoever claimed it did not finish. Of text that an earlier run of ours
   * had in its memory nobody knows.
   */
  async function judgeClaim(entry: JobEntry): Promise<void> {
    if (busy.has(entry.uid)) return;
    const isWaiting = (await waitingText(entry)) !== undefined;
    const wasInMemory = isEarlierRun(entry.job.stdinClaim ?? '') && !permissions.allows('secrets');
    judged.add(entry.uid);
    if (isWaiting || wasInMemory) repository.setInputProblem(entry.id, CUT);
  }

  const isClaimed = (entry: JobEntry): boolean =>
    isRunning(entry) &&
    entry.job.stdinDue &&
    entry.job.stdinClaim !== undefined &&
    !judged.has(entry.uid) &&
    !isPassed(entry);

  /** A claim of this process may stand although its answer never came: then nothing was passed. */
  const isClaimable = ({ uid, job }: JobEntry): boolean =>
    !passed.has(uid) && (job.stdinClaim === undefined || job.stdinClaim === processId);

  /** Of a job that has ended: input that nobody claimed, or that we did not get rid of. What others claimed is theirs. */
  const isLeft = ({ uid, job }: JobEntry): boolean =>
    job.stdinDue &&
    job.result !== undefined &&
    (job.stdinClaim === undefined || job.stdinClaim === processId) &&
    !cleared.has(uid) &&
    permissions.allows('secrets');

  const isDueNow = (entry: JobEntry): boolean =>
    isRunning(entry) && entry.job.stdinDue && (isPassed(entry) ? !cleared.has(entry.uid) : isClaimable(entry));

  return {
    put: async (job, text, signal) => {
      if (permissions.allows('secrets')) {
        try {
          await client.create(SECRETS, buildInputSecret(job, text), {
            signal,
            isOurs: (stored) => stored.metadata?.ownerReferences?.some(({ uid }) => uid === job.uid) === true,
          });
          return;
        } catch (error) {
          if (!(await permissions.isMissing('secrets', error))) throw error;
          // A job that is undone leaves the repository without a word: its text would be kept for good.
          signal.throwIfAborted();
        }
      }
      kept.set(job.uid, text);
    },
    chores: [
      {
        name: 'Delivering the input of a job',
        afterMs: OTHERS_WAIT_MS,
        isDue: isDueNow,
        act: (entry) => alone(entry, () => pass(entry)),
      },
      {
        name: 'Looking for the input that an earlier run of this plugin claimed',
        afterMs: 0,
        isDue: (entry) => isClaimed(entry) && isEarlierRun(entry.job.stdinClaim ?? ''),
        act: judgeClaim,
      },
      {
        name: 'Looking for input that was claimed long ago',
        afterMs: CLAIM_MS,
        isDue: isClaimed,
        act: judgeClaim,
      },
      {
        name: 'Deleting what is left of the input of a job that has ended',
        afterMs: REMAINS_MS,
        isDue: isLeft,
        act: clear,
      },
    ],
    start: () =>
      repository.onUpdate((entry) => {
        if (entry.gone || entry.job.result !== undefined) {
          kept.delete(entry.uid);
          judged.delete(entry.uid);
        }
        if (entry.gone) {
          passed.delete(entry.uid);
          cleared.delete(entry.uid);
        }
        if (submitted.has(entry.id) && isDueNow(entry)) void deliverOwn(entry);
      }),
  };
}

/** Host name and NAME of a process id: what two runs of one plugin share. */
const ownerOf = (id: string): string => id.slice(0, id.lastIndexOf('/'));
