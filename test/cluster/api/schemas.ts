/**
 * The recorded OpenAPI documents (fixtures/openapi) as validators of request bodies: wrong types are what Go's decoder
 * refuses, unknown fields what it warns of (kubernetes-facts.md 113, 115).
 */
import { readFileSync } from 'node:fs';
import { isObject, type Json, type JsonObject } from './patch.ts';
import type { Resource } from './resources.ts';

interface SchemaFindings {
  /** The decoder's text for the first value of a wrong type; undefined if all fit. */
  readonly wrongType: string | undefined;
  /** Paths of fields that the kind does not have, in the order of the document. */
  readonly unknown: readonly string[];
  /** The same fields as keys to follow. */
  readonly unknownKeys: readonly (readonly string[])[];
}

interface Schemas {
  readonly check: (resource: Resource, body: JsonObject) => SchemaFindings;
}

interface Schema {
  readonly $ref?: string;
  readonly allOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly type?: string;
  readonly format?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
  readonly additionalProperties?: Schema;
}

/** Keys and indexes from the top of a body. */
type Path = readonly string[];

interface Mismatches {
  readonly wrongType: Path[];
  /** Values that fit none of several types. */
  readonly noChoice: Path[];
  readonly unknown: Path[];
}

const DOCUMENT = new URL('../../../fixtures/openapi/objects.json', import.meta.url);
const PREFIX = '#/components/schemas/';
const QUANTITY = /^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$/;
const QUANTITY_TEXT = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";

export function createSchemas(): Schemas {
  const document: { components: { schemas: Record<string, Schema> } } = JSON.parse(readFileSync(DOCUMENT, 'utf8'));
  const { schemas } = document.components;

  function nameOf(resource: Resource): string | undefined {
    const name = `io.k8s.api.${resource.group === '' ? 'core' : resource.group}.${resource.version}.${resource.kind}`;
    return schemas[name] === undefined ? undefined : name;
  }

  /** Collects what does not fit; below a value of a wrong type nothing is looked at. */
  function compare(value: Json, schema: Schema, path: Path, found: Mismatches): void {
    if (schema.$ref !== undefined) compare(value, schemas[schema.$ref.slice(PREFIX.length)] ?? {}, path, found);
    for (const part of schema.allOf ?? []) compare(value, part, path, found);
    if (schema.oneOf?.some(({ type }) => hasType(value, type)) === false) found.noChoice.push(path);
    if (schema.type !== undefined && !hasType(value, schema.type)) {
      found.wrongType.push(path);
    } else if (Array.isArray(value)) {
      const { items } = schema;
      if (items !== undefined) value.forEach((one, index) => void compare(one, items, [...path, `${index}`], found));
    } else if (isObject(value)) {
      for (const [key, one] of Object.entries(value)) {
        const { properties, additionalProperties } = schema;
        const inner =
          properties !== undefined && Object.hasOwn(properties, key) ? properties[key] : additionalProperties;
        if (inner !== undefined) compare(one, inner, [...path, key], found);
        else if (properties !== undefined) found.unknown.push([...path, key]);
      }
    }
  }

  /** The structure that holds the value at a path, and the schema of the value. */
  function locate(root: string, path: readonly string[]): { owner: string; schema: Schema } {
    let owner = root;
    let schema: Schema = schemas[root] ?? {};
    for (const key of path) {
      const next =
        schema.items !== undefined ? schema.items : (schema.properties?.[key] ?? (schema.additionalProperties || {}));
      const reference = next.$ref ?? next.allOf?.[0]?.$ref;
      const name = reference?.slice(PREFIX.length);
      if (name !== undefined && schemas[name]?.properties !== undefined && key !== path.at(-1)) owner = name;
      schema = name === undefined ? next : (schemas[name] ?? {});
    }
    return { owner: owner.slice(owner.lastIndexOf('.') + 1), schema };
  }

  function decodeError(root: string, path: Path, body: Json): string {
    const value = path.reduce<Json | undefined>(
      (at, key) => (Array.isArray(at) ? at[Number(key)] : isObject(at) ? at[key] : undefined),
      body,
    );
    const { owner, schema } = locate(root, path);
    const fields = path.filter((key) => !/^\d+$/.test(key)).join('.');
    return `json: cannot unmarshal ${jsonKind(value)} into Go struct field ${owner}.${fields} of type ${goType(schema)}`;
  }

  return {
    check: (resource, body) => {
      const root = nameOf(resource);
      if (root === undefined) return { wrongType: undefined, unknown: [], unknownKeys: [] };
      const bare = withoutNulls(body);
      const found: Mismatches = { wrongType: [], noChoice: [], unknown: [] };
      compare(bare, schemas[root] ?? {}, [], found);
      const [wrong] = found.wrongType;
      const isBadQuantity = found.noChoice.length > 0 || (wrong === undefined && badQuantity(bare));
      return {
        wrongType: isBadQuantity ? QUANTITY_TEXT : wrong && decodeError(root, wrong, bare),
        unknown: found.unknown.map(dotted),
        unknownKeys: found.unknown,
      };
    },
  };
}

function hasType(value: Json, type: string | undefined): boolean {
  switch (type) {
    case 'array':
      return Array.isArray(value);
    case 'object':
      return isObject(value);
    case 'integer':
      return Number.isInteger(value);
    default:
      return typeof value === type;
  }
}

/** Go takes null as "not given". */
function withoutNulls(value: Json): Json {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (!isObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, one]) => (one === null ? [] : [[key, withoutNulls(one)]])),
  );
}

/** Quantities are strings for the schema; their syntax is checked where limits and requests hold them. */
function badQuantity(value: Json): boolean {
  if (Array.isArray(value)) return value.some(badQuantity);
  if (!isObject(value)) return false;
  return Object.entries(value).some(([key, one]) => {
    if ((key === 'limits' || key === 'requests') && isObject(one)) {
      return Object.values(one).some((text) => typeof text === 'string' && !QUANTITY.test(text));
    }
    return badQuantity(one);
  });
}

/** `spec, containers, 0, name` -> `spec.containers[0].name`. */
function dotted(path: Path): string {
  return path
    .map((key) => (/^\d+$/.test(key) ? `[${key}]` : `.${key}`))
    .join('')
    .slice(1);
}

function jsonKind(value: Json | undefined): string {
  if (Array.isArray(value)) return 'array';
  if (typeof value === 'boolean') return 'bool';
  return isObject(value) ? 'object' : typeof value;
}

function goType({ type = 'string', format }: Schema): string {
  if (type === 'integer') return format ?? 'int';
  return type === 'boolean' ? 'bool' : type;
}
