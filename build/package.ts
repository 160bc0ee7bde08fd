/**
 * Makes the files of a release in dist/: the archive, the .deb and the .rpm for each architecture, SHA256SUMS of them all and,
 * with RELEASE_KEY (the file of a private key of OpenSSH), its signature. The same commit gives the same bytes.
 */
import { execFileSync } from 'node:child_process';
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { gzipSync } from 'node:zlib';
import { bundle } from './bundle.ts';
import { checksumLine, filesOf, writeContents } from './contents.ts';
import { ARCHITECTURES, type Architecture, nodeBinary } from './node-binary.ts';
import { readProvenance } from './provenance.ts';
import { makeDeb, makeRpm } from './system-packages.ts';

const root = resolve(import.meta.dirname, '..');
const dist = join(root, 'dist');
const { name, version }: { name: string; version: string } = JSON.parse(
  readFileSync(join(root, 'package.json'), 'utf8'),
);
const from = readProvenance(root, process.env);

/** The tool of the host that makes a format, and the Debian package that has it. */
const TOOLS = { 'tar.gz': ['tar', 'tar'], deb: ['dpkg-deb', 'dpkg'], rpm: ['rpmbuild', 'rpm'] } as const;
const FORMATS = ['tar.gz', 'deb', 'rpm'] as const;

const { values } = parseArgs({
  options: {
    arch: { type: 'string', multiple: true, default: [...ARCHITECTURES] },
    format: { type: 'string', multiple: true, default: [...FORMATS] },
  },
});
const architectures = chosen('--arch', ARCHITECTURES, values.arch);
const formats = chosen('--format', FORMATS, values.format);

mkdirSync(dist, { recursive: true });
const work = mkdtempSync(join(dist, '.package-'));
try {
  const files = [];
  for (const architecture of architectures) files.push(...(await release(architecture)));
  writeFileSync(join(dist, 'SHA256SUMS'), files.map((file) => checksumLine(dist, file)).join(''));
  sign(join(dist, 'SHA256SUMS'), process.env['RELEASE_KEY']);
} finally {
  rmSync(work, { recursive: true });
}

function chosen<T extends string>(option: string, known: readonly T[], given: readonly string[]): readonly T[] {
  const unknown = given.find((value) => !known.some((name) => name === value));
  if (unknown !== undefined) throw new Error(`${option} takes ${known.join(', ')}, not ${unknown}`);
  return known.filter((name) => given.includes(name));
}

/** Names of the files that it made. */
async function release(architecture: Architecture): Promise<readonly string[]> {
  execFileSync(process.execPath, [join(root, 'build/build.ts'), '--if-stale', '--arch', architecture], {
    stdio: 'inherit',
  });
  const title = `${name}-${version}-linux-${architecture}`;
  const folder = join(work, architecture);
  const stage = join(folder, title);
  const { packages } = await bundle(root, join(work, 'plugin.cjs'));
  const node = nodeBinary(root, architecture);
  const executable = join(dist, architecture === 'x64' ? name : `${name}-${architecture}`);
  writeContents(stage, { root, name, version, title, node, executable, packages, from });
  for (const line of readFileSync(join(stage, 'BUILDINFO'), 'utf8').split('\n')) {
    if (/^(needs|executable|known gap|Node\.js:)/.test(line)) console.log(`${architecture}: ${line}`);
  }
  const made = formats.flatMap((format) => {
    const [tool, debian] = TOOLS[format];
    if (!isInstalled(tool)) {
      console.log(`no .${format} for ${architecture}: this host has no ${tool} (Debian package ${debian})`);
      return [];
    }
    const own = join(folder, format);
    mkdirSync(own);
    const parts = { name, version, architecture, stage, work: own, time: from.time };
    const file = format === 'deb' ? makeDeb(parts) : format === 'rpm' ? makeRpm(parts) : makeArchive(stage, own);
    renameSync(file, join(dist, basename(file)));
    console.log(`dist/${basename(file)} ${kilobytes(join(dist, basename(file)))}`);
    return [basename(file)];
  });
  for (const file of filesOf(stage)) console.log(`  ${file}`);
  return made;
}

/** Sorted and owned by root: nothing of the host that builds is in it. */
function makeArchive(stage: string, directory: string): string {
  const title = basename(stage);
  const options = [
    '--sort=name',
    '--owner=0',
    '--group=0',
    '--numeric-owner',
    '--format=ustar',
    `--mtime=@${from.time}`,
  ];
  const archive = execFileSync('tar', ['--create', ...options, title], { cwd: join(stage, '..'), maxBuffer: 2 ** 30 });
  const file = join(directory, `${title}.tar.gz`);
  writeFileSync(file, gzipSync(archive));
  return file;
}

/** Writes `SHA256SUMS.sig`, the signature that `ssh-keygen -Y verify` checks. */
function sign(file: string, key: string | undefined): void {
  rmSync(`${file}.sig`, { force: true });
  if (key === undefined) {
    console.log('dist/SHA256SUMS is not signed: RELEASE_KEY names no private key');
    return;
  }
  // In a directory of its own, because ssh-keygen writes beside the file.
  const copy = join(work, basename(file));
  copyFileSync(file, copy);
  execFileSync('ssh-keygen', ['-Y', 'sign', '-f', key, '-n', name, copy], { stdio: 'pipe' });
  renameSync(`${copy}.sig`, `${file}.sig`);
  console.log('dist/SHA256SUMS.sig');
}

function isInstalled(tool: string): boolean {
  try {
    execFileSync(tool, ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

function kilobytes(file: string): string {
  return `${Math.round(statSync(file).size / 1000).toLocaleString('en')} kB`;
}
