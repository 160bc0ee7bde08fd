/** User report: the user's account on this host, and the profile sections that match. */

import type { EffectiveProfile, ProfileSection, Profiles } from '../config/profiles/profiles.ts';
import { userProfile } from '../config/profiles/user-profile.ts';
import { suggestion } from '../config/text/suggest.ts';
import type { SystemUser, Users } from '../system/users.ts';

export interface UserReport {
  readonly name: string;
  readonly profile: EffectiveProfile;
  /** Undefined: this host does not know the name. */
  readonly user: SystemUser | undefined;
  /** The sections that match, in the order of the file. */
  readonly sections: readonly ProfileSection[];
  /** If no section names the user: a section with a similar name that is not a user of this host. */
  readonly nearest: ProfileSection | undefined;
}

/** Throws UserLookupError if the name services gave no answer. */
export async function readUserReport(profiles: Profiles, users: Users, name: string): Promise<UserReport> {
  const { profile } = await userProfile(profiles, users, name);
  const user = await users.user(name);
  const sections: ProfileSection[] = [];
  for (const section of profiles.sections) if (await matches(section, name, user, users)) sections.push(section);
  return { name, profile, user, sections, nearest: await nearestSection(profiles, sections, users, name) };
}

async function nearestSection(
  profiles: Profiles,
  matching: readonly ProfileSection[],
  users: Users,
  name: string,
): Promise<ProfileSection | undefined> {
  if (matching.some(({ kind }) => kind === 'user')) return undefined;
  const others = profiles.sections.filter(({ kind }) => kind === 'user');
  const near = suggestion(
    name,
    others.map((section) => section.name),
  );
  if (near === undefined || (await users.user(near)) !== undefined) return undefined;
  return others.find((section) => section.name === near);
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
      const group = await users.group(section.name);
      return group !== undefined && user?.groups.has(group.gid) === true;
    }
  }
}

/** `jane (uid 1001, groups 1001, 27)`. */
export function describeUser({ name, user }: UserReport): string {
  if (user === undefined) return `${name} (not a user of this host, so in no group)`;
  const also = user.name === name ? '' : `, here ${user.name}`;
  return `${name} (uid ${user.uid}${also}, groups ${[...user.groups].join(', ')})`;
}

const PREFIXES = { everybody: '*', group: '@', user: '' } as const;

/** As in the file, without brackets: `*`, `@power-users`, `jane`. */
export const sectionName = ({ kind, name }: ProfileSection): string => `${PREFIXES[kind]}${name}`;

/** `[*] line 1, [@power-users] line 9`. */
export function describeSections({ sections, nearest: near }: UserReport): string {
  const matching = sections.map((section) => `[${sectionName(section)}] line ${section.line}`).join(', ');
  const own = near === undefined ? '' : `; no section of its own; closest name: [${near.name}] line ${near.line}`;
  return `${matching || 'no section of the profiles matches'}${own}`;
}
