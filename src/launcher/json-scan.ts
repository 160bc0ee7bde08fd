/**
 * Reads size, request id and user of a message from its bytes, in one pass: JSON.parse takes half a second for 5 MB of nested lists
 * or different names.
 */
import { MAX_DEPTH, MAX_VALUES } from '../system/json.ts';

interface JsonScan {
  /** Which limit the message exceeds, as a sentence; undefined if none. */
  readonly excess: string | undefined;
  /** The number after the last `requestId` of the outermost object, as it is written; undefined if there is none. */
  readonly requestId: string | undefined;
  /** The string after the last `username` of the outermost object; '' if there is none, or none of a usual length. */
  readonly username: string;
  /** Objects, lists, strings, numbers, booleans and nulls. */
  readonly values: number;
}

const QUOTE = 0x22;
const COMMA = 0x2c;
const MINUS = 0x2d;
const DIGIT_0 = 0x30;
const DIGIT_9 = 0x39;
const COLON = 0x3a;
const OPEN_LIST = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_LIST = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const SPACE = 0x20;

/** Most different names of fields. JSON.parse takes up to 1 us for each of them, a tenth of that where names come again. */
const MAX_NAMES = 10_000;
/** Bytes of a field, at least: two quotes, colon, value, comma. Shorter messages cannot have too many. */
const FIELD_BYTES = 5;

/** Longest number that can be a request id. */
const MOST_DIGITS = 64;
/** Longest string, in JSON, that is read as the name of a user. */
const MOST_NAME_BYTES = 4096;

/**
 * `body` is JSON of any depth; for other bytes the result has no meaning. `onlyHead`: ends when request id and user are found,
 * and counts nothing behind them.
 */
export function scanJson(body: Buffer, onlyHead = false): JsonScan {
  let depth = 0;
  let values = 1;
  let excess: string | undefined;
  let requestId: string | undefined;
  /** The last byte that is not whitespace opened a list or an object. */
  let isOpened = false;
  let isKey = false;
  let username = '';
  /** The key before this byte. */
  let isRequestId = false;
  let isUsername = false;
  const names = body.length > MAX_NAMES * FIELD_BYTES ? new DifferentNames() : undefined;
  for (let at = 0; at < body.length; at++) {
    if (onlyHead && username !== '' && requestId !== undefined) break;
    const byte = body[at] ?? 0;
    if (byte <= SPACE) continue;
    if (isOpened && byte !== CLOSE_LIST && byte !== CLOSE_OBJECT) values++;
    isOpened = false;
    if (byte === QUOTE) {
      const end = endOfString(body, at);
      if (isKey) {
        isRequestId = isNamed(REQUEST_ID, body, at, end);
        isUsername = isNamed(USERNAME, body, at, end);
        if (isRequestId) requestId = undefined;
        if (isUsername) username = '';
      } else if (depth === 1 && isUsername) {
        username = stringOf(body, at, end);
        isUsername = false;
      }
      if (names !== undefined && body[behindWhitespace(body, end + 1)] === COLON) {
        names.add(body, at + 1, end);
        if (names.count > MAX_NAMES) excess ??= `it holds more than ${MAX_NAMES} different names of fields`;
      }
      at = end;
    } else if (byte === OPEN_OBJECT || byte === OPEN_LIST) {
      depth++;
      isOpened = true;
      if (depth > MAX_DEPTH) excess ??= `it is nested deeper than ${MAX_DEPTH} levels`;
    } else if (byte === CLOSE_OBJECT || byte === CLOSE_LIST) {
      depth--;
    } else if (byte === COMMA) {
      values++;
    } else if (depth === 1 && isRequestId && (byte === MINUS || (byte >= DIGIT_0 && byte <= DIGIT_9))) {
      requestId = /^[-+.\deE]+/.exec(body.toString('latin1', at, at + MOST_DIGITS))?.[0];
      isRequestId = false;
    }
    if (values > MAX_VALUES) excess ??= `it holds more than ${MAX_VALUES} values`;
    isKey = depth === 1 && (byte === OPEN_OBJECT || byte === COMMA);
  }
  return { excess, requestId, username, values };
}

/** Counts the names that are different from those before it. Of a few that have the same slot, only one is counted. */
class DifferentNames {
  count = 0;
  readonly #seen = new Uint8Array(2 ** SLOT_BITS);

  /** The name is `body` from `from` to `end`, as it is written. */
  add(body: Buffer, from: number, end: number): void {
    let hash = 0;
    for (let at = from; at < end; at++) hash = Math.imul(hash ^ (body[at] ?? 0), FACTOR);
    const slot = (hash ^ (hash >>> SLOT_BITS)) & (2 ** SLOT_BITS - 1);
    if (this.#seen[slot] === 1) return;
    this.#seen[slot] = 1;
    this.count++;
  }
}

const SLOT_BITS = 16;
/** Not even, and different in each process: nobody can choose names that have the same slot. */
const FACTOR = Math.floor(Math.random() * 2 ** 31) * 2 + 1;

function behindWhitespace(body: Buffer, from: number): number {
  let at = from;
  while (at < body.length && (body[at] ?? 0) <= SPACE) at++;
  return at;
}

/** Index of the closing quote of the string that begins at `from`. */
function endOfString(body: Buffer, from: number): number {
  let at = from + 1;
  while (at < body.length && body[at] !== QUOTE) at += body[at] === BACKSLASH ? 2 : 1;
  return at;
}

const REQUEST_ID = Buffer.from('requestId');
const USERNAME = Buffer.from('username');

/** A key may be written with escapes. */
function isNamed(name: Buffer, body: Buffer, from: number, end: number): boolean {
  const key = body.subarray(from + 1, end);
  if (!key.includes(BACKSLASH)) return key.equals(name);
  return key.length <= 6 * name.length && stringOf(body, from, end) === name.toString();
}

/** The string between these quotes; '' if it is none or too long. */
function stringOf(body: Buffer, from: number, end: number): string {
  if (end - from > MOST_NAME_BYTES) return '';
  try {
    const text: unknown = JSON.parse(body.toString('utf8', from, end + 1));
    return typeof text === 'string' ? text : '';
  } catch {
    return '';
  }
}
