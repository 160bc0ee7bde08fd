/** The process itself: its arguments, root, executing the program again, and the exit after an unexpected error. */
import { existsSync, readlinkSync, type Stats, statSync } from 'node:fs';
import type { Environment } from './environment.ts';
import type { Log } from './log.ts';

/** In the single executable the first argument is not a script. */
function isSingleExecutable(): boolean {
  return process.getBuiltinModule('node:sea')?.isSea() ?? false;
}

/** The file of this program, also if another one has its name by now; undefined if Node.js runs it from a script. */
export function programFile(): Stats | undefined {
  return isSingleExecutable() ? statSync('/proc/self/exe') : undefined;
}

/** The arguments of the plugin. */
export function ownArguments(): readonly string[] {
  return process.argv.slice(2);
}

/** The current directory; `/path (deleted)` if it was removed, where Node.js throws. A message then says why a relative path has no file. */
export function currentDirectory(): string {
  try {
    return process.cwd();
  } catch {
    return readlinkSync('/proc/self/cwd');
  }
}

export function isRoot(): boolean {
  return process.getuid?.() === 0;
}

/**
 * Executes the program again (execve), through a command that may be empty: same pid, same open pipes, nothing of stdin is
 * lost, and no other descriptors. Without a command the program is /proc/self/exe, the running one even if its file was
 * replaced.
 */
export function replaceProcess(command: readonly string[], args: readonly string[], environment: Environment): never {
  if (process.execve === undefined) {
    throw new Error('refusing to run as root: this JavaScript runtime cannot replace its process (process.execve)');
  }
  // A failed execve ends the process with a native stack trace.
  if (!existsSync('/proc/self/exe')) {
    throw new Error('refusing to start: /proc is not mounted, so the program cannot verify that it drops privileges');
  }
  // It would make root write files into a directory that a variable names. Loaded for that only: it is slow.
  if (process.env['NODE_V8_COVERAGE']) process.getBuiltinModule('node:v8').stopCoverage();
  const [, script = ''] = process.argv;
  const own = isSingleExecutable() ? [] : [...process.execArgv, script];
  const variables = Object.fromEntries(
    Object.entries(environment).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
  const [program] = command;
  const file = program === undefined ? undefined : ownFile();
  if (program !== undefined && file !== undefined) {
    process.execve(program, [...command, file, ...own, ...args], variables);
  }
  process.execve('/proc/self/exe', [process.argv0, ...own, ...args], variables);
  throw new Error('refusing to run as root: /proc/self/exe could not be executed again');
}

/** The path of the running program; undefined if its file was replaced. */
function ownFile(): string | undefined {
  const path = readlinkSync('/proc/self/exe');
  return existsSync(path) ? path : undefined;
}

/** Exit code of a defect of the plugin (sysexits.h: EX_SOFTWARE). */
const EXIT_CRASH = 70;

/** Deadline of the flush. */
const FLUSH_MS = 2_000;

interface CrashOptions {
  readonly log: Log;
  /** Writes the output that is queued for the launcher. */
  readonly flush: () => Promise<void>;
  /** Exits the process; default process.exit. */
  readonly exit?: (code: number) => void;
}

/**
 * From now on an unhandled exception or rejection is logged with its stack, queued output is flushed, and the process exits
 * with code 70: the state of the process is unknown, so it must not continue.
 */
export function exitOnCrash({ log, flush, exit = process.exit }: CrashOptions): void {
  let crashed = false;
  const crash = (error: unknown): void => {
    log.error('Unexpected error, a defect of the plugin; exiting with code 70', { error });
    const end = (): void => exit(EXIT_CRASH);
    if (crashed) {
      end();
    } else {
      crashed = true;
      setTimeout(end, FLUSH_MS);
      flush().then(end, end);
    }
  };
  process.on('uncaughtException', crash);
  process.on('unhandledRejection', crash);
}
