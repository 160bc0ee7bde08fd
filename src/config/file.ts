/** Opens the files that an administrator wrote: without blocking, regular ones only, at most 1 MiB, UTF-8. */
import { closeSync, constants, fstatSync, openSync, readSync, statSync } from 'node:fs';
import { ConfigError, problem } from './problem.ts';

/** Most bytes of any file of ours. */
export const MAX_FILE_BYTES = 1024 * 1024;

export interface TextFile {
  /** Without BOM. */
  readonly text: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

/**
 * Reads a file. Returns undefined if there is none; throws ConfigError `unreadable` (it exists, but not for us: mode and
 * owner are named) or `wrong` (not regular, too large, not UTF-8).
 */
export function readTextFile(file: string): TextFile | undefined {
  let descriptor: number;
  try {
    descriptor = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  } catch (error) {
    const code = errorCode(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw fileError('unreadable', file, `cannot be read by ${whoIsRefused(file)}: ${code}`, error);
  }
  try {
    const stat = fstatSync(descriptor);
    if (!stat.isFile()) throw fileError('wrong', file, 'is not a regular file');
    const bytes = Buffer.alloc(MAX_FILE_BYTES + 1);
    let length = 0;
    for (let read = -1; read !== 0 && length < bytes.length; length += read) {
      read = readSync(descriptor, bytes, length, bytes.length - length, null);
    }
    if (length > MAX_FILE_BYTES) throw fileError('wrong', file, 'is larger than 1 MiB');
    return { text: decode(file, bytes.subarray(0, length)), mode: stat.mode, uid: stat.uid, gid: stat.gid };
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    throw fileError('unreadable', file, `cannot be read: ${errorCode(error)}`, error);
  } finally {
    closeSync(descriptor);
  }
}

/** Which user may not read it, and what the file's mode says; or that a directory above it is closed to him. */
function whoIsRefused(file: string): string {
  const who = `user ${process.getuid?.() ?? -1}`;
  try {
    const { mode, uid, gid } = statSync(file);
    return `${who} (owner ${uid}, group ${gid}, mode 0${(mode & 0o7777).toString(8)})`;
  } catch {
    return `${who} (who may not enter a directory above it)`;
  }
}

function decode(file: string, bytes: Uint8Array): string {
  if (bytes.includes(0)) throw fileError('wrong', file, 'holds a NUL byte');
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    throw fileError('wrong', file, 'is not UTF-8', error);
  }
}

function fileError(code: 'unreadable' | 'wrong', file: string, message: string, cause?: unknown): ConfigError {
  return new ConfigError(code, [problem({ file, line: 0 }, '', message)], cause === undefined ? {} : { cause });
}

function errorCode(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error);
}
