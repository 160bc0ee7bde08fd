/**
 * Reading request bodies: what cannot be read, is not the right kind, or not a valid object is refused here with the texts of
 * the API server (kubernetes-facts.md 113 to 115).
 */
import { parse as parseYaml } from 'yaml';
import type { StoredObject } from '../model.ts';
import { checkChanged } from './checks.ts';
import { duplicateFields } from './duplicates.ts';
import { isObject, type Json, type JsonObject } from './patch.ts';
import { apiVersionOf, type Resource } from './resources.ts';
import { createSchemas } from './schemas.ts';
import { ApiError, badRequest, invalid } from './status.ts';
import type { Draft } from './store.ts';

interface Decoded {
  readonly object: Draft<StoredObject>;
  /** Texts of the Warning headers. */
  readonly warnings: readonly string[];
}

export interface Validation {
  /** @throws ApiError 400, 415, 422 */
  readonly decode: (resource: Resource, body: Buffer, type: string, query: URLSearchParams) => Decoded;
  /** Unknown fields of a patched object: taken out, with warnings; an error where the query says Strict. */
  readonly checkFields: (resource: Resource, object: Json, query: URLSearchParams) => readonly string[];
  /** @throws ApiError 422 */
  readonly checkChanged: (resource: Resource, next: StoredObject, current: StoredObject) => void;
}

const ACCEPTED = ['application/json', 'application/yaml', 'application/vnd.kubernetes.protobuf'];
const FIELD_VALIDATIONS = ['', 'Ignore', 'Strict', 'Warn'];

export function createValidation(): Validation {
  const schemas = createSchemas();

  /** @param twice paths of fields that the body names twice */
  function checkFields(
    resource: Resource,
    object: Json,
    query: URLSearchParams,
    twice: readonly string[] = [],
  ): readonly string[] {
    const mode = query.get('fieldValidation') ?? '';
    checkOptions(query, mode);
    if (!isObject(object)) return [];
    const { wrongType, unknown, unknownKeys } = schemas.check(resource, object);
    if (wrongType !== undefined) throw undecodable(resource, resource.kind, resource.version, wrongType);
    const texts = [
      ...unknown.map((path) => `unknown field "${path}"`),
      ...twice.map((path) => `duplicate field "${path}"`),
    ];
    if (mode === 'Strict' && texts.length > 0) {
      throw undecodable(resource, resource.kind, resource.version, `strict decoding error: ${texts.join(', ')}`);
    }
    for (const keys of unknownKeys) prune(object, keys);
    return mode === 'Ignore' ? [] : texts;
  }

  return {
    decode: (resource, body, type, query) => {
      const format = formatOf(type);
      const text = body.toString();
      const value = format === 'yaml' ? read(resource, text, parseYaml) : read(resource, text, JSON.parse);
      const warnings = checkFields(resource, value, query, format === 'yaml' ? [] : duplicateFields(text));
      dropNulls(value);
      return { object: draftOf(value), warnings };
    },
    checkFields,
    checkChanged,
  };
}

/** A field that is null is a field that is not there. */
function dropNulls(value: Json): void {
  if (Array.isArray(value)) for (const item of value) dropNulls(item);
  if (!isObject(value)) return;
  for (const [key, inner] of Object.entries(value)) {
    if (inner === null) delete value[key];
    else if (inner !== undefined) dropNulls(inner);
  }
}

/** What the kind does not have is not stored. */
function prune(object: Json, [key = '', ...rest]: readonly string[]): void {
  if (Array.isArray(object)) {
    const item = object[Number(key)];
    if (item !== undefined) prune(item, rest);
  } else if (isObject(object)) {
    const inner = object[key];
    if (rest.length === 0) delete object[key];
    else if (inner !== undefined) prune(inner, rest);
  }
}

function formatOf(type: string): 'json' | 'yaml' {
  const bare = type.split(';')[0]?.trim() ?? '';
  if (bare === '' || bare === 'application/json') return 'json';
  if (bare === 'application/yaml') return 'yaml';
  throw new ApiError(
    415,
    'UnsupportedMediaType',
    `the body of the request was in an unknown format - accepted media types include: ${ACCEPTED.join(', ')}`,
  );
}

function checkOptions(query: URLSearchParams, mode: string): void {
  const refuse = (field: string, value: unknown, supported: string): ApiError =>
    invalid('CreateOptions', 'meta.k8s.io', '', [
      {
        reason: 'FieldValueNotSupported',
        message: `Unsupported value: ${JSON.stringify(value)}: supported values: ${supported}`,
        field,
      },
    ]);
  const dryRun = query.get('dryRun');
  if (dryRun !== null && dryRun !== '' && dryRun !== 'All') throw refuse('dryRun', [dryRun], '"All"');
  if (!FIELD_VALIDATIONS.includes(mode)) {
    throw refuse('fieldValidation', mode, FIELD_VALIDATIONS.map((one) => `"${one}"`).join(', '));
  }
}

function undecodable(resource: Resource, kind: string, version: string, why: string): ApiError {
  return badRequest(`${kind} in version "${version}" cannot be handled as a ${resource.kind}: ${why}`);
}

function read(resource: Resource, text: string, parse: (text: string) => Json): JsonObject {
  let value: Json;
  try {
    value = parse(text);
  } catch {
    throw unreadable(resource, text);
  }
  if (!isObject(value)) throw unreadable(resource, text);
  const kind = String(value['kind'] ?? resource.kind);
  const apiVersion = String(value['apiVersion'] ?? apiVersionOf(resource));
  if (kind === resource.kind && apiVersion === apiVersionOf(resource)) return value;
  const why = `no kind "${kind}" is registered for version "${apiVersion}" in scheme "pkg/runtime/scheme.go:111"`;
  throw undecodable(resource, kind, apiVersion.split('/').at(-1) ?? '', why);
}

/** Go's parser names the character it stumbled over; a body that stops too early is the usual case. */
function unreadable(resource: Resource, text: string): ApiError {
  const first = text.trim().charAt(0);
  const start = text === '' || first === '{' ? undefined : first;
  const why =
    start === undefined
      ? 'unexpected end of JSON input'
      : `invalid character '${start}' looking for beginning of value`;
  const shown =
    text === '' ? '<empty>' : start === undefined ? `${text.slice(0, 30)} ...` : Buffer.from(text).toString('hex');
  return badRequest(
    `the object provided is unrecognized (must be of type ${resource.kind}): couldn't get version/kind; json parse error: ${why} (${shown})`,
  );
}

function draftOf(value: JsonObject): Draft<StoredObject> {
  const { kind: _kind, apiVersion: _version, status: _status, ...rest } = value;
  const metadata = isObject(rest['metadata']) ? rest['metadata'] : {};
  const { creationTimestamp: _created, ...own } = metadata;
  // The parsing edge: from here on it is an object of this kind.
  return { ...rest, metadata: own } as unknown as Draft<StoredObject>;
}
