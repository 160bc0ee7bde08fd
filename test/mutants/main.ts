/**
 * Measures what the tests notice: plants one small defect at a time in a copy of the tree, runs the nearest tests, and prints
 * the defects that no test noticed. `npm run test:mutants -- --count 40 --seed 1 --files 'src/jobs/**' --allow 0 --copies 2`.
 */
import { spawn } from 'node:child_process';
import { chmodSync, cpSync, globSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { readSources } from '../house/sources.ts';
import { type Mutant, mutantsOf, nearestTests, plant } from './plant.ts';

const root = resolve(import.meta.dirname, '../..');

/** A test that takes longer has noticed the defect. */
const TEST_WITHIN_MS = 120_000;
const TESTS_PER_MUTANT = 16;
const COPIED = ['src', 'test', 'build', 'docs', 'fixtures', 'package.json', 'tsconfig.json', '.taprc', 'README.md'];
const LINKED = ['node_modules', 'dist'];

const { values } = parseArgs({
  options: {
    count: { type: 'string', default: '40' },
    seed: { type: 'string', default: '1' },
    files: { type: 'string', default: 'src/**/*.ts' },
    allow: { type: 'string', default: '0' },
    copies: { type: 'string', default: '2' },
  },
});

const running = new Set<() => void>();
const trees = Array.from({ length: Number(values.copies) }, copyOfTheTree);
process.on('exit', () => {
  for (const kill of running) kill();
  for (const tree of trees) rmSync(tree, { recursive: true, force: true });
});
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(1));

const sources = readSources(['src', 'test']);
const random = seeded(Number(values.seed));
const isSound = new Map<string, Promise<boolean>>();
const survivors: string[] = [];

const mutants = chosen(
  globSync(values.files, { cwd: root })
    .filter((path) => path.startsWith('src/') && path.endsWith('.ts') && !path.endsWith('.d.ts'))
    .sort()
    .flatMap((path) => mutantsOf(path, readFileSync(join(root, path), 'utf8'))),
  Number(values.count),
);
const queue = mutants.entries();
await Promise.all(
  trees.map(async (tree) => {
    for (const [index, mutant] of queue) {
      const caught = await noticed(tree, mutant);
      console.error(`${index + 1}/${mutants.length} ${mutant.path}:${mutant.line} ${caught ?? 'SURVIVED'}`);
      if (caught === undefined) survivors.push(described(mutant));
    }
  }),
);
console.log(survivors.join('\n'));
console.log(`${mutants.length} defects planted, ${survivors.length} survived (seed ${values.seed})`);
process.exitCode = survivors.length > Number(values.allow) ? 1 : 0;

function copyOfTheTree(): string {
  const tree = mkdtempSync(join(tmpdir(), 'mutants-'));
  // Some tests run a part of it as another user.
  chmodSync(tree, 0o755);
  for (const name of COPIED) cpSync(join(root, name), join(tree, name), { recursive: true });
  for (const name of LINKED) symlinkSync(join(root, name), join(tree, name));
  return tree;
}

/** The test that fails with this defect; undefined: none does. */
async function noticed(tree: string, mutant: Mutant): Promise<string | undefined> {
  const file = join(tree, mutant.path);
  const text = readFileSync(file, 'utf8');
  for (const test of nearestTests(mutant.path, sources, TESTS_PER_MUTANT)) {
    if (!(await sound(tree, test))) {
      console.error(`not used, because it fails without a defect: ${test}`);
      continue;
    }
    writeFileSync(file, plant(text, mutant));
    try {
      if (!(await passes(tree, test))) return `noticed by ${test}`;
    } finally {
      writeFileSync(file, text);
    }
  }
  return undefined;
}

/** Whether the test passes without a defect: tried once, in the tree that needs it first. */
function sound(tree: string, test: string): Promise<boolean> {
  const known = isSound.get(test) ?? passes(tree, test);
  isSound.set(test, known);
  return known;
}

function passes(tree: string, test: string): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const child = spawn(process.execPath, ['--max-old-space-size=2048', test], {
    cwd: tree,
    stdio: 'ignore',
    env: { ...process.env, TAP_BAIL: '1', TAP_TIMEOUT: String(TEST_WITHIN_MS / 1_000) },
    detached: true,
  });
  const kill = (): void => {
    try {
      process.kill(-(child.pid ?? 0), 'SIGKILL');
    } catch {
      // It has ended.
    }
  };
  running.add(kill);
  const timer = setTimeout(kill, TEST_WITHIN_MS);
  child.on('close', (code) => {
    clearTimeout(timer);
    running.delete(kill);
    kill();
    resolve(code === 0);
  });
  return promise;
}

function described({ path, line, before, after }: Mutant): string {
  return `${path}:${line}\n  - ${before.trim()}\n  + ${after.trim()}`;
}

/** Some of all, each at most once, at random. */
function chosen<T>(all: readonly T[], count: number): readonly T[] {
  const left = [...all];
  return Array.from({ length: Math.min(count, left.length) }, () =>
    left.splice(Math.floor(random() * left.length), 1),
  ).flat();
}

/** Random numbers that are the same for the same seed (mulberry32). */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
