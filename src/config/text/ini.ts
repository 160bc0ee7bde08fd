/**
 * Reads the lines of our configuration files: in their order, with their numbers, and loudly (configuration.md
 * section 0). What the names mean is for options.ts and profiles.ts to say.
 */
import { unsafe } from 'ini';
import { type Problem, problem } from './problem.ts';

export interface Entry {
  readonly key: string;
  /** The value without one pair of double quotes around the whole. */
  readonly value: string;
  /** The value as written, without blanks around and comment. */
  readonly raw: string;
  readonly line: number;
}

export interface Section {
  readonly name: string;
  readonly line: number;
  readonly entries: readonly Entry[];
}

interface IniFile {
  readonly file: string;
  /** What stands before the first section. */
  readonly head: readonly Entry[];
  /** In the order of the file, whatever their names. */
  readonly sections: readonly Section[];
  readonly problems: readonly Problem[];
}

const BLANKS_AROUND = /^[ \t\v\f]+|(?<![ \t\v\f])[ \t\v\f]+$/g;
const CONTROL = /[\u0000-\u0008\u000a-\u001f\u007f]/;

/**
 * Parses the text of a file (already decoded, without BOM). Never throws; every problem of the file is in `problems`.
 * `sectionName`: the one way to write the name of a section that can be written in several.
 */
export function parseIni(file: string, text: string, sectionName = (written: string): string => written): IniFile {
  const problems: Problem[] = [];
  const report = (line: number, option: string, message: string): void => {
    problems.push(problem({ file, line }, option, message));
  };
  const head: Entry[] = [];
  const sections: (Section & { entries: Entry[] })[] = [];
  const sectionLines = new Map<string, number>();
  let entries = head;
  let keyLines = new Map<string, number>();

  text.split('\n').forEach((full, index) => {
    const line = index + 1;
    const content = withoutComment(full.replace(/\r$/, '')).replace(BLANKS_AROUND, '');
    if (content === '') return;
    if (CONTROL.test(content)) {
      report(line, '', 'holds a control character');
      return;
    }
    if (content.startsWith('[')) {
      entries = [];
      keyLines = new Map();
      const name = sectionName(content.slice(1, -1).replace(BLANKS_AROUND, ''));
      if (!content.endsWith(']')) {
        report(line, '', 'a section must be written as [name], with nothing but a # comment after it');
        return;
      }
      if (name === '') report(line, '', 'a section needs a name: []');
      const first = sectionLines.get(name);
      if (first !== undefined) report(line, '', `section [${name}] is already on line ${first}`);
      sectionLines.set(name, first ?? line);
      sections.push({ name, line, entries });
      return;
    }
    const equals = content.indexOf('=');
    const key = content.slice(0, equals).replace(BLANKS_AROUND, '');
    if (equals < 0 || key === '') {
      report(line, '', 'must be name=value, a [section], or a comment that begins with # or ;');
      return;
    }
    const first = keyLines.get(key);
    if (first !== undefined) {
      report(line, nameOnly(key), `is already set on line ${first}`);
      return;
    }
    keyLines.set(key, line);
    const raw = content.slice(equals + 1).replace(BLANKS_AROUND, '');
    const value = unquoted(raw);
    if (CONTROL.test(value)) report(line, nameOnly(key), 'its value holds a control character');
    else entries.push({ key, value, raw, line });
  });
  return { file, head, sections, problems };
}

/** A name that may be shown: a wrapped token must not be echoed, and few look like the name of an option. */
export function nameOnly(key: string): string {
  return /^[a-z][a-z-]{0,39}$/.test(key) ? key : '';
}

/**
 * Cuts a comment off a line: first non-blank `#` or `;`, or `#` after white space outside double quotes. A double quote
 * without its partner is an ordinary character.
 */
function withoutComment(line: string): string {
  if (/^[ \t\v\f]*[#;]/.test(line)) return '';
  for (let i = 0; i < line.length; i++) {
    const mark = line.charAt(i);
    if (mark === '"') {
      const end = closingQuote(line, i);
      if (end > 0) i = end;
    } else if (mark === '#' && /[ \t\v\f]/.test(line.charAt(i - 1))) {
      return line.slice(0, i);
    }
  }
  return line;
}

/** Index of the double quote that closes the one at `open`; -1 if there is none. A backslash hides the next character. */
function closingQuote(line: string, open: number): number {
  for (let i = open + 1; i < line.length; i++) {
    if (line.charAt(i) === '\\') i++;
    else if (line.charAt(i) === '"') return i;
  }
  return line.indexOf('"', open + 1);
}

/** Takes one pair of double quotes off that stands around the whole; JSON escapes count where they make sense. */
function unquoted(raw: string): string {
  if (raw.length < 2 || !raw.startsWith('"') || closingQuote(raw, 0) !== raw.length - 1) return raw;
  const decoded: unknown = unsafe(raw);
  return typeof decoded === 'string' && decoded !== raw ? decoded : raw.slice(1, -1);
}
