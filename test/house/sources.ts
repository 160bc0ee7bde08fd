/** The TypeScript files of this repository as the house rules see them: imports, exports, comments, strings and test titles. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '../..');

interface Import {
  /** Path from the repository's root, or the name of a package or of a part of Node.js. */
  readonly from: string;
  /** `*` if all of it may be used. */
  readonly names: readonly string[];
}

/** A comment, a string literal or a paragraph, with the line where it begins. */
export interface Prose {
  readonly line: number;
  readonly text: string;
}

export interface SourceFile {
  readonly path: string;
  readonly lines: readonly string[];
  readonly imports: readonly Import[];
  readonly exports: readonly string[];
  readonly comments: readonly Prose[];
  /** String literals and the fixed parts of templates. */
  readonly strings: readonly Prose[];
  /** First arguments of `t.test`. */
  readonly titles: readonly Prose[];
  /** Literals of regular expressions, with their slashes and flags. */
  readonly expressions: readonly Prose[];
  /** The text with spaces in place of comments, literals and regular expressions. */
  readonly code: string;
}

const IMPORT =
  /(?:^|\n)(?:import|export)\s+(?:type\s+)?(?:(\*|[\w*]+|\{[^}]*\})[^'"\n{}]*\s+from\s+)?'([^']+)'|import\('([^']+)'\)/g;
const EXPORT =
  /(?:^|\n)export\s+(?:declare\s+|abstract\s+|async\s+)?(?:const|let|function\*?|class|interface|type)\s+(\w+)|(?:^|\n)export\s+(?:type\s+)?\{([^}]*)\}/g;
const TITLE = /\b\w*\.test\(\s*$/;

/** Reads every TypeScript file below these folders of the repository. */
export function readSources(folders: readonly string[]): readonly SourceFile[] {
  return folders.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .filter((path) => path.endsWith('.ts') && !path.endsWith('.d.ts'))
      .sort()
      .map((path) => sourceFile(join(folder, path), readFileSync(join(root, folder, path), 'utf8'))),
  );
}

/** The folders below one folder, at any depth, as paths from the repository's root. */
export function foldersBelow(folder: string): readonly string[] {
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => relative(root, join(entry.parentPath, entry.name)))
    .sort();
}

/** The Markdown files at the top level and in docs/, as paragraphs without code. */
export function readDocuments(): readonly { readonly path: string; readonly prose: readonly Prose[] }[] {
  return ['.', 'docs']
    .flatMap((folder) => readdirSync(join(root, folder)).map((name) => join(folder, name)))
    .filter((path) => path.endsWith('.md'))
    .map((path) => ({ path, prose: paragraphs(readFileSync(join(root, path), 'utf8')) }));
}

function paragraphs(markdown: string): readonly Prose[] {
  const withoutCode = markdown.replace(/^( *)```.*\n[\s\S]*?^ *```/gm, (block) => block.replace(/[^\n]/g, ''));
  return withoutCode.split('\n').map((text, index) => ({ line: index + 1, text }));
}

/** The source of one file, taken apart. */
export function sourceFile(path: string, text: string): SourceFile {
  const { comments, strings, titles, expressions, code } = scan(text);
  return {
    path,
    lines: text.trimEnd().split('\n'),
    imports: importsOf(path, text),
    exports: [...text.matchAll(EXPORT)].flatMap(([, name, list]) =>
      list === undefined ? [name ?? ''] : namesIn(list).map((each) => each.replace(/.*\s+as\s+/, '')),
    ),
    comments,
    strings,
    titles,
    expressions,
    code,
  };
}

function importsOf(path: string, text: string): readonly Import[] {
  return [...text.matchAll(IMPORT)].map(([, what, written = '', loaded]) => {
    const from = loaded ?? written;
    const target = from.startsWith('.') ? relative(root, resolve(root, dirname(path), from)) : from;
    const names = what?.startsWith('{') ? namesIn(what).map((name) => name.replace(/\s+as\s+.*/, '')) : ['*'];
    return { from: target, names: loaded === undefined ? names : ['*'] };
  });
}

const namesIn = (list: string): string[] =>
  list
    .replace(/[{}]/g, '')
    .split(',')
    .map((name) => name.trim().replace(/^type\s+/, ''))
    .filter((name) => name !== '');

/** What may come before a regular expression; after anything else a slash divides. */
const BEFORE_EXPRESSION = /(?:[(,=:[!&|?{};+~<>*%^-]|\breturn|\bcase|=>|^)\s*$/;

/** Finds comments and string literals in TypeScript, which no regular expression alone can. */
function scan(text: string): Pick<SourceFile, 'comments' | 'strings' | 'titles' | 'expressions' | 'code'> {
  const comments: Prose[] = [];
  const strings: Prose[] = [];
  const titles: Prose[] = [];
  const expressions: Prose[] = [];
  /** For each template that is open: how many braces are open in its `${`. */
  const templates: number[] = [];
  let code = '';
  let line = 1;
  let at = 0;

  const take = (end: number, isCode = false): string => {
    const taken = text.slice(at, end);
    code += isCode ? taken : taken.replace(/[^\n]/g, ' ');
    line += taken.split('\n').length - 1;
    at = end;
    return taken;
  };
  const keepString = (end: number): void => {
    const isTitle = TITLE.test(text.slice(Math.max(0, at - 80), at - 1));
    const prose = { line, text: take(end) };
    strings.push(prose);
    if (isTitle) titles.push(prose);
  };
  /** Reads a template up to its end or its next `${`. */
  const template = (): void => {
    const end = endOf(text, at, '`');
    keepString(end);
    if (text[at] === '`') take(at + 1, true);
    else {
      take(at + 2, true);
      templates.push(0);
    }
  };

  while (at < text.length) {
    const character = text[at] ?? '';
    if (text.startsWith('//', at)) {
      const end = text.indexOf('\n', at);
      comments.push({ line, text: take(end < 0 ? text.length : end).slice(2) });
    } else if (text.startsWith('/*', at)) {
      const end = text.indexOf('*/', at + 2) + 2;
      comments.push({
        line,
        text: take(end)
          .slice(2, -2)
          .replace(/^\s*\*/gm, ''),
      });
    } else if (character === "'" || character === '"') {
      take(at + 1, true);
      keepString(endOf(text, at, character));
      take(at + 1, true);
    } else if (character === '`') {
      take(at + 1, true);
      template();
    } else if (character === '/' && BEFORE_EXPRESSION.test(text.slice(Math.max(0, at - 20), at))) {
      const literal = { line, text: take(endOfExpression(text, at)) };
      if (literal.text.length > 1) expressions.push(literal);
    } else if (character === '}' && templates.at(-1) === 0) {
      templates.pop();
      take(at + 1, true);
      template();
    } else {
      const open = templates.length - 1;
      const step = character === '{' ? 1 : character === '}' ? -1 : 0;
      if (open >= 0) templates[open] = (templates[open] ?? 0) + step;
      take(at + 1, true);
    }
  }
  return { comments, strings, titles, expressions, code };
}

/** Where a literal ends: before its quote, or before `${` in a template. */
function endOf(text: string, from: number, quote: string): number {
  let at = from;
  while (at < text.length && text[at] !== quote && !(quote === '`' && text.startsWith('${', at))) {
    at += text[at] === '\\' ? 2 : 1;
  }
  return at;
}

/** Where a regular expression that begins here ends. */
function endOfExpression(text: string, from: number): number {
  let inClass = false;
  for (let at = from + 1; at < text.length; at++) {
    if (text[at] === '\\') at++;
    else if (text[at] === '[') inClass = true;
    else if (text[at] === ']') inClass = false;
    else if (text[at] === '/' && !inClass)
      return at + 1 + (/^[a-z]*/.exec(text.slice(at + 1, at + 9))?.[0].length ?? 0);
    else if (text[at] === '\n') return from + 1;
  }
  return from + 1;
}
