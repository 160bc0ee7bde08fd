/**
 * Start-up in order (architecture.md section 7). Half of a start as root is the process that replaces itself: until then, and for
 * a command, hardly anything is loaded; the plugin itself (plugin.ts) only when root was given up.
 */
import { accessSync, constants } from 'node:fs';
import { availableParallelism } from 'node:os';
import { PROGRAM, programName, VERSION, versionText } from './cli/version.ts';
import type { LogOptions, Options } from './config/options/options.ts';
import { advise, ConfigError, optionPlace, type Problem } from './config/text/problem.ts';
import { directoryRefusal, otherUser } from './system/access.ts';
import { systemClock } from './system/clock.ts';
import { makeDirectory, makeDirectoryAsRoot } from './system/directories.ts';
import { withCleanEnvironment } from './system/environment.ts';
import { escapeControls } from './system/escape.ts';
import { openLogFile } from './system/log-file.ts';
import { jsonFormat, textFormat } from './system/log-format.ts';
import { createLogger, type Logger } from './system/logger.ts';
import { becomeUser, findServerUser } from './system/privileges.ts';
import { isRoot, ownArguments, replaceProcess } from './system/process.ts';
import { openStderr } from './system/stderr.ts';

const EXIT_START_ERROR = 1;
const AS_ROOT = 'start it as root, as the launcher does: it lowers itself to server-user';
const NO_START = 'The plugin does not start';

/** Opened while the process is still root, if it is. */
const tellStarter = openStderr();

/** Resolves with the exit code. */
async function main(): Promise<number> {
  process.umask(0o077);
  const args = withCleanEnvironment({
    isRoot: isRoot(),
    environment: process.env,
    args: ownArguments(),
    replace: replaceProcess,
  });
  const isCommand = args[0]?.startsWith('-') === false;
  if (isCommand || args.includes('--help')) {
    const { runOnTerminal } = await import('./commands.ts');
    return await runOnTerminal(isCommand ? args : ['help']);
  }
  if (args.includes('--version')) return print(versionText());

  const { options, warnings } = await readOptions(args);
  // Before anything uses the pool, which is when its size is read.
  process.env['UV_THREADPOOL_SIZE'] = String(options.threadPoolSize);
  const stranger = isRoot() ? undefined : otherUser(options.serverUser);
  if (isRoot()) giveUpRoot(options);
  const log = openLog(options);
  try {
    for (const warning of warnings) log.warning(advise(warning));
    if (stranger !== undefined) {
      const at = optionPlace(options.origins, 'server-user');
      log.warning(`${at}: the plugin is to run as ${options.serverUser}, but was started by ${stranger} -> ${AS_ROOT}`);
    }
    checkScratchPath(options.scratchPath, log);
    log.notice('Started', { version: VERSION, node: process.versions.node, uid: process.getuid?.() });
    const { runPlugin } = await import('./plugin.ts');
    return await runPlugin(options, log);
  } catch (error) {
    log.error(NO_START, { error });
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
  const error = new ConfigError('wrong', loaded.problems);
  if (loaded.log !== undefined) tellInLog(loaded.log, error);
  throw error;
}

/** As the server user, like all of the log: where there is no such user, stderr alone has it. */
function tellInLog(options: LogOptions, error: ConfigError): void {
  try {
    if (isRoot()) giveUpRoot(options);
  } catch {
    return;
  }
  const log = openLog(options);
  log.error(NO_START, { error });
  log.close();
}

function giveUpRoot({ serverUser, unprivileged, scratchPath, loggingDir }: LogOptions): void {
  const user = findServerUser(serverUser);
  for (const path of unprivileged ? [] : [scratchPath, loggingDir]) {
    try {
      makeDirectoryAsRoot(path, user);
    } catch {
      // The server user tries again; what fails then is said in the log.
    }
  }
  becomeUser(user);
}

/** The log of this start; its file is opened with the first line. */
function openLog({ loggingDir, logFormat, logLevel, pluginName }: LogOptions): Logger {
  const program = programName(pluginName);
  return createLogger({
    level: logLevel,
    format: logFormat === 'json' ? jsonFormat(program) : textFormat(program),
    clock: systemClock,
    open: () => openLogFile({ directory: loggingDir, program, clock: systemClock }),
    fallback: tellStarter,
  });
}

/** Nothing is written there today, so that it cannot be used is no reason not to start. */
function checkScratchPath(path: string, log: Logger): void {
  try {
    makeDirectory(path);
    accessSync(path, constants.W_OK | constants.X_OK);
  } catch (error) {
    log.warning('The scratch path cannot be made or written', { path, remedy: directoryRefusal(path)?.remedy, error });
  }
}

/** One line for whoever started the plugin; the log has the rest. */
function startError(error: unknown): string {
  return `${PROGRAM}: ${escapeControls(error instanceof Error ? error.message : String(error))}`;
}

main().then(
  // What was written for the launcher is flushed by then; nothing else may hold the process.
  (code) => process.exit(code),
  (error: unknown) => {
    tellStarter(startError(error));
    process.exit(EXIT_START_ERROR);
  },
);
