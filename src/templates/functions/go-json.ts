/** Reads JSON as Go's encoding/json does into an interface {}: all numbers are float64, errors have Go's words. */
import type { Sliced } from '../../system/slices.ts';
import { toBytes } from '../bytes.ts';
import { GoError } from '../contract.ts';
import { quoted } from '../language/format-string.ts';
import type { Value } from '../values.ts';

/** Levels of lists and objects; Go allows 10,000. */
const DEEPEST = 1000;

const ESCAPES: ReadonlyMap<string, string> = new Map([
  ['"', '"'],
  ['\\', '\\'],
  ['/', '/'],
  ['b', '\b'],
  ['f', '\f'],
  ['n', '\n'],
  ['r', '\r'],
  ['t', '\t'],
]);

/** Characters between two places where other work may run. */
const PAUSE_CHARACTERS = 16_384;

export function decodeJson(text: string): Sliced<Value> {
  return new JsonReader(text).read();
}

class JsonReader {
  readonly #text: string;
  #at = 0;
  #depth = 0;
  #pauseAt = PAUSE_CHARACTERS;

  constructor(text: string) {
    this.#text = text;
  }

  *read(): Sliced<Value> {
    const value = this.#isNested() ? yield* this.#nested() : this.#scalar();
    this.#skipSpace();
    if (this.#at < this.#text.length) throw this.#unexpected('after top-level value');
    return value;
  }

  #skipSpace(): void {
    for (;;) {
      const code = this.#text.charCodeAt(this.#at);
      if (code !== 32 && code !== 9 && code !== 10 && code !== 13) return;
      this.#at++;
    }
  }

  #unexpected(context: string): GoError {
    if (this.#at >= this.#text.length) {
      // Go tries a space after the end.
      const isWithin = /^(?:in (?!string literal)|after decimal)/.test(context);
      return new GoError(isWithin ? `invalid character ' ' ${context}` : 'unexpected end of JSON input');
    }
    // Go looks at the first byte of a character only.
    const [byte = 0] = toBytes(String.fromCodePoint(this.#text.codePointAt(this.#at) ?? 0));
    const char = String.fromCharCode(byte);
    const shown = char === "'" ? "\\'" : char === '"' ? '"' : quoted(char, '"', false).slice(1, -1);
    return new GoError(`invalid character '${shown}' ${context}`);
  }

  /** Whether a list or an object follows. */
  #isNested(): boolean {
    this.#skipSpace();
    const char = this.#text[this.#at];
    return char === '{' || char === '[';
  }

  *#nested(): Sliced<Value> {
    const isObject = this.#text[this.#at] === '{';
    if (++this.#depth > DEEPEST) throw this.#unexpected('exceeded max depth');
    this.#at++;
    const result = isObject ? yield* this.#object() : yield* this.#list();
    this.#depth--;
    return result;
  }

  #mayPause(): boolean {
    if (this.#at < this.#pauseAt) return false;
    this.#pauseAt = this.#at + PAUSE_CHARACTERS;
    return true;
  }

  #scalar(): Value {
    const char = this.#text[this.#at] ?? '';
    switch (char) {
      case '"':
        return this.#string();
      case 't':
        return this.#literal('true', true);
      case 'f':
        return this.#literal('false', false);
      case 'n':
        return this.#literal('null', null);
      default:
        if (char === '-' || (char >= '0' && char <= '9')) return this.#number();
        throw this.#unexpected('looking for beginning of value');
    }
  }

  #literal<T>(word: string, value: T): T {
    for (let i = 0; i < word.length; i++) {
      if (this.#text[this.#at] !== word[i]) throw this.#unexpected(`in literal ${word} (expecting '${word[i]}')`);
      this.#at++;
    }
    return value;
  }

  #digits(context: string): void {
    const start = this.#at;
    while (/^[0-9]$/.test(this.#text[this.#at] ?? '')) this.#at++;
    if (this.#at === start) throw this.#unexpected(context);
  }

  #number(): number {
    const start = this.#at;
    if (this.#text[this.#at] === '-') this.#at++;
    if (this.#text[this.#at] === '0') this.#at++;
    else this.#digits('in numeric literal');
    if (this.#text[this.#at] === '.') {
      this.#at++;
      this.#digits('after decimal point in numeric literal');
    }
    if (/^[eE]$/.test(this.#text[this.#at] ?? '')) {
      this.#at++;
      if (/^[+-]$/.test(this.#text[this.#at] ?? '')) this.#at++;
      this.#digits('in exponent of numeric literal');
    }
    const text = this.#text.slice(start, this.#at);
    const value = Number(text);
    if (Number.isFinite(value)) return value;
    throw new GoError(`json: cannot unmarshal number ${text} into Go value of type float64`);
  }

  #string(): string {
    this.#at++;
    const parts: string[] = [];
    for (;;) {
      const from = this.#at;
      let code = this.#text.charCodeAt(this.#at);
      while (code >= 0x20 && code !== 0x22 && code !== 0x5c) code = this.#text.charCodeAt(++this.#at);
      parts.push(this.#text.slice(from, this.#at));
      if (code === 0x22) break;
      if (code !== 0x5c) throw this.#unexpected('in string literal');
      this.#at++;
      parts.push(this.#escape());
    }
    this.#at++;
    // What is not Unicode becomes U+FFFD.
    return (parts.length === 1 ? (parts[0] ?? '') : parts.join('')).toWellFormed();
  }

  #escape(): string {
    const letter = this.#text[this.#at] ?? '';
    const simple = ESCAPES.get(letter);
    if (simple === undefined && letter !== 'u') throw this.#unexpected('in string escape code');
    this.#at++;
    if (simple !== undefined) return simple;
    const start = this.#at;
    for (; this.#at < start + 4; this.#at++) {
      if (!/^[0-9A-Fa-f]$/.test(this.#text[this.#at] ?? ''))
        throw this.#unexpected('in \\u hexadecimal character escape');
    }
    return String.fromCharCode(Number.parseInt(this.#text.slice(start, this.#at), 16));
  }

  *#list(): Sliced<Value[]> {
    const items: Value[] = [];
    this.#skipSpace();
    if (this.#text[this.#at] === ']') {
      this.#at++;
      return items;
    }
    for (;;) {
      items.push(this.#isNested() ? yield* this.#nested() : this.#scalar());
      if (this.#mayPause()) yield;
      this.#skipSpace();
      const char = this.#text[this.#at];
      if (char !== ',' && char !== ']') throw this.#unexpected('after array element');
      this.#at++;
      if (char === ']') return items;
    }
  }

  *#object(): Sliced<Map<string, Value>> {
    const entries = new Map<string, Value>();
    this.#skipSpace();
    if (this.#text[this.#at] === '}') {
      this.#at++;
      return entries;
    }
    for (;;) {
      this.#skipSpace();
      if (this.#text[this.#at] !== '"') throw this.#unexpected('looking for beginning of object key string');
      const key = this.#string();
      this.#skipSpace();
      if (this.#text[this.#at] !== ':') throw this.#unexpected('after object key');
      this.#at++;
      entries.set(key, this.#isNested() ? yield* this.#nested() : this.#scalar());
      if (this.#mayPause()) yield;
      this.#skipSpace();
      const char = this.#text[this.#at];
      if (char !== ',' && char !== '}') throw this.#unexpected('after object key:value pair');
      this.#at++;
      if (char === '}') return entries;
    }
  }
}
