/** Profiles, resource profiles and override files: read together, used together, replaced together. */

import type { Options } from '../options/options.ts';
import { namingOf } from '../text/file.ts';
import { ConfigError, type Problem, problem } from '../text/problem.ts';
import { checkOverrides } from './override-files.ts';
import { type Profiles, readProfiles } from './profiles.ts';
import { CUSTOM, type ResourceProfile, readResourceProfiles } from './resource-profiles.ts';

export interface PolicyFiles {
  readonly profiles: Profiles;
  /** In the order of the file. */
  readonly resourceProfiles: readonly ResourceProfile[];
}

type PolicyFileOptions = Pick<Options, 'profileConfig' | 'resourceProfileConfig' | 'origins'>;

/**
 * Reads all of them, as the server user. A missing default file is empty. Throws ConfigError with the problems of all
 * files: `unreadable` if any could not be read, else `wrong`.
 */
export function readPolicyFiles(options: PolicyFileOptions): {
  readonly files: PolicyFiles;
  readonly warnings: readonly Problem[];
} {
  const errors: ConfigError[] = [];
  const attempt = <T>(read: () => T): T | undefined => {
    try {
      return read();
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      errors.push(error);
      return undefined;
    }
  };
  const { profileConfig, resourceProfileConfig, origins } = options;
  const loaded = attempt(() => readProfiles(profileConfig, namingOf(origins, 'profile-config')));
  const resources = attempt(() =>
    readResourceProfiles(resourceProfileConfig, namingOf(origins, 'resource-profile-config')),
  );
  if (loaded !== undefined) attempt(() => checkOverrides(loaded.profiles));
  if (errors.length > 0 || loaded === undefined || resources === undefined) {
    const code = errors.some((error) => error.code === 'unreadable') ? 'unreadable' : 'wrong';
    const problems = errors.flatMap((error) => error.problems);
    throw new ConfigError(code, problems, { cause: errors[0] });
  }
  const files = { profiles: loaded.profiles, resourceProfiles: resources.profiles };
  return { files, warnings: [...loaded.warnings, ...resources.warnings, ...unknownResourceProfiles(files)] };
}

/** Resource profiles that the profiles allow but nobody wrote. */
function unknownResourceProfiles({ profiles, resourceProfiles }: PolicyFiles): readonly Problem[] {
  const known = [CUSTOM, ...resourceProfiles.map(({ id }) => id)];
  return profiles.sections.flatMap(({ settings }) => {
    const { value, origin } = settings.get('resource-profiles') ?? {};
    if (!Array.isArray(value) || origin === undefined) return [];
    return value
      .filter((name: string) => !known.includes(name))
      .map((name: string) => problem(origin, 'resource-profiles', `"${name}" is not a resource profile`));
  });
}
