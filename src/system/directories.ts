/** Makes directories, as root only below what nobody else can tamper with (architecture.md section 7). */
import {
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  fstatSync,
  lstatSync,
  mkdirSync,
  openSync,
  readlinkSync,
  type Stats,
} from 'node:fs';
import { dirname, join, normalize } from 'node:path';

/** As the SDKs make them (protocol 1.5): others may look in, only the owner may write. */
const MODE = 0o755;

/** As many symbolic links as Linux itself follows. */
const MAX_LINKS = 40;

/** Who gets a directory that root makes. */
interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/**
 * As root: makes a missing directory (scratch, log) and what is missing above it, and hands over the last one. Only
 * below ancestors that root owns and nobody else can change, else nothing is done: what is there may be somebody's
 * trap. What exists is never changed. (architecture.md section 7, step 3.)
 */
export function makeDirectoryAsRoot(path: string, owner: Owner): void {
  const missing = missingBelowTrusted(path);
  for (const [index, directory] of missing.entries()) {
    try {
      mkdirSync(directory, { mode: 0o700 });
    } catch (error) {
      if (hasCode(error, 'EEXIST')) return;
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

/** Would a start as root make this directory? Asked by anybody. */
export function isMadeByRoot(path: string): boolean {
  try {
    return missingBelowTrusted(path).length > 0;
  } catch {
    return false;
  }
}

/**
 * As the server user, after the drop: makes what is missing, from the top. Throws the file system's error. (Not by
 * `recursive: true`, which never ends where a parent can neither be found nor made, as in /proc.)
 */
export function makeDirectory(path: string): void {
  if (lstatSync(path, { throwIfNoEntry: false }) !== undefined) return;
  const parent = dirname(path);
  if (parent !== path) makeDirectory(parent);
  try {
    mkdirSync(path, { mode: MODE });
  } catch (error) {
    if (!hasCode(error, 'EEXIST')) throw error;
  }
}

/**
 * The directories to make, from the top, with symbolic links resolved; empty if the path exists or leads through
 * anything that others than root could exchange.
 */
function missingBelowTrusted(path: string): readonly string[] {
  let rest = normalize(path).split('/').filter(Boolean);
  let directory = '/';
  let links = 0;
  for (;;) {
    if (!isTrustedDirectory(lstatSync(directory))) return [];
    const [name, ...below] = rest;
    if (name === undefined) return [];
    const next = join(directory, name);
    const stats = lstatSync(next, { throwIfNoEntry: false });
    if (stats === undefined) return rest.map((_, i) => join(directory, ...rest.slice(0, i + 1)));
    if (!stats.isSymbolicLink()) {
      directory = next;
      rest = below;
      continue;
    }
    // In a sticky directory links of others are possible.
    if (stats.uid !== 0 || ++links > MAX_LINKS) return [];
    const target = readlinkSync(next);
    rest = [...normalize(target.startsWith('/') ? target : join(dirname(next), target)).split('/'), ...below].filter(
      Boolean,
    );
    directory = '/';
  }
}

function isTrustedDirectory(stats: Stats): boolean {
  const writableByOthers = (stats.mode & 0o022) !== 0;
  const sticky = (stats.mode & 0o1000) !== 0;
  return stats.isDirectory() && stats.uid === 0 && (!writableByOthers || sticky);
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
