/** A position in a YAML text, and the scalars of YAML read from it, as libyaml and with it go-yaml read them. */

/** The text is not YAML, or has what is not allowed; `offset` is the index of the character in the text. */
export class YamlError extends Error {
  override readonly name = 'YamlError';
  readonly offset: number;
  /** As go-yaml prints it: its lines count from 0 or 1, depending on the error. */
  readonly goMessage: string;

  constructor(message: string, offset: number, goMessage: string = message) {
    super(message);
    this.offset = offset;
    this.goMessage = goMessage;
  }
}

export const isBreak = (code: number): boolean =>
  code === 10 || code === 13 || code === 0x85 || code === 0x2028 || code === 0x2029;
export const isBlank = (code: number): boolean => code === 32 || code === 9;
/** A space, a tab, a line break or the end of the text. */
export const isBlankOrEnd = (code: number): boolean => code === -1 || isBlank(code) || isBreak(code);

const isDigit = (code: number): boolean => code >= 48 && code <= 57;

export class YamlCursor {
  readonly text: string;
  at = 0;
  line = 0;
  #lineStart = 0;

  constructor(text: string) {
    this.text = text;
  }

  get column(): number {
    return this.at - this.#lineStart;
  }

  /** The code unit at a distance from here, -1 at the end. */
  code(distance = 0): number {
    const at = this.at + distance;
    return at < this.text.length ? this.text.charCodeAt(at) : -1;
  }

  error(problem: string, offset = this.at): YamlError {
    return new YamlError(problem, offset, this.line === 0 ? problem : `line ${this.line + 1}: ${problem}`);
  }

  /** Consumes a line break, and returns it as it counts in scalars. */
  skipBreak(): string {
    const code = this.code();
    this.at += code === 13 && this.code(1) === 10 ? 2 : 1;
    this.line++;
    this.#lineStart = this.at;
    return code >= 0x2028 ? String.fromCharCode(code) : '\n';
  }

  /** The end of the text ends a line as well. */
  finishLine(): void {
    if (this.column === 0) return;
    this.line++;
    this.#lineStart = this.at;
  }

  skipComment(): void {
    if (this.code() !== 35) return;
    while (this.code() !== -1 && !isBreak(this.code())) this.at++;
  }

  /** `---` or `...` at the start of a line. */
  isDocumentIndicator(): boolean {
    if (this.column !== 0) return false;
    const mark = this.text.slice(this.at, this.at + 3);
    return (mark === '---' || mark === '...') && isBlankOrEnd(this.code(3));
  }
}

/** Line breaks between two parts of a scalar: one is a space, of more all but the first are kept. */
const folded = (first: string, others: string): string => (first.startsWith('\n') ? others || ' ' : first + others);

/** A scalar in quotes. */
export function readQuoted(cursor: YamlCursor): string {
  const start = cursor.at;
  const quote = cursor.code();
  cursor.at++;
  // Collected in a list: a text that grows by single characters makes most of the work of the garbage collector.
  const parts: string[] = [];
  for (;;) {
    if (cursor.isDocumentIndicator()) throw cursor.error('found unexpected document indicator', start);
    if (cursor.code() === -1) throw cursor.error('found unexpected end of stream', start);
    let isNewLine = false;
    while (!isBlankOrEnd(cursor.code())) {
      const code = cursor.code();
      if (code === quote && (quote === 34 || cursor.code(1) !== 39)) break;
      if (code === quote) {
        parts.push("'");
        cursor.at += 2;
      } else if (code === 92 && quote === 34) {
        if (isBreak(cursor.code(1))) {
          cursor.at++;
          cursor.skipBreak();
          isNewLine = true;
          break;
        }
        parts.push(readEscape(cursor, start));
      } else parts.push(readOrdinary(cursor, quote));
    }
    if (cursor.code() === quote) break;
    parts.push(readGap(cursor, isNewLine));
  }
  cursor.at++;
  return parts.length === 1 ? (parts[0] ?? '') : parts.join('');
}

/** At least one character, up to a backslash, a quote, or a line break and the spaces before it. */
function readOrdinary(cursor: YamlCursor, quote: number): string {
  const { text, at: from } = cursor;
  let end = from + 1;
  for (let at = end; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (isBlank(code)) continue;
    if (isBreak(code)) break;
    end = at;
    if (code === quote || code === 92) break;
    end = at + 1;
  }
  cursor.at = end;
  return text.slice(from, end);
}

/** Spaces and line breaks inside of quotes; after an escaped line break spaces do not count. */
function readGap(cursor: YamlCursor, afterEscapedBreak: boolean): string {
  let isNewLine = afterEscapedBreak;
  let spaces = '';
  let first = '';
  let others = '';
  while (isBlank(cursor.code()) || isBreak(cursor.code())) {
    if (isBlank(cursor.code())) {
      if (!isNewLine) spaces += cursor.text[cursor.at];
      cursor.at++;
    } else if (isNewLine) {
      others += cursor.skipBreak();
    } else {
      first = cursor.skipBreak();
      isNewLine = true;
    }
  }
  if (!isNewLine) return spaces;
  return first === '' ? others : folded(first, others);
}

const ESCAPES: ReadonlyMap<string, string> = new Map([
  ['0', '\0'],
  ['a', '\x07'],
  ['b', '\b'],
  ['t', '\t'],
  ['\t', '\t'],
  ['n', '\n'],
  ['v', '\v'],
  ['f', '\f'],
  ['r', '\r'],
  ['e', '\x1b'],
  [' ', ' '],
  ['"', '"'],
  ["'", "'"],
  ['\\', '\\'],
  ['N', '\u0085'],
  ['_', '\u00a0'],
  ['L', '\u2028'],
  ['P', '\u2029'],
]);
const HEX_LENGTHS: ReadonlyMap<string, number> = new Map([
  ['x', 2],
  ['u', 4],
  ['U', 8],
]);

function readEscape(cursor: YamlCursor, start: number): string {
  const letter = cursor.text[cursor.at + 1] ?? '';
  const simple = ESCAPES.get(letter);
  if (simple !== undefined) {
    cursor.at += 2;
    return simple;
  }
  const length = HEX_LENGTHS.get(letter);
  if (length === undefined) throw cursor.error('found unknown escape character', start);
  cursor.at += 2;
  const digits = cursor.text.slice(cursor.at, cursor.at + length);
  if (digits.length < length || !/^[0-9A-Fa-f]*$/.test(digits)) {
    throw cursor.error('did not find expected hexdecimal number', start);
  }
  const code = Number.parseInt(digits, 16);
  if ((code >= 0xd800 && code <= 0xdfff) || code > 0x10ffff) {
    throw cursor.error('found invalid Unicode character escape code', start);
  }
  cursor.at += length;
  return String.fromCodePoint(code);
}

/** What ends a plain scalar inside of `[]` and `{}`: , ? [ ] { } */
const endsInFlow = (code: number): boolean =>
  code === 44 || code === 63 || code === 91 || code === 93 || code === 123 || code === 125;

/** A scalar without quotes; `brokeLine` says whether line breaks follow it. */
export function readPlain(cursor: YamlCursor, indent: number, inFlow: boolean): { text: string; brokeLine: boolean } {
  const start = cursor.at;
  let text = '';
  let gap = '';
  let brokeLine = false;
  for (;;) {
    if (cursor.isDocumentIndicator() || cursor.code() === 35) break;
    const from = cursor.at;
    for (let code = cursor.code(); !isBlankOrEnd(code); code = cursor.code()) {
      if ((code === 58 && isBlankOrEnd(cursor.code(1))) || (inFlow && endsInFlow(code))) break;
      cursor.at++;
    }
    if (cursor.at > from) {
      text += gap + cursor.text.slice(from, cursor.at);
      brokeLine = false;
    }
    if (!isBlank(cursor.code()) && !isBreak(cursor.code())) break;
    const spacesFrom = cursor.at;
    let first = '';
    let others = '';
    let isNewLine: boolean = brokeLine;
    while (isBlank(cursor.code()) || isBreak(cursor.code())) {
      if (isBlank(cursor.code())) {
        if (isNewLine && cursor.column <= indent && cursor.code() === 9) {
          throw cursor.error('found a tab character that violates indentation', start);
        }
        cursor.at++;
      } else if (isNewLine) {
        others += cursor.skipBreak();
      } else {
        first = cursor.skipBreak();
        isNewLine = true;
      }
    }
    gap = isNewLine ? folded(first, others) : cursor.text.slice(spacesFrom, cursor.at);
    brokeLine = isNewLine;
    if (!inFlow && cursor.column <= indent) break;
  }
  return { text, brokeLine };
}

/** A literal (`|`) or folded (`>`) scalar inside of a node at an indentation. */
export function readBlock(cursor: YamlCursor, parentIndent: number): string {
  const start = cursor.at;
  const isLiteral = cursor.code() === 124;
  cursor.at++;
  const { keep, increment } = readBlockHeader(cursor, start);
  const block = { indent: increment === 0 ? 0 : Math.max(parentIndent, 0) + increment, parentIndent, start };
  let text = '';
  let first = '';
  let others = readBlockBreaks(cursor, block);
  let wasBlank = false;
  while (cursor.column === block.indent && cursor.code() !== -1) {
    const blank = isBlank(cursor.code());
    if (!isLiteral && first.startsWith('\n') && !wasBlank && !blank) text += others === '' ? ' ' : others;
    else text += first + others;
    wasBlank = blank;
    const from = cursor.at;
    while (cursor.code() !== -1 && !isBreak(cursor.code())) cursor.at++;
    text += cursor.text.slice(from, cursor.at);
    first = cursor.code() === -1 ? '' : cursor.skipBreak();
    others = readBlockBreaks(cursor, block);
  }
  return keep === '-' ? text : keep === '+' ? text + first + others : text + first;
}

function readBlockHeader(cursor: YamlCursor, start: number): { readonly keep: string; readonly increment: number } {
  let keep = '';
  let increment = 0;
  for (let i = 0; i < 2; i++) {
    const code = cursor.code();
    if ((code === 43 || code === 45) && keep === '') keep = String.fromCharCode(code);
    else if (isDigit(code) && increment === 0) {
      if (code === 48) throw cursor.error('found an indentation indicator equal to 0', start);
      increment = code - 48;
    } else break;
    cursor.at++;
  }
  while (isBlank(cursor.code())) cursor.at++;
  cursor.skipComment();
  if (isBreak(cursor.code())) cursor.skipBreak();
  else if (cursor.code() !== -1) throw cursor.error('did not find expected comment or line break', start);
  return { keep, increment };
}

interface Block {
  /** 0 until the first line that has content says it. */
  indent: number;
  readonly parentIndent: number;
  readonly start: number;
}

/** Indentation and empty lines. */
function readBlockBreaks(cursor: YamlCursor, block: Block): string {
  let breaks = '';
  let deepest = 0;
  for (;;) {
    while ((block.indent === 0 || cursor.column < block.indent) && cursor.code() === 32) cursor.at++;
    deepest = Math.max(deepest, cursor.column);
    if ((block.indent === 0 || cursor.column < block.indent) && cursor.code() === 9) {
      throw cursor.error('found a tab character where an indentation space is expected', block.start);
    }
    if (!isBreak(cursor.code())) break;
    breaks += cursor.skipBreak();
  }
  if (block.indent === 0) block.indent = Math.max(deepest, block.parentIndent + 1, 1);
  return breaks;
}
