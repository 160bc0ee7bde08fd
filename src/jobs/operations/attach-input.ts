/**
 * The way of input into a container that runs. What cannot have been passed is tried again; nothing is ever passed twice
 * (kubernetes-objects.md section 4). Needs create on pods/attach.
 */
import { Backoff } from '../../kubernetes/http/backoff.ts';
import { KubernetesError, type KubernetesErrorCode } from '../../kubernetes/kubernetes-error.ts';
import { sleep } from '../../system/clock.ts';
import type { Context } from '../context.ts';
import type { PodView } from '../view/projection.ts';
import type { JobEntry } from '../view/record.ts';

/** The kubelet may refuse an attach for a moment after the container was started (kubernetes-facts.md 80), or be out of reach. */
const PAUSES = { first: 250, longest: 5_000 };
/** For how long an attach is tried that does not come about: shorter than others wait before they judge the claim. */
const ATTACH_MS = 5 * 60_000;
/** Of one delivery; the job reads at its own pace. */
const DELIVERY_MS = 24 * 3_600_000;

const NOT_ASKED: ReadonlySet<KubernetesErrorCode> = new Set(['unreachable', 'tls', 'credentials']);

/** The upgrade was refused, or could not be asked for. */
const wasNotAttached = (error: unknown): boolean =>
  error instanceof KubernetesError && (error.status !== undefined || NOT_ASKED.has(error.code));

function runningPod({ pod }: JobEntry): PodView | undefined {
  const runs = pod?.present === true && pod.view.container.running !== undefined && pod.view.phase !== 'Failed';
  return runs ? pod.view : undefined;
}

export const isRunning = (entry: JobEntry): boolean => runningPod(entry) !== undefined;

/**
 * Resolves with true when all of the input was passed, with false if the container ended, or its pod went, before
 * anything was. Rejects if some of it may have been passed, or after ATTACH_MS.
 */
export async function attachInput(
  { client, clock, random, log, signal }: Context,
  entry: JobEntry,
  input: Uint8Array,
): Promise<boolean> {
  const pauses = new Backoff(clock, random, PAUSES);
  const giveUpAt = clock.monotonic() + ATTACH_MS;
  for (let pod = runningPod(entry); pod !== undefined; pod = runningPod(entry)) {
    try {
      await client.attachInput(pod.name, pod.container.name, input, { timeoutMs: DELIVERY_MS, signal });
      return true;
    } catch (error) {
      const pause = pauses.next(error);
      if (!wasNotAttached(error) || clock.monotonic() + pause > giveUpAt) throw error;
      log.debug('The input of a job cannot be attached yet', { job: entry.id, error });
      await sleep(clock, pause, signal);
    }
  }
  return false;
}
