/** sprig's functions of strings. */
import { byteLength, compareBytes } from '../bytes.ts';
import { any, define, defineVariadic, int, type Parameter, string } from '../definition.ts';
import { quoted } from '../language/format-string.ts';
import { printForm } from '../print-form.ts';
import { type Budget, type GoFunction, itemsOf, Slice, TypedMap, type Value } from '../values.ts';
import { characters, lowerChar, runes, trimSpace, upperChar } from './go-text.ts';
import { strings, strval } from './strval.ts';
import { connectedCase, initials, joinedCase, swapCase, title, untitle, withoutSpace } from './text-case.ts';
import { abbreviate, indent, repeatText, substring, truncate, wrap } from './text-layout.ts';

/** An int that counts characters or positions; what exceeds 53 bits is far above any length anyway. */
const count: Parameter<number> = { type: 'int', read: (value) => Number(int.read(value)) };

function trimEnds(text: string, cutset: string): string {
  const chars = characters(text);
  const cut = new Set(characters(cutset));
  const isKept = (char: string): boolean => !cut.has(char);
  const start = chars.findIndex(isKept);
  return start < 0 ? '' : chars.slice(start, chars.findLastIndex(isKept) + 1).join('');
}

/** As strings.SplitN: all parts for a negative limit, the last part takes the rest. */
function splitParts(text: string, separator: string, limit: number, budget: Budget): readonly string[] {
  if (limit === 0) return [];
  const parts = separator === '' ? characters(text) : text.split(separator);
  budget.step(parts.length);
  if (limit < 0 || parts.length <= limit) return parts;
  return [...parts.slice(0, limit - 1), parts.slice(limit - 1).join(separator)];
}

/** `{_0: ..., _1: ...}`. */
const numbered = (parts: readonly string[]): TypedMap =>
  new TypedMap('string', new Map(parts.map((part, i) => [`_${i}`, part])));

function replaceAll(text: string, old: string, replacement: string, budget: Budget): string {
  const parts = old === '' ? ['', ...characters(text), ''] : text.split(old);
  // An empty text has one place for an empty string, not two.
  const places = old === '' && text === '' ? ['', ''] : parts;
  budget.reserve(byteLength(text) + (places.length - 1) * byteLength(replacement));
  return places.join(replacement);
}

const isNil = (value: Value): boolean => value === null || value === undefined;

export const TEXT_FUNCTIONS: readonly GoFunction[] = [
  ...define('hello', [], () => 'Hello!'),
  ...define('trim', [string], ([text]) => trimSpace(text)),
  ...define('trimAll trimall', [string, string], ([cutset, text]) => trimEnds(text, cutset)),
  ...define('trimSuffix', [string, string], ([suffix, text]) =>
    text.endsWith(suffix) ? text.slice(0, text.length - suffix.length) : text,
  ),
  ...define('trimPrefix', [string, string], ([prefix, text]) =>
    text.startsWith(prefix) ? text.slice(prefix.length) : text,
  ),
  ...define('upper', [string], ([text]) => runes(text).map(upperChar).join('')),
  ...define('lower', [string], ([text]) => runes(text).map(lowerChar).join('')),
  ...define('title', [string], ([text]) => title(text)),
  ...define('untitle', [string], ([text]) => untitle(text)),
  ...define('swapcase', [string], ([text]) => swapCase(text)),
  ...define('camelcase', [string], ([text]) => joinedCase(text)),
  ...define('snakecase', [string], ([text]) => connectedCase(text, '_')),
  ...define('kebabcase', [string], ([text]) => connectedCase(text, '-')),
  ...define('initials', [string], ([text]) => initials(text)),
  ...define('nospace', [string], ([text]) => withoutSpace(text)),
  ...define('repeat', [count, string], ([times, text], budget) => repeatText(text, times, budget)),
  ...define('substr', [count, count, string], ([start, end, text]) => substring(start, end, text)),
  ...define('trunc', [count, string], ([length, text]) => truncate(length, text)),
  ...define('abbrev', [count, string], ([width, text]) => (width < 4 ? text : abbreviate(text, 0, width))),
  ...define('abbrevboth', [count, count, string], ([left, right, text]) =>
    right < 4 || (left > 0 && right < 7) ? text : abbreviate(text, left, right),
  ),
  ...define('wrap', [count, string], ([width, text], budget) => wrap(text, width, '', false, budget)),
  ...define('wrapWith', [count, string, string], ([width, newLine, text], budget) =>
    wrap(text, width, newLine, true, budget),
  ),
  ...define('contains', [string, string], ([part, text]) => text.includes(part)),
  ...define('hasPrefix', [string, string], ([prefix, text]) => text.startsWith(prefix)),
  ...define('hasSuffix', [string, string], ([suffix, text]) => text.endsWith(suffix)),
  ...defineVariadic('quote', [], any, (_none, values, budget) =>
    values
      .filter((value) => !isNil(value))
      .map((value) => quoted(strval(value, budget), '"', false))
      .join(' '),
  ),
  ...defineVariadic('squote', [], any, (_none, values, budget) =>
    values
      .filter((value) => !isNil(value))
      .map((value) => `'${printForm(value, budget)}'`)
      .join(' '),
  ),
  ...defineVariadic('cat', [], any, (_none, values, budget) =>
    values
      .filter((value) => !isNil(value))
      .map((value) => printForm(value, budget))
      .join(' '),
  ),
  ...define('indent', [count, string], ([spaces, text], budget) => indent(spaces, text, budget)),
  ...define('nindent', [count, string], ([spaces, text], budget) => `\n${indent(spaces, text, budget)}`),
  ...define('replace', [string, string, string], ([old, replacement, text], budget) =>
    replaceAll(text, old, replacement, budget),
  ),
  ...define('plural', [string, string, int], ([one, many, n]) => (n === 1n ? one : many)),
  ...define('toString', [any], ([value], budget) => strval(value, budget)),
  ...define('toStrings', [any], ([value], budget) => stringSlice(strings(value, budget))),
  ...define('join', [string, any], ([separator, value], budget) => {
    const parts = strings(value, budget);
    budget.reserve(parts.length * byteLength(separator));
    return parts.join(separator);
  }),
  ...define('sortAlpha', [any], ([value], budget) =>
    stringSlice(
      itemsOf(value) === undefined ? [strval(value, budget)] : [...strings(value, budget)].sort(compareBytes),
    ),
  ),
  ...define('split', [string, string], ([separator, text], budget) =>
    numbered(splitParts(text, separator, -1, budget)),
  ),
  ...define('splitn', [string, count, string], ([separator, limit, text], budget) =>
    numbered(splitParts(text, separator, limit, budget)),
  ),
  ...define('splitList', [string, string], ([separator, text], budget) =>
    stringSlice(splitParts(text, separator, -1, budget)),
  ),
];

const stringSlice = (items: readonly string[]): Slice => new Slice('string', items);
