/**
 * Makes dist/rstudio-kubernetes-launcher-VERSION-linux-x64.tar.gz: the executable and what comes with it. The same
 * sources give the same archive, but for the code cache in the executable.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  copyFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { gzipSync } from 'node:zlib';
import { COMMANDS } from '../src/cli/command-runner.ts';
import { completionScript } from '../src/cli/completion-command.ts';
import { bundle } from './bundle.ts';
import { findComponents, thirdPartyLicenses } from './components.ts';
import { manPage } from './man-page.ts';
import { sbom } from './sbom.ts';

const root = resolve(import.meta.dirname, '..');
const dist = join(root, 'dist');
const { name, version }: { name: string; version: string } = JSON.parse(
  readFileSync(join(root, 'package.json'), 'utf8'),
);
const PAGES = ['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md', 'LICENSE'];
const title = `${name}-${version}-linux-x64`;

execFileSync(process.execPath, [join(root, 'build/build.ts'), '--if-stale'], { stdio: 'inherit' });
mkdirSync(dist, { recursive: true });
const work = mkdtempSync(join(dist, '.package-'));
try {
  const stage = join(work, title);
  await fill(stage);
  const archive = join(work, `${title}.tar.gz`);
  writeFileSync(archive, gzipSync(tar(title)));
  renameSync(archive, join(dist, `${title}.tar.gz`));
  const { size } = statSync(join(dist, `${title}.tar.gz`));
  console.log(`dist/${title}.tar.gz ${Math.round(size / 1000).toLocaleString('en')} kB`);
  for (const file of filesOf(stage)) console.log(`  ${file}`);
} finally {
  rmSync(work, { recursive: true });
}

async function fill(stage: string): Promise<void> {
  mkdirSync(join(stage, 'config'), { recursive: true });
  const { packages } = await bundle(root, join(work, 'plugin.cjs'));
  const components = findComponents(root, packages);
  copyFileSync(join(dist, name), join(stage, name));
  for (const file of PAGES) copyFileSync(join(root, file), join(stage, file));
  cpSync(join(root, 'docs'), join(stage, 'docs'), { recursive: true });
  for (const file of readdirSync(join(root, 'fixtures/config'))) {
    if (/\.(conf|yaml)$/.test(file)) copyFileSync(join(root, 'fixtures/config', file), join(stage, 'config', file));
  }
  mkdirSync(join(stage, 'man'));
  writeFileSync(join(stage, 'man', `${name}.8`), manPage());
  mkdirSync(join(stage, 'completions'));
  writeFileSync(join(stage, 'completions', `${name}.bash`), completionScript('bash', COMMANDS));
  writeFileSync(join(stage, 'completions', `_${name}`), completionScript('zsh', COMMANDS));
  writeFileSync(join(stage, 'THIRD-PARTY-LICENSES'), thirdPartyLicenses(components));
  writeFileSync(join(stage, 'sbom.cdx.json'), sbom(name, version, components));
  const sums = filesOf(stage).map((file) => {
    const hash = createHash('sha256').update(readFileSync(join(stage, file)));
    return `${hash.digest('hex')}  ${file}\n`;
  });
  writeFileSync(join(stage, 'SHA256SUMS'), sums.join(''));
  for (const file of filesOf(stage)) chmodSync(join(stage, file), file === name ? 0o755 : 0o644);
}

/** Sorted, owned by root, with the time of the last commit: nothing of the machine that builds is in it. */
function tar(folder: string): Buffer {
  const options = ['--sort=name', '--owner=0', '--group=0', '--numeric-owner', '--format=ustar', '--mode=u=rwX,go=rX'];
  return execFileSync('tar', ['--create', ...options, `--mtime=@${sourceTime()}`, folder], {
    cwd: work,
    maxBuffer: 2 ** 30,
  });
}

/** Seconds since 1970: SOURCE_DATE_EPOCH, else the last commit's time, else 0. */
function sourceTime(): number {
  const given = process.env['SOURCE_DATE_EPOCH'];
  if (given !== undefined) return Number(given);
  try {
    return Number(execFileSync('git', ['log', '-1', '--format=%ct'], { cwd: root, encoding: 'utf8', stdio: 'pipe' }));
  } catch {
    return 0;
  }
}

function filesOf(folder: string): readonly string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
    .sort();
}
