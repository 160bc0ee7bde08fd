/** The executable as one launcher has it: a process, a conversation, what came on the status stream; it can start anew. */
import { renameSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { SimulatedCluster } from '../cluster/cluster.ts';
import { eventually } from '../support/eventually.ts';
import { createLauncher, type Frame, type Launcher } from '../support/launcher.ts';
import { type PluginProcess, startPlugin } from '../support/plugin.ts';
import { createLedger, type Ledger } from './ledger.ts';
import { connectionsTo } from './process.ts';

interface InstanceOptions {
  readonly cluster: SimulatedCluster;
  readonly tokenFile: string;
  /**
   * What the launcher calls it. Two at a time need two names: one of the same host and name is taken for an earlier run
   * (kubernetes-objects.md section 4).
   */
  readonly name?: string;
  /** Lines of its options file beside those that all need. */
  readonly options?: Readonly<Record<string, string>>;
  /** Program and first arguments; default: the built executable. */
  readonly command?: readonly string[] | undefined;
  /** Gets the log of a process that has ended. */
  readonly onLog?: (log: string) => void;
}

/** How a process ended that was asked to. */
export interface Ending {
  readonly name: string;
  readonly way: Way;
  readonly code: number | null;
  readonly ms: number;
}

/** `kill` leaves it no time; the others it has to follow by itself. */
const ENDINGS = {
  kill: (process: PluginProcess) => process.kill('SIGKILL'),
  'end of input': (process: PluginProcess) => process.endInput(),
  TERM: (process: PluginProcess) => process.kill('SIGTERM'),
} as const;

type Way = keyof typeof ENDINGS;
export const WAYS = Object.keys(ENDINGS) as readonly Way[];

export interface Instance {
  readonly name: string;
  readonly ledger: Ledger;
  readonly pid: () => number;
  readonly log: () => string;
  /** The conversation of now, or the next one while there is none. */
  readonly launcher: () => Promise<Launcher>;
  /** Work that no restart cuts: a submit with a lost answer would leave a job that no client knows. */
  readonly uncut: <T>(work: (launcher: Launcher) => Promise<T>) => Promise<T>;
  /** Sends a request without waiting for its answer. */
  readonly send: (frame: Frame) => void;
  readonly end: (way: Way) => Promise<Ending>;
  /** Ends it while jobs run and streams are open, when `isReady` has resolved, and starts it again. */
  readonly restart: (way: Way, isReady: () => Promise<unknown>) => Promise<Ending>;
  readonly close: () => Promise<void>;
}

const DEADLINE_MS = 60_000;
const END_MS = 10_000;
/** What a process needs when nothing is read: four watches and a pool of eight for calls. */
export const NEEDED_CONNECTIONS = 12;
/** Connections of logs are kept for a minute after their use. */
const KEPT_MS = 75_000;

export async function startInstance(start: InstanceOptions): Promise<Instance> {
  const { cluster, name = 'kubernetes' } = start;
  const ledger = createLedger();
  const uncut = new Set<Promise<unknown>>();

  async function begin(): Promise<{ process: PluginProcess; launcher: Launcher }> {
    const process = await startPlugin({
      name,
      options: {
        'api-url': cluster.url,
        'auth-token-path': start.tokenFile,
        'certificate-authority': Buffer.from(cluster.ca).toString('base64'),
        'kubernetes-namespace': cluster.namespace,
        'watch-timeout-seconds': '10',
        'request-timeout-seconds': '5',
        'fetch-limit': '50',
        'service-type': 'LoadBalancer',
        // For jobs that were created an hour ago and resumed just now.
        'pending-timeout-seconds': '1200',
        'log-level': 'DEBUG',
        ...start.options,
      },
      files: { [`launcher.${name}.profiles.conf`]: '[*]\nimage-pull-policy=IfNotPresent\n' },
      ...(start.command === undefined ? {} : { command: start.command }),
    });
    const launcher = createLauncher(process.wire, DEADLINE_MS);
    await launcher.bootstrap();
    launcher.status('*', '*', ledger.take);
    // On a busy machine the first lists take longer than the 10 s for which a request waits.
    await eventually(() => launcher.jobs('*').catch(() => undefined), 'the jobs are listed', 3 * DEADLINE_MS);
    return { process, launcher };
  }

  let life = begin();
  let { process } = await life;

  async function end(way: Way, isReady?: () => Promise<unknown>): Promise<Ending> {
    await Promise.allSettled([...uncut]);
    await isReady?.();
    const begin = performance.now();
    ENDINGS[way](process);
    const { code } = await withinMs(END_MS, process.exit, { code: -1, signal: null });
    const ms = performance.now() - begin;
    start.onLog?.(process.log());
    await process.close();
    return { name, way, code, ms };
  }

  return {
    name,
    ledger,
    pid: () => process.pid,
    log: () => process.log(),
    launcher: async () => (await life).launcher,
    uncut: async (work) => {
      const working = life.then(({ launcher }) => work(launcher));
      uncut.add(working);
      return working.finally(() => uncut.delete(working));
    },
    send: (frame) => process.wire.send(frame),
    end,
    restart: async (way, isReady) => {
      const next = Promise.withResolvers<Awaited<typeof life>>();
      life = next.promise;
      const ending = await end(way, isReady);
      ledger.turnPage();
      next.resolve(begin());
      ({ process } = await life);
      return ending;
    },
    close: async () => {
      await process.close();
    },
  };
}

/** As a kubelet or an agent replaces it: another file under the same name. */
export function writeToken(path: string, token: string): void {
  writeFileSync(`${path}.new`, `${token}\n`, { mode: 0o644 });
  renameSync(`${path}.new`, path);
}

/** Connections to the API server, once there are no more than `most` of them, or after the time that they are kept. */
export async function connectionsLeft(pid: number, cluster: SimulatedCluster, most: number): Promise<number> {
  const port = Number(new URL(cluster.url).port);
  const deadline = performance.now() + KEPT_MS;
  for (;;) {
    const connections = connectionsTo(pid, port);
    if (connections <= most || performance.now() > deadline) return connections;
    await sleep(1_000);
  }
}

export async function withinMs<T>(ms: number, work: Promise<T>, otherwise: T): Promise<T> {
  const timer = new AbortController();
  const late = sleep(ms, otherwise, { signal: timer.signal }).catch(() => otherwise);
  return Promise.race([work, late]).finally(() => timer.abort());
}
