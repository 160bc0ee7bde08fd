/** What a command is, and how it ends. */
import type { Arguments, Grammar } from './arguments.ts';
import type { CommandContext } from './command-session.ts';
import type { Terminal } from './terminal.ts';

export interface Command extends Grammar {
  /** What it does, in one line. */
  readonly summary: string;
  /** The paragraph of its own help. */
  readonly about: string;
  /** Command lines, and the purpose of each. */
  readonly examples: readonly (readonly [typed: string, purpose: string])[];
  /** Resolves with the exit code. */
  readonly run: (args: Arguments, context: CommandContext, terminal: Terminal) => Promise<number>;
}

/** Success. */
export const EXIT_OK = 0;
/** A problem was found and reported. */
export const EXIT_FAILED = 1;
/** The command line is wrong. */
export const EXIT_USAGE = 2;
