/** A user as the plugin sees him: on this host, and in the profiles file. */
import type { EffectiveProfile, ProfileSection, Profiles } from '../config/profiles.ts';
import { userProfile } from '../config/user-profile.ts';
import type { SystemUser, Users } from '../system/users.ts';

export interface Person {
  readonly name: string;
  readonly profile: EffectiveProfile;
  /** Undefined: this host does not know the name. */
  readonly user: SystemUser | undefined;
  /** The sections that match, in the order of the file. */
  readonly sections: readonly ProfileSection[];
}

/** Throws UserLookupError if the name services gave no answer. */
export async function findPerson(profiles: Profiles, users: Users, name: string): Promise<Person> {
  const { profile } = await userProfile(profiles, users, name);
  const user = await users.user(name);
  const sections: ProfileSection[] = [];
  for (const section of profiles.sections) if (await matches(section, name, user, users)) sections.push(section);
  return { name, profile, user, sections };
}

async function matches(
  section: ProfileSection,
  name: string,
  user: SystemUser | undefined,
  users: Users,
): Promise<boolean> {
  switch (section.kind) {
    case 'everybody':
      return true;
    case 'user':
      return section.name === name || section.name === user?.name;
    case 'group': {
      const gid = await users.group(section.name);
      return gid !== undefined && user?.groups.has(gid) === true;
    }
  }
}

/** `jane (uid 1001, groups 1001, 27)`. */
export function describeUser({ name, user }: Person): string {
  if (user === undefined) return `${name} (not a user of this host, so in no group)`;
  const also = user.name === name ? '' : `, here ${user.name}`;
  return `${name} (uid ${user.uid}${also}, groups ${[...user.groups].join(', ')})`;
}

/** `[*] line 1, [@power-users] line 9`. */
export function describeSections({ sections }: Person): string {
  const names = { everybody: '*', group: '@', user: '' } as const;
  if (sections.length === 0) return 'no section of the profiles matches';
  return sections.map(({ kind, name, line }) => `[${names[kind]}${name}] line ${line}`).join(', ');
}
