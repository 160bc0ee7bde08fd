/** Drops root privileges permanently and verifies it (architecture.md section 7). */
import { readdirSync, readFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { UserFacingError } from './user-facing-error.ts';

/** The user that the process becomes. */
export interface ServerUser {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
}

/** Privileges could not be dropped, or the verification failed; the start fails. */
export class PrivilegeError extends UserFacingError {
  override readonly name = 'PrivilegeError';
  readonly code = 'privileges';
  /** The fix, where it is known; the end of the message. */
  readonly remedy: string | undefined;
  /** The message without the remedy. */
  readonly found: string;

  constructor(found: string, { remedy, cause }: { readonly remedy?: string; readonly cause?: unknown } = {}) {
    super(remedy === undefined ? found : `${found}: ${remedy}`, cause === undefined ? undefined : { cause });
    this.found = found;
    this.remedy = remedy;
  }
}

/**
 * Looks up the user of option `server-user`. Only for root, and before other threads do anything: the process takes the
 * effective uid of that user for a moment, so that the name services answer without starting a program. Throws
 * PrivilegeError for an unknown user and for root under any name.
 */
export function findServerUser(name: string): ServerUser {
  const { seteuid } = powers();
  try {
    seteuid(name);
  } catch (cause) {
    const remedy = `useradd --system ${name}, or server-user=NAME in the options file`;
    throw new PrivilegeError(`server-user "${name}" does not exist on this host`, { remedy, cause });
  }
  try {
    const { username, uid, gid, homedir } = userInfo();
    if (uid === 0) {
      throw new PrivilegeError(`server-user "${name}" is root: the plugin does not run as root, name another user`);
    }
    return { name: username, uid, gid, home: homedir };
  } finally {
    seteuid(0);
  }
}

/**
 * Drops root privileges permanently in every thread and verifies it (architecture.md section 7, step 4). Throws
 * PrivilegeError if the verification fails.
 */
export function becomeUser({ name, uid, gid, home }: ServerUser): void {
  const { initgroups, setgid, setuid } = powers();
  try {
    initgroups(name, gid);
    setgid(gid);
    setuid(uid);
  } catch (cause) {
    throw new PrivilegeError(`cannot become server-user "${name}": ${messageOf(cause)}`, { cause });
  }
  const left = remainingPrivileges();
  if (left.length > 0) throw new PrivilegeError(`privileges were not dropped: ${left.join('; ')}`);
  if (canReturn(setuid)) throw new PrivilegeError('privileges were not dropped: setuid(0) still works');
  process.chdir('/');
  Object.assign(process.env, { HOME: home, USER: name, LOGNAME: name });
}

/** The system calls for users and groups; some runtimes lack a part of them. */
interface Powers {
  readonly seteuid: (user: string | number) => void;
  readonly initgroups: (user: string, gid: number) => void;
  readonly setgid: (gid: number) => void;
  readonly setuid: (uid: number) => void;
}

function powers(): Powers {
  const found: Partial<Powers> & Pick<NodeJS.Process, 'setgid'> = process;
  const { seteuid, initgroups, setgid, setuid } = found;
  if (seteuid === undefined || initgroups === undefined || setgid === undefined || setuid === undefined) {
    throw new PrivilegeError(
      'refusing to run as root: this JavaScript runtime cannot drop privileges (it has no process.initgroups)',
    );
  }
  return { seteuid, initgroups, setgid, setuid };
}

/** Root privileges that any thread of a process (default: this one) still has, one sentence each. */
export function remainingPrivileges(pid: number | 'self' = 'self'): readonly string[] {
  const tasks = `/proc/${pid}/task`;
  return readdirSync(tasks).flatMap((thread) => {
    const status = readFileSync(`${tasks}/${thread}/status`, 'utf8');
    const value = (field: string): readonly string[] =>
      new RegExp(`^${field}:\\s*(.*)$`, 'm').exec(status)?.[1]?.split(/\s+/) ?? ['unknown'];
    const found: string[] = [];
    if (value('Uid').some((id) => !/^[1-9]\d*$/.test(id))) found.push(`thread ${thread} has uid ${value('Uid')}`);
    for (const field of ['CapPrm', 'CapEff', 'CapAmb']) {
      const [set = 'unknown'] = value(field);
      if (!/^0+$/.test(set)) found.push(`thread ${thread} has capabilities ${field} ${set}`);
    }
    return found;
  });
}

function canReturn(setuid: (id: number) => void): boolean {
  try {
    setuid(0);
    return true;
  } catch {
    return false;
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
