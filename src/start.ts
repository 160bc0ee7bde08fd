/**
 * The start in the second execution, step by step (architecture.md section 7). plugin.ts is loaded after privileges were
 * dropped, the commands of cli/ for a command.
 */
import { accessSync, constants } from 'node:fs';
import { availableParallelism } from 'node:os';
import { isatty } from 'node:tty';
import { PROGRAM, programName, VERSION, versionText } from './cli/version.ts';
import type { LoggingConf } from './config/options/logging-conf.ts';
import type { Options } from './config/options/options.ts';
import type { RunningSettings } from './config/options/reload.ts';
import { advise, ConfigError, optionPlace, type Problem } from './config/text/problem.ts';
import { directoryDenial, otherUser } from './system/access.ts';
import { systemClock } from './system/clock.ts';
import { makeDirectory, makeDirectoryAsRoot } from './system/directories.ts';
import { errorMessage } from './system/errors.ts';
import { escapeControls } from './system/escape.ts';
import { hasNoNewPrivileges } from './system/execute-again.ts';
import { openDestination } from './system/log-destination.ts';
import { jsonFormat, textFormat } from './system/log-format.ts';
import { createLogger, type Logger, type LogSink } from './system/logger.ts';
import { becomeUser, findServerUser, PrivilegeError, refuseCapabilities } from './system/privileges.ts';
import { isRoot } from './system/process.ts';

const EXIT_START_ERROR = 1;
const EXIT_USAGE = 2;
const STDIN = 0;
const AS_ROOT = 'start it as root, as the launcher does; it drops privileges to server-user';
/** Lines below WARNING are written together so much later: one system call for many submits. */
const LOG_DELAY_MS = 5;
const START_FAILED = 'Plugin start failed; exiting';

/** Writes a line to stderr; opened before privileges are dropped. */
type WriteStderr = (line: string) => void;

/** Resolves with the exit code. Errors of a start are written to stderr. */
export async function start(args: readonly string[], writeStderr: WriteStderr): Promise<number> {
  try {
    return await run(args, writeStderr);
  } catch (error) {
    for (const line of startErrors(error)) writeStderr(line);
    return EXIT_START_ERROR;
  }
}

async function run(args: readonly string[], writeStderr: WriteStderr): Promise<number> {
  if (!isRoot()) refuseCapabilities();
  const isCommand = args[0]?.startsWith('-') === false;
  if (isCommand || args.includes('--help') || args.includes('-h')) {
    const { runOnTerminal } = await import('./cli/command-runner.ts');
    return await runOnTerminal(isCommand ? args : ['help']);
  }
  if (args.includes('--version')) return print(versionText());
  const { refusedStart } = await import('./cli/arguments.ts');
  const refusal = refusedStart(args, isatty(STDIN));
  if (refusal !== undefined) {
    writeStderr(refusal);
    return EXIT_USAGE;
  }

  const { options, warnings } = await readOptions(args, writeStderr);
  // Set before the first use of the thread pool, which reads its size.
  process.env['UV_THREADPOOL_SIZE'] = String(options.threadPoolSize);
  const startedBy = isRoot() ? undefined : otherUser(options.serverUser);
  if (isRoot()) await dropPrivileges(options);
  const { conf, error: confError } = await readLogging(options);
  const { log, apply } = await openLog(options, conf, writeStderr);
  try {
    if (confError !== undefined) throw confError;
    for (const warning of [...warnings, ...conf.warnings]) log.warning(advise(warning));
    if (startedBy !== undefined) {
      const at = optionPlace(options.origins, 'server-user');
      log.warning(
        `${at}: the plugin should run as ${options.serverUser} but was started by ${startedBy} -> ${AS_ROOT}`,
      );
    }
    checkScratchPath(options.scratchPath, log);
    log.notice('Started', { version: VERSION, node: process.versions.node, uid: process.getuid?.() });
    if (!hasNoNewPrivileges())
      log.notice('Running without no_new_privs: this host has no setpriv and prlimit (util-linux)');
    const { runPlugin } = await import('./plugin.ts');
    return await runPlugin(options, log, apply);
  } catch (error) {
    log.error(START_FAILED, { error });
    throw error;
  } finally {
    log.close();
  }
}

function print(text: string): number {
  process.stdout.write(text);
  return 0;
}

async function readOptions(
  argv: readonly string[],
  writeStderr: WriteStderr,
): Promise<{ readonly options: Options; readonly warnings: readonly Problem[] }> {
  const { loadOptions } = await import('./config/options/options.ts');
  const loaded = await loadOptions({
    argv,
    env: process.env,
    uid: process.getuid?.() ?? -1,
    cpus: availableParallelism(),
    findUser: async (name) => (isRoot() ? findServerUser(name) : undefined),
  });
  if (loaded.ok) return loaded;
  const error = new ConfigError('invalid', loaded.problems);
  if (loaded.log !== undefined) await logStartError(loaded.log, error, writeStderr);
  throw error;
}

/** Logs as the server user; if this user does not exist, stderr alone has the error. */
async function logStartError(options: Options, error: ConfigError, writeStderr: WriteStderr): Promise<void> {
  try {
    if (isRoot()) await dropPrivileges(options);
  } catch {
    return;
  }
  const { log } = await openLog(options, (await readLogging(options)).conf, writeStderr);
  log.error(START_FAILED, { error });
  log.close();
}

/** An error names the line of `server-user`. */
async function dropPrivileges(options: Options): Promise<void> {
  const { rootDirectories, serverUserProblem } = await import('./config/options/options.ts');
  try {
    const user = findServerUser(options.serverUser);
    for (const path of rootDirectories(options)) {
      try {
        makeDirectoryAsRoot(path, user);
      } catch {
        // The server user tries again, and the log reports what fails then.
      }
    }
    becomeUser(user);
  } catch (error) {
    if (!(error instanceof PrivilegeError)) throw error;
    throw new ConfigError('invalid', [serverUserProblem(options, error)], { cause: error });
  }
}

/** logging.conf; if it cannot be used, the error and no settings. */
async function readLogging(options: Options): Promise<{ readonly conf: LoggingConf; readonly error?: unknown }> {
  const { readLoggingConf } = await import('./config/options/logging-conf.ts');
  try {
    return { conf: readLoggingConf(options) };
  } catch (error) {
    return { conf: { settings: new Map(), warnings: [] }, error };
  }
}

interface OpenLog {
  readonly log: Logger;
  /** Applies settings that a reload changed. */
  readonly apply: (changed: RunningSettings) => void;
}

/** The log of this start; the first line opens its destination. */
async function openLog(options: Options, conf: LoggingConf, writeStderr: WriteStderr): Promise<OpenLog> {
  const { logSettings } = await import('./config/options/logging-conf.ts');
  const program = programName(options.pluginName);
  const { level, format, ...destination } = logSettings(options, conf);
  const onSyslogError = (error: unknown): void =>
    log.warning('Cannot write warnings and errors to syslog; retrying after a minute', { error });
  const open = (to: typeof destination): LogSink =>
    openDestination(to, { program, clock: systemClock, writeStderr, onSyslogError });
  const log = createLogger({
    level,
    format: format === 'json' ? jsonFormat(program) : textFormat(program),
    clock: systemClock,
    open: () => open(destination),
    fallback: writeStderr,
    later: (run) => void setTimeout(run, LOG_DELAY_MS),
  });
  const apply = (changed: RunningSettings): void => {
    const settings = logSettings({ ...options, ...changed }, conf);
    log.setLevel(settings.level);
    log.setSink(() => open(settings));
  };
  return { log, apply };
}

/** The scratch path is only read, for templates, so one that cannot be used is a warning. */
function checkScratchPath(path: string, log: Logger): void {
  try {
    makeDirectory(path);
    accessSync(path, constants.W_OK | constants.X_OK);
  } catch (error) {
    log.warning('Cannot create or write the scratch path; starting anyway, because only templates are read there', {
      path,
      remedy: directoryDenial(path)?.remedy,
      error,
    });
  }
}

/** For the process that started the plugin, one problem a line; the log has more. */
function startErrors(error: unknown): readonly string[] {
  const found = error instanceof ConfigError ? error.problems.map(advise) : [];
  const message = errorMessage(error);
  return (found.length > 0 ? found : [message]).map((line) => `${PROGRAM}: ${escapeControls(line)}`);
}
