/** The man page rstudio-kubernetes-launcher.8, from the tables of commands and options that the program itself uses. */
import { COMMANDS } from '../src/cli/command-runner.ts';
import { synopsis } from '../src/cli/help.ts';
import { PROGRAM, VERSION } from '../src/cli/version.ts';
import { OPTION_NAMES, optionRow } from '../src/config/options/option-table.ts';

/** The page in roff with the man macros. */
export function manPage(): string {
  return [
    `.TH ${PROGRAM.toUpperCase()} 8 "" "${PROGRAM} ${VERSION}" "System Administration"`,
    '.SH NAME',
    `${roff(PROGRAM)} \\- Kubernetes plugin of the RStudio / Posit Job Launcher`,
    '.SH SYNOPSIS',
    `.B ${roff(PROGRAM)}`,
    roff('[--OPTION=VALUE ...]'),
    ...COMMANDS.flatMap((command) => ['.br', `.B ${roff(PROGRAM)}`, roff(synopsis(command))]),
    '.SH DESCRIPTION',
    roff(
      'The Job Launcher starts this program and talks to it over stdin and stdout. Each launcher job becomes a Kubernetes Job. With a command, the program is a tool for administrators. Commands drop privileges to server-user first, so they see what the plugin sees.',
    ),
    '.SH COMMANDS',
    ...COMMANDS.flatMap(({ name, words, summary, about, flags, examples }) => [
      `.SS ${roff([name, ...words].join(' '))}`,
      roff(summary),
      '.PP',
      roff(about),
      ...flags.flatMap(({ name: flag, short, value, doc }) => [
        '.TP',
        `.B ${roff(`${short === undefined ? '' : `-${short}, `}--${flag}${value === undefined ? '' : ` ${value}`}`)}`,
        roff(doc),
      ]),
      ...examples.flatMap(([typed, purpose]) => ['.PP', roff(purpose), '.br', `.RS`, `.B ${roff(typed)}`, '.RE']),
    ]),
    '.SH OPTIONS',
    roff(
      'As --NAME=VALUE on the command line, or NAME=VALUE in the options file. The file overrides the command line. Every command accepts them.',
    ),
    ...OPTION_NAMES.flatMap((name) => {
      const { shown, doc, only } = optionRow(name);
      const facts = [shown === '' ? '' : `Default: ${shown}.`, only === undefined ? '' : `Only in the ${only}.`];
      return ['.TP', `.B ${roff(name)}`, roff([doc, ...facts].filter(Boolean).join(' '))];
    }),
    '.SH FILES',
    ...[
      ['/etc/rstudio/launcher.NAME.conf', 'Options. NAME is the name of the cluster in launcher.conf, in lower case.'],
      ['/etc/rstudio/launcher.NAME.profiles.conf', 'What users and groups may use.'],
      ['/etc/rstudio/launcher.NAME.resources.conf', 'Resource profiles.'],
      ['/var/log/rstudio/launcher/rstudio-NAME-launcher.log', 'The log.'],
    ].flatMap(([file = '', text = '']) => ['.TP', `.I ${roff(file)}`, roff(text)]),
    '.SH EXIT STATUS',
    ...[
      ['0', 'Success.'],
      ['1', 'A problem was found or an operation failed; stderr or the output names it.'],
      ['2', 'The command line is wrong.'],
    ].flatMap(([code = '', text = '']) => ['.TP', `.B ${code}`, roff(text)]),
    '',
  ].join('\n');
}

/** Text of a line: backslashes and hyphens are escaped, and a leading dot or quote starts no request. */
function roff(text: string): string {
  return text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replace(/^(?=[.'])/, '\\&');
}
