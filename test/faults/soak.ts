/**
 * A soak: the same load for a long time, light faults, two instances of the executable on one namespace, one of which is
 * started again now and then. Nothing may grow, and both have to report the right final state of every job.
 */
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { EVENTS } from '../cluster/api/resources.ts';
import { type SimulatedCluster, startCluster } from '../cluster/cluster.ts';
import { seededRandom } from '../cluster/faults/faults.ts';
import {
  connectionsLeft,
  type Ending,
  type Instance,
  NEEDED_CONNECTIONS,
  startInstance,
  WAYS,
  writeToken,
} from './instance.ts';
import { startLoad } from './load.ts';
import { type Sample, sampleOf } from './process.ts';
import type { RunReport } from './run.ts';
import { judgeSoak, leftOvers } from './soak-verdict.ts';
import { LIGHT, startStorm } from './storm.ts';
import { createTally, SOAK_COUNTS } from './tally.ts';

export interface SoakOptions {
  readonly seed: number;
  /** How long the load is on. */
  readonly minutes: number;
  /** Program and first arguments; default: the built executable. */
  readonly command?: readonly string[];
  /** Gets the log of each process, when it has ended. */
  readonly onLog?: (log: string) => void;
  readonly log: (text: string) => void;
}

const DISTURB_MS = 40_000;
const RESTART_MS = 75_000;
const SAMPLE_MS = 2_000;
/** Before the first sample: caches fill, connections are made. A quarter of the load at most. */
const WARM_UP_MS = 60_000;
const SAY_MS = 30_000;
const SETTLE_MS = 120_000;
/** Time enough to look at a job after its end, and short: a job is forgotten as often as one is made. */
const EXPIRY_MS = 90_000;
/** One sweep a minute, and time for faults. */
const EXPIRED_MS = EXPIRY_MS + 90_000;
/** An API server forgets events after an hour; here they come and go within the soak, as everything does. */
const EVENTS_MS = 120_000;
const FORGET_MS = 10_000;
const HOUR_MS = 3_600_000;

export async function soak(options: SoakOptions): Promise<RunReport> {
  const directory = mkdtempSync(join(tmpdir(), 'soak-'));
  chmodSync(directory, 0o755);
  const tokenFile = join(directory, 'token');
  const cluster = await startCluster({ speed: 20, nodes: 3, seed: options.seed, historyLength: 4_000 });
  writeToken(tokenFile, cluster.currentToken());
  const instances: Instance[] = [];
  try {
    for (const name of ['first', 'second']) {
      const instance = await startInstance({
        cluster,
        tokenFile,
        name,
        options: { 'job-expiry-hours': String(EXPIRY_MS / HOUR_MS), 'log-level': 'INFO' },
        command: options.command,
        onLog: (log) => options.onLog?.(`== ${name}\n${log}`),
      });
      instances.push(instance);
    }
    return await soaked({ ...options, cluster, tokenFile, instances });
  } finally {
    await Promise.all(instances.map((one) => one.close()));
    await cluster.close();
    rmSync(directory, { recursive: true, force: true });
  }
}

interface Soaking extends SoakOptions {
  readonly cluster: SimulatedCluster;
  readonly tokenFile: string;
  /** The last one is started again now and then. */
  readonly instances: readonly Instance[];
}

async function soaked(options: Soaking): Promise<RunReport> {
  const { seed, cluster, instances, log } = options;
  const begin = performance.now();
  const seconds = (): number => (performance.now() - begin) / 1000;
  const random = seededRandom(seed);
  const { wrong, verdict } = createTally(SOAK_COUNTS);
  const over = new AbortController();
  const loadMs = options.minutes * 60_000;
  const warmUpMs = Math.min(WARM_UP_MS, loadMs / 4);
  const storm = startStorm({
    cluster,
    random,
    weather: LIGHT,
    everyMs: DISTURB_MS,
    onToken: (token) => writeToken(options.tokenFile, token),
  });
  const load = startLoad({
    cluster,
    instances,
    random,
    deletion: (action) => action(),
    over: over.signal,
    ms: loadMs,
    wrong,
  });
  const samples = instances.map((): Sample[] => []);
  const endings: Ending[] = [];
  const busy = processorsBusy();

  const submitting = new AbortController();
  const meanwhile = [
    every(RESTART_MS, submitting.signal, async () => {
      endings.push(await restarted(instances.at(-1), endings.length));
    }),
    every(SAMPLE_MS, submitting.signal, () => {
      if (seconds() * 1000 < warmUpMs) return;
      for (const [index, { pid }] of instances.entries()) samples[index]?.push(...present(sampleOf(pid())));
    }),
    every(FORGET_MS, submitting.signal, () => forgetEvents(cluster)),
    every(SAY_MS, submitting.signal, () => {
      const now = instances.map(({ name, pid }) => `${name} ${told(sampleOf(pid()))}`);
      const done = `${load.records.length} jobs, ${load.over()} over, ${storm.total()} faults`;
      log(`${Math.round(seconds())} s: ${done}, ${endings.length} restarts; ${now.join('; ')}`);
    }),
  ];
  await Promise.race([load.submitted, Promise.all(meanwhile)]);
  submitting.abort();
  await Promise.all(meanwhile);
  const paused = `submits paused for ${Math.round(load.pausedMs() / 1000)} s`;
  const machine = `processors ${Math.round(busy() * 100)} % busy, ${paused}`;
  await storm.end();

  log('No more jobs; waiting until all are over, and then expired');
  const timer = setTimeout(() => over.abort(), SETTLE_MS);
  await load.settled;
  clearTimeout(timer);
  for (let left = EXPIRED_MS; leftOvers(cluster).length > 0 && left > 0; left -= 1_000) await sleep(1_000);
  const evidence = await Promise.all(
    instances.map(async (instance, index) => ({
      instance,
      isRestarted: endings.some(({ name }) => name === instance.name),
      samples: samples[index] ?? [],
      connections: await connectionsLeft(instance.pid(), cluster, NEEDED_CONNECTIONS),
      listed: await (await instance.launcher()).jobs('*'),
    })),
  );
  const lastEndings = await Promise.all(instances.map(({ end }) => end('end of input')));
  const remarks = judgeSoak(
    {
      cluster,
      records: load.records,
      instances: evidence,
      endings: [...endings, ...lastEndings].filter(({ way }) => way !== 'kill'),
      expiryMs: EXPIRY_MS,
    },
    wrong,
  );
  return {
    seed,
    jobs: load.records.length,
    faults: storm.counts(),
    seconds: seconds(),
    verdict: verdict([restartsOf(endings), ...remarks, machine]),
  };
}

/** Does something again and again until the signal ends; rejects when it fails. */
async function every(ms: number, signal: AbortSignal, work: () => Promise<void> | void): Promise<void> {
  for (;;) {
    await sleep(ms, undefined, { signal }).catch(() => undefined);
    if (signal.aborted) return;
    await work();
  }
}

function forgetEvents({ store }: SimulatedCluster): void {
  const before = Date.now() - EVENTS_MS;
  for (const event of store.list(EVENTS)) {
    if (Date.parse(event.metadata.creationTimestamp) < before) store.remove(EVENTS, event);
  }
}

/** Starts it again, in another way each time. */
async function restarted(instance: Instance | undefined, index: number): Promise<Ending> {
  const way = WAYS[index % WAYS.length];
  if (instance === undefined || way === undefined) throw new Error('BUG: nothing to start again');
  return instance.restart(way);
}

function restartsOf(endings: readonly Ending[]): string {
  const each = WAYS.map((way) => `${way} ${endings.filter((one) => one.way === way).length}`);
  return `${endings.length} restarts (${each.join(', ')})`;
}

function told(sample: Sample | undefined): string {
  if (sample === undefined) return 'is starting';
  return `${sample.megabytes.toFixed(0)} MB, ${sample.descriptors} fds, ${sample.sockets} sockets`;
}

const present = <T>(value: T | undefined): readonly T[] => (value === undefined ? [] : [value]);

/** Returns a function that reports how much of this machine's processors was used since. */
function processorsBusy(): () => number {
  const times = (): { idle: number; all: number } => {
    const each = cpus().map((cpu) => cpu.times);
    const sum = (values: readonly number[]): number => values.reduce((one, other) => one + other, 0);
    return { idle: sum(each.map(({ idle }) => idle)), all: sum(each.flatMap((cpu) => Object.values(cpu))) };
  };
  const before = times();
  return () => {
    const now = times();
    return 1 - (now.idle - before.idle) / (now.all - before.all);
  };
}
