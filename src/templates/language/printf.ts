/** Go's `printf`: formats with verbs, flags, widths, precisions and argument numbers, and reports misuse in the text. */
import { byteLength, compareBytes, fromBytes, joined } from '../bytes.ts';
import { GoError } from '../contract.ts';
import { NilMap, NilSlice } from '../nil-values.ts';
import { printForm } from '../print-form.ts';
import {
  type Budget,
  Complex,
  entriesOf,
  Func,
  GoObject,
  itemsOf,
  numberOf,
  Sized,
  Slice,
  typeName,
  type Value,
} from '../values.ts';
import { type Flags, floatVerb, integerVerb, isFloatVerb, isIntegerVerb, pad } from './format-number.ts';
import { canBackquote, cut, hexBytes, quoted } from './format-string.ts';

/** Widths and precisions above this are taken as missing. */
const MOST = 1_000_000;

/** Flags of one verb that are looked at; more are a verb that does not exist. */
const MOST_FLAGS = 64;

const DIGITS = /[0-9]*/y;

/** Levels of lists and maps that are printed. */
const DEEPEST = 256;

const NO_FLAGS: Flags = {
  minus: false,
  plus: false,
  sharp: false,
  space: false,
  zero: false,
  goSyntax: false,
  width: undefined,
  precision: undefined,
};

/** The text of a format and its arguments. */
export function formatted(format: string, args: readonly Value[], budget: Budget): string {
  return new Formatter(format, args, budget).run();
}

class Formatter {
  readonly #format: string;
  readonly #args: readonly Value[];
  readonly #budget: Budget;
  readonly #parts: string[] = [];
  #at = 0;
  #next = 0;
  /** Arguments were taken by number: those that are left over are not reported. */
  #reordered = false;
  #goodNumber = true;

  constructor(format: string, args: readonly Value[], budget: Budget) {
    this.#format = format;
    this.#args = args;
    this.#budget = budget;
  }

  run(): string {
    this.#budget.reserve(byteLength(this.#format));
    while (this.#at < this.#format.length) {
      const percent = this.#format.indexOf('%', this.#at);
      const end = percent < 0 ? this.#format.length : percent;
      this.#parts.push(this.#format.slice(this.#at, end));
      this.#at = end + 1;
      if (percent >= 0) this.#directive();
    }
    if (!this.#reordered && this.#next < this.#args.length) this.#extra();
    return joined(this.#parts, '');
  }

  #extra(): void {
    const extra = this.#args.slice(this.#next).map((arg) => {
      return arg === null ? '<nil>' : `${typeName(arg)}=${this.#print(arg, 'v', NO_FLAGS)}`;
    });
    this.#parts.push(`%!(EXTRA ${extra.join(', ')})`);
  }

  /** What follows a `%`. */
  #directive(): void {
    this.#goodNumber = true;
    this.#budget.step();
    const flags = this.#flags();
    let numbered = this.#argumentNumber();
    if (this.#take('*')) {
      const width = this.#integerArgument();
      if (width === undefined) this.#parts.push('%!(BADWIDTH)');
      else if (width < 0) flags.minus = true;
      flags.width = width === undefined ? undefined : Math.abs(width);
      numbered = false;
    } else {
      flags.width = this.#digits();
      if (numbered && flags.width !== undefined) this.#goodNumber = false;
    }
    if (this.#at + 1 < this.#format.length && this.#take('.')) {
      if (numbered) this.#goodNumber = false;
      numbered = this.#argumentNumber();
      if (this.#take('*')) {
        const precision = this.#integerArgument();
        flags.precision = precision !== undefined && precision >= 0 ? precision : undefined;
        if (flags.precision === undefined) this.#parts.push('%!(BADPREC)');
        numbered = false;
      } else flags.precision = this.#digits() ?? 0;
    }
    if (!numbered) this.#argumentNumber();
    this.#verb(flags);
  }

  #verb(flags: Flags): void {
    const code = this.#format.codePointAt(this.#at);
    if (code === undefined) {
      this.#parts.push('%!(NOVERB)');
      return;
    }
    const written = String.fromCodePoint(code);
    this.#at += written.length;
    const verb = written.isWellFormed() ? written : '\ufffd';
    if (verb === '%') this.#parts.push('%');
    else if (!this.#goodNumber) this.#parts.push(`%!${verb}(BADINDEX)`);
    else if (this.#next >= this.#args.length) this.#parts.push(`%!${verb}(MISSING)`);
    else {
      const arg = this.#args[this.#next++];
      const goSyntax = verb === 'v' && flags.sharp;
      const plain = verb === 'v' ? { ...flags, sharp: false, plus: false, goSyntax } : flags;
      this.#parts.push(this.#print(arg, verb, plain));
    }
  }

  #flags(): { -readonly [name in keyof Flags]: Flags[name] } {
    const [written = ''] = /^[-+# 0]*/.exec(this.#format.slice(this.#at, this.#at + MOST_FLAGS)) ?? [];
    this.#at += written.length;
    return {
      ...NO_FLAGS,
      minus: written.includes('-'),
      plus: written.includes('+'),
      sharp: written.includes('#'),
      space: written.includes(' '),
      zero: written.includes('0'),
    };
  }

  #take(char: string): boolean {
    const taken = this.#format[this.#at] === char;
    if (taken) this.#at++;
    return taken;
  }

  /** A number in the format; one that is too large takes the rest of the format with it, as in Go. */
  #digits(): number | undefined {
    DIGITS.lastIndex = this.#at;
    const [digits = ''] = DIGITS.exec(this.#format) ?? [];
    if (digits === '') return undefined;
    if (Number(digits.slice(0, -1)) > MOST) {
      this.#at = this.#format.length;
      return undefined;
    }
    this.#at += digits.length;
    return Number(digits);
  }

  /** The next argument as a width or precision. */
  #integerArgument(): number | undefined {
    if (this.#next >= this.#args.length) return undefined;
    const number = numberOf(this.#args[this.#next++]);
    if (typeof number !== 'bigint' || number > MOST || number < -MOST) return undefined;
    return Number(number);
  }

  /** `[3]`: the argument to take next. */
  #argumentNumber(): boolean {
    if (this.#format[this.#at] !== '[') return false;
    this.#reordered = true;
    const close = this.#format.indexOf(']', this.#at);
    if (close < 0 || this.#format.length - this.#at < 3) {
      this.#goodNumber = false;
      this.#at++;
      return false;
    }
    const written = this.#format.slice(this.#at + 1, close);
    this.#at = close + 1;
    const number = /^[0-9]{1,7}$/.test(written) ? Number(written) : undefined;
    if (number !== undefined && number >= 1 && number <= this.#args.length) this.#next = number - 1;
    else this.#goodNumber = false;
    return number !== undefined;
  }

  #print(value: Value, verb: string, flags: Flags): string {
    if (value === null || value === undefined) {
      return verb === 'v' || verb === 'T' ? this.#pad('<nil>', flags) : `%!${verb}(<nil>)`;
    }
    if (verb === 'T') return this.#string(typeName(value), 's', flags);
    const isList = itemsOf(value) !== undefined || entriesOf(value) !== undefined;
    const isBytes = value instanceof Slice && value.elem === 'uint8';
    if ((verb === 'w' && isList && !isBytes) || (verb === 'p' && !isList)) return this.#bad(value, verb, flags);
    return this.#value(value, verb, flags, 0);
  }

  #bad(value: Value, verb: string, flags: Flags): string {
    return `%!${verb}(${typeName(value)}=${this.#value(value, 'v', flags, 0)})`;
  }

  #value(value: Value, verb: string, flags: Flags, depth: number): string {
    if (value === null || value === undefined) return flags.goSyntax ? 'interface {}(nil)' : '<nil>';
    if (typeof value === 'string') return this.#string(value, verb, flags);
    if (typeof value === 'boolean') {
      return verb === 't' || verb === 'v' ? this.#pad(String(value), flags) : this.#bad(value, verb, flags);
    }
    if (value instanceof Complex) return this.#complex(value, verb, flags);
    if (value instanceof GoObject && (value.value === undefined || STRINGER_VERBS.has(verb))) {
      return this.#string(value.text, flags.goSyntax ? 's' : verb, flags);
    }
    const number = numberOf(value);
    if (number !== undefined) return this.#number(value, number, verb, flags);
    if (value instanceof Func) return this.#pad(printForm(value, this.#budget), flags);
    return this.#container(value, verb, flags, depth);
  }

  #string(text: string, verb: string, flags: Flags): string {
    this.#budget.reserve(byteLength(text));
    const { precision, goSyntax, sharp, space, plus } = flags;
    switch (verb) {
      case 'v':
      case 's':
      case 'q': {
        const short = precision === undefined ? text : cut(text, precision);
        if (verb === 's' || (verb === 'v' && !goSyntax)) return this.#pad(short, flags);
        if (sharp && canBackquote(short)) return this.#pad(`\`${short}\``, flags);
        return this.#pad(quoted(short, '"', plus), flags);
      }
      case 'x':
      case 'X':
        return this.#pad(
          hexBytes(text, { upper: verb === 'X', prefixed: sharp, spaced: space, mostBytes: precision }),
          flags,
        );
      default:
        return `%!${verb}(string=${this.#string(text, 'v', flags)})`;
    }
  }

  #number(value: Value, number: bigint | number, verb: string, flags: Flags): string {
    this.#budget.reserve(Math.max(flags.width ?? 0, flags.precision ?? 0));
    if (typeof number === 'bigint') {
      const unsigned = value instanceof Sized && value.kind.startsWith('u');
      return isIntegerVerb(verb) ? integerVerb(number, verb, flags, unsigned) : this.#bad(value, verb, flags);
    }
    const single = value instanceof Sized;
    return isFloatVerb(verb) ? floatVerb(number, verb, flags, single) : this.#bad(value, verb, flags);
  }

  #complex(value: Complex, verb: string, flags: Flags): string {
    if (!isFloatVerb(verb)) return this.#bad(value, verb, flags);
    const real = this.#number(value.real, value.real, verb, flags);
    return `(${real}${this.#number(value.imaginary, value.imaginary, verb, { ...flags, plus: true })}i)`;
  }

  #container(value: Value, verb: string, flags: Flags, depth: number): string {
    if (depth >= DEEPEST) throw new GoError(`a value is nested deeper than ${DEEPEST} levels`);
    const items = itemsOf(value);
    this.#budget.step(items?.length ?? entriesOf(value)?.size);
    if (verb === 'p') return '0x1';
    if (value instanceof Slice && value.elem === 'uint8') {
      const text = fromBytes(Uint8Array.from(value.items, (item) => Number(numberOf(item) ?? 0)));
      if (/^[sqxX]$/.test(verb)) return this.#string(text, verb, flags);
    }
    const type = flags.goSyntax ? typeName(value).replace('[]uint8', '[]byte') : '';
    if (flags.goSyntax && (value instanceof NilSlice || value instanceof NilMap)) return `${type}(nil)`;
    const [open, close, separator] = flags.goSyntax ? [`${type}{`, '}', ', '] : [items ? '[' : 'map[', ']', ' '];
    const print = (item: Value): string => this.#value(item, verb, flags, depth + 1);
    if (items !== undefined) return `${open}${items.map(print).join(separator)}${close}`;
    const entries = [...(entriesOf(value) ?? [])].sort(([a], [b]) => compareBytes(a, b));
    return `${open}${entries.map(([key, item]) => `${print(key)}:${print(item)}`).join(separator)}${close}`;
  }

  #pad(text: string, flags: Flags): string {
    this.#budget.reserve(flags.width ?? 0);
    return pad(text, flags);
  }
}

/** Verbs with which a value is printed by its method String. */
const STRINGER_VERBS: ReadonlySet<string> = new Set(['v', 's', 'x', 'X', 'q']);
