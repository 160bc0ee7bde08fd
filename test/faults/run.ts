/** One run: a simulated cluster, the executable, jobs, a storm of faults, and what the journal says of it all. */
import { chmodSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { deleteObject } from '../cluster/api/deletion.ts';
import { JOBS, PODS } from '../cluster/api/resources.ts';
import { type SimulatedCluster, startCluster } from '../cluster/cluster.ts';
import { seededRandom } from '../cluster/faults/faults.ts';
import { FAULTS } from '../cluster/faults/rules.ts';
import type { Job, Pod } from '../cluster/model.ts';
import { createLauncher, type JobFrame, type Launcher, LauncherError } from '../support/launcher.ts';
import { type PluginProcess, startPlugin } from '../support/plugin.ts';
import { createLedger, isEnd, type Ledger } from './ledger.ts';
import { connectionsTo, residentMegabytes } from './process.ts';
import { type Storm, startStorm } from './storm.ts';
import { judge, type Verdict } from './verdict.ts';
import { type Action, type Assignment, assignment } from './workload.ts';

export interface RunOptions {
  readonly seed: number;
  /** At least so many jobs and faults. */
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
  /** Where the log of an executable goes in whose run something was wrong. */
  readonly logFile?: string;
  readonly log: (text: string) => void;
}

/** A job as the launcher's side saw it. */
export interface JobRecord {
  readonly assignment: Assignment;
  /** Its id, once a submit was answered with one. */
  id: string | undefined;
  /** Errors with which submits were answered. */
  readonly refusals: string[];
  /** Each time that its output was read, the first time from its beginning on. */
  readonly readings: Reading[];
  /** It waited for input that will not come, and was killed by the driver in the end. */
  inputLost: boolean;
}

export interface Reading {
  text: string;
  /** How the stream ended; undefined while it has not. */
  end: 'complete' | LauncherError | Error | undefined;
}

/** Everything that the verdict is made of. */
export interface Evidence {
  readonly cluster: SimulatedCluster;
  readonly records: readonly JobRecord[];
  readonly ledger: Ledger;
  /** All jobs as the executable lists them after the storm, and as a new one does after it. */
  readonly listed: readonly JobFrame[];
  readonly listedAgain: readonly JobFrame[];
  /** Pods that were there after the storm, by the name of their job: the node still has their logs. */
  readonly podsLeft: ReadonlyMap<string, Pod>;
  readonly taken: readonly TakenName[];
  readonly connections: number;
  /** How many may be open by then. */
  readonly mostConnections: number;
  /** Resident megabytes, twice a second. */
  readonly memory: readonly number[];
  /** How long the executable took to end, milliseconds, and how it ended. */
  readonly endedIn: number;
  readonly exitCode: number | null;
}

/** A submit whose Job was replaced by somebody else's of the same name before its lost answer was asked for again. */
export interface TakenName {
  readonly foreign: Job;
  readonly answer: JobFrame | LauncherError;
}

export interface RunReport {
  readonly seed: number;
  readonly jobs: number;
  readonly faults: ReadonlyMap<string, number>;
  readonly seconds: number;
  readonly verdict: Verdict;
}

const USER = 'fault';
const AT_A_TIME = 64;
const READERS = 8;
const SUBMITS = 8;
const WATCH_SECONDS = 10;
/** Four watches and a pool of eight for calls; those of logs are kept for a minute after their use. */
const NEEDED_CONNECTIONS = 12;
const KEPT_MS = 75_000;

export async function run(options: RunOptions): Promise<RunReport> {
  const startedAt = performance.now();
  const random = seededRandom(options.seed);
  const cluster = await startCluster({ speed: 20, nodes: 3, seed: options.seed });
  const directory = mkdtempSync(join(tmpdir(), 'fault-suite-'));
  chmodSync(directory, 0o755);
  const tokenFile = join(directory, 'token');
  const plugins: PluginProcess[] = [];

  async function plugin(): Promise<{ process: PluginProcess; launcher: Launcher }> {
    const process = await startPlugin({
      options: {
        'api-url': cluster.url,
        'auth-token-path': tokenFile,
        'certificate-authority': Buffer.from(cluster.ca).toString('base64'),
        'kubernetes-namespace': cluster.namespace,
        'watch-timeout-seconds': String(WATCH_SECONDS),
        'request-timeout-seconds': '5',
        'fetch-limit': '50',
        'log-level': 'DEBUG',
      },
      files: { 'launcher.kubernetes.profiles.conf': '[*]\nimage-pull-policy=IfNotPresent\n' },
      ...(options.command === undefined ? {} : { command: options.command }),
    });
    plugins.push(process);
    const launcher = createLauncher(process.wire, 60_000);
    await launcher.bootstrap();
    return { process, launcher };
  }

  try {
    writeToken(tokenFile, cluster.currentToken());
    const { process, launcher } = await plugin();
    const memory: number[] = [];
    const sampler = setInterval(() => memory.push(residentMegabytes(process.pid) ?? 0), 500);
    const ledger = createLedger();
    launcher.status('*', '*', ledger.take);
    await launcher.jobs('*');
    try {
      const taken = [await submitTaken(cluster, launcher, 0), await submitTaken(cluster, launcher, 1)];
      const storm = startStorm({
        cluster,
        random,
        everyMs: options.disturbEveryMs,
        onToken: (token) => writeToken(tokenFile, token),
      });
      const records = await work({ ...options, cluster, launcher, ledger, storm, random });
      const podsLeft = podsByJob(cluster);
      options.log('Reading everything again');
      await readAgain(launcher, records);
      const listed = await launcher.jobs('*');
      const mostConnections = options.waitForSockets ? NEEDED_CONNECTIONS : NEEDED_CONNECTIONS + AT_A_TIME + READERS;
      const connections = await connectionsLeft(process.pid, cluster, options.waitForSockets ? mostConnections : 1e9);
      clearInterval(sampler);
      const endsAt = performance.now();
      process.endInput();
      const { code } = await withinSeconds(10, process.exit, { code: -1, signal: null });
      const endedIn = performance.now() - endsAt;

      // Nodes of finished pods go: what is known of the ends is on the Jobs.
      for (const [index, pod] of [...podsLeft.values()].entries()) {
        if (index % 2 === 0) deleteObject(cluster.store, PODS, pod, { gracePeriodSeconds: 0 });
      }
      const next = await plugin();
      const listedAgain = await next.launcher.jobs('*');
      const verdict = judge({
        cluster,
        records,
        ledger,
        listed,
        listedAgain,
        podsLeft,
        taken,
        connections,
        mostConnections,
        memory,
        endedIn,
        exitCode: code,
      });
      if (verdict.findings.length > 0 && options.logFile !== undefined) writeFileSync(options.logFile, process.log());
      const seconds = (performance.now() - startedAt) / 1000;
      return { seed: options.seed, jobs: records.length, faults: storm.counts(), seconds, verdict };
    } finally {
      clearInterval(sampler);
    }
  } finally {
    await Promise.all(plugins.map((one) => one.close()));
    await cluster.close();
    rmSync(directory, { recursive: true, force: true });
  }
}

/** As a kubelet or an agent replaces it: another file under the same name. */
export function writeToken(path: string, token: string): void {
  writeFileSync(`${path}.new`, `${token}\n`, { mode: 0o644 });
  renameSync(`${path}.new`, path);
}

/**
 * The answer of a create is lost, and before it is tried again somebody deletes the Job and makes one of his own by that
 * name. The 409 then is no success.
 */
async function submitTaken(cluster: SimulatedCluster, launcher: Launcher, index: number): Promise<TakenName> {
  const name = `taken${index}`;
  const { promise: foreign, resolve } = Promise.withResolvers<Job>();
  const stop = cluster.store.listen(JOBS, ({ type, object }) => {
    if (type !== 'ADDED' || !object.metadata.name.startsWith(name)) return;
    stop();
    queueMicrotask(() => {
      // The store keeps Jobs only under this kind.
      const { spec, status, metadata } = object as Job;
      cluster.store.remove(JOBS, object);
      const { namespace = '', name } = metadata;
      resolve(cluster.store.create(JOBS, { metadata: { namespace, name }, spec: { ...spec, suspend: true }, status }));
    });
  });
  cluster.faults.add({ fault: FAULTS.lostAnswer, method: 'POST', path: /\/jobs(\?|$)/ });
  const job = { name, user: USER, container: { image: 'busybox' }, command: 'true' };
  const answer = await launcher.submit(USER, job).catch((error: unknown) => {
    if (error instanceof LauncherError) return error;
    throw error;
  });
  return { foreign: await foreign, answer };
}

interface Work extends RunOptions {
  readonly cluster: SimulatedCluster;
  readonly launcher: Launcher;
  readonly ledger: Ledger;
  readonly storm: Storm;
  readonly random: () => number;
}

/** Runs jobs until there were enough of them and enough faults, then lets the storm end and everything come right. */
async function work(options: Work): Promise<readonly JobRecord[]> {
  const { cluster, launcher, ledger, storm, random, log } = options;
  const records: JobRecord[] = [];
  const over = new AbortController();
  const running = new Set<Promise<void>>();
  const readers = new Set<Promise<void>>();
  const readings: Promise<void>[] = [];
  const reads = (reading: Promise<void>): void => void readings.push(reading);
  const enough = (): boolean => records.length >= options.jobs && storm.total() >= options.faults && storm.isComplete();

  let said = performance.now();
  while (!enough()) {
    if (performance.now() - said > 10_000) {
      said = performance.now();
      const ended = records.filter(({ id }) => id !== undefined && ledger.end(id) !== undefined).length;
      log(`${records.length} jobs, ${ended} ended, ${storm.total()} faults`);
    }
    if (running.size < AT_A_TIME && records.length < options.jobs) {
      const record: JobRecord = {
        assignment: assignment(records.length, random),
        id: undefined,
        refusals: [],
        readings: [],
        inputLost: false,
      };
      records.push(record);
      const one: Promise<void> = drive(record, { ...options, over: over.signal, reads }).finally(() =>
        running.delete(one),
      );
      running.add(one);
    }
    // Logs of jobs that have ended are read again: readers meet faults, too.
    if (readers.size < READERS) {
      const ended = records.filter(({ id }) => id !== undefined && ledger.end(id) !== undefined);
      const record = ended[Math.floor(random() * ended.length)];
      if (record !== undefined) {
        const one: Promise<void> = read(launcher, record).finally(() => readers.delete(one));
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

interface Driving extends Work {
  /** No more time. */
  readonly over: AbortSignal;
  /** Its output is being read; that may take longer than the job. */
  readonly reads: (reading: Promise<void>) => void;
}

/** One job from its submit to its end. Never rejects: what is missing is in the record. */
async function drive(record: JobRecord, options: Driving): Promise<void> {
  const { launcher, ledger, over } = options;
  const { assignment } = record;
  while (record.id === undefined && record.refusals.length < SUBMITS && !over.aborted) {
    try {
      const job = { name: assignment.name, user: USER, container: { image: 'busybox' }, ...assignment.job };
      record.id = (await launcher.submit(USER, job)).id;
    } catch (error) {
      record.refusals.push(error instanceof Error ? error.message : String(error));
      await sleep(500);
    }
  }
  const { id } = record;
  if (id === undefined) return;
  options.reads(read(launcher, record));
  if (assignment.action !== undefined) {
    const wanted = assignment.action === 'cancel' ? 'Pending' : 'Running';
    await ledger.until(id, ({ status }) => status === wanted, over);
    await act(assignment.action, id, options);
  }
  if (assignment.kind === 'with input') await rescue(record, id, options);
  await ledger.until(id, isEnd, over);
}

async function act(action: Action, id: string, { cluster, launcher, ledger, storm, over }: Driving): Promise<void> {
  const pod = (): Pod | undefined => cluster.store.list(PODS).find((one) => one.metadata.labels?.['job-name'] === id);
  switch (action) {
    case 'evict': {
      const name = pod()?.metadata.name;
      if (name !== undefined) cluster.evictPod(name);
      return;
    }
    case 'delete-pod': {
      const found = pod();
      if (found !== undefined) deleteObject(cluster.store, PODS, found, { gracePeriodSeconds: 1 });
      return;
    }
    case 'delete-job':
      storm.whileAway(() => {
        const found = cluster.store.list(JOBS).find(({ metadata }) => metadata.name === id);
        if (found !== undefined) deleteObject(cluster.store, JOBS, found, { propagationPolicy: 'Background' });
      });
      return;
    default:
      while (!over.aborted && ledger.end(id) === undefined) {
        const { complete } = await launcher.control(USER, id, action).catch(() => ({ complete: false }));
        if (complete) return;
        await sleep(1_000);
      }
  }
}

/** Input is given at most once: a job whose input was lost on the way says so and stays until somebody ends it. */
async function rescue(record: JobRecord, id: string, { launcher, ledger, over }: Driving): Promise<void> {
  const told = await ledger.until(id, (frame) => isEnd(frame) || /input/.test(frame.statusMessage), over);
  if (told === undefined || isEnd(told)) return;
  record.inputLost = true;
  while (!over.aborted && ledger.end(id) === undefined) {
    await launcher.control(USER, id, 'kill').catch(() => undefined);
    await Promise.race([ledger.until(id, isEnd, over), sleep(2_000)]);
  }
}

/** Reads the output from its beginning. Never rejects. */
async function read(launcher: Launcher, record: JobRecord): Promise<void> {
  const reading: Reading = { text: '', end: undefined };
  record.readings.push(reading);
  const stream = launcher.output(USER, record.id ?? '', (text) => {
    reading.text += text;
  });
  await stream.completed.then(
    () => {
      reading.end = 'complete';
    },
    (error: unknown) => {
      reading.end = error instanceof Error ? error : new Error(String(error));
    },
  );
}

async function readAgain(launcher: Launcher, records: readonly JobRecord[]): Promise<void> {
  const left = records.filter(({ id }) => id !== undefined);
  const reader = async (): Promise<void> => {
    for (let next = left.pop(); next !== undefined; next = left.pop()) {
      await withinSeconds(20, read(launcher, next), undefined);
    }
  };
  await Promise.all(Array.from({ length: READERS }, reader));
}

/** Waits until what refused submits left is gone, and the ends are written down. */
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

/** Connections to the API server, once there are no more than `most` of them, or after the time that they are kept. */
async function connectionsLeft(pid: number, cluster: SimulatedCluster, most: number): Promise<number> {
  const port = Number(new URL(cluster.url).port);
  const deadline = performance.now() + KEPT_MS;
  for (;;) {
    const connections = connectionsTo(pid, port);
    if (connections <= most || performance.now() > deadline) return connections;
    await sleep(1_000);
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

async function withinSeconds<T>(seconds: number, work: Promise<T>, otherwise: T): Promise<T> {
  const timer = new AbortController();
  const late = sleep(seconds * 1000, otherwise, { signal: timer.signal }).catch(() => otherwise);
  return Promise.race([work, late]).finally(() => timer.abort());
}
