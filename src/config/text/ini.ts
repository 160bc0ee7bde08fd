/**
 * Parses the lines of configuration files, with their order and line numbers (configuration.md section 0). What names and
 * values mean is decided by the files that read options and profiles.
 */
import { unsafe } from 'ini';
import { type Problem, problem } from './problem.ts';

export interface IniEntry {
  readonly key: string;
  /** The value without one pair of double quotes around it. */
  readonly value: string;
  /** The value as written, without surrounding whitespace and comment. */
  readonly raw: string;
  readonly line: number;
}

export interface Section {
  readonly name: string;
  readonly line: number;
  readonly entries: readonly IniEntry[];
}

export interface IniFile {
  readonly file: string;
  /** Entries before the first section. */
  readonly head: readonly IniEntry[];
  /** In the order of the file. */
  readonly sections: readonly Section[];
  readonly problems: readonly Problem[];
}

const WHITESPACE = ' \t\v\f';
const CONTROL = /[\u0000-\u0008\u000a-\u001f\u007f]/;

/**
 * Parses a decoded text without BOM, in linear time. Never throws; `problems` has every problem of the file.
 * `sectionName` returns the canonical spelling of a section name.
 */
export function parseIni(file: string, text: string, sectionName = (written: string): string => written): IniFile {
  const problems: Problem[] = [];
  const report = (line: number, option: string, message: string): void => {
    problems.push(problem({ file, line }, option, message));
  };
  const head: IniEntry[] = [];
  const sections: (Section & { entries: IniEntry[] })[] = [];
  const sectionLines = new Map<string, number>();
  let entries = head;
  let keyLines = new Map<string, number>();

  text.split('\n').forEach((full, index) => {
    const line = index + 1;
    const content = trimmed(withoutComment(full.endsWith('\r') ? full.slice(0, -1) : full));
    if (content === '') return;
    if (CONTROL.test(content)) {
      report(line, '', 'contains a control character');
      return;
    }
    if (content.startsWith('[')) {
      entries = [];
      keyLines = new Map();
      const name = sectionName(trimmed(content.slice(1, -1)));
      if (!content.endsWith(']')) {
        report(line, '', 'the section does not end with ]: write [name]; only a # comment may follow it');
        return;
      }
      if (name === '') report(line, '', '[] has no name: write the name of the section between [ and ]');
      const first = sectionLines.get(name);
      if (first !== undefined) report(line, '', `section [${name}] is already on line ${first}`);
      sectionLines.set(name, first ?? line);
      sections.push({ name, line, entries });
      return;
    }
    const equals = content.indexOf('=');
    const key = trimmed(content.slice(0, Math.max(equals, 0)));
    if (key === '') {
      report(line, '', 'must be name=value, a [section], or a comment that begins with # or ;');
      return;
    }
    const first = keyLines.get(key);
    if (first !== undefined) {
      report(line, nameOnly(key), `is already set on line ${first}`);
      return;
    }
    keyLines.set(key, line);
    const raw = trimmed(content.slice(equals + 1));
    const value = unquoted(raw);
    if (CONTROL.test(value)) report(line, nameOnly(key), 'the value contains a control character');
    else entries.push({ key, value, raw, line });
  });
  return { file, head, sections, problems };
}

/** A key that is safe to echo, else '': a line of a wrapped token rarely looks like the name of an option. */
export function nameOnly(key: string): string {
  return /^[a-z][a-z-]{0,39}$/.test(key) ? key : '';
}

/** The text without whitespace around it. (A regular expression would be quadratic on whitespace inside.) */
function trimmed(text: string): string {
  let from = 0;
  let to = text.length;
  while (from < to && WHITESPACE.includes(text.charAt(from))) from++;
  while (to > from && WHITESPACE.includes(text.charAt(to - 1))) to--;
  return text.slice(from, to);
}

/**
 * Removes a comment: `#` or `;` at the beginning of the line, or `#` after whitespace outside double quotes. A double
 * quote without a partner is an ordinary character.
 */
function withoutComment(line: string): string {
  if (/^[ \t\v\f]*[#;]/.test(line)) return '';
  let hasUnescaped = true;
  for (let i = 0; i < line.length; i++) {
    const mark = line.charAt(i);
    if (mark === '"') {
      const unescaped: number = hasUnescaped ? unescapedQuote(line, i + 1) : -1;
      hasUnescaped = unescaped > 0;
      const end = hasUnescaped ? unescaped : line.indexOf('"', i + 1);
      if (end > 0) i = end;
    } else if (mark === '#' && i > 0 && WHITESPACE.includes(line.charAt(i - 1))) {
      return line.slice(0, i);
    }
  }
  return line;
}

/** Index of the next double quote without a backslash before it; -1 if there is none. `from` follows a double quote. */
function unescapedQuote(line: string, from: number): number {
  for (let i = from; i < line.length; i++) {
    if (line.charAt(i) === '\\') i++;
    else if (line.charAt(i) === '"') return i;
  }
  return -1;
}

/** Removes one pair of double quotes around the value; JSON escapes count where the value is a JSON string. */
function unquoted(raw: string): string {
  if (raw.length < 2 || !raw.startsWith('"')) return raw;
  const unescaped = unescapedQuote(raw, 1);
  if ((unescaped < 0 ? raw.indexOf('"', 1) : unescaped) !== raw.length - 1) return raw;
  const decoded: unknown = unsafe(raw);
  return typeof decoded === 'string' && decoded !== raw ? decoded : raw.slice(1, -1);
}
