/** What `--help` prints: the commands, and all options from their table. */
import { OPTION_NAMES, optionRow } from '../config/options/option-table.ts';
import type { Command } from './command-contract.ts';
import { indented, synopsis } from './command-help.ts';
import { PROGRAM } from './version.ts';

/** What `--help` prints: how it is started, its commands, and every option with its default. */
export function helpText(all: readonly Command[]): string {
  const options = OPTION_NAMES.map((name) => {
    const { shown, doc, only } = optionRow(name);
    const facts = [shown === '' ? '' : `default: ${shown}`, only === undefined ? '' : `${only} only`].filter(Boolean);
    const title = facts.length === 0 ? name : `${name} (${facts.join('; ')})`;
    return `  ${title}\n${indented(doc)}`;
  });
  const commands = all.map((command) => `  ${synopsis(command)}\n${indented(command.summary)}`);
  return `\
${PROGRAM}: Kubernetes plugin of the Job Launcher.

The Job Launcher starts it and talks to it over stdin and stdout (a [cluster] of launcher.conf with type=Plugin and
exe=...). Started by hand it only waits for frames on stdin.

  ${PROGRAM} [--OPTION=VALUE ...]
  ${PROGRAM} --help | --version
  ${PROGRAM} COMMAND [...]
  ${PROGRAM} help [COMMAND]

Commands for administrators; help COMMAND tells more. They change nothing in the cluster unless told to.

${commands.join('')}
Options, as --NAME=VALUE on the command line or NAME=VALUE in the options file. If both are given, the file wins.

${options.join('')}`;
}
