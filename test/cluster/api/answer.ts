/**
 * How answers are written: headers, JSON as Go writes it, one chunk a watch line.
 */
import type { ServerResponse } from 'node:http';
import type { Encoding } from './encodings.ts';
import type { ApiError } from './status.ts';

const FLOW_SCHEMA = '3a5ad0ed-eebd-4c1e-b87c-9d0e8dd4118a';
const PRIORITY_LEVEL = 'b4fce40a-8bda-422f-b7ff-d2349ede5aca';

/** Answers up to this size carry their length, longer ones are chunked (as net/http of Go does). */
const BUFFERED = 2048;

export function commonHeaders(type: string): Record<string, string> {
  return {
    'Cache-Control': 'no-cache, private',
    'Content-Type': type,
    'X-Kubernetes-Pf-Flowschema-Uid': FLOW_SCHEMA,
    'X-Kubernetes-Pf-Prioritylevel-Uid': PRIORITY_LEVEL,
  };
}

/** JSON as the server sends it: `<`, `>` and `&` escaped, a newline at the end. */
export function encode(value: unknown): string {
  return `${JSON.stringify(value).replace(/[<>&\u2028\u2029]/g, escapeHtml)}\n`;
}

function escapeHtml(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

export function sendJson(
  response: ServerResponse,
  code: number,
  value: unknown,
  headers: Readonly<Record<string, string | string[]>> = {},
): void {
  sendText(response, code, encode(value), 'application/json', headers);
}

export function sendText(
  response: ServerResponse,
  code: number,
  text: string | Buffer,
  type: string,
  headers: Readonly<Record<string, string | string[]>> = {},
): void {
  const length = Buffer.byteLength(text);
  response.writeHead(code, {
    ...commonHeaders(type),
    ...headers,
    ...(length < BUFFERED ? { 'Content-Length': String(length) } : {}),
  });
  response.end(text);
}

export function sendError(response: ServerResponse, error: ApiError, encoding: Encoding): void {
  const {
    'X-Kubernetes-Pf-Flowschema-Uid': _flow,
    'X-Kubernetes-Pf-Prioritylevel-Uid': _level,
    ...bare
  } = commonHeaders(encoding.type);
  const headers = error.code === 401 ? bare : commonHeaders(encoding.type);
  const text = encoding.body(error.status);
  response.writeHead(error.code, { ...headers, ...error.headers, 'Content-Length': String(Buffer.byteLength(text)) });
  response.end(text);
}

/** `299 - "text"`, as the server writes warnings. */
export function warningHeader(warnings: readonly string[]): Record<string, string[]> {
  return warnings.length === 0 ? {} : { Warning: warnings.map((text) => `299 - ${JSON.stringify(text)}`) };
}
