/**
 * Request ids: whole numbers of 64 bits, more than a JavaScript number holds (launcher-plugin-api.md section 4.2).
 */

declare const brand: unique symbol;

/** A request id in decimal digits, without leading zeros. */
export type RequestId = string & { readonly [brand]: 'RequestId' };

/** The id of messages that answer no request, and of those that serve many requests. */
export const NO_REQUEST = '0' as RequestId;

const MAX_REQUEST_ID = 2n ** 64n - 1n;

/** The id that a message has as its requestId; undefined: it is no whole number of 64 bits. */
export function readRequestId(written: string | undefined): RequestId | undefined {
  const id = Number(written);
  if (written === undefined || !Number.isInteger(id) || id < 0) return undefined;
  if (Number.isSafeInteger(id)) return String(id) as RequestId;
  const isValid = /^\d{1,20}$/.test(written) && BigInt(written) <= MAX_REQUEST_ID;
  return isValid ? (written as RequestId) : undefined;
}

/** Ascending order of ids. */
export function compareRequestIds(a: RequestId, b: RequestId): number {
  return a.length - b.length || (a < b ? -1 : a > b ? 1 : 0);
}
