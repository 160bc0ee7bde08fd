/** Letters and spaces as Go's packages unicode and strings see them: character by character, never more than one for one. */

/** The characters that unicode.IsSpace accepts, for the brackets of a regular expression. */
const SPACES = '\\t-\\r \\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000';
const SPACE = new RegExp(`^[${SPACES}]$`, 'u');
const LEADING_SPACE = new RegExp(`^[${SPACES}]+`, 'u');

export const isSpace = (char: string): boolean => SPACE.test(char);

/** As strings.TrimSpace. */
export function trimSpace(text: string): string {
  let end = text.length;
  while (end > 0 && isSpace(text[end - 1] ?? '')) end--;
  return text.slice(0, end).replace(LEADING_SPACE, '');
}

const isOne = (text: string): boolean => [...text].length === 1;

/** Greek letters with an iota below: upper case in Go is the title case, one character. */
function withIota(char: string): string {
  const code = char.codePointAt(0) ?? 0;
  if (code >= 0x1f80 && code <= 0x1faf) return String.fromCodePoint(code | 8);
  if (code === 0x1fb3 || code === 0x1fc3 || code === 0x1ff3) return String.fromCodePoint(code + 9);
  return char;
}

/** As unicode.ToUpper. */
export function upperChar(char: string): string {
  const upper = char.toUpperCase();
  return isOne(upper) ? upper : withIota(char);
}

/** As unicode.ToLower. */
export function lowerChar(char: string): string {
  if (char === 'İ') return 'i';
  const lower = char.toLowerCase();
  return isOne(lower) ? lower : char;
}

/** Digraphs have a title case of their own. */
const TITLES: readonly string[] = ['Ǆǅǆ', 'Ǉǈǉ', 'Ǌǋǌ', 'Ǳǲǳ'];

/** As unicode.ToTitle. */
export function titleChar(char: string): string {
  const digraph = TITLES.find((each) => each.includes(char));
  if (digraph !== undefined) return digraph[1] ?? char;
  // Georgian has capitals but no title case.
  return /[\u10d0-\u10ff]/.test(char) ? char : upperChar(char);
}

/** Characters, a byte that is not UTF-8 as U+FFFD, as a conversion to []rune makes them. */
export const runes = (text: string): readonly string[] => [...text.toWellFormed()];

/** Characters of a string as strings.Split with an empty separator makes them; bytes that are not UTF-8 stay. */
export const characters = (text: string): readonly string[] => [...text];

export const isUpper = (char: string): boolean => /^\p{Lu}$/u.test(char);
export const isLower = (char: string): boolean => /^\p{Ll}$/u.test(char);
export const isTitle = (char: string): boolean => /^\p{Lt}$/u.test(char);
