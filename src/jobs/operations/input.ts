/**
 * Input (stdin) of a job (docs/kubernetes-objects.md section 4). It is kept in a Secret until the container runs; the instance
 * that delivers it claims it on the Job first, so that it is delivered at most once. Needs create, get and delete on secrets.
 */
import type { Secret } from 'kubernetes-types/core/v1.d.ts';
import { SECRETS } from '../../kubernetes/contract.ts';
import { Backoff } from '../../kubernetes/http/backoff.ts';
import { isNotFound, KubernetesError, type KubernetesErrorCode } from '../../kubernetes/kubernetes-error.ts';
import { sleep } from '../../system/clock.ts';
import type { JobsContext } from '../context.ts';
import { JobError } from '../job-error.ts';
import { LAUNCHER, MANAGED_BY, STDIN_ANNOTATION } from '../objects/annotations.ts';
import { ownedBy } from '../objects/service.ts';
import type { PodView } from '../view/projection.ts';
import type { JobRecord } from '../view/record.ts';
import { patchJob } from './patch-job.ts';

const INPUT_LIMIT = 1_048_576;
const KEY = 'stdin';

const LOST = 'its input was lost';
const CUT = 'its input may have been cut';
const MISDELIVERED = 'its input was delivered to an earlier pod';

export const inputSecretName = (id: string): string => `${id}-stdin`;

/** Throws JobError 'invalid-request' if a Secret cannot hold the input. */
export function checkInput(text: string): void {
  const size = Buffer.byteLength(text);
  if (size > INPUT_LIMIT)
    throw new JobError('invalid-request', `stdin has ${size} bytes; at most ${INPUT_LIMIT} can be passed to a job.`);
}

interface Owner {
  readonly name: string;
  readonly uid: string;
}

export function buildInputSecret(job: Owner, text: string): Secret {
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: inputSecretName(job.name), labels: { [MANAGED_BY]: LAUNCHER }, ownerReferences: ownedBy(job) },
    type: 'Opaque',
    immutable: true,
    data: { [KEY]: Buffer.from(text, 'utf8').toString('base64') },
  };
}

/** Host name and NAME of a process id: the same for all processes of one plugin. */
const pluginOf = (processId: string): string => processId.slice(0, processId.lastIndexOf('/'));

/** Annotation `job-launcher/stdin`: process id, space, uid of the pod. Older versions wrote no pod. */
interface Claim {
  readonly process: string;
  readonly pod: string;
}

function claimOf({ job }: Pick<JobRecord, 'job'>): Claim | undefined {
  if (job.stdinClaim === undefined) return undefined;
  const [process = '', pod = ''] = job.stdinClaim.split(' ');
  return { process, pod };
}

/** What this process did for the input of a job. */
interface Delivery {
  /** How much of the input the container may have received. */
  readonly received: 'none' | 'some' | 'all';
  /** The Secret is being deleted, or is deleted. */
  readonly isCleared: boolean;
  /** The claim of another process was checked for the last time. */
  readonly isClaimChecked: boolean;
  /** It was reported that the input of that claim may have been cut. */
  readonly isCutReported: boolean;
  /** The pod of which was reported that it has no input. */
  readonly reportedPod: string;
}

const NO_DELIVERY: Delivery = {
  received: 'none',
  isCleared: false,
  isClaimChecked: false,
  isCutReported: false,
  reportedPod: '',
};

export class Inputs {
  readonly #context: JobsContext;
  /** Input without a Secret, because Secrets may not be created; by the uid of the Job. */
  readonly #inMemory = new Map<string, string>();
  readonly #deliveries = new WeakMap<JobRecord, Delivery>();

  constructor(context: JobsContext) {
    this.#context = context;
    context.repository.onUpdate(({ uid, job, deleted }) => {
      if (deleted || job.result !== undefined) this.#inMemory.delete(uid);
    });
  }

  /** Stores the input until the container runs. */
  async put(job: Owner, text: string, signal: AbortSignal): Promise<void> {
    const { client, permissions } = this.#context;
    if (permissions.allows('secrets')) {
      try {
        await client.create(SECRETS, buildInputSecret(job, text), {
          signal,
          isOurs: (stored) => stored.metadata?.ownerReferences?.some(({ uid }) => uid === job.uid) === true,
        });
        return;
      } catch (error) {
        if (!(await permissions.isMissing('secrets', error))) throw error;
        // No update of an undone job would delete its input from memory.
        signal.throwIfAborted();
      }
    }
    this.#inMemory.set(job.uid, text);
  }

  /** Is it time to deliver the input, or to delete the Secret of delivered input? */
  readonly isDeliverable = (record: JobRecord): boolean => {
    if (!record.job.stdinDue || !isRunning(record)) return false;
    const { received, isCleared } = this.#delivery(record);
    if (received === 'all') return !isCleared;
    // A claim of this process may be written although its response was lost: then nothing was passed.
    return received === 'none' && this.#mayClaim(record);
  };

  readonly deliver = async (record: JobRecord): Promise<void> => {
    if (this.#delivery(record).received !== 'all') {
      const { outcome } = await this.#pass(record);
      if (outcome !== 'delivered') return;
    }
    await this.deleteSecret(record);
  };

  /** Running, with input that was claimed and that this process did not deliver. */
  readonly isClaimOpen = (record: JobRecord): boolean => {
    if (!record.job.stdinDue || record.job.stdinClaim === undefined || !isRunning(record)) return false;
    const { received, isClaimChecked } = this.#delivery(record);
    return received === 'none' && !isClaimChecked;
  };

  isClaimedByEarlierProcess(record: JobRecord): boolean {
    const { processId } = this.#context;
    const process = claimOf(record)?.process ?? '';
    return process !== processId && pluginOf(process) === pluginOf(processId);
  }

  /** Running in a pod that replaced the one that received the input (suspended and resumed by another client). */
  readonly isMisdelivered = (record: JobRecord): boolean => {
    const pod = runningPod(record)?.uid;
    const claim = claimOf(record);
    if (!record.job.stdinDue || pod === undefined || claim === undefined || claim.pod === '') return false;
    const { received, reportedPod } = this.#delivery(record);
    // Input that this process has not passed yet will be claimed for the new pod.
    const isPassed = claim.process !== this.#context.processId || received !== 'none';
    return claim.pod !== pod && isPassed && reportedPod !== pod;
  };

  readonly reportMisdelivery = async (record: JobRecord): Promise<void> => {
    this.#update(record, { reportedPod: runningPod(record)?.uid ?? '' });
    this.#context.repository.setInputProblem(record.id, MISDELIVERED);
  };

  /**
   * Checks a claim: if the Secret still exists, the process that claimed it did not finish. Another plugin may still deliver:
   * then the claim stays open, until its Secret is deleted. Input in the memory of an earlier process is lost.
   */
  readonly checkClaim = async (record: JobRecord): Promise<void> => {
    const { permissions, repository } = this.#context;
    const isWaiting = (await this.#read(record)) !== undefined;
    const isByEarlier = this.isClaimedByEarlierProcess(record);
    const isCut = isWaiting || (isByEarlier && !permissions.allows('secrets'));
    const { isCutReported, reportedPod } = this.#delivery(record);
    this.#update(record, { isClaimChecked: isByEarlier || !isWaiting, isCutReported: isCut });
    if (isCut === isCutReported) return;
    const otherProblem = reportedPod === '' ? '' : MISDELIVERED;
    repository.setInputProblem(record.id, isCut ? CUT : otherProblem);
  };

  /** Ended, with a Secret that no other process has claimed. */
  readonly isLeftOver = (record: JobRecord): boolean =>
    record.job.stdinDue &&
    record.job.result !== undefined &&
    this.#mayClaim(record) &&
    !this.#delivery(record).isCleared &&
    this.#context.permissions.allows('secrets');

  readonly deleteSecret = async (record: JobRecord): Promise<void> => {
    const { client, permissions } = this.#context;
    this.#update(record, { isCleared: true });
    if (this.#inMemory.delete(record.uid)) return;
    try {
      await client.delete(SECRETS, inputSecretName(record.id), { propagationPolicy: 'Background' });
    } catch (error) {
      if (await permissions.isMissing('secrets', error)) return;
      this.#update(record, { isCleared: false });
      throw error;
    }
  };

  #delivery(record: JobRecord): Delivery {
    return this.#deliveries.get(record) ?? NO_DELIVERY;
  }

  #update(record: JobRecord, change: Partial<Delivery>): void {
    this.#deliveries.set(record, { ...this.#delivery(record), ...change });
  }

  #mayClaim(record: JobRecord): boolean {
    const claim = claimOf(record);
    return claim === undefined || claim.process === this.#context.processId;
  }

  /** The stored input; undefined if there is none. */
  async #read({ id, uid }: JobRecord): Promise<Buffer | undefined> {
    const { client, permissions } = this.#context;
    const text = this.#inMemory.get(uid);
    if (text !== undefined) return Buffer.from(text, 'utf8');
    try {
      const { object } = await client.get(SECRETS, inputSecretName(id));
      const isOfJob = object.metadata?.ownerReferences?.some((owner) => owner.uid === uid) === true;
      return isOfJob ? Buffer.from(object.data?.[KEY] ?? '', 'base64') : undefined;
    } catch (error) {
      // Without permission to read Secrets none was created.
      if (isNotFound(error) || (await permissions.isMissing('secrets', error))) return undefined;
      throw error;
    }
  }

  async #pass(record: JobRecord): Promise<{ readonly outcome: 'delivered' | 'not-delivered' }> {
    const { repository } = this.#context;
    const input = await this.#read(record);
    if (input === undefined) {
      if (record.job.stdinClaim === undefined) repository.setInputProblem(record.id, LOST);
      return { outcome: 'not-delivered' };
    }
    const pod = runningPod(record)?.uid;
    if (pod === undefined || !(await this.#claim(record, pod))) return { outcome: 'not-delivered' };
    this.#update(record, { received: 'some' });
    try {
      const attached = await attachInput(this.#context, record, pod, input);
      if (attached.outcome === 'not-delivered') {
        // Another pod may replace this one.
        this.#update(record, { received: 'none' });
        return attached;
      }
    } catch (error) {
      // It is never passed again.
      this.#inMemory.delete(record.uid);
      if (isRunning(record)) repository.setInputProblem(record.id, CUT);
      throw error;
    }
    this.#update(record, { received: 'all' });
    // It was reported as lost if its Secret could not be read for a while.
    repository.setInputProblem(record.id, '');
    return { outcome: 'delivered' };
  }

  /** Writes the id of this process onto the Job; false if another process has claimed the input, or the job has ended. */
  async #claim(record: JobRecord, pod: string): Promise<boolean> {
    const { processId } = this.#context;
    const claim = `${processId} ${pod}`;
    const patched = await patchJob(this.#context, record.job, (newest) => {
      const process = claimOf({ job: newest })?.process ?? processId;
      const isOurs = process === processId && newest.result === undefined;
      return isOurs && newest.stdinClaim !== claim ? { annotations: { [STDIN_ANNOTATION]: claim } } : undefined;
    });
    return patched !== undefined || record.job.stdinClaim === claim;
  }
}

/** The kubelet may refuse an attach right after the container was started (docs/kubernetes-facts.md 80), or be unreachable. */
const PAUSES = { first: 250, longest: 5_000 };
/** Time limit for a first connection: shorter than the wait of other instances before they check the claim. */
const ATTACH_MS = 5 * 60_000;
/** Deadline of one delivery; the job reads at its own pace. */
const DELIVERY_MS = 24 * 3_600_000;

const NOT_SENT: ReadonlySet<KubernetesErrorCode> = new Set(['unreachable', 'tls', 'credentials']);

/** The upgrade was refused, or the request was not sent. */
const wasNotAttached = (error: unknown): boolean =>
  error instanceof KubernetesError && (error.status !== undefined || NOT_SENT.has(error.code));

function runningPod({ pod }: JobRecord): PodView | undefined {
  const runs = pod?.present === true && pod.view.container.running !== undefined && pod.view.phase !== 'Failed';
  return runs ? pod.view : undefined;
}

const isRunning = (record: JobRecord): boolean => runningPod(record) !== undefined;

/**
 * Writes the input into the container. Attempts that cannot have passed anything are repeated. `not-delivered`: the container
 * ended before anything was passed. Rejects if some of the input may have been passed, or after ATTACH_MS.
 */
async function attachInput(
  { client, clock, random, log, signal }: JobsContext,
  record: JobRecord,
  podUid: string,
  input: Uint8Array,
): Promise<{ readonly outcome: 'delivered' | 'not-delivered' }> {
  const pauses = new Backoff(clock, random, PAUSES);
  const giveUpAt = clock.monotonic() + ATTACH_MS;
  for (let pod = runningPod(record); pod?.uid === podUid; pod = runningPod(record)) {
    try {
      await client.attachInput(pod.name, pod.container.name, input, { timeoutMs: DELIVERY_MS, signal });
      return { outcome: 'delivered' };
    } catch (error) {
      const pause = pauses.next(error);
      if (!wasNotAttached(error) || clock.monotonic() + pause > giveUpAt) throw error;
      log.debug('Cannot attach the input of a job yet; retrying', { job: record.id, error });
      await sleep(clock, pause, signal);
    }
  }
  return { outcome: 'not-delivered' };
}
