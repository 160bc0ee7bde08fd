/** JSON in pieces, so that a large value is written in slices. */
import { isObject } from '../system/json.ts';
import type { Pace, SlicedBuild } from './sliced-build.ts';

/** JSON in order, as text and in UTF-8. */
export type JsonPieces = readonly (string | Buffer<ArrayBuffer>)[];

/** Characters of a piece; a shorter text stays text, because small buffers cost more. */
const PIECE_CHARACTERS = 8 * 1024;

/** Longer strings are written in parts. */
const PART_CHARACTERS = 32 * 1024;

interface Mark {
  readonly count: number;
  readonly bytes: number;
  readonly text: string;
}

/** Collects JSON. */
export class JsonText {
  #pieces: (string | Buffer<ArrayBuffer>)[] = [];
  #bytes = 0;
  #text = '';

  get pieces(): JsonPieces {
    return this.#pieces;
  }

  /** Bytes of the pieces, and characters of what is not a piece yet. */
  get bytes(): number {
    return this.#bytes + this.#text.length;
  }

  add(text: string): void {
    this.#text += text;
    if (this.#text.length >= PIECE_CHARACTERS) this.#endPiece(Buffer.from(this.#text));
  }

  /** All that was added is in the pieces. */
  end(): void {
    if (this.#text !== '') this.#endPiece(this.#text);
  }

  mark(): Mark {
    return { count: this.#pieces.length, bytes: this.#bytes, text: this.#text };
  }

  /** Drops what was added since. */
  backTo({ count, bytes, text }: Mark): void {
    this.#pieces = this.#pieces.slice(0, count);
    this.#bytes = bytes;
    this.#text = text;
  }

  #endPiece(piece: string | Buffer<ArrayBuffer>): void {
    this.#pieces.push(piece);
    this.#bytes += Buffer.byteLength(piece);
    this.#text = '';
  }
}

/** Writes what JSON.stringify makes of strings, numbers, booleans, and of lists and objects of them. */
export function* writeJson(value: unknown, json: JsonText, pace: Pace): SlicedBuild<void> {
  if (charactersLeft(value, PART_CHARACTERS) >= 0) {
    const text = JSON.stringify(value);
    json.add(text);
    if (pace.isOver(text.length)) yield 'more';
  } else if (typeof value === 'string') {
    yield* writeString(value, json, pace);
  } else if (Array.isArray(value)) {
    json.add('[');
    for (const [index, item] of value.entries()) {
      if (index > 0) json.add(',');
      yield* writeJson(item, json, pace);
    }
    json.add(']');
  } else if (isObject(value)) {
    let before = '{';
    for (const [name, item] of Object.entries(value)) {
      if (item === undefined) continue;
      json.add(`${before}${JSON.stringify(name)}:`);
      before = ',';
      yield* writeJson(item, json, pace);
    }
    json.add(before === '{' ? '{}' : '}');
  }
}

/** In parts that do not end within a character. */
function* writeString(text: string, json: JsonText, pace: Pace): SlicedBuild<void> {
  json.add('"');
  for (let from = 0; from < text.length; ) {
    let end = from + PART_CHARACTERS;
    if (isHighSurrogate(text.charCodeAt(end - 1))) end--;
    const part = JSON.stringify(text.slice(from, end)).slice(1, -1);
    json.add(part);
    if (pace.isOver(part.length)) yield 'more';
    from = end;
  }
  json.add('"');
}

const isHighSurrogate = (code: number): boolean => code >= 0xd800 && code < 0xdc00;

/** What the strings and names of this value leave of so many characters; less than 0 if there are more. */
function charactersLeft(value: unknown, most: number): number {
  if (typeof value === 'string') return most - value.length;
  if (Array.isArray(value)) {
    let left = most;
    for (const item of value) {
      left = charactersLeft(item, left - 1);
      if (left < 0) break;
    }
    return left;
  }
  if (!isObject(value)) return most - 1;
  let left = most;
  for (const name of Object.keys(value)) {
    left = charactersLeft(value[name], left - name.length);
    if (left < 0) break;
  }
  return left;
}
