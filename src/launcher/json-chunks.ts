/** JSON in chunks, so that a large value is written in slices. */
import { isObject } from '../system/json.ts';
import type { Pace, SlicedBuild } from './sliced-build.ts';

/** JSON in order, as text and in UTF-8. */
export type JsonChunks = readonly (string | Buffer<ArrayBuffer>)[];

/** Characters of a chunk; a shorter text stays text, because small buffers cost more. */
const CHUNK_CHARACTERS = 8 * 1024;

/** Longer strings are written in parts. */
const PART_CHARACTERS = 32 * 1024;

interface Mark {
  readonly count: number;
  readonly bytes: number;
  readonly text: string;
}

/** Collects JSON. */
export class JsonText {
  #chunks: (string | Buffer<ArrayBuffer>)[] = [];
  #bytes = 0;
  #text = '';

  get chunks(): JsonChunks {
    return this.#chunks;
  }

  /** Bytes of the chunks, and characters of what is not a chunk yet. */
  get bytes(): number {
    return this.#bytes + this.#text.length;
  }

  add(text: string): void {
    this.#text += text;
    if (this.#text.length >= CHUNK_CHARACTERS) this.#endChunk(Buffer.from(this.#text));
  }

  /** All that was added is in the chunks. */
  end(): void {
    if (this.#text !== '') this.#endChunk(this.#text);
  }

  mark(): Mark {
    return { count: this.#chunks.length, bytes: this.#bytes, text: this.#text };
  }

  /** Drops what was added since. */
  backTo({ count, bytes, text }: Mark): void {
    this.#chunks = this.#chunks.slice(0, count);
    this.#bytes = bytes;
    this.#text = text;
  }

  #endChunk(chunk: string | Buffer<ArrayBuffer>): void {
    this.#chunks.push(chunk);
    this.#bytes += Buffer.byteLength(chunk);
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

/** `most` without the characters of the strings and names of this value; less than 0 if there are more. */
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
