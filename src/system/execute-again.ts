/**
 * First step of a start: the program executes itself again, as root with an environment of allowed variables, without
 * inherited descriptors, and, where util-linux is installed, without core dumps and with fewer capabilities to lose.
 */
import { existsSync, readFileSync } from 'node:fs';
import { cleanEnvironment, type Environment, uncleanVariables, withMallocSettings } from './environment.ts';

/** First argument of the second execution. Internal. */
export const EXECUTED_AGAIN = '--environment-cleaned';

/** The same, if the first step of the executable (build/first-step.asm) has executed it, before Node.js. Internal. */
export const PREPARED = `${EXECUTED_AGAIN}-before-node`;

const PRLIMIT = '/usr/bin/prlimit';
const SETPRIV = '/usr/bin/setpriv';

/** Until the drop root needs these: to become the server user and to create its directories. */
export const NEEDED = ['setuid', 'setgid', 'chown', 'dac_override'] as const;
const NO_NEW_PRIVILEGES = ['--no-new-privs', '--inh-caps=-all'];
const FEWER_CAPABILITIES = [...NO_NEW_PRIVILEGES, `--bounding-set=-all,${NEEDED.map((name) => `+${name}`).join(',')}`];

interface StartingProcess {
  readonly isRoot: boolean;
  readonly environment: Environment;
  /** Arguments of the plugin. */
  readonly args: readonly string[];
  /** The command that restricts the process and executes the program that follows; empty if there is none. */
  readonly restricting: (isRoot: boolean) => readonly string[];
  /** Executes the program again, through this command; does not return. */
  readonly replace: (command: readonly string[], args: readonly string[], environment: Environment) => never;
}

/**
 * Returns the plugin's arguments in the second execution, or if none is needed: the process of another user than root that
 * cannot be restricted further. Throws if the environment of root's second execution is not clean. The first step of the
 * executable does not judge values, so that after it the program executes itself once more if one is not allowed.
 */
export function executeAgain(start: StartingProcess): readonly string[] {
  const { isRoot, environment, restricting, replace } = start;
  const [mark = ''] = start.args;
  const args = [EXECUTED_AGAIN, PREPARED].includes(mark) ? start.args.slice(1) : start.args;
  const unclean = isRoot ? uncleanVariables(environment) : [];
  if (mark === PREPARED && unclean.length === 0) return args;
  if (mark === EXECUTED_AGAIN) {
    if (unclean.length === 0) return args;
    throw new Error(
      `refusing to run as root: the environment still contains ${unclean.join(', ')} after it was cleaned`,
    );
  }
  if (isRoot) return replace(restricting(true), [EXECUTED_AGAIN, ...args], cleanEnvironment(environment));
  const command = restricting(false);
  return command.length === 0 ? args : replace(command, [EXECUTED_AGAIN, ...args], withMallocSettings(environment));
}

/**
 * The command for this process: prlimit and setpriv, if they are installed and work here. Kernel, container and version of
 * util-linux decide that, so each variant is tried with a program that does nothing.
 */
export function restrictingCommand(isRoot: boolean): readonly string[] {
  if (!isRoot && hasNoNewPrivileges()) return [];
  if (process.execve === undefined || !existsSync(PRLIMIT) || !existsSync(SETPRIV)) return [];
  const variants = isRoot ? [FEWER_CAPABILITIES, NO_NEW_PRIVILEGES] : [NO_NEW_PRIVILEGES];
  const commands = variants.map((flags) => [PRLIMIT, '--core=0', SETPRIV, ...flags, '--']);
  return commands.find(works) ?? [];
}

function works([program = '', ...args]: readonly string[]): boolean {
  const { spawnSync } = process.getBuiltinModule('node:child_process');
  const { status } = spawnSync(program, [...args, SETPRIV, '--version'], {
    cwd: '/',
    env: {},
    stdio: 'ignore',
    timeout: 2_000,
  });
  return status === 0;
}

/** Is no_new_privs set for this process? False where /proc does not show it. */
export function hasNoNewPrivileges(): boolean {
  try {
    return /^NoNewPrivs:\s*1$/m.test(readFileSync('/proc/self/status', 'utf8'));
  } catch {
    return false;
  }
}
