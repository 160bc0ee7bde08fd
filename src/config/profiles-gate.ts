import { existsSync } from 'node:fs';
import type { Options } from './options.ts';
import { type Problem, problem } from './problem.ts';

/** Profiles are not supported yet, and are never ignored: a profiles or resource profiles file that exists stops the start. */
export function refuseProfiles(options: Pick<Options, 'profileConfig' | 'resourceProfileConfig'>): readonly Problem[] {
  return [options.profileConfig, options.resourceProfileConfig]
    .filter((file) => existsSync(file))
    .map((file) => problem({ file, line: 0 }, '', 'profiles are not supported yet by this version; remove the file'));
}
