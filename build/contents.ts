/** The content of a release for one architecture, as a folder: the executable and what comes with it. */
import { createHash } from 'node:crypto';
import {
  chmodSync,
  copyFileSync,
  cpSync,
  lutimesSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join, relative } from 'node:path';
import { COMMANDS } from '../src/cli/command-runner.ts';
import { completionScript } from '../src/cli/completion-command.ts';
import { bundledComponents, nodeComponent, partsOf, thirdPartyLicenses } from './components.ts';
import { manPage } from './man-page.ts';
import type { NodeBinary } from './node-binary.ts';
import { buildInfo, type Provenance } from './provenance.ts';
import { sbom } from './sbom.ts';

const PAGES = ['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md', 'LICENSE'];

interface Release {
  readonly root: string;
  readonly name: string;
  readonly version: string;
  /** Of the archive, without extension. */
  readonly title: string;
  readonly node: NodeBinary;
  /** The built executable. */
  readonly executable: string;
  /** Names of the packages of node_modules that are in the bundle. */
  readonly packages: readonly string[];
  readonly from: Provenance;
}

/** Writes the content into a new folder. */
export function writeContents(stage: string, release: Release): void {
  const { root, name, version, title, node, packages, from } = release;
  const executable = readFileSync(release.executable);
  const own = nodeComponent(node);
  const bundled = bundledComponents(root, packages);
  const bill = { name, version, sha256: sha256(executable), node: own, nodeParts: partsOf(node), bundled };
  const write = (file: string, content: string | Buffer): void => writeFileSync(join(stage, file), content);

  for (const folder of ['config', 'man', 'completions']) mkdirSync(join(stage, folder), { recursive: true });
  copyFileSync(release.executable, join(stage, name));
  for (const file of PAGES) copyFileSync(join(root, file), join(stage, file));
  cpSync(join(root, 'docs'), join(stage, 'docs'), { recursive: true });
  for (const file of readdirSync(join(root, 'fixtures/config'))) {
    if (/\.(conf|yaml)$/.test(file)) copyFileSync(join(root, 'fixtures/config', file), join(stage, 'config', file));
  }
  cpSync(join(root, 'fixtures/templates'), join(stage, 'config/templates'), { recursive: true });
  write(`man/${name}.8`, manPage());
  write(`completions/${name}.bash`, completionScript('bash', COMMANDS));
  write(`completions/_${name}`, completionScript('zsh', COMMANDS));
  write('THIRD-PARTY-LICENSES', thirdPartyLicenses([own, ...bundled]));
  write('sbom.cdx.json', sbom(bill));
  write('BUILDINFO', buildInfo(root, title, executable, node, from));
  const sums = filesOf(stage).map((file) => checksumLine(stage, file));
  write('SHA256SUMS', sums.join(''));
  settle(stage, from.time);
}

/** A line of SHA256SUMS. */
export function checksumLine(folder: string, file: string): string {
  return `${sha256(readFileSync(join(folder, file)))}  ${file}\n`;
}

/** Modes and times that depend neither on the umask nor on the clock of the host. */
export function settle(folder: string, time: number): void {
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isDirectory()) chmodSync(path, 0o755);
    else if (entry.isFile()) chmodSync(path, (statSync(path).mode & 0o100) === 0 ? 0o644 : 0o755);
    lutimesSync(path, time, time);
  }
  chmodSync(folder, 0o755);
  lutimesSync(folder, time, time);
}

/** Paths of the files below a folder, sorted. */
export function filesOf(folder: string): readonly string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
    .sort();
}

const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
