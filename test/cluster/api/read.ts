/**
 * GET of one object and of lists: selectors, pages, versions (kubernetes-facts.md 96 to 98, 101).
 */
import type { StoredObject } from '../model.ts';
import type { Pace } from '../pace.ts';
import type { Target } from './request.ts';
import { apiVersionOf, type Resource } from './resources.ts';
import { bothSelectors } from './selectors.ts';
import { badRequest, expired, invalid, notFound, tooLargeVersion } from './status.ts';
import type { Store } from './store.ts';

interface Continue {
  readonly v: 'meta.k8s.io/v1';
  readonly rv: number;
  readonly start: string;
}

export function getObject(store: Store, { resource, namespace, name = '' }: Target): StoredObject {
  const object = store.get(resource, namespace, name);
  if (object === undefined) throw notFound(resource, name);
  return object;
}

/** A version as a number; '' and '0' mean "any". */
function versionOf(text: string | null): number | undefined {
  if (text === null || text === '') return undefined;
  if (!/^\d+$/.test(text)) {
    throw badRequest(
      `invalid resource version: resourceVersion: Invalid value: ${JSON.stringify(text)}: strconv.ParseUint: parsing ${JSON.stringify(text)}: invalid syntax`,
    );
  }
  return Number(text);
}

export async function listObjects(
  store: Store,
  { resource, namespace }: Target,
  query: URLSearchParams,
  pace: Pace,
): Promise<object> {
  const matches = bothSelectors(resource, query.get('labelSelector') ?? '', query.get('fieldSelector') ?? '');
  const selected = query.has('labelSelector') || query.has('fieldSelector');
  const limitText = query.get('limit') ?? '';
  if (!/^-?\d*$/.test(limitText))
    throw badRequest(`strconv.ParseInt: parsing ${JSON.stringify(limitText)}: invalid syntax`);
  const match = query.get('resourceVersionMatch');
  if (match !== null && match !== '' && !query.get('resourceVersion')) {
    throw invalid('ListOptions', 'meta.k8s.io', '', [
      {
        reason: 'FieldValueForbidden',
        message: 'Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided',
        field: 'resourceVersionMatch',
      },
    ]);
  }
  const token = query.get('continue');
  const asked = versionOf(query.get('resourceVersion'));
  if (token && asked !== undefined && asked !== 0) {
    throw badRequest('specifying resource version is not allowed when using continue');
  }
  const from = token ? decodeToken(token) : undefined;
  if (asked !== undefined && asked > store.revision()) {
    await new Promise<void>((resolve) => pace.clock.after(pace.delay('futureVersion'), resolve));
    if (asked > store.revision()) throw tooLargeVersion(asked, store.revision());
  }
  const revision = from !== undefined && from.rv > 0 ? from.rv : match === 'Exact' && asked ? asked : store.revision();
  const all = objectsAt(store, resource, revision, from);
  const wanted = all.filter(
    (object) =>
      (namespace === '' || object.metadata.namespace === namespace) && matches(object) && isAfter(object, from?.start),
  );
  // A list "at any version" is served from the cache, which ignores the limit (kubernetes-facts.md 97).
  const limit = asked === 0 ? 0 : Number(limitText);
  const items = limit > 0 ? wanted.slice(0, limit) : wanted;
  const rest = wanted.length - items.length;
  const last = items.at(-1);
  return {
    kind: `${resource.kind}List`,
    apiVersion: apiVersionOf(resource),
    metadata: {
      resourceVersion: String(revision),
      ...(rest > 0 && last !== undefined ? { continue: encodeToken(revision, startAfter(last)) } : {}),
      ...(rest > 0 && !selected ? { remainingItemCount: rest } : {}),
    },
    items: items.map(withoutType),
  };
}

function objectsAt(
  store: Store,
  resource: Resource,
  revision: number,
  from: Continue | undefined,
): readonly StoredObject[] {
  const objects = store.at(resource, revision);
  if (objects !== undefined) return objects;
  if (from === undefined) throw expired('The resourceVersion for the provided list is too old.');
  throw expired(
    'The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was returned and now may show up in the list.',
    encodeToken(-1, from.start.replace(/^\//, '')),
  );
}

function startAfter({ metadata }: StoredObject): string {
  return `/${metadata.name}\u0000`;
}

function isAfter({ metadata }: StoredObject, start: string | undefined): boolean {
  return start === undefined || metadata.name >= start.replace(/^\//, '');
}

function encodeToken(revision: number, start: string): string {
  const token: Continue = { v: 'meta.k8s.io/v1', rv: revision, start };
  return Buffer.from(JSON.stringify(token)).toString('base64url');
}

function decodeToken(text: string): Continue {
  const bad = (why: string): Error => badRequest(`invalid continue token: continue key is not valid: ${why}`);
  const illegal = text.length % 4 === 1 ? text.length - 1 : text.search(/[^\w-]/);
  if (illegal >= 0) throw bad(`illegal base64 data at input byte ${illegal}`);
  try {
    const token: Continue = JSON.parse(Buffer.from(text, 'base64url').toString());
    if (token.v === 'meta.k8s.io/v1' && typeof token.rv === 'number' && typeof token.start === 'string') return token;
  } catch {
    throw bad('invalid character in token');
  }
  throw bad('unexpected end of JSON input');
}

/** Items of a list carry neither kind nor apiVersion (kubernetes-facts.md 11). */
function withoutType(object: StoredObject): object {
  const { kind: _kind, apiVersion: _version, ...rest } = object;
  return rest;
}
