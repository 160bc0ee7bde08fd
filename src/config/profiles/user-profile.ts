/** The profile of a user: whom the system's name services say he is, and what holds for him (configuration.md section 2). */
import { type SystemUser, UserLookupError, type Users } from '../../system/users.ts';
import { type Problem, problem } from '../text/problem.ts';
import { type EffectiveProfile, effectiveProfile, type Matching, NOBODY, type Profiles } from './profiles.ts';

export interface UserProfile {
  readonly profile: EffectiveProfile;
  /** Undefined: unknown on this host, or it did not matter. */
  readonly user: SystemUser | undefined;
}

/**
 * What holds for a user (`*`: `[*]` only). Asks the name services only where the answer matters. Throws UserLookupError
 * if they gave no answer that is needed: groups that decide, or the user's own ids. A definite "no such user" is an
 * answer: no groups.
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

/** Lookups of groups at a time: a slow directory must not add up, nor a hundred programs be started at once. */
const AT_ONCE = 8;

/** Sections are compared with the name as given and as the name services write it; groups by their numbers. */
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
    const asked = groups.slice(first, first + AT_ONCE);
    const gids = await Promise.all(asked.map((group) => users.group(group)));
    asked.forEach((group, index) => {
      const gid = gids[index];
      if (gid !== undefined && user.groups.has(gid)) member.add(group);
    });
  }
  return { names: [name, user.name], inGroup: (group) => member.has(group) };
}

/** Configured groups that do not exist on this host, and those of which that cannot be told. */
export async function missingGroups({ sections }: Profiles, users: Users): Promise<readonly Problem[]> {
  const found: Problem[] = [];
  for (const section of sections.filter(({ kind }) => kind === 'group')) {
    const said = await users.group(section.name).then(
      (gid) => (gid === undefined ? `this host has no group ${section.name}` : undefined),
      (error: unknown) => `cannot look up group ${section.name}: ${error instanceof Error ? error.message : error}`,
    );
    if (said !== undefined) found.push(problem(section, '', said));
  }
  return found;
}
