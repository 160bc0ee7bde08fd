/**
 * The first step of a start: the program executes itself again (architecture.md section 7). It loads little code, because
 * the first execution needs no more; in the executable start.ts is a file of its own with a code cache.
 */
import { existsSync } from 'node:fs';
import { PROGRAM, versionText } from './cli/version.ts';
import { errorMessage } from './system/errors.ts';
import { escapeControls } from './system/escape.ts';
import { executeAgain, restrictingCommand } from './system/execute-again.ts';
import { isStartedByRoot } from './system/privileges.ts';
import { ownArguments, replaceProcess } from './system/process.ts';
import { openStderr } from './system/stderr.ts';

const EXIT_START_ERROR = 1;

/** Opened before privileges are dropped. */
const writeStderr = openStderr();

/** Resolves with the exit code. */
async function main(): Promise<number> {
  process.umask(0o077);
  // Works where the program cannot execute itself again, because it needs neither files nor the network.
  if (ownArguments()[0] === '--version' && !existsSync('/proc/self/exe')) {
    process.stdout.write(versionText());
    return 0;
  }
  const args = executeAgain({
    isRoot: isStartedByRoot(),
    environment: process.env,
    args: ownArguments(),
    restricting: restrictingCommand,
    replace: replaceProcess,
  });
  const { start } = await import('./start.ts');
  return await start(args, writeStderr);
}

main().then(
  // Output for the launcher is flushed; open handles must not keep the process alive.
  (code) => process.exit(code),
  (error: unknown) => {
    writeStderr(`${PROGRAM}: ${escapeControls(errorMessage(error))}`);
    process.exit(EXIT_START_ERROR);
  },
);
