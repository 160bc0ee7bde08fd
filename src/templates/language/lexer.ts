/** Splits the text of a template into tokens, as Go's text/template does. */

type TokenKind =
  | 'error'
  | 'end-of-file'
  | 'text'
  | 'left-delimiter'
  | 'right-delimiter'
  | 'space'
  | 'assign'
  | 'declare'
  | 'pipe'
  | 'left-paren'
  | 'right-paren'
  | 'bool'
  | 'character'
  | 'complex'
  | 'number'
  | 'string'
  | 'raw-string'
  | 'dot'
  | 'field'
  | 'identifier'
  | 'variable'
  /** Any other printable ASCII character, such as a comma. */
  | 'char'
  | 'keyword';

export interface Token {
  readonly kind: TokenKind;
  /** Index of the first character. */
  readonly at: number;
  /** The characters in the source; of an error what is wrong. */
  readonly text: string;
}

const KEYWORDS: ReadonlySet<string> = new Set([
  'block',
  'break',
  'continue',
  'define',
  'else',
  'end',
  'if',
  'nil',
  'range',
  'template',
  'with',
]);

const LETTER_OR_DIGIT = /[\p{L}\p{Nd}_]/u;
const WORD = /[\p{L}\p{Nd}_]*/uy;
const BLANKS = /[ \t\r\n]*/y;
const TRIMMED_END = /[ \t\r\n]/;

const isBlank = (char: string): boolean => char === ' ' || char === '\t' || char === '\r' || char === '\n';

/** The tokens of one text, one after another; after an error there are no more. */
export class Lexer {
  readonly #text: string;
  #at = 0;
  #inAction = false;
  /** Open parentheses of the action. */
  #parens = 0;
  #failed = false;

  constructor(text: string) {
    this.#text = text;
  }

  next(): Token {
    if (this.#failed) return this.#token('end-of-file', this.#at);
    return this.#inAction ? this.#action() : this.#outside();
  }

  /** The token from an index to the current position. */
  #token(kind: TokenKind, from: number): Token {
    return { kind, at: from, text: this.#text.slice(from, this.#at) };
  }

  #error(text: string, at: number): Token {
    this.#failed = true;
    return { kind: 'error', at, text };
  }

  #char(offset = 0): string {
    return String.fromCodePoint(this.#text.codePointAt(this.#at + offset) ?? 0);
  }

  #atEnd(): boolean {
    return this.#at >= this.#text.length;
  }

  /** Text outside of actions, comments removed; then the left delimiter of the next action. */
  #outside(): Token {
    for (;;) {
      const from = this.#at;
      const open = this.#text.indexOf('{{', from);
      if (open < 0) {
        this.#at = this.#text.length;
        return this.#token(from < this.#at ? 'text' : 'end-of-file', from);
      }
      const trims = this.#text[open + 2] === '-' && isBlank(this.#text[open + 3] ?? '');
      let end = open;
      if (trims) while (end > from && TRIMMED_END.test(this.#text[end - 1] ?? '')) end--;
      if (end > from) {
        // The next call finds the same delimiter.
        this.#at = end;
        const token = this.#token('text', from);
        this.#at = open;
        return token;
      }
      this.#at = open + 2;
      const inside = this.#at + (trims ? 2 : 0);
      if (!this.#text.startsWith('/*', inside)) {
        const token = this.#token('left-delimiter', open);
        this.#at = inside;
        this.#inAction = true;
        this.#parens = 0;
        return token;
      }
      const failure = this.#comment(inside);
      if (failure !== undefined) return failure;
    }
  }

  /** Skips a comment that begins at an index. */
  #comment(from: number): Token | undefined {
    const close = this.#text.indexOf('*/', from + 2);
    if (close < 0) return this.#error('unclosed comment', from);
    this.#at = close + 2;
    if (!this.#isRightDelimiter()) return this.#error('comment ends before closing delimiter', from);
    this.#skipRightDelimiter();
    return undefined;
  }

  /** Whether the action ends here, with a trim marker or without. */
  #isRightDelimiter(): boolean {
    return this.#text.startsWith('}}', this.#at) || this.#isTrimmingDelimiter();
  }

  #isTrimmingDelimiter(): boolean {
    return isBlank(this.#text[this.#at] ?? '') && this.#text.startsWith('-}}', this.#at + 1);
  }

  /** The index where the delimiter without its trim marker begins. */
  #skipRightDelimiter(): number {
    const trims = this.#isTrimmingDelimiter();
    const from = this.#at + (trims ? 2 : 0);
    this.#at = from + 2;
    if (trims) this.#skip(BLANKS);
    return from;
  }

  #skip(pattern: RegExp): void {
    pattern.lastIndex = this.#at;
    pattern.test(this.#text);
    this.#at = pattern.lastIndex;
  }

  #action(): Token {
    const from = this.#at;
    if (this.#isRightDelimiter()) {
      if (this.#parens > 0) return this.#error('unclosed left paren', from);
      this.#inAction = false;
      return { kind: 'right-delimiter', at: this.#skipRightDelimiter(), text: '}}' };
    }
    if (this.#atEnd()) return this.#error('unclosed action', from);
    const char = this.#char();
    this.#at += char.length;
    if (isBlank(char)) return this.#space(from);
    switch (char) {
      case '=':
        return this.#token('assign', from);
      case ':':
        this.#at++;
        return this.#text[this.#at - 1] === '=' ? this.#token('declare', from) : this.#error('expected :=', from);
      case '|':
        return this.#token('pipe', from);
      case '"':
        return this.#quoted('string', '"', 'unterminated quoted string', from);
      case "'":
        return this.#quoted('character', "'", 'unterminated character constant', from);
      case '`':
        return this.#rawString(from);
      case '$':
        return this.#word('variable', from);
      case '(':
        this.#parens++;
        return this.#token('left-paren', from);
      case ')':
        this.#parens--;
        return this.#parens < 0 ? this.#error('unexpected right paren', from) : this.#token('right-paren', from);
      case '.':
        if (!this.#atEnd() && !/[0-9]/.test(this.#char())) return this.#word('field', from);
        return this.#number(from);
    }
    if (/[+\-0-9]/.test(char)) return this.#number(from);
    if (LETTER_OR_DIGIT.test(char)) return this.#word('identifier', from);
    if (/[!-~]/.test(char)) return this.#token('char', from);
    return this.#error(`unrecognized character in action: ${unicode(char)}`, from);
  }

  #space(from: number): Token {
    this.#skip(BLANKS);
    // The last space belongs to a trimming delimiter.
    if (this.#text.startsWith('-}}', this.#at)) {
      this.#at--;
      if (this.#at === from) return this.#action();
    }
    return this.#token('space', from);
  }

  #quoted(kind: TokenKind, quote: string, failure: string, from: number): Token {
    for (;;) {
      let char = this.#text[this.#at++];
      if (char === quote) return this.#token(kind, from);
      if (char === '\\') char = this.#text[this.#at++];
      if (char === undefined || char === '\n') return this.#error(failure, from);
    }
  }

  #rawString(from: number): Token {
    const close = this.#text.indexOf('`', this.#at);
    if (close < 0) return this.#error('unterminated raw quoted string', from);
    this.#at = close + 1;
    return this.#token('raw-string', from);
  }

  /** An identifier, or what follows the `.` of a field or the `$` of a variable. */
  #word(kind: 'identifier' | 'field' | 'variable', from: number): Token {
    if (kind === 'field' && this.#isTerminator()) return this.#token('dot', from);
    this.#skip(WORD);
    if (!this.#isTerminator()) return this.#error(`bad character ${unicode(this.#char())}`, from);
    const token = this.#token(kind, from);
    if (kind !== 'identifier') return token;
    if (KEYWORDS.has(token.text)) return { ...token, kind: 'keyword' };
    return token.text === 'true' || token.text === 'false' ? { ...token, kind: 'bool' } : token;
  }

  /** Whether a word may end here. */
  #isTerminator(): boolean {
    if (this.#atEnd()) return true;
    const char = this.#text[this.#at] ?? '';
    return isBlank(char) || '.,|:)('.includes(char) || this.#text.startsWith('}}', this.#at);
  }

  #number(from: number): Token {
    this.#at = from;
    let good = this.#scanNumber();
    let kind: TokenKind = 'number';
    if (good && /[+-]/.test(this.#text[this.#at] ?? '')) {
      kind = 'complex';
      good = this.#scanNumber() && this.#text[this.#at - 1] === 'i';
    }
    return good ? this.#token(kind, from) : this.#error(`bad number syntax: ${this.#text.slice(from, this.#at)}`, from);
  }

  /** Takes in what looks like a number; the parser finds out whether it is one. */
  #scanNumber(): boolean {
    this.#skip(
      /[+-]?(?:0[xX][0-9a-fA-F_]*(?:\.[0-9a-fA-F_]*)?(?:[pP][+-]?[0-9_]*)?|0[oO][0-7_]*(?:\.[0-7_]*)?|0[bB][01_]*(?:\.[01_]*)?|[0-9_]*(?:\.[0-9_]*)?(?:[eE][+-]?[0-9_]*)?)i?/y,
    );
    if (this.#atEnd() || !LETTER_OR_DIGIT.test(this.#char())) return true;
    this.#at += this.#char().length;
    return false;
  }
}

const unicode = (char: string): string =>
  `U+${(char.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')} '${char}'`;
