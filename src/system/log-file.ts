/** The log file: opened only where no other user can change it, rotated by size and age, with old files deleted. */
import {
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  lstatSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmSync,
  type Stats,
  statSync,
  writeSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { directoryDenial, fileDenial, ownUser } from './access.ts';
import type { Clock } from './clock.ts';
import { makeDirectory } from './directories.ts';
import { errorCode } from './errors.ts';
import type { LogSink } from './logger.ts';

const DAY_MS = 86_400_000;

/** When the file is rotated and how long old files are kept. */
export interface LogFileLimits {
  /** Permissions of new files; those of group and others never include write. */
  readonly mode: number;
  readonly rotate: boolean;
  readonly bytes: number;
  /** Age of the first line after which the file is rotated. */
  readonly ageMs: number;
  /** Most old files. */
  readonly files: number;
  /** Time since the last change after which an old file is deleted. */
  readonly keptMs: number;
}

/** configuration.md section 1, option `logging-dir`. */
export const LOG_FILE_LIMITS: LogFileLimits = {
  mode: 0o600,
  rotate: true,
  bytes: 2_000_000,
  ageMs: DAY_MS,
  files: 100,
  keptMs: 30 * DAY_MS,
};

/** Time between checks whether another program has moved the file away. */
const LOOK_EVERY_MS = 1_000;

interface LogFileOptions {
  readonly directory: string;
  /** The file is `<program>.log`, older ones are `<program>.1.log` (the newest) and so on. */
  readonly program: string;
  /** The number of this process, which is a part of the names: `<program>-<pid>.log`. */
  readonly pid?: number;
  readonly clock: Clock;
  readonly limits?: LogFileLimits;
}

/**
 * Opens the log for appending and creates its directory if necessary; it is opened again when another program has moved it
 * away. Throws with the reason and the fix, also from `write`.
 */
export function openLogFile(options: LogFileOptions): LogSink {
  const { directory, program, pid, limits = LOG_FILE_LIMITS } = options;
  const name = pid === undefined ? program : `${program}-${pid}`;
  const path = join(directory, `${name}.log`);
  try {
    makeDirectory(directory);
    refuseForeignDirectory(directory);
    if (pid !== undefined) deleteLogsOfOthers(directory, program, pid, limits);
    return new LogFile(path, { ...options, program: name });
  } catch (cause) {
    const { remedy } = directoryDenial(directory) ?? fileDenial(path) ?? {};
    throw remedy === undefined ? cause : new Error(`${ownUser().text} cannot write ${path}: ${remedy}`, { cause });
  }
}

/** Deletes files of earlier processes by the limits of old files; the age counts from the newest of them. */
function deleteLogsOfOthers(directory: string, program: string, pid: number, limits: LogFileLimits): void {
  const isOther = (name: string): boolean => {
    const number = name.startsWith(`${program}-`)
      ? /^(\d+)(?:\.\d+)?\.log$/.exec(name.slice(program.length + 1))
      : null;
    return number !== null && number[1] !== String(pid);
  };
  const others = existing(
    readdirSync(directory)
      .filter(isOther)
      .map((name) => join(directory, name)),
  ).toSorted((a, b) => b.changed - a.changed);
  deleteExpired(others, others[0]?.changed ?? 0, limits.files, limits.keptMs);
}

interface OldFile {
  readonly path: string;
  readonly changed: number;
}

/** Another process may delete files after they were listed. */
function existing(paths: readonly string[]): readonly OldFile[] {
  return paths.flatMap((path) => {
    const stats = lstatSync(path, { throwIfNoEntry: false });
    return stats === undefined || stats.isDirectory() ? [] : { path, changed: stats.mtimeMs };
  });
}

/** Deletes all but `most` files, the newest first, and those that are older than `keptMs` on that day. Returns the others. */
function deleteExpired(files: readonly OldFile[], day: number, most: number, keptMs: number): readonly OldFile[] {
  const isKept = ({ changed }: OldFile, index: number): boolean => index < most && day - changed <= keptMs;
  for (const [index, file] of files.entries()) if (!isKept(file, index)) rmSync(file.path, { force: true });
  return files.filter(isKept);
}

class LogFile implements LogSink {
  readonly #path: string;
  readonly #directory: string;
  readonly #program: string;
  readonly #clock: Clock;
  readonly #limits: LogFileLimits;
  #file: OpenFile;
  #lookedAt = Number.NEGATIVE_INFINITY;

  constructor(path: string, { directory, program, clock, limits = LOG_FILE_LIMITS }: LogFileOptions) {
    this.#path = path;
    this.#directory = directory;
    this.#program = program;
    this.#clock = clock;
    this.#limits = limits;
    this.#file = openForAppending(path, limits.mode, clock);
  }

  write(lines: readonly string[]): void {
    const text = Buffer.from(`${lines.join('\n')}\n`);
    const { rotate, bytes, ageMs } = this.#limits;
    const isFull = this.#file.bytes > 0 && this.#file.bytes + text.length > bytes;
    const isDue = rotate && (isFull || this.#clock.now() - this.#file.began >= ageMs);
    if (isDue || this.#clock.monotonic() - this.#lookedAt >= LOOK_EVERY_MS) this.#follow(isDue);
    let written: number;
    try {
      written = writeSync(this.#file.descriptor, text);
    } catch (cause) {
      throw new Error(`cannot write to ${this.#path}`, { cause });
    }
    // A full disk takes the beginning of a line first.
    if (written < text.length)
      throw new Error(`cannot write to ${this.#path}: it took ${written} of ${text.length} bytes`);
    this.#file.bytes += text.length;
  }

  close(): void {
    closeSync(this.#file.descriptor);
  }

  /** Rotates the file if that is due, and opens it again if it was rotated or moved away. */
  #follow(isDue: boolean): void {
    this.#lookedAt = this.#clock.monotonic();
    const isThere = lstatSync(this.#path, { throwIfNoEntry: false })?.ino === this.#file.inode;
    if (isDue && isThere) this.#rotate();
    if (!isDue && isThere) return;
    const next = openForAppending(this.#path, this.#limits.mode, this.#clock);
    closeSync(this.#file.descriptor);
    this.#file = next;
  }

  #rotate(): void {
    const paths = readdirSync(this.#directory)
      .flatMap((name) => (name === `${this.#program}.${this.#indexOf(name)}.log` ? this.#indexOf(name) : []))
      .sort((a, b) => a - b)
      .map((index) => this.#old(index));
    // The age counts from the last line, so that a clock that jumps ahead does not delete files.
    const day = Math.min(this.#clock.now(), lstatSync(this.#path).mtimeMs);
    const kept = deleteExpired(existing(paths), day, this.#limits.files - 1, this.#limits.keptMs);
    for (const { path } of kept.toReversed()) renameIfThere(path, this.#old(this.#indexOf(basename(path)) + 1));
    renameSync(this.#path, this.#old(1));
  }

  #old(index: number): string {
    return join(this.#directory, `${this.#program}.${index}.log`);
  }

  #indexOf(name: string): number {
    return Number(name.slice(this.#program.length + 1, -'.log'.length));
  }
}

function renameIfThere(path: string, to: string): void {
  try {
    renameSync(path, to);
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error;
  }
}

interface OpenFile {
  readonly descriptor: number;
  readonly inode: number;
  bytes: number;
  /** The time of the first line. */
  readonly began: number;
}

function openForAppending(path: string, mode: number, clock: Clock): OpenFile {
  const flags =
    constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  const isNew = lstatSync(path, { throwIfNoEntry: false }) === undefined;
  const descriptor = openSync(path, flags, 0o600);
  try {
    // The umask of the plugin allows nothing for others.
    if (isNew) fchmodSync(descriptor, mode & 0o644);
    const stats = fstatSync(descriptor);
    refuseForeignFile(path, stats);
    if (stats.size > 0 && !endsWithNewline(path, stats.size)) writeSync(descriptor, '\n');
    return { descriptor, inode: stats.ino, bytes: stats.size, began: beginning(path) ?? clock.now() };
  } catch (error) {
    closeSync(descriptor);
    throw error;
  }
}

/** Another user must not be able to read or change the log through a file that was there before. */
function refuseForeignFile(path: string, stats: Stats): void {
  const { mode, uid, nlink } = stats;
  if (!stats.isFile()) throw new Error(`${path} is not a regular file`);
  if (uid !== process.getuid?.()) throw new Error(`${path} belongs to user ${uid}`);
  if (nlink !== 1) throw new Error(`${path} has ${nlink} hard links`);
  if ((mode & 0o022) === 0) return;
  throw new Error(`other users can write to ${path}, mode 0${(mode & 0o777).toString(8)}: chmod go-w ${path}`);
}

/** A user that can write to the directory can replace the log. */
function refuseForeignDirectory(directory: string): void {
  const { uid, mode } = statSync(directory);
  if (![0, process.getuid?.()].includes(uid)) throw new Error(`${directory} belongs to user ${uid}`);
  if ((mode & 0o002) !== 0) {
    throw new Error(`every user can write to ${directory}: chmod o-w ${directory}`);
  }
}

/** Is the last line complete? */
const endsWithNewline = (path: string, size: number): boolean => textOf(path, size - 1, 1) === '\n';

/** The time stamp of the first line (text or JSON); undefined for an empty file. */
function beginning(path: string): number | undefined {
  const stamp = /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z/.exec(textOf(path, 0, 64))?.[0];
  return stamp === undefined ? undefined : Date.parse(stamp);
}

/** Up to this number of bytes of a file as Latin-1. */
function textOf(path: string, position: number, length: number): string {
  const descriptor = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const bytes = Buffer.alloc(length);
    return bytes.toString('latin1', 0, readSync(descriptor, bytes, 0, length, position));
  } finally {
    closeSync(descriptor);
  }
}
