/** The policy in force: profiles as they are now, users as the name services know them, the namespace's accounts. */
import { readOverrides } from '../../config/profiles/override-files.ts';
import type { PolicyFiles } from '../../config/profiles/policy-files.ts';
import { type UserProfile, userProfile } from '../../config/profiles/user-profile.ts';
import { ConfigError } from '../../config/text/problem.ts';
import type { TokenSubject } from '../../kubernetes/http/credentials.ts';
import { UserLookupError, type Users } from '../../system/users.ts';
import type { Policy } from '../context.ts';
import { JobError } from '../job-error.ts';
import { clusterInfo } from './cluster-info.ts';
import { resolveJob } from './policy.ts';

interface PolicyDependencies {
  /** The files now in force; a reload replaces them. */
  readonly files: () => PolicyFiles;
  readonly users: Users;
  /** The plugin's own service account, if it is known to be one of the jobs' namespace. */
  readonly ownAccount: () => TokenSubject | undefined;
  /** Names of the namespace's service accounts; undefined: listing them is forbidden. */
  readonly serviceAccounts: () => Promise<readonly string[] | undefined>;
}

/**
 * Policy after what administrators wrote. Refuses with JobError 'invalid-request' what users ask in vain, and with
 * 'unknown' what is not their fault: name services without an answer, a broken override file.
 */
export function createPolicy({ files, users, ownAccount, serviceAccounts }: PolicyDependencies): Policy {
  return {
    resolve: async (request, requester) => {
      const { profiles, resourceProfiles } = files();
      const known = await lookUp(() => userProfile(profiles, users, request.user));
      const overrides = await lookUp(async () => readOverrides(known.profile.jobJsonOverrides));
      return resolveJob({ ...known, request, requester, resourceProfiles, overrides, ownAccount: ownAccount() });
    },
    clusterInfo: async (requester) => {
      const { profiles, resourceProfiles } = files();
      const { profile }: UserProfile = await lookUp(() => userProfile(profiles, users, requester));
      const facts = { profile, resourceProfiles, ownAccount: ownAccount() };
      return clusterInfo({ ...facts, serviceAccounts: await serviceAccounts() });
    },
  };
}

/** What the name services or a file could not tell is nobody's invalid request. */
async function lookUp<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (cause) {
    if (cause instanceof UserLookupError || cause instanceof ConfigError) {
      throw new JobError('unknown', cause.message, { cause });
    }
    throw cause;
  }
}
