/** sprig's functions of regular expressions, with the rules of Go's package regexp for repeated matches and replacements. */
import { GoError } from '../contract.ts';
import { define, int, string } from '../definition.ts';
import { canBackquote, quoted } from '../language/format-string.ts';
import { NilSlice } from '../nil-values.ts';
import { type Budget, type GoFunction, Slice } from '../values.ts';
import { type Captures, matchAll, matchFrom, widthAt } from './regex/regex-matcher.ts';
import { compileRegex, type Program } from './regex/regex-program.ts';

/** The error messages of the must forms; Go's `MustCompile`, which the other forms use, says more. */
function compiled(source: string): Program {
  try {
    return compileRegex(source);
  } catch (error) {
    if (!(error instanceof GoError)) throw error;
    const shown = canBackquote(source) ? `\`${source}\`` : quoted(source, '"', false);
    throw new GoError(`regexp: Compile(${shown}): ${error.message}`);
  }
}

const countOf = (n: bigint): number => (n < 0n ? Number.POSITIVE_INFINITY : Number(n));

function findAll(program: Program, text: string, n: bigint, budget: Budget): Slice {
  const found = matchAll(program, text, countOf(n), budget);
  return found.length === 0
    ? new NilSlice('string')
    : new Slice(
        'string',
        found.map(([start, end]) => text.slice(start, end)),
      );
}

function split(program: Program, source: string, text: string, n: bigint, budget: Budget): Slice {
  if (n === 0n) return new NilSlice('string');
  if (source !== '' && text === '') return new Slice('string', ['']);
  const parts: string[] = [];
  let from = 0;
  let end = 0;
  for (const [start = 0, after = 0] of matchAll(program, text, countOf(n), budget)) {
    if (n > 0n && parts.length === Number(n) - 1) break;
    end = start;
    if (after !== 0) parts.push(text.slice(from, end));
    from = after;
  }
  if (end !== text.length) parts.push(text.slice(from));
  return new Slice('string', parts);
}

function replaceAll(program: Program, text: string, by: (match: Captures) => string, budget: Budget): string {
  let result = '';
  let lastEnd = 0;
  for (let index = 0; index <= text.length; ) {
    const match = matchFrom(program, text, index, budget);
    if (match === undefined) break;
    const [start = 0, end = 0] = match;
    result += text.slice(lastEnd, start);
    if (end > lastEnd || start === 0) {
      const replacement = by(match);
      budget.reserve(replacement.length);
      result += replacement;
    }
    lastEnd = end;
    index = Math.max(index + (widthAt(text, index) || 1), end);
  }
  return result + text.slice(lastEnd);
}

/** A replacement with `$1`, `${1}`, `$name` and `${name}` filled in; `$$` is a dollar sign. */
function expand(template: string, { names }: Program, text: string, match: Captures): string {
  return template.replace(/\$(?:\$|\{([\p{L}\p{Nd}_]+)\}|([\p{L}\p{Nd}_]+))/gu, (whole, braced, plain) => {
    if (whole === '$$') return '$';
    const name = String(braced ?? plain);
    const index = /^(?:0|[1-9]\d{0,8})$/.test(name)
      ? Number(name)
      : names.findIndex((each, i) => each === name && (match[2 * i] ?? -1) >= 0);
    const start = match[2 * index] ?? -1;
    return start < 0 ? '' : text.slice(start, match[2 * index + 1]);
  });
}

const quoteMeta = (text: string): string => text.replace(/[\\.+*?()|[\]{}^$]/g, '\\$&');

export const REGEX_FUNCTIONS: readonly GoFunction[] = [
  ...define('regexMatch', [string, string], ([regex, text], budget) => {
    try {
      return matchFrom(compileRegex(regex), text, 0, budget) !== undefined;
    } catch (error) {
      if (error instanceof GoError) return false;
      throw error;
    }
  }),
  ...define(
    'mustRegexMatch',
    [string, string],
    ([regex, text], budget) => matchFrom(compileRegex(regex), text, 0, budget) !== undefined,
  ),
  ...forms(
    'RegexFind',
    (compile) => (name) =>
      define(name, [string, string], ([regex, text], budget) => {
        const [start = 0, end = 0] = matchFrom(compile(regex), text, 0, budget) ?? [];
        return text.slice(start, end);
      }),
  ),
  ...forms(
    'RegexFindAll',
    (compile) => (name) =>
      define(name, [string, string, int], ([regex, text, n], budget) => findAll(compile(regex), text, n, budget)),
  ),
  ...forms(
    'RegexReplaceAll',
    (compile) => (name) =>
      define(name, [string, string, string], ([regex, text, replacement], budget) => {
        const program = compile(regex);
        return replaceAll(program, text, (match) => expand(replacement, program, text, match), budget);
      }),
  ),
  ...forms(
    'RegexReplaceAllLiteral',
    (compile) => (name) =>
      define(name, [string, string, string], ([regex, text, replacement], budget) =>
        replaceAll(compile(regex), text, () => replacement, budget),
      ),
  ),
  ...forms(
    'RegexSplit',
    (compile) => (name) =>
      define(name, [string, string, int], ([regex, text, n], budget) => split(compile(regex), regex, text, n, budget)),
  ),
  ...define('regexQuoteMeta', [string], ([text]) => quoteMeta(text)),
];

/** The form that panics and the must form, which differ in the text of their error. */
function forms(
  name: string,
  make: (compile: (source: string) => Program) => (name: string) => readonly GoFunction[],
): readonly GoFunction[] {
  return [...make(compiled)(`r${name.slice(1)}`), ...make(compileRegex)(`must${name}`)];
}
