/** The other users of a soak: one who is hostile all the time, and an ordinary one; the latencies of the latter are compared with those before. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { SimulatedCluster } from '../cluster/cluster.ts';
import { CALLS, type Kind, type Latency, ordinaryUser } from '../hostile/ordinary.ts';
import { ATTACKER, workedMs } from '../hostile/stage.ts';
import { api } from '../integration/api.ts';
import { eventually } from '../support/eventually.ts';
import type { Launcher } from '../support/launcher.ts';
import type { Instance } from './instance.ts';
import { shown, slowRequests } from './latencies.ts';
import { isEnd } from './ledger.ts';
import type { Wrong } from './tally.ts';

const KINDS = Object.keys(CALLS) as readonly Kind[];
const ORDINARY = 'bob';
/** Names of their jobs, with which the ids begin. */
const NAMES = ['hostile', 'ordinary'];
export const isOfOtherUser = (id: string): boolean => NAMES.some((name) => id.startsWith(`${name}-`));

const ROUND_PAUSE_MS = 2_000;
/** The ordinary user reads the output of a job that has ended: of a new one before that expires. */
const USER_MS = 45_000;

/** Streams of each kind, open all the time. */
const STREAMS = 50;
/** Until the streams are open. */
const OPENING_MS = 10_000;
const BURST_MS = 250;
/** Of each kind of request, in each burst. */
const BURST = 25;
/** No other request of a run has such an id. */
const FIRST_ID = 100_000_000;

interface OtherUsers {
  /** Begins the attack and resolves when it is on; rejects if that was not possible. */
  readonly attack: () => Promise<void>;
  /** Ends the work of both, and their jobs. */
  readonly end: () => Promise<void>;
  /** Judges the latencies; returns what is worth knowing and not wrong. */
  readonly judge: (wrong: Wrong) => string;
}

/** Both use this instance. */
export function startOtherUsers(instance: Instance, cluster: SimulatedCluster): OtherUsers {
  const over = new AbortController();
  const quiet = new Map<Kind, Latency[]>();
  const attacked = new Map<Kind, Latency[]>();
  let isAttacked = false;
  let sent = 0;
  let errors = 0;
  const target = {
    get: async (path: string) => {
      const { url, ca, adminToken: token } = cluster;
      return (await api({ url, ca, token }, 'GET', path)).bytes.toString();
    },
  };

  function note(kind: Kind, latency: Latency): void {
    const latencies = isAttacked ? attacked : quiet;
    const known = latencies.get(kind);
    if (known === undefined) latencies.set(kind, [latency]);
    else known.push(latency);
  }

  async function ordinary(): Promise<void> {
    while (!over.signal.aborted) {
      try {
        const worked = (): number => workedMs(instance.pid());
        const user = await ordinaryUser(await instance.launcher(), target, cluster.namespace, worked);
        for (const until = performance.now() + USER_MS; performance.now() < until && !over.signal.aborted; ) {
          for (const kind of KINDS) note(kind, await user[kind]());
          await pause(ROUND_PAUSE_MS);
        }
      } catch {
        // Faults of the cluster: as the other jobs' submits, it tries again.
        errors++;
        await pause(ROUND_PAUSE_MS);
      }
    }
  }

  const pause = (ms: number): Promise<void> => sleep(ms, undefined, { signal: over.signal }).catch(() => undefined);
  const user = { username: ATTACKER, requestUsername: ATTACKER };
  const send = (messageType: number, fields: Readonly<Record<string, unknown>>): void => {
    instance.send({ ...user, ...fields, messageType, requestId: FIRST_ID + ++sent });
  };

  async function hostileJob(): Promise<string> {
    const job = { name: 'hostile', user: ATTACKER, container: { image: 'busybox' } };
    const command = 'while true; do echo line; sleep 0.5; done';
    const { id } = await eventually(() =>
      instance.uncut((launcher) => launcher.submit(ATTACKER, { ...job, command })).catch(() => undefined),
    );
    await instance.ledger.until(id, ({ status }) => status === 'Running', over.signal);
    return id;
  }

  /** Requests that the plugin refuses, a large one among them, and a list: its answer comes when the others were read. */
  async function burst(): Promise<void> {
    const job = { name: 'hostile', user: ATTACKER, command: 'true', container: { image: '' } };
    for (let count = 0; count < BURST; count++) {
      send(2, { job });
      send(5, { jobId: `no-${sent}`, operation: 3 });
      send(6, { jobId: `no-${sent}`, cancel: false });
    }
    send(2, { job: { ...job, environment: LARGE } });
    await (await instance.launcher()).jobs(ATTACKER).catch(() => errors++);
  }

  async function hostile(id: string): Promise<void> {
    for (let count = 0; count < STREAMS; count++) {
      send(4, { jobId: '*', cancel: false });
      send(6, { jobId: id, cancel: false });
      send(7, { jobId: id, cancel: false });
    }
    while (!over.signal.aborted) {
      await burst();
      await pause(BURST_MS);
    }
  }

  const work = [ordinary()];
  return {
    attack: async () => {
      const id = await hostileJob();
      isAttacked = true;
      work.push(hostile(id));
      await pause(OPENING_MS);
    },
    end: async () => {
      over.abort();
      await Promise.all(work);
      await instance.uncut(async (launcher) => {
        const areOver = async () => (await hasEnded(launcher, ORDINARY)) && (await hasEnded(launcher, ATTACKER));
        // What is left then is found as jobs that did not expire.
        await eventually(() => areOver().catch(() => false)).catch(() => undefined);
      });
    },
    judge: (wrong) => {
      const rounds = [quiet, attacked].map((latencies) => latencies.get('list')?.length ?? 0);
      if (rounds.includes(0)) wrong('requests slow', `rounds of the ordinary user: ${rounds.join(' and ')}`);
      else for (const text of slowRequests(KINDS, quiet, attacked)) wrong('requests slow', text);
      const compared = KINDS.map((kind) => `${kind} ${shown(quiet, kind)} > ${shown(attacked, kind)}`).join(', ');
      const totals = `${sent} hostile requests, ${rounds.join(' > ')} rounds of an ordinary user, ${errors} with an error`;
      return `${totals}: median/90 % in ms on the clock (of work), before > during the attack: ${compared}`;
    },
  };
}

const LARGE = Array.from({ length: 200 }, (_, index) => ({ name: `V${index}`, value: 'x'.repeat(500) }));

/** Ends the jobs of a user; true when all have ended. */
async function hasEnded(launcher: Launcher, user: string): Promise<boolean> {
  const open = (await launcher.jobs(user)).filter((job) => !isEnd(job));
  for (const { id, status } of open)
    await launcher.control(user, id, status === 'Pending' ? 'cancel' : 'kill').catch(() => undefined);
  return open.length === 0;
}
