/**
 * What the API server answers when it refuses: a Status object. Texts are the recorded ones (kubernetes-facts.md 109 to 115).
 */
import type { Resource } from './resources.ts';

export interface Cause {
  readonly reason: string;
  readonly message: string;
  readonly field?: string;
}

interface Status {
  readonly kind: 'Status';
  readonly apiVersion: 'v1';
  readonly metadata: { readonly continue?: string };
  readonly status: 'Success' | 'Failure';
  readonly message?: string;
  readonly reason?: string;
  readonly details?: object;
  readonly code?: number;
}

/** A refusal; thrown anywhere below the request handler. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly status: Status;
  readonly code: number;
  readonly headers: Readonly<Record<string, string | string[]>>;

  constructor(
    code: number,
    reason: string | undefined,
    message: string,
    details?: object,
    more: { headers?: Record<string, string | string[]>; continue?: string } = {},
  ) {
    super(message);
    this.code = code;
    this.headers = more.headers ?? {};
    this.status = {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: more.continue === undefined ? {} : { continue: more.continue },
      status: 'Failure',
      message,
      ...(reason === undefined ? {} : { reason }),
      ...(details === undefined ? {} : { details }),
      code,
    };
  }

  /** The same refusal with further headers. */
  with(headers: Readonly<Record<string, string | string[]>>): ApiError {
    const { reason, message = '', details, metadata } = this.status;
    const more = { headers: { ...this.headers, ...headers }, ...(metadata.continue === undefined ? {} : metadata) };
    return new ApiError(this.code, reason, message, details, more);
  }
}

/** `jobs.batch`, or `pods` for the core group. */
export function qualified(name: string, group: string): string {
  return group === '' ? name : `${name}.${group}`;
}

function details(resource: Resource, name?: string, kind: string = resource.plural): Record<string, unknown> {
  return {
    ...(name === undefined || name === '' ? {} : { name }),
    ...(resource.group === '' ? {} : { group: resource.group }),
    kind,
  };
}

export function notFound(resource: Resource, name: string): ApiError {
  return new ApiError(
    404,
    'NotFound',
    `${qualified(resource.plural, resource.group)} "${name}" not found`,
    details(resource, name),
  );
}

export function unknownResource(): ApiError {
  return new ApiError(404, 'NotFound', 'the server could not find the requested resource', {});
}

export function alreadyExists(resource: Resource, name: string): ApiError {
  return new ApiError(
    409,
    'AlreadyExists',
    `${qualified(resource.plural, resource.group)} "${name}" already exists`,
    details(resource, name),
  );
}

export function conflict(
  resource: Resource,
  name: string,
  why = 'the object has been modified; please apply your changes to the latest version and try again',
  as: string = resource.plural,
): ApiError {
  return new ApiError(
    409,
    'Conflict',
    `Operation cannot be fulfilled on ${qualified(as, resource.group)} "${name}": ${why}`,
    details(resource, name, as),
  );
}

export function badRequest(message: string): ApiError {
  return new ApiError(400, 'BadRequest', message);
}

/** 422: one cause stands alone, several are listed in brackets. */
export function invalid(kind: string, group: string, name: string, causes: readonly Cause[]): ApiError {
  const texts = [...new Set(causes.map((cause) => `${cause.field}: ${cause.message}`))];
  const list = texts.length === 1 ? texts[0] : `[${texts.join(', ')}]`;
  return new ApiError(422, 'Invalid', `${qualified(kind, group)} "${name}" is invalid: ${list}`, {
    ...(name === '' ? {} : { name }),
    ...(group === '' ? {} : { group }),
    kind,
    causes,
  });
}

/** 415 of a PATCH, and 406, whose texts differ from that of a POST. */
export function unsupportedPatch(): ApiError {
  return new ApiError(415, 'UnsupportedMediaType', '415: Unsupported Media Type', {});
}

export function notAcceptable(): ApiError {
  return new ApiError(
    406,
    'NotAcceptable',
    '406: Not Acceptable\n\nAvailable representations: application/json, application/yaml, application/vnd.kubernetes.protobuf, application/json;stream=watch, application/vnd.kubernetes.protobuf;stream=watch',
    {},
  );
}

export function methodNotAllowed(): ApiError {
  return new ApiError(405, 'MethodNotAllowed', 'the server does not allow this method on the requested resource', {});
}

export function unauthorized(): ApiError {
  return new ApiError(401, 'Unauthorized', 'Unauthorized');
}

/** 403 of an admission controller or a quota; `why` follows `... is forbidden: `. */
export function forbidden(resource: Resource, name: string, why: string, causes?: readonly Cause[]): ApiError {
  return new ApiError(
    403,
    'Forbidden',
    `${qualified(resource.plural, resource.group)} ${name === '' ? '' : `"${name}" `}is forbidden: ${why}`,
    { ...details(resource, name), ...(causes === undefined ? {} : { causes }) },
    { headers: {} },
  );
}

/** In-stream and HTTP form of "that version is gone" (kubernetes-facts.md 98, 99). */
export function expired(message: string, next?: string): ApiError {
  return new ApiError(410, 'Expired', message, undefined, next === undefined ? {} : { continue: next });
}

/** A version that does not exist yet (kubernetes-facts.md 101). */
export function tooLargeVersion(asked: number, current: number): ApiError {
  return new ApiError(
    504,
    'Timeout',
    `Timeout: Too large resource version: ${asked}, current: ${current}`,
    {
      causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }],
      retryAfterSeconds: 1,
    },
    { headers: { 'Retry-After': '1' } },
  );
}
