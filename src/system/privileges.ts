/** Drops root privileges permanently and verifies it (architecture.md section 7). */
import { readdirSync, readFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { errorCode, errorMessage } from './errors.ts';
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
    if (errorCode(cause) === 'EPERM') throw missingCapability(name, cause);
    const remedy = `correct server-user in the options file, or create the user: useradd --system ${name}`;
    throw new PrivilegeError(`server-user "${name}" does not exist on this host`, { remedy, cause });
  }
  try {
    const { username, uid, gid, homedir } = userInfo();
    if (uid === 0) {
      throw new PrivilegeError(`server-user "${name}" is root: the plugin does not run as root, name another user`);
    }
    if (gid === 0) {
      const remedy = `usermod -g GROUP ${name}`;
      throw new PrivilegeError(`the primary group of server-user "${name}" is root's (gid 0)`, { remedy });
    }
    const other = otherAccount(name, username, uid);
    if (other !== undefined) {
      const remedy = `usermod -u UID ${name}, with a uid of its own`;
      throw new PrivilegeError(`server-user "${name}" shares its uid ${uid} with the account ${other}`, { remedy });
    }
    return { name: username, uid, gid, home: homedir };
  } finally {
    seteuid(0);
  }
}

/**
 * Drops root privileges permanently in every thread and verifies it (architecture.md section 7, step 5). Throws
 * PrivilegeError if the verification fails.
 */
export function becomeUser({ name, uid, gid, home }: ServerUser): void {
  const { initgroups, setgid, setuid } = powers();
  try {
    initgroups(name, gid);
    setgid(gid);
    setuid(uid);
  } catch (cause) {
    if (errorCode(cause) === 'EPERM') throw missingCapability(name, cause);
    throw new PrivilegeError(`cannot become server-user "${name}": ${errorMessage(cause)}`, { cause });
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

/** Rounds in which the threads of a process are listed until no new ones appear. */
const MOST_ROUNDS = 100;

/**
 * Root privileges that any thread of a process (default: this one) still has, one sentence each. A thread that exits
 * meanwhile has none; new ones are examined until there are no more.
 */
export function remainingPrivileges(pid: number | 'self' = 'self'): readonly string[] {
  const tasks = `/proc/${pid}/task`;
  const found = new Map<string, readonly string[]>();
  for (let round = 0; round < MOST_ROUNDS; round++) {
    const threads = readdirSync(tasks).filter((thread) => !found.has(thread));
    if (threads.length === 0) return [...found.values()].flat();
    for (const thread of threads) found.set(thread, privilegesIn(`thread ${thread}`, `${tasks}/${thread}/status`));
  }
  return ['new threads appear all the time'];
}

function privilegesIn(thread: string, file: string): readonly string[] {
  let status: string;
  try {
    status = readFileSync(file, 'utf8');
  } catch (error) {
    if (['ENOENT', 'ESRCH'].includes(errorCode(error))) return [];
    throw error;
  }
  const found: string[] = [];
  const uids = statusField(status, 'Uid');
  if (uids.some((id) => !/^[1-9]\d*$/.test(id))) found.push(`${thread} has uid ${uids}`);
  for (const field of ['CapPrm', 'CapEff', 'CapAmb']) {
    const [set = 'unknown'] = statusField(status, field);
    if (!/^0+$/.test(set)) found.push(`${thread} has capabilities ${field} ${set}`);
  }
  return found;
}

function statusField(status: string, field: string): readonly string[] {
  return new RegExp(`^${field}:\\s*(.*)$`, 'm').exec(status)?.[1]?.split(/\s+/) ?? ['unknown'];
}

/**
 * Is this process started by root? Throws PrivilegeError if it has other privileges: by a setuid or setgid bit, or by
 * capabilities of a user other than root.
 */
export function isStartedByRoot(): boolean {
  let status: string;
  try {
    status = readFileSync('/proc/self/status', 'utf8');
  } catch {
    return process.getuid?.() === 0;
  }
  for (const [field, bit] of [
    ['Uid', 'u-s'],
    ['Gid', 'g-s'],
  ] as const) {
    const ids = statusField(status, field).slice(0, 3);
    if (new Set(ids).size > 1) {
      const found = `refusing to start: real, effective and saved ${field.toLowerCase()} differ (${ids.join(', ')})`;
      throw new PrivilegeError(found, { remedy: `chmod ${bit} ${process.execPath}` });
    }
  }
  return statusField(status, 'Uid')[0] === '0';
}

/** Throws PrivilegeError if this process, which root has not started, has capabilities. */
export function refuseCapabilities(): void {
  const left = remainingPrivileges();
  if (left.length === 0) return;
  throw new PrivilegeError(`refusing to start with capabilities: ${left.join('; ')}`, {
    remedy: 'start it without AmbientCapabilities or file capabilities, or as root',
  });
}

/** Another account with this uid; the groups of a process would be those of either account. */
function otherAccount(name: string, canonical: string, uid: number): string | undefined {
  const plain = (account: string): string => account.toLowerCase().replace(/^.{0,256}\\|@.{0,256}$/g, '');
  if (plain(name) !== plain(canonical)) return canonical;
  let accounts: string;
  try {
    accounts = readFileSync('/etc/passwd', 'utf8');
  } catch {
    return undefined;
  }
  for (const line of accounts.split('\n')) {
    const [account = '', , number] = line.split(':');
    if (number === String(uid) && plain(account) !== plain(name)) return account;
  }
  return undefined;
}

function missingCapability(name: string, cause: unknown): PrivilegeError {
  return new PrivilegeError(`root cannot become server-user "${name}": it lacks CAP_SETUID or CAP_SETGID`, {
    remedy: `add the capabilities SETUID and SETGID to the container, or start it as ${name} (runAsUser)`,
    cause,
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
