/** Decides whether a pinned package is current. */

export interface Pin {
  readonly name: string;
  readonly version: string;
  /** `node` becomes the executable, `bundled` is inside it, `build` only builds and tests. */
  readonly kind: 'node' | 'bundled' | 'build';
  /** All versions in the registry. */
  readonly versions: readonly string[];
}

interface Judgment {
  /** The newest release of the same major version. */
  readonly newest: string;
  readonly verdict: string;
  readonly isFailure: boolean;
}

/**
 * `nodeVersions` are those of all architectures: a release that the registry has for another architecture alone is a gap.
 * `lacks` is the release whose gap is known and documented (node-binaries.json); a later one is a failure again.
 */
export function judgePin(pin: Pin, nodeVersions: readonly string[], lacks: string | undefined): Judgment {
  const newest = newestOf(pin.version, pin.versions);
  if (newest !== pin.version) {
    const isFailure = pin.kind !== 'build';
    return { newest, isFailure, verdict: isFailure ? 'OUTDATED' : 'newer exists' };
  }
  const elsewhere = pin.kind === 'node' ? newestOf(pin.version, nodeVersions) : newest;
  if (elsewhere === newest) return { newest, verdict: 'current', isFailure: false };
  const gap = `${elsewhere} has no package for this architecture`;
  if (elsewhere === lacks) return { newest, verdict: `known gap: ${gap}`, isFailure: false };
  return { newest, verdict: `OUTDATED: ${gap}`, isFailure: true };
}

/** The newest release with the major version of `version`, or `version` itself. Previews do not count. */
function newestOf(version: string, versions: readonly string[]): string {
  const [major] = version.split('.');
  const releases = versions.filter((other) => other.split('.')[0] === major && /^[\d.]+$/.test(other));
  return [...releases, version].sort((a, b) => a.localeCompare(b, 'en', { numeric: true })).at(-1) ?? version;
}
