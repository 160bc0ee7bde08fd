/**
 * Output of a job: the log of its container, from the beginning to the end, as UTF-8 (docs/launcher-plugin-api.md 8.3). Needs
 * get on pods/log.
 */
import { isUtf8 } from 'node:buffer';
import { Backoff } from '../../kubernetes/http/backoff.ts';
import { isForbidden, KubernetesError } from '../../kubernetes/kubernetes-error.ts';
import { waitFor } from '../../system/async.ts';
import { sleep } from '../../system/clock.ts';
import type { JobsContext } from '../context.ts';
import type { Requester } from '../contract.ts';
import { JobError, jobErrorOf } from '../job-error.ts';
import { podEnded, podRan } from '../view/observation.ts';
import type { PodView } from '../view/projection.ts';
import { isTerminal, type JobRecord } from '../view/record.ts';
import { readPods } from './confirm-end.ts';

const LIST_ATTEMPTS = 5;
const LIST_PAUSES = { first: 500, longest: 4_000 };

/** Throws JobError 'job-not-found' or 'output-not-found' at once; the log is read only as it is consumed. */
export function output(
  context: JobsContext,
  id: string,
  requester: Requester,
  signal: AbortSignal,
): AsyncIterable<Uint8Array> {
  const record = context.repository.find(id, requester);
  if (!context.permissions.allows('output'))
    throw new JobError(
      'output-not-found',
      'The output of jobs cannot be read: the plugin lacks the permission get pods/log.',
    );
  return read(context, record, AbortSignal.any([signal, context.signal]));
}

/** After another client suspends and resumes the job, the output goes on with the log of the new pod. */
async function* read(context: JobsContext, record: JobRecord, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  const done = new Set<string>();
  let delivered = false;
  /** A pod was deleted before anything of its log was read: only the last pod of a job ends its output. */
  let lost: KubernetesError | undefined;
  let hasReadPods = false;
  for (;;) {
    const pod = await nextPod(context, record, done, signal);
    if (pod === undefined) {
      const isComplete = hasLogOfEnd(record, done) || !hadLog(record);
      if (isComplete || hasReadPods) {
        if (lost !== undefined && !delivered) throw deletedOutput(record.id, lost);
        if (done.size > 0 || isComplete) return;
        throw deletedOutput(record.id);
      }
      // The watch of pods may be behind the watch of jobs, which reported the end.
      hasReadPods = true;
      await listPods(context, record, signal);
      continue;
    }
    done.add(pod.uid);
    try {
      for await (const text of podOutput(context, record, pod, signal)) {
        delivered = true;
        yield text;
      }
      lost = undefined;
    } catch (error) {
      signal.throwIfAborted();
      if (isForbidden(error)) {
        await context.permissions.isMissing('output', error);
        throw new JobError('output-not-found', `The output of job ${record.id} cannot be read: ${error.text}`, {
          cause: error,
        });
      }
      if (!(error instanceof KubernetesError && error.code === 'not-found'))
        throw jobErrorOf(error, `The output of job ${record.id} cannot be read`);
      lost = error;
    }
  }
}

/** Lists the pods of a job, again where that fails for a while for a reason that the client reports at once: a token, a proxy. */
async function listPods(context: JobsContext, record: JobRecord, signal: AbortSignal): Promise<void> {
  const backoff = new Backoff(context.clock, context.random, LIST_PAUSES);
  for (let attempt = 1; ; attempt++) {
    try {
      await readPods(context, record.job, signal);
      return;
    } catch (error) {
      signal.throwIfAborted();
      if (attempt === LIST_ATTEMPTS) throw jobErrorOf(error, `The output of job ${record.id} cannot be read`);
      await sleep(context.clock, backoff.next(error), signal);
    }
  }
}

const deletedOutput = (id: string, cause?: unknown): JobError =>
  new JobError('output-not-found', `The output of job ${id} was deleted with its pod.`, { cause });

/** Did its program run, so that there was a log? */
function hadLog({ ran, outcome, job }: JobRecord): boolean {
  return ran || job.result?.startedAt !== undefined || outcome.state === 'Finished' || outcome.state === 'Killed';
}

/** Was the log of the pod read that ended the job? */
function hasLogOfEnd({ pod }: JobRecord, done: ReadonlySet<string>): boolean {
  return pod?.present === true && done.has(pod.view.uid) && podEnded(pod.view);
}

/** Resolves with the next pod that has run, or with undefined when the job has ended without one. */
async function nextPod(
  { repository }: JobsContext,
  record: JobRecord,
  done: ReadonlySet<string>,
  signal: AbortSignal,
): Promise<PodView | undefined> {
  const look = (): { readonly pod: PodView | undefined } | undefined => {
    const view = record.pod?.present === true ? record.pod.view : undefined;
    if (view !== undefined && podRan(view) && !done.has(view.uid)) return { pod: view };
    return isTerminal(record) || record.deleted ? { pod: undefined } : undefined;
  };
  return (await waitFor((check) => repository.onProgressOf(record, check), look, signal)).pod;
}

async function* podOutput(
  { client, repository }: JobsContext,
  record: JobRecord,
  pod: PodView,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const ended = new AbortController();
  const check = (): void => {
    const now = record.pod;
    const other = now === undefined || now.view.uid !== pod.uid;
    if (other || !now.present || podEnded(now.view) || record.deleted) ended.abort();
  };
  const stopListening = repository.onProgressOf(record, check);
  check();
  const text = new Utf8Chunks();
  try {
    const subject = { pod: pod.name, container: pod.container.name, ended: ended.signal };
    for await (const bytes of client.followLog(subject, signal)) {
      const whole = text.push(bytes);
      if (whole.length > 0) yield whole;
    }
    const rest = text.end();
    if (rest.length > 0) yield rest;
  } finally {
    stopListening();
  }
}

const NO_BYTES = Buffer.alloc(0);

/** Replaces what is no UTF-8, and holds a character that is split between two chunks. */
class Utf8Chunks {
  /** A byte order mark is part of the output. */
  readonly #decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  /** The start of a character. */
  #held: Uint8Array = NO_BYTES;

  push(bytes: Uint8Array): Uint8Array {
    const all = this.#held.length === 0 ? bytes : Buffer.concat([this.#held, bytes]);
    const end = endOfCharacters(all);
    this.#held = end === all.length ? NO_BYTES : Buffer.from(all.subarray(end));
    return this.#valid(all.subarray(0, end));
  }

  end(): Uint8Array {
    return this.#valid(this.#held);
  }

  #valid(bytes: Uint8Array): Uint8Array {
    return isUtf8(bytes) ? bytes : Buffer.from(this.#decoder.decode(bytes));
  }
}

/** The length without a character at the end that lacks bytes. */
function endOfCharacters(bytes: Uint8Array): number {
  const { length } = bytes;
  for (let at = length - 1; at >= Math.max(0, length - 3); at--) {
    const byte = bytes[at] ?? 0;
    if (byte < 0x80) return length;
    if (byte >= 0xc0) return at + (byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4) > length ? at : length;
  }
  return length;
}
