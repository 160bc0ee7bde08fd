/**
 * The output of a job: the log of its container, from the beginning to the end, as text in UTF-8 (launcher-plugin-api.md 8.3).
 * Needs get on pods/log.
 */
import { isUtf8 } from 'node:buffer';
import { isForbidden, KubernetesError } from '../../kubernetes/kubernetes-error.ts';
import { waitFor } from '../../system/async.ts';
import type { Context } from '../context.ts';
import type { Requester } from '../contract.ts';
import { JobError, jobErrorOf } from '../job-error.ts';
import { podEnded, podRan } from '../view/observation.ts';
import type { PodView } from '../view/projection.ts';
import { isTerminal, type JobEntry } from '../view/record.ts';
import { readPods } from './confirm-end.ts';

/** Throws JobError 'job-not-found' or 'output-not-found' at once; what follows is read only as it is consumed. */
export function output(
  context: Context,
  id: string,
  requester: Requester,
  signal: AbortSignal,
): AsyncIterable<Uint8Array> {
  const entry = context.repository.find(id, requester);
  if (!context.permissions.allows('output'))
    throw new JobError('output-not-found', 'The launcher may not read the output of jobs in this cluster.');
  return read(context, entry, AbortSignal.any([signal, context.signal]));
}

/** After a suspension by somebody else the job goes on in a new pod, and so does its output. */
async function* read(context: Context, entry: JobEntry, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  const done = new Set<string>();
  let delivered = false;
  let looked = false;
  for (;;) {
    const pod = await nextPod(context, entry, done, signal);
    if (pod === undefined) {
      if (done.size > 0 || !wrote(entry)) return;
      if (looked) throw lost(entry.id);
      // The end came by the watch of jobs, and the watch of pods may be behind it.
      looked = true;
      await readPods(context, entry.id, signal).catch((error: unknown) => {
        signal.throwIfAborted();
        throw jobErrorOf(error, `The output of job ${entry.id} cannot be read`);
      });
      continue;
    }
    done.add(pod.uid);
    try {
      for await (const text of podOutput(context, entry, pod, signal)) {
        delivered = true;
        yield text;
      }
    } catch (error) {
      signal.throwIfAborted();
      if (isForbidden(error)) {
        await context.permissions.isMissing('output', error);
        throw new JobError('output-not-found', `The output of job ${entry.id} cannot be read: ${error.text}`, {
          cause: error,
        });
      }
      if (!(error instanceof KubernetesError && error.code === 'not-found'))
        throw jobErrorOf(error, `The output of job ${entry.id} cannot be read`);
      if (!delivered) throw lost(entry.id, error);
    }
  }
}

const lost = (id: string, cause?: unknown): JobError =>
  new JobError('output-not-found', `The output of job ${id} is gone with its pod.`, { cause });

/** Did its program run, so that there was a log? */
function wrote({ ran, outcome, job }: JobEntry): boolean {
  return ran || job.result?.startedAt !== undefined || outcome.state === 'Finished' || outcome.state === 'Killed';
}

/** Resolves with the next pod whose container has run, or with undefined when the job has ended without one. */
async function nextPod(
  { repository }: Context,
  entry: JobEntry,
  done: ReadonlySet<string>,
  signal: AbortSignal,
): Promise<PodView | undefined> {
  const next = (): PodView | 'none' | undefined => {
    const view = entry.pod?.present === true ? entry.pod.view : undefined;
    if (view !== undefined && podRan(view) && !done.has(view.uid)) return view;
    return isTerminal(entry) || entry.gone ? 'none' : undefined;
  };
  const updates = (check: () => void) =>
    repository.onUpdate((changed) => {
      if (changed === entry) check();
    });
  const found = await waitFor(updates, next, signal);
  return found === 'none' ? undefined : found;
}

async function* podOutput(
  { client, repository }: Context,
  entry: JobEntry,
  pod: PodView,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const ended = new AbortController();
  const check = (): void => {
    const now = entry.pod;
    const other = now === undefined || now.view.uid !== pod.uid;
    if (other || !now.present || podEnded(now.view) || entry.gone) ended.abort();
  };
  const stopListening = repository.onUpdate((changed) => {
    if (changed === entry) check();
  });
  check();
  const text = new WholeText();
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

/** Makes UTF-8 of bytes that need not be, and keeps back a character that is split between two pieces. */
class WholeText {
  /** A byte order mark is the job's own. */
  readonly #decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  #mayHold = false;

  push(bytes: Uint8Array): Uint8Array {
    if (!this.#mayHold && isUtf8(bytes)) return bytes;
    const text = this.#decoder.decode(bytes, { stream: true });
    this.#mayHold = (bytes.at(-1) ?? 0) >= 0x80;
    return Buffer.from(text);
  }

  end(): Uint8Array {
    return Buffer.from(this.#decoder.decode());
  }
}
