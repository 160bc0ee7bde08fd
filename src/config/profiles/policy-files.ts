/** Profiles, resource profiles and override files: read, checked and replaced together. */
import { type Naming, namingOf } from '../text/file.ts';
import { checkWriters, ownTrust } from '../text/file-trust.ts';
import { ConfigErrors, type Origin, type Problem, place, problem } from '../text/problem.ts';
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
  readonly useTemplating: boolean;
  readonly origins: ReadonlyMap<string, Origin>;
}

/**
 * Reads all files, as the server user. A missing default file is empty, if it was so `before`. Throws ConfigError with the
 * problems of all files: `unreadable` if one of them cannot be read, else `invalid`.
 */
export function readPolicyFiles(
  options: PolicyFileOptions,
  before?: PolicyFiles,
): {
  readonly files: PolicyFiles;
  readonly warnings: readonly Problem[];
} {
  const errors = new ConfigErrors();
  const { profileConfig, resourceProfileConfig, origins } = options;
  const written = errors.attempt(() =>
    readProfiles(profileConfig, namingOf(origins, 'profile-config'), before?.profiles),
  );
  errors.add(written?.problems ?? []);
  const loaded = written !== undefined && options.useTemplating ? withoutOverrides(written) : written;
  const resources = errors.attempt(() =>
    readResourceProfiles(resourceProfileConfig, namingOf(origins, 'resource-profile-config'), before?.resourceProfiles),
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

/** Where templates make the Job, overrides are not applied (templates.md); one warning has all of their places. */
function withoutOverrides({
  profiles,
  warnings,
}: Pick<PolicyFiles, 'profiles'> & { readonly warnings: readonly Problem[] }): Pick<PolicyFiles, 'profiles'> & {
  readonly warnings: readonly Problem[];
} {
  const key = 'job-json-overrides';
  const [first, ...others] = profiles.sections.flatMap(({ settings }) => settings.get(key)?.origin ?? []);
  if (first === undefined) return { profiles, warnings };
  const also = others.length === 0 ? '' : ` (the same on ${others.map(place).join(', ')})`;
  const message = `is not applied${also}, because use-templating=1`;
  const sections = profiles.sections.map((section) => ({
    ...section,
    settings: new Map([...section.settings].filter(([name]) => name !== key)),
  }));
  return {
    profiles: { ...profiles, sections },
    warnings: [...warnings, problem(first, key, message, 'write it into job.tpl, and remove this line')],
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
