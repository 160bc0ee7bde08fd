/**
 * Stop, kill and cancel (docs/kubernetes-objects.md section 5). The request is recorded on the Job before it is done, so
 * that every instance knows the reason of the end. Needs patch on jobs, list on pods, and the permissions of stop-kill.ts.
 */
import type { JobsContext } from '../context.ts';
import type { ControlOperation, ControlResult, Requester } from '../contract.ts';
import type { JobState } from '../job.ts';
import { JobError, jobErrorOf } from '../job-error.ts';
import { CONTROL_ANNOTATION, type ControlRecord } from '../objects/annotations.ts';
import { endedByItself, observePod } from '../view/observation.ts';
import type { JobView } from '../view/projection.ts';
import type { JobRecord } from '../view/record.ts';
import { readPods } from './confirm-end.ts';
import { type JobPatch, patchJob } from './patch-job.ts';
import { act } from './stop-kill.ts';

/** State that an operation requires (docs/launcher-plugin-api.md 7.5). */
const ALLOWED: Readonly<Record<ControlOperation, JobState>> = {
  suspend: 'Running',
  resume: 'Suspended',
  stop: 'Running',
  kill: 'Running',
  cancel: 'Pending',
};

/** Annotations of a Job have 16 KiB left for the records of the plugin. */
const MAX_REASON = 4_096;

const DONE: ControlResult = { complete: true, message: '' };

export async function control(
  context: JobsContext,
  id: string,
  requester: Requester,
  operation: ControlOperation,
  user: string = requester,
): Promise<ControlResult> {
  const record = context.repository.find(id, requester);
  checkState(record, operation);
  if (operation === 'suspend' || operation === 'resume')
    throw new JobError('invalid-request', `${operation} is not supported for jobs on Kubernetes.`);
  try {
    if (operation === 'cancel') return await cancel(context, record, user);
    const recorded = await recordControl(context, record, operation, user);
    const action = await act(context, record, operation);
    if (action.outcome === 'done') return { complete: true, message: action.message };
    if (action.outcome === 'refused') {
      if (recorded !== undefined) await restoreControl(context, record, recorded);
      return { complete: false, message: action.message };
    }
    // An earlier request for the same operation ended the job.
    if (recorded === undefined) return DONE;
    await restoreControl(context, record, recorded);
    throw tooLate(id, operation);
  } catch (error) {
    throw jobErrorOf(error, `Cannot ${operation} job ${id}`);
  }
}

function checkState({ id, outcome }: JobRecord, operation: ControlOperation): void {
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

function newRecord({ client, clock }: JobsContext, operation: ControlRecord['operation'], user: string): ControlRecord {
  const at = new Date(client.serverTime() ?? clock.now()).toISOString();
  return { operation, at, user };
}

/** The control annotation that was written, and the one that it replaced. */
interface Recorded {
  readonly intent: ControlRecord;
  readonly before: ControlRecord | undefined;
}

/** Kill replaces stop; nothing replaces kill or cancel. */
function checkReplaces(newest: JobView, operation: ControlOperation): void {
  const known = newest.control?.operation;
  if (known === undefined || known === operation || (known === 'stop' && operation === 'kill')) return;
  throw new JobError('invalid-job-state', `A ${known} of job ${newest.name} is already in progress.`);
}

/** Writes the control annotation; undefined if it says the same already. */
async function recordControl(
  context: JobsContext,
  record: JobRecord,
  operation: 'stop' | 'kill',
  user: Requester,
): Promise<Recorded | undefined> {
  const intent = newRecord(context, operation, user);
  let before: ControlRecord | undefined;
  const patched = await patchJob(context, record.job, (newest) => {
    checkReplaces(newest, operation);
    if (newest.control?.operation === operation) return undefined;
    checkState(record, operation);
    if (newest.finished || newest.result !== undefined) throw tooLate(record.id, operation);
    before = newest.control;
    return { annotations: annotation(intent) };
  });
  return patched === undefined ? undefined : { intent, before };
}

/** Restores the earlier control annotation, unless another client has changed it since. */
async function restoreControl(context: JobsContext, record: JobRecord, { intent, before }: Recorded): Promise<void> {
  await patchJob(context, record.job, ({ control: now }) =>
    now?.operation === intent.operation && now.at === intent.at && now.user === intent.user
      ? { annotations: annotation(before) }
      : undefined,
  );
}

/** One patch: no pod is created any more, and one that waits is deleted (docs/kubernetes-facts.md 54 to 60, 130). */
export async function cancel(
  context: JobsContext,
  record: JobRecord,
  user: Requester,
  reason?: string,
): Promise<ControlResult> {
  let before: ControlRecord | undefined;
  const intent = {
    ...newRecord(context, 'cancel', user),
    ...(reason === undefined ? {} : { reason: reason.slice(0, MAX_REASON) }),
  };
  const patched = await patchJob(context, record.job, (newest) => {
    checkReplaces(newest, 'cancel');
    checkState(record, 'cancel');
    if (newest.finished || newest.result !== undefined) throw tooLate(record.id, 'cancel');
    before = newest.control;
    return { annotations: annotation(intent), spec: { suspend: true, parallelism: 0 } };
  });
  if (patched === undefined) throw tooLate(record.id, 'cancel');
  const { found } = await readPods(context, record.job, context.signal);
  if (patched.finished || found.some((pod) => endedByItself(observePod(undefined, pod, true)))) {
    await restoreControl(context, record, { intent, before });
    throw tooLate(record.id, 'cancel');
  }
  if (patched.suspended || patched.idle) return DONE;
  await restoreControl(context, record, { intent, before });
  return {
    complete: false,
    message: 'Kubernetes accepted the cancel, but neither suspended the Job nor set its parallelism to 0.',
  };
}
