/** What an administrator types: every command, in the order of the help. */
import { advise, ConfigError } from '../config/problem.ts';
import { JobError } from '../jobs/contract.ts';
import { KubernetesError } from '../kubernetes/errors.ts';
import { PrivilegeError } from '../system/privileges.ts';
import { UserLookupError } from '../system/users.ts';
import { parseArguments, UsageError } from './arguments.ts';
import { check } from './check/check.ts';
import { type Command, EXIT_FAILED, EXIT_OK, EXIT_USAGE } from './command.ts';
import { commandHelp } from './command-help.ts';
import { jobs } from './jobs.ts';
import { profile } from './profile.ts';
import { rbac } from './rbac.ts';
import { render } from './render.ts';
import type { Surroundings } from './session.ts';
import { clean, type Terminal } from './terminal.ts';
import { PROGRAM } from './version.ts';

export const COMMANDS: readonly Command[] = [check, render, profile, rbac, jobs];

/** The command that these arguments begin with, if any. */
export function findCommand([name]: readonly string[]): Command | undefined {
  return COMMANDS.find((command) => command.name === name);
}

/** Errors that are told in their own words; everything else is a defect. */
const TOLD = [ConfigError, PrivilegeError, KubernetesError, JobError, UserLookupError, UsageError];

/** Runs `argv[0]` with the rest. Resolves with the exit code; what is wrong was said in one line each. */
export async function runCommand(
  argv: readonly string[],
  surroundings: Surroundings,
  terminal: Terminal,
): Promise<number> {
  const command = findCommand(argv);
  if (command === undefined) {
    terminal.say(`${PROGRAM}: there is no command ${clean(argv[0] ?? '')}; see --help`);
    return EXIT_USAGE;
  }
  const rest = argv.slice(1);
  if (rest.includes('--help')) {
    terminal.write(commandHelp(command));
    return EXIT_OK;
  }
  try {
    return await command.run(parseArguments(command, rest), surroundings, terminal);
  } catch (error) {
    if (!(error instanceof Error) || !TOLD.some((kind) => error instanceof kind)) throw error;
    const lines = error instanceof ConfigError ? error.problems.map(advise) : [error.message];
    for (const line of lines) terminal.say(`${PROGRAM}: ${clean(line)}`);
    return error instanceof UsageError ? EXIT_USAGE : EXIT_FAILED;
  }
}
