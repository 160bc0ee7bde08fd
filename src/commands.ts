/**
 * Commands of an administrator on this terminal: wires cli/ to the process and to the reader of launcher jobs. main.ts
 * loads it when the first argument is a word.
 */
import { runCommand } from './cli/command-runner.ts';
import { processContext } from './cli/command-session.ts';
import { type Terminal, terminalSettings } from './cli/terminal.ts';
import { submittedJob } from './jobs/job.ts';
import { writeToStderr } from './system/stderr.ts';

/** Resolves with the exit code when everything was written, or when nobody reads it any more. */
export async function runOnTerminal(args: readonly string[]): Promise<number> {
  const { stdout } = process;
  const readerGone = Promise.withResolvers<void>();
  stdout.on('error', () => readerGone.resolve());
  const terminal: Terminal = {
    write: (text) => stdout.write(text),
    say: writeToStderr,
    ...terminalSettings(process.env, { isTerminal: stdout.isTTY === true, columns: stdout.columns }),
  };
  const code = await runCommand(
    args,
    processContext((job) => submittedJob.read(job)),
    terminal,
  );
  const written = new Promise<void>((resolve) => stdout.write('', () => resolve()));
  await Promise.race([written, readerGone.promise]);
  return code;
}
