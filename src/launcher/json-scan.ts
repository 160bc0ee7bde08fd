/**
 * Reads size and request id of a message from its bytes, in one pass: JSON.parse takes half a second for 5 MB of nested lists
 * or different names.
 */
import { MAX_DEPTH, MAX_VALUES } from '../system/json.ts';

interface JsonScan {
  /** Which limit the message exceeds, as a sentence; undefined if none. */
  readonly excess: string | undefined;
  /** The number after the last `requestId` of the outermost object, as it is written; undefined if there is none. */
  readonly requestId: string | undefined;
  /** Objects, lists, strings, numbers, booleans and nulls. */
  readonly values: number;
}

const QUOTE = 0x22;
const COMMA = 0x2c;
const MINUS = 0x2d;
const DIGIT_0 = 0x30;
const DIGIT_9 = 0x39;
const OPEN_LIST = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_LIST = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const SPACE = 0x20;

/** Longest number that can be a request id. */
const MOST_DIGITS = 64;

/** `body` is JSON of any depth; for other bytes the result has no meaning. */
export function scanJson(body: Buffer): JsonScan {
  let depth = 0;
  let values = 1;
  let excess: string | undefined;
  let requestId: string | undefined;
  /** The last byte that is not whitespace opened a list or an object. */
  let isOpened = false;
  let isKey = false;
  let isRequestId = false;
  for (let at = 0; at < body.length; at++) {
    const byte = body[at] ?? 0;
    if (byte <= SPACE) continue;
    if (isOpened && byte !== CLOSE_LIST && byte !== CLOSE_OBJECT) values++;
    isOpened = false;
    if (byte === QUOTE) {
      const end = endOfString(body, at);
      if (isKey) {
        isRequestId = isRequestIdKey(body, at, end);
        if (isRequestId) requestId = undefined;
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
  return { excess, requestId, values };
}

/** Index of the closing quote of the string that begins at `from`. */
function endOfString(body: Buffer, from: number): number {
  let at = from + 1;
  while (at < body.length && body[at] !== QUOTE) at += body[at] === BACKSLASH ? 2 : 1;
  return at;
}

const REQUEST_ID = Buffer.from('requestId');

/** A key may be written with escapes. */
function isRequestIdKey(body: Buffer, from: number, end: number): boolean {
  const key = body.subarray(from + 1, end);
  if (!key.includes(BACKSLASH)) return key.equals(REQUEST_ID);
  if (key.length > 6 * REQUEST_ID.length) return false;
  try {
    return JSON.parse(`"${key.toString()}"`) === 'requestId';
  } catch {
    return false;
  }
}
