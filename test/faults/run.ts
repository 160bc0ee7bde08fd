/** One storm: a simulated cluster, the executable, jobs, faults of every kind, and what the journal says of it all. */
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { deleteObject } from '../cluster/api/deletion.ts';
import { JOBS, PODS } from '../cluster/api/resources.ts';
import { type SimulatedCluster, startCluster } from '../cluster/cluster.ts';
import { seededRandom } from '../cluster/faults/faults.ts';
import type { Pod } from '../cluster/model.ts';
import type { JobFrame, Launcher } from '../support/launcher.ts';
import { type Driving, drive, read } from './drive.ts';
import { connectionsLeft, type Instance, NEEDED_CONNECTIONS, startInstance, withinMs, writeToken } from './instance.ts';
import { sampleOf } from './process.ts';
import { type JobRecord, newRecord } from './record.ts';
import { HEAVY, type Storm, startStorm } from './storm.ts';
import { submitTaken } from './taken.ts';
import type { Verdict } from './tally.ts';
import { judge } from './verdict.ts';
import { assignment } from './workload.ts';

export interface RunOptions {
  readonly seed: number;
  /** At least this number of jobs and faults. */
  readonly jobs: number;
  readonly faults: number;
  /** Milliseconds between two disturbances of the cluster itself. */
  readonly disturbEveryMs: number;
  /** After the storm everything has to be right within this. */
  readonly settleMs: number;
  /** Wait until connections that are kept for another use were closed: a minute. */
  readonly waitForSockets: boolean;
  /** Program and first arguments; default: the built executable. */
  readonly command?: readonly string[];
  /** Gets the log of each process, when it has ended. */
  readonly onLog?: (log: string) => void;
  readonly log: (text: string) => void;
}

export interface RunReport {
  readonly seed: number;
  readonly jobs: number;
  readonly faults: ReadonlyMap<string, number>;
  readonly seconds: number;
  readonly verdict: Verdict;
}

const AT_A_TIME = 64;
const READERS = 8;
const READ_AGAIN_MS = 20_000;

export async function run(options: RunOptions): Promise<RunReport> {
  const startedAt = performance.now();
  const random = seededRandom(options.seed);
  const cluster = await startCluster({ speed: 20, nodes: 3, seed: options.seed });
  const directory = mkdtempSync(join(tmpdir(), 'fault-suite-'));
  chmodSync(directory, 0o755);
  const tokenFile = join(directory, 'token');
  const instances: Instance[] = [];

  async function start(): Promise<{ instance: Instance; launcher: Launcher }> {
    const { command, onLog } = options;
    const instance = await startInstance({ cluster, tokenFile, command, ...(onLog === undefined ? {} : { onLog }) });
    instances.push(instance);
    return { instance, launcher: await instance.launcher() };
  }

  try {
    writeToken(tokenFile, cluster.currentToken());
    const { instance, launcher } = await start();
    const memory: number[] = [];
    const sampler = setInterval(() => memory.push(sampleOf(instance.pid())?.megabytes ?? 0), 500);
    try {
      const taken = [await submitTaken(cluster, launcher, 0), await submitTaken(cluster, launcher, 1)];
      const storm = startStorm({
        cluster,
        random,
        weather: HEAVY,
        everyMs: options.disturbEveryMs,
        onToken: (token) => writeToken(tokenFile, token),
      });
      const records = await work({ ...options, cluster, instance, launcher, storm, random });
      const podsLeft = podsByJob(cluster);
      options.log('Reading everything again');
      await readAgain(launcher, records);
      const listed = await launcher.jobs('*');
      show(records, 'at the end', listed);
      const mostConnections = options.waitForSockets ? NEEDED_CONNECTIONS : NEEDED_CONNECTIONS + AT_A_TIME + READERS;
      const wait = options.waitForSockets ? mostConnections : Number.POSITIVE_INFINITY;
      const connections = await connectionsLeft(instance.pid(), cluster, wait);
      clearInterval(sampler);
      const ending = await instance.end('end of input');

      // Nodes of finished pods go: what is known of the ends is on the Jobs.
      for (const [index, pod] of [...podsLeft.values()].entries()) {
        if (index % 2 === 0) deleteObject(cluster.store, PODS, pod, { gracePeriodSeconds: 0 });
      }
      const next = await start();
      const listedAgain = await next.launcher.jobs('*');
      show(records, 'by the next process', listedAgain);
      const verdict = judge({
        cluster,
        records,
        ledger: instance.ledger,
        listings: { 'at the end': listed, 'by the next process': listedAgain },
        podsLeft,
        taken,
        connections,
        mostConnections,
        memory,
        replays: storm.replays(),
        ending,
      });
      const seconds = (performance.now() - startedAt) / 1000;
      return { seed: options.seed, jobs: records.length, faults: storm.counts(), seconds, verdict };
    } finally {
      clearInterval(sampler);
    }
  } finally {
    await Promise.all(instances.map((one) => one.close()));
    await cluster.close();
    rmSync(directory, { recursive: true, force: true });
  }
}

interface Work extends RunOptions {
  readonly cluster: SimulatedCluster;
  readonly instance: Instance;
  readonly launcher: Launcher;
  readonly storm: Storm;
  readonly random: () => number;
}

/** Runs jobs until there were enough of them and enough faults, then lets the storm end and everything come right. */
async function work(options: Work): Promise<readonly JobRecord[]> {
  const { cluster, instance, launcher, storm, random, log } = options;
  const { ledger } = instance;
  const records: JobRecord[] = [];
  const over = new AbortController();
  const running = new Set<Promise<void>>();
  const readers = new Set<Promise<unknown>>();
  const readings: Promise<void>[] = [];
  const driving: Driving = {
    cluster,
    instances: [instance],
    random,
    deletion: storm.whileAway,
    over: over.signal,
    reads: (reading) => void readings.push(reading),
  };
  const hasEnded = ({ id }: JobRecord): boolean => id !== undefined && ledger.end(id) !== undefined;
  const enough = (): boolean => records.length >= options.jobs && storm.total() >= options.faults && storm.isComplete();

  let said = performance.now();
  while (!enough()) {
    if (performance.now() - said > 10_000) {
      said = performance.now();
      log(`${records.length} jobs, ${records.filter(hasEnded).length} ended, ${storm.total()} faults`);
    }
    if (running.size < AT_A_TIME && records.length < options.jobs) {
      const record = newRecord(assignment(records.length, random));
      records.push(record);
      const one: Promise<void> = drive(record, driving).finally(() => running.delete(one));
      running.add(one);
    }
    // Logs of jobs that have ended are read again: readers meet faults, too.
    if (readers.size < READERS) {
      const ended = records.filter(hasEnded);
      const record = ended[Math.floor(random() * ended.length)];
      if (record !== undefined) {
        const one: Promise<unknown> = read(launcher, record).finally(() => readers.delete(one));
        readers.add(one);
      }
    }
    await sleep(20);
  }
  await storm.end();
  log(`The storm is over: ${records.length} jobs, ${storm.total()} faults`);
  const timer = setTimeout(() => over.abort(), options.settleMs);
  await Promise.all(running);
  await Promise.race([Promise.all([...readers, ...readings]), aborted(over.signal)]);
  await untilClean(cluster, records, over.signal);
  clearTimeout(timer);
  over.abort();
  log('Settled');
  return records;
}

async function readAgain(launcher: Launcher, records: readonly JobRecord[]): Promise<void> {
  const left = records.filter(({ id }) => id !== undefined);
  const reader = async (): Promise<void> => {
    for (let next = left.pop(); next !== undefined; next = left.pop()) {
      await withinMs<unknown>(READ_AGAIN_MS, read(launcher, next), undefined);
    }
  };
  await Promise.all(Array.from({ length: READERS }, reader));
}

/** Waits until objects of refused submits are deleted, and final states are saved. */
async function untilClean(cluster: SimulatedCluster, records: readonly JobRecord[], over: AbortSignal): Promise<void> {
  const accepted = new Set(records.map(({ id }) => id));
  const isClean = (): boolean =>
    cluster.store
      .list(JOBS)
      .filter(({ metadata }) => metadata.labels?.['app.kubernetes.io/managed-by'] === 'launcher')
      .every(
        ({ metadata }) => accepted.has(metadata.name) && metadata.annotations?.['job-launcher/result'] !== undefined,
      );
  while (!over.aborted && !isClean()) await sleep(200);
}

/** Notes in each record how its job is listed. */
function show(records: readonly JobRecord[], where: string, jobs: readonly JobFrame[]): void {
  const byId = new Map(jobs.map((job) => [job.id, job]));
  for (const { id, shown } of records) {
    const job = byId.get(id ?? '');
    if (job !== undefined) shown.push({ where, job });
  }
}

function podsByJob(cluster: SimulatedCluster): ReadonlyMap<string, Pod> {
  return new Map(cluster.store.list(PODS).map((pod) => [pod.metadata.labels?.['job-name'] ?? '', pod]));
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
