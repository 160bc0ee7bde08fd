/**
 * The Node.js program that becomes the executable, for each architecture: pinned by package-lock.json, and by its own
 * SHA-256 in node-binaries.json.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import binaries from './node-binaries.json' with { type: 'json' };

/** Architectures of the hosts that the executable is made for, in the words of Node.js. */
export const ARCHITECTURES = ['x64', 'arm64'] as const;
export type Architecture = (typeof ARCHITECTURES)[number];

interface Lock {
  readonly packages: Readonly<Record<string, { readonly version?: string; readonly integrity?: string }>>;
}

export interface NodeBinary {
  readonly architecture: Architecture;
  /** Name of its npm package. */
  readonly packageName: string;
  readonly version: string;
  /** Folder of the unpacked package. */
  readonly folder: string;
  readonly file: string;
  readonly sha256: string;
  /** Of the archive that the registry delivers, as package-lock.json has it. */
  readonly integrity: string;
  /** Its `process.versions`: the versions of what it is made of. */
  readonly versions: Readonly<Record<string, string>>;
  /** A newer release of this line that npm does not have for this architecture. */
  readonly lacks: string | undefined;
}

interface Pinned {
  readonly sha256: string;
  readonly versions: { readonly node: string } & Readonly<Record<string, string>>;
  readonly lacks?: string;
}

/** Throws an Error when the program is not the one that node-binaries.json names. */
export function nodeBinary(root: string, architecture: Architecture): NodeBinary {
  const packageName = `node-linux-${architecture}`;
  const { version, integrity } = locked(root, packageName);
  const installed = join(root, 'node_modules', packageName);
  const folder = existsSync(installed) ? installed : fetched(root, packageName, version, integrity);
  const file = join(folder, 'bin/node');
  const { sha256, versions, lacks }: Pinned = binaries[architecture];
  const found = createHash('sha256').update(readFileSync(file)).digest('hex');
  if (found !== sha256 || versions.node !== version) {
    throw new Error(
      `${file} is Node.js ${version} with SHA-256 ${found}, but build/node-binaries.json names ${versions.node} with ${sha256}; run npm ci, and after an update of Node.js see "How to release" in CONTRIBUTING.md`,
    );
  }
  return { architecture, packageName, version, folder, file, sha256, integrity, versions, lacks };
}

/** Version and integrity hash of a package, as package-lock.json pins them. */
export function locked(root: string, packageName: string): { readonly version: string; readonly integrity: string } {
  const lock: Lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'));
  const { version, integrity } = lock.packages[`node_modules/${packageName}`] ?? {};
  if (version === undefined || integrity === undefined)
    throw new Error(`package-lock.json does not pin ${packageName}`);
  return { version, integrity };
}

/** npm installs no package of another architecture, so this one is fetched into dist/ once, and checked as npm does. */
function fetched(root: string, packageName: string, version: string, integrity: string): string {
  const folder = join(root, 'dist', `.${packageName}-${version}`);
  if (existsSync(folder)) return folder;
  mkdirSync(join(root, 'dist'), { recursive: true });
  const work = mkdtempSync(join(root, 'dist/.fetch-'));
  try {
    const pack = ['pack', `${packageName}@${version}`, '--silent', '--pack-destination', work];
    execFileSync('npm', pack, { cwd: work, stdio: ['ignore', 'pipe', 'inherit'] });
    const archive = join(work, `${packageName}-${version}.tgz`);
    const found = `sha512-${createHash('sha512').update(readFileSync(archive)).digest('base64')}`;
    if (found !== integrity) throw new Error(`${packageName}: ${found} differs from package-lock.json: ${integrity}`);
    execFileSync('tar', ['-xzf', archive, '-C', work, 'package/bin/node', 'package/LICENSE', 'package/package.json']);
    renameSync(join(work, 'package'), folder);
    return folder;
  } finally {
    rmSync(work, { recursive: true });
  }
}
