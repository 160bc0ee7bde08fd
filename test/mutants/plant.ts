/** Defects as a careless edit makes them: one comparison, condition, constant or return of a source changed. */
import { type SourceFile, sourceFile } from '../house/sources.ts';

/** One small change of one file. */
export interface Mutant {
  readonly path: string;
  /** Where it is, beginning with 1. */
  readonly line: number;
  readonly before: string;
  readonly after: string;
}

/** Replaces the characters from `begin` to `end` of the file. */
interface Edit {
  readonly begin: number;
  readonly end: number;
  readonly text: string;
}

const FLIPPED: Readonly<Record<string, string>> = {
  '===': '!==',
  '!==': '===',
  '<': '<=',
  '<=': '<',
  '>': '>=',
  '>=': '>',
  '&&': '||',
  '||': '&&',
  '??': '&&',
  '+': '-',
  '-': '+',
};

/** Lines that declare types only: a change there is no change of the program. */
const TYPES =
  /^\s*(?:readonly |export (?:interface|type)|interface|type |\||import |export \{)|^\s*\w+\??: [A-Z][\w<>]*;$/;
const OPERATOR = / (===|!==|<=|>=|<|>|&&|\|\||\?\?|\+|-) /g;
const CONDITION = /\bif \(|\bwhile \(/g;
const CONSTANT = /(?<![\w.$#])\d[\d_]*(?![\w.])|\b(?:true|false)\b/g;
const CALL = /^ {2,}(?:await |void )?[\w.#?]+\(.*\);$/gm;

/** Every defect that can be planted in one source, in the order of its lines. */
export function mutantsOf(path: string, text: string): readonly Mutant[] {
  const { code } = sourceFile(path, text);
  const edits = [...operators(code), ...conditions(code), ...constants(code), ...returns(code)];
  return edits
    .filter(({ begin }) => !TYPES.test(lineAt(code, begin)))
    .sort((a, b) => a.begin - b.begin)
    .map((edit) => ({
      path,
      line: code.slice(0, edit.begin).split('\n').length,
      before: lineAt(text, edit.begin),
      after: lineAt(text.slice(0, edit.begin) + edit.text + text.slice(edit.end), edit.begin),
    }));
}

/** The text with the defect in it. */
export function plant(text: string, { line, after }: Mutant): string {
  return text
    .split('\n')
    .map((same, index) => (index === line - 1 ? after : same))
    .join('\n');
}

function operators(code: string): readonly Edit[] {
  return [...code.matchAll(OPERATOR)].map(({ 1: operator = '', index }) => ({
    begin: index + 1,
    end: index + 1 + operator.length,
    text: FLIPPED[operator] ?? operator,
  }));
}

/** The condition of an `if` is always true; a `while` never runs. */
function conditions(code: string): readonly Edit[] {
  return [...code.matchAll(CONDITION)].flatMap(({ 0: keyword, index }) => {
    const begin = index + keyword.length;
    const end = closing(code, begin);
    const isOneLine = end >= 0 && !code.slice(begin, end).includes('\n');
    return isOneLine ? [{ begin, end, text: keyword.startsWith('if') ? 'true' : 'false' }] : [];
  });
}

function constants(code: string): readonly Edit[] {
  return [...code.matchAll(CONSTANT)].map(({ 0: constant, index }) => ({
    begin: index,
    end: index + constant.length,
    text: { true: 'false', false: 'true', '0': '1', '1': '2' }[constant] ?? '0',
  }));
}

/** Returns before a call and what follows it. */
function returns(code: string): readonly Edit[] {
  return [...code.matchAll(CALL)].map(({ 0: call, index }) => {
    const begin = index + call.length - call.trimStart().length;
    return { begin, end: begin, text: 'return; ' };
  });
}

/** Where the parenthesis that is open at `from` is closed; -1: nowhere. */
function closing(code: string, from: number): number {
  let depth = 1;
  for (let at = from; at < code.length; at++) {
    if (code[at] === '(') depth++;
    else if (code[at] === ')') depth--;
    if (depth === 0) return at;
  }
  return -1;
}

function lineAt(text: string, at: number): string {
  const begin = text.lastIndexOf('\n', at - 1) + 1;
  const end = text.indexOf('\n', at);
  return text.slice(begin, end < 0 ? text.length : end);
}

/** The tests closest to a source: its mirror, then tests that import it, directly or through other files. */
export function nearestTests(path: string, files: readonly SourceFile[], limit: number): readonly string[] {
  const importers = Map.groupBy(
    files.flatMap((file) => file.imports.map(({ from }) => ({ from, path: file.path }))),
    ({ from }) => from,
  );
  const mirror = path.replace(/^src\//, 'test/').replace(/\.ts$/, '.test.ts');
  const reached = new Set([path]);
  const tests = files.some((file) => file.path === mirror) ? [mirror] : [];
  for (const each of reached) {
    for (const { path: importer } of importers.get(each) ?? []) {
      if (importer.endsWith('.test.ts') && !tests.includes(importer)) tests.push(importer);
      reached.add(importer);
    }
    if (tests.length >= limit) break;
  }
  return tests.slice(0, limit);
}
