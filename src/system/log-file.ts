/** The log file: opened without following symbolic links, rotated by size and age, with old files deleted. */
import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { directoryDenial, fileDenial, ownUser } from './access.ts';
import type { Clock } from './clock.ts';
import { makeDirectory } from './directories.ts';

const DAY_MS = 86_400_000;

/** configuration.md section 1, option `logging-dir`. */
const LOG_LIMITS = { bytes: 2_000_000, ageMs: DAY_MS, files: 100, keptMs: 30 * DAY_MS } as const;

/** Time between checks whether another program has moved the file away. */
const LOOK_EVERY_MS = 1_000;

interface LogFileOptions {
  readonly directory: string;
  /** The file is `<program>.log`, older ones are `<program>.1.log` (the newest) and so on. */
  readonly program: string;
  readonly clock: Clock;
}

/** Destination of lines, which have no newline at the end. */
export interface LogSink {
  readonly write: (line: string) => void;
  readonly close: () => void;
}

/**
 * Opens the log for appending, mode 0600, and creates its directory if necessary. It is rotated when it is full or a day
 * old, and opened again when another program has moved it away. Throws the file system's error, also from `write`.
 */
export function openLogFile({ directory, program, clock }: LogFileOptions): LogSink {
  const path = join(directory, `${program}.log`);
  const old = (index: number): string => join(directory, `${program}.${index}.log`);
  let file: ReturnType<typeof open>;
  let lookedAt = Number.NEGATIVE_INFINITY;
  try {
    makeDirectory(directory);
    file = open();
  } catch (cause) {
    const { remedy } = directoryDenial(directory) ?? fileDenial(path) ?? {};
    throw remedy === undefined ? cause : new Error(`${ownUser().text} cannot write ${path}: ${remedy}`, { cause });
  }

  function open(): { descriptor: number; inode: number; bytes: number; began: number } {
    const flags =
      constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NOFOLLOW | constants.O_NONBLOCK;
    const descriptor = openSync(path, flags, 0o600);
    try {
      const stats = fstatSync(descriptor);
      if (!stats.isFile()) throw new Error(`${path} is not a regular file`);
      return { descriptor, inode: stats.ino, bytes: stats.size, began: beginning(path) ?? clock.now() };
    } catch (error) {
      closeSync(descriptor);
      throw error;
    }
  }

  function rotate(): void {
    const kept = readdirSync(directory)
      .flatMap((name) => (name === `${program}.${indexOf(name)}.log` ? indexOf(name) : []))
      .sort((a, b) => b - a);
    // The age counts from the last line, so that a clock that jumps ahead does not delete files.
    const today = Math.min(clock.now(), lstatSync(path).mtimeMs);
    for (const index of kept) {
      const expired = today - lstatSync(old(index)).mtimeMs > LOG_LIMITS.keptMs;
      if (expired || index >= LOG_LIMITS.files) unlinkSync(old(index));
      else renameSync(old(index), old(index + 1));
    }
    renameSync(path, old(1));
  }

  return {
    write: (line) => {
      const text = Buffer.from(`${line}\n`);
      const isFull = file.bytes > 0 && file.bytes + text.length > LOG_LIMITS.bytes;
      const isDue = isFull || clock.now() - file.began >= LOG_LIMITS.ageMs;
      if (isDue || clock.monotonic() - lookedAt >= LOOK_EVERY_MS) {
        lookedAt = clock.monotonic();
        const isThere = lstatSync(path, { throwIfNoEntry: false })?.ino === file.inode;
        if (isDue && isThere) rotate();
        if (isDue || !isThere) {
          const next = open();
          closeSync(file.descriptor);
          file = next;
        }
      }
      writeSync(file.descriptor, text);
      file.bytes += text.length;
    },
    close: () => closeSync(file.descriptor),
  };

  function indexOf(name: string): number {
    return Number(name.slice(program.length + 1, -'.log'.length));
  }
}

/** The time stamp of the first line (text or JSON); undefined for an empty file. */
function beginning(path: string): number | undefined {
  const descriptor = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const head = Buffer.alloc(64);
    const text = head.toString('latin1', 0, readSync(descriptor, head));
    const stamp = /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z/.exec(text)?.[0];
    return stamp === undefined ? undefined : Date.parse(stamp);
  } finally {
    closeSync(descriptor);
  }
}
