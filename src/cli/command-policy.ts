/** What the plugin would allow: profiles, users and the plugin's own account, as commands ask for them. */
import { readTokenFile } from '../config/options/cluster.ts';
import type { Options } from '../config/options/options.ts';
import { type PolicyFiles, readPolicyFiles } from '../config/profiles/policy-files.ts';
import type { EffectiveProfile } from '../config/profiles/profiles.ts';
import type { JobRequest } from '../jobs/job.ts';
import { allows } from '../jobs/policy/hardening.ts';
import type { Policy } from '../jobs/policy/policy.ts';
import { createPolicy } from '../jobs/policy/policy.ts';
import { tokenSubject } from '../kubernetes/http/credentials.ts';
import { type CommandContext, printWarnings } from './command-session.ts';
import type { Terminal } from './terminal.ts';

/** Reads the files as the server user and says their warnings. Throws ConfigError. */
export function openPolicyFiles(options: Options, terminal: Terminal): PolicyFiles {
  const { files, warnings } = readPolicyFiles(options);
  printWarnings(warnings, terminal);
  return files;
}

/** The policy as the plugin has it, without asking the cluster for service accounts. */
export function policyOf(files: PolicyFiles, options: Options, namespace: string, { users }: CommandContext): Policy {
  const { authToken, authTokenPath } = options;
  const token = authTokenPath === undefined ? authToken : readTokenFile(authTokenPath, options);
  const subject = tokenSubject(token ?? '');
  return createPolicy({
    files: () => files,
    users,
    ownAccount: () => (subject?.namespace === namespace ? subject : undefined),
    serviceAccounts: async () => undefined,
  });
}

/** If the profile requires a resource profile and has no default: the first one that is allowed. */
export function neededResources(
  { allowCustomResources, defaultResourceProfile, resourceProfiles: allowed }: EffectiveProfile,
  resourceProfiles: PolicyFiles['resourceProfiles'],
): { readonly resourceProfile?: string } {
  if (allowCustomResources.value || defaultResourceProfile.value !== undefined) return {};
  const first = resourceProfiles.find(({ id }) => allows(allowed.value, id));
  return first === undefined ? {} : { resourceProfile: first.id };
}

/** A job as small as they come; `image` is left out where the profile has a default. */
export function smallJob(
  { readJob }: CommandContext,
  user: string,
  image: string | undefined,
  more: Readonly<Record<string, unknown>> = {},
): JobRequest {
  return readJob({
    name: 'check',
    user,
    command: 'echo it works',
    ...(image === undefined ? {} : { container: { image } }),
    ...more,
  });
}
