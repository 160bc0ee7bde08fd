/** Paths and queries of the API; every name in a path is validated (architecture.md section 5). */
import type { KubernetesObject, Resource } from './contract.ts';

const LABEL = '[a-z0-9](?:[-a-z0-9]*[a-z0-9])?';
const SEGMENT = new RegExp(`^${LABEL}(?:\\.${LABEL})*$`);

/** True for a DNS subdomain of at most 253 characters, as names of Kubernetes objects are. */
export function isName(text: string): boolean {
  return text.length <= 253 && SEGMENT.test(text);
}

/**
 * Joins segments to `/a/b/c`. Throws a TypeError unless each is a valid Kubernetes name: URL parsers resolve `..` and
 * `%2e%2e`, and other characters would start a query or a header.
 */
export function pathOf(...segments: readonly string[]): string {
  for (const segment of segments) {
    if (!isName(segment)) throw new TypeError(`not a Kubernetes name: ${JSON.stringify(segment.slice(0, 300))}`);
  }
  return `/${segments.join('/')}`;
}

/** Path of a collection, of an object in it, or of a subresource of that object. */
export function resourcePath<T extends KubernetesObject>(
  resource: Resource<T>,
  namespace: string,
  ...rest: readonly string[]
): string {
  return pathOf(
    ...(resource.group === '' ? ['api'] : ['apis', resource.group]),
    resource.version,
    ...(resource.namespaced ? ['namespaces', namespace] : []),
    resource.plural,
    ...rest,
  );
}

type QueryValue = string | number | boolean | undefined;

/**
 * `?a=b&c=d`, or '' without parameters. Escapes everything but letters, digits and `-_.!~*'()`: the server drops a parameter
 * with a raw `;` and reads `+` as a space (kubernetes-facts.md 77). An array repeats its name.
 */
export function queryOf(parameters: Readonly<Record<string, QueryValue | readonly string[]>>): string {
  const pairs: string[] = [];
  for (const [name, value] of Object.entries(parameters)) {
    if (value === undefined) continue;
    const values = typeof value === 'object' ? value : [String(value)];
    for (const one of values) pairs.push(`${encodeURIComponent(name)}=${encodeURIComponent(one)}`);
  }
  return pairs.length === 0 ? '' : `?${pairs.join('&')}`;
}
