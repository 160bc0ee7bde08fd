/** Profiles, resource profiles and override files: read, checked and replaced together. */
import { type Naming, namingOf } from '../text/file.ts';
import { checkWriters, ownTrust } from '../text/file-trust.ts';
import { ConfigErrors, type Origin, type Problem, problem } from '../text/problem.ts';
import { checkOverrideFiles, overrideFiles } from './override-files.ts';
import { type Profiles, readProfiles } from './profiles.ts';
import { CUSTOM, type ResourceProfile, readResourceProfiles } from './resource-profiles.ts';

export interface PolicyFiles {
  readonly profiles: Profiles;
  /** In the order of the file. */
  readonly resourceProfiles: readonly ResourceProfile[];
}

/** The options that name the files, and where they were written. */
interface PolicyFileOptions {
  readonly profileConfig: string;
  readonly resourceProfileConfig: string;
  readonly strictFiles: boolean;
  readonly origins: ReadonlyMap<string, Origin>;
}

/**
 * Reads all files, as the server user. A missing default file is empty. Throws ConfigError with the problems of all files:
 * `unreadable` if one of them cannot be read, else `invalid`.
 */
export function readPolicyFiles(options: PolicyFileOptions): {
  readonly files: PolicyFiles;
  readonly warnings: readonly Problem[];
} {
  const errors = new ConfigErrors();
  const { profileConfig, resourceProfileConfig, origins } = options;
  const loaded = errors.attempt(() => readProfiles(profileConfig, namingOf(origins, 'profile-config')));
  const resources = errors.attempt(() =>
    readResourceProfiles(resourceProfileConfig, namingOf(origins, 'resource-profile-config')),
  );
  const overrides = overrideFiles(
    loaded?.profiles.sections.map(({ settings }) => settings.get('job-json-overrides')) ?? [],
  );
  checkOverrideFiles(overrides, errors);
  const trust = ownTrust(options.strictFiles);
  const named: (readonly [string, Naming | undefined])[] = [
    [profileConfig, namingOf(origins, 'profile-config')],
    [resourceProfileConfig, namingOf(origins, 'resource-profile-config')],
    ...overrides,
  ];
  const writers = named.map(([file, by]) => checkWriters(file, by, trust));
  for (const { problems } of writers) errors.add(problems);
  const error = errors.combined();
  if (error !== undefined || loaded === undefined || resources === undefined) throw error;
  const warnings = writers.flatMap((found) => found.warnings);
  const files = { profiles: loaded.profiles, resourceProfiles: resources.profiles };
  return {
    files,
    warnings: [...warnings, ...loaded.warnings, ...resources.warnings, ...unknownResourceProfiles(files)],
  };
}

/** Resource profiles that the profiles allow but the resource profiles file does not define. */
function unknownResourceProfiles({ profiles, resourceProfiles }: PolicyFiles): readonly Problem[] {
  const known = new Set([CUSTOM, ...resourceProfiles.map(({ id }) => id)]);
  return profiles.sections.flatMap(({ settings }) => {
    const { value, origin } = settings.get('resource-profiles') ?? {};
    if (!Array.isArray(value) || origin === undefined) return [];
    return value
      .filter((name: string) => !known.has(name))
      .map((name: string) => problem(origin, 'resource-profiles', `"${name}" is not a resource profile`));
  });
}
