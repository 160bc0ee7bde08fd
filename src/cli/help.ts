/** The output of `--help` and `COMMAND --help`, from the tables of options and commands. */
import { OPTION_NAMES, optionRow } from '../config/options/option-table.ts';
import type { Command } from './command-contract.ts';
import { fold } from './terminal.ts';
import { PROGRAM } from './version.ts';

const WIDTH = 100;
const INDENT = '      ';

/** The text of `COMMAND --help`, from the description of the command. */
export function commandHelp(command: Command): string {
  const flags = command.flags.map(({ name, short, value, doc }) => {
    const letter = short === undefined ? '' : `-${short}, `;
    return `  ${letter}--${name}${value === undefined ? '' : ` ${value}`}\n${indented(doc)}`;
  });
  const examples = command.examples.map(([typed, purpose]) => `  ${typed}\n${indented(purpose)}`);
  return `\
${PROGRAM} ${synopsis(command)}

${fold(command.about, WIDTH).join('\n')}

${flags.join('')}  --config-file FILE, and every other option of the plugin
${indented('With --plugin-name=NAME, as the launcher passes it, the file is launcher.NAME.conf.')}
Examples:

${examples.join('')}`;
}

/** `jobs [ID] [--user USER]`. */
export function synopsis({ name, words, flags }: Command): string {
  const shown = flags.map(({ name: flag, value }) => `[--${flag}${value === undefined ? '' : ` ${value}`}]`);
  return [name, ...words, ...shown].join(' ');
}

/** A paragraph below what it explains. */
function indented(text: string): string {
  return fold(text, WIDTH - INDENT.length)
    .map((line) => `${INDENT}${line}\n`)
    .join('');
}

/** The text of `--help`: how the program is started, its commands, and every option with its default. */
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
exe=...). Started by hand without a command, it waits for frames on stdin.

  ${PROGRAM} [--OPTION=VALUE ...]
  ${PROGRAM} --help | --version
  ${PROGRAM} COMMAND [...]
  ${PROGRAM} help [COMMAND]

Commands for administrators; help COMMAND describes one. They change nothing in the cluster unless their help says so.

${commands.join('')}
Options, as --NAME=VALUE on the command line or NAME=VALUE in the options file. The file overrides the command line.

${options.join('')}`;
}
