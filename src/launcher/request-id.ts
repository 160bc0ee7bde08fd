/**
 * Request ids: whole numbers of 64 bits, more than a JavaScript number holds (launcher-plugin-api.md section 4.2).
 */

declare const brand: unique symbol;

/** A request id in decimal digits, without leading zeros. */
export type RequestId = string & { readonly [brand]: 'RequestId' };

/** The id of messages that answer no request, and of those that serve many requests. */
export const NO_REQUEST = '0' as RequestId;

const MAX_REQUEST_ID = 2n ** 64n - 1n;

/**
 * The requestId of a message, exactly. `json` is the text that `message` was parsed from.
 * undefined: there is none, or it is no whole number of 64 bits.
 */
export function readRequestId(message: Readonly<Record<string, unknown>>, json: string): RequestId | undefined {
  const id = Object.hasOwn(message, 'requestId') ? message['requestId'] : undefined;
  if (typeof id !== 'number' || !Number.isInteger(id) || id < 0) return undefined;
  if (Number.isSafeInteger(id)) return String(id) as RequestId;
  const digits = requestIdIn(json);
  const isValid = digits !== undefined && /^\d{1,20}$/.test(digits) && BigInt(digits) <= MAX_REQUEST_ID;
  return isValid ? (digits as RequestId) : undefined;
}

/** Ascending order of ids. */
export function compareRequestIds(a: RequestId, b: RequestId): number {
  return a.length - b.length || (a < b ? -1 : a > b ? 1 : 0);
}

/** The digits of the last requestId of the outermost object. `json` is valid JSON of any depth. */
function requestIdIn(json: string): string | undefined {
  const numberHere = /[-+.\deE]+/y;
  let digits: string | undefined;
  let depth = 0;
  let key: string | undefined;
  let isKey = false;
  for (let at = 0; at < json.length; at++) {
    const character = json.charAt(at);
    if (character === '{' || character === '[') {
      depth++;
      isKey = depth === 1;
    } else if (character === '}' || character === ']') {
      depth--;
    } else if (character === ',') {
      isKey = depth === 1;
    } else if (character === '"') {
      const end = endOfString(json, at);
      if (isKey) key = JSON.parse(json.slice(at, end + 1));
      isKey = false;
      at = end;
    } else if (depth === 1 && key === 'requestId' && (character === '-' || (character >= '0' && character <= '9'))) {
      numberHere.lastIndex = at;
      digits = numberHere.exec(json)?.[0];
      key = undefined;
    }
  }
  return digits;
}

/** Index of the closing quote of the string that begins at `from`. */
function endOfString(json: string, from: number): number {
  for (let at = from + 1; ; at++) {
    at = json.indexOf('"', at);
    if (at < 0) return json.length;
    let backslashes = 0;
    while (json.charAt(at - 1 - backslashes) === '\\') backslashes++;
    if (backslashes % 2 === 0) return at;
  }
}
