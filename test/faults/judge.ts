/** The oracle for one job: what executables said of it, against what the journal of the cluster knows. */
import type { Journal, ProcessEntry } from '../cluster/journal.ts';
import type { Pod } from '../cluster/model.ts';
import type { StatusFrame } from '../support/launcher.ts';
import { disorder, isEnd, type Ledger } from './ledger.ts';
import type { JobRecord } from './record.ts';
import type { Wrong } from './tally.ts';
import { difference, isJournalled } from './texts.ts';

const CONTAINER = 'rs-launcher-container';

/**
 * A followed output goes on with the log of the next pod, which begins as the log of the first one does. What the first
 * pod wrote last is lost with it.
 */
function ofLastPod(received: string, wrote: (bytes: number) => string): string {
  const at = received.indexOf(wrote(FIRST_LINE_BYTES), 1);
  return at > 0 ? received.slice(at) : received;
}

/** Enough of a first line to differ from other lines. */
const FIRST_LINE_BYTES = 12;

/** The part of a cluster that judges read. */
interface Witness {
  readonly journal: Pick<Journal, 'processes' | 'deleted' | 'requests' | 'output'>;
}

const nameOf = ({ assignment, id }: JobRecord): string => `${assignment.name} (${assignment.kind}, ${id})`;

/** What ran for a job. */
export function processesOf(
  { journal }: { readonly journal: Pick<Journal, 'processes'> },
  id: string,
): readonly ProcessEntry[] {
  return journal.processes.filter(({ pod, container }) => container === CONTAINER && pod.startsWith(`${id}-`));
}

/** In each ledger, in each conversation of it, and in each list the same, right end. */
export function judgeState(cluster: Witness, ledgers: readonly Ledger[], record: JobRecord, wrong: Wrong): void {
  const { assignment, id, refusals, shown } = record;
  const what = nameOf(record);
  if (id === undefined) {
    wrong('jobs missing', `${what} was never accepted: ${refusals.join(' | ')}`);
    return;
  }
  const conversations = ledgers.flatMap((ledger) => ledger.conversations(id));
  for (const ledger of ledgers) {
    const last = ledger.conversations(id).at(-1);
    if (last?.some(isEnd) === true) continue;
    const frame = last?.at(-1);
    wrong('states lost', `${what} has no terminal state; the last is ${frame?.status} "${frame?.statusMessage}"`);
  }
  for (const problem of record.problems) wrong('addresses wrong', problem);
  const isSuspended = assignment.action === 'suspend';
  for (const order of conversations.map((frames) => disorder(frames, isSuspended)))
    if (order !== '') wrong('states reversed', `${what}: ${order}`);
  const [told, ...others] = conversations.flatMap((frames) => frames.find(isEnd) ?? []);
  if (told === undefined) return;

  // A job with cut input has ended by itself or was killed because of it.
  const isKilled = record.inputLost && told.status === 'Killed';
  const expected = isKilled ? { state: 'Killed', statusCode: 'Killed' } : assignment.expected;
  const isExpected = told.status === expected.state && (expected.statusCode ?? told.statusCode) === told.statusCode;
  if (!isExpected && !isUnseenDeletion(cluster, record, told)) {
    const said = `${told.status} ${told.statusCode} "${told.statusMessage}"`;
    wrong('states wrong', `${what} ended as ${said}, not ${expected.state} ${expected.statusCode ?? ''}`);
  }
  for (const { status, statusCode } of others) {
    if (status === told.status && statusCode === told.statusCode) continue;
    wrong('states changed', `${what} was reported as ${told.status} ${told.statusCode} and as ${status} ${statusCode}`);
  }
  const known = shown[0]?.job;
  const process = processesOf(cluster, id).at(-1);
  if (expected.state === 'Finished' && known !== undefined && process?.exitCode !== known.exitCode) {
    wrong('states wrong', `${what} is listed with exit code ${known.exitCode}; it was ${process?.exitCode}`);
  }
  for (const { where, job } of shown) {
    if (job.status !== told.status || job.statusCode !== told.statusCode || job.exitCode !== known?.exitCode) {
      const before = `${told.status} ${told.statusCode} ${known?.exitCode ?? ''}`;
      const after = `${job.status} ${job.statusCode} ${job.exitCode ?? ''}`;
      wrong('states changed', `${what} was ${before} and is ${after} ${where}`);
    }
  }
}

const POD_LIST = /\/pods\?(?!.*(watch=true|labelSelector=job-name(%3D|=)))/;

/**
 * Only the pod shows that somebody deleted it. If the watch missed the deletion and a list of all pods found it, the plugin
 * knows that the Job is Failed and the pod is deleted, and has to report exactly that (kubernetes-facts.md 14, row 17).
 */
function isUnseenDeletion({ journal }: Witness, { assignment, id }: JobRecord, told: StatusFrame): boolean {
  if (assignment.action !== 'delete-pod') return false;
  if (told.status !== 'Failed' || told.statusCode !== 'BackoffLimitExceeded') return false;
  if (told.statusMessage !== 'its pod was deleted; how it ended is not known') return false;
  const deletion = journal.deleted.find(({ kind, name }) => kind === 'Pod' && name.startsWith(`${id}-`));
  if (deletion === undefined) return false;
  return journal.requests.some(
    ({ at, method, path, status }) => at >= deletion.at && method === 'GET' && status === 200 && POD_LIST.test(path),
  );
}

/** Each reading, against what the container wrote. `pod` is what was left of the job's when they were over. */
export function judgeOutput(cluster: Witness, record: JobRecord, pod: Pod | undefined, wrong: Wrong): void {
  const { assignment, id, readings } = record;
  if (id === undefined) return;
  const what = nameOf(record);
  const entries = processesOf(cluster, id).flatMap(
    ({ podUid, container }) => cluster.journal.output(podUid, container) ?? [],
  );
  const entry = entries.at(-1);
  if (entries.length > 1 && assignment.action !== 'suspend')
    wrong('duplicate jobs', `${what} ran in ${entries.length} pods`);
  const whole = assignment.text(entry?.bytes ?? 0);
  if (entry !== undefined && !isJournalled(whole, entry)) {
    wrong('bytes lost', `BUG of the suite: ${what} wrote something else than it should`);
    return;
  }
  const isLeft = pod !== undefined && pod.metadata.uid === (entry?.podUid ?? pod.metadata.uid);
  for (const [index, { text: received, end }] of readings.entries()) {
    const text = entries.length > 1 ? ofLastPod(received, assignment.text) : received;
    // A restart cut it before the log of the next pod, or in it; both pods write the same lines.
    const isOfAnyPod = entries.length > 1 && end === 'restarted' && text === received;
    const most = isOfAnyPod ? assignment.text(Math.max(...entries.map(({ bytes }) => bytes))) : whole;
    const which = `${what}, reading ${index + 1} of ${readings.length}`;
    if (isLeft && end !== 'complete' && end !== 'restarted') {
      wrong('outputs refused', `${which}: ${end === undefined ? 'it did not end' : end.message}`);
    }
    // What the node no longer has may be missing at the end; what came must be right all the same.
    const expected = isLeft && end === 'complete' ? whole : most.slice(0, text.length);
    const { lost, doubled } = difference(expected, text);
    const sizes = `${text.length} of ${whole.length} bytes came`;
    if (lost > 0) wrong('bytes lost', `${which}: ${lost} (${sizes})`, lost);
    if (doubled > 0) wrong('doubled', `${which}: ${doubled} (${sizes})`, doubled);
  }
}
