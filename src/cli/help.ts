/** The output of `--help` and `COMMAND --help`, from the tables of options and commands, folded to the terminal. */
import { OPTION_NAMES, optionRow } from '../config/options/option-table.ts';
import type { Command } from './command-contract.ts';
import type { Terminal } from './terminal.ts';
import { fold } from './text-columns.ts';
import { PROGRAM } from './version.ts';

/** Width without a terminal, and the longest line that is easy to read. */
const WIDTH = 80;
const WIDEST = 100;
const INDENT = '      ';

const widthOf = ({ columns = WIDTH }: Pick<Terminal, 'columns'>): number => Math.min(columns, WIDEST);

/** The text of `COMMAND --help`, from the description of the command. */
export function commandHelp(command: Command, terminal: Pick<Terminal, 'columns'>): string {
  const width = widthOf(terminal);
  const flags = command.flags.map(({ name, short, value, doc }) => {
    const letter = short === undefined ? '' : `-${short}, `;
    return `  ${letter}--${name}${value === undefined ? '' : ` ${value}`}\n${indented(doc, width)}`;
  });
  const examples = command.examples.map(([typed, purpose]) => `  ${typed}\n${indented(purpose, width)}`);
  return `\
${usage(`${PROGRAM} ${synopsis(command)}`, '', width)}
${paragraph(command.about, width)}
${flags.join('')}${fold('  --config-file FILE, and every other option of the plugin', width).join('\n      ')}
${indented('The default file is launcher.kubernetes.conf; with --plugin-name=NAME it is launcher.NAME.conf.', width)}
Examples:

${examples.join('')}`;
}

/** `jobs [ID] [--user USER]`. */
export function synopsis({ name, words, flags }: Command): string {
  const shown = flags.map(({ name: flag, value }) => `[--${flag}${value === undefined ? '' : ` ${value}`}]`);
  return [name, ...words, ...shown].join(' ');
}

function paragraph(text: string, width: number): string {
  return `${fold(text, width).join('\n')}\n`;
}

/** A paragraph below what it explains. */
function indented(text: string, width: number): string {
  return fold(text, width - INDENT.length)
    .map((line) => `${INDENT}${line}\n`)
    .join('');
}

const NO_BREAK = '\u00a0';

/** A synopsis; a flag and its value stay on one line. */
function usage(text: string, indent: string, width: number): string {
  const kept = text.replace(/\[[^[\]]{1,200}\]/g, (flag) => flag.replaceAll(' ', NO_BREAK));
  const [first = '', ...more] = fold(kept, width - INDENT.length - indent.length);
  return [`${indent}${first}\n`, ...more.map((line) => `${indent}${INDENT}${line}\n`)]
    .join('')
    .replaceAll(NO_BREAK, ' ');
}

/** The text of `--help`: how the program is started, its commands, and every option with its default. */
export function helpText(all: readonly Command[], terminal: Pick<Terminal, 'columns'>): string {
  const width = widthOf(terminal);
  const options = OPTION_NAMES.map((name) => {
    const { shown, doc, only } = optionRow(name);
    const facts = [shown === '' ? '' : `default: ${shown}`, only === undefined ? '' : `${only} only`].filter(Boolean);
    const title = facts.length === 0 ? name : `${name} (${facts.join('; ')})`;
    return `${fold(`  ${title}`, width).join('\n      ')}\n${indented(doc, width)}`;
  });
  const commands = all.map((command) => `${usage(synopsis(command), '  ', width)}${indented(command.summary, width)}`);
  return `\
${paragraph(`${PROGRAM}: Kubernetes plugin of the Job Launcher.`, width)}
${paragraph('The Job Launcher starts it and talks to it over stdin and stdout (a [cluster] of launcher.conf with type=Plugin and exe=...). At a terminal it needs a command.', width)}
  ${PROGRAM} [--OPTION=VALUE ...]
  ${PROGRAM} --help | --version
  ${PROGRAM} COMMAND [...]
  ${PROGRAM} help [COMMAND]

${paragraph('Commands for administrators; help COMMAND describes one. Only stop, kill, cancel and check --submit-test-job change the cluster.', width)}
${commands.join('')}
${paragraph('Options, as --NAME=VALUE on the command line or NAME=VALUE in the options file. The file overrides the command line.', width)}
${options.join('')}`;
}
