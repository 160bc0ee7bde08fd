/** The attacks, each with the permissions of one ordinary user, and what each may cost. */
import { setTimeout as sleep } from 'node:timers/promises';
import { untilAborted } from '../../src/system/async.ts';
import type { Kind } from './ordinary.ts';
import { ATTACKER, type Stage } from './stage.ts';

export interface Attack {
  readonly name: string;
  readonly what: string;
  /** Requests of the ordinary user that are measured meanwhile. */
  readonly kinds: readonly Kind[];
  /** The launcher does not read meanwhile: the ordinary user is measured directly afterwards. */
  readonly isUnread?: true;
  /** Both plugins make their jobs with the sample templates. */
  readonly templates?: true;
  /** The most memory that the plugin needs, in MB. */
  readonly memory: number;
  /** Attacks until it is over. Throws if the attack had an effect that it must not have. */
  readonly run: (stage: Stage, over: AbortSignal) => Promise<void>;
}

const ALL: readonly Kind[] = ['list', 'status', 'output', 'submit', 'control'];

const user = { username: ATTACKER, requestUsername: ATTACKER };
const submit = (job: Readonly<Record<string, unknown>>) => ({
  messageType: 2,
  ...user,
  job: { name: 'hostile', user: ATTACKER, command: 'sleep 600', container: { image: 'busybox' }, ...job },
});
const stream = (messageType: number, jobId: string) => ({ messageType, ...user, jobId, cancel: false });

const many = <T>(count: number, make: (index: number) => T): readonly T[] =>
  Array.from({ length: count }, (_, index) => make(index));

/** Jobs of the shapes that once cost seconds. */
const SHAPES: readonly Readonly<Record<string, unknown>>[] = [
  { mounts: many(16_000, (i) => ({ mountPath: '/', type: 'x', source: { a: i }, name: 'a' })) },
  { mounts: many(500, (i) => ({ mountPath: `/m${i}`, type: 'nfs', source: { host: 'h', path: `/${i}` } })) },
  { resourceLimits: many(32_000, (i) => ({ type: `t${i}`, value: '1' })) },
  { environment: many(1_000, (i) => ({ name: `V${i}`, value: 'x'.repeat(500) })) },
  { metadata: { job: { labels: { app: `env[0].value: A${'a'.repeat(50_000)}` } } } },
  { args: many(5_000, (i) => `argument ${i}`), exe: '/bin/true', command: '' },
  // The server warns of each unknown field, and what its warnings quote of the job is not logged.
  {
    environment: many(9_000, (i) => ({ name: `V${i}`, value: 'x'.repeat(110) })),
    stdin: 'x'.repeat(1_000_000),
    metadata: {
      pod: {
        initContainers: [{ name: 'i', image: 'busybox', ...Object.fromEntries(many(70, (i) => [`unknown${i}`, 1])) }],
      },
    },
  },
];

/** Repeats until the attack is over. `work` may wait. */
async function repeatedly(over: AbortSignal, pauseMs: number, work: () => unknown): Promise<void> {
  while (!over.aborted) {
    await work();
    await sleep(pauseMs);
  }
}

/** Requests streams and returns what cancels them. */
function streams(stage: Stage, count: number, messageType: number, jobId: string): () => void {
  const ids = many(count, () => stage.send(stream(messageType, jobId)));
  return () => {
    for (const requestId of ids) stage.plugin.wire.send({ ...stream(messageType, jobId), cancel: true, requestId });
  };
}

/** In a minute: ten refusals and the number of the others. */
const MAX_REFUSAL_LINES = 11;

/** Minutes that have begun since this call. */
function minutesFromNow(): () => number {
  const start = performance.now();
  return () => Math.ceil((performance.now() - start) / 60_000);
}

/** No node has so many cores: these jobs stay Pending. */
const PENDING = submit({ resourceLimits: [{ type: 'cpuCount', value: '100000' }] });

async function submitted(stage: Stage, count: number, request: Readonly<Record<string, unknown>>): Promise<void> {
  await Promise.all(many(count, () => stage.launcher.request(2, request)));
}

export const ATTACKS: readonly Attack[] = [
  {
    name: 'shapes',
    what: 'submits of large lists: mounts, limits, variables, labels, arguments',
    kinds: ALL,
    memory: 400,
    run: async (stage, over) => {
      let next = 0;
      await repeatedly(over, 300, () => {
        stage.send(submit({ ...SHAPES[next++ % SHAPES.length] }));
        // No faster than the simulated cluster, which is not what is attacked.
        return stage.cluster.get('/version');
      });
    },
  },
  {
    name: 'templates',
    what: 'submits that take long to render with templates',
    kinds: ALL,
    templates: true,
    memory: 500,
    run: async (stage, over) => {
      // Text that could be structure of YAML is rendered three times, and the job a fourth time without its init container.
      const environment = many(8_000, (i) => ({ name: `V${i}`, value: 'va"l' }));
      const initContainers = [{ name: 'first', image: 'busybox', command: 'true' }];
      const resourceLimits = [{ type: 'cpuCount', value: '100000' }];
      await repeatedly(over, 500, () => {
        stage.send(submit({ environment, initContainers, resourceLimits }));
        // No faster than they are read.
        return stage.launcher.jobs('eve');
      });
    },
  },
  {
    name: 'output-streams',
    what: '1,000 output streams of one job',
    kinds: ALL,
    memory: 400,
    run: async (stage, over) => {
      const id = await stage.attackersJob('while true; do echo line; sleep 0.5; done', 'Running');
      streams(stage, 1000, 6, id);
      await untilAborted(over);
    },
  },
  {
    name: 'status-streams',
    what: '10,000 status streams of all jobs, of which there are 100',
    kinds: ALL,
    memory: 400,
    run: async (stage, over) => {
      await submitted(stage, 100, PENDING);
      streams(stage, 10_000, 4, '*');
      await untilAborted(over);
    },
  },
  {
    name: 'usage-streams',
    what: '10,000 resource usage streams of one running job',
    kinds: ALL,
    memory: 400,
    run: async (stage, over) => {
      const id = await stage.attackersJob('sleep 600', 'Running');
      streams(stage, 10_000, 7, id);
      await untilAborted(over);
    },
  },
  {
    name: 'submits',
    what: '10,000 submits, 5,000 a second',
    kinds: ALL,
    memory: 500,
    run: async (stage, over) => {
      let left = 10_000;
      await repeatedly(over, 50, () => {
        for (let i = 0; i < 250 && left > 0; i++, left--) stage.send(submit({ container: { image: '' } }));
      });
    },
  },
  {
    name: 'large-submits',
    what: '5 submits of 260 kB at once, again and again',
    kinds: ALL,
    memory: 500,
    run: async (stage, over) => {
      // Many values take long to parse. Without an image they are refused.
      const environment = many(8_000, (i) => ({ name: `V${i}`, value: 'value' }));
      const job = submit({ environment, container: { image: '' } });
      await repeatedly(over, 500, () => {
        for (let i = 0; i < 5; i++) stage.send(job);
        // No faster than they are read.
        return stage.launcher.jobs('eve');
      });
    },
  },
  {
    name: 'lists',
    what: 'four jobs of 1.2 MB, and lists of all jobs again and again',
    kinds: ALL,
    memory: 600,
    run: async (stage, over) => {
      const environment = many(12, (i) => ({ name: `V${i}`, value: 'x'.repeat(100_000) }));
      await submitted(stage, 4, submit({ environment, resourceLimits: [{ type: 'cpuCount', value: '100000' }] }));
      await repeatedly(over, 200, () => {
        for (let i = 0; i < 2; i++) stage.send({ messageType: 3, ...user, jobId: '*' });
      });
      await stage.launcher.jobs('*');
    },
  },
  {
    name: 'silent-api',
    what: '10,000 submits while the API server does not answer',
    kinds: ['list', 'status'],
    memory: 400,
    run: async (stage, over) => {
      stage.cluster.silence();
      for (let i = 0; i < 10_000; i++) stage.send(submit({}));
      await untilAborted(over);
    },
  },
  {
    name: 'unread-output',
    what: '900 output streams of much output, while the launcher does not read',
    kinds: ALL,
    isUnread: true,
    memory: 400,
    run: async (stage, over) => {
      const id = await stage.attackersJob('yes 0123456789 | tr -d "\\n" | head -c 8000000; echo; sleep 600', 'Running');
      stage.setReading(false);
      const cancel = streams(stage, 900, 6, id);
      await untilAborted(over);
      cancel();
      stage.setReading(true);
    },
  },
  {
    name: 'audit',
    what: '20 controls with job ids of 1 MB, and 100,000 refused requests',
    kinds: ALL,
    memory: 500,
    run: async (stage, over) => {
      const before = stage.logLines();
      const minutes = minutesFromNow();
      const jobId = 'x'.repeat(1_000_000);
      for (let i = 0; i < 20; i++) stage.send({ messageType: 5, ...user, jobId, operation: 3 });
      for (let sent = 0; sent < 100_000; sent += 1_000) {
        for (let i = 0; i < 500; i++) {
          stage.send({ messageType: 5, ...user, jobId: `no-${sent + i}`, operation: 3 });
          stage.send(stream(6, `no-${sent + i}`));
        }
        await sleep(20);
      }
      await untilAborted(over);
      await stage.launcher.jobs('*');
      const after = stage.logLines();
      const kept = new Set(after);
      const lost = before.filter((line) => !kept.has(line));
      if (lost.length > 0) throw new Error(`${lost.length} lines of the log were lost, first: ${lost[0]}`);
      const ofAttacker = after.filter((line) => line.includes(`requester: ${ATTACKER}`));
      const most = MAX_REFUSAL_LINES * minutes();
      if (ofAttacker.length === 0 || ofAttacker.length > most) {
        throw new Error(`${ofAttacker.length} lines of the log are about the attacker; at most ${most} are right`);
      }
      const longest = Math.max(...after.map((line) => Buffer.byteLength(line)));
      if (longest > 8_300) throw new Error(`a line of the log has ${longest} bytes`);
    },
  },
];
