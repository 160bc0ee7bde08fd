/**
 * How a command of an administrator begins: the options are read as root, as the plugin does, then root is given up, and
 * only then is anything else read, so that a command sees what the plugin sees (architecture.md section 7).
 */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { promisify } from 'node:util';
import { isOptionName } from '../config/options/option-table.ts';
import { type LoadedOptions, loadOptions, type Options, serverUserProblem } from '../config/options/options.ts';
import { advise, COMMAND_LINE, ConfigError, type Problem, problem } from '../config/text/problem.ts';
import type { JobRequest } from '../jobs/job.ts';
import { ownUser } from '../system/access.ts';
import { type Clock, systemClock } from '../system/clock.ts';
import { type Log, silentLog } from '../system/log.ts';
import { becomeUser, findServerUser, PrivilegeError, type ServerUser } from '../system/privileges.ts';
import { currentDirectory, isRoot } from '../system/process.ts';
import { type Random, systemRandom } from '../system/random.ts';
import { createUsers, type Users } from '../system/users.ts';
import type { Terminal } from './terminal.ts';

const run = promisify(execFile);
/** Deadline of the lookup of a name. */
const LOOKUP_MS = 5_000;

/** The process and host that a command runs in. */
export interface CommandContext {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  readonly random: Random;
  readonly users: Users;
  readonly log: Log;
  readonly uid: number;
  /** The user who started this process as root without being root, as sudo does: `uid 1001`; undefined: nobody. */
  readonly behindRoot: string | undefined;
  /** Looks up the allowed owners of the options file, while still root. */
  readonly findUser: (name: string) => Promise<{ readonly uid: number; readonly gid: number } | undefined>;
  /** Drops privileges to the server user; undefined if this process was not root. Throws PrivilegeError. */
  readonly dropPrivileges: (serverUser: string) => ServerUser | undefined;
  /** Reads a job as a launcher writes it; throws an Error that names the field. */
  readonly readJob: (value: unknown) => JobRequest;
  readonly readInput: () => Promise<string>;
  /** The user who logged in, also behind sudo: `jane`, `uid 1001` without a name; without a login, the user of this process. */
  readonly loginUser: () => Promise<string>;
  /** Base of relative paths. */
  readonly directory: string;
  /** Default `/var/run/secrets/kubernetes.io/serviceaccount`. */
  readonly serviceAccountDirectory?: string;
}

/** The context of commands in this process. */
export function processContext(readJob: CommandContext['readJob']): CommandContext {
  return {
    environment: process.env,
    clock: systemClock,
    random: systemRandom,
    users: createUsers({ clock: systemClock, log: silentLog }),
    log: silentLog,
    uid: process.getuid?.() ?? -1,
    behindRoot: isRoot() ? userBehindRoot(process.env['SUDO_UID'], readLoginUid()) : undefined,
    findUser: async (name) => (isRoot() ? findServerUser(name) : undefined),
    dropPrivileges: (serverUser) => {
      if (!isRoot()) return undefined;
      const user = findServerUser(serverUser);
      becomeUser(user);
      return user;
    },
    readJob,
    loginUser,
    directory: currentDirectory(),
    readInput: async () => {
      const chunks: Buffer[] = [];
      for await (const chunk of process.stdin) chunks.push(Buffer.from(chunk));
      return Buffer.concat(chunks).toString();
    },
  };
}

/** The kernel keeps this uid from the login on, whatever user a process becomes. */
const LOGIN_UID = '/proc/self/loginuid';
const NO_LOGIN = '4294967295';

function readLoginUid(): string {
  try {
    return readFileSync(LOGIN_UID, 'utf8').trim();
  } catch {
    return NO_LOGIN;
  }
}

/** The user behind a process of root, from what sudo and the login say. */
export function userBehindRoot(sudoUid: string | undefined, loginUid: string): string | undefined {
  const uid = [sudoUid, loginUid].find(
    (each) => each !== undefined && each !== '' && each !== '0' && each !== NO_LOGIN,
  );
  return uid === undefined ? undefined : `uid ${uid}`;
}

async function loginUser(): Promise<string> {
  const uid = readLoginUid();
  if (!/^\d+$/.test(uid) || uid === NO_LOGIN) return ownUser().name;
  const { stdout } = await run('/usr/bin/getent', ['passwd', uid], { timeout: LOOKUP_MS, env: {} }).catch(() => ({
    stdout: '',
  }));
  return stdout.split(':')[0] || `uid ${uid}`;
}

/** Reads the options as the plugin would. */
export function readOptions(argv: readonly string[], context: CommandContext): Promise<LoadedOptions> {
  return loadOptions({ ...context, argv, env: context.environment, cpus: availableParallelism() });
}

/** Options of the command line that the options file overrides (architecture.md section 4). */
export function ignoredOptions(argv: readonly string[], { writtenInFile, configFile }: Options): readonly Problem[] {
  const typed = argv.map((option) => option.slice(2, option.indexOf('=')));
  return typed
    .filter((name) => isOptionName(name) && writtenInFile.has(name))
    .map((name) => problem({ file: COMMAND_LINE, line: 0 }, name, `has no effect, because ${configFile} sets it`));
}

/** Reads the options, then drops privileges. Prints warnings. Throws ConfigError. */
export async function begin(argv: readonly string[], context: CommandContext, terminal: Terminal): Promise<Options> {
  const loaded = await readOptions(argv, context);
  if (!loaded.ok) throw new ConfigError('invalid', loaded.problems);
  try {
    context.dropPrivileges(loaded.options.serverUser);
  } catch (error) {
    if (!(error instanceof PrivilegeError)) throw error;
    throw new ConfigError('invalid', [serverUserProblem(loaded.options, error)], { cause: error });
  }
  printWarnings([...loaded.warnings, ...ignoredOptions(argv, loaded.options)], terminal);
  return loaded.options;
}

export function printWarnings(warnings: readonly Problem[], terminal: Terminal): void {
  for (const warning of warnings) terminal.say(`warning: ${advise(warning)}`);
}
