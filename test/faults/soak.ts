/**
 * A soak: the same load for a long time, light faults, two instances of the executable on one namespace, one of which is
 * started again now and then; a third of the jobs by templates, a tenth adopted, and a hostile user all the time. Nothing
 * may grow, both instances have to report the right final state of every job, and no other user waits much longer.
 */
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { EVENTS, JOBS } from '../cluster/api/resources.ts';
import { type SimulatedCluster, startCluster } from '../cluster/cluster.ts';
import { seededRandom } from '../cluster/faults/faults.ts';
import { eventually } from '../support/eventually.ts';
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
import { isOfOtherUser, startOtherUsers } from './other-users.ts';
import { type Sample, sampleOf } from './process.ts';
import type { JobRecord } from './record.ts';
import type { RunReport } from './run.ts';
import { judgeSoak, leftOvers, UNDONE_MS } from './soak-verdict.ts';
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
/** Before the attack and the first sample: caches fill, connections are made. A quarter of the load at most. */
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
/** The part of the submits that goes to the instance with templates. */
const TEMPLATED = 1 / 3;
const TEMPLATES = new URL('../../fixtures/templates/', import.meta.url);
/** A label of site-data.tpl. */
const TEMPLATE_LABEL = 'site/department';

/**
 * Every container is forked from this process, which takes the longer the more memory it has (16 ms with 300 MB): the script in
 * package.json limits it to one malloc arena and makes it collect garbage early, which saves 200 MB.
 */
export async function soak(options: SoakOptions): Promise<RunReport> {
  const directory = mkdtempSync(join(tmpdir(), 'soak-'));
  chmodSync(directory, 0o755);
  const tokenFile = join(directory, 'token');
  const cluster = await startCluster({ speed: 20, nodes: 3, seed: options.seed, historyLength: 4_000 });
  writeToken(tokenFile, cluster.currentToken());
  const instances: Instance[] = [];
  try {
    const templates = writeTemplates(directory);
    for (const name of ['first', 'second']) {
      const instance = await startInstance({
        cluster,
        tokenFile,
        name,
        options: {
          'job-expiry-hours': String(EXPIRY_MS / HOUR_MS),
          'log-level': 'INFO',
          // A busy machine: calls without an answer in time are faults that nobody ordered.
          'request-timeout-seconds': '20',
          ...(name === 'first' ? { 'use-templating': '1', 'template-path': templates } : {}),
        },
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
  /** The first one has templates; the last one is started again now and then. */
  readonly instances: readonly Instance[];
}

/** The sample templates, with Services as the other instance makes them. Returns their directory. */
function writeTemplates(directory: string): string {
  const path = join(directory, 'templates');
  mkdirSync(path, { mode: 0o755 });
  for (const name of readdirSync(TEMPLATES)) {
    const text = readFileSync(new URL(name, TEMPLATES), 'utf8');
    const sited = text.replace('"serviceType": "ClusterIP"', '"serviceType": "LoadBalancer"');
    writeFileSync(join(path, name), sited, { mode: 0o644 });
  }
  return path;
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
  const [first, second] = instances;
  if (first === undefined || second === undefined) throw new Error('BUG: a soak has two instances');
  const others = startOtherUsers(first, cluster);
  const load = startLoad({
    cluster,
    instances,
    random,
    submitter: () => (random() < TEMPLATED ? first : second),
    templated: { instance: first, label: TEMPLATE_LABEL },
    deletion: (action) => action(),
    over: over.signal,
    ms: loadMs,
    wrong,
  });
  const samples = instances.map((): Sample[] => []);
  const endings: Ending[] = [];
  const busy = processorsBusy();

  let isWarm = false;
  const submitting = new AbortController();
  const meanwhile = [
    every(RESTART_MS, submitting.signal, async () => {
      endings.push(await restarted(second, endings.length, () => undone(cluster, load.records)));
    }),
    every(SAMPLE_MS, submitting.signal, () => {
      if (!isWarm) return;
      for (const [index, { pid }] of instances.entries()) samples[index]?.push(...present(sampleOf(pid())));
    }),
    every(FORGET_MS, submitting.signal, () => forgetEvents(cluster)),
    every(SAY_MS, submitting.signal, () => {
      const now = instances.map(({ name, pid }) => `${name} ${told(sampleOf(pid()))}`);
      const done = `${load.records.length} jobs, ${load.over()} over, ${storm.total()} faults`;
      log(`${Math.round(seconds())} s: ${done}, ${endings.length} restarts; ${now.join('; ')}`);
    }),
  ];
  const attacking = sleep(warmUpMs)
    .then(others.attack)
    .then(() => {
      isWarm = true;
    });
  await Promise.race([Promise.all([load.submitted, attacking]), Promise.all(meanwhile)]);
  submitting.abort();
  await Promise.all(meanwhile);
  await others.end();
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
    verdict: verdict([restartsOf(endings), madeBy(load.records), ...remarks, others.judge(wrong), machine]),
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
async function restarted(instance: Instance, index: number, isReady: () => Promise<unknown>): Promise<Ending> {
  const way = WAYS[index % WAYS.length];
  if (way === undefined) throw new Error('BUG: no way to end a process');
  return instance.restart(way, isReady);
}

/** Waits until the Jobs of failed submits are deleted: a process that ends meanwhile leaves them. */
async function undone({ store, namespace }: SimulatedCluster, records: readonly JobRecord[]): Promise<void> {
  const isAccepted = (name: string): boolean => isOfOtherUser(name) || records.some(({ id }) => id === name);
  const names = store.list(JOBS).flatMap(({ metadata: { name } }) => (isAccepted(name) ? [] : name));
  const isGone = (name: string): boolean => isAccepted(name) || store.get(JOBS, namespace, name) === undefined;
  await eventually(() => names.every(isGone), 'the Jobs of failed submits are deleted', UNDONE_MS).catch(
    () => undefined,
  );
}

function restartsOf(endings: readonly Ending[]): string {
  const each = WAYS.map((way) => `${way} ${endings.filter((one) => one.way === way).length}`);
  return `${endings.length} restarts (${each.join(', ')})`;
}

function madeBy(records: readonly JobRecord[]): string {
  const templated = records.filter(({ submittedBy }) => submittedBy === 'first').length;
  const adopted = records.filter(({ assignment }) => assignment.adopted !== undefined).length;
  return `${templated} jobs by templates, ${adopted} adopted`;
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
