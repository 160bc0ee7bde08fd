/** c. From exec to the answer of Bootstrap and the ends of commands, beside an empty executable, and to the jobs being known. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeExecutable } from '../../../build/executable.ts';
import { nodeBinary } from '../../../build/node-binary.ts';
import { EXECUTABLE, withEnvironment, writeConfig } from '../../support/plugin.ts';
import { type Bench, expect, type Item } from '../item.ts';
import { benchOptions, startMeasured } from '../plugin.ts';
import type { Row } from '../report.ts';
import { median } from '../statistics.ts';

const JOBS = 10_000;
/** Of the start of an empty executable. */
const MOST_RATIO = 1.6;
/** Small starts in each run of the benchmark. */
const ROUNDS = 3;
const COMMANDS = [['check'], ['profile', 'nobody'], ['jobs']] as const;
const ROOT = join(import.meta.dirname, '../../..');

/** Variables that make root replace itself once more (architecture.md section 7). */
const FULL = {
  PATH: '/usr/local/bin:/usr/bin:/bin',
  HOME: '/root',
  USER: 'root',
  LD_PRELOAD: '',
  SHELL: '/bin/sh',
} as const;
/** `nobody`, where the benchmark runs as root. */
const NOBODY = 65534;

/** How both programs are executed. */
interface Way {
  readonly env: Readonly<Record<string, string>>;
  /** Programs that execute it. */
  readonly through: readonly string[];
  /** Owner of the configuration. */
  readonly uid: number;
}

/** As the benchmark runs. */
const DIRECT: Way = { env: FULL, through: [], uid: process.getuid?.() ?? 0 };
const IDS = [`--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups'];
const STARTS: Readonly<Record<string, Way>> = {
  'root, full environment': DIRECT,
  'root, clean environment': { env: {}, through: [], uid: 0 },
  'not root': { env: FULL, through: ['/usr/bin/setpriv', ...IDS], uid: NOBODY },
};
/** Without root there is one way. */
const waysToStart = (): readonly (readonly [string, Way])[] =>
  DIRECT.uid === 0 ? Object.entries(STARTS) : [['not root', DIRECT]];

async function startOnce(bench: Bench, { env, through, uid }: Way, jobs: number): Promise<number> {
  const directory = writeConfig({ options: benchOptions(bench.server.url) });
  for (const path of [directory.path, directory.configFile]) chownSync(path, uid, uid);
  const how = { env, directory, command: [...through, EXECUTABLE] };
  const start = performance.now();
  const plugin = await startMeasured(bench.server.url, how);
  try {
    await plugin.launcher.bootstrap();
    if (jobs > 0) {
      const known = await plugin.launcher.jobs('*', { fields: ['id'] });
      expect(known.length === jobs, `the plugin knows ${known.length} of ${jobs} jobs`);
    }
    return performance.now() - start;
  } finally {
    await plugin.process.close();
  }
}

/** An executable that is made as the plugin is, but without its first step: it starts Node.js at once, and only writes a byte. */
function makeEmpty(directory: string): string {
  writeFileSync(join(directory, 'main.cjs'), "process.stdout.write('.');\n");
  makeExecutable({ root: ROOT, node: nodeBinary(ROOT, 'x64'), directory, name: 'empty' });
  return join(directory, 'empty');
}

/** From exec to the first byte. */
async function startEmpty(executable: string, { env, through }: Way): Promise<number> {
  const [program, args] = withEnvironment(env, [...through, executable]);
  const start = performance.now();
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = once(child, 'exit');
  await once(child.stdout, 'data');
  const ms = performance.now() - start;
  await ended;
  return ms;
}

/** From exec to the exit, after the last line. */
async function runCommand(url: string, command: readonly string[]): Promise<number> {
  const directory = writeConfig({ options: benchOptions(url) });
  try {
    const start = performance.now();
    const args = [...command, `--config-file=${directory.configFile}`];
    const [program, all] = withEnvironment(FULL, [EXECUTABLE, ...args]);
    const child = spawn(program, all, { stdio: ['ignore', 'ignore', 'pipe'] });
    child.stderr.resume();
    const [code] = await once(child, 'close');
    // check finds that the benchmark's server does not answer everything.
    expect(code === (command[0] === 'check' ? 1 : 0), `${command.join(' ')} exited with ${code}`);
    return performance.now() - start;
  } finally {
    directory.remove();
  }
}

/** Each way alternately with the empty executable. */
async function smallStarts(bench: Bench, empty: string): Promise<readonly Row[]> {
  const { url } = bench.server;
  const ways: readonly (readonly [string, () => Promise<number>, () => Promise<number>])[] = [
    ...waysToStart().map(
      ([name, way]) =>
        [`exec to Bootstrap answer, ${name}`, () => startOnce(bench, way, 0), () => startEmpty(empty, way)] as const,
    ),
    ...COMMANDS.map(
      (command) =>
        [
          `exec to the last line of ${command[0]}`,
          () => runCommand(url, command),
          () => startEmpty(empty, DIRECT),
        ] as const,
    ),
  ];
  const rows: Row[] = [];
  await bench.server.have({ jobs: 0 });
  for (const [what, measure, measureEmpty] of ways) {
    const times: number[] = [];
    const emptyTimes: number[] = [];
    bench.progress(what);
    for (let round = 0; round < bench.runs * ROUNDS; round++) {
      times.push(await measure());
      emptyTimes.push(await measureEmpty());
    }
    const [value, beside] = [median(times), median(emptyTimes)];
    const bars = [
      { name: 'ours', value },
      { name: 'empty executable', value: beside },
    ];
    const reach = what.includes('Bootstrap') ? { most: MOST_RATIO } : 'known';
    rows.push({ item: 'c', what, bars, unit: 'ms', result: value / beside, reach, ratio: true });
  }
  return rows;
}

export const start: Item = async (bench) => {
  const directory = mkdtempSync(join(tmpdir(), 'bench-empty-'));
  const rows: Row[] = [];
  try {
    rows.push(...(await smallStarts(bench, makeEmpty(directory))));
  } finally {
    rmSync(directory, { recursive: true });
  }

  const jobs = bench.quick ? JOBS / 10 : JOBS;
  await bench.server.have({ jobs });
  const ours: number[] = [];
  const floor: number[] = [];
  for (let round = 1; round <= bench.runs; round++) {
    bench.progress(`start with ${jobs} jobs, run ${round}`);
    ours.push(await startOnce(bench, DIRECT, jobs));
    const fetched = await bench.contestants.run('fetch', { url: bench.server.url });
    floor.push(Number(fetched.findings['ms']));
  }
  rows.push({
    item: 'c',
    what: `exec to the list of ${jobs} jobs`,
    bars: [
      { name: 'ours', value: median(ours) },
      { name: 'fetch and JSON.parse', value: median(floor) },
    ],
    unit: 'ms',
    result: median(ours) / median(floor),
    reach: { most: 1.5 },
    ratio: true,
  });
  return rows;
};
