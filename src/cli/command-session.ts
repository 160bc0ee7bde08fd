/**
 * How a command of an administrator begins: the options are read as root, as the plugin does, then root is given up, and
 * only then is anything else read, so that a command sees what the plugin sees (architecture.md section 7).
 */
import { availableParallelism } from 'node:os';
import { isOptionName } from '../config/options/option-table.ts';
import { type LoadedOptions, loadOptions, type Options } from '../config/options/options.ts';
import { advise, COMMAND_LINE, ConfigError, type Problem, problem } from '../config/text/problem.ts';
import type { JobRequest } from '../jobs/job.ts';
import { type Clock, systemClock } from '../system/clock.ts';
import { type Log, silentLog } from '../system/log.ts';
import { becomeUser, findServerUser, type ServerUser } from '../system/privileges.ts';
import { isRoot } from '../system/process.ts';
import { type Random, systemRandom } from '../system/random.ts';
import { createUsers, type Users } from '../system/users.ts';
import type { Terminal } from './terminal.ts';

/** What a command knows of the process it runs in. */
export interface Surroundings {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  readonly random: Random;
  readonly users: Users;
  readonly log: Log;
  readonly uid: number;
  /** Who may own the options file, looked up while still root. */
  readonly findUser: (name: string) => Promise<{ readonly uid: number; readonly gid: number } | undefined>;
  /** Gives up root for the server user; undefined if there was no root to give up. Throws PrivilegeError. */
  readonly lower: (serverUser: string) => ServerUser | undefined;
  /** Reads a job as a launcher writes it; throws an Error that names the field. */
  readonly readJob: (value: unknown) => JobRequest;
  readonly readInput: () => Promise<string>;
  /** Where relative paths begin. */
  readonly directory: string;
}

/** What commands in this process have to do with. */
export function ownSurroundings(readJob: Surroundings['readJob']): Surroundings {
  return {
    environment: process.env,
    clock: systemClock,
    random: systemRandom,
    users: createUsers({ clock: systemClock }),
    log: silentLog,
    uid: process.getuid?.() ?? -1,
    findUser: async (name) => (isRoot() ? findServerUser(name) : undefined),
    lower: (serverUser) => {
      if (!isRoot()) return undefined;
      const user = findServerUser(serverUser);
      becomeUser(user);
      return user;
    },
    readJob,
    directory: process.cwd(),
    readInput: async () => {
      const chunks: Buffer[] = [];
      for await (const chunk of process.stdin) chunks.push(Buffer.from(chunk));
      return Buffer.concat(chunks).toString();
    },
  };
}

/** Reads the options as the plugin would. */
export function readOptions(
  argv: readonly string[],
  { environment, uid, findUser }: Surroundings,
): Promise<LoadedOptions> {
  return loadOptions({ argv, env: environment, uid, cpus: availableParallelism(), findUser });
}

/** Options that were typed in vain: the options file beats the command line (architecture.md section 4). */
export function typedInVain(argv: readonly string[], { writtenInFile, configFile }: Options): readonly Problem[] {
  const typed = argv.map((option) => option.slice(2, option.indexOf('=')));
  return typed
    .filter((name) => isOptionName(name) && writtenInFile.has(name))
    .map((name) => problem({ file: COMMAND_LINE, line: 0 }, name, `has no effect: ${configFile} sets it, which wins`));
}

/** Options read and root given up. Warnings are said. Throws ConfigError or PrivilegeError. */
export async function begin(argv: readonly string[], surroundings: Surroundings, terminal: Terminal): Promise<Options> {
  const loaded = await readOptions(argv, surroundings);
  if (!loaded.ok) throw new ConfigError('wrong', loaded.problems);
  surroundings.lower(loaded.options.serverUser);
  sayWarnings([...loaded.warnings, ...typedInVain(argv, loaded.options)], terminal);
  return loaded.options;
}

export function sayWarnings(warnings: readonly Problem[], terminal: Terminal): void {
  for (const warning of warnings) terminal.say(`warning: ${advise(warning)}`);
}
