/**
 * Stop and kill of a pod (docs/kubernetes-objects.md section 5); control.ts records them on the Job. Needs get, patch and
 * delete on pods, create on pods/exec.
 */
import { JOBS, PODS } from '../../kubernetes/contract.ts';
import { Backoff } from '../../kubernetes/http/backoff.ts';
import {
  isConflict,
  isMissingPermission,
  isNotFound,
  isTransient,
  isUnauthorized,
  KubernetesError,
} from '../../kubernetes/kubernetes-error.ts';
import { waitFor, within } from '../../system/async.ts';
import { sleep } from '../../system/clock.ts';
import type { JobsContext } from '../context.ts';
import { endedByItself, observePod, type PodObservation, podEnded } from '../view/observation.ts';
import { type PodView, projectPod } from '../view/projection.ts';
import type { JobRecord } from '../view/record.ts';
import { KILL_CODE } from '../view/state.ts';

/** What became of a stop or kill. */
type Action =
  | { readonly outcome: 'done'; readonly message: string }
  | { readonly outcome: 'refused'; readonly message: string }
  /** The job had ended by itself before. */
  | { readonly outcome: 'too-late' };

const DONE: Action = { outcome: 'done', message: '' };
const TOO_LATE: Action = { outcome: 'too-late' };

const KILL_COMMAND = ['/bin/sh', '-c', 'kill -KILL -1'];
/** Deadline of exec, all attempts together: on a busy node one has taken more than 10 s. */
const EXEC_MS = 20_000;
/** Deadline of the container's end after it: the kubelet of a busy node has taken more than 5 s to report one. */
const EFFECT_MS = 10_000;
/** From the first exec to the deletion of the pod, if its container has ended; the launcher is answered within 30 s. */
const KILL_MS = 25_000;
/** From the deletion of a pod until the watch of pods shows it. */
const REMOVAL_MS = 2_000;
const EXEC_PAUSES = { first: 250, longest: 4_000 };
/** Minor version since which the job controller replaces no deleted pod under backoffLimit 0. */
const NO_NEW_POD_SINCE = 25;

/** Does what is recorded on the Job; may be repeated. */
export async function act(context: JobsContext, record: JobRecord, operation: 'stop' | 'kill'): Promise<Action> {
  const pod = record.pod;
  if (pod?.present !== true) return TOO_LATE;
  return operation === 'stop' ? stop(context, pod.view) : kill(context, record, pod.view);
}

/** The kubelet sends TERM, waits terminationGracePeriodSeconds, kills; the logs stay (docs/kubernetes-facts.md 30 to 34). */
async function stop({ client, pods, permissions }: JobsContext, pod: PodView): Promise<Action> {
  try {
    const { object } = await client.patch(PODS, pod.name, {
      metadata: { uid: pod.uid },
      spec: { activeDeadlineSeconds: 1 },
    });
    const answered = projectPod(object);
    pods.offer(answered);
    // This patch has ended a pod without another deadline: it was sent again after a lost answer.
    const isStopped = answered.reason === 'DeadlineExceeded' && pod.deadline === undefined;
    return podEnded(answered) && !isStopped ? TOO_LATE : DONE;
  } catch (error) {
    if (isNotFound(error) || isConflict(error)) return TOO_LATE;
    await permissions.isMissing('stop', error);
    return refusedBy(error, 'Kubernetes refused the stop');
  }
}

/** A refusal of the server is an answer; any other error leaves open whether the call had an effect. */
function refusedBy(error: unknown, what: string): Action {
  if (error instanceof KubernetesError && error.status !== undefined && error.status < 500)
    return { outcome: 'refused', message: `${what}: ${error.text}` };
  throw error;
}

async function kill(context: JobsContext, record: JobRecord, known: PodView): Promise<Action> {
  const { options, permissions } = context;
  const pod = await readPod(context, known);
  if (pod === undefined || podEnded(pod)) return TOO_LATE;
  if (options().killMethod === 'auto' && pod.sharesProcesses && permissions.allows('exec')) {
    if (await endsByExec(context, record, pod)) return endedOtherwise(record.pod) ? TOO_LATE : DONE;
    // The container may have ended during the exec: then its exit code and log must be kept.
    const now = await readPod(context, pod);
    if (now === undefined) return DONE;
    if (podEnded(now)) return endedOtherwise(observePod(undefined, now, true)) ? TOO_LATE : DONE;
  }
  return deletePod(context, record, pod);
}

/** Reads the pod; undefined if it was deleted, or another pod has its name. */
async function readPod({ client, pods }: JobsContext, known: PodView): Promise<PodView | undefined> {
  try {
    const pod = projectPod((await client.get(PODS, known.name)).object);
    pods.offer(pod);
    return pod.uid === known.uid ? pod : undefined;
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

/** Messages of kubelet and container runtimes for a container that has ended; the pod shows the end later. */
const NOT_RUNNING = /container (\S+ )?not found|not running|CONTAINER_EXITED|stopped/i;

/** Errors of a server that is busy, restarts or cannot reach the node: exec may work later. */
const isTemporary = (error: unknown): boolean =>
  isTransient(error) || isUnauthorized(error) || isMissingPermission(error);

/**
 * Does an exec end the container? Only the node's report shows it, the exit code of exec is no proof (docs/kubernetes-facts.md
 * 134). Where it does not come in time, a second exec finds out whether the container still runs: a busy node reports late, and
 * deleting the pod deletes its log.
 */
async function endsByExec(context: JobsContext, record: JobRecord, pod: PodView): Promise<boolean> {
  const { clock } = context;
  const until = clock.monotonic() + KILL_MS;
  const found = await killInside(context, record, pod, until);
  if (found === 'impossible') return false;
  if (found === 'signaled') {
    if (await shows(EFFECT_MS, context, record, pod.uid, podEnded)) return true;
    if ((await killInside(context, record, pod, until)) !== 'ended') return false;
  }
  return shows(Math.max(0, until - clock.monotonic()), context, record, pod.uid, podEnded);
}

/**
 * Signals every process of the container, or finds that it has ended; `impossible` if neither succeeds. Temporary errors are
 * retried for EXEC_MS, because deleting the pod deletes its log.
 */
async function killInside(
  { client, clock, random, log, permissions, signal }: JobsContext,
  { id }: JobRecord,
  pod: PodView,
  until: number,
): Promise<'signaled' | 'ended' | 'impossible'> {
  const backoff = new Backoff(clock, random, EXEC_PAUSES);
  const end = Math.min(clock.monotonic() + EXEC_MS, until);
  for (;;) {
    const timeoutMs = Math.max(0, end - clock.monotonic());
    try {
      const { message } = await client.exec(pod.name, pod.container.name, KILL_COMMAND, { timeoutMs });
      if (message !== '')
        log.info('The exec that kills a job wrote a message; checking whether its container ends', {
          job: id,
          message,
        });
      return 'signaled';
    } catch (error) {
      const isMissing = await permissions.isMissing('exec', error);
      const fields = { job: id, error };
      if (error instanceof KubernetesError && NOT_RUNNING.test(error.text)) {
        log.info('The exec that kills a job found its container ended; waiting for its final state', fields);
        return 'ended';
      }
      // Without Retry-After, which may be longer than EXEC_MS.
      const pause = backoff.next();
      if (isMissing || !isTemporary(error) || clock.monotonic() + pause >= end) {
        log.info('The exec that kills a job failed; deleting its pod unless its container has ended', fields);
        return 'impossible';
      }
      log.info('The exec that kills a job failed; retrying', fields);
      await sleep(clock, pause, signal);
    }
  }
}

/** Did the container end for another reason than the kill? */
const endedOtherwise = (pod: PodObservation | undefined): boolean =>
  pod !== undefined && endedByItself(pod) && pod.view.container.terminated?.exitCode !== KILL_CODE;

/** Does the watch show in this time that the pod is deleted, or something of it? */
async function shows(
  ms: number,
  { repository, clock, signal }: JobsContext,
  record: JobRecord,
  podUid: PodView['uid'],
  wanted: (pod: PodView) => boolean,
): Promise<boolean> {
  const look = (): true | undefined =>
    record.pod?.view.uid !== podUid || !record.pod.present || wanted(record.pod.view) || undefined;
  const subscribe = (check: () => void) => repository.onProgressOf(record, check);
  return (await within(clock, ms, (deadline) => waitFor(subscribe, look, deadline), signal)) === true;
}

/**
 * Did the container end for another reason before its pod was removed? It may have ended between the last look and the deletion;
 * the watch shows in which order, and the job's final state is derived from the same.
 */
async function endedBeforeRemoval(context: JobsContext, record: JobRecord, podUid: PodView['uid']): Promise<boolean> {
  await shows(REMOVAL_MS, context, record, podUid, ({ deletion }) => deletion !== undefined);
  return record.pod?.view.uid === podUid && endedOtherwise(record.pod);
}

/** Deletes the pod, and with it its log (docs/kubernetes-facts.md 45). */
async function deletePod(context: JobsContext, record: JobRecord, pod: PodView): Promise<Action> {
  const { client } = context;
  if ((await context.minor()) < NO_NEW_POD_SINCE)
    await client.patch(JOBS, record.id, { metadata: { uid: record.uid }, spec: { parallelism: 0 } });
  try {
    await client.delete(PODS, pod.name, { propagationPolicy: 'Background', gracePeriodSeconds: 0, uid: pod.uid });
  } catch (error) {
    if (isConflict(error)) return TOO_LATE;
    await context.permissions.isMissing('delete', error);
    return refusedBy(error, 'Kubernetes refused to delete the pod');
  }
  if (await endedBeforeRemoval(context, record, pod.uid)) return TOO_LATE;
  return pod.nodeSilentSince !== undefined
    ? { outcome: 'done', message: `Node ${pod.node} does not respond: the process may still run there.` }
    : DONE;
}
