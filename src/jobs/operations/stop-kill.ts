/**
 * Stop and kill, as they are done to the pod (kubernetes-objects.md section 5); control.ts records them. Needs get, patch
 * and delete on pods, create on pods/exec.
 */

import { JOBS, PODS } from '../../kubernetes/contract.ts';
import { Backoff } from '../../kubernetes/http/backoff.ts';
import {
  isConflict,
  isMissingRight,
  isNotFound,
  isTransient,
  isUnauthorized,
  KubernetesError,
} from '../../kubernetes/kubernetes-error.ts';
import { waitFor, within } from '../../system/async.ts';
import { sleep } from '../../system/clock.ts';
import type { Context } from '../context.ts';
import type { ControlResult } from '../contract.ts';
import { endedByItself, podEnded } from '../view/observation.ts';
import { type PodView, projectPod } from '../view/projection.ts';
import type { JobEntry } from '../view/record.ts';
import { KILL_CODE } from '../view/state.ts';

export const DONE: ControlResult = { complete: true, message: '' };
export const failed = (message: string): ControlResult => ({ complete: false, message });

/** An action that came too late: the job had ended by itself. */
export const TOO_LATE = Symbol('too late');
type Action = ControlResult | typeof TOO_LATE;

const KILL_COMMAND = ['/bin/sh', '-c', 'kill -KILL -1'];
/** How long exec may take, all attempts together, and how long its effect may take to be seen. */
const EXEC_MS = 10_000;
const EFFECT_MS = 5_000;
const EXEC_PAUSES = { first: 250, longest: 4_000 };
/** Since 1.25 the job controller makes no new pod for one that was deleted under backoffLimit 0. */
const NO_NEW_POD_SINCE = 25;

/** Does what is recorded; also again, after a crash in between. */
export async function act(context: Context, entry: JobEntry, operation: 'stop' | 'kill'): Promise<Action> {
  const pod = entry.pod;
  if (pod?.present !== true) return TOO_LATE;
  return operation === 'stop' ? stop(context, pod.view) : kill(context, entry, pod.view);
}

/** The kubelet sends TERM, waits terminationGracePeriodSeconds, kills; the logs stay (kubernetes-facts.md 30 to 34). */
async function stop({ client, pods, permissions }: Context, pod: PodView): Promise<Action> {
  try {
    const { object } = await client.patch(PODS, pod.name, {
      metadata: { uid: pod.uid },
      spec: { activeDeadlineSeconds: 1 },
    });
    const answered = projectPod(object);
    pods.offer(answered);
    return podEnded(answered) ? TOO_LATE : DONE;
  } catch (error) {
    if (isNotFound(error) || isConflict(error)) return TOO_LATE;
    await permissions.isMissing('stop', error);
    return refusal(error, 'Kubernetes refused the stop');
  }
}

/** What the server refuses is an answer; anything else leaves open what became of the call. */
function refusal(error: unknown, what: string): ControlResult {
  if (error instanceof KubernetesError && error.status !== undefined && error.status < 500)
    return failed(`${what}: ${error.text}`);
  throw error;
}

async function kill(context: Context, entry: JobEntry, known: PodView): Promise<Action> {
  const { options, permissions } = context;
  const pod = await readPod(context, known);
  if (pod === undefined || podEnded(pod)) return TOO_LATE;
  if (options().killMethod === 'auto' && pod.sharesProcesses && permissions.allows('exec')) {
    const mayEnd = await killInside(context, entry, pod);
    if (mayEnd && (await endsSoon(context, entry, pod.uid))) return endedOtherwise(entry.pod?.view) ? TOO_LATE : DONE;
    // What refused the exec may be that the container has just ended: then its end and its log are to stay.
    const now = await readPod(context, pod);
    if (now === undefined || podEnded(now)) return endedOtherwise(now) ? TOO_LATE : DONE;
  }
  return deletePod(context, entry, pod);
}

/** The pod as it is; undefined if it is gone, or another one has its name. */
async function readPod({ client, pods }: Context, known: PodView): Promise<PodView | undefined> {
  try {
    const pod = projectPod((await client.get(PODS, known.name)).object);
    pods.offer(pod);
    return pod.uid === known.uid ? pod : undefined;
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

/** How kubelet and container runtimes say that there is nothing left to signal; the pod shows the end later. */
const NOT_RUNNING = /container (\S+ )?not found|not running|CONTAINER_EXITED|stopped/i;

/** What a server says that is busy, restarts or has lost the way to the node; not that exec is impossible. */
const mayPass = (error: unknown): boolean => isTransient(error) || isUnauthorized(error) || isMissingRight(error);

/**
 * Signals every process of the container; false if that could not be done although it runs. What may pass is tried again
 * for EXEC_MS, because with the pod its log would go.
 */
async function killInside(
  { client, clock, random, log, permissions, signal }: Context,
  { id }: JobEntry,
  pod: PodView,
): Promise<boolean> {
  const backoff = new Backoff(clock, random, EXEC_PAUSES);
  const end = clock.monotonic() + EXEC_MS;
  for (;;) {
    const timeoutMs = Math.max(0, end - clock.monotonic());
    try {
      const { message } = await client.exec(pod.name, pod.container.name, KILL_COMMAND, { timeoutMs });
      if (message !== '') log.info('The kill inside the container says', { job: id, message });
      return true;
    } catch (error) {
      const isMissing = await permissions.isMissing('exec', error);
      log.info('The kill inside the container did not work', { job: id, error });
      if (error instanceof KubernetesError && NOT_RUNNING.test(error.text)) return true;
      // Not what Retry-After asks for, which may be longer than all the time there is.
      const pause = backoff.next();
      if (isMissing || !mayPass(error) || clock.monotonic() + pause >= end) return false;
      await sleep(clock, pause, signal);
    }
  }
}

/** Did the container come to an end that is not the kill's? */
const endedOtherwise = (pod: PodView | undefined): boolean =>
  pod !== undefined && endedByItself(pod) && pod.container.terminated?.exitCode !== KILL_CODE;

/** Does the container show its end within EFFECT_MS? What exec says is no proof (kubernetes-facts.md 134). */
async function endsSoon({ repository, clock }: Context, entry: JobEntry, podUid: string): Promise<boolean> {
  const ended = (): boolean => entry.pod?.view.uid !== podUid || !entry.pod.present || podEnded(entry.pod.view);
  const updates = (check: () => void) =>
    repository.onUpdate((changed) => {
      if (changed === entry) check();
    });
  return (await within(clock, EFFECT_MS, (time) => waitFor(updates, () => ended() || undefined, time))) ?? ended();
}

/** The logs go with the pod (kubernetes-facts.md 45). */
async function deletePod(context: Context, entry: JobEntry, pod: PodView): Promise<Action> {
  const { client } = context;
  if ((await context.minor()) < NO_NEW_POD_SINCE)
    await client.patch(JOBS, entry.id, { metadata: { uid: entry.uid }, spec: { parallelism: 0 } });
  try {
    await client.delete(PODS, pod.name, { propagationPolicy: 'Background', gracePeriodSeconds: 0, uid: pod.uid });
  } catch (error) {
    if (isConflict(error)) return TOO_LATE;
    await context.permissions.isMissing('delete', error);
    return refusal(error, 'Kubernetes refused to delete the pod');
  }
  return pod.nodeSilentSince !== undefined
    ? { complete: true, message: `Node ${pod.node} does not answer: the process may still run there.` }
    : DONE;
}
