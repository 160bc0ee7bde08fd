/**
 * What an attack meets: the executable on a simulated cluster, an ordinary user beside the attacker, and meters. A second
 * plugin on the same cluster is not attacked, and the ordinary user sends each request to both, one after the other: what the
 * machine and the cluster do meanwhile makes both slow, so that only the attack makes a difference.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { eventually } from '../support/eventually.ts';
import { createLauncher, type Frame, type Launcher } from '../support/launcher.ts';
import { type PluginProcess, startPlugin } from '../support/plugin.ts';
import { type ClusterProcess, type Namespace, startClusterProcess } from './cluster-process.ts';
import { type Kind, type Latency, type OrdinaryUser, ordinaryUser } from './ordinary.ts';

export const ATTACKER = 'mallory';
const HEARTBEAT_SECONDS = 1;

/** Requests of the attacker have ids of seven digits; their answers are not parsed. */
const FIRST_ID = 1_000_000;
const isForAttacker = (head: string): boolean => /"requestId":\d{7}/.test(head);

/** The ordinary user pauses for this time between requests, and between rounds. */
const PAUSE_MS = 2;
const ROUND_PAUSE_MS = 20;
const METER_MS = 100;
/** A busy machine gets more time for the rounds that are wanted, up to this. */
const LONGEST_MS = 60_000;
/** Before anything is measured, so that both plugins have compiled their code. */
const WARM_UP_ROUNDS = 10;

/** One request to each plugin, within the same moment. */
export interface Pair {
  readonly attacked: Latency;
  readonly quiet: Latency;
}

export interface Readings {
  readonly pairs: ReadonlyMap<Kind, readonly Pair[]>;
  /** The longest time without a heartbeat while the launcher reads, in milliseconds, without waits for a core. */
  readonly heartbeatGap: number;
  /** How late a timer of this program was at most, because other processes were on the cores. */
  readonly ownDelay: number;
  /** The most memory in MB. */
  readonly memory: number;
  /** Part of one core that the plugin used. */
  readonly cpu: number;
  /** Answers to the ordinary user that were errors. */
  readonly errors: readonly string[];
}

export interface Stage {
  readonly launcher: Launcher;
  readonly plugin: PluginProcess;
  readonly cluster: ClusterProcess;
  /** Sends without waiting for an answer. */
  readonly send: (frame: Omit<Frame, 'requestId'>) => number;
  /** Stops reading what the plugin writes, or reads on: heartbeats count from then. */
  readonly setReading: (isReading: boolean) => void;
  /**
   * Does what the ordinary user does, until `work` is done, and reads the meters meanwhile. `work` goes on until its signal
   * is aborted: after this time and so many rounds of requests.
   */
  readonly measure: (
    kinds: readonly Kind[],
    least: { readonly ms: number; readonly rounds: number },
    work: (over: AbortSignal) => Promise<void>,
  ) => Promise<Readings>;
  /** Submits for the attacker and waits for the state. */
  readonly attackersJob: (command: string, state: string) => Promise<string>;
  /** The lines of the log, rotated files included. */
  readonly logLines: () => readonly string[];
  readonly close: () => Promise<void>;
}

/** `hasTemplates`: the plugins make their jobs with the sample templates. */
export async function openStage(hasTemplates: boolean): Promise<Stage> {
  const cluster = await startClusterProcess();
  try {
    return await stageOf(cluster, hasTemplates ? { 'use-templating': '1', 'template-path': TEMPLATES } : {});
  } catch (error) {
    await cluster.close();
    throw error;
  }
}

const TEMPLATES = resolve(import.meta.dirname, '../../fixtures/templates');

type PluginOptions = Readonly<Record<string, string>>;

function start(cluster: ClusterProcess, namespace: Namespace, options: PluginOptions): Promise<PluginProcess> {
  return startPlugin({
    isDropped: isForAttacker,
    options: {
      'api-url': cluster.url,
      'auth-token': cluster.token,
      'certificate-authority': Buffer.from(cluster.ca).toString('base64'),
      'kubernetes-namespace': namespace,
      'heartbeat-interval-seconds': String(HEARTBEAT_SECONDS),
      'log-level': 'INFO',
      ...options,
    },
  });
}

async function stageOf(cluster: ClusterProcess, options: PluginOptions): Promise<Stage> {
  const [plugin, other] = await Promise.all([start(cluster, 'attacked', options), start(cluster, 'quiet', options)]);
  const launcher = createLauncher(plugin.wire);
  let lastId = FIRST_ID;
  let lastHeartbeat = pluginTime(plugin.pid);
  let heartbeatGap = 0;
  plugin.wire.onFrame(({ messageType }) => {
    if (messageType !== 0) return;
    const now = pluginTime(plugin.pid);
    heartbeatGap = Math.max(heartbeatGap, now - lastHeartbeat);
    lastHeartbeat = now;
  });
  const otherLauncher = createLauncher(other.wire);
  await Promise.all([launcher.bootstrap(), otherLauncher.bootstrap()]);
  const users: Users = {
    attacked: await ordinaryUser(launcher, cluster, 'attacked', () => workedMs(plugin.pid)),
    quiet: await ordinaryUser(otherLauncher, cluster, 'quiet', () => workedMs(other.pid)),
  };
  for (let round = 0; round < WARM_UP_ROUNDS; round++) await oneRound(users, ALL_KINDS, round, () => {});

  return {
    launcher,
    plugin,
    cluster,
    send: (frame) => {
      plugin.wire.send({ ...frame, messageType: Number(frame['messageType']), requestId: ++lastId });
      return lastId;
    },
    setReading: (isReading) => {
      if (isReading) lastHeartbeat = pluginTime(plugin.pid);
      else heartbeatGap = Math.max(heartbeatGap, pluginTime(plugin.pid) - lastHeartbeat);
      plugin.setReading(isReading);
    },
    measure: async (kinds, least, work) => {
      const enough = new AbortController();
      const over = new AbortController();
      heartbeatGap = 0;
      lastHeartbeat = pluginTime(plugin.pid);
      const latest = performance.now() + LONGEST_MS;
      let rounds = 0;
      const requests = requestsUntil(over.signal, users, kinds, () => rounds++);
      const meters = metersUntil(over.signal, plugin.pid);
      const waiting = sleep(least.ms).then(async () => {
        while (kinds.length > 0 && rounds < least.rounds && performance.now() < latest) await sleep(METER_MS);
        enough.abort();
      });
      await work(enough.signal).finally(() => over.abort());
      await waiting;
      return {
        ...(await requests),
        ...(await meters),
        heartbeatGap: Math.max(heartbeatGap, pluginTime(plugin.pid) - lastHeartbeat),
      };
    },
    attackersJob: async (command, state) => {
      const container = { image: 'busybox' };
      const { id } = await launcher.submit(ATTACKER, { name: 'hostile', command, container });
      await eventually(async () => (await launcher.job(ATTACKER, id)).status === state, `${id} is ${state}`);
      return id;
    },
    logLines: () => {
      const { logFile } = plugin.directory;
      const directory = logFile.slice(0, logFile.lastIndexOf('/'));
      return readdirSync(directory).flatMap((name) => readFileSync(`${directory}/${name}`, 'utf8').split('\n'));
    },
    close: async () => {
      await Promise.all([plugin.close(), other.close()]);
      await cluster.close();
    },
  };
}

type Users = Readonly<Record<Namespace, OrdinaryUser>>;

const ALL_KINDS: readonly Kind[] = ['list', 'status', 'output', 'submit', 'control', 'past'];

/** One request of each kind to both plugins, to each of them first in turn. Rejects with the first error. */
async function oneRound(
  users: Users,
  kinds: readonly Kind[],
  round: number,
  note: (kind: Kind, pair: Pair) => void,
): Promise<void> {
  for (const kind of kinds) {
    const first = round % 2 === 0 ? await users.quiet[kind]() : undefined;
    const attacked = await users.attacked[kind]();
    note(kind, { attacked, quiet: first ?? (await users.quiet[kind]()) });
    await sleep(PAUSE_MS);
  }
}

async function requestsUntil(
  signal: AbortSignal,
  users: Users,
  kinds: readonly Kind[],
  onRound: () => void,
): Promise<Pick<Readings, 'pairs' | 'errors'>> {
  const pairs = new Map<Kind, Pair[]>(kinds.map((kind) => [kind, []]));
  const errors: string[] = [];
  for (let round = 0; !signal.aborted; round++) {
    const note = (kind: Kind, pair: Pair): void => void pairs.get(kind)?.push(pair);
    await oneRound(users, kinds, round, note).catch((error: unknown) => errors.push(String(error)));
    onRound();
    await sleep(ROUND_PAUSE_MS);
  }
  return { pairs, errors };
}

async function metersUntil(signal: AbortSignal, pid: number): Promise<Pick<Readings, 'memory' | 'cpu' | 'ownDelay'>> {
  const begun = { wall: performance.now(), work: workedMs(pid) };
  let memory = 0;
  let ownDelay = 0;
  while (!signal.aborted) {
    memory = Math.max(memory, residentMB(pid));
    const asleep = performance.now();
    await sleep(METER_MS);
    ownDelay = Math.max(ownDelay, performance.now() - asleep - METER_MS);
  }
  return { memory, ownDelay, cpu: (workedMs(pid) - begun.work) / (performance.now() - begun.wall) };
}

function residentMB(pid: number): number {
  const [, kilobytes = '0'] = /^VmRSS:\s*(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kilobytes) / 1024;
}

/** Time that the main thread was on a core, and that it waited for one; the first two numbers are in nanoseconds. */
function mainThread(pid: number): { readonly worked: number; readonly waited: number } {
  const [worked, waited] = readFileSync(`/proc/${pid}/task/${pid}/schedstat`, 'utf8').split(' ');
  return { worked: Number(worked) / 1e6, waited: Number(waited) / 1e6 };
}

/** Milliseconds for which the main thread was on a core. */
export const workedMs = (pid: number): number => mainThread(pid).worked;

/** A clock that stops while the plugin waits for a core: other processes of the machine do not make a heartbeat late. */
const pluginTime = (pid: number): number => performance.now() - mainThread(pid).waited;
