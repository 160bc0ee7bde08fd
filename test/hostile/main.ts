/**
 * `npm run test:hostile`: one user does the worst that is possible, and an ordinary user beside must not notice. Prints the
 * latencies of the ordinary user, the heartbeats and the memory against their bounds; `-- --short`, `-- --only NAME,NAME`.
 */
import { parseArgs } from 'node:util';
import { untilAborted } from '../../src/system/async.ts';
import { median } from '../bench/statistics.ts';
import { ATTACKS, type Attack } from './attacks.ts';
import { CALLS, type Kind, type Latency } from './ordinary.ts';
import { openStage, type Readings, type Stage } from './stage.ts';

/**
 * Bounds are about the time that the plugin's event loop works before the ordinary user has the answer: twice that of the
 * quiet plugin, and this more. Time on the clock would depend on what else the machine does.
 */
const FLOOR_MS = 50;
/** CPU time of `someWork` on the machine on which this was found; a slower machine has so much more time, a faster one the same. */
const SOME_WORK_MS = 70;
/** The interval is one second; no heartbeat is late by more than that. */
const MAX_HEARTBEAT_GAP_MS = 2_000;
/** At least; twenty rounds of requests may take longer. */
const QUIET_MS = 4_000;
const ATTACK_MS = 15_000;
const SHORT_QUIET_MS = 1_500;
const SHORT_ATTACK_MS = 3_000;
/** Other work of the machine may be in the way. */
const ATTEMPTS = 3;
/** Compared are the median and the latency that nine of ten requests do not exceed. */
const RANKS = [0.5, 0.9];

const { values } = parseArgs({ options: { short: { type: 'boolean', default: false }, only: { type: 'string' } } });
const attackMs = values.short ? SHORT_ATTACK_MS : ATTACK_MS;
const quietMs = values.short ? SHORT_QUIET_MS : QUIET_MS;
const names = values.only?.split(',') ?? ATTACKS.map(({ name }) => name);
const unknown = names.filter((name) => !ATTACKS.some((attack) => attack.name === name));
if (unknown.length > 0) {
  console.error(`npm run test:hostile: --only takes ${ATTACKS.map(({ name }) => name).join(', ')}`);
  process.exit(2);
}

console.log(`Of each request: median/90 % of the time on the clock, and (of the work of the event loop), in ms,
quiet > attacked. At most: twice the quiet work, ${FLOOR_MS} ms (more on a slow machine), and what calls past the plugin take meanwhile.`);
// The first times include the compilation of V8.
for (let time = 0; time < 3; time++) someWork();
let failed = 0;
for (const attack of ATTACKS.filter(({ name }) => names.includes(name))) {
  if (!(await isWithinBounds(attack))) failed++;
}
console.log(`${names.length - failed} of ${names.length} attacks within their bounds`);
process.exitCode = failed === 0 ? 0 : 1;

async function isWithinBounds(attack: Attack): Promise<boolean> {
  console.log(`${attack.name}: ${attack.what}`);
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    const stage = await openStage();
    try {
      const problems = await problemsOf(stage, attack);
      for (const problem of problems) console.log(`     ${problem}`);
      if (problems.length === 0) return true;
    } finally {
      await stage.close();
    }
  }
  return false;
}

/** Attacks, prints the readings, and returns what is out of bounds. */
async function problemsOf(stage: Stage, attack: Attack): Promise<readonly string[]> {
  const kinds: readonly Kind[] = [...attack.kinds, 'past'];
  const floor = FLOOR_MS * Math.max(1, median([someWork(), someWork(), someWork()]) / SOME_WORK_MS);
  const quiet = await stage.measure(kinds, quietMs, untilAborted);
  const problems: string[] = [];
  const attacked = await stage.measure(attack.isUnread ? [] : kinds, attackMs, async (over) => {
    try {
      await attack.run(stage, over);
    } catch (error) {
      problems.push(error instanceof Error ? error.message : String(error));
    }
  });
  // While the launcher does not read there are no latencies: those right after it are compared.
  const compared = attack.isUnread ? await stage.measure(kinds, quietMs, untilAborted) : attacked;
  const gap = Math.max(attacked.heartbeatGap, compared.heartbeatGap);
  // The first requests after it come while the connections of 900 streams are closed.
  const ranks = attack.isUnread ? RANKS.slice(0, 1) : RANKS;
  problems.push(...slowRequests(kinds, ranks, quiet, compared, floor));
  // Twice: the plugin's timer and the reading of the frame are both late.
  const longest = MAX_HEARTBEAT_GAP_MS + 2 * Math.max(attacked.ownDelay, compared.ownDelay);
  if (gap > longest) problems.push(`no heartbeat for ${ms(gap)}; at most ${ms(longest)}`);
  const memory = Math.max(attacked.memory, compared.memory);
  if (memory > attack.memory) problems.push(`${memory.toFixed(0)} MB of memory; at most ${attack.memory} MB`);
  for (const error of new Set([...quiet.errors, ...attacked.errors, ...compared.errors])) {
    problems.push(`the ordinary user got ${error}`);
  }
  const latencies = kinds.map((kind) => `${kind} ${shown(quiet, kind)} > ${shown(compared, kind)}`);
  const resources = `cpu ${(attacked.cpu * 100).toFixed(0)} %, memory ${memory.toFixed(0)} of ${attack.memory} MB`;
  console.log(`${problems.length === 0 ? 'ok  ' : 'FAIL'} ${latencies.join(', ')}; heartbeat ${ms(gap)}, ${resources}`);
  return problems;
}

/** Milliseconds of CPU for work as the plugin does it. */
function someWork(): number {
  const start = process.threadCpuUsage();
  JSON.parse(JSON.stringify(Array.from({ length: 100_000 }, (_, i) => ({ name: `V${i}`, value: 'x'.repeat(20) }))));
  const { user, system } = process.threadCpuUsage(start);
  return (user + system) / 1000;
}

function slowRequests(
  kinds: readonly Kind[],
  ranks: readonly number[],
  quiet: Readings,
  attacked: Readings,
  floor: number,
): readonly string[] {
  return kinds
    .filter((kind) => kind !== 'past')
    .flatMap((kind) =>
      ranks.flatMap((rank) => {
        // While the plugin waits for the API server and for this program, it works for others.
        const waits = (CALLS[kind] + 1) * ranked(attacked, 'past', 'wall', rank);
        const bound = 2 * ranked(quiet, kind, 'work', rank) + floor + waits;
        const found = ranked(attacked, kind, 'work', rank);
        if (found <= bound) return [];
        return [`${kind}: ${rank * 100} % of the requests took up to ${ms(found)} of work; at most ${ms(bound)}`];
      }),
    );
}

function shown(readings: Readings, kind: Kind): string {
  const both = (measure: keyof Latency): string =>
    RANKS.map((rank) => ranked(readings, kind, measure, rank).toFixed(0)).join('/');
  return `${both('wall')} (${both('work')})`;
}

/** The latency that this part of the requests did not exceed; without a request, without limit. */
function ranked({ latencies }: Readings, kind: Kind, measure: keyof Latency, rank: number): number {
  const sorted = (latencies.get(kind) ?? []).map((latency) => latency[measure]).sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length * rank)] ?? Number.POSITIVE_INFINITY;
}

function ms(value: number): string {
  return `${value.toFixed(0)} ms`;
}
