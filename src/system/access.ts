/** What keeps the user of this process from a file or a directory, and the command that mends it. Nothing is changed. */
import { accessSync, constants, existsSync, type Stats, statSync } from 'node:fs';
import { userInfo } from 'node:os';
import { dirname } from 'node:path';

interface Refusal {
  /** Completes "nobody (uid 65534) ...". */
  readonly why: string;
  /** To be typed as root, where something can be typed. */
  readonly remedy: string;
}

/** `nobody (uid 65534)`, and the name alone; a number where the host has no name for it. */
export function ownUser(): { readonly name: string; readonly text: string } {
  const uid = process.getuid?.() ?? -1;
  try {
    const { username } = userInfo();
    return { name: username, text: `${username} (uid ${uid})` };
  } catch {
    return { name: String(uid), text: `uid ${uid}` };
  }
}

/** Who this is, if not that user: `jane (uid 1001)`. */
export function otherUser(than: string): string | undefined {
  const { name, text } = ownUser();
  return name === than ? undefined : text;
}

/**
 * Why a path that is there was refused: its owner and mode, or a closed directory above it. What is only read stays its
 * owner's: the account that profiles are to hold must not be able to write them.
 */
export function refusal(path: string, to: 'read' | 'write'): Refusal {
  const closed = directoriesAbove(path).find((directory) => !allows(directory, constants.X_OK));
  if (closed !== undefined) return { why: `may not enter ${closed}`, remedy: `chmod o+x ${quoted(closed)}` };
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats === undefined) return { why: 'does not find it any more', remedy: 'try again' };
  const { mode, uid, gid } = stats;
  const why = `is refused: owner ${uid}, group ${gid}, mode 0${(mode & 0o7777).toString(8)}`;
  if (to === 'read') return { why, remedy: toRead(path, uid, gid) };
  const own = uid === process.getuid?.() ? [] : [`chown ${quoted(ownUser().name)} ${quoted(path)}`];
  const [bits, letters] = stats.isDirectory() ? [0o700, 'rwx'] : [0o600, 'rw'];
  const open = (mode & bits) === bits ? [] : [`chmod u+${letters} ${quoted(path)}`];
  return { why, remedy: [...own, ...open].join(' && ') || `ls -lZ ${quoted(path)}` };
}

function toRead(path: string, uid: number, gid: number): string {
  if (uid === process.getuid?.()) return `chmod u+r ${quoted(path)}`;
  const own = process.getgid?.() ?? gid;
  return [...(gid === own ? [] : [`chgrp ${own} ${quoted(path)}`]), `chmod g+r ${quoted(path)}`].join(' && ');
}

/** What keeps this user from writing into a directory, or from making it; undefined: nothing does. */
export function directoryRefusal(path: string): Refusal | undefined {
  const { name } = ownUser();
  let stats: Stats | undefined;
  try {
    stats = statSync(path, { throwIfNoEntry: false });
  } catch {
    return refusal(path, 'write');
  }
  if (stats?.isDirectory() === false) return { why: 'finds no directory there', remedy: 'name a directory' };
  if (stats !== undefined) return allows(path, constants.W_OK | constants.X_OK) ? undefined : refusal(path, 'write');
  const nearest = directoriesAbove(path).findLast((directory) => existsSync(directory)) ?? '/';
  if (allows(nearest, constants.W_OK | constants.X_OK)) return undefined;
  const remedy = `mkdir -p ${quoted(path)} && chown ${quoted(name)} ${quoted(path)}`;
  return { why: `may not make it in ${nearest}`, remedy };
}

/** What keeps this user from writing to a file that is there. */
export function fileRefusal(path: string): Refusal | undefined {
  return existsSync(path) && !allows(path, constants.W_OK) ? refusal(path, 'write') : undefined;
}

/** From `/` down, without the path itself. */
function directoriesAbove(path: string): readonly string[] {
  const parent = dirname(path);
  return parent === path ? [] : [...directoriesAbove(parent), parent];
}

function allows(path: string, mode: number): boolean {
  try {
    accessSync(path, mode);
    return true;
  } catch {
    return false;
  }
}

/** As a shell takes it for one word. */
function quoted(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
