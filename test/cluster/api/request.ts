/**
 * A request as the API server understands it: who, what, on which object.
 */
import type { IncomingMessage } from 'node:http';
import { RESOURCES, type Resource } from './resources.ts';
import { ApiError } from './status.ts';

/** Path and query of a request to a resource. */
export interface Target {
  readonly resource: Resource;
  /** '' for the cluster scope or all namespaces. */
  readonly namespace: string;
  readonly name: string | undefined;
  readonly subresource: string | undefined;
}

export type Route =
  | { readonly type: 'resource'; readonly target: Target }
  /** A group that is served, but not this kind of object. */
  | {
      readonly type: 'unknownResource';
      readonly group: string;
      readonly plural: string;
      readonly namespace: string;
      readonly name: string | undefined;
    }
  | { readonly type: 'path'; readonly path: string };

/** Groups that answer with JSON for kinds they do not have (kubernetes-facts.md 111). */
const GROUPS = [
  'batch/v1',
  'authorization.k8s.io/v1',
  'authentication.k8s.io/v1',
  'events.k8s.io/v1',
  'policy/v1',
  'scheduling.k8s.io/v1',
  'discovery.k8s.io/v1',
];

export function routeOf(pathname: string): Route {
  const segments = pathname.split('/').slice(1);
  const [root, ...rest] = segments;
  const core = root === 'api' && rest[0] === 'v1';
  const group = core ? '' : (rest[0] ?? '');
  const version = core ? 'v1' : (rest[1] ?? '');
  const parts = core ? rest.slice(1) : rest.slice(2);
  if ((!core && root !== 'apis') || parts.length === 0 || (!core && !GROUPS.includes(`${group}/${version}`))) {
    return { type: 'path', path: pathname };
  }
  if (parts[0] === 'watch') return { type: 'path', path: pathname };
  const scoped = parts[0] === 'namespaces' && parts.length > 2;
  const namespace = scoped ? (parts[1] ?? '') : '';
  const [plural = '', name, subresource] = (scoped ? parts.slice(2) : parts).map(decodeURIComponent);
  const resource = RESOURCES.find((one) => one.group === group && one.plural === plural);
  if (resource === undefined) return { type: 'unknownResource', group, plural, namespace, name };
  return { type: 'resource', target: { resource, namespace, name, subresource } };
}

/** As Go reads a query: a parameter with a raw `;` is dropped, `+` is a blank (kubernetes-facts.md 77). */
export function queryOf(search: string): URLSearchParams {
  const parts = search.replace(/^\?/, '').split('&');
  return new URLSearchParams(parts.filter((part) => !part.includes(';')).join('&'));
}

const MAX_BODY = 3_145_728;

/** @throws ApiError 413 above 3 MiB; the connection is closed then (kubernetes-facts.md 114) */
export async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request) {
    const bytes = Buffer.from(chunk);
    size += bytes.length;
    if (size > MAX_BODY) {
      throw new ApiError(413, 'RequestEntityTooLarge', `Request entity too large: limit is ${MAX_BODY}`, undefined, {
        headers: { Connection: 'close' },
      });
    }
    chunks.push(bytes);
  }
  return Buffer.concat(chunks);
}
