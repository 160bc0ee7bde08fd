/**
 * Configuration problems: what is wrong, in which file, line and option, and how to fix it. All problems of a file are
 * reported together. A message is one printable line without tokens, keys and the content of override files.
 */

import { escapeControls } from '../../system/escape.ts';
import { redactWords } from '../../system/redact.ts';
import { UserFacingError } from '../../system/user-facing-error.ts';

/** Where a value was written. `line` 0: the command line, or the file itself. */
export interface Origin {
  readonly file: string;
  readonly line: number;
}

/** Something that an administrator wrote and that the plugin cannot use, or should warn about. */
export interface Problem extends Origin {
  /** Name of the option or key; '' if the problem concerns none. */
  readonly option: string;
  /** One line, printable, without the place. */
  readonly message: string;
  /** The fix, where there is an exact one: a command to type, or a line to write. */
  readonly remedy?: string;
}

/** The `file` of a problem of the command line. */
export const COMMAND_LINE = 'command line';

/** The `file` of a problem of a variable of the environment. */
export const ENVIRONMENT = 'environment';

/** Makes a problem with a message that is safe to print. */
export function problem(at: Origin, option: string, message: string, remedy?: string): Problem {
  const found = { file: at.file, line: at.line, option: printable(option), message: printable(message, 1000) };
  return remedy === undefined ? found : { ...found, remedy: printable(remedy, 1000) };
}

/** `/etc/rstudio/launcher.kubernetes.conf:3`, without `:0`. */
export function place(at: Origin): string {
  return at.line > 0 ? `${printable(at.file)}:${at.line}` : printable(at.file);
}

/** `/etc/rstudio/launcher.kubernetes.conf:3: api-url`; the option alone where it is not written. */
export function optionPlace(origins: ReadonlyMap<string, Origin>, option: string): string {
  const origin = origins.get(option);
  return origin === undefined ? option : `${place(origin)}: ${option}`;
}

/** The complete sentence: place, option, what is wrong. */
export function describe(found: Problem): string {
  return `${place(found)}: ${found.option === '' ? '' : `${found.option}: `}${found.message}`;
}

/** The complete sentence and the fix. */
export function advise(found: Problem): string {
  return found.remedy === undefined ? describe(found) : `${describe(found)} -> ${found.remedy}`;
}

/** Makes text safe for a terminal or a log: without tokens, escaped, and cut after `most` characters. */
function printable(text: string, most = 300): string {
  const shown = redactWords(text);
  return escapeControls(shown.length > most ? `${shown.slice(0, most)}...` : shown);
}

/** A stray word of a command line without its value: it may be an option without dashes and hold a secret. */
export function withoutValue(word: string): string {
  return redactWords(word.replace(/=.+$/s, '=...'));
}

/** Something an administrator wrote cannot be used: `problems` lists the places, the message has all of them. */
export class ConfigError extends UserFacingError {
  override readonly name = 'ConfigError';
  /** `unreadable`: a file could not be read; `invalid`: its content cannot be used. */
  readonly code: 'unreadable' | 'invalid';
  readonly problems: readonly Problem[];

  constructor(code: 'unreadable' | 'invalid', problems: readonly Problem[], options?: ErrorOptions) {
    const sorted = inOrder(problems);
    super(sorted.map(advise).join('; '), options);
    this.code = code;
    this.problems = sorted;
  }
}

/** Sorted by file, in the order of their first problem, and by line; problems of the file itself come last. */
export function inOrder(problems: readonly Problem[]): readonly Problem[] {
  const lineOf = ({ line }: Problem): number => line || Number.POSITIVE_INFINITY;
  return [...Map.groupBy(problems, ({ file }) => file).values()].flatMap((found) =>
    found.sort((a, b) => (lineOf(a) < lineOf(b) ? -1 : lineOf(a) === lineOf(b) ? 0 : 1)),
  );
}

/** Collects the errors of several files, to report all of them together. */
export class ConfigErrors {
  readonly #errors: ConfigError[] = [];

  /** The result of `read`; undefined if it throws a ConfigError, which is kept. */
  attempt<T>(read: () => T): T | undefined {
    try {
      return read();
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      this.#errors.push(error);
      return undefined;
    }
  }

  /** Adds problems of a file that was read. */
  add(problems: readonly Problem[]): void {
    if (problems.length > 0) this.#errors.push(new ConfigError('invalid', problems));
  }

  /** One error with the problems of all: `unreadable` if one of them is; undefined if there was none. */
  combined(): ConfigError | undefined {
    const [first] = this.#errors;
    if (first === undefined) return undefined;
    const code = this.#errors.some((error) => error.code === 'unreadable') ? 'unreadable' : 'invalid';
    return new ConfigError(
      code,
      this.#errors.flatMap((error) => error.problems),
      { cause: first },
    );
  }
}
