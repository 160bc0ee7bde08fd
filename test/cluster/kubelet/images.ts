/**
 * What becomes of an image is decided by its name (README.md), with the texts of recording 04.
 */
export type ImageOutcome =
  | { readonly type: 'present' }
  /** Not on the node yet: it is pulled first. */
  | { readonly type: 'pulled' }
  | { readonly type: 'waiting'; readonly reason: 'InvalidImageName' | 'ErrImageNeverPull'; readonly message: string }
  | { readonly type: 'unpullable'; readonly message: string };

/** Registries that can be reached; any other host in a name cannot. */
const REGISTRIES = /^(docker\.io|ghcr\.io|quay\.io|gcr\.io|registry\.k8s\.io|mcr\.microsoft\.com|localhost)(:\d+)?$/;

export function imageOutcome(image: string, policy: string | undefined): ImageOutcome {
  const bad = invalidReference(image);
  if (bad !== undefined) return { type: 'waiting', reason: 'InvalidImageName', message: bad };
  const { registry, repository, tag } = partsOf(image);
  const absent = /missing|nothere/.test(repository);
  if (policy === 'Never') {
    if (!absent && REGISTRIES.test(registry)) return { type: 'present' };
    return {
      type: 'waiting',
      reason: 'ErrImageNeverPull',
      message: `Container image "${image}" is not present with pull policy of Never`,
    };
  }
  if (!REGISTRIES.test(registry)) return { type: 'unpullable', message: unreachable(image, registry, repository, tag) };
  if (/private|forbidden/.test(repository)) return { type: 'unpullable', message: denied(image, registry, repository) };
  if (absent) return { type: 'unpullable', message: notFound(image, resolvedName(image)) };
  return policy === 'Always' || /slow|pull/.test(repository) ? { type: 'pulled' } : { type: 'present' };
}

/** `busybox` is `docker.io/library/busybox:latest`. */
export function resolvedName(image: string): string {
  const { registry, repository, tag } = partsOf(image);
  return `${registry}/${repository}${tag.startsWith('sha256:') ? '@' : ':'}${tag}`;
}

function partsOf(image: string): { registry: string; repository: string; tag: string } {
  const [name = '', digest] = image.split('@');
  const slash = name.indexOf('/');
  const first = slash < 0 ? '' : name.slice(0, slash);
  const hasHost = /[.:]/.test(first) || first === 'localhost';
  const rest = hasHost ? name.slice(slash + 1) : name;
  const colon = rest.lastIndexOf(':');
  const path = colon < 0 ? rest : rest.slice(0, colon);
  return {
    registry: hasHost ? first : 'docker.io',
    repository: !hasHost && !path.includes('/') ? `library/${path}` : path,
    tag: digest ?? (colon < 0 ? 'latest' : rest.slice(colon + 1)),
  };
}

function invalidReference(image: string): string | undefined {
  const name = image.split('@')[0] ?? '';
  if (/^[\w.:/-]+$/.test(name) && !/[A-Z]/.test(partsOf(name).repository) && !/::|\/\/|:$/.test(image))
    return undefined;
  const shown = partsOf(image.replace(/::.*$/, '')).repository;
  const why = /[A-Z]/.test(shown) ? `repository name (${shown}) must be lowercase` : 'invalid reference format';
  const detail = /[A-Z]/.test(shown) ? `invalid reference format: ${why}` : why;
  return `Failed to apply default image tag "${image}": couldn't parse image name "${image}": ${detail}`;
}

function unreachable(image: string, registry: string, repository: string, tag: string): string {
  const host = registry.includes(':') ? registry : `${registry}:443`;
  const head = `failed to pull and unpack image "${image}": failed to resolve image: failed to do request: Head "https://${registry}/v2/${repository}/manifests/${tag}": `;
  const numeric = /^[\d.]+(:\d+)?$/.test(registry);
  if (numeric) return `${head}dial tcp ${host}: connect: connection refused`;
  return `${head}dial tcp: lookup ${registry.split(':')[0]}: no such host`;
}

function notFound(image: string, resolved: string): string {
  return `failed to pull and unpack image "${image}": failed to resolve reference "${resolved}": ${resolved}: not found`;
}

function denied(image: string, registry: string, repository: string): string {
  return `failed to pull and unpack image "${image}": failed to resolve reference "${image}": failed to authorize: failed to fetch anonymous token: unexpected status from GET request to https://${registry}/token?scope=repository%3A${encodeURIComponent(repository)}%3Apull: 401 Unauthorized`;
}
