/** Creates directories; root does so only below directories that nobody else can change (architecture.md section 7). */
import {
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  fstatSync,
  lstatSync,
  mkdirSync,
  openSync,
  type Stats,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { errorCode } from './errors.ts';
import { pathSteps } from './file-writers.ts';

/** As the SDKs create them (protocol 1.5): only the owner may write. */
const MODE = 0o755;

/** The owner of a directory that root creates. */
interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/**
 * As root: creates a missing directory (scratch, log) with its missing parents and changes the owner of the last one. Does
 * nothing unless root owns the existing parents and nobody else can change them: another user may have prepared them to
 * redirect root. Never changes an existing directory. (architecture.md section 7, step 4.)
 */
export function makeDirectoryAsRoot(path: string, owner: Owner): void {
  const missing = missingBelowTrusted(path);
  for (const [index, directory] of missing.entries()) {
    try {
      mkdirSync(directory, { mode: 0o700 });
    } catch (error) {
      if (errorCode(error) === 'EEXIST') return;
      throw error;
    }
    const descriptor = openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
    try {
      if (fstatSync(descriptor).uid !== 0) return;
      fchmodSync(descriptor, MODE);
      if (index === missing.length - 1) fchownSync(descriptor, owner.uid, owner.gid);
    } finally {
      closeSync(descriptor);
    }
  }
}

/** Would a start as root create this directory? Works for every user. */
export function isMadeByRoot(path: string): boolean {
  try {
    return missingBelowTrusted(path).length > 0;
  } catch {
    return false;
  }
}

/**
 * As the server user: creates a directory and its missing parents. Throws the file system's error. (`recursive: true` does
 * not return where a parent can neither be found nor created, as in /proc.)
 */
export function makeDirectory(path: string): void {
  if (lstatSync(path, { throwIfNoEntry: false }) !== undefined) return;
  const parent = dirname(path);
  if (parent !== path) makeDirectory(parent);
  try {
    mkdirSync(path, { mode: MODE });
  } catch (error) {
    if (errorCode(error) !== 'EEXIST') throw error;
  }
}

/**
 * The directories to create, from the top, with symbolic links resolved; empty if the path exists or goes through a
 * directory or link that another user than root can replace.
 */
function missingBelowTrusted(path: string): readonly string[] {
  for (const { directoryStats, path: entry, stats, below } of pathSteps(path)) {
    if (!isTrustedDirectory(directoryStats)) return [];
    if (stats === undefined) return [entry, ...below.map((_, i) => join(entry, ...below.slice(0, i + 1)))];
    // A sticky directory may have links of other users.
    if (stats.isSymbolicLink() && stats.uid !== 0) return [];
  }
  return [];
}

function isTrustedDirectory(stats: Stats): boolean {
  const writableByOthers = (stats.mode & 0o022) !== 0;
  const sticky = (stats.mode & 0o1000) !== 0;
  return stats.isDirectory() && stats.uid === 0 && (!writableByOthers || sticky);
}
