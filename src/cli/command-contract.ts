/** What a command is, and how it ends. */
import type { Arguments, Grammar } from './arguments.ts';
import type { Surroundings } from './command-session.ts';
import type { Terminal } from './terminal.ts';

export interface Command extends Grammar {
  /** What it does, in a line. */
  readonly summary: string;
  /** More, for its own help. */
  readonly about: string;
  /** What to type, and what for. */
  readonly examples: readonly (readonly [typed: string, purpose: string])[];
  /** Resolves with the exit code. */
  readonly run: (args: Arguments, surroundings: Surroundings, terminal: Terminal) => Promise<number>;
}

/** Done, and what was asked is as it should be. */
export const EXIT_OK = 0;
/** Something is wrong; it was said what. */
export const EXIT_FAILED = 1;
/** The command line was not understood. */
export const EXIT_USAGE = 2;
