/** The executable of the last release, built from its commit once and kept in dist/. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';

/** Tag v0.1.0. A clone may lack tags, so that the commit is named. */
const LAST_RELEASE = { version: '0.1.0', commit: 'a34dcf2bcc3b4b743c31dd3bc29fc3e9c5396d79' };

const root = resolve(import.meta.dirname, '../..');

/** Takes a minute the first time, because the packages of that release are installed. */
export function lastRelease(): string {
  const kept = join(root, 'dist', `.release-${LAST_RELEASE.version}`);
  if (!existsSync(kept)) {
    mkdirSync(join(root, 'dist'), { recursive: true });
    const work = mkdtempSync(join(root, 'dist/.last-release-'));
    try {
      const sh = (script: string) => execFileSync('/bin/sh', ['-c', script], { cwd: root, stdio: 'pipe' });
      sh(`git archive ${LAST_RELEASE.commit} | tar -x -C ${work}`);
      sh(`cd ${work} && npm ci --no-audit --no-fund && node_modules/.bin/node build/build.ts`);
      renameSync(work, kept);
    } finally {
      rmSync(work, { recursive: true, force: true });
    }
  }
  return join(kept, 'dist/rstudio-kubernetes-launcher');
}
