/**
 * Decides whether a start without a command comes from the launcher. A launcher's start has a pipe as stdin and starts the
 * plugin always. At a terminal, or with nothing but a mistyped --help, the program prints a sentence instead of waiting for frames.
 */
import { isOptionName, OPTION_NAMES } from '../config/options/option-table.ts';
import { withoutValue } from '../config/text/problem.ts';
import { didYouMean, suggestion } from '../config/text/suggest.ts';
import { clean } from './terminal.ts';
import { PROGRAM } from './version.ts';

const QUESTIONS = ['help', 'version'];

/** Why the plugin is not started, for stderr; undefined: it is started. */
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
