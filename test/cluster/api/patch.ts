/**
 * How a PATCH changes an object: JSON merge patch, strategic merge patch (lists merged by their key) and JSON patch.
 */
import { isDeepStrictEqual } from 'node:util';
import { ApiError, badRequest } from './status.ts';

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
export type JsonObject = { [key: string]: Json };

export function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** RFC 7396. */
export function mergePatch(target: Json | undefined, patch: Json): Json {
  if (!isObject(patch)) return patch;
  const result: JsonObject = isObject(target) ? { ...target } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key];
    else result[key] = mergePatch(result[key], value);
  }
  return result;
}

/** Lists that a strategic merge patch merges item by item, and the key of their items. Other lists are replaced. */
const MERGE_KEYS: Readonly<Record<string, string>> = {
  containers: 'name',
  initContainers: 'name',
  env: 'name',
  volumes: 'name',
  volumeMounts: 'mountPath',
  ports: 'containerPort',
  conditions: 'type',
  ownerReferences: 'uid',
  imagePullSecrets: 'name',
  hostAliases: 'ip',
  secrets: 'name',
};
/** Lists of plain values that are united. */
const UNITED = new Set(['finalizers']);

export function strategicMergePatch(target: Json | undefined, patch: Json, field = ''): Json {
  if (Array.isArray(patch)) return mergeList(Array.isArray(target) ? target : [], patch, field);
  if (!isObject(patch)) return patch;
  if (patch['$patch'] === 'replace') {
    const { $patch: _directive, ...rest } = patch;
    return rest;
  }
  const result: JsonObject = isObject(target) ? { ...target } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (key.startsWith('$deleteFromPrimitiveList/')) {
      const name = key.slice('$deleteFromPrimitiveList/'.length);
      const list = result[name];
      if (Array.isArray(list) && Array.isArray(value)) result[name] = list.filter((item) => !value.includes(item));
    } else if (key.startsWith('$')) continue;
    else if (value === null) delete result[key];
    else result[key] = strategicMergePatch(result[key], value, key);
  }
  return result;
}

function mergeList(target: Json[], patch: Json[], field: string): Json {
  if (UNITED.has(field)) return [...target, ...patch.filter((item) => !target.includes(item))];
  const key = MERGE_KEYS[field];
  if (key === undefined) return patch;
  const result = [...target];
  for (const item of patch) {
    if (!isObject(item)) return patch;
    const index = result.findIndex((one) => isObject(one) && one[key] === item[key]);
    if (item['$patch'] === 'delete') {
      if (index >= 0) result.splice(index, 1);
    } else if (index >= 0) result[index] = strategicMergePatch(result[index], item);
    else result.push(item);
  }
  return result;
}

/** RFC 6902: add, remove, replace and test. */
export function jsonPatch(target: Json, operations: Json): Json {
  if (!Array.isArray(operations))
    throw badRequest(
      'error decoding patch: json: cannot unmarshal object into Go value of type []handlers.jsonPatchOp',
    );
  let result = structuredClone(target);
  for (const operation of operations) {
    if (!isObject(operation) || typeof operation['path'] !== 'string') throw badRequest('invalid JSON patch operation');
    if (operation['op'] === 'test') {
      test(result, operation['path'], operation['value'] ?? null);
      continue;
    }
    result = apply(result, operation['path'].split('/').slice(1).map(unescapeToken), operation);
  }
  return result;
}

function test(target: Json, path: string, value: Json): void {
  const found = path
    .split('/')
    .slice(1)
    .map(unescapeToken)
    .reduce<Json | undefined>(
      (at, key) => (Array.isArray(at) ? at[Number(key)] : isObject(at) ? at[key] : undefined),
      target,
    );
  if (isDeepStrictEqual(found ?? null, value)) return;
  throw new ApiError(422, 'Invalid', 'the server rejected our request due to an error in our request', {});
}

function unescapeToken(token: string): string {
  return token.replaceAll('~1', '/').replaceAll('~0', '~');
}

function apply(target: Json, path: readonly string[], operation: JsonObject): Json {
  const [head, ...rest] = path;
  if (head === undefined) return operation['op'] === 'remove' ? null : (operation['value'] ?? null);
  if (Array.isArray(target)) {
    const index = head === '-' ? target.length : Number(head);
    const copy = [...target];
    if (rest.length > 0) copy[index] = apply(copy[index] ?? null, rest, operation);
    else if (operation['op'] === 'add') copy.splice(index, 0, operation['value'] ?? null);
    else if (operation['op'] === 'remove') copy.splice(index, 1);
    else copy[index] = operation['value'] ?? null;
    return copy;
  }
  if (!isObject(target)) throw badRequest(`the server rejected our request: no such path ${head}`);
  const copy = { ...target };
  if (rest.length > 0) copy[head] = apply(copy[head] ?? null, rest, operation);
  else if (operation['op'] === 'remove') delete copy[head];
  else copy[head] = operation['value'] ?? null;
  return copy;
}
