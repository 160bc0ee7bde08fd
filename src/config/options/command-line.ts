/** Parses the plugin's command line: `--name=value`, `--name value`, unambiguous prefixes of names. */
import { parseArgs } from 'node:util';
import { COMMAND_LINE, type Problem, problem, withoutValue } from '../text/problem.ts';
import { didYouMean } from '../text/suggest.ts';
import { isOptionName, OPTION_NAMES, type OptionName, optionRow } from './option-table.ts';

export interface CommandLine {
  /** Values as written. */
  readonly values: ReadonlyMap<OptionName, string>;
  readonly problems: readonly Problem[];
  /** Unknown options: newer launchers may pass options that this version does not have. */
  readonly warnings: readonly Problem[];
}

/** Parses the arguments after the program's name. Never echoes values of unknown and of secret options. */
export function parseCommandLine(argv: readonly string[]): CommandLine {
  const values = new Map<OptionName, string>();
  const problems: Problem[] = [];
  const warnings: Problem[] = [];
  const at = { file: COMMAND_LINE, line: 0 };
  const { tokens } = parseArgs({ args: [...argv], strict: false, allowPositionals: true, tokens: true });
  let consumed: number | undefined;
  tokens.forEach((token, index) => {
    if (token.kind === 'option-terminator') return;
    if (token.kind === 'positional') {
      if (token.index !== consumed)
        problems.push(problem(at, '', `"${withoutValue(token.value)}" is not an option: write --name=value`));
      return;
    }
    const next = tokens[index + 1];
    const following = token.value === undefined && next?.kind === 'positional' ? next : undefined;
    consumed = following?.index;
    const value = token.value ?? following?.value;

    const names = token.rawName.startsWith('--') ? matching(token.name) : [];
    const [name] = names;
    if (name === undefined) {
      warnings.push(
        problem(
          at,
          token.name,
          `is not an option of this plugin and is ignored${didYouMean(token.name, OPTION_NAMES)}`,
        ),
      );
    } else if (names.length > 1) {
      problems.push(problem(at, token.name, `is ambiguous: it matches ${names.join(', ')}`));
    } else if (optionRow(name).only === 'file') {
      problems.push(problem(at, name, 'is allowed in the options file only: every user can read a command line'));
    } else if (value === undefined) {
      problems.push(problem(at, name, `needs a value: --${name}=value`));
    } else if (values.has(name)) {
      problems.push(problem(at, name, 'is given twice'));
    } else {
      values.set(name, value);
    }
  });
  return { values, problems, warnings };
}

/** The options that a name on the command line matches. */
function matching(name: string): readonly OptionName[] {
  if (isOptionName(name)) return [name];
  return name === '' ? [] : OPTION_NAMES.filter((known) => known.startsWith(name));
}
