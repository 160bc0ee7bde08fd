/**
 * `npm run test:faults -- --seed N --faults M`: the executable under faults of every kind. `--short` is a run for CI,
 * `--planted` runs the suite against five defective executables, each of which it must find.
 */
import { randomInt } from 'node:crypto';
import { appendFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { runPlanted } from './planted.ts';
import { type RunReport, run } from './run.ts';

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    faults: { type: 'string' },
    jobs: { type: 'string' },
    short: { type: 'boolean', default: false },
    planted: { type: 'boolean', default: false },
  },
});

const FULL = { jobs: 300, faults: 2_000, disturbEveryMs: 6_000, settleMs: 100_000, waitForSockets: true };
const SHORT = { jobs: 40, faults: 200, disturbEveryMs: 1_500, settleMs: 60_000, waitForSockets: false };

const seed = numberOf('seed', values.seed) ?? randomInt(2 ** 31);
const usual = values.short ? SHORT : FULL;
const options = {
  ...usual,
  seed,
  jobs: numberOf('jobs', values.jobs) ?? usual.jobs,
  faults: numberOf('faults', values.faults) ?? usual.faults,
};

console.log(`seed ${seed}`);
if (values.planted) {
  process.exitCode = (await runPlanted({ ...SHORT, seed, log: say })) ? 0 : 1;
} else {
  const logFile = join(tmpdir(), `fault-suite-${seed}.log`);
  rmSync(logFile, { force: true });
  const report = await run({ ...options, onLog: (text) => appendFileSync(logFile, text), log: say });
  print(report);
  if (report.verdict.findings.length > 0) console.log(`the executable's log: ${logFile}`);
  else rmSync(logFile, { force: true });
  process.exitCode = report.verdict.findings.length === 0 ? 0 : 1;
}

function print({ seed, jobs, faults, seconds, verdict }: RunReport): void {
  for (const finding of verdict.findings.slice(0, 50)) console.log(`  ${finding}`);
  if (verdict.findings.length > 50) console.log(`  and ${verdict.findings.length - 50} more`);
  const kinds = [...faults].filter(([, count]) => count > 0).sort(([, a], [, b]) => b - a);
  const total = kinds.reduce((sum, [, count]) => sum + count, 0);
  console.log(`faults by kind: ${kinds.map(([name, count]) => `${name} ${count}`).join(', ')}`);
  const never = [...faults].filter(([, count]) => count === 0).map(([name]) => name);
  if (never.length > 0) console.log(`kinds that did not strike: ${never.join(', ')}`);
  console.log(verdict.remarks.join(', '));
  const zeros = [...verdict.counts].map(([name, count]) => `${name} ${count}`).join(', ');
  console.log(`seed ${seed}, ${Math.round(seconds)} s: ${jobs} jobs, ${total} faults, ${zeros}`);
}

function say(text: string): void {
  console.log(text);
}

function numberOf(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (/^\d+$/.test(text)) return Number(text);
  throw new Error(`--${name} takes a number, not ${text}`);
}
