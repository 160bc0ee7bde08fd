/** What an administrator types: every command, in the order of the help. */

import { advise, ConfigError, withoutValue } from '../config/text/problem.ts';
import { didYouMean } from '../config/text/suggest.ts';
import { submittedJob } from '../jobs/job.ts';
import { KubernetesError } from '../kubernetes/kubernetes-error.ts';
import { redactTokens } from '../system/redact.ts';
import { UserFacingError } from '../system/user-facing-error.ts';
import { parseArguments, UsageError } from './arguments.ts';
import { check } from './check/check-command.ts';
import { type Command, EXIT_FAILED, EXIT_OK, EXIT_USAGE } from './command-contract.ts';
import { type CommandContext, processContext } from './command-session.ts';
import { completionCommand } from './completion-command.ts';
import { cancelCommand, killCommand, stopCommand } from './control-command.ts';
import { events } from './events-command.ts';
import { explain } from './explain-command.ts';
import { commandHelp, helpText } from './help.ts';
import { jobs } from './jobs-command.ts';
import { logs } from './logs-command.ts';
import { processTerminal } from './process-terminal.ts';
import { profile } from './profile-command.ts';
import { rbac } from './rbac-command.ts';
import { render } from './render-command.ts';
import { clean, type Terminal } from './terminal.ts';
import { top } from './top-command.ts';
import { PROGRAM } from './version.ts';

const completion = completionCommand(() => COMMANDS);

export const COMMANDS: readonly Command[] = [
  check,
  jobs,
  explain,
  events,
  logs,
  top,
  stopCommand,
  killCommand,
  cancelCommand,
  profile,
  render,
  rbac,
  completion,
];

/** Errors that `check` examines in detail. */
const CHECKED: ReadonlySet<KubernetesError['code']> = new Set([
  'timeout',
  'unreachable',
  'interrupted',
  'tls',
  'bad-answer',
  'redirected',
  'unauthorized',
  'credentials',
]);

/** Runs the command `argv[0]`. Resolves with the exit code; each problem was printed on one line. */
export async function runCommand(
  argv: readonly string[],
  context: CommandContext,
  terminal: Terminal,
): Promise<number> {
  // `help check` is `check --help`.
  const [name = 'help', ...rest] = argv[0] === 'help' && argv.length > 1 ? [...argv.slice(1), '--help'] : argv;
  if (name === 'help') {
    terminal.write(helpText(COMMANDS, terminal));
    return EXIT_OK;
  }
  const command = COMMANDS.find((each) => each.name === name);
  if (command === undefined) {
    const names = ['help', ...COMMANDS.map((each) => each.name)];
    terminal.say(`${PROGRAM}: unknown command ${clean(withoutValue(name))}${didYouMean(name, names)}; see --help`);
    return EXIT_USAGE;
  }
  if (rest.includes('--help') || rest.includes('-h')) {
    terminal.write(commandHelp(command, terminal));
    return EXIT_OK;
  }
  try {
    return await command.run(parseArguments(command, rest), context, terminal);
  } catch (error) {
    if (!(error instanceof UserFacingError)) throw error;
    const more =
      error instanceof KubernetesError && CHECKED.has(error.code) ? ` -> ${PROGRAM} check shows the cause` : '';
    const lines = error instanceof ConfigError ? error.problems.map(advise) : [error.message + more];
    for (const line of lines) terminal.say(`${PROGRAM}: ${clean(redactTokens(line))}`);
    return error instanceof UsageError ? EXIT_USAGE : EXIT_FAILED;
  }
}

/** Runs a command on the terminal of this process. Resolves with the exit code when the output was written. */
export async function runOnTerminal(args: readonly string[]): Promise<number> {
  const terminal = processTerminal();
  const context = processContext((job) => submittedJob.read(job));
  const code = await runCommand(args, context, terminal);
  await terminal.flushed();
  return code;
}
