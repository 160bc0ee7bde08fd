/** What an attack meets: the executable on a simulated cluster, an ordinary user beside the attacker, and meters. */
import { readFileSync, statSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { eventually } from '../support/eventually.ts';
import { createLauncher, type Frame, type Launcher } from '../support/launcher.ts';
import { type PluginProcess, startPlugin } from '../support/plugin.ts';
import { type ClusterProcess, startClusterProcess } from './cluster-process.ts';

export const ATTACKER = 'mallory';
const ORDINARY = 'bob';
const HEARTBEAT_SECONDS = 1;

/** Milliseconds of each kind of request, one after the other. */
type Latencies = ReadonlyMap<string, readonly number[]>;

export interface Readings {
  readonly latencies: Latencies;
  /** The longest time without a heartbeat, in milliseconds. */
  readonly heartbeatGap: number;
  /** The most memory in MB. */
  readonly memory: number;
  /** Answers to the ordinary user that were errors. */
  readonly errors: readonly string[];
}

export interface Stage {
  readonly launcher: Launcher;
  readonly plugin: PluginProcess;
  /** Sends without waiting for an answer. */
  readonly send: (frame: Omit<Frame, 'requestId'>) => number;
  /** Does what the ordinary user does, until `work` is done, and reads the meters meanwhile. */
  readonly measure: (work: () => Promise<void>, isMeasured?: boolean) => Promise<Readings>;
  /** Submits for the attacker and waits for the state. */
  readonly attackersJob: (command: string, state: string) => Promise<string>;
  readonly logBytes: () => number;
  readonly close: () => Promise<void>;
}

export async function openStage(): Promise<Stage> {
  const cluster = await startClusterProcess();
  try {
    return await stageOf(cluster);
  } catch (error) {
    await cluster.close();
    throw error;
  }
}

async function stageOf(cluster: ClusterProcess): Promise<Stage> {
  const plugin = await startPlugin({
    options: {
      'api-url': cluster.url,
      'auth-token': cluster.token,
      'certificate-authority': Buffer.from(cluster.ca).toString('base64'),
      'kubernetes-namespace': cluster.namespace,
      'heartbeat-interval-seconds': String(HEARTBEAT_SECONDS),
      'log-level': 'INFO',
    },
  });
  const launcher = createLauncher(plugin.wire);
  let lastId = 1_000_000;
  let lastHeartbeat = performance.now();
  let heartbeatGap = 0;
  plugin.wire.onFrame(({ messageType }) => {
    if (messageType !== 0) return;
    const now = performance.now();
    heartbeatGap = Math.max(heartbeatGap, now - lastHeartbeat);
    lastHeartbeat = now;
  });
  await launcher.bootstrap();
  const container = { image: 'busybox' };
  const finished = await launcher.submit(ORDINARY, { name: 'ordinary', command: 'echo text', container });
  await reaches(launcher, ORDINARY, finished.id, 'Finished');

  const round = async (note: (what: string, ms: number) => void): Promise<void> => {
    const timed = async (what: string, work: () => Promise<unknown>): Promise<void> => {
      const start = performance.now();
      await work();
      note(what, performance.now() - start);
    };
    await timed('list', () => launcher.jobs(ORDINARY));
    await timed('output', () => launcher.output(ORDINARY, finished.id, () => {}).completed);
    let id = '';
    await timed('submit', async () => {
      id = (await launcher.submit(ORDINARY, { name: 'ordinary', command: 'sleep 600', container })).id;
    });
    await timed('control', () => canceled(launcher, id));
  };

  return {
    launcher,
    plugin,
    send: (frame) => {
      plugin.wire.send({ ...frame, messageType: Number(frame['messageType']), requestId: ++lastId });
      return lastId;
    },
    measure: async (work, isMeasured = true) => {
      const latencies = new Map<string, number[]>();
      const errors: string[] = [];
      let memory = 0;
      let isOver = false;
      heartbeatGap = 0;
      lastHeartbeat = performance.now();
      const user = async (): Promise<void> => {
        while (!isOver && isMeasured) {
          const note = (what: string, ms: number): unknown => latencies.set(what, [...(latencies.get(what) ?? []), ms]);
          await round(note).catch((error: unknown) => errors.push(String(error)));
          await sleep(50);
        }
      };
      const meter = async (): Promise<void> => {
        while (!isOver) {
          memory = Math.max(memory, residentMB(plugin.pid));
          await sleep(100);
        }
      };
      const running = [user(), meter()];
      await work();
      isOver = true;
      await Promise.all(running);
      return { latencies, heartbeatGap: Math.max(heartbeatGap, performance.now() - lastHeartbeat), memory, errors };
    },
    attackersJob: async (command, state) => {
      const { id } = await launcher.submit(ATTACKER, { name: 'hostile', command, container });
      await reaches(launcher, ATTACKER, id, state);
      return id;
    },
    logBytes: () => statSync(plugin.directory.logFile).size,
    close: async () => {
      await plugin.close();
      await cluster.close();
    },
  };
}

async function reaches(launcher: Launcher, user: string, id: string, state: string): Promise<void> {
  await eventually(async () => (await launcher.job(user, id)).status === state, `${id} is ${state}`);
}

/** Ends a job that may run already. */
async function canceled(launcher: Launcher, id: string): Promise<void> {
  await launcher.control(ORDINARY, id, 'cancel').catch(() => launcher.control(ORDINARY, id, 'kill'));
}

function residentMB(pid: number): number {
  const [, kilobytes = '0'] = /^VmRSS:\s*(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kilobytes) / 1024;
}
