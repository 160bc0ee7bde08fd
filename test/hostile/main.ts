/**
 * `npm run test:hostile`: one user does the worst that is possible, and an ordinary user beside must not notice. Prints the
 * latencies of the ordinary user, the heartbeats and the memory against their bounds; `-- --short`, `-- --only NAME,NAME`.
 */
import { availableParallelism, loadavg } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { ATTACKS, type Attack } from './attacks.ts';
import { openStage, type Readings, type Stage } from './stage.ts';

/** A latency may be twice that of the quiet machine, and this more: below it, nobody notices. */
const SLACK_MS = 500;
/** The interval is one second; no heartbeat is late by more than that. */
const MAX_HEARTBEAT_GAP_MS = 2_000;
const QUIET_MS = 4_000;
const ATTACK_MS = 15_000;
const SHORT_ATTACK_MS = 4_000;

const { values } = parseArgs({ options: { short: { type: 'boolean', default: false }, only: { type: 'string' } } });
const attackMs = values.short ? SHORT_ATTACK_MS : ATTACK_MS;
const names = values.only?.split(',') ?? ATTACKS.map(({ name }) => name);
const unknown = names.filter((name) => !ATTACKS.some((attack) => attack.name === name));
if (unknown.length > 0) {
  console.error(`npm run test:hostile: --only takes ${ATTACKS.map(({ name }) => name).join(', ')}`);
  process.exit(2);
}

/** On a machine with other work everything takes longer. */
const busy = Math.max(1, (loadavg()[0] ?? 1) / availableParallelism());
console.log(`times are allowed ${busy.toFixed(1)} times as long: the load of this machine`);

const stage = await openStage();
let failed = 0;
try {
  for (const attack of ATTACKS.filter(({ name }) => names.includes(name))) {
    const problems = await problemsOf(stage, attack);
    failed += problems.length === 0 ? 0 : 1;
    for (const problem of problems) console.log(`    ${problem}`);
  }
} finally {
  await stage.close();
}
console.log(`${names.length - failed} of ${names.length} attacks within their bounds`);
process.exitCode = failed === 0 ? 0 : 1;

/** Attacks, and returns what is out of bounds. */
async function problemsOf(stage: Stage, attack: Attack): Promise<readonly string[]> {
  console.error(`${attack.name}: ${attack.what}`);
  const quiet = await stage.measure(() => sleep(QUIET_MS));
  const problems: string[] = [];
  let undo = (): void => {};
  const attacked = await stage.measure(async () => {
    try {
      undo = await attack.run(stage, attackMs);
    } catch (error) {
      problems.push(error instanceof Error ? error.message : String(error));
    }
  }, attack.isMeasured);
  undo();
  problems.push(...outOfBounds(attack, quiet, attacked));
  console.log(`${problems.length === 0 ? 'ok  ' : 'FAIL'} ${attack.name}: ${summary(quiet, attacked, attack)}`);
  await stage.launcher.jobs('bob');
  return problems;
}

function outOfBounds(attack: Attack, quiet: Readings, attacked: Readings): readonly string[] {
  const slow = [...attacked.latencies].flatMap(([what, all]) => {
    const bound = 2 * high(quiet.latencies.get(what)) + SLACK_MS * busy;
    return high(all) <= bound ? [] : [`${what} took ${ms(high(all))}; at most ${ms(bound)} are right`];
  });
  const late =
    attack.isMeasured === false || attacked.heartbeatGap <= MAX_HEARTBEAT_GAP_MS * busy
      ? []
      : [`no heartbeat for ${ms(attacked.heartbeatGap)}; at most ${ms(MAX_HEARTBEAT_GAP_MS * busy)} are right`];
  const large =
    attacked.memory <= attack.memory
      ? []
      : [`${attacked.memory.toFixed(0)} MB of memory; at most ${attack.memory} MB are right`];
  return [...slow, ...late, ...large, ...attacked.errors.map((error) => `the ordinary user got ${error}`)];
}

function summary(quiet: Readings, attacked: Readings, attack: Attack): string {
  const latencies = [...attacked.latencies].map(
    ([what, all]) => `${what} ${ms(high(all))} (quiet ${ms(high(quiet.latencies.get(what)))})`,
  );
  const heartbeat = `heartbeat ${ms(attacked.heartbeatGap)}`;
  return [...latencies, heartbeat, `memory ${attacked.memory.toFixed(0)} of ${attack.memory} MB`].join(', ');
}

/** The latency that nine of ten requests do not exceed. */
function high(latencies: readonly number[] = []): number {
  const sorted = latencies.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length * 0.9)] ?? 0;
}

function ms(value: number): string {
  return `${value.toFixed(0)} ms`;
}
