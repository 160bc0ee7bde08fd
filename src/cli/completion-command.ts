/** `completion bash|zsh`: the script that completes commands, flags and job ids, from the tables of commands and options. */
import { OPTION_NAMES } from '../config/options/option-table.ts';
import { type Arguments, UsageError } from './arguments.ts';
import { type Command, EXIT_OK } from './command-contract.ts';
import type { CommandContext } from './command-session.ts';
import { clean, type Terminal } from './terminal.ts';
import { PROGRAM } from './version.ts';

export function completionCommand(commands: () => readonly Command[]): Command {
  return {
    name: 'completion',
    summary: 'Prints the completion script of a shell.',
    about:
      'Completes commands, flags and, for commands that take an ID, the ids of jobs. Only users who may run the jobs command get ids of jobs.',
    words: ['bash|zsh'],
    flags: [],
    examples: [
      [
        `${PROGRAM} completion bash >/etc/bash_completion.d/${PROGRAM}`,
        'For all users of bash, with root permissions.',
      ],
      [
        `${PROGRAM} completion zsh >/usr/share/zsh/site-functions/_${PROGRAM}`,
        'For all users of zsh, with root permissions.',
      ],
    ],
    run: async (args: Arguments, _context: CommandContext, terminal: Terminal) => {
      const [shell = ''] = args.words;
      if (shell !== 'bash' && shell !== 'zsh')
        throw new UsageError(`completion: the shell is bash or zsh, not "${clean(shell)}"`);
      terminal.write(completionScript(shell, commands()));
      return EXIT_OK;
    },
  };
}

/** The script that `completion` prints, which the package has as a file. */
export function completionScript(shell: 'bash' | 'zsh', commands: readonly Command[]): string {
  return shell === 'bash' ? bashScript(commands) : zshScript(commands);
}

const takesId = ({ words }: Command): boolean => words.some((word) => /^\[?ID/.test(word));

const flagsOf = ({ flags }: Command): readonly string[] => [...flags.map(({ name }) => `--${name}`), '--help'];

const OPTION_FLAGS = OPTION_NAMES.map((name) => `--${name}=`).join(' ');

function bashScript(commands: readonly Command[]): string {
  const cases = commands.map(
    (command) =>
      `    ${command.name}) flags="${flagsOf(command).join(' ')}"; words="${takesId(command) ? '@ids' : fixedWords(command).join(' ')}" ;;\n`,
  );
  return `# bash completion of ${PROGRAM}; written by: ${PROGRAM} completion bash
_rstudio_kubernetes_launcher() {
  local current=\${COMP_WORDS[COMP_CWORD]} flags="" words=""
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W "help ${commands.map(({ name }) => name).join(' ')} --help --version" -- "$current"))
    return
  fi
  case \${COMP_WORDS[1]} in
    help) words="${commands.map(({ name }) => name).join(' ')}" ;;
${cases.join('')}  esac
  if [ "$words" = "@ids" ]; then
    words=""
    case $current in -*) ;; *) words=$("\${COMP_WORDS[0]}" jobs -o name 2>/dev/null) ;; esac
  fi
  case $current in
    -*) words="$flags ${OPTION_FLAGS}" ;;
    *) words=\${words:-$flags} ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
  case \${COMPREPLY[0]-} in *=) compopt -o nospace 2>/dev/null ;; esac
}
complete -o default -F _rstudio_kubernetes_launcher ${PROGRAM}
`;
}

/** The words of a command that are a choice, such as `bash|zsh`. */
function fixedWords({ words }: Command): readonly string[] {
  return words.filter((word) => word.includes('|')).flatMap((word) => word.split('|'));
}

function zshScript(commands: readonly Command[]): string {
  const quoted = (text: string): string => text.replaceAll("'", "'\\''").replace(/[[\]:]/g, '\\$&');
  const descriptions = commands.map(({ name, summary }) => `    '${name}:${quoted(summary)}'\n`);
  const cases = commands.map((command) => {
    const flags = command.flags.map(
      ({ name, value, doc }) =>
        `'--${name}${value === undefined ? '' : '='}[${quoted(doc)}]${value === undefined ? '' : `:${quoted(value)}:`}'`,
    );
    const words = takesId(command)
      ? [`'*:id:{ compadd -- \${(f)"$(${PROGRAM} jobs -o name 2>/dev/null)"} }'`]
      : fixedWords(command).length > 0
        ? [`'1:word:(${fixedWords(command).join(' ')})'`]
        : [`'*:file:_files'`];
    return `    ${command.name}) _arguments $options ${[...flags, ...words].join(' \\\n      ')} ;;\n`;
  });
  return `#compdef ${PROGRAM}
# zsh completion of ${PROGRAM}; written by: ${PROGRAM} completion zsh
_rstudio_kubernetes_launcher() {
  local -a commands options
  options=(${OPTION_NAMES.map((name) => `'--${name}=:value:_files'`).join(' ')})
  commands=(
    'help:Describes a command.'
${descriptions.join('')}  )
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  shift words
  (( CURRENT-- ))
  case $words[1] in
    help) _describe command commands ;;
${cases.join('')}  esac
}
_rstudio_kubernetes_launcher "$@"
`;
}
