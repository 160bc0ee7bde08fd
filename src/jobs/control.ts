/**
 * Stop, kill and cancel (kubernetes-objects.md section 5). What is asked is written onto the Job before it is done, so
 * that whoever sees the end knows its reason; it is set back if it came too late or was refused. Needs patch on jobs and
 * pods, list, get and delete on pods, create on pods/exec.
 */
import { JOBS, PODS } from '../kubernetes/contract.ts';
import { isConflict, isNotFound, KubernetesError } from '../kubernetes/errors.ts';
import { CONTROL_ANNOTATION, type ControlRecord, JOB_NAME_LABEL } from './annotations.ts';
import type { Chore } from './chores.ts';
import type { Context } from './context.ts';
import { type ControlOperation, type ControlResult, JobError, type Requester } from './contract.ts';
import type { JobEntry } from './entry.ts';
import { jobErrorOf } from './failures.ts';
import { type JobPatch, patchJob } from './guarded.ts';
import type { JobState } from './job.ts';
import { type JobView, type PodView, projectPod } from './projection.ts';
import { podEnded, seePod, wasRemoved } from './seen-pod.ts';
import { KILL_CODE } from './state.ts';

/** In which state an operation makes sense (launcher-plugin-api.md 7.5). */
const ALLOWED: Readonly<Record<ControlOperation, JobState>> = {
  suspend: 'Running',
  resume: 'Suspended',
  stop: 'Running',
  kill: 'Running',
  cancel: 'Pending',
};

const DONE: ControlResult = { complete: true, message: '' };
const failed = (message: string): ControlResult => ({ complete: false, message });

/** An action that came too late: the job had ended by itself. */
const TOO_LATE = Symbol('too late');
type Action = ControlResult | typeof TOO_LATE;

const KILL_COMMAND = ['/bin/sh', '-c', 'kill -KILL -1'];
/** How long exec may take, and how long its effect may take to be seen. */
const EXEC_MS = 10_000;
const EFFECT_MS = 5_000;
/** Since 1.25 the job controller makes no new pod for one that was deleted under backoffLimit 0. */
const NO_NEW_POD_SINCE = 25;

export async function control(
  context: Context,
  id: string,
  requester: Requester,
  operation: ControlOperation,
): Promise<ControlResult> {
  const entry = context.repository.find(id, requester);
  checkState(entry, operation);
  if (operation === 'suspend' || operation === 'resume')
    throw new JobError('invalid-request', `${operation} is not supported for jobs on Kubernetes.`);
  try {
    if (operation === 'cancel') return await cancel(context, entry, requester);
    const recorded = await record(context, entry, operation, requester);
    const action = await act(context, entry, operation);
    if (action !== TOO_LATE && action.complete) return action;
    // Somebody else's control of the same kind stands: what came before us was his doing.
    if (recorded === undefined) return action === TOO_LATE ? DONE : action;
    await takeBack(context, entry, recorded);
    if (action === TOO_LATE) throw tooLate(id, operation);
    return action;
  } catch (error) {
    throw jobErrorOf(error, `Job ${id} could not be told to ${operation}`);
  }
}

function checkState({ id, outcome }: JobEntry, operation: ControlOperation): void {
  if (outcome.state !== ALLOWED[operation])
    throw new JobError(
      'invalid-job-state',
      `Job ${id} is ${outcome.state}: ${operation} is for jobs that are ${ALLOWED[operation]}.`,
    );
}

const tooLate = (id: string, operation: ControlOperation): JobError =>
  new JobError('invalid-job-state', `Job ${id} ended by itself before the ${operation}.`);

function annotation(record: ControlRecord | undefined): JobPatch['annotations'] {
  return { [CONTROL_ANNOTATION]: record === undefined ? null : JSON.stringify(record) };
}

function newRecord({ client, clock }: Context, operation: ControlRecord['operation'], user: string): ControlRecord {
  const at = new Date(client.serverTime() ?? clock.now()).toISOString();
  return { operation, at, user };
}

/** What was written, and what stood there before. */
interface Recorded {
  readonly intent: ControlRecord;
  readonly before: ControlRecord | undefined;
}

/** Kill replaces stop; nothing replaces kill or cancel. */
function checkReplaces(newest: JobView, operation: ControlOperation): void {
  const known = newest.control?.operation;
  if (known === undefined || known === operation || (known === 'stop' && operation === 'kill')) return;
  throw new JobError('invalid-job-state', `A ${known} of job ${newest.name} is under way already.`);
}

/** Writes what is about to be done; undefined if the same stands there already. */
async function record(
  context: Context,
  entry: JobEntry,
  operation: 'stop' | 'kill',
  user: Requester,
): Promise<Recorded | undefined> {
  const intent = newRecord(context, operation, user);
  let before: ControlRecord | undefined;
  const patched = await patchJob(context, entry.job, (newest) => {
    checkReplaces(newest, operation);
    if (newest.control?.operation === operation) return undefined;
    checkState(entry, operation);
    if (newest.finished || newest.result !== undefined) throw tooLate(entry.id, operation);
    before = newest.control;
    return { annotations: annotation(intent) };
  });
  return patched === undefined ? undefined : { intent, before };
}

/** Writes what stood there before, unless somebody else has written since. */
async function takeBack(context: Context, entry: JobEntry, { intent, before }: Recorded): Promise<void> {
  await patchJob(context, entry.job, ({ control: now }) =>
    now?.operation === intent.operation && now.at === intent.at && now.user === intent.user
      ? { annotations: annotation(before) }
      : undefined,
  );
}

/** Does what is recorded; also again, after a crash in between. */
async function act(context: Context, entry: JobEntry, operation: 'stop' | 'kill'): Promise<Action> {
  const pod = entry.pod;
  if (pod?.present !== true) return TOO_LATE;
  return operation === 'stop' ? stop(context, pod.view) : kill(context, entry, pod.view);
}

/** The kubelet sends TERM, waits terminationGracePeriodSeconds, kills; the logs stay (FACTS 30 to 34). */
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
const NOT_RUNNING = /container not found|not running|CONTAINER_EXITED|stopped/i;

/** Signals every process of the container; false if that could not be done although it runs. */
async function killInside({ client, log, permissions }: Context, { id }: JobEntry, pod: PodView): Promise<boolean> {
  try {
    const { message } = await client.exec(pod.name, pod.container.name, KILL_COMMAND, { timeoutMs: EXEC_MS });
    if (message !== '') log.info('The kill inside the container says', { job: id, message });
    return true;
  } catch (error) {
    await permissions.isMissing('exec', error);
    log.info('The kill inside the container did not work', { job: id, error });
    return error instanceof KubernetesError && NOT_RUNNING.test(error.text);
  }
}

/** Did the container come to an end that is not the kill's? */
const endedOtherwise = (pod: PodView | undefined): boolean =>
  pod !== undefined && endedByItself(pod) && pod.container.terminated?.exitCode !== KILL_CODE;

/** Does the container show its end within EFFECT_MS? What exec says is no proof (FACTS 134). */
function endsSoon({ repository, clock }: Context, entry: JobEntry, podUid: string): Promise<boolean> {
  const ended = (): boolean => entry.pod?.view.uid !== podUid || !entry.pod.present || podEnded(entry.pod.view);
  return new Promise((resolve) => {
    const done = (): void => {
      cancel();
      stopListening();
      resolve(ended());
    };
    const cancel = clock.after(EFFECT_MS, done);
    const stopListening = repository.onUpdate((changed) => {
      if (changed === entry && ended()) done();
    });
    if (ended()) done();
  });
}

/** The logs go with the pod (FACTS 45). */
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

/** One patch: no pod is made any more, and one that waits is removed (FACTS 54 to 60, 130). */
export async function cancel(
  context: Context,
  entry: JobEntry,
  user: Requester,
  reason?: string,
): Promise<ControlResult> {
  const { client, pods, signal } = context;
  let before: ControlRecord | undefined;
  const intent = { ...newRecord(context, 'cancel', user), ...(reason === undefined ? {} : { reason }) };
  const patched = await patchJob(context, entry.job, (newest) => {
    checkReplaces(newest, 'cancel');
    checkState(entry, 'cancel');
    if (newest.finished || newest.result !== undefined) throw tooLate(entry.id, 'cancel');
    before = newest.control;
    return { annotations: annotation(intent), spec: { suspend: true, parallelism: 0 } };
  });
  if (patched === undefined) throw tooLate(entry.id, 'cancel');
  const found = await client.list(PODS, { labelSelector: `${JOB_NAME_LABEL}=${entry.id}` }, { signal });
  const views = found.items.map(projectPod).filter(({ jobUid }) => jobUid === entry.uid);
  for (const pod of views) pods.offer(pod);
  if (patched.finished || views.some(endedByItself)) {
    await takeBack(context, entry, { intent, before });
    throw tooLate(entry.id, 'cancel');
  }
  if (patched.suspended || patched.idle) return DONE;
  await takeBack(context, entry, { intent, before });
  return failed('Kubernetes accepted the cancel, but neither suspends the job nor makes it idle.');
}

const endedByItself = (pod: PodView): boolean => podEnded(pod) && !wasRemoved(seePod(undefined, pod, true));

const REDO_MS = 10_000;

/** Does a recorded stop or kill once more while the container still runs: a crash between recording and acting heals. */
export function redoControl(context: Context): Chore {
  return {
    name: 'Stopping or killing a job again',
    afterMs: REDO_MS,
    isDue: ({ job, pod }) =>
      (job.control?.operation === 'stop' || job.control?.operation === 'kill') &&
      pod?.present === true &&
      pod.view.container.running !== undefined &&
      !podEnded(pod.view),
    act: async (entry) => {
      const operation = entry.job.control?.operation;
      if (operation === 'stop' || operation === 'kill') await act(context, entry, operation);
    },
  };
}
