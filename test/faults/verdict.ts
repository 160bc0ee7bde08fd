/** The oracle: what the executable said, against what the journal of the cluster knows. */
import { JOBS } from '../cluster/api/resources.ts';
import { LauncherError } from '../support/launcher.ts';
import { disorder, isEnd } from './ledger.ts';
import { median } from './process.ts';
import type { Evidence, JobRecord } from './run.ts';
import { difference, isJournalled } from './texts.ts';

const CONTAINER = 'rs-launcher-container';

/** What must be 0. */
export const COUNTS = [
  'states lost',
  'states wrong',
  'states reversed',
  'states changed',
  'bytes lost',
  'doubled',
  'outputs refused',
  'duplicate jobs',
  'ghost jobs',
  'jobs missing',
  'input doubled',
  'sockets left',
  'timers left',
  'memory growing',
] as const;

export type Count = (typeof COUNTS)[number];

export interface Verdict {
  readonly counts: ReadonlyMap<Count, number>;
  /** A sentence for each thing that is wrong. */
  readonly findings: readonly string[];
  /** What is worth knowing and not wrong. */
  readonly remarks: readonly string[];
}

const MOST_MS_TO_END = 5_000;
/** What the second half of a run may need more than its first, beside a quarter of it. */
const MEMORY_SLACK_MB = 16;

export function judge(evidence: Evidence): Verdict {
  const counts = new Map<Count, number>(COUNTS.map((count) => [count, 0]));
  const findings: string[] = [];
  const wrong = (count: Count, text: string, by = 1): void => {
    counts.set(count, (counts.get(count) ?? 0) + by);
    findings.push(`${count}: ${text}`);
  };
  for (const record of evidence.records) {
    judgeState(evidence, record, wrong);
    judgeOutput(evidence, record, wrong);
  }
  judgeExistence(evidence, wrong);
  judgeTaken(evidence, wrong);
  judgeProcess(evidence, wrong);
  return { counts, findings, remarks: remarksOf(evidence) };
}

type Wrong = (count: Count, text: string, by?: number) => void;

function judgeState({ cluster, ledger, listed, listedAgain }: Evidence, record: JobRecord, wrong: Wrong): void {
  const { assignment, id, refusals } = record;
  const what = `${assignment.name} (${assignment.kind}, ${id})`;
  if (id === undefined) {
    wrong('jobs missing', `${what} was never accepted: ${refusals.join(' | ')}`);
    return;
  }
  const frames = ledger.frames(id);
  const told = frames.find(isEnd);
  if (told === undefined) {
    const last = frames.at(-1);
    wrong('states lost', `${what} has no terminal state; the last is ${last?.status} "${last?.statusMessage}"`);
    return;
  }
  const order = disorder(frames);
  if (order !== '') wrong('states reversed', `${what}: ${order}`);

  // A job whose input was cut has ended by itself or was killed for it.
  const isKilled = record.inputLost && told.status === 'Killed';
  const expected = isKilled ? { state: 'Killed', statusCode: 'Killed' } : assignment.expected;
  if (told.status !== expected.state || (expected.statusCode ?? told.statusCode) !== told.statusCode) {
    const said = `${told.status} ${told.statusCode} "${told.statusMessage}"`;
    wrong('states wrong', `${what} ended as ${said}, not ${expected.state} ${expected.statusCode ?? ''}`);
  }
  const known = listed.find((job) => job.id === id);
  const process = cluster.journal.processes.find(
    ({ pod, container }) => container === CONTAINER && pod.startsWith(`${id}-`),
  );
  if (expected.state === 'Finished' && known !== undefined && process?.exitCode !== known.exitCode) {
    wrong('states wrong', `${what} is listed with exit code ${known.exitCode}; it was ${process?.exitCode}`);
  }
  for (const [when, jobs] of Object.entries({ 'at the end': listed, 'by the next process': listedAgain })) {
    const now = jobs.find((job) => job.id === id);
    if (now === undefined) continue;
    if (now.status !== told.status || now.statusCode !== told.statusCode || now.exitCode !== known?.exitCode) {
      const before = `${told.status} ${told.statusCode} ${known?.exitCode ?? ''}`;
      const after = `${now.status} ${now.statusCode} ${now.exitCode ?? ''}`;
      wrong('states changed', `${what} was ${before} and is ${after} ${when}`);
    }
  }
}

function judgeOutput({ cluster, podsLeft }: Evidence, record: JobRecord, wrong: Wrong): void {
  const { assignment, id, readings } = record;
  if (id === undefined) return;
  const what = `${assignment.name} (${assignment.kind}, ${id})`;
  const entries = cluster.journal.outputs().filter(({ pod, container }) => {
    return container === CONTAINER && pod.startsWith(`${id}-`);
  });
  const [entry] = entries;
  if (entries.length > 1) wrong('duplicate jobs', `${what} ran in ${entries.length} pods`);
  const whole = assignment.text(entry?.bytes ?? 0);
  if (entry !== undefined && !isJournalled(whole, entry)) {
    wrong('bytes lost', `BUG of the suite: ${what} wrote something else than it should`);
    return;
  }
  const pod = podsLeft.get(id);
  const isLeft = pod !== undefined && pod.metadata.uid === (entry?.podUid ?? pod.metadata.uid);
  for (const [index, { text, end }] of readings.entries()) {
    const which = `${what}, reading ${index + 1} of ${readings.length}`;
    if (isLeft && end !== 'complete') {
      wrong('outputs refused', `${which}: ${end === undefined ? 'it did not end' : end.message}`);
    }
    // What the node no longer has may be missing at the end; what came must be right all the same.
    const expected = isLeft && end === 'complete' ? whole : whole.slice(0, text.length);
    const { lost, doubled } = difference(expected, text);
    const sizes = `${text.length} of ${whole.length} bytes came`;
    if (lost > 0) wrong('bytes lost', `${which}: ${lost} (${sizes})`, lost);
    if (doubled > 0) wrong('doubled', `${which}: ${doubled} (${sizes})`, doubled);
  }
}

/** Every job there is was accepted, once; every job that was accepted is there, unless it was deleted. */
function judgeExistence({ cluster, records, listed, listedAgain, taken }: Evidence, wrong: Wrong): void {
  const foreign = new Set(taken.map(({ foreign }) => foreign.metadata?.uid));
  const existing = cluster.store.list(JOBS).filter(({ metadata }) => !foreign.has(metadata.uid));
  const accepted = new Map(records.map((record) => [record.id, record.assignment]));
  for (const { metadata } of existing) {
    if (!accepted.has(metadata.name))
      wrong('ghost jobs', `${metadata.name} exists, and no submit was answered with it`);
  }
  const made = new Map<string, number>();
  for (const { kind, name } of cluster.journal.created) {
    if (kind === 'Job') made.set(name, (made.get(name) ?? 0) + 1);
  }
  for (const [name, count] of made) {
    if (count > 1 && accepted.has(name)) wrong('duplicate jobs', `${name} was made ${count} times`);
  }
  const deleted = new Set(cluster.journal.deleted.filter(({ kind }) => kind === 'Job').map(({ name }) => name));
  for (const { id, assignment } of records) {
    if (id === undefined) continue;
    const isDeleted = assignment.action === 'delete-job';
    if (deleted.has(id) && !isDeleted) wrong('jobs missing', `${id} was deleted`);
    if (!made.has(id)) wrong('jobs missing', `${id} was never made`);
  }
  const names = new Set(existing.map(({ metadata }) => metadata.name));
  for (const [when, jobs] of Object.entries({ 'at the end': listed, 'by the next process': listedAgain })) {
    const ids = jobs.map(({ id }) => id);
    if (new Set(ids).size !== ids.length) wrong('duplicate jobs', `a job is listed twice ${when}`);
    for (const id of new Set(ids))
      if (!names.has(id)) wrong('ghost jobs', `${id} is listed ${when} and does not exist`);
    for (const name of names) if (!ids.includes(name)) wrong('jobs missing', `${name} is not listed ${when}`);
  }
  for (const { podUid, bytes } of cluster.journal.input) {
    const pod = cluster.journal.processes.find((process) => process.podUid === podUid)?.pod ?? '';
    const stdin = records.find(({ id }) => id !== undefined && pod.startsWith(`${id}-`))?.assignment.job['stdin'];
    if (typeof stdin === 'string' && bytes > stdin.length) {
      wrong('input doubled', `${pod} got ${bytes} bytes of ${stdin.length}`);
    }
  }
}

/** A name that somebody else has taken: the submit fails, and what is his stays. */
function judgeTaken({ cluster, taken }: Evidence, wrong: Wrong): void {
  for (const { foreign, answer } of taken) {
    const name = foreign.metadata?.name ?? '';
    if (!(answer instanceof LauncherError)) {
      wrong('duplicate jobs', `a submit was answered with ${answer.id}, which is somebody else's`);
    }
    const now = cluster.store.list(JOBS).find(({ metadata }) => metadata.name === name);
    if (now?.metadata.uid !== foreign.metadata?.uid)
      wrong('jobs missing', `${name}, which was somebody else's, is gone`);
  }
}

function judgeProcess(evidence: Evidence, wrong: Wrong): void {
  const { connections, mostConnections, memory, endedIn, exitCode, ledger } = evidence;
  if (connections > mostConnections) {
    wrong('sockets left', `${connections} connections, at most ${mostConnections} are needed`, connections);
  }
  if (exitCode !== 0 || endedIn > MOST_MS_TO_END) {
    wrong('timers left', `the process ended with ${exitCode}, ${Math.round(endedIn)} ms after its input`);
  }
  const { early, late } = memoryOf(memory);
  if (late > early * 1.25 + MEMORY_SLACK_MB) {
    wrong('memory growing', `from ${early.toFixed(0)} to ${late.toFixed(0)} MB`);
  }
  if (ledger.gaps() > 0) wrong('states lost', `${ledger.gaps()} gaps in the numbers of the status stream`);
}

/** Medians of the second and of the last fifth of a run. */
function memoryOf(memory: readonly number[]): { early: number; late: number } {
  const fifth = Math.floor(memory.length / 5);
  return { early: median(memory.slice(fifth, 2 * fifth)), late: median(memory.slice(4 * fifth)) };
}

function remarksOf({ records, connections, memory, endedIn }: Evidence): readonly string[] {
  const { early, late } = memoryOf(memory);
  const refused = records.reduce((sum, { refusals }) => sum + refusals.length, 0);
  const readings = records.reduce((sum, one) => sum + one.readings.length, 0);
  return [
    `${readings} outputs read`,
    `${refused} submits refused`,
    `${records.filter(({ inputLost }) => inputLost).length} inputs lost and told`,
    `${connections} connections`,
    `${early.toFixed(0)} MB early, ${late.toFixed(0)} MB late`,
    `ended in ${(endedIn / 1000).toFixed(1)} s`,
  ];
}
