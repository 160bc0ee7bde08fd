/** The bundle inside a copy of Node.js (sea-config.json). */
import { execFileSync } from 'node:child_process';
import { chmodSync, copyFileSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** What Node.js searches for in its own file to find out that it carries an application. */
const FUSE = 'NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2';

/** What makeExecutable works with; all paths are absolute. */
interface ExecutableParts {
  readonly root: string;
  /** The Node.js program to put the application into. */
  readonly node: string;
  /** Holds plugin.cjs; plugin.blob and the executable are written there. */
  readonly directory: string;
  readonly name: string;
}

/**
 * Makes a single-executable application: a copy of Node.js, stripped, with the bundle and its code cache injected.
 * Stripping comes first because it breaks a program that already carries the application. Returns the remarks that
 * whoever builds should read.
 */
export function makeExecutable({ root, node, directory, name }: ExecutableParts): readonly string[] {
  const remarks: string[] = [];
  const executable = join(directory, name);
  copyFileSync(node, executable);
  chmodSync(executable, 0o755);
  try {
    execFileSync('strip', [executable], { stdio: ['ignore', 'ignore', 'pipe'] });
  } catch (error) {
    const reason = isNotFound(error) ? 'there is no strip (binutils) on this host' : `strip failed: ${String(error)}`;
    remarks.push(`not stripped, so larger than it need be: ${reason}`);
    copyFileSync(node, executable);
  }
  removeVariables(executable);
  const config = join(root, 'sea-config.json');
  // A code cache is of use only to a V8 that has the flags of the one that made it.
  const { execArgv }: { execArgv: readonly string[] } = JSON.parse(readFileSync(config, 'utf8'));
  execFileSync(node, [...execArgv, '--experimental-sea-config', config], {
    cwd: directory,
    env: {},
    stdio: 'pipe',
  });
  const postject = join(root, 'node_modules/postject/dist/cli.js');
  const blob = join(directory, 'plugin.blob');
  execFileSync(process.execPath, [postject, executable, 'NODE_SEA_BLOB', blob, '--sentinel-fuse', FUSE], {
    stdio: 'pipe',
  });
  // As every host has it: a file that was written in one piece lies in the page cache in pieces of up to 2 MB, of which
  // Linux 6.18 counts each as resident that holds one page in use (16 MB more).
  renameSync(executable, `${executable}.injected`);
  copyFileSync(`${executable}.injected`, executable);
  return remarks;
}

/**
 * Variables that Node.js reads before the application runs, as root: one names a directory that it creates, one a directory
 * that it reads, one stops the start. Nothing in sea-config.json switches them off.
 */
const STARTUP_VARIABLES = ['NODE_COMPILE_CACHE', 'NODE_ICU_DATA', 'NODE_REPL_EXTERNAL_MODULE'];

/** Makes the names of these variables empty in the program, so that no environment sets them. */
function removeVariables(executable: string): void {
  const program = readFileSync(executable);
  for (const name of STARTUP_VARIABLES) {
    const text = Buffer.from(`\0${name}\0`);
    const at = program.indexOf(text);
    if (at < 0) throw new Error(`${executable} does not contain the name of the variable ${name}`);
    for (let found = at; found >= 0; found = program.indexOf(text, found + 1))
      program.fill(0, found, found + text.length);
  }
  writeFileSync(executable, program);
}

function isNotFound(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}
