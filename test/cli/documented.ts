/** The documented example of profiles, for commands that ask what a user may have. */
import { readFileSync } from 'node:fs';
import type { Users } from '../../src/system/users.ts';
import { NOWHERE, type Situation } from './harness.ts';

/** jsmith is in rstudio-power-users, jane is not; there are no other users. */
const users: Users = {
  user: async (name) => {
    if (name === 'jsmith') return { name, uid: 1001, gid: 100, groups: new Set([100, 500]) };
    return name === 'jane' ? { name, uid: 1002, gid: 100, groups: new Set([100]) } : undefined;
  },
  group: async (name) => (name === 'rstudio-power-users' ? { name, gid: 500 } : undefined),
};

export const documented: Situation = {
  options: NOWHERE,
  files: {
    'launcher.kubernetes.profiles.conf': readFileSync(
      new URL('../../fixtures/config/groups.profiles.conf', import.meta.url),
      'utf8',
    ),
  },
  context: { users, random: () => 0 },
};
