/**
 * Step of `check` about objects that profiles, overrides and templates name: service accounts, pull Secrets, priority classes,
 * runtime and storage classes, volume claims and ConfigMaps. An object that may not be read is counted as not verified.
 */
import { type OverrideReference, readOverrides } from '../../config/profiles/override-files.ts';
import type { PolicyFiles } from '../../config/profiles/policy-files.ts';
import type { TemplateFile } from '../../config/profiles/template-files.ts';
import { ConfigError, type Origin, place } from '../../config/text/problem.ts';
import type { Setting } from '../../config/text/settings.ts';
import {
  type Client,
  type KubernetesObject,
  type Resource,
  SECRETS,
  SERVICE_ACCOUNTS,
} from '../../kubernetes/contract.ts';
import { isForbidden, isNotFound } from '../../kubernetes/kubernetes-error.ts';
import { CLAIMS, claimProblem, STORAGE_CLASSES } from './check-claims.ts';
import { type Checked, type Finding, failure, ok, only, warning } from './check-report.ts';

const resource = (group: string, plural: string, kind: string, namespaced = true): Resource<KubernetesObject> => ({
  group,
  version: 'v1',
  plural,
  kind,
  namespaced,
});

const PRIORITY_CLASSES = resource('scheduling.k8s.io', 'priorityclasses', 'PriorityClass', false);
const RUNTIME_CLASSES = resource('node.k8s.io', 'runtimeclasses', 'RuntimeClass', false);
const CONFIG_MAPS = resource('', 'configmaps', 'ConfigMap');

/** Keys of profiles with the name or names of objects. */
const KEYS: readonly (readonly [
  key: 'service-account' | 'image-pull-secrets' | 'priority-class' | 'claims' | 'config-maps',
  Resource<KubernetesObject>,
])[] = [
  ['service-account', SERVICE_ACCOUNTS],
  ['image-pull-secrets', SECRETS],
  ['priority-class', PRIORITY_CLASSES],
  ['claims', CLAIMS],
  ['config-maps', CONFIG_MAPS],
];

interface Named {
  readonly resource: Resource<KubernetesObject>;
  readonly name: string;
  readonly origin: Origin;
  readonly key: string;
}

/** Lookups at the same time, and the most objects that are looked up. */
const CONCURRENCY = 8;
const MOST_OBJECTS = 100;

type Lookup =
  | { readonly outcome: 'exists'; readonly object: KubernetesObject }
  | { readonly outcome: 'missing' | 'not-verified' };

/** What the templates make of a small job, and the files in use. */
interface Rendered {
  readonly job: KubernetesObject;
  readonly files: readonly TemplateFile[];
}

export async function checkNamedObjects(
  files: PolicyFiles,
  client: Client,
  rendered: Rendered | undefined,
): Promise<Checked<true>> {
  const named = [...namedObjects(files, rendered).values()].slice(0, MOST_OBJECTS);
  const lookups: Lookup[] = [];
  for (let first = 0; first < named.length; first += CONCURRENCY) {
    const batch = named.slice(first, first + CONCURRENCY);
    lookups.push(...(await Promise.all(batch.map((each) => lookUp(client, each)))));
  }
  const findings: Finding[] = [];
  for (const [index, each] of named.entries()) {
    const lookup = lookups[index];
    if (lookup?.outcome === 'missing') findings.push(missingObject(each, client));
    if (lookup?.outcome === 'exists' && each.resource === CLAIMS)
      findings.push(...(await unusable(each, lookup.object, client)));
  }
  const unverified = named.filter((_, index) => lookups[index]?.outcome === 'not-verified');
  const kinds = [...new Set(unverified.map((each) => each.resource.plural))].join(', ');
  const note = unverified.length === 0 ? '' : `; ${unverified.length} not verified: no permission to get ${kinds}`;
  const found = lookups.filter(({ outcome }) => outcome === 'exists').length;
  const count = named.length === 0 ? 'no objects are named' : `${found} of ${named.length} named objects exist${note}`;
  return only(ok(count), ...findings);
}

async function lookUp(client: Client, { resource: kind, name }: Named): Promise<Lookup> {
  try {
    return { outcome: 'exists', object: (await client.get(kind, name)).object };
  } catch (error) {
    if (isNotFound(error)) return { outcome: 'missing' };
    if (!isForbidden(error)) throw error;
    return kind === SERVICE_ACCOUNTS ? inList(client, kind, name) : { outcome: 'not-verified' };
  }
}

/** The plugin's account may list service accounts, but not get them. */
async function inList(client: Client, kind: Resource<KubernetesObject>, name: string): Promise<Lookup> {
  try {
    const { items } = await client.list(kind);
    const object = items.find(({ metadata }) => metadata?.name === name);
    return object === undefined ? { outcome: 'missing' } : { outcome: 'exists', object };
  } catch (error) {
    if (isForbidden(error)) return { outcome: 'not-verified' };
    throw error;
  }
}

/** A claim that exists, but that jobs cannot use. */
async function unusable(
  { name, origin, key }: Named,
  object: KubernetesObject,
  client: Client,
): Promise<readonly Finding[]> {
  const found = await claimProblem(object, client);
  if (found === undefined) return [];
  const text = `${place(origin)}: ${key}: PersistentVolumeClaim ${name} ${found.found}`;
  return [found.status === 'failed' ? failure(text, found.remedy) : warning(text, found.remedy)];
}

function missingObject(
  { resource: { kind, plural, namespaced }, name, origin, key }: Named,
  { namespace }: Client,
): Finding {
  const where = namespaced ? ` in namespace ${namespace}` : '';
  const list = `kubectl ${namespaced ? `-n ${namespace} ` : ''}get ${plural}`;
  return failure(
    `${place(origin)}: ${key}: ${kind} ${name} does not exist${where}; jobs with it stay Pending`,
    `correct the name, or create the ${kind}; existing ones: ${list}`,
  );
}

/** Each object once, with the first place that names it. */
function namedObjects({ profiles }: PolicyFiles, rendered: Rendered | undefined): ReadonlyMap<string, Named> {
  const found = new Map<string, Named>();
  const add = (named: Named): void => {
    const id = `${named.resource.plural}/${named.name}`;
    if (!found.has(id)) found.set(id, named);
  };
  for (const { settings } of profiles.sections) {
    for (const [key, kind] of KEYS) {
      const { value, origin } = settings.get(key) ?? {};
      if (origin === undefined) continue;
      // A name with {user} or {group} is another one for each user.
      for (const name of Array.isArray(value) ? value : [value])
        if (typeof name === 'string' && name !== '' && !name.includes('{')) add({ resource: kind, name, origin, key });
    }
    const overrides = settings.get('job-json-overrides') as Setting<readonly OverrideReference[]> | undefined;
    if (overrides?.origin === undefined) continue;
    for (const { resource: kind, name } of objectsIn(contentOf(overrides), 0))
      add({ resource: kind, name, origin: overrides.origin, key: 'job-json-overrides' });
  }
  // Profiles are part of what the templates make, so their objects have a place already.
  for (const { resource: kind, name } of objectsIn(rendered?.job, 0))
    add({ resource: kind, name, origin: lineOf(name, rendered?.files ?? []), key: 'template' });
  return found;
}

/** The first line with this text; the first file without a line, if templates compose the text. */
function lineOf(text: string, files: readonly TemplateFile[]): Origin {
  for (const { path: file, text: content } of files) {
    const line = content.split('\n').findIndex((each) => each.includes(text)) + 1;
    if (line > 0) return { file, line };
  }
  return { file: files[0]?.path ?? 'templates', line: 0 };
}

/** Unreadable files are reported by the steps `profiles` and `overrides`. */
function contentOf(overrides: Setting<readonly OverrideReference[]>): unknown {
  try {
    // An override may be the name itself, below a pointer such as /spec/template/spec/serviceAccountName.
    return readOverrides(overrides).map(({ tokens, value }) =>
      tokens.reduceRight<unknown>((content, token) => ({ [token]: content }), value),
    );
  } catch (error) {
    if (error instanceof ConfigError) return [];
    throw error;
  }
}

/** Fields of volumes and environments that name an object: the field, the field of the name, the kind. */
const REFERENCES: readonly (readonly [field: string, nameField: string, Resource<KubernetesObject>])[] = [
  ['persistentVolumeClaim', 'claimName', CLAIMS],
  ['configMap', 'name', CONFIG_MAPS],
  ['configMapKeyRef', 'name', CONFIG_MAPS],
  ['configMapRef', 'name', CONFIG_MAPS],
  ['secret', 'secretName', SECRETS],
  ['secretKeyRef', 'name', SECRETS],
  ['secretRef', 'name', SECRETS],
];

/** Fields of a pod or a claim with the name of an object. */
const NAME_FIELDS: readonly (readonly [field: string, Resource<KubernetesObject>])[] = [
  ['serviceAccountName', SERVICE_ACCOUNTS],
  ['priorityClassName', PRIORITY_CLASSES],
  ['runtimeClassName', RUNTIME_CLASSES],
  ['storageClassName', STORAGE_CLASSES],
];

/** Depth of an override file. */
const MAX_DEPTH = 64;

function namesIn(name: unknown, kind: Resource<KubernetesObject>): readonly Pick<Named, 'resource' | 'name'>[] {
  return typeof name === 'string' && name !== '' ? [{ resource: kind, name }] : [];
}

/** Objects that a piece of a pod names; those marked as optional do not count. */
function objectsIn(value: unknown, depth: number): readonly Pick<Named, 'resource' | 'name'>[] {
  if (typeof value !== 'object' || value === null || depth > MAX_DEPTH) return [];
  const here = REFERENCES.flatMap(([field, nameField, kind]) => {
    const reference: unknown = (value as Readonly<Record<string, unknown>>)[field];
    if (typeof reference !== 'object' || reference === null) return [];
    const { [nameField]: name, optional } = reference as Readonly<Record<string, unknown>>;
    return typeof name === 'string' && optional !== true ? [{ resource: kind, name }] : [];
  });
  const fields = value as Readonly<Record<string, unknown>>;
  const names = NAME_FIELDS.flatMap(([field, kind]) => namesIn(fields[field], kind));
  const pull = Object.values(fields['imagePullSecrets'] ?? {}).flatMap((each: { readonly name?: unknown } | null) =>
    namesIn(each?.name, SECRETS),
  );
  return [...here, ...names, ...pull, ...Object.values(value).flatMap((each) => objectsIn(each, depth + 1))];
}
