/**
 * Users and groups of the system's name services: files, LDAP, SSSD, winbind. Queried with `getent` and `id`, which work
 * without privileges; never through a shell.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import type { Clock } from './clock.ts';
import type { Log } from './log.ts';
import { LookupSlots, UserLookupError } from './lookup-slots.ts';
import { Outage } from './outage.ts';

export interface SystemUser {
  /** The canonical name; may differ from the requested one (case, domain). */
  readonly name: string;
  readonly uid: number;
  /** The primary group. */
  readonly gid: number;
  /** All groups, the primary one included. */
  readonly groups: ReadonlySet<number>;
}

interface SystemGroup {
  /** The canonical name; may differ from the requested one (case, domain). */
  readonly name: string;
  readonly gid: number;
}

export interface Users {
  /** Undefined: the name services have no such user. Rejects with UserLookupError if they give no answer. */
  readonly user: (name: string) => Promise<SystemUser | undefined>;
  /**
   * Undefined: the name services have no such group. Rejects with UserLookupError if they give no answer. `user`: who
   * chose the name; a user has one lookup at a time.
   */
  readonly group: (name: string, user?: string) => Promise<SystemGroup | undefined>;
}

/** Users of this host, with the programs that look them up. */
export interface HostUsers extends Users {
  /** Kills the programs that run. Lookups reject from now on. */
  readonly close: () => void;
}

interface UsersOptions {
  readonly clock: Clock;
  /** Reports lookups without an answer. */
  readonly log: Log;
  /** Programs, by absolute path. */
  readonly getent?: string;
  readonly id?: string;
  /** Deadline of one program. */
  readonly timeoutMs?: number;
}

const FOUND_MS = 60_000;
const UNKNOWN_MS = 10_000;
/** How long a name without an answer has few slots. */
const FAILED_MS = 60_000;
const MOST_CACHED = 10_000;
const MOST_OUTPUT = 64 * 1024;
const MOST_NAME_BYTES = 256;
/** `getent`: the key was not found. */
const NOT_FOUND = 2;

/**
 * Looks up users and groups and caches answers for a minute (10 s for "unknown"). Lookups of the same name share one query;
 * if it fails, the last known user or group is used.
 */
export function createUsers({
  clock,
  log,
  getent = '/usr/bin/getent',
  id = '/usr/bin/id',
  timeoutMs = 5000,
}: UsersOptions): HostUsers {
  const programs = new Programs(clock, timeoutMs);
  const slots = new LookupSlots(clock);
  const outage = new Outage(clock, log, {
    broken: 'Name services of this host (getent, id) gave no answer; retrying with the next request',
    meanwhile: 'users that were looked up before keep their groups; requests that need an unknown user are refused',
    restored: 'Name services of this host answer again',
  });
  const findUser = async (name: string, signal: AbortSignal): Promise<SystemUser | undefined> => {
    const run = (program: string, args: readonly string[]): Promise<Outcome> => programs.run(program, args, signal);
    const line = await entry(run, getent, 'passwd', name);
    const [canonical = '', , uid, gid] = line?.split(':') ?? [];
    if (line === undefined || !isAnswerTo(name, canonical)) return undefined;
    const primary = number(gid);
    const outcome = await run(id, ['-G', '--', canonical]);
    if (outcome.code !== 0 || outcome.cut) {
      throw new UserLookupError(`${id} did not report the groups of ${canonical}: ${outcome.ending}`);
    }
    const groups = outcome.output.trim().split(/\s+/).map(number);
    return { name: canonical, uid: number(uid), gid: primary, groups: new Set([primary, ...groups]) };
  };
  const findGroup = async (name: string, signal: AbortSignal): Promise<SystemGroup | undefined> => {
    const run = (program: string, args: readonly string[]): Promise<Outcome> => programs.run(program, args, signal);
    const line = await entry(run, getent, 'group', name);
    const [canonical = '', , gid] = line?.split(':') ?? [];
    return line === undefined || !isAnswerTo(name, canonical) ? undefined : { name: canonical, gid: number(gid) };
  };
  const user = cached(clock, slots, outage, findUser);
  return {
    user: (name) => user(name, name),
    group: cached(clock, slots, outage, findGroup),
    close: () => programs.close(),
  };
}

/** The line that getent prints for a key, or the beginning of a very long one; undefined if there is no such entry. */
async function entry(
  run: (program: string, args: readonly string[]) => Promise<Outcome>,
  getent: string,
  database: 'passwd' | 'group',
  name: string,
): Promise<string | undefined> {
  if (!isValidName(name)) return undefined;
  const outcome = await run(getent, [database, '--', name]);
  if (outcome.code === NOT_FOUND) return undefined;
  const [line = ''] = outcome.output.split('\n');
  if ((outcome.code !== 0 && !outcome.cut) || line.split(':').length < 4) {
    throw new UserLookupError(`${getent} ${database} gave no answer: ${outcome.ending}`);
  }
  return line;
}

/**
 * Was the entry found by its name? getent reads `0` and `+0` as numbers and answers with root, so a numeric name must come
 * back unchanged; other names may come back in the spelling of a directory service.
 */
function isAnswerTo(name: string, canonical: string): boolean {
  return isValidName(canonical) && (canonical === name || !/^\s*[-+]?\d+$/.test(name));
}

/** Only valid names are passed to a program. */
function isValidName(name: string): boolean {
  return name !== '' && !/[\0\n:]/.test(name) && Buffer.byteLength(name) <= MOST_NAME_BYTES;
}

function number(text: string | undefined): number {
  if (text === undefined || !/^\d+$/.test(text))
    throw new UserLookupError('the name services returned an id that is not a number');
  return Number(text);
}

interface Cached<T> {
  readonly value: T;
  /** Monotonic. */
  readonly until: number;
}

/**
 * Caches answers, with one lookup of a name at a time. A user waits for own lookups only, and for those that have started.
 * After a failed lookup a stale answer is used, but no stale "no such user".
 */
function cached<T>(
  clock: Clock,
  slots: LookupSlots,
  outage: Outage,
  look: (name: string, signal: AbortSignal) => Promise<T | undefined>,
): (name: string, user?: string) => Promise<T | undefined> {
  const answers = new Map<string, Cached<T | undefined>>();
  /** Lookups that have started, by name. */
  const running = new Map<string, Promise<T | undefined>>();
  /** Lookups that wait for a slot or have started, by user and name. */
  const requested = new Map<string, Promise<T | undefined>>();
  /** When lookups failed, on the monotonic clock. */
  const failures = new Map<string, number>();
  const experience = (name: string): 'answered' | 'new' | 'failed' => {
    const failedAt = failures.get(name);
    if (failedAt !== undefined && clock.monotonic() - failedAt < FAILED_MS) return 'failed';
    return answers.has(name) ? 'answered' : 'new';
  };
  const fresh = (name: string): Cached<T | undefined> | undefined => {
    const known = answers.get(name);
    return known !== undefined && clock.monotonic() < known.until ? known : undefined;
  };
  const start = async (name: string, signal: AbortSignal): Promise<T | undefined> => {
    try {
      const value = await look(name, signal);
      outage.works();
      failures.delete(name);
      remember(answers, name, { value, until: clock.monotonic() + (value === undefined ? UNKNOWN_MS : FOUND_MS) });
      return value;
    } catch (error) {
      outage.failed({ name: name.slice(0, MOST_NAME_BYTES), error });
      remember(failures, name, clock.monotonic());
      throw error;
    } finally {
      running.delete(name);
    }
  };
  /** In its slot: another user's lookup may have started meanwhile, or have the answer. */
  const inSlot = async (name: string, signal: AbortSignal): Promise<T | undefined> => {
    const known = fresh(name);
    if (known !== undefined) return known.value;
    const lookup = running.get(name) ?? start(name, signal);
    running.set(name, lookup);
    return lookup;
  };
  const refresh = async (name: string, user: string): Promise<T | undefined> => {
    try {
      return await (running.get(name) ?? slots.run(experience(name), user, (signal) => inSlot(name, signal)));
    } catch (error) {
      const stale = answers.get(name);
      if (stale?.value === undefined) throw error;
      return stale.value;
    }
  };
  return async (name, user = '') => {
    const known = fresh(name);
    if (known !== undefined) return known.value;
    const request = JSON.stringify([user, name]);
    const lookup = requested.get(request) ?? refresh(name, user).finally(() => requested.delete(request));
    requested.set(request, lookup);
    return lookup;
  };
}

/** Sets an entry of a cache of limited size; the oldest one is removed. */
function remember<T>(cache: Map<string, T>, name: string, value: T): void {
  cache.delete(name);
  const [oldest] = cache.keys();
  if (cache.size >= MOST_CACHED && oldest !== undefined) cache.delete(oldest);
  cache.set(name, value);
}

interface Outcome {
  /** Undefined: terminated by a signal. */
  readonly code: number | undefined;
  readonly output: string;
  /** The output exceeded the limit; the program was killed. */
  readonly cut: boolean;
  /** `exit code 1`, or the signal. */
  readonly ending: string;
}

const SETPRIV = '/usr/bin/setpriv';
/** The kernel kills the program that follows when the plugin ends, even with SIGKILL. Of util-linux 2.33 or later. */
const ENDS_WITH_PLUGIN = [SETPRIV, '--pdeathsig', 'KILL', '--'];
const SETPRIV_MS = 2_000;

/** Runs programs: no shell, no stdin, a clean environment, a deadline, at most 64 KiB of output. They end with the plugin. */
class Programs {
  readonly #clock: Clock;
  readonly #timeoutMs: number;
  readonly #children = new Set<ChildProcess>();
  #isClosed = false;
  /** Does ENDS_WITH_PLUGIN work on this host? Undefined: not tried yet. */
  #canEndWithPlugin: Promise<boolean> | undefined;

  constructor(clock: Clock, timeoutMs: number) {
    this.#clock = clock;
    this.#timeoutMs = timeoutMs;
  }

  close(): void {
    this.#isClosed = true;
    for (const child of this.#children) child.kill('SIGKILL');
  }

  /** Rejects with the reason of the signal when that is aborted. */
  async run(program: string, args: readonly string[], signal: AbortSignal): Promise<Outcome> {
    this.#canEndWithPlugin ??= this.#spawn([...ENDS_WITH_PLUGIN, SETPRIV, '--version'], SETPRIV, SETPRIV_MS).then(
      ({ code }) => code === 0,
      () => {
        this.#canEndWithPlugin = undefined;
        return false;
      },
    );
    const prefix = (await this.#canEndWithPlugin) ? ENDS_WITH_PLUGIN : [];
    return this.#spawn([...prefix, program, ...args], program, this.#timeoutMs, signal);
  }

  #spawn(
    [file = '', ...args]: readonly string[],
    program: string,
    timeoutMs: number,
    signal?: AbortSignal,
  ): Promise<Outcome> {
    if (this.#isClosed) return Promise.reject(new UserLookupError('the plugin is exiting'));
    if (signal?.aborted) return Promise.reject(signal.reason);
    return new Promise((resolve, reject) => {
      // If no descriptors are left, the child has no streams, and an error event follows.
      const child: ChildProcess = spawn(file, args, {
        stdio: ['ignore', 'pipe', 'ignore'],
        env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C' },
        cwd: '/',
      });
      this.#children.add(child);
      const chunks: Buffer[] = [];
      let length = 0;
      const stop = (): void => {
        child.kill('SIGKILL');
        child.stdout?.destroy();
      };
      // Rejects without waiting for the exit: a program that waits in the kernel for a dead file server may never exit.
      const cancelTimer = this.#clock.after(timeoutMs, () => {
        stop();
        reject(new UserLookupError(`${program} gave no answer within ${timeoutMs / 1000} s`));
      });
      const aborted = (): void => {
        stop();
        reject(signal?.reason);
      };
      signal?.addEventListener('abort', aborted);
      const cancel = (): void => {
        cancelTimer();
        signal?.removeEventListener('abort', aborted);
      };
      child.on('error', (error) => {
        cancel();
        if (child.pid === undefined) this.#children.delete(child);
        reject(new UserLookupError(`${program} could not be run: ${error.message}`, { cause: error }));
      });
      child.stdout?.on('data', (chunk: Buffer) => {
        chunks.push(chunk);
        length += chunk.length;
        if (length > MOST_OUTPUT) stop();
      });
      child.on('exit', () => this.#children.delete(child));
      child.on('close', (code, signal) => {
        cancel();
        const output = Buffer.concat(chunks).subarray(0, MOST_OUTPUT).toString();
        const ending = code === null ? `terminated by ${signal}` : `exit code ${code}`;
        resolve({ code: code ?? undefined, output, cut: length > MOST_OUTPUT, ending });
      });
    });
  }
}
