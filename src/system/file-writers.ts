/**
 * Who can change a file: by its owner and mode, and by those of every directory and symbolic link on its path. Read-only
 * mounts protect what they contain.
 */
import { lstatSync, readFileSync, readlinkSync, type Stats } from 'node:fs';
import { dirname, join, normalize } from 'node:path';

/** Linux follows as many symbolic links in one path. */
const MAX_LINKS = 40;

/** One entry on the way from `/` to a path. */
interface PathStep {
  readonly directory: string;
  readonly directoryStats: Stats;
  readonly path: string;
  /** Undefined: the entry does not exist. It is the last step then. */
  readonly stats: Stats | undefined;
  /** The names below this entry, of a path without symbolic links. */
  readonly below: readonly string[];
}

/** The entries from `/` to a path, with at most 40 symbolic links followed. Throws the file system's error. */
export function* pathSteps(path: string): Generator<PathStep, void> {
  let rest = normalize(path).split('/').filter(Boolean);
  let directory = '/';
  let directoryStats = lstatSync(directory);
  let links = 0;
  for (;;) {
    const [name, ...below] = rest;
    if (name === undefined) return;
    const next = join(directory, name);
    const stats = lstatSync(next, { throwIfNoEntry: false });
    yield { directory, directoryStats, path: next, stats, below };
    if (stats === undefined) return;
    if (stats.isSymbolicLink()) {
      if (++links > MAX_LINKS) return;
      const target = readlinkSync(next);
      const resolved = normalize(target.startsWith('/') ? target : join(dirname(next), target));
      rest = [...resolved.split('/'), ...below].filter(Boolean);
      directory = '/';
      directoryStats = lstatSync(directory);
    } else {
      directory = next;
      directoryStats = stats;
      rest = below;
    }
  }
}

/** The mounts of this process, of which later ones hide earlier ones at the same place. */
export class Mounts {
  readonly #isReadOnly = new Map<string, boolean>();

  /** `text`: /proc/self/mountinfo. */
  constructor(text: string) {
    for (const line of text.split('\n')) {
      const [, , , , point, options = '', ...more] = line.split(' ');
      if (point === undefined) continue;
      const superOptions = more[more.indexOf('-') + 3] ?? '';
      const isReadOnly = `${options},${superOptions}`.split(',').includes('ro');
      this.#isReadOnly.set(point.replace(/\\(\d{3})/g, unescaped), isReadOnly);
    }
  }

  /** The mounts now; none if they cannot be read. */
  static read(): Mounts {
    try {
      return new Mounts(readFileSync('/proc/self/mountinfo', 'utf8'));
    } catch {
      return new Mounts('');
    }
  }

  has(path: string): boolean {
    return this.#isReadOnly.has(path);
  }

  /** Is the mount that contains this path read-only? The path has no symbolic links. */
  isReadOnly(path: string): boolean {
    for (let above = path; ; above = dirname(above)) {
      const found = this.#isReadOnly.get(above);
      if (found !== undefined) return found;
      if (above === '/') return false;
    }
  }
}

function unescaped(_: string, octal: string): string {
  return String.fromCharCode(Number.parseInt(octal, 8));
}

/** Those who can change a file besides root, each with the path that gives the permission. */
interface Writers {
  /** Owners, by uid. */
  readonly users: ReadonlyMap<number, string>;
  /** Groups with write permission, by gid. */
  readonly groups: ReadonlyMap<number, string>;
  /** The file or directory that every user can write to. */
  readonly everyUser: string | undefined;
  /** The file itself; undefined if it is missing. */
  readonly file: Stats | undefined;
}

/** As fstat reports it of an open file. */
type FileIdentity = Pick<Stats, 'dev' | 'ino'>;

/** Who can change this file, or replace it. A missing file has the writers of its directories. */
export function writersOf(path: string, mounts: Mounts = Mounts.read()): Writers {
  const users = new Map<number, string>();
  const groups = new Map<number, string>();
  let everyUser: string | undefined;
  let file: Stats | undefined;
  const add = (at: string, { uid, gid, mode }: Stats, isSticky: boolean): void => {
    if (mounts.isReadOnly(at)) return;
    if (uid !== 0 && !users.has(uid)) users.set(uid, at);
    if (isSticky) return;
    if ((mode & 0o020) !== 0 && !groups.has(gid)) groups.set(gid, at);
    if ((mode & 0o002) !== 0) everyUser ??= at;
  };
  for (const { directory, directoryStats, path: entry, stats, below } of pathSteps(path)) {
    // A mount point can be neither renamed nor removed.
    if (!mounts.has(entry)) add(directory, directoryStats, (directoryStats.mode & 0o1000) !== 0);
    file = stats;
    if (stats === undefined) break;
    // The mode of a symbolic link has no meaning.
    if (stats.isSymbolicLink()) add(entry, stats, true);
    else if (below.length === 0) add(entry, stats, false);
  }
  return { users, groups, everyUser, file };
}

/**
 * The first path through which another user or a group can change this file, or replace it; undefined: root alone can. The
 * path itself if it now names another file than the one that was opened: it was replaced, or it goes through a descriptor or
 * a directory of a process (/dev/stdin, /proc/PID/cwd) into another mount namespace, where names mean other files.
 */
export function changeableThrough(path: string, opened?: FileIdentity, mounts?: Mounts): string | undefined {
  try {
    const { users, groups, everyUser, file } = writersOf(path, mounts);
    if (opened !== undefined && (file?.dev !== opened.dev || file.ino !== opened.ino)) return path;
    return [everyUser, ...users.values(), ...groups.values()].find((each) => each !== undefined);
  } catch {
    return path;
  }
}
