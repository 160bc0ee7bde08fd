/**
 * Stop, kill and cancel (kubernetes-objects.md section 5). What is asked is written onto the Job before it is done, so
 * that whoever sees the end knows its reason; it is set back if it came too late or was refused. Needs patch on jobs, list
 * on pods, and what stop-kill.ts needs.
 */
import { PODS } from '../../kubernetes/contract.ts';
import type { Context } from '../context.ts';
import type { ControlOperation, ControlResult, Requester } from '../contract.ts';
import type { JobState } from '../job.ts';
import { JobError, jobErrorOf } from '../job-error.ts';
import { CONTROL_ANNOTATION, type ControlRecord, JOB_NAME_LABEL } from '../objects/annotations.ts';
import type { Chore } from '../upkeep/reconciler.ts';
import { endedByItself, podEnded } from '../view/observation.ts';
import { type JobView, projectPod } from '../view/projection.ts';
import type { JobEntry } from '../view/record.ts';
import { type JobPatch, patchJob } from './patch-job.ts';
import { act, DONE, failed, TOO_LATE } from './stop-kill.ts';

/** In which state an operation makes sense (launcher-plugin-api.md 7.5). */
const ALLOWED: Readonly<Record<ControlOperation, JobState>> = {
  suspend: 'Running',
  resume: 'Suspended',
  stop: 'Running',
  kill: 'Running',
  cancel: 'Pending',
};

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

/** One patch: no pod is made any more, and one that waits is removed (kubernetes-facts.md 54 to 60, 130). */
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
      if (operation !== 'stop' && operation !== 'kill') return;
      const action = await act(context, entry, operation);
      if (action !== TOO_LATE && !action.complete) throw new JobError('unknown', action.message);
    },
  };
}
