/** Why the user of this process has no access to a file or directory, and the command that gives it. Changes nothing. */
import {
  accessSync,
  constants,
  existsSync,
  readlinkSync,
  realpathSync,
  type Stats,
  statfsSync,
  statSync,
} from 'node:fs';
import { userInfo } from 'node:os';
import { dirname, resolve } from 'node:path';
import { codeOrText } from './errors.ts';
import { Mounts } from './file-writers.ts';

/** Linux follows no more. */
const MAX_LINKS = 40;

interface AccessDenial {
  /** Completes "nobody (uid 65534) ...". */
  readonly why: string;
  /** What to do: a command for root, or a sentence. */
  readonly remedy: string;
}

/** `nobody (uid 65534)`, and the name; the number where the host has no name for the uid. */
export function ownUser(): { readonly name: string; readonly text: string } {
  const uid = process.getuid?.() ?? -1;
  try {
    const { username } = userInfo();
    return { name: username, text: `${username} (uid ${uid})` };
  } catch {
    return { name: String(uid), text: `uid ${uid}` };
  }
}

/** The user of this process if it is another one: `jane (uid 1001)`. */
export function otherUser(than: string): string | undefined {
  const { name, text } = ownUser();
  return name === than ? undefined : text;
}

/**
 * Why access to an existing path was denied: its owner and mode, or a directory above it, or above what a symbolic link in it
 * names. The owner of a file that is only read stays the same: the server user must not be able to change the profiles that
 * restrict it.
 */
export function accessDenial(path: string, to: 'read' | 'write', links = MAX_LINKS): AccessDenial {
  const closed = directoriesAbove(path).find((directory) => !allows(directory, constants.X_OK));
  const target = links === 0 ? undefined : linkTarget(closed ?? path);
  if (target !== undefined) return accessDenial(target + path.slice((closed ?? path).length), to, links - 1);
  if (closed !== undefined) return { why: `has no access to directory ${closed}`, remedy: toEnter(closed) };
  let stats: Stats | undefined;
  try {
    stats = statSync(path, { throwIfNoEntry: false });
  } catch (error) {
    return { why: `cannot examine it: ${codeOrText(error)}`, remedy: `namei -l ${quoted(path)}` };
  }
  if (stats === undefined) return { why: 'no longer finds it', remedy: 'try again' };
  const { mode, uid, gid } = stats;
  const why = `has no permission: owner ${uid}, group ${gid}, mode 0${(mode & 0o7777).toString(8)}`;
  if (to === 'read') return { why, remedy: toRead(path, uid, gid) };
  if (isReadOnly(path)) return readOnly(path);
  const own = uid === process.getuid?.() ? [] : [`chown ${quoted(ownUser().name)} ${quoted(path)}`];
  const [bits, letters] = stats.isDirectory() ? [0o700, 'rwx'] : [0o600, 'rw'];
  const open = (mode & bits) === bits ? [] : [`chmod u+${letters} ${quoted(path)}`];
  return { why, remedy: [...own, ...open].join(' && ') || `ls -lZ ${quoted(path)}` };
}

/** Home directories stay closed: what is in them belongs elsewhere. */
function toEnter(directory: string): string {
  if (/^\/(?:root|home)(?:\/|$)/.test(directory))
    return `configure a path outside ${directory}, such as one in /etc/rstudio or /var`;
  return `chmod o+x ${quoted(directory)}`;
}

function toRead(path: string, uid: number, gid: number): string {
  if (isKubernetesVolume(path) || isReadOnly(path))
    return `set fsGroup: ${process.getgid?.() ?? gid} in the securityContext of the pod: chgrp and chmod do not last in a volume of Kubernetes`;
  if (uid === process.getuid?.()) return `chmod u+r ${quoted(path)}`;
  const own = process.getgid?.() ?? gid;
  return [...(gid === own ? [] : [`chgrp ${own} ${quoted(path)}`]), `chmod g+r ${quoted(path)}`].join(' && ');
}

/** The kubelet writes ConfigMaps, Secrets and tokens into directories such as `..2026_11_29_04_00_00.1`, and replaces these. */
function isKubernetesVolume(path: string): boolean {
  return /\/\.\.[^/]/.test(realpathSync(path));
}

function isReadOnly(path: string): boolean {
  return Mounts.read().isReadOnly(realpathSync(path));
}

function readOnly(path: string): AccessDenial {
  const remedy = `mount a file system there that can be written (in a pod: an emptyDir), or remount it: mount -o remount,rw ${quoted(path)}`;
  return { why: 'finds a read-only file system', remedy };
}

/** Why this user cannot write to a directory or create it; undefined if it can. */
export function directoryDenial(path: string): AccessDenial | undefined {
  const { name } = ownUser();
  let stats: Stats | undefined;
  try {
    stats = statSync(path, { throwIfNoEntry: false });
  } catch {
    return accessDenial(path, 'write');
  }
  if (stats?.isDirectory() === false) return notDirectory(path);
  if (stats !== undefined)
    return allows(path, constants.W_OK | constants.X_OK) ? undefined : accessDenial(path, 'write');
  const existing = existingPart(path);
  if (!statSync(existing).isDirectory()) return notDirectory(existing);
  if (allows(existing, constants.W_OK | constants.X_OK)) return undefined;
  if (isReadOnly(existing)) return readOnly(existing);
  const remedy = `mkdir -p ${quoted(path)} && chown ${quoted(name)} ${quoted(path)}`;
  return { why: `cannot create it in ${existing}`, remedy };
}

function notDirectory(path: string): AccessDenial {
  return { why: `needs a directory, but ${path} is a file`, remedy: 'correct the path, so that it names a directory' };
}

/** Why this user cannot write to an existing file; undefined if it can. */
export function fileDenial(path: string): AccessDenial | undefined {
  return existsSync(path) && !allows(path, constants.W_OK) ? accessDenial(path, 'write') : undefined;
}

/** Is the file system of this directory, or of the one that it will be made in, full? */
export function isFull(path: string): boolean {
  return statfsSync(existingPart(path)).bavail === 0;
}

/** This path, or the nearest directory above it that exists. */
function existingPart(path: string): string {
  return [...directoriesAbove(path), path].findLast((part) => existsSync(part)) ?? '/';
}

/** What a symbolic link names, absolute; undefined for anything else, and what cannot be examined. */
function linkTarget(path: string): string | undefined {
  try {
    return resolve(dirname(path), readlinkSync(path));
  } catch {
    return undefined;
  }
}

/** The symbolic link in this path that names nothing, and what it should name; undefined if there is none. */
export function danglingLink(path: string): { readonly link: string; readonly target: string } | undefined {
  for (const link of [...directoriesAbove(path), path]) {
    const target = linkTarget(link);
    if (target !== undefined && !existsSync(link)) return { link, target };
  }
  return undefined;
}

/** The parent directories, from `/` down. */
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

/** Quotes text as one word of a shell. */
function quoted(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
