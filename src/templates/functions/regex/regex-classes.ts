/** Sets of characters of regular expressions: ranges, Unicode properties, negation and case folding, as Go's regexp has them. */

/** One part of a set: a range of code points, or a Unicode property. */
export type ClassItem =
  | { readonly low: number; readonly high: number }
  | { readonly property: RegExp }
  | { readonly set: CharacterClass };

export interface CharacterClass {
  readonly items: readonly ClassItem[];
  readonly negated: boolean;
  /** Characters that differ only in case are the same. */
  readonly folded: boolean;
}

const range = (low: string, high: string = low): ClassItem => ({
  low: low.codePointAt(0) ?? 0,
  high: high.codePointAt(0) ?? 0,
});

const DIGITS = [range('0', '9')];
const SPACES = [range('\t', '\n'), range('\f', '\r'), range(' ')];
const WORD = [range('0', '9'), range('A', 'Z'), range('_'), range('a', 'z')];

/** `\d`, `\s` and `\w`; the capital letters are their negations. */
export const PERL_CLASSES: ReadonlyMap<string, readonly ClassItem[]> = new Map([
  ['d', DIGITS],
  ['s', SPACES],
  ['w', WORD],
]);

/** The names in `[[:name:]]`. */
export const POSIX_CLASSES: ReadonlyMap<string, readonly ClassItem[]> = new Map([
  ['alnum', [range('0', '9'), range('A', 'Z'), range('a', 'z')]],
  ['alpha', [range('A', 'Z'), range('a', 'z')]],
  ['ascii', [range('\0', '\x7f')]],
  ['blank', [range('\t'), range(' ')]],
  ['cntrl', [range('\0', '\x1f'), range('\x7f')]],
  ['digit', DIGITS],
  ['graph', [range('!', '~')]],
  ['lower', [range('a', 'z')]],
  ['print', [range(' ', '~')]],
  ['punct', [range('!', '/'), range(':', '@'), range('[', '`'), range('{', '~')]],
  ['space', [range('\t', '\r'), range(' ')]],
  ['upper', [range('A', 'Z')]],
  ['word', WORD],
  ['xdigit', [range('0', '9'), range('A', 'F'), range('a', 'f')]],
]);

/** The set of a Unicode category or script (`\pL`, `\p{Greek}`); undefined if Unicode has none of that name. */
export function unicodeProperty(name: string): ClassItem | undefined {
  if (name === 'Any') return { low: 0, high: 0x10ffff };
  if (!/^[A-Za-z_]{1,40}$/.test(name)) return undefined;
  for (const kind of ['gc', 'sc']) {
    try {
      return { property: new RegExp(`^\\p{${kind}=${name}}$`, 'u') };
    } catch {
      // No category: perhaps a script.
    }
  }
  return undefined;
}

/** Groups of characters that are one letter although upper and lower case do not join them. */
const FOLDED = (
  'KkK Ssſ µΜμ ÅåÅ ßẞ Ǆǅǆ Ǉǈǉ Ǌǋǌ Ǳǲǳ ͅΙιι Ββϐ Εεϵ Θθϑϴ Κκϰ Ππϖ Ρρϱ Σςσ Φφϕ ΩωΩ Ввᲀ Ддᲁ Ооᲂ Ссᲃ Ттᲄᲅ Ъъᲆ Ѣѣᲇ ᲈꙊꙋ Ṡṡẛ ' +
  'ᾀᾈ ᾁᾉ ᾂᾊ ᾃᾋ ᾄᾌ ᾅᾍ ᾆᾎ ᾇᾏ ᾐᾘ ᾑᾙ ᾒᾚ ᾓᾛ ᾔᾜ ᾕᾝ ᾖᾞ ᾗᾟ ᾠᾨ ᾡᾩ ᾢᾪ ᾣᾫ ᾤᾬ ᾥᾭ ᾦᾮ ᾧᾯ ᾳᾼ ῃῌ ῳῼ'
).split(' ');

/** All characters that equal a character when case is ignored, itself included. */
function folds(code: number): readonly number[] {
  const char = String.fromCodePoint(code);
  const group = FOLDED.find((each) => each.includes(char));
  const same = group === undefined ? [char, char.toLowerCase(), char.toUpperCase()] : [...group];
  return same.flatMap((each) => {
    const found = each.codePointAt(0) ?? code;
    return String.fromCodePoint(found) === each ? [found] : [];
  });
}

/** Whether a code point is in a set. */
export function inClass(set: CharacterClass, code: number): boolean {
  const has = (each: number) => set.items.some((item) => inItem(item, each));
  return (has(code) || (set.folded && folds(code).some(has))) !== set.negated;
}

function inItem(item: ClassItem, code: number): boolean {
  if ('set' in item) return inClass(item.set, code);
  if ('property' in item) return item.property.test(String.fromCodePoint(code));
  return code >= item.low && code <= item.high;
}
