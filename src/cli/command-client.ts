/**
 * The client of a command. A user who may run commands as root (a sudo rule such as `check *`) must not send the plugin's token
 * to a server of their own, nor use it with a policy of their own: there all options come from the file that has the token.
 */
import { basename, dirname } from 'node:path';
import type { OptionName } from '../config/options/option-table.ts';
import type { Options } from '../config/options/options.ts';
import { COMMAND_LINE, ConfigError, type Problem, problem } from '../config/text/problem.ts';
import { connect } from '../jobs/connect.ts';
import type { Client } from '../kubernetes/contract.ts';
import type { CommandContext } from './command-session.ts';

/** Options that say which file is read. Others decide who receives the token, which user has it, and what it is used for. */
const CHOOSES_FILE: ReadonlySet<OptionName> = new Set(['config-file', 'plugin-name']);

/** Files with a policy: found by the name of the plugin where no option names them. */
type Policy = Pick<Options, 'profileConfig' | 'resourceProfileConfig'>;
const POLICY = [
  ['profile-config', 'profileConfig'],
  ['resource-profile-config', 'resourceProfileConfig'],
] as const satisfies readonly (readonly [OptionName, keyof Policy])[];

/** What to do where the name of the plugin is not that of its options file; undefined where it is. */
function otherName({ configFile, pluginName }: Pick<Options, 'configFile' | 'pluginName'>): string | undefined {
  if (basename(configFile) === `launcher.${pluginName}.conf`) return undefined;
  const [, name] = /^launcher\.(.+)\.conf$/.exec(basename(configFile)) ?? [];
  return name === undefined ? `write plugin-name into ${configFile}` : `add --plugin-name=${name}`;
}

/** Why the token is not sent: an option from another place than the token, a file that others can change, or another policy. */
export function tokenRefusal(
  options: Pick<Options, 'configFile' | 'changeableThrough' | 'origins' | 'pluginName'> & Policy,
  { behindRoot }: Pick<CommandContext, 'behindRoot'>,
): Problem | undefined {
  if (behindRoot === undefined) return undefined;
  const { configFile, changeableThrough, origins } = options;
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
  if (changeableThrough !== undefined) {
    const through = changeableThrough === configFile ? '' : ` through ${changeableThrough}`;
    const message = `the token is not sent, because ${because} and others than root can change this file${through}`;
    const remedy = `chown root ${changeableThrough} && chmod go-w ${changeableThrough}`;
    return problem({ file: configFile, line: 0 }, 'api-url', message, remedy);
  }
  const other = isInFile('plugin-name') ? undefined : otherName(options);
  if (other !== undefined) {
    const message = `the token is not sent, because ${because} and "${options.pluginName}" selects the policy of another cluster`;
    return problem({ file: configFile, line: 0 }, 'plugin-name', message, other);
  }
  for (const [option, name] of POLICY) {
    if (isInFile(option) || dirname(options[name]) === dirname(configFile)) continue;
    const message = `the token is not sent, because ${because} and ${options[name]} is not beside this file`;
    return problem({ file: configFile, line: 0 }, option, message, `write ${option} into ${configFile}`);
  }
  return undefined;
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
