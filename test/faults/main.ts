/** `npm run test:faults`: the executable under faults, in a storm of some minutes or in a soak; `-- --help` lists the options. */
import { randomInt } from 'node:crypto';
import { appendFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { runLeaking, runPlanted } from './planted.ts';
import { type RunReport, run } from './run.ts';
import { soak } from './soak.ts';

const HELP = `Usage: npm run test:faults -- [options]

Runs the built executable against the simulated cluster under faults, and compares what it said with what happened.
Without an option: a storm, 300 jobs and 2000 faults of every kind. Exit 0 if nothing was wrong, else 1.

  --soak MINUTES   a steady load of 200 jobs a minute and light faults for so long, and some minutes more until all have
                   expired; two instances, one of which is started again now and then. A third of the jobs is made by
                   templates, a tenth is adopted. After the first minute a hostile user sends 300 requests a second.
                   Memory, file descriptors and sockets must not grow (with fewer than 5 minutes that says little), and
                   the requests of an ordinary user must not take much longer than before the attack
  --short          a storm of a minute: 40 jobs, 200 faults
  --planted        storms against executables with a defect each, all of which must be found; with --soak MINUTES
                   soaks against some that leak
  --seed N         faults and jobs by these random numbers; default: other ones each time
  --jobs N         at least N jobs in a storm
  --faults N       at least N faults in a storm
  --help           this text
`;

const { values } = parseArgs({
  options: {
    help: { type: 'boolean', default: false },
    soak: { type: 'string' },
    seed: { type: 'string' },
    faults: { type: 'string' },
    jobs: { type: 'string' },
    short: { type: 'boolean', default: false },
    planted: { type: 'boolean', default: false },
  },
});

/** A deadline: watches back off for up to half a minute, and an end that nobody saw is saved half a minute after it is known. */
const SETTLE_MS = 150_000;
const FULL = { jobs: 300, faults: 2_000, disturbEveryMs: 6_000, settleMs: SETTLE_MS, waitForSockets: true };
const SHORT = { jobs: 40, faults: 200, disturbEveryMs: 1_500, settleMs: SETTLE_MS, waitForSockets: false };

const seed = numberOf('seed', values.seed) ?? randomInt(2 ** 31);
const usual = values.short ? SHORT : FULL;
const options = {
  ...usual,
  seed,
  jobs: numberOf('jobs', values.jobs) ?? usual.jobs,
  faults: numberOf('faults', values.faults) ?? usual.faults,
};
const soakMinutes = numberOf('soak', values.soak);

if (values.help) process.stdout.write(HELP);
else process.exitCode = (await isGreen()) ? 0 : 1;

async function isGreen(): Promise<boolean> {
  say(`seed ${seed}`);
  if (values.planted && soakMinutes !== undefined) return runLeaking({ minutes: soakMinutes, seed, log: say });
  if (values.planted) return runPlanted({ ...SHORT, seed, log: say });
  const logFile = join(tmpdir(), `fault-suite-${seed}.log`);
  rmSync(logFile, { force: true });
  const out = { seed, log: say, onLog: (text: string) => appendFileSync(logFile, text) };
  const report = await (soakMinutes === undefined
    ? run({ ...options, ...out })
    : soak({ minutes: soakMinutes, ...out }));
  const isRight = report.verdict.findings.length === 0;
  if (isRight) rmSync(logFile, { force: true });
  else say(`the executable's log: ${logFile}`);
  print(report);
  return isRight;
}

function print({ seed, jobs, faults, seconds, verdict }: RunReport): void {
  const { findings, counts, remarks } = verdict;
  for (const finding of findings.slice(0, 50)) say(`  ${finding}`);
  if (findings.length > 50) say(`  and ${findings.length - 50} more`);
  const kinds = [...faults].filter(([, count]) => count > 0).sort(([, a], [, b]) => b - a);
  const total = kinds.reduce((sum, [, count]) => sum + count, 0);
  const never = [...faults].filter(([, count]) => count === 0).map(([name]) => name);
  if (never.length > 0) say(`kinds that did not strike: ${never.join(', ')}`);
  const struck = kinds.map(([name, count]) => `${name} ${count}`).join(', ');
  const zeros = [...counts].map(([name, count]) => `${name} ${count}`).join(', ');
  const colour = findings.length === 0 ? 'green' : 'RED';
  const what = `seed ${seed}, ${Math.round(seconds)} s: ${jobs} jobs, ${total} faults (${struck})`;
  say(`${colour}: ${what}, ${zeros}; ${remarks.join('; ')}`);
}

function say(text: string): void {
  console.log(text);
}

function numberOf(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (/^\d+$/.test(text)) return Number(text);
  throw new Error(`--${name} takes a number, not ${text}`);
}
