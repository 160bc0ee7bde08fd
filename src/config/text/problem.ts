/**
 * What is wrong with something an administrator wrote, and where. All problems of a file are reported at once; texts
 * are one printable line and never hold a token, a key or the content of an override file.
 */

import { escapeControls } from '../../system/escape.ts';
import { redactWords } from '../../system/redact.ts';

/** Where a value was written. `line` 0: the command line, or the file as a whole. */
export interface Origin {
  readonly file: string;
  readonly line: number;
}

/**
 * Something that an administrator wrote and that cannot be used. Not a refusal, the no to what somebody asked for (of the
 * policy, the cluster, the system), and not a failure: something was tried and did not work, and may when tried again.
 */
export interface Problem extends Origin {
  /** Name of the option or key; '' if the problem is none's. */
  readonly option: string;
  /** One line, printable, without the place. */
  readonly message: string;
  /** How to mend it, where that can be said exactly: what to type, or what to write. */
  readonly remedy?: string;
}

/** The `file` of a problem that stands on the command line. */
export const COMMAND_LINE = 'command line';

/** Makes a problem whose message is safe to print. */
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

/** The whole sentence: place, option, what is wrong. */
export function describe(found: Problem): string {
  return `${place(found)}: ${found.option === '' ? '' : `${found.option}: `}${found.message}`;
}

/** The whole sentence, and how to mend it. */
export function advise(found: Problem): string {
  return found.remedy === undefined ? describe(found) : `${describe(found)} -> ${found.remedy}`;
}

/** A text for a terminal or a log: without tokens, escaped, and cut after `most` characters. */
function printable(text: string, most = 300): string {
  const shown = redactWords(text);
  return escapeControls(shown.length > most ? `${shown.slice(0, most)}...` : shown);
}

/** A word of a command line that belongs to nothing: perhaps an option without its dashes, whose value may be secret. */
export function withoutValue(word: string): string {
  return redactWords(word.replace(/=.+$/s, '=...'));
}

/** Something an administrator wrote cannot be used; `problems` says where, the message says all of it. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  /** `unreadable`: a file could not be read; `wrong`: what stands in it cannot be used. */
  readonly code: 'unreadable' | 'wrong';
  readonly problems: readonly Problem[];

  constructor(code: 'unreadable' | 'wrong', problems: readonly Problem[], options?: ErrorOptions) {
    super(problems.map(advise).join('; '), options);
    this.code = code;
    this.problems = problems;
  }
}
