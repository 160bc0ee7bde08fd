/**
 * The recorded OpenAPI documents (fixtures/openapi) as validators of request bodies: wrong types are what Go's decoder
 * refuses, unknown fields what it warns of (kubernetes-facts.md 113, 115).
 */
import { readFileSync } from 'node:fs';
import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv';
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
  readonly type?: string;
  readonly format?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
  additionalProperties?: Schema | false;
}

const DOCUMENT = new URL('../../../fixtures/openapi/objects.json', import.meta.url);
const PREFIX = '#/components/schemas/';
const QUANTITY = /^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$/;
const QUANTITY_TEXT = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";

export function createSchemas(): Schemas {
  const document: { components: { schemas: Record<string, Schema> } } = JSON.parse(readFileSync(DOCUMENT, 'utf8'));
  const { schemas } = document.components;
  for (const schema of Object.values(schemas)) closeObjects(schema);
  const ajv = new Ajv({ strict: false, allErrors: true, validateFormats: false, logger: false });
  ajv.addSchema({ $id: 'objects', ...document });
  const validators = new Map<string, ValidateFunction | undefined>();

  function nameOf(resource: Resource): string | undefined {
    const name = `io.k8s.api.${resource.group === '' ? 'core' : resource.group}.${resource.version}.${resource.kind}`;
    return schemas[name] === undefined ? undefined : name;
  }

  /** Compiled when first needed: that takes a fifth of a second. */
  function validatorOf(name: string): ValidateFunction | undefined {
    if (!validators.has(name)) validators.set(name, ajv.compile({ $ref: `objects${PREFIX}${name}` }));
    return validators.get(name);
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

  function decodeError(root: string, error: ErrorObject, body: Json): string {
    const path = error.instancePath.split('/').slice(1);
    const value = path.reduce<Json | undefined>(
      (at, key) => (Array.isArray(at) ? at[Number(key)] : isObject(at) ? at[key] : undefined),
      body,
    );
    if (error.keyword === 'oneOf') return QUANTITY_TEXT;
    const { owner, schema } = locate(root, path);
    const fields = path.filter((key) => !/^\d+$/.test(key)).join('.');
    return `json: cannot unmarshal ${jsonKind(value)} into Go struct field ${owner}.${fields} of type ${goType(schema)}`;
  }

  return {
    check: (resource, body) => {
      const root = nameOf(resource);
      if (root === undefined) return { wrongType: undefined, unknown: [], unknownKeys: [] };
      const bare = withoutNulls(body);
      const validate = validatorOf(root);
      validate?.(bare);
      const errors = validate?.errors ?? [];
      const choice = errors.find(({ keyword }) => keyword === 'oneOf');
      const wrong =
        choice ?? errors.find(({ keyword, schemaPath }) => keyword === 'type' && !schemaPath.includes('oneOf'));
      const bad = badQuantity(bare);
      const order = pathsOf(bare, '');
      const extra = errors
        .filter(({ keyword }) => keyword === 'additionalProperties')
        .map(({ instancePath, params }) => `${instancePath}/${params['additionalProperty']}`);
      const unknown = extra.map(dotted).sort((a, b) => order.indexOf(a) - order.indexOf(b));
      const wrongType = wrong !== undefined ? decodeError(root, wrong, bare) : bad ? QUANTITY_TEXT : undefined;
      return { wrongType, unknown, unknownKeys: extra.map((path) => path.slice(1).split('/')) };
    },
  };
}

function closeObjects(schema: Schema): void {
  if (schema.properties !== undefined && schema.additionalProperties === undefined) schema.additionalProperties = false;
  const inner = [...Object.values(schema.properties ?? {}), schema.items, ...(schema.allOf ?? [])];
  for (const one of inner) if (one !== undefined) closeObjects(one);
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

function pathsOf(value: Json, path: string): string[] {
  if (Array.isArray(value)) return value.flatMap((one, index) => pathsOf(one, `${path}/${index}`));
  if (!isObject(value)) return [];
  return Object.entries(value).flatMap(([key, one]) => [...pathsOf(one, `${path}/${key}`), dotted(`${path}/${key}`)]);
}

/** `/spec/containers/0/name` -> `spec.containers[0].name`. */
function dotted(path: string): string {
  return path
    .slice(1)
    .split('/')
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
