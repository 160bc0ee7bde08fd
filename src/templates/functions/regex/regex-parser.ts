/**
 * Reads regular expressions in the syntax of Go's package regexp (RE2): no lookaround, no backreferences. Errors have Go's
 * words.
 */
import { GoError } from '../../contract.ts';
import { type CharacterClass, type ClassItem, PERL_CLASSES, POSIX_CLASSES, unicodeProperty } from './regex-classes.ts';

/** A position that matches no character. */
export type Assertion = 'text-start' | 'text-end' | 'line-start' | 'line-end' | 'word-boundary' | 'no-word-boundary';

export type RegexNode =
  | { readonly type: 'empty' }
  | { readonly type: 'class'; readonly set: CharacterClass }
  | { readonly type: 'assertion'; readonly assertion: Assertion }
  | { readonly type: 'group'; readonly index: number; readonly of: RegexNode }
  | { readonly type: 'sequence'; readonly parts: readonly RegexNode[] }
  | { readonly type: 'choice'; readonly parts: readonly RegexNode[] }
  | Repeat;

interface Repeat extends Count {
  readonly type: 'repeat';
  readonly of: RegexNode;
  readonly greedy: boolean;
}

interface Count {
  readonly min: number;
  readonly max: number;
  /** Written as `{min,max}`. */
  readonly counted: boolean;
}

interface ParsedRegex {
  readonly node: RegexNode;
  /** Names of the groups by their number, `''` for those without; the first is the complete match. */
  readonly names: readonly string[];
}

interface Flags {
  readonly fold: boolean;
  readonly multiline: boolean;
  readonly dotAll: boolean;
  readonly ungreedy: boolean;
}

const NO_FLAGS: Flags = { fold: false, multiline: false, dotAll: false, ungreedy: false };
const FLAG_NAMES: ReadonlyMap<string, keyof Flags> = new Map([
  ['i', 'fold'],
  ['m', 'multiline'],
  ['s', 'dotAll'],
  ['U', 'ungreedy'],
]);

/** Go's own limits. */
const MAX_REPEAT = 1000;
const MAX_DEPTH = 1000;

const MAX_CODE = 0x10ffff;
const ESCAPES: ReadonlyMap<string, number> = new Map([
  ['a', 7],
  ['f', 12],
  ['n', 10],
  ['r', 13],
  ['t', 9],
  ['v', 11],
]);
const ASSERTIONS: ReadonlyMap<string, Assertion> = new Map([
  ['A', 'text-start'],
  ['z', 'text-end'],
  ['b', 'word-boundary'],
  ['B', 'no-word-boundary'],
]);

export function parseRegex(source: string): ParsedRegex {
  if (/[\udc80-\udcff]/.test(source) && !source.isWellFormed()) throw syntax('invalid UTF-8', source);
  return new RegexParser(source).parse();
}

const syntax = (problem: string, part: string): GoError => new GoError(`error parsing regexp: ${problem}: \`${part}\``);

const isWord = (name: string): boolean => /^[0-9A-Za-z_]+$/.test(name);

class RegexParser {
  readonly #source: string;
  readonly #names: string[] = [''];
  #at = 0;
  #flags = NO_FLAGS;
  #depth = 0;

  constructor(source: string) {
    this.#source = source;
  }

  parse(): ParsedRegex {
    const node = this.#choice();
    if (this.#at < this.#source.length) throw syntax('unexpected )', this.#source);
    return { node, names: this.#names };
  }

  #peek(text: string): boolean {
    return this.#source.startsWith(text, this.#at);
  }

  #accept(text: string): boolean {
    if (!this.#peek(text)) return false;
    this.#at += text.length;
    return true;
  }

  /** The next code point, consumed. */
  #next(): string {
    const code = this.#source.codePointAt(this.#at);
    if (code === undefined) return '';
    const char = String.fromCodePoint(code);
    this.#at += char.length;
    return char;
  }

  #choice(): RegexNode {
    if (++this.#depth > MAX_DEPTH) throw syntax('expression nests too deeply', this.#source);
    const parts = [this.#sequence()];
    while (this.#accept('|')) parts.push(this.#sequence());
    this.#depth--;
    const [only] = parts;
    return parts.length === 1 && only !== undefined ? only : { type: 'choice', parts };
  }

  #sequence(): RegexNode {
    const parts: RegexNode[] = [];
    let repeatFrom: number | undefined;
    while (this.#at < this.#source.length && !this.#peek('|') && !this.#peek(')')) {
      const start = this.#at;
      const repeat = this.#repeat();
      if (repeat !== undefined) {
        const greedy = this.#accept('?') === this.#flags.ungreedy;
        if (repeatFrom !== undefined)
          throw syntax('invalid nested repetition operator', this.#source.slice(repeatFrom, this.#at));
        const text = this.#source.slice(start, this.#at);
        const of = parts.pop();
        if (of === undefined) throw syntax('missing argument to repetition operator', text);
        const node: Repeat = { type: 'repeat', of, ...repeat, greedy };
        if (!fits(node, MAX_REPEAT)) throw syntax('invalid repeat count', text);
        parts.push(node);
        repeatFrom = start;
        continue;
      }
      repeatFrom = undefined;
      this.#atom(parts);
    }
    const [only] = parts;
    return parts.length === 1 && only !== undefined ? only : { type: 'sequence', parts };
  }

  #repeat(): Count | undefined {
    if (this.#accept('*')) return { min: 0, max: Number.POSITIVE_INFINITY, counted: false };
    if (this.#accept('+')) return { min: 1, max: Number.POSITIVE_INFINITY, counted: false };
    if (this.#accept('?')) return { min: 0, max: 1, counted: false };
    const [text, low = '', comma, high = ''] =
      /^\{(0|[1-9]\d*)(,(0|[1-9]\d*)?)?\}/.exec(this.#source.slice(this.#at, this.#at + 40)) ?? [];
    if (text === undefined) return undefined;
    this.#at += text.length;
    const min = Number(low);
    const max = comma === undefined ? min : high === '' ? Number.POSITIVE_INFINITY : Number(high);
    if (min > MAX_REPEAT || (max > MAX_REPEAT && max !== Number.POSITIVE_INFINITY) || min > max) {
      throw syntax('invalid repeat count', text);
    }
    return { min, max, counted: true };
  }

  #atom(parts: RegexNode[]): void {
    const { multiline, dotAll } = this.#flags;
    if (this.#peek('(?')) this.#special(parts);
    else if (this.#accept('(')) parts.push(this.#group(''));
    else if (this.#accept('^')) parts.push({ type: 'assertion', assertion: multiline ? 'line-start' : 'text-start' });
    else if (this.#accept('$')) parts.push({ type: 'assertion', assertion: multiline ? 'line-end' : 'text-end' });
    else if (this.#accept('.')) {
      const items = dotAll
        ? [{ low: 0, high: MAX_CODE }]
        : [
            { low: 0, high: 9 },
            { low: 11, high: MAX_CODE },
          ];
      parts.push({ type: 'class', set: { items, negated: false, folded: false } });
    } else if (this.#peek('[')) parts.push({ type: 'class', set: this.#bracket() });
    else if (this.#peek('\\')) this.#escape(parts);
    else parts.push(this.#literal(this.#next().codePointAt(0) ?? 0));
  }

  #literal(code: number): RegexNode {
    return { type: 'class', set: { items: [{ low: code, high: code }], negated: false, folded: this.#flags.fold } };
  }

  /** A group after its opening was read; its flags end with it. */
  #group(name: string): RegexNode {
    const index = this.#names.push(name) - 1;
    return { type: 'group', index, of: this.#inside() };
  }

  #inside(outer: Flags = this.#flags): RegexNode {
    const node = this.#choice();
    if (!this.#accept(')')) throw syntax('missing closing )', this.#source);
    this.#flags = outer;
    // One node: a repetition after it is that of the complete group.
    return { type: 'sequence', parts: [node] };
  }

  /** `(?P<name>`, `(?<name>`, `(?flags)` and `(?flags:`. */
  #special(parts: RegexNode[]): void {
    const rest = this.#source.slice(this.#at);
    // Go looks for a name only where the expression is longer than this.
    const named = rest.length > 4 ? /^\(\?P?<(?![=!])/.exec(rest) : null;
    if (named !== null) {
      const end = rest.indexOf('>');
      if (end < 0) throw syntax('invalid named capture', rest);
      const name = rest.slice(named[0].length, end);
      if (!isWord(name)) throw syntax('invalid named capture', rest.slice(0, end + 1));
      this.#at += end + 1;
      parts.push(this.#group(name));
      return;
    }
    const start = this.#at;
    this.#at += 2;
    const outer = this.#flags;
    let flags = outer;
    let on = true;
    let any = false;
    for (;;) {
      const char = this.#next();
      const flag = FLAG_NAMES.get(char);
      if (flag !== undefined) {
        flags = { ...flags, [flag]: on };
        any = true;
      } else if (char === '-' && on) {
        on = false;
        any = false;
      } else if ((char === ':' || char === ')') && (on || any)) {
        this.#flags = flags;
        if (char === ':') parts.push(this.#inside(outer));
        return;
      } else {
        throw syntax('invalid or unsupported Perl syntax', this.#source.slice(start, this.#at));
      }
    }
  }

  #escape(parts: RegexNode[]): void {
    const letter = this.#source[this.#at + 1] ?? '';
    const assertion = ASSERTIONS.get(letter);
    if (assertion !== undefined) {
      this.#at += 2;
      parts.push({ type: 'assertion', assertion });
      return;
    }
    if (this.#accept('\\Q')) {
      const end = this.#source.indexOf('\\E', this.#at);
      const quoted = this.#source.slice(this.#at, end < 0 ? undefined : end);
      this.#at = end < 0 ? this.#source.length : end + 2;
      for (const char of quoted) parts.push(this.#literal(char.codePointAt(0) ?? 0));
      return;
    }
    const item = this.#classEscape();
    if (item === undefined) parts.push(this.#literal(this.#character()));
    else parts.push({ type: 'class', set: { items: [item], negated: false, folded: false } });
  }

  /** `\d`, `\W`, `\pL`, `\P{Greek}`; undefined if none of them comes next. */
  #classEscape(): ClassItem | undefined {
    const rest = this.#source.slice(this.#at, this.#at + 60);
    const letter = rest[1] ?? '';
    const folded = this.#flags.fold;
    const perl = rest[0] === '\\' ? PERL_CLASSES.get(letter.toLowerCase()) : undefined;
    if (perl !== undefined) {
      this.#at += 2;
      return { set: { items: perl, negated: letter !== letter.toLowerCase(), folded } };
    }
    if (!/^\\[pP]/.test(rest)) return undefined;
    const [text = '', braced, single] = /^\\[pP](?:\{([^}]*)\}|([^{]))/u.exec(rest) ?? [];
    if (text === '') throw syntax('invalid character class range', this.#source.slice(this.#at));
    const name = braced ?? single ?? '';
    const property = unicodeProperty(name.replace(/^\^/, ''));
    if (property === undefined) throw syntax('invalid character class range', text);
    this.#at += text.length;
    return { set: { items: [property], negated: (letter === 'P') !== name.startsWith('^'), folded } };
  }

  /** One escaped character. */
  #character(): number {
    const start = this.#at;
    this.#at++;
    const char = this.#next();
    if (char === '') throw syntax('trailing backslash at end of expression', '');
    const simple = ESCAPES.get(char);
    if (simple !== undefined) return simple;
    const rest = this.#source.slice(start, start + 20);
    const octal = /^\\(?:0[0-7]{0,2}|[1-7][0-7]{1,2})/.exec(rest)?.[0];
    const [hex, braced, plain] = /^\\x(?:\{([0-9A-Fa-f]+)\}|([0-9A-Fa-f]{2}))/.exec(rest) ?? [];
    if (octal !== undefined) {
      this.#at = start + octal.length;
      return Number.parseInt(octal.slice(1), 8);
    }
    const code = Number.parseInt(braced ?? plain ?? '', 16);
    if (hex !== undefined && code <= MAX_CODE) {
      this.#at = start + hex.length;
      return code;
    }
    const value = char.codePointAt(0) ?? 0;
    if (value < 0x80 && !/[0-9A-Za-z]/.test(char)) return value;
    if (char === 'x') this.#at = start + (/^\\x\{?[0-9A-Fa-f]*./su.exec(rest)?.[0].length ?? rest.length);
    throw syntax('invalid escape sequence', this.#source.slice(start, this.#at));
  }

  /** `[...]`. */
  #bracket(): CharacterClass {
    const start = this.#at;
    this.#at++;
    const negated = this.#accept('^');
    const items: ClassItem[] = [];
    let first = true;
    while (first || !this.#peek(']')) {
      if (this.#at >= this.#source.length) throw syntax('missing closing ]', this.#source.slice(start));
      first = false;
      const named = this.#posix() ?? this.#classEscape();
      if (named !== undefined) {
        items.push(named);
        continue;
      }
      const from = this.#at;
      const low = this.#classCharacter(start);
      let high = low;
      if (this.#peek('-') && this.#source[this.#at + 1] !== ']' && this.#at + 1 < this.#source.length) {
        this.#at++;
        high = this.#classCharacter(start);
        if (high < low) throw syntax('invalid character class range', this.#source.slice(from, this.#at));
      }
      items.push({ low, high });
    }
    this.#at++;
    return { items, negated, folded: this.#flags.fold };
  }

  #classCharacter(start: number): number {
    if (this.#at >= this.#source.length) throw syntax('missing closing ]', this.#source.slice(start));
    return this.#peek('\\') ? this.#character() : (this.#next().codePointAt(0) ?? 0);
  }

  /** `[:alpha:]` inside brackets. */
  #posix(): ClassItem | undefined {
    if (!this.#peek('[:')) return undefined;
    const end = this.#source.indexOf(':]', this.#at + 2);
    if (end < 0) return undefined;
    const text = this.#source.slice(this.#at, end + 2);
    const [, not, name = ''] = /^\[:(\^?)(.*):\]$/s.exec(text) ?? [];
    const items = POSIX_CLASSES.get(name);
    if (items === undefined) throw syntax('invalid character class range', text);
    this.#at = end + 2;
    return { set: { items, negated: not === '^', folded: this.#flags.fold } };
  }
}

/** Whether repetitions within repetitions stay below Go's limit in all. */
function fits(node: RegexNode, limit: number): boolean {
  switch (node.type) {
    case 'repeat': {
      const count = !node.counted ? 0 : Number.isFinite(node.max) ? node.max : node.min;
      if (node.counted && node.max === 0) return true;
      return count <= limit && fits(node.of, count > 0 ? Math.floor(limit / count) : limit);
    }
    case 'group':
      return fits(node.of, limit);
    case 'sequence':
    case 'choice':
      return node.parts.every((part) => fits(part, limit));
    default:
      return true;
  }
}
