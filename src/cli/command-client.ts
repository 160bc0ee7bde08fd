/**
 * The client of a command. A user who may run commands as root (a sudo rule such as `check *`) must not send the plugin's token
 * to a server of their own, nor use it with a policy of their own: there all options come from the file that has the token.
 */
import type { OptionName } from '../config/options/option-table.ts';
import type { Options } from '../config/options/options.ts';
import { COMMAND_LINE, ConfigError, type Problem, problem } from '../config/text/problem.ts';
import { connect } from '../jobs/connect.ts';
import type { Client } from '../kubernetes/contract.ts';
import type { CommandContext } from './command-session.ts';

/** Options that say which file is read. Others decide who receives the token, which user has it, and what it is used for. */
const CHOOSES_FILE: ReadonlySet<OptionName> = new Set(['config-file', 'plugin-name']);

/** Why the token is not sent: an option from another place than the token, or a file that others can change. */
export function tokenRefusal(
  { configFile, changeableThrough, origins }: Pick<Options, 'configFile' | 'changeableThrough' | 'origins'>,
  { behindRoot }: Pick<CommandContext, 'behindRoot'>,
): Problem | undefined {
  if (behindRoot === undefined) return undefined;
  const because = `${behindRoot} started this command as root`;
  const isInFile = (name: OptionName): boolean => origins.get(name)?.file === configFile;
  const token: OptionName = origins.has('auth-token-path') ? 'auth-token-path' : 'auth-token';
  const elsewhere = [...origins.keys()].find((name) => !CHOOSES_FILE.has(name) && !isInFile(name));
  if (elsewhere !== undefined) {
    const message = `the token is not sent, because ${because} and this option is not from the file with the token and the address`;
    return problem({ file: COMMAND_LINE, line: 0 }, elsewhere, message, `write ${elsewhere} into ${configFile}`);
  }
  if (!isInFile(token) || !isInFile('api-url')) {
    const message = `the token is not sent, because ${because} and the address is not from an options file`;
    return problem({ file: configFile, line: 0 }, 'api-url', message, 'log in as root');
  }
  if (changeableThrough === undefined) return undefined;
  const through = changeableThrough === configFile ? '' : ` through ${changeableThrough}`;
  const message = `the token is not sent, because ${because} and others than root can change this file${through}`;
  return problem(
    { file: configFile, line: 0 },
    'api-url',
    message,
    `chown root ${changeableThrough} && chmod go-w ${changeableThrough}`,
  );
}

/** As `connect`, for a command: a refused connection is not retried. Throws ConfigError where the token is not sent. */
export function connectCommand(
  options: Options,
  context: CommandContext,
  more: Omit<NonNullable<Parameters<typeof connect>[2]>, 'atOnce'> = {},
): Client {
  const refused = tokenRefusal(options, context);
  if (refused !== undefined) throw new ConfigError('invalid', [refused]);
  return connect(options, context, { ...more, atOnce: true });
}
