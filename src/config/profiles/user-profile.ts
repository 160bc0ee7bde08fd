/** The profile of a user, with the groups that the system's name services report (configuration.md section 2). */

import { errorMessage } from '../../system/errors.ts';
import { UserLookupError } from '../../system/lookup-slots.ts';
import type { SystemUser, Users } from '../../system/users.ts';
import { type Problem, problem } from '../text/problem.ts';
import { type EffectiveProfile, effectiveProfile, type Matching, NOBODY, type Profiles } from './profiles.ts';

export interface UserProfile {
  readonly profile: EffectiveProfile;
  /** Undefined: the user does not exist on this host, or the profile does not depend on it. */
  readonly user: SystemUser | undefined;
}

/**
 * The profile of a user (`*`: `[*]` only). Queries the name services only if the profile depends on them. Throws
 * UserLookupError if a query fails that the profile depends on. A user that does not exist has no groups.
 */
export async function userProfile(profiles: Profiles, users: Users, name: string): Promise<UserProfile> {
  const everybody = effectiveProfile(profiles, NOBODY);
  const kinds = new Set(profiles.sections.map(({ kind }) => kind));
  if (name === '*' || (!kinds.has('user') && !kinds.has('group') && everybody.runAs.value === 'any')) {
    return { profile: everybody, user: undefined };
  }
  try {
    const user = await users.user(name);
    return { profile: effectiveProfile(profiles, await matching(profiles, users, name, user)), user };
  } catch (error) {
    if (!(error instanceof UserLookupError)) throw error;
    const profile = effectiveProfile(profiles, { names: [name], inGroup: () => false });
    const what = kinds.has('group') ? 'groups' : 'user id';
    if (what === 'user id' && profile.runAs.value === 'any') return { profile, user: undefined };
    throw new UserLookupError(`cannot determine the ${what} of ${name}: ${error.message}`, { cause: error });
  }
}

/** Group lookups at a time: a slow directory service must not delay one after the other. */
const AT_ONCE = 8;

/** Sections are matched with the name as given and with the canonical name; groups are compared by gid. */
async function matching(
  { sections }: Profiles,
  users: Users,
  name: string,
  user: SystemUser | undefined,
): Promise<Matching> {
  if (user === undefined) return { names: [name], inGroup: () => false };
  const groups = sections.filter(({ kind }) => kind === 'group').map((section) => section.name);
  const member = new Set<string>();
  for (let first = 0; first < groups.length; first += AT_ONCE) {
    const batch = groups.slice(first, first + AT_ONCE);
    const found = await Promise.all(batch.map((group) => users.group(group)));
    batch.forEach((group, index) => {
      const gid = found[index]?.gid;
      if (gid !== undefined && user.groups.has(gid)) member.add(group);
    });
  }
  return { names: [name, user.name], inGroup: (group) => member.has(group) };
}

/** Warnings about groups of the profiles that do not exist on this host or cannot be looked up. */
export async function missingGroups({ sections }: Profiles, users: Users): Promise<readonly Problem[]> {
  const found: Problem[] = [];
  for (const section of sections.filter(({ kind }) => kind === 'group')) {
    const message = await users.group(section.name).then(
      (group) => (group === undefined ? `group ${section.name} does not exist on this host` : undefined),
      (error: unknown) => `cannot look up group ${section.name}: ${errorMessage(error)}`,
    );
    if (message !== undefined) found.push(problem(section, '', message));
  }
  return found;
}
