/** Compiles a regular expression to the instructions of a virtual machine, which matches in time proportional to the text. */
import { GoError } from '../../contract.ts';
import type { CharacterClass } from './regex-classes.ts';
import { type Assertion, parseRegex, type RegexNode } from './regex-parser.ts';

type Instruction =
  | { readonly op: 'match' }
  | { readonly op: 'class'; readonly set: CharacterClass }
  | { readonly op: 'assert'; readonly assertion: Assertion }
  /** Stores the position as the start (slot 2n) or end (2n + 1) of group n. */
  | { readonly op: 'save'; readonly slot: number }
  /** Continues at both, the first preferred. */
  | { readonly op: 'split'; readonly first: number; readonly second: number }
  | { readonly op: 'jump'; readonly to: number };

export interface Program {
  readonly instructions: readonly Instruction[];
  readonly names: readonly string[];
}

/** More is refused: each character of a text costs at most this many steps. */
const MAX_INSTRUCTIONS = 20_000;

export function compileRegex(source: string): Program {
  const { node, names } = parseRegex(source);
  const compiler = new Compiler(source);
  compiler.add({ type: 'group', index: 0, of: node });
  return { instructions: compiler.finish(), names };
}

class Compiler {
  readonly #source: string;
  readonly #code: Instruction[] = [];

  constructor(source: string) {
    this.#source = source;
  }

  finish(): readonly Instruction[] {
    this.#emit({ op: 'match' });
    return this.#code;
  }

  add(node: RegexNode): void {
    switch (node.type) {
      case 'empty':
        return;
      case 'class':
        this.#emit({ op: 'class', set: node.set });
        return;
      case 'assertion':
        this.#emit({ op: 'assert', assertion: node.assertion });
        return;
      case 'group':
        this.#emit({ op: 'save', slot: 2 * node.index });
        this.add(node.of);
        this.#emit({ op: 'save', slot: 2 * node.index + 1 });
        return;
      case 'sequence':
        for (const part of node.parts) this.add(part);
        return;
      case 'choice':
        this.#choice(node.parts);
        return;
      case 'repeat':
        this.#repeat(node.of, node.min, node.max, node.greedy);
    }
  }

  #emit(instruction: Instruction): number {
    if (this.#code.length >= MAX_INSTRUCTIONS) {
      throw new GoError(`error parsing regexp: expression too large: \`${this.#source}\``);
    }
    return this.#code.push(instruction) - 1;
  }

  #choice(parts: readonly RegexNode[]): void {
    const ends: number[] = [];
    parts.forEach((part, i) => {
      if (i === parts.length - 1) {
        this.add(part);
        return;
      }
      const split = this.#emit({ op: 'jump', to: 0 });
      this.add(part);
      ends.push(this.#emit({ op: 'jump', to: 0 }));
      this.#code[split] = { op: 'split', first: split + 1, second: this.#code.length };
    });
    for (const end of ends) this.#code[end] = { op: 'jump', to: this.#code.length };
  }

  #repeat(of: RegexNode, min: number, max: number, greedy: boolean): void {
    if (max !== Number.POSITIVE_INFINITY) {
      for (let i = 0; i < min; i++) this.add(of);
      // x{2,4} is xx(x(x)?)?: giving up one repetition gives up those after it.
      const splits: number[] = [];
      for (let i = min; i < max; i++) {
        splits.push(this.#emit({ op: 'jump', to: 0 }));
        this.add(of);
      }
      for (const split of splits) this.#split(split, greedy, this.#code.length);
      return;
    }
    for (let i = 1; i < min; i++) this.add(of);
    if (min > 0) {
      this.#plus(of, greedy);
    } else if (canBeEmpty(of)) {
      // As Go does: (x+)? instead of x*, so that an empty repetition keeps its preference.
      const split = this.#emit({ op: 'jump', to: 0 });
      this.#plus(of, greedy);
      this.#split(split, greedy, this.#code.length);
    } else {
      const split = this.#emit({ op: 'jump', to: 0 });
      this.add(of);
      this.#emit({ op: 'jump', to: split });
      this.#split(split, greedy, this.#code.length);
    }
  }

  #plus(of: RegexNode, greedy: boolean): void {
    const start = this.#code.length;
    this.add(of);
    const split = this.#emit({ op: 'jump', to: 0 });
    this.#code[split] = greedy
      ? { op: 'split', first: start, second: split + 1 }
      : { op: 'split', first: split + 1, second: start };
  }

  /** Makes the instruction at an index the choice between the next instruction and the one at `other`. */
  #split(at: number, greedy: boolean, other: number): void {
    this.#code[at] = greedy
      ? { op: 'split', first: at + 1, second: other }
      : { op: 'split', first: other, second: at + 1 };
  }
}

function canBeEmpty(node: RegexNode): boolean {
  switch (node.type) {
    case 'class':
      return false;
    case 'group':
      return canBeEmpty(node.of);
    case 'sequence':
      return node.parts.every(canBeEmpty);
    case 'choice':
      return node.parts.some(canBeEmpty);
    case 'repeat':
      return node.min === 0 || canBeEmpty(node.of);
    default:
      return true;
  }
}
