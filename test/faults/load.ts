/** The load of a soak: jobs at a steady pace, each judged and forgotten once it is over. */
import { setTimeout as sleep } from 'node:timers/promises';
import { JOBS } from '../cluster/api/resources.ts';
import { LauncherError } from '../support/launcher.ts';
import { type Driving, drive, podOf, read, USER } from './drive.ts';
import type { Instance } from './instance.ts';
import { judgeOutput } from './judge.ts';
import { type JobRecord, newRecord } from './record.ts';
import type { Wrong } from './tally.ts';
import { type Assignment, session, steadyAssignment } from './workload.ts';

interface LoadOptions extends Omit<Driving, 'reads'> {
  /** The instance that makes its jobs by templates, and a label that those have. */
  readonly templated: { readonly instance: Instance; readonly label: string };
  /** How long jobs are submitted. */
  readonly ms: number;
  readonly wrong: Wrong;
}

interface Load {
  readonly records: readonly JobRecord[];
  /** Jobs that are over, and judged. */
  readonly over: () => number;
  /** For how long no job was submitted, because too many were open. */
  readonly pausedMs: () => number;
  /** Resolves when the last one was submitted. */
  readonly submitted: Promise<void>;
  /** Resolves when all are over, or time is. */
  readonly settled: Promise<unknown>;
}

const EVERY_MS = 300;
/**
 * Twice as many as are open where the machine has time. On a busy one, more of them slow the simulated cluster down until
 * calls get no answer in time, failed submits are repeated, and it never catches up.
 */
const MAX_OPEN = 300;
/** The number of sessions that are open all the time: the load is the same from the beginning on. */
const SESSIONS = 10;
const SESSION_S = { least: 30, most: 240 };
/** What part of the outputs is read once more after the job's end. */
const READ_AGAIN = 0.25;

export function startLoad(options: LoadOptions): Load {
  const { random, over } = options;
  const records: JobRecord[] = [];
  const jobs: Promise<void>[] = [];
  let sessions = 0;
  let judged = 0;
  let pausedMs = 0;

  function next(index: number, secondsLeft: number): Assignment {
    if (sessions >= SESSIONS || secondsLeft < SESSION_S.least) return steadyAssignment(index, random);
    sessions++;
    const seconds = SESSION_S.least + random() * (SESSION_S.most - SESSION_S.least);
    return session(index, random, Math.min(seconds, secondsLeft));
  }

  async function one(record: JobRecord): Promise<void> {
    const readings: Promise<void>[] = [];
    await drive(record, { ...options, reads: (reading) => void readings.push(reading) });
    if (record.assignment.kind === 'session') sessions--;
    await Promise.race([Promise.all(readings), aborted(over)]);
    await finish(record, options).catch((error: unknown) => {
      options.wrong('states lost', `${record.assignment.name} could not be looked at after its end: ${error}`);
    });
    judged++;
  }

  async function submit(): Promise<void> {
    const begin = performance.now();
    const passed = (): number => performance.now() - begin;
    for (let dueAt = 0; dueAt < options.ms; dueAt += EVERY_MS) {
      await sleep(Math.max(0, dueAt - passed()));
      while (records.length - judged >= MAX_OPEN && passed() < options.ms) await sleep(EVERY_MS);
      pausedMs += Math.max(0, passed() - dueAt - EVERY_MS);
      dueAt = Math.max(dueAt, passed() - EVERY_MS);
      const record = newRecord(next(records.length, (options.ms - passed()) / 1000));
      records.push(record);
      jobs.push(one(record));
    }
  }

  const submitted = submit();
  return {
    records,
    over: () => judged,
    pausedMs: () => pausedMs,
    submitted,
    settled: submitted.then(() => Promise.all(jobs)),
  };
}

/** Looks at a job after its end, while its pod is there, and judges what it wrote: there is much output. */
async function finish(record: JobRecord, options: LoadOptions): Promise<void> {
  const { cluster, instances, random, over, wrong, templated } = options;
  const { id } = record;
  if (id === undefined) return;
  if (!over.aborted && random() < READ_AGAIN) await instances[0]?.uncut((launcher) => read(launcher, record));
  for (const instance of instances) await show(instance, record, id);
  if (record.readings.some(({ end }) => end === undefined)) wrong('outputs refused', `${id}: a stream did not end`);
  judgeOutput(cluster, record, podOf(cluster, id), wrong);
  const labels = cluster.store.get(JOBS, cluster.namespace, id)?.metadata.labels ?? { [templated.label]: '' };
  if (record.submittedBy === templated.instance.name && labels[templated.label] === undefined)
    wrong('templates unused', `${id} has no label ${templated.label}`);
  for (const reading of record.readings) reading.text = '';
}

async function show(instance: Instance, { shown }: JobRecord, id: string): Promise<void> {
  try {
    shown.push({
      where: `at the ${instance.name}`,
      job: await instance.uncut((launcher) => launcher.job(USER, id)),
    });
  } catch (error) {
    // Deleted by another client.
    if (!(error instanceof LauncherError && error.errorCode === 3)) throw error;
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
