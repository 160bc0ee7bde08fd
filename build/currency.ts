/**
 * `npm run currency`: compares each pinned package with the registry. Fails for a Node.js or a bundled package that is older
 * than the newest release of its major version. Newer build tools are only listed.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { table } from '../src/cli/terminal.ts';
import binaries from './node-binaries.json' with { type: 'json' };
import { judgePin, type Pin } from './pins.ts';

interface PackageJson {
  readonly dependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
  readonly optionalDependencies: Readonly<Record<string, string>>;
}

const root = resolve(import.meta.dirname, '..');
const { dependencies, devDependencies, optionalDependencies }: PackageJson = JSON.parse(
  readFileSync(join(root, 'package.json'), 'utf8'),
);
const pinned = Object.entries({ ...optionalDependencies, ...dependencies, ...devDependencies });
const pins = pinned.map(([name, version]): Pin => {
  const kind = name.startsWith('node-linux-') ? 'node' : name in dependencies ? 'bundled' : 'build';
  return { name, version, kind, versions: versionsOf(name) };
});
const { arm64 }: { readonly arm64: { readonly sha256: string; readonly lacks?: string } } = binaries;
const nodeVersions = pins.flatMap(({ kind, versions }) => (kind === 'node' ? versions : []));
const judged = pins.map((pin) => ({ pin, ...judgePin(pin, nodeVersions, arm64.lacks) }));

const rows = judged.map(({ pin, newest, verdict }) => [pin.name, pin.kind, pin.version, newest, verdict]);
process.stdout.write(
  table([['PACKAGE', 'USE', 'PINNED', 'NEWEST', 'RESULT'], ...rows], { columns: undefined, color: false }),
);
const outdated = judged.filter(({ isFailure }) => isFailure).map(({ pin }) => pin.name);
const gaps = judged.filter(({ verdict }) => verdict.startsWith('known gap'));
console.log(`${judged.length} pinned packages: ${outdated.length} outdated, ${gaps.length} with a known gap`);
if (outdated.length > 0) {
  console.error(`outdated: ${outdated.join(', ')}; see "How to release" in CONTRIBUTING.md`);
  process.exitCode = 1;
}

function versionsOf(name: string): readonly string[] {
  const output = execFileSync('npm', ['view', name, 'versions', '--json'], { encoding: 'utf8', maxBuffer: 2 ** 26 });
  const versions: unknown = JSON.parse(output);
  return (Array.isArray(versions) ? versions : [versions]).map(String);
}
