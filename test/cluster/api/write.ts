/**
 * POST, PUT, PATCH and DELETE of objects.
 */
import { isDeepStrictEqual } from 'node:util';
import { type StoredObject, timestamp } from '../model.ts';
import { type Admission, encodeText } from './admission.ts';
import { warningHeader } from './answer.ts';
import { type DeleteOptions, deleteObject, warningsOf } from './deletion.ts';
import { isObject, type Json, type JsonObject, jsonPatch, mergePatch, strategicMergePatch } from './patch.ts';
import { getObject } from './read.ts';
import type { Target } from './request.ts';
import { apiVersionOf, type Resource, SECRETS } from './resources.ts';
import { bothSelectors } from './selectors.ts';
import { ApiError, badRequest, conflict, invalid, unsupportedPatch } from './status.ts';
import type { Draft, Store } from './store.ts';
import type { Validation } from './validation.ts';

export interface Written {
  readonly code: 200 | 201;
  readonly object: object;
  readonly warnings: readonly string[];
}

export interface Writer {
  readonly create: (target: Target, body: Buffer, type: string, query: URLSearchParams) => Written;
  readonly replace: (target: Target, body: Buffer, type: string, query: URLSearchParams) => Written;
  readonly patch: (target: Target, body: Buffer, type: string, query: URLSearchParams) => Written;
  readonly remove: (target: Target, body: Buffer, query: URLSearchParams) => Written;
  readonly removeAll: (target: Target, body: Buffer, query: URLSearchParams) => Written;
}

const PATCHES: Readonly<Record<string, (target: Json, patch: Json) => Json>> = {
  'application/merge-patch+json': mergePatch,
  'application/strategic-merge-patch+json': strategicMergePatch,
  'application/json-patch+json': jsonPatch,
};

export function createWriter(store: Store, admission: Admission, validation: Validation): Writer {
  function create(target: Target, body: Buffer, type: string, query: URLSearchParams): Written {
    const { resource, namespace } = target;
    const { object, warnings } = validation.decode(resource, body, type, query);
    checkNamespace(object, namespace);
    const draft = admission.admit(resource, namespace, object);
    const told = [...warnings, ...admission.warnings(resource, namespace, draft)];
    if (query.get('dryRun') === 'All') {
      const { metadata, ...rest } = draft;
      const generation = resource.generation ? { generation: 1 } : {};
      const created = { ...metadata, ...generation, creationTimestamp: timestamp(store.now()) };
      const stored = { kind: resource.kind, apiVersion: apiVersionOf(resource), metadata: created, ...rest };
      return { code: 201, object: stored, warnings: told };
    }
    return { code: 201, object: store.create(resource, draft), warnings: told };
  }

  /** Everything a client may not change keeps its old value; then the usual checks. */
  function save(target: Target, current: StoredObject, wanted: Json, query: URLSearchParams): StoredObject {
    const { resource, subresource } = target;
    const next = guarded(resource, current, wanted, subresource);
    const asked = next.metadata.resourceVersion;
    if (asked !== '' && asked !== current.metadata.resourceVersion) throw conflict(resource, current.metadata.name);
    next.metadata.resourceVersion = current.metadata.resourceVersion;
    if (isDeepStrictEqual(next, current)) return current;
    if (resource.plural === SECRETS.plural) encodeText(next);
    validation.checkChanged(resource, next, current);
    return query.get('dryRun') === 'All' ? next : store.update(resource, next);
  }

  return {
    create,
    replace: (target, body, type, query) => {
      const current = getObject(store, target);
      const { object, warnings } = validation.decode(target.resource, body, type, query);
      const uid = object.metadata.uid;
      if (uid !== undefined && uid !== current.metadata.uid) throw otherUid(target, uid, current);
      return { code: 200, object: save(target, current, toJson(object), query), warnings };
    },
    patch: (target, body, type, query) => {
      const current = getObject(store, target);
      const apply = PATCHES[type.split(';')[0]?.trim() ?? ''];
      if (type === APPLY && query.get('fieldManager') === null) throw needsManager();
      if (apply === undefined) throw unsupportedPatch();
      const patch = parsePatch(body);
      const patched = apply(toJson(current), patch);
      const warnings = validation.checkFields(target.resource, patched, query);
      const named = isObject(patched) && isObject(patched['metadata']) ? patched['metadata']['name'] : undefined;
      if (named !== current.metadata.name) {
        throw badRequest(
          `the name of the object (${String(named)}) does not match the name on the URL (${current.metadata.name})`,
        );
      }
      return { code: 200, object: save(target, current, patched, query), warnings };
    },
    remove: (target, body, query) => {
      const options = deleteOptions(body, query);
      const warnings = warningsOf(target.resource, options);
      try {
        const object = getObject(store, target);
        if (query.get('dryRun') === 'All') return { code: 200, object, warnings };
        return { code: 200, object: deleteObject(store, target.resource, object, options), warnings };
      } catch (error) {
        // Warnings come with refusals, too.
        throw error instanceof ApiError ? error.with(warningHeader(warnings)) : error;
      }
    },
    removeAll: ({ resource, namespace }, body, query) => {
      const matches = bothSelectors(resource, query.get('labelSelector') ?? '', query.get('fieldSelector') ?? '');
      const options = deleteOptions(body, query);
      const revision = String(store.revision());
      const objects = store.list(resource, namespace === '' ? undefined : namespace).filter(matches);
      for (const object of objects) deleteObject(store, resource, object, options);
      return {
        code: 200,
        object: {
          kind: `${resource.kind}List`,
          apiVersion: apiVersionOf(resource),
          metadata: { resourceVersion: revision },
          items: objects.map(({ kind: _kind, apiVersion: _version, ...rest }) => rest),
        },
        warnings: warningsOf(resource, options),
      };
    },
  };
}

function checkNamespace(object: Draft<StoredObject>, namespace: string): void {
  const named = object.metadata.namespace;
  if (named === undefined || named === '' || named === namespace) return;
  throw badRequest('the namespace of the provided object does not match the namespace sent on the request');
}

function toJson(value: object): Json {
  return JSON.parse(JSON.stringify(value));
}

/** What the server owns of an object's metadata. */
const OWNED = [
  'uid',
  'creationTimestamp',
  'generation',
  'deletionTimestamp',
  'deletionGracePeriodSeconds',
  'namespace',
];

function guarded(
  resource: Resource,
  current: StoredObject,
  wanted: Json,
  subresource: string | undefined,
): StoredObject {
  if (!isObject(wanted)) throw badRequest('the object provided is unrecognized');
  const before = toJson(current);
  if (!isObject(before) || !isObject(before['metadata'])) throw new Error('BUG: a stored object without metadata');
  const metadata: JsonObject = isObject(wanted['metadata']) ? { ...wanted['metadata'] } : {};
  for (const key of OWNED) {
    delete metadata[key];
    const value = before['metadata'][key];
    if (value !== undefined) metadata[key] = value;
  }
  const onlyStatus = subresource === 'status';
  const body: JsonObject = onlyStatus ? { ...before } : { ...wanted };
  if (resource.hasStatus) {
    const status = onlyStatus ? wanted['status'] : before['status'];
    if (status === undefined) delete body['status'];
    else body['status'] = status;
  }
  const version = metadata['resourceVersion'];
  const result = {
    ...body,
    kind: resource.kind,
    apiVersion: apiVersionOf(resource),
    metadata: { ...metadata, name: current.metadata.name, resourceVersion: typeof version === 'string' ? version : '' },
  };
  // The parsing edge: the body was checked against the schema.
  return withSameOrder(before, result) as unknown as StoredObject;
}

/** Keys in the order they had, so that a comparison and a reader see what changed only. */
function withSameOrder(before: JsonObject, after: JsonObject): JsonObject {
  const keys = [...Object.keys(before), ...Object.keys(after)];
  return Object.fromEntries(
    [...new Set(keys)].flatMap((key) => {
      const value = after[key];
      return value === undefined ? [] : [[key, value]];
    }),
  );
}

function deleteOptions(body: Buffer, query: URLSearchParams): DeleteOptions {
  const grace = query.get('gracePeriodSeconds');
  const policy = query.get('propagationPolicy');
  const fromQuery = {
    ...(grace === null ? {} : { gracePeriodSeconds: Number(grace) }),
    ...(policy === null ? {} : { propagationPolicy: policy }),
  };
  if (body.length === 0) return fromQuery;
  try {
    return { ...fromQuery, ...JSON.parse(body.toString()) };
  } catch (error) {
    throw badRequest(`couldn't get version/kind; json parse error: ${String(error)}`);
  }
}

function parsePatch(body: Buffer): Json {
  const text = body.toString();
  try {
    return JSON.parse(text);
  } catch {
    const wrong = /^\s*\{\s*([^"}\s])/.exec(text)?.[1];
    const where =
      wrong === undefined
        ? 'unexpected end of JSON input'
        : `invalid character '${wrong}' looking for beginning of object key string`;
    throw badRequest(`error decoding patch: ${where}`);
  }
}

const APPLY = 'application/apply-patch+yaml';

function needsManager(): ApiError {
  const message = 'Required value: is required for apply patch';
  return invalid('PatchOptions', 'meta.k8s.io', '', [{ reason: 'FieldValueRequired', message, field: 'fieldManager' }]);
}

function otherUid({ resource, namespace, name = '' }: Target, asked: string, current: StoredObject): ApiError {
  const key = `/registry/${resource.plural}/${namespace}/${name}`;
  return conflict(
    resource,
    name,
    `StorageError: invalid object, Code: 4, Key: ${key}, ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: UID in precondition: ${asked}, UID in object meta: ${current.metadata.uid}`,
  );
}
