import { OPTION_NAMES, optionRow } from '../config/option-table.ts';
import type { Command } from './command.ts';
import { COMMANDS } from './commands.ts';
import { fold } from './terminal.ts';
import { PROGRAM } from './version.ts';

const WIDTH = 100;
const INDENT = '      ';

/** What `--help` prints: how it is started, its commands, and every option with its default. */
export function helpText(): string {
  const options = OPTION_NAMES.map((name) => {
    const { shown, doc, only } = optionRow(name);
    const facts = [shown === '' ? '' : `default: ${shown}`, only === undefined ? '' : `${only} only`].filter(Boolean);
    const title = facts.length === 0 ? name : `${name} (${facts.join('; ')})`;
    return `  ${title}\n${indented(doc)}`;
  });
  const commands = COMMANDS.map((command) => `  ${synopsis(command)}\n${indented(command.summary)}`);
  return `\
${PROGRAM}: Kubernetes plugin of the Job Launcher.

The Job Launcher starts it and talks to it over stdin and stdout (a [cluster] of launcher.conf with type=Plugin and
exe=...). Started by hand it only waits for frames on stdin.

  ${PROGRAM} [--OPTION=VALUE ...]
  ${PROGRAM} --help | --version
  ${PROGRAM} COMMAND [...]

Commands for administrators; COMMAND --help tells more. They change nothing in the cluster unless told to.

${commands.join('')}
Options, as --NAME=VALUE on the command line or NAME=VALUE in the options file, which wins:

${options.join('')}`;
}

/** What `COMMAND --help` prints. */
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
${indented('As the launcher passes them: --plugin-name=NAME reads launcher.NAME.conf.')}
Examples:

${examples.join('')}`;
}

function synopsis({ name, words, flags }: Command): string {
  const shown = flags.map(({ name: flag, value }) => `[--${flag}${value === undefined ? '' : ` ${value}`}]`);
  return [name, ...words, ...shown].join(' ');
}

function indented(text: string): string {
  return fold(text, WIDTH - INDENT.length)
    .map((line) => `${INDENT}${line}\n`)
    .join('');
}
