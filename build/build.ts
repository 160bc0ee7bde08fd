/**
 * Makes dist/plugin.cjs (the bundle) and dist/rstudio-kubernetes-launcher (the bundle inside Node.js, one file for hosts
 * that have neither). `--arch arm64` makes dist/rstudio-kubernetes-launcher-arm64. `--if-stale` leaves outputs alone that
 * are newer than all that they are made of.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { bundle, bundleParts } from './bundle.ts';
import { newestVersion, readNeeds } from './elf.ts';
import { makeExecutable } from './executable.ts';
import { ARCHITECTURES, type NodeBinary, nodeBinary } from './node-binary.ts';

const root = resolve(import.meta.dirname, '..');
const dist = join(root, 'dist');
const SOURCES = ['src', 'build', 'package.json', 'package-lock.json', 'sea-config.json'];

const { values } = parseArgs({
  options: { 'if-stale': { type: 'boolean', default: false }, arch: { type: 'string', default: 'x64' } },
});
const architecture = ARCHITECTURES.find((name) => name === values.arch);
if (architecture === undefined) throw new Error(`--arch takes ${ARCHITECTURES.join(' or ')}, not ${values.arch}`);
const NAME = `rstudio-kubernetes-launcher${architecture === 'x64' ? '' : `-${architecture}`}`;

if (values['if-stale'] && isCurrent()) {
  console.log('dist/ is up to date');
} else {
  await build(nodeBinary(root, architecture));
}

async function build(node: NodeBinary): Promise<void> {
  mkdirSync(dist, { recursive: true });
  // Everything is made beside dist's files and renamed into place, so that others who build or run at this moment see
  // whole files only.
  const directory = mkdtempSync(join(dist, '.build-'));
  try {
    console.log('bundling src/');
    const { bytes, packages } = await bundle(root, join(directory, 'plugin.cjs'));
    await bundleParts(root, directory);
    console.log('making the executable, which takes some seconds');
    makeExecutable({ root, node, directory, name: NAME });
    const file = readFileSync(join(directory, NAME));
    const needs = readNeeds(file);
    for (const name of [NAME, 'plugin.cjs']) renameSync(join(directory, name), join(dist, name));

    console.log(`dist/plugin.cjs             ${kilobytes(bytes)} (with ${packages.join(', ') || 'no packages'})`);
    console.log(`dist/${NAME} ${kilobytes(file.length)}`);
    console.log(
      `needs glibc ${newestVersion(needs, 'GLIBC_')}, libstdc++ with GLIBCXX_${newestVersion(needs, 'GLIBCXX_')}`,
    );
    console.log(`libraries: ${needs.libraries.join(', ')}`);
    console.log(`sha256: ${createHash('sha256').update(file).digest('hex')}`);
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
