/** The command line of a command: its own flags, its words, and the plugin's options, which every command accepts. */
import { parseArgs } from 'node:util';
import { isOptionName, OPTION_NAMES } from '../config/options/option-table.ts';
import { withoutValue } from '../config/text/problem.ts';
import { didYouMean, suggestion } from '../config/text/suggest.ts';
import { UserFacingError } from '../system/user-facing-error.ts';
import { clean } from './terminal.ts';
import { PROGRAM } from './version.ts';

/** A flag of a command: `--name`, or `--name VALUE`. */
export interface Flag {
  readonly name: string;
  /** One letter, `-o`. */
  readonly short?: string;
  /** Name of the value in the help; absent: a switch. */
  readonly value?: string;
  readonly doc: string;
}

/** The flags and words that a command accepts. */
export interface Grammar {
  readonly name: string;
  readonly flags: readonly Flag[];
  /** Names of its words, in order, as the help shows them; those in brackets are optional. The last one takes one or more if it ends in `...`. */
  readonly words: readonly string[];
}

export interface Arguments {
  /** '' for switches. */
  readonly flags: ReadonlyMap<string, string>;
  readonly words: readonly string[];
  /** Options of the plugin, `--name=value`, for loadOptions. */
  readonly options: readonly string[];
}

/** The command line of a command is wrong; the message says how, in one line. */
export class UsageError extends UserFacingError {
  override readonly name = 'UsageError';
  readonly code = 'usage';
}

/** Throws UsageError. */
export function parseArguments({ name: command, flags, words }: Grammar, argv: readonly string[]): Arguments {
  const wrong = (message: string): never => {
    throw new UsageError(`${command}: ${message}; see ${command} --help`);
  };
  const known = Object.fromEntries([
    ...OPTION_NAMES.map((name) => [name, { type: 'string' as const }] as const),
    ...flags.map(({ name, short, value }) => {
      const type = value === undefined ? ('boolean' as const) : ('string' as const);
      return [name, short === undefined ? { type } : { type, short }] as const;
    }),
  ]);
  const { tokens } = parseArgs({
    args: [...argv],
    options: known,
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  const found = new Map<string, string>();
  const options: string[] = [];
  const given: string[] = [];
  for (const token of tokens) {
    if (token.kind === 'option-terminator') continue;
    if (token.kind === 'positional') {
      if (token.value === '')
        wrong(`${(words[given.length] ?? words.at(-1) ?? 'an argument').replace(/[[\].]/g, '')} is empty`);
      given.push(token.value);
      continue;
    }
    const { name, rawName, value, inlineValue } = token;
    const flag = flags.find((each) => each.name === name);
    const isSwitch = flag !== undefined && flag.value === undefined;
    if (flag === undefined && !isOptionName(name)) {
      const names = [...flags.map((each) => each.name), ...OPTION_NAMES];
      wrong(`unknown option ${clean(withoutValue(rawName))}${didYouMean(name, names)}`);
    } else if (isSwitch && value !== undefined) wrong(`${rawName} takes no value`);
    else if (!isSwitch && (value === undefined || (inlineValue === false && value.startsWith('-') && value !== '-'))) {
      wrong(`${rawName} needs a value`);
    } else if (found.has(name) || options.some((each) => each.startsWith(`--${name}=`)))
      wrong(`${rawName} is given twice`);
    else if (flag === undefined) options.push(`--${name}=${value}`);
    else found.set(name, value ?? '');
  }
  const missing = words[given.length];
  if (missing !== undefined && !missing.startsWith('[')) wrong(`${missing} is missing`);
  const extra = words.at(-1)?.endsWith('...') === true ? undefined : given[words.length];
  if (extra !== undefined) wrong(`unexpected argument "${clean(withoutValue(extra))}"`);
  return { flags: found, words: given, options };
}

const QUESTIONS = ['help', 'version'];

/**
 * Why a start without a command does not start the plugin, for stderr; undefined: it does. A launcher's start has a pipe as
 * stdin and always starts the plugin. At a terminal, or with nothing but a mistyped --help, a sentence is better than a wait.
 */
export function refusedStart(args: readonly string[], isTerminal: boolean): string | undefined {
  const unknown = args
    .filter((arg) => arg.startsWith('-'))
    .map((arg) => arg.replace(/^-+/, '').replace(/=.*/s, ''))
    .filter((name) => !isOptionName(name));
  // A launcher passes several options, and a newer one may pass some that this version does not know.
  const isMistyped = args.length === 1 && unknown.some((name) => suggestion(name, QUESTIONS) !== undefined);
  const wrong = isTerminal || isMistyped ? unknown[0] : undefined;
  if (wrong !== undefined) {
    const shown = clean(withoutValue(`--${wrong}`));
    return `${PROGRAM}: unknown option ${shown}${didYouMean(wrong, [...QUESTIONS, ...OPTION_NAMES])}; see --help`;
  }
  if (!isTerminal) return undefined;
  return `${PROGRAM}: the Job Launcher starts this program and talks to it over stdin; at a terminal, use a command such as check or jobs; see --help`;
}
