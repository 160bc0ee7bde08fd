/**
 * `npm run test:hostile`: one user does the worst that is possible, and an ordinary user beside must not notice. Prints the
 * latencies of the ordinary user, the heartbeats and the memory against their bounds; `-- --short`, `-- --only NAME,NAME`.
 */
import { parseArgs } from 'node:util';
import { untilAborted } from '../../src/system/async.ts';
import { errorMessage } from '../../src/system/errors.ts';
import { median } from '../bench/statistics.ts';
import { ATTACKS, type Attack } from './attacks.ts';
import { CALLS, type Kind } from './ordinary.ts';
import { openStage, type Pair, type Readings, type Stage } from './stage.ts';

/** The goal: the attack makes nothing slower than this. */
const MAX_RATIO = 2;
/**
 * What one turn of the plugin's event loop may work for others before it reads the request: 10 ms of reading, 2 ms of a
 * rendering with the rest of its step, and an answer of 64 KiB or an event of the cluster. Without it the bound for a list
 * from memory, which takes 1 ms, would be less than a clock of a busy machine can tell.
 */
const TURN_MS = 25;
/** CPU time of `someWork` on the machine on which this was found; a slower machine has so much more time, a faster one the same. */
const SOME_WORK_MS = 70;
/** The interval is one second; no heartbeat is late by more than that. */
const MAX_HEARTBEAT_GAP_MS = 2_000;
/** At least; and fewer rounds say nothing of the slowest tenth. */
const ATTACK = { ms: 15_000, rounds: 60 };
const SHORT_ATTACK = { ms: 3_000, rounds: 20 };
/** After an attack during which nothing is measured. */
const AFTERWARDS = { ms: 4_000, rounds: 20 };
/** Other work of the machine may be in the way. */
const ATTEMPTS = 3;
/** Compared are the median and the latency that nine of ten requests do not exceed. */
const RANKS = [0.5, 0.9];

const quietWall = ({ quiet }: Pair): number => quiet.wall;
const attackedWall = ({ attacked }: Pair): number => attacked.wall;
const attackedWork = ({ attacked }: Pair): number => attacked.work;

const { values } = parseArgs({ options: { short: { type: 'boolean', default: false }, only: { type: 'string' } } });
const least = values.short ? SHORT_ATTACK : ATTACK;
const names = values.only?.split(',') ?? ATTACKS.map(({ name }) => name);
const unknown = names.filter((name) => !ATTACKS.some((attack) => attack.name === name));
if (unknown.length > 0) {
  console.error(`npm run test:hostile: --only takes ${ATTACKS.map(({ name }) => name).join(', ')}`);
  process.exit(2);
}

console.log(`The ordinary user sends each request to an attacked plugin and to one that is not, in turn. Median and 90 % in ms:
quiet > attacked (times as long) by the clock; then the work of the attacked event loop until the answer, which must not be
more than twice the quiet latency and a turn of the event loop (${TURN_MS} ms, more on a slow machine; for the 90 % also a
turn of each call to the API server).`);
// The first times include the compilation of V8.
for (let time = 0; time < 3; time++) someWork();
let failed = 0;
const ratios: { readonly rank: number; readonly ratio: number; readonly name: string }[] = [];
for (const attack of ATTACKS.filter(({ name }) => names.includes(name))) {
  if (!(await isWithinBounds(attack))) failed++;
}
console.log(`Medians: ${slowest(0.5)}. Nine of ten requests: ${slowest(0.9)}.`);
console.log(`${names.length - failed} of ${names.length} attacks within their bounds`);
process.exitCode = failed === 0 ? 0 : 1;

async function isWithinBounds(attack: Attack): Promise<boolean> {
  console.log(`${attack.name}: ${attack.what}`);
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    const stage = await openStage(attack.templates === true);
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

function noteRatios({ name }: Attack, kind: Kind, readings: Readings): void {
  for (const rank of RANKS) {
    const ratio = ranked(readings, kind, attackedWall, rank) / ranked(readings, kind, quietWall, rank);
    ratios.push({ rank, ratio, name: `${kind} under ${name}` });
  }
}

/** `12 of 42 more than x2: list under lists x5.1, ...` */
function slowest(of: number): string {
  const found = ratios.filter(({ rank }) => rank === of).sort((a, b) => b.ratio - a.ratio);
  const above = found.filter(({ ratio }) => ratio > MAX_RATIO).map(({ name, ratio }) => `${name} ${times(ratio)}`);
  return `${above.length} of ${found.length} more than ${times(MAX_RATIO)}${above.map((text) => `, ${text}`).join('')}`;
}

/** Attacks, prints the readings, and returns what is out of bounds. */
async function problemsOf(stage: Stage, attack: Attack): Promise<readonly string[]> {
  const kinds: readonly Kind[] = [...attack.kinds, 'past'];
  const turn = TURN_MS * Math.max(1, median([someWork(), someWork(), someWork()]) / SOME_WORK_MS);
  const problems: string[] = [];
  const attacked = await stage.measure(attack.isUnread ? [] : kinds, least, async (over) => {
    try {
      await attack.run(stage, over);
    } catch (error) {
      problems.push(errorMessage(error));
    }
  });
  // While the launcher does not read there are no latencies: those right after it are compared.
  const compared = attack.isUnread ? await stage.measure(kinds, AFTERWARDS, untilAborted) : attacked;
  const gap = Math.max(attacked.heartbeatGap, compared.heartbeatGap);
  // The first requests after it come while the connections of 900 streams are closed.
  const ranks = attack.isUnread ? RANKS.slice(0, 1) : RANKS;
  problems.push(...slowRequests(kinds, ranks, compared, turn));
  // Twice: the plugin's timer and the reading of the frame are both late.
  const longest = MAX_HEARTBEAT_GAP_MS + 2 * Math.max(attacked.ownDelay, compared.ownDelay);
  if (gap > longest) problems.push(`no heartbeat for ${ms(gap)}; at most ${ms(longest)}`);
  const memory = Math.max(attacked.memory, compared.memory);
  if (memory > attack.memory) problems.push(`${memory.toFixed(0)} MB of memory; at most ${attack.memory} MB`);
  for (const error of new Set([...attacked.errors, ...compared.errors])) {
    problems.push(`the ordinary user got ${error}`);
  }
  const resources = `cpu ${(attacked.cpu * 100).toFixed(0)} %, memory ${memory.toFixed(0)} of ${attack.memory} MB`;
  console.log(`${problems.length === 0 ? 'ok  ' : 'FAIL'} heartbeat ${ms(gap)}, ${resources}`);
  for (const kind of kinds) console.log(`     ${shown(compared, kind)}`);
  for (const kind of attack.kinds) noteRatios(attack, kind, compared);
  return problems;
}

/** Milliseconds of CPU for work as the plugin does it. */
function someWork(): number {
  const start = process.threadCpuUsage();
  JSON.parse(JSON.stringify(Array.from({ length: 100_000 }, (_, i) => ({ name: `V${i}`, value: 'x'.repeat(20) }))));
  const { user, system } = process.threadCpuUsage(start);
  return (user + system) / 1000;
}

/**
 * Compared is the work of the attacked event loop: on a busy machine it is less than the latency, and on a quiet one it is
 * most of what the attack adds. While the plugin waits for the API server, as long as the quiet one, it works for others.
 */
function slowRequests(
  kinds: readonly Kind[],
  ranks: readonly number[],
  readings: Readings,
  turn: number,
): readonly string[] {
  return kinds
    .filter((kind) => kind !== 'past')
    .flatMap((kind) =>
      ranks.flatMap((rank) => {
        // A call to the API server may wait for a turn too, but rarely all of a request do.
        const turns = rank > 0.5 ? CALLS[kind] + 1 : 1;
        const bound = MAX_RATIO * ranked(readings, kind, quietWall, rank) + turns * turn;
        const found = ranked(readings, kind, attackedWork, rank);
        if (found <= bound) return [];
        return [`${kind}: ${rank * 100} % of the requests took up to ${ms(found)} of work; at most ${ms(bound)}`];
      }),
    );
}

function shown(readings: Readings, kind: Kind): string {
  const parts = RANKS.map((rank) => {
    const [quiet, attacked] = [ranked(readings, kind, quietWall, rank), ranked(readings, kind, attackedWall, rank)];
    return `${quiet.toFixed(1)} > ${attacked.toFixed(1)} (${times(attacked / quiet)})`;
  });
  const work = RANKS.map((rank) => ranked(readings, kind, attackedWork, rank).toFixed(1));
  const count = readings.pairs.get(kind)?.length ?? 0;
  return `${kind.padEnd(8)} ${parts.join(', ')}; work ${work.join('/')}; ${count} pairs`;
}

/** The value that this part of the pairs did not exceed; without a pair, without limit. */
function ranked({ pairs }: Readings, kind: Kind, measure: (pair: Pair) => number, rank: number): number {
  const sorted = (pairs.get(kind) ?? []).map(measure).sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length * rank)] ?? Number.POSITIVE_INFINITY;
}

function times(ratio: number): string {
  return `x${ratio.toFixed(1)}`;
}

function ms(value: number): string {
  return `${value.toFixed(0)} ms`;
}
