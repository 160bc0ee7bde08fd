/** sprig's functions of semantic versions; `semver` returns an object with methods for templates. */
import { define, type Parameter, string } from '../definition.ts';
import { type GoFunction, GoObject, Sized, type Value } from '../values.ts';
import { satisfies } from './semver-constraint.ts';
import {
  checkMetadata,
  checkPrerelease,
  compareVersions,
  formatVersion,
  parseVersion,
  type Version,
} from './semver-version.ts';

const uint64 = (value: bigint): Sized => new Sized('uint64', value);

/** A *semver.Version (or, from its methods that change it, a semver.Version). */
class VersionObject extends GoObject {
  readonly version: Version;

  constructor(version: Version, kind: 'ptr' | 'struct') {
    const methods = methodsOf(version, kind).map((method): [string, GoFunction] => [method.name, method]);
    super({
      type: kind === 'ptr' ? '*semver.Version' : 'semver.Version',
      kind,
      text: formatVersion(version),
      methods: new Map(methods),
    });
    this.version = version;
  }
}

const other: Parameter<Version> = {
  type: '*semver.Version',
  read: (value: Value) => (value instanceof VersionObject ? value.version : parseVersion('0')),
};

function methodsOf(version: Version, kind: 'ptr' | 'struct'): readonly GoFunction[] {
  const { major, minor, patch, prerelease, metadata, original } = version;
  const changed = (fields: Partial<Version>): VersionObject => {
    const next = { ...version, ...fields };
    return new VersionObject(
      { ...next, original: (original.startsWith('v') ? 'v' : '') + formatVersion(next) },
      'struct',
    );
  };
  const none = { prerelease: '', metadata: '' };
  // Methods of the pointer are not those of the value that a method returned.
  const ofPointer = [
    ...define('Original', [], () => original),
    ...define('Compare', [other], ([than]) => BigInt(compareVersions(version, than))),
    ...define('LessThan', [other], ([than]) => compareVersions(version, than) < 0),
    ...define('GreaterThan', [other], ([than]) => compareVersions(version, than) > 0),
    ...define('Equal', [other], ([than]) => compareVersions(version, than) === 0),
  ];
  return [
    ...define('String', [], () => formatVersion(version)),
    ...define('Major', [], () => uint64(major)),
    ...define('Minor', [], () => uint64(minor)),
    ...define('Patch', [], () => uint64(patch)),
    ...define('Prerelease', [], () => prerelease),
    ...define('Metadata', [], () => metadata),
    ...define('IncPatch', [], () => changed({ ...none, patch: prerelease === '' ? patch + 1n : patch })),
    ...define('IncMinor', [], () => changed({ ...none, minor: minor + 1n, patch: 0n })),
    ...define('IncMajor', [], () => changed({ ...none, major: major + 1n, minor: 0n, patch: 0n })),
    ...define('SetPrerelease', [string], ([text]) => {
      checkPrerelease(text);
      return changed({ prerelease: text });
    }),
    ...define('SetMetadata', [string], ([text]) => {
      checkMetadata(text);
      return changed({ metadata: text });
    }),
    ...(kind === 'ptr' ? ofPointer : []),
  ];
}

export const SEMVER_FUNCTIONS: readonly GoFunction[] = [
  ...define('semver', [string], ([text]) => new VersionObject(parseVersion(text), 'ptr')),
  ...define('semverCompare', [string, string], ([constraint, version], budget) =>
    satisfies(constraint, version, budget),
  ),
];
