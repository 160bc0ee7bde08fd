/** c. From exec to the answer of Bootstrap and the ends of commands, beside an empty executable, and to the jobs being known. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeExecutable } from '../../../build/executable.ts';
import { nodeBinary } from '../../../build/node-binary.ts';
import { EXECUTABLE, type PluginStart, writeConfig } from '../../support/plugin.ts';
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

type Start = Pick<PluginStart, 'env' | 'directory' | 'command'>;

/** Ways to start, by name. */
const STARTS: Readonly<Record<string, (url: string) => Start>> = {
  'root, full environment': () => ({ env: FULL }),
  'root, clean environment': () => ({ env: {} }),
  'not root': (url) => {
    const directory = writeConfig({ options: benchOptions(url) });
    for (const path of [directory.path, directory.configFile]) chownSync(path, NOBODY, NOBODY);
    const ids = [`--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups'];
    return { env: FULL, directory, command: ['/usr/bin/setpriv', ...ids, EXECUTABLE] };
  },
};
/** Without root there is one way. */
const waysToStart = (): readonly (readonly [string, (url: string) => Start])[] =>
  process.getuid?.() === 0 ? Object.entries(STARTS) : [['not root', () => ({ env: FULL })]];

async function startOnce(bench: Bench, how: Start, jobs: number): Promise<number> {
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
async function startEmpty(executable: string): Promise<number> {
  const start = performance.now();
  const child = spawn(executable, { stdio: ['ignore', 'pipe', 'inherit'], env: {} });
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
    const child = spawn(EXECUTABLE, args, { stdio: ['ignore', 'ignore', 'pipe'], env: FULL });
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
  const ways: readonly (readonly [string, () => Promise<number>])[] = [
    ...waysToStart().map(
      ([name, make]) => [`exec to Bootstrap answer, ${name}`, () => startOnce(bench, make(url), 0)] as const,
    ),
    ...COMMANDS.map((command) => [`exec to the last line of ${command[0]}`, () => runCommand(url, command)] as const),
  ];
  const rows: Row[] = [];
  await bench.server.have({ jobs: 0 });
  for (const [what, measure] of ways) {
    const times: number[] = [];
    const emptyTimes: number[] = [];
    bench.progress(what);
    for (let round = 0; round < bench.runs * ROUNDS; round++) {
      times.push(await measure());
      emptyTimes.push(await startEmpty(empty));
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
    ours.push(await startOnce(bench, { env: FULL }, jobs));
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
