/** Reads files that an administrator wrote: regular files only, without blocking, at most 1 MiB, UTF-8. */
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { accessDenial, danglingLink, ownUser } from '../../system/access.ts';
import { codeOrText } from '../../system/errors.ts';
import { ConfigError, type Origin, problem } from './problem.ts';

/** Most bytes of any configuration file. */
const MAX_FILE_BYTES = 1024 * 1024;

export interface TextFile {
  /** Without BOM. */
  readonly text: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly dev: number;
  readonly ino: number;
}

/** The option or key that names a file: problems of the file itself are reported there. */
export interface Naming extends Origin {
  readonly option: string;
}

/** Where this option was written; undefined: nowhere, its default applies. */
export function namingOf<Name extends string>(origins: ReadonlyMap<Name, Origin>, option: Name): Naming | undefined {
  const at = origins.get(option);
  return at && { ...at, option };
}

/**
 * Reads a file. Returns undefined if there is none; throws ConfigError `unreadable` (no permission: the message has mode
 * and owner; a symbolic link to nothing) or `invalid` (not regular, too large, not UTF-8).
 */
export function readTextFile(file: string, by?: Naming): TextFile | undefined {
  const failed = (code: ConfigError['code'], message: string, cause?: unknown): ConfigError =>
    fileError(code, file, by, message, cause);
  let descriptor: number;
  try {
    descriptor = openRegular(file, () => failed('invalid', 'is not a regular file'));
  } catch (cause) {
    if (cause instanceof ConfigError) throw cause;
    const code = codeOrText(cause);
    if (code === 'ENOENT' || code === 'ENOTDIR') {
      const dangling = danglingLink(file);
      if (dangling === undefined) return undefined;
      const { link, target } = dangling;
      const message = `cannot be read: ${link} is a symbolic link to ${target}, which does not exist`;
      throw fileError('unreadable', file, by, message, cause, `mount or make ${target}, or remove the link`);
    }
    const { why, remedy } = accessDenial(file, 'read');
    throw fileError('unreadable', file, by, `cannot be read: ${ownUser().text} ${why} (${code})`, cause, remedy);
  }
  try {
    const { mode, uid, gid, dev, ino } = fstatSync(descriptor);
    const bytes = Buffer.alloc(MAX_FILE_BYTES + 1);
    let length = 0;
    for (let read = -1; read !== 0 && length < bytes.length; length += read) {
      read = readSync(descriptor, bytes, length, bytes.length - length, null);
    }
    if (length > MAX_FILE_BYTES) throw failed('invalid', 'is larger than 1 MiB');
    if (bytes.subarray(0, length).includes(0)) throw failed('invalid', 'contains a NUL byte');
    return { text: decode(bytes.subarray(0, length), failed), mode, uid, gid, dev, ino };
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    throw failed('unreadable', `cannot be read: ${codeOrText(error)}`, error);
  } finally {
    closeSync(descriptor);
  }
}

/** Linux: only finds the file. To open a device does something: a watchdog, for one, then restarts the host. */
const O_PATH = 0o10000000;

/** Opens a file after it was found to be a regular one, whatever takes its place meanwhile. */
function openRegular(file: string, refusal: () => ConfigError): number {
  const found = openSync(file, O_PATH);
  try {
    if (!fstatSync(found).isFile()) throw refusal();
    return openSync(`/proc/self/fd/${found}`, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  } finally {
    closeSync(found);
  }
}

/** As `readTextFile`, but a missing file is an error. */
export function readNamedFile(file: string, by?: Naming): TextFile {
  const found = readTextFile(file, by);
  if (found === undefined) throw fileError('unreadable', file, by, 'does not exist');
  return found;
}

/**
 * Reads a file that may be missing if no option names it (`by`), and it had no content before: who replaces a file may have
 * removed it for a moment, and its restrictions are not skipped.
 */
export function readDefaultFile(file: string, by: Naming | undefined, hadContent: boolean): TextFile | undefined {
  if (by !== undefined) return readNamedFile(file, by);
  const found = readTextFile(file);
  if (found !== undefined || !hadContent) return found;
  throw fileError(
    'unreadable',
    file,
    by,
    'does not exist any more',
    undefined,
    'write it again: an empty file has no settings',
  );
}

function decode(bytes: Uint8Array, failed: (code: 'invalid', message: string, cause: unknown) => ConfigError): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    throw failed('invalid', 'is not UTF-8', error);
  }
}

/** An error of the file itself: reported at the option that names the file, else at the file. */
export function fileError(
  code: ConfigError['code'],
  file: string,
  by: Naming | undefined,
  message: string,
  cause?: unknown,
  remedy?: string,
): ConfigError {
  const { at, prefix } = namedAt(file, by);
  const found = problem(at, at.option, `${prefix}${message}`, remedy);
  return new ConfigError(code, [found], cause === undefined ? {} : { cause });
}

/** The place of a problem of the file itself, and the file's name where the place is another file. */
export function namedAt(file: string, by: Naming | undefined): { readonly at: Naming; readonly prefix: string } {
  const at = by ?? { file, line: 0, option: '' };
  return { at, prefix: at.file === file ? '' : `${file} ` };
}
