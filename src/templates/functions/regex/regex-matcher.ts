/**
 * Matches a compiled regular expression with all alternatives at once (a Pike machine), so that the time is bounded by the
 * length of the program times that of the text; the preference is that of Perl and Go, leftmost first.
 */
import type { Sliced } from '../../../system/slices.ts';
import type { Budget } from '../../values.ts';
import { inClass } from './regex-classes.ts';
import type { Assertion } from './regex-parser.ts';
import type { Program } from './regex-program.ts';

/** Start and end of the match and of each group, -1 where a group took no part. */
export type Captures = readonly number[];

/** An instruction waits to be visited, or a slot gets its value back after the instructions that followed a save. */
type Pending = { readonly at: number } | { readonly slot: number; readonly value: number };

/** Threads in their order of preference: at most one for each instruction. */
class Threads {
  readonly order: number[] = [];
  readonly captures: number[][] = [];
  readonly #seen: Uint32Array;
  #generation = 1;

  constructor(size: number) {
    this.#seen = new Uint32Array(size);
  }

  clear(): void {
    this.order.length = 0;
    this.captures.length = 0;
    this.#generation++;
  }

  /** False if the instruction was visited at this position before. */
  visit(at: number): boolean {
    if (this.#seen[at] === this.#generation) return false;
    this.#seen[at] = this.#generation;
    return true;
  }
}

/** Code point at an index as Go sees it: a byte that is not UTF-8 is U+FFFD. -1 at the end. */
function runeAt(text: string, index: number): number {
  const code = text.codePointAt(index) ?? -1;
  return code >= 0xd800 && code <= 0xdfff ? 0xfffd : code;
}

/** The code units of the character at an index, 0 at the end. */
export function widthAt(text: string, index: number): number {
  const code = text.codePointAt(index);
  return code === undefined ? 0 : code > 0xffff ? 2 : 1;
}

const isWord = (code: number): boolean =>
  (code >= 48 && code <= 57) || (code >= 65 && code <= 90) || code === 95 || (code >= 97 && code <= 122);

function holds(assertion: Assertion, text: string, index: number): boolean {
  switch (assertion) {
    case 'text-start':
      return index === 0;
    case 'text-end':
      return index === text.length;
    case 'line-start':
      return index === 0 || text[index - 1] === '\n';
    case 'line-end':
      return index === text.length || text[index] === '\n';
    default: {
      const boundary = isWord(text.charCodeAt(index - 1)) !== isWord(text.charCodeAt(index));
      return boundary === (assertion === 'word-boundary');
    }
  }
}

/** Visits of instructions between two places where other work may run. */
const PAUSE_VISITS = 16_384;

/** Searches one text for matches of a program. */
export class Matcher {
  readonly #program: Program;
  readonly #text: string;
  readonly #budget: Budget;
  readonly #unset: Captures;
  #current: Threads;
  #next: Threads;
  #best: Captures | undefined;
  #index = 0;
  /** Visits left before the next pause. */
  #left = PAUSE_VISITS;

  constructor(program: Program, text: string, budget: Budget) {
    const { instructions, names } = program;
    this.#program = program;
    this.#text = text;
    this.#budget = budget;
    this.#unset = new Array<number>(2 * names.length).fill(-1);
    this.#current = new Threads(instructions.length);
    this.#next = new Threads(instructions.length);
  }

  /** The leftmost match at or after an index; undefined if there is none. */
  *from(index: number): Sliced<Captures | undefined> {
    this.#index = index;
    this.#best = undefined;
    this.#current.clear();
    this.#next.clear();
    while (!this.#advance()) {
      this.#left = PAUSE_VISITS;
      yield;
    }
    return this.#best;
  }

  /** Matches that follow each other from the beginning, at most `limit`; an empty one is skipped right after another match. */
  *all(limit: number): Sliced<readonly Captures[]> {
    const found: Captures[] = [];
    let previousEnd = -1;
    for (let index = 0; found.length < limit && index <= this.#text.length; ) {
      const match = yield* this.from(index);
      const [start = 0, end = 0] = match ?? [];
      if (match === undefined) break;
      const skipped = end === index && start === previousEnd;
      index = end > index ? end : index + (widthAt(this.#text, index) || 1);
      previousEnd = end;
      if (!skipped) found.push(match);
    }
    return found;
  }

  /** True at the end of the search; false where it may pause. */
  #advance(): boolean {
    const { instructions } = this.#program;
    const text = this.#text;
    for (;;) {
      const current = this.#current;
      const index = this.#index;
      // A new attempt has the lowest preference, and none is begun once something matched.
      if (this.#best === undefined) follow(this.#program, current, 0, this.#unset, text, index);
      if (this.#best !== undefined && current.order.length === 0) return true;
      this.#budget.step(1 + (current.order.length >> 4));
      this.#left -= 1 + current.order.length;
      const code = runeAt(text, index);
      const width = widthAt(text, index);
      for (let i = 0; i < current.order.length; i++) {
        const at = current.order[i] ?? 0;
        const captures = current.captures[i] ?? [];
        const instruction = instructions[at];
        if (instruction?.op === 'match') {
          this.#best = captures;
          break;
        }
        if (instruction?.op === 'class' && code >= 0 && inClass(instruction.set, code)) {
          follow(this.#program, this.#next, at + 1, captures, text, index + width);
        }
      }
      if (width === 0) return true;
      this.#index = index + width;
      this.#current = this.#next;
      this.#next = current;
      current.clear();
      if (this.#left <= 0) return false;
    }
  }
}

/** Adds the threads that an instruction leads to without a character. */
function follow(program: Program, threads: Threads, start: number, from: Captures, text: string, index: number): void {
  const captures = [...from];
  const pending: Pending[] = [{ at: start }];
  for (let todo = pending.pop(); todo !== undefined; todo = pending.pop()) {
    if ('slot' in todo) {
      captures[todo.slot] = todo.value;
      continue;
    }
    const { at } = todo;
    const instruction = program.instructions[at];
    if (instruction === undefined || !threads.visit(at)) continue;
    switch (instruction.op) {
      case 'jump':
        pending.push({ at: instruction.to });
        break;
      case 'split':
        pending.push({ at: instruction.second }, { at: instruction.first });
        break;
      case 'assert':
        if (holds(instruction.assertion, text, index)) pending.push({ at: at + 1 });
        break;
      case 'save':
        pending.push({ slot: instruction.slot, value: captures[instruction.slot] ?? -1 }, { at: at + 1 });
        captures[instruction.slot] = index;
        break;
      default:
        threads.order.push(at);
        threads.captures.push([...captures]);
    }
  }
}
