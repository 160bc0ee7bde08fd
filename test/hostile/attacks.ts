/** The attacks, each with the permissions of one ordinary user, and what each may cost. */
import { setTimeout as sleep } from 'node:timers/promises';
import { ATTACKER, type Stage } from './stage.ts';

export interface Attack {
  readonly name: string;
  readonly what: string;
  /** False: the launcher does not read meanwhile, so the ordinary user cannot be measured. */
  readonly isMeasured?: false;
  /** The most memory that the plugin needs, in MB. */
  readonly memory: number;
  /** Attacks for this time and returns what undoes it. Throws if the attack had an effect that it must not have. */
  readonly run: (stage: Stage, ms: number) => Promise<() => void>;
}

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
];

/** Repeats until the time is over. */
async function repeatedly(ms: number, pauseMs: number, work: () => void): Promise<void> {
  const end = performance.now() + ms;
  while (performance.now() < end) {
    work();
    await sleep(pauseMs);
  }
}

function streams(stage: Stage, count: number, messageType: number, jobId: string): () => void {
  const ids = many(count, () => stage.send(stream(messageType, jobId)));
  return () => {
    for (const requestId of ids) stage.plugin.wire.send({ ...stream(messageType, jobId), cancel: true, requestId });
  };
}

export const ATTACKS: readonly Attack[] = [
  {
    name: 'shapes',
    what: 'submits of large lists: mounts, limits, variables, labels, arguments',
    memory: 400,
    run: async (stage, ms) => {
      let next = 0;
      await repeatedly(ms, 300, () => {
        stage.send(submit({ ...SHAPES[next++ % SHAPES.length] }));
      });
      return () => {};
    },
  },
  {
    name: 'output-streams',
    what: '1,000 output streams of one job',
    memory: 400,
    run: async (stage, ms) => {
      const id = await stage.attackersJob('while true; do echo line; sleep 0.2; done', 'Running');
      const cancel = streams(stage, 1000, 6, id);
      await sleep(ms);
      return () => {
        cancel();
        void stage.launcher.control(ATTACKER, id, 'kill').catch(() => undefined);
      };
    },
  },
  {
    name: 'status-streams',
    what: '10,000 status streams of all jobs',
    memory: 400,
    run: async (stage, ms) => {
      const cancel = streams(stage, 10_000, 4, '*');
      await sleep(ms);
      return cancel;
    },
  },
  {
    name: 'submits',
    what: '10,000 submits, 5,000 a second',
    memory: 500,
    run: async (stage, ms) => {
      let left = 10_000;
      await repeatedly(ms, 50, () => {
        for (let i = 0; i < 250 && left > 0; i++, left--) stage.send(submit({ container: { image: '' } }));
      });
      return () => {};
    },
  },
  {
    name: 'lists',
    what: 'four jobs of 1.2 MB, and lists of all jobs again and again',
    memory: 600,
    run: async (stage, ms) => {
      const environment = many(12, (i) => ({ name: `V${i}`, value: 'x'.repeat(100_000) }));
      await Promise.all(many(4, () => stage.launcher.request(2, submit({ environment })).catch(() => undefined)));
      await repeatedly(ms, 200, () => {
        for (let i = 0; i < 2; i++) stage.send({ messageType: 3, ...user, jobId: '*' });
      });
      await stage.launcher.jobs('*');
      return () => {};
    },
  },
  {
    name: 'unread-output',
    what: '900 output streams of much output, while the launcher does not read',
    isMeasured: false,
    memory: 400,
    run: async (stage, ms) => {
      const id = await stage.attackersJob('yes 0123456789012345678901234567890123456789 | head -n 100000', 'Finished');
      stage.plugin.setReading(false);
      const cancel = streams(stage, 900, 6, id);
      await sleep(ms);
      cancel();
      stage.plugin.setReading(true);
      return () => {};
    },
  },
  {
    name: 'audit',
    what: 'controls with job ids of 1 MB, and thousands of refused requests',
    memory: 500,
    run: async (stage, ms) => {
      const before = stage.logBytes();
      const jobId = 'x'.repeat(1_000_000);
      for (let i = 0; i < 20; i++) stage.send({ messageType: 5, ...user, jobId, operation: 3 });
      for (let i = 0; i < 5_000; i++) stage.send({ messageType: 5, ...user, jobId: `no-${i}`, operation: 3 });
      await sleep(ms);
      const written = stage.logBytes() - before;
      if (written > 2_000_000) throw new Error(`the log grew by ${written} bytes; at most 2,000,000 are right`);
      return () => {};
    },
  },
];
