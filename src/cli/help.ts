import { OPTION_NAMES, optionRow } from '../config/option-table.ts';
import { PROGRAM } from './version.ts';

const WIDTH = 100;
const INDENT = '      ';

/** What `--help` prints: how it is started, and every option with its default. */
export function helpText(): string {
  const options = OPTION_NAMES.map((name) => {
    const { shown, doc, only } = optionRow(name);
    const facts = [shown === '' ? '' : `default: ${shown}`, only === undefined ? '' : `${only} only`].filter(Boolean);
    const title = facts.length === 0 ? name : `${name} (${facts.join('; ')})`;
    return `  ${title}\n${wrap(doc)}\n`;
  });
  return `\
${PROGRAM}: Kubernetes plugin of the Job Launcher.

The Job Launcher starts it and talks to it over stdin and stdout (a [cluster] of launcher.conf with type=Plugin and
exe=...). Started by hand it only waits for frames on stdin.

  ${PROGRAM} [--OPTION=VALUE ...]
  ${PROGRAM} --help | --version

Options, as --NAME=VALUE on the command line or NAME=VALUE in the options file, which wins:

${options.join('')}`;
}

function wrap(text: string): string {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && INDENT.length + line.length + 1 + word.length > WIDTH) {
      lines.push(line);
      line = word;
    } else {
      line = line === '' ? word : `${line} ${word}`;
    }
  }
  return [...lines, line].map((each) => `${INDENT}${each}`).join('\n');
}
