/** Gives up root for good, and proves it (architecture.md section 7). */
import { readdirSync, readFileSync } from 'node:fs';
import { userInfo } from 'node:os';

/** Whom the process becomes. */
export interface ServerUser {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
}

/** Root could not be given up, or not provably so; the start ends there. */
export class PrivilegeError extends Error {
  override readonly name = 'PrivilegeError';
  readonly code = 'PRIVILEGES';
  /** How to mend it, where that is known; the message ends with it. */
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
 * Looks up the user that option `server-user` names. Only for root, and before threads of ours do anything: it becomes
 * that user for a moment, because that way the system's name services answer without another program being run.
 * Throws PrivilegeError for an unknown user and for root under any name.
 */
export function findServerUser(name: string): ServerUser {
  const { seteuid } = powers();
  try {
    seteuid(name);
  } catch (cause) {
    const remedy = `useradd --system ${name}, or server-user=NAME in the options file`;
    throw new PrivilegeError(`server-user "${name}" is not a user of this host`, { remedy, cause });
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
 * Gives up root for good, in every thread, and proves it (architecture.md section 7, step 4). Throws PrivilegeError if any
 * part of the proof fails.
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
  if (left.length > 0) throw new PrivilegeError(`root was not given up: ${left.join('; ')}`);
  if (canReturn(setuid)) throw new PrivilegeError('root was not given up: setuid(0) still works');
  process.chdir('/');
  Object.assign(process.env, { HOME: home, USER: name, LOGNAME: name });
}

/** What changes users and groups; some runtimes lack a part of it. */
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
      'refusing to run as root: this JavaScript runtime cannot give up root (it has no process.initgroups)',
    );
  }
  return { seteuid, initgroups, setgid, setuid };
}

/** What is left of root in any thread of a process (default: this one), one sentence each; empty if nothing is. */
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
