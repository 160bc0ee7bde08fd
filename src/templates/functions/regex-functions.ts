/** sprig's functions of regular expressions, with the rules of Go's package regexp for repeated matches and replacements. */
import type { Sliced } from '../../system/slices.ts';
import { GoError } from '../contract.ts';
import { define, defineSliced, int, string } from '../definition.ts';
import { canBackquote, quoted } from '../language/format-string.ts';
import { NilSlice } from '../nil-values.ts';
import { type Budget, Slice, type TemplateFunction } from '../values.ts';
import { type Captures, Matcher, widthAt } from './regex/regex-matcher.ts';
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

function* findAll(program: Program, text: string, n: bigint, budget: Budget): Sliced<Slice> {
  const found = yield* new Matcher(program, text, budget).all(countOf(n));
  return found.length === 0
    ? new NilSlice('string')
    : new Slice(
        'string',
        found.map(([start, end]) => text.slice(start, end)),
      );
}

function* split(program: Program, source: string, text: string, n: bigint, budget: Budget): Sliced<Slice> {
  if (n === 0n) return new NilSlice('string');
  if (source !== '' && text === '') return new Slice('string', ['']);
  const parts: string[] = [];
  let from = 0;
  let end = 0;
  for (const [start = 0, after = 0] of yield* new Matcher(program, text, budget).all(countOf(n))) {
    if (n > 0n && parts.length === Number(n) - 1) break;
    end = start;
    if (after !== 0) parts.push(text.slice(from, end));
    from = after;
  }
  if (end !== text.length) parts.push(text.slice(from));
  return new Slice('string', parts);
}

function* replaceAll(program: Program, text: string, by: (match: Captures) => string, budget: Budget): Sliced<string> {
  const matcher = new Matcher(program, text, budget);
  const parts: string[] = [];
  let lastEnd = 0;
  for (let index = 0; index <= text.length; ) {
    const match = yield* matcher.from(index);
    if (match === undefined) break;
    const [start = 0, end = 0] = match;
    parts.push(text.slice(lastEnd, start));
    if (end > lastEnd || start === 0) {
      const replacement = by(match);
      budget.reserve(replacement.length);
      parts.push(replacement);
    }
    lastEnd = end;
    index = Math.max(index + (widthAt(text, index) || 1), end);
  }
  parts.push(text.slice(lastEnd));
  return parts.join('');
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

export const REGEX_FUNCTIONS: readonly TemplateFunction[] = [
  ...defineSliced('regexMatch', [string, string], function* ([regex, text], budget) {
    try {
      return (yield* firstMatch(compileRegex(regex), text, budget)) !== undefined;
    } catch (error) {
      if (error instanceof GoError) return false;
      throw error;
    }
  }),
  ...defineSliced('mustRegexMatch', [string, string], function* ([regex, text], budget) {
    return (yield* firstMatch(compileRegex(regex), text, budget)) !== undefined;
  }),
  ...forms(
    'RegexFind',
    (compile) => (name) =>
      defineSliced(name, [string, string], function* ([regex, text], budget) {
        const [start = 0, end = 0] = (yield* firstMatch(compile(regex), text, budget)) ?? [];
        return text.slice(start, end);
      }),
  ),
  ...forms(
    'RegexFindAll',
    (compile) => (name) =>
      defineSliced(name, [string, string, int], ([regex, text, n], budget) => findAll(compile(regex), text, n, budget)),
  ),
  ...forms(
    'RegexReplaceAll',
    (compile) => (name) =>
      defineSliced(name, [string, string, string], ([regex, text, replacement], budget) => {
        const program = compile(regex);
        return replaceAll(program, text, (match) => expand(replacement, program, text, match), budget);
      }),
  ),
  ...forms(
    'RegexReplaceAllLiteral',
    (compile) => (name) =>
      defineSliced(name, [string, string, string], ([regex, text, replacement], budget) =>
        replaceAll(compile(regex), text, () => replacement, budget),
      ),
  ),
  ...forms(
    'RegexSplit',
    (compile) => (name) =>
      defineSliced(name, [string, string, int], ([regex, text, n], budget) =>
        split(compile(regex), regex, text, n, budget),
      ),
  ),
  ...define('regexQuoteMeta', [string], ([text]) => quoteMeta(text)),
];

const firstMatch = (program: Program, text: string, budget: Budget): Sliced<Captures | undefined> =>
  new Matcher(program, text, budget).from(0);

/** The form that panics and the must form, which differ in the text of their error. */
function forms(
  name: string,
  make: (compile: (source: string) => Program) => (name: string) => readonly TemplateFunction[],
): readonly TemplateFunction[] {
  return [...make(compiled)(`r${name.slice(1)}`), ...make(compileRegex)(`must${name}`)];
}
