/** What `COMMAND --help` prints, from the command's own description. */
import type { Command } from './command-contract.ts';
import { fold } from './terminal.ts';
import { PROGRAM } from './version.ts';

const WIDTH = 100;
const INDENT = '      ';

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

/** `jobs [ID] [--user USER]`. */
export function synopsis({ name, words, flags }: Command): string {
  const shown = flags.map(({ name: flag, value }) => `[--${flag}${value === undefined ? '' : ` ${value}`}]`);
  return [name, ...words, ...shown].join(' ');
}

/** A paragraph below what it explains. */
export function indented(text: string): string {
  return fold(text, WIDTH - INDENT.length)
    .map((line) => `${INDENT}${line}\n`)
    .join('');
}
