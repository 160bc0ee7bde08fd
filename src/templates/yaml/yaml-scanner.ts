/** Cuts a YAML text into tokens as libyaml does: a key is recognized when its colon is found, and marked afterwards. */
import { isBlank, isBlankOrEnd, isBreak, readBlock, readPlain, readQuoted, YamlCursor } from './yaml-cursor.ts';

export type TokenType =
  | 'end'
  | 'directive'
  | 'document-start'
  | 'document-end'
  | 'list-start'
  | 'map-start'
  | 'block-end'
  | '['
  | ']'
  | '{'
  | '}'
  | ','
  | '-'
  | 'key'
  | 'value'
  | 'alias'
  | 'anchor'
  | 'tag'
  | 'scalar';

export interface YamlToken {
  readonly type: TokenType;
  readonly offset: number;
  readonly line: number;
  /** Of scalars, aliases, anchors and tags. */
  readonly text: string;
  /** A scalar without quotes. */
  readonly isPlain: boolean;
}

interface SimpleKey {
  readonly required: boolean;
  /** The index of its first token. */
  readonly token: number;
  readonly offset: number;
  readonly line: number;
  readonly column: number;
}

/** A key is at most this long, and on one line. */
const LONGEST_KEY = 1024;
/** Nested flow collections and indentations. */
const DEEPEST = 1000;
/** Tokens: without their end, the garbage collector would copy and mark all tokens of a text again and again. */
const FORGOTTEN_TOGETHER = 256;

const FLOW: ReadonlyMap<number, '[' | ']' | '{' | '}' | ','> = new Map([
  [91, '['],
  [93, ']'],
  [123, '{'],
  [125, '}'],
  [44, ','],
]);

export class YamlScanner {
  readonly #cursor: YamlCursor;
  /** Tokens that were not taken yet, and some before them. */
  readonly #tokens: YamlToken[] = [];
  /** The index of the first of them. */
  #first = 0;
  readonly #indents: number[] = [];
  /** The possible key of each flow level. */
  readonly #keys: (SimpleKey | undefined)[] = [undefined];
  #indent = -1;
  #keyAllowed = true;

  constructor(text: string) {
    this.#cursor = new YamlCursor(text);
  }

  /** The token at an index, as soon as no key can still begin before it. Indices only grow: those before are forgotten. */
  token(index: number): YamlToken {
    while (index >= this.#end || this.#mayBeKey(index)) {
      if (this.#tokens.at(-1)?.type === 'end') break;
      this.#fetch();
    }
    const token = this.#tokens[index - this.#first] ?? this.#newToken('end');
    if (index - this.#first >= FORGOTTEN_TOGETHER) {
      this.#tokens.splice(0, index - this.#first);
      this.#first = index;
    }
    return token;
  }

  /** The index of the token that is read next. */
  get #end(): number {
    return this.#first + this.#tokens.length;
  }

  #mayBeKey(index: number): boolean {
    for (const key of this.#keys) if (key !== undefined && key.token <= index && this.#isValid(key)) return true;
    return false;
  }

  get #inFlow(): boolean {
    return this.#keys.length > 1;
  }

  #newToken(
    type: TokenType,
    text = '',
    offset = this.#cursor.at,
    line = this.#cursor.line,
    isPlain = false,
  ): YamlToken {
    return { type, offset, line, text, isPlain };
  }

  #fetch(): void {
    const cursor = this.#cursor;
    this.#skipToToken();
    this.#closeTo(cursor.column);
    const code = cursor.code();
    if (code === -1) {
      cursor.finishLine();
      this.#reset();
      this.#tokens.push(this.#newToken('end'));
      return;
    }
    if (cursor.isDocumentIndicator()) {
      this.#reset();
      this.#tokens.push(this.#newToken(code === 45 ? 'document-start' : 'document-end'));
      cursor.at += 3;
      return;
    }
    const flow = FLOW.get(code);
    const isFollowedByBlank = isBlankOrEnd(cursor.code(1));
    if (cursor.column === 0 && code === 37) this.#directive();
    else if (flow !== undefined) this.#flow(flow);
    else if (code === 45 && isFollowedByBlank) this.#entry();
    else if (code === 63 && (this.#inFlow || isFollowedByBlank)) this.#explicitKey();
    else if (code === 58 && (this.#inFlow || isFollowedByBlank)) this.#value();
    else if (code === 42) this.#anchor('alias');
    else if (code === 38) this.#anchor('anchor');
    else if (code === 33) this.#tag();
    else if ((code === 124 || code === 62) && !this.#inFlow) this.#block();
    else if (code === 39 || code === 34) this.#quoted();
    else if (this.#startsPlain(code)) this.#plain();
    else throw cursor.error('found character that cannot start any token');
  }

  #startsPlain(code: number): boolean {
    const next = this.#cursor.code(1);
    if (code === 45) return !isBlank(next);
    if (code === 63 || code === 58) return !this.#inFlow && !isBlankOrEnd(next);
    return !isBlankOrEnd(code) && !'#%@`|>'.includes(String.fromCharCode(code));
  }

  #skipToToken(): void {
    const cursor = this.#cursor;
    for (;;) {
      if (cursor.column === 0 && cursor.code() === 0xfeff) cursor.at++;
      while (cursor.code() === 32 || (cursor.code() === 9 && (this.#inFlow || !this.#keyAllowed))) cursor.at++;
      cursor.skipComment();
      if (!isBreak(cursor.code())) return;
      cursor.skipBreak();
      if (!this.#inFlow) this.#keyAllowed = true;
    }
  }

  /** Ends the block collections that are indented more than a column. */
  #closeTo(column: number): void {
    if (this.#inFlow) return;
    while (this.#indent > column) {
      this.#tokens.push(this.#newToken('block-end'));
      this.#indent = this.#indents.pop() ?? -1;
    }
  }

  /** Begins a block collection if a column is indented more than the current one. */
  #open(column: number, type: 'list-start' | 'map-start', key?: SimpleKey): void {
    if (this.#inFlow || this.#indent >= column) return;
    this.#indents.push(this.#indent);
    if (this.#indents.length > DEEPEST) throw this.#cursor.error(`exceeded max depth of ${DEEPEST}`);
    this.#indent = column;
    if (key === undefined) this.#tokens.push(this.#newToken(type));
    else this.#tokens.splice(key.token - this.#first, 0, this.#newToken(type, '', key.offset, key.line));
  }

  #isValid({ required, line, offset }: SimpleKey): boolean {
    const isFresh = line === this.#cursor.line && offset + LONGEST_KEY >= this.#cursor.at;
    if (!isFresh && required) throw this.#cursor.error("could not find expected ':'", offset);
    return isFresh;
  }

  #saveKey(): void {
    if (!this.#keyAllowed) return;
    const { at: offset, line, column } = this.#cursor;
    this.#removeKey();
    const required = !this.#inFlow && this.#indent === column;
    this.#keys[this.#keys.length - 1] = { required, token: this.#end, offset, line, column };
  }

  #removeKey(): void {
    const key = this.#keys.at(-1);
    if (key?.required) throw this.#cursor.error("could not find expected ':'", key.offset);
    this.#keys[this.#keys.length - 1] = undefined;
  }

  /** At the end of a document no collection is open. */
  #reset(): void {
    this.#closeTo(-1);
    this.#removeKey();
    this.#keyAllowed = false;
  }

  #flow(type: '[' | ']' | '{' | '}' | ','): void {
    const isStart = type === '[' || type === '{';
    const isEnd = type === ']' || type === '}';
    if (isStart) {
      this.#saveKey();
      this.#keys.push(undefined);
      if (this.#keys.length > DEEPEST) throw this.#cursor.error(`exceeded max depth of ${DEEPEST}`);
    } else this.#removeKey();
    if (isEnd && this.#keys.length > 1) this.#keys.pop();
    this.#keyAllowed = !isEnd;
    this.#tokens.push(this.#newToken(type));
    this.#cursor.at++;
  }

  #entry(): void {
    if (!this.#inFlow) {
      if (!this.#keyAllowed) throw this.#cursor.error('block sequence entries are not allowed in this context');
      this.#open(this.#cursor.column, 'list-start');
    }
    this.#removeKey();
    this.#keyAllowed = true;
    this.#tokens.push(this.#newToken('-'));
    this.#cursor.at++;
  }

  #explicitKey(): void {
    if (!this.#inFlow) {
      if (!this.#keyAllowed) throw this.#cursor.error('mapping keys are not allowed in this context');
      this.#open(this.#cursor.column, 'map-start');
    }
    this.#removeKey();
    this.#keyAllowed = !this.#inFlow;
    this.#tokens.push(this.#newToken('key'));
    this.#cursor.at++;
  }

  #value(): void {
    const key = this.#keys.at(-1);
    if (key !== undefined && this.#isValid(key)) {
      this.#tokens.splice(key.token - this.#first, 0, this.#newToken('key', '', key.offset, key.line));
      this.#open(key.column, 'map-start', key);
      this.#keys[this.#keys.length - 1] = undefined;
      this.#keyAllowed = false;
    } else {
      if (!this.#inFlow) {
        if (!this.#keyAllowed) throw this.#cursor.error('mapping values are not allowed in this context');
        this.#open(this.#cursor.column, 'map-start');
      }
      this.#keys[this.#keys.length - 1] = undefined;
      this.#keyAllowed = !this.#inFlow;
    }
    this.#tokens.push(this.#newToken('value'));
    this.#cursor.at++;
  }

  #anchor(type: 'alias' | 'anchor'): void {
    this.#saveKey();
    this.#keyAllowed = false;
    const cursor = this.#cursor;
    const start = cursor.at;
    cursor.at++;
    while (/^[0-9A-Za-z_-]$/.test(cursor.text[cursor.at] ?? '')) cursor.at++;
    const name = cursor.text.slice(start + 1, cursor.at);
    if (name === '' || !(isBlankOrEnd(cursor.code()) || '?:,]}%@`'.includes(cursor.text[cursor.at] ?? ' '))) {
      throw cursor.error('did not find expected alphabetic or numeric character', start);
    }
    this.#tokens.push(this.#newToken(type, name, start));
  }

  #tag(): void {
    this.#saveKey();
    this.#keyAllowed = false;
    const cursor = this.#cursor;
    const start = cursor.at;
    while (!isBlankOrEnd(cursor.code()) && !(this.#inFlow && ',[]{}'.includes(cursor.text[cursor.at] ?? ' ')))
      cursor.at++;
    if (!isBlankOrEnd(cursor.code())) throw cursor.error('did not find expected whitespace or line break', start);
    this.#tokens.push(this.#newToken('tag', cursor.text.slice(start, cursor.at), start));
  }

  #directive(): void {
    this.#reset();
    const cursor = this.#cursor;
    const start = cursor.at;
    while (cursor.code() !== -1 && !isBreak(cursor.code())) cursor.at++;
    const text = cursor.text.slice(start, cursor.at);
    if (!/^%(?:YAML|TAG)[ \t]/.test(text)) throw cursor.error('found unknown directive name', start);
    this.#tokens.push(this.#newToken('directive', text, start));
  }

  #block(): void {
    this.#removeKey();
    this.#keyAllowed = true;
    const { at, line } = this.#cursor;
    const text = readBlock(this.#cursor, this.#indent);
    this.#tokens.push(this.#newToken('scalar', text, at, line));
  }

  #quoted(): void {
    this.#saveKey();
    this.#keyAllowed = false;
    const { at, line } = this.#cursor;
    const text = readQuoted(this.#cursor);
    this.#tokens.push(this.#newToken('scalar', text, at, line));
  }

  #plain(): void {
    this.#saveKey();
    this.#keyAllowed = false;
    const { at, line } = this.#cursor;
    const { text, brokeLine } = readPlain(this.#cursor, this.#indent, this.#inFlow);
    if (brokeLine) this.#keyAllowed = true;
    this.#tokens.push(this.#newToken('scalar', text, at, line, true));
  }
}
