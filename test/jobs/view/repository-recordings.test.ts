/** Recordings of a real cluster give the expected states, in order and with watches that run apart. */
import t from 'tap';
import { type JobState, TERMINAL_STATES } from '../../../src/jobs/job.ts';
import { EXPECTED } from './recorded.ts';
import { AT_ONCE, replay, scenarios } from './replay.ts';

function count(): { lines: number; states: number } {
  let lines = 0;
  for (const { jobs, pods, events } of scenarios.values()) lines += jobs.length + pods.length + events.length;
  const states = Object.values(EXPECTED).flatMap((jobs) => Object.values(jobs).flat()).length;
  return { lines, states };
}

t.test('every recorded scenario gives the expected states', async (t) => {
  t.strictSame([...scenarios.keys()].sort(), Object.keys(EXPECTED).sort(), 'all scenarios are there');
  for (const [name, scenario] of scenarios) {
    const announced = replay(scenario, AT_ONCE);
    t.strictSame(Object.fromEntries(announced), EXPECTED[name], name);
  }
  const { lines, states } = count();
  t.comment(`${scenarios.size} scenarios, ${lines} watch lines, ${states} states`);
});

/** A small generator that can be seeded (mulberry32). */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

const SHUFFLES = 40;
const isTerminal = (text: string): boolean => TERMINAL_STATES.has(text.split(' ')[0] as JobState);

t.test('the order of the two watches does not matter', async (t) => {
  const seed = Number(process.env['SEED'] ?? Date.now() % 1_000_000);
  const random = seeded(seed);
  for (const [name, scenario] of scenarios) {
    const expected = EXPECTED[name] ?? {};
    for (let shuffle = 0; shuffle < SHUFFLES; shuffle++) {
      const apart = [0, 50, 1000, 30_000][shuffle % 4] ?? 0;
      const late = (): (() => number) => {
        const base = random() * apart;
        return () => base + random() * 200;
      };
      const announced = replay(scenario, { jobs: late(), pods: late(), events: late(), reads: () => random() * 500 });
      for (const [job, states] of Object.entries(expected)) {
        const list = announced.get(job) ?? [];
        // A label that comes back soon enough is no end.
        const ends = (all: readonly string[]): string => [...new Set(all.filter(isTerminal))].join();
        if (ends(list) !== ends(states) || list.at(-1) !== states.at(-1))
          t.fail(`${job}: ${list.join(' > ')}`, { expected: states.join(' > '), seed, shuffle, apart });
      }
    }
  }
  t.pass(`seed ${seed}, ${SHUFFLES} shuffles of each scenario`);
});
