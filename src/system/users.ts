/**
 * Users and groups as the system's name services know them: files, LDAP, SSSD, winbind. Asked through `getent` and
 * `id`, which work after root was given up; never through a shell.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import type { Clock } from './clock.ts';

export interface SystemUser {
  /** As the name services write it; may differ from what was asked for (case, domain). */
  readonly name: string;
  readonly uid: number;
  /** The primary group. */
  readonly gid: number;
  /** All groups, the primary one included. */
  readonly groups: ReadonlySet<number>;
}

/** The name services gave no answer. Never to be taken for "no such user" or "no groups". */
export class UserLookupError extends Error {
  override readonly name = 'UserLookupError';
  readonly code = 'USER_LOOKUP';
}

export interface Users {
  /** Undefined: there is certainly no such user. Rejects with UserLookupError if that cannot be told. */
  readonly user: (name: string) => Promise<SystemUser | undefined>;
  /** The number of a group; undefined: there is certainly no such group. Rejects with UserLookupError likewise. */
  readonly group: (name: string) => Promise<number | undefined>;
}

interface UsersOptions {
  readonly clock: Clock;
  /** Programs, by absolute path. */
  readonly getent?: string;
  readonly id?: string;
  /** Deadline of one program. */
  readonly timeoutMs?: number;
}

const FOUND_MS = 60_000;
const UNKNOWN_MS = 10_000;
const MOST_CACHED = 10_000;
const MOST_OUTPUT = 64 * 1024;
const MOST_NAME_BYTES = 256;
/** `getent`: the key was not found. */
const NOT_FOUND = 2;

/**
 * Looks up users and groups, remembering answers for a minute (10 s for "unknown"). Lookups of the same name share one
 * answer; when a fresh one fails, the user or group last known counts, if there was one.
 */
export function createUsers({
  clock,
  getent = '/usr/bin/getent',
  id = '/usr/bin/id',
  timeoutMs = 5000,
}: UsersOptions): Users {
  const run = (program: string, args: readonly string[]): Promise<Outcome> =>
    runProgram(clock, timeoutMs, program, args);

  const findUser = async (name: string): Promise<SystemUser | undefined> => {
    const line = await entry(run, getent, 'passwd', name);
    const [canonical = '', , uid, gid] = line?.split(':') ?? [];
    if (line === undefined || !isAnswerTo(name, canonical)) return undefined;
    const primary = number(gid);
    const outcome = await run(id, ['-G', '--', canonical]);
    if (outcome.code !== 0 || outcome.cut) {
      throw new UserLookupError(`${id} did not tell the groups of ${canonical}: ${outcome.said}`);
    }
    const groups = outcome.output.trim().split(/\s+/).map(number);
    return { name: canonical, uid: number(uid), gid: primary, groups: new Set([primary, ...groups]) };
  };
  const findGroup = async (name: string): Promise<number | undefined> => {
    const line = await entry(run, getent, 'group', name);
    const [canonical = '', , gid] = line?.split(':') ?? [];
    return line === undefined || !isAnswerTo(name, canonical) ? undefined : number(gid);
  };
  return { user: cached(clock, findUser), group: cached(clock, findGroup) };
}

/** The line that getent prints for a key; undefined if there is certainly none. Of a very long line, its beginning. */
async function entry(
  run: (program: string, args: readonly string[]) => Promise<Outcome>,
  getent: string,
  database: 'passwd' | 'group',
  name: string,
): Promise<string | undefined> {
  if (!isAskable(name)) return undefined;
  const outcome = await run(getent, [database, '--', name]);
  if (outcome.code === NOT_FOUND) return undefined;
  const [line = ''] = outcome.output.split('\n');
  if ((outcome.code !== 0 && !outcome.cut) || line.split(':').length < 4) {
    throw new UserLookupError(`${getent} ${database} gave no answer: ${outcome.said}`);
  }
  return line;
}

/**
 * Was the entry found by its name? getent takes `0` and `+0` for numbers and answers with root, so that such a name must
 * come back unchanged; others may come back in a directory service's own spelling.
 */
function isAnswerTo(name: string, canonical: string): boolean {
  return isAskable(canonical) && (canonical === name || !/^\s*[-+]?\d+$/.test(name));
}

/** Can this be a name at all? Nothing else reaches a program. */
function isAskable(name: string): boolean {
  return name !== '' && !/[\0\n:]/.test(name) && Buffer.byteLength(name) <= MOST_NAME_BYTES;
}

function number(text: string | undefined): number {
  if (text === undefined || !/^\d+$/.test(text))
    throw new UserLookupError('the name services gave no number for an id');
  return Number(text);
}

interface Cached<T> {
  readonly value: T;
  /** Monotonic. */
  readonly until: number;
}

/** Remembers answers; one lookup of a name at a time; a stale answer rather than none, but never a stale "no such". */
function cached<T>(
  clock: Clock,
  look: (name: string) => Promise<T | undefined>,
): (name: string) => Promise<T | undefined> {
  const answers = new Map<string, Cached<T | undefined>>();
  const running = new Map<string, Promise<T | undefined>>();
  const refresh = async (name: string): Promise<T | undefined> => {
    try {
      const value = await look(name);
      const [oldest] = answers.keys();
      if (answers.size >= MOST_CACHED && oldest !== undefined) answers.delete(oldest);
      answers.delete(name);
      answers.set(name, { value, until: clock.monotonic() + (value === undefined ? UNKNOWN_MS : FOUND_MS) });
      return value;
    } catch (error) {
      const stale = answers.get(name);
      if (stale?.value === undefined) throw error;
      return stale.value;
    } finally {
      running.delete(name);
    }
  };
  return async (name) => {
    const known = answers.get(name);
    if (known !== undefined && clock.monotonic() < known.until) return known.value;
    const lookup = running.get(name) ?? refresh(name);
    running.set(name, lookup);
    return lookup;
  };
}

interface Outcome {
  /** Undefined: ended by a signal. */
  readonly code: number | undefined;
  readonly output: string;
  /** There was more output than we take; the program was ended. */
  readonly cut: boolean;
  /** How it ended, in words. */
  readonly said: string;
}

/** Runs a program: no shell, no stdin, a clean environment, a deadline, at most 64 KiB of output. */
function runProgram(clock: Clock, timeoutMs: number, program: string, args: readonly string[]): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    // Without descriptors for its output it comes without streams; the error follows.
    const child: ChildProcess = spawn(program, args, {
      stdio: ['ignore', 'pipe', 'ignore'],
      env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C' },
      cwd: '/',
    });
    const chunks: Buffer[] = [];
    let length = 0;
    const stop = (): void => {
      child.kill('SIGKILL');
      child.stdout?.destroy();
    };
    // Not at its end: a program that waits in the kernel, for a dead file server, ends whenever it likes.
    const cancel = clock.after(timeoutMs, () => {
      stop();
      reject(new UserLookupError(`${program} gave no answer within ${timeoutMs / 1000} s`));
    });
    child.on('error', (error) => {
      cancel();
      reject(new UserLookupError(`${program} could not be run: ${error.message}`, { cause: error }));
    });
    child.stdout?.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      length += chunk.length;
      if (length > MOST_OUTPUT) stop();
    });
    child.on('close', (code, signal) => {
      cancel();
      const output = Buffer.concat(chunks).subarray(0, MOST_OUTPUT).toString();
      const said = code === null ? `ended by ${signal}` : `exit code ${code}`;
      resolve({ code: code ?? undefined, output, cut: length > MOST_OUTPUT, said });
    });
  });
}
