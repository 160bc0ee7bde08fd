/** What administrators wrote, and as whom it is read: options, server user, limits, profiles and what belongs to them. */
import { userInfo } from 'node:os';
import { type ClusterAccess, readClusterAccess } from '../../config/cluster-access.ts';
import type { Options } from '../../config/options.ts';
import { type PolicyFiles, readPolicyFiles } from '../../config/policy-files.ts';
import { ConfigError, describe, type Problem } from '../../config/problem.ts';
import { missingGroups } from '../../config/user-profile.ts';
import { openFileLimit } from '../../system/limits.ts';
import { PrivilegeError } from '../../system/privileges.ts';
import { readOptions, type Surroundings, typedInVain } from '../session.ts';
import { type Checked, type Finding, failed, ok, only, warning } from './report.ts';

const MEND_LINE = 'mend that line; the plugin does not start before';
const MEND_FILE = 'the plugin does not start before this is mended';

function mending({ line, message }: Problem): string {
  if (message.startsWith('cannot be read')) return 'run check as root, as the launcher starts the plugin';
  return line > 0 ? MEND_LINE : MEND_FILE;
}

const warningOf = (found: Problem): Finding =>
  warning(describe(found), 'mend that line, or leave it if it is meant so');

/** The options file, read as root if this is root. */
export async function checkOptions(argv: readonly string[], surroundings: Surroundings): Promise<Checked<Options>> {
  const loaded = await readOptions(argv, surroundings);
  const warnings = loaded.warnings.map(warningOf);
  if (!loaded.ok)
    return { findings: [...loaded.problems.map((found) => failed(describe(found), mending(found))), ...warnings] };
  const { options } = loaded;
  const count = options.writtenInFile.size;
  const found = ok(`${options.configFile}, ${count} option${count === 1 ? '' : 's'}`);
  const vain = typedInVain(argv, options).map(warningOf);
  return { findings: [found, ...warnings, ...vain], value: options };
}

/** Gives up root for the user as whom the plugin runs. */
export function checkServerUser({ serverUser }: Options, { lower }: Surroundings): Checked<true> {
  try {
    const user = lower(serverUser);
    if (user !== undefined) return only(ok(`${user.name} (uid ${user.uid})`));
  } catch (error) {
    if (!(error instanceof PrivilegeError)) throw error;
    return { findings: [failed(error.message, 'nothing else is tried as root')] };
  }
  const { username, uid } = userInfo();
  if (username === serverUser) return only(ok(`${username} (uid ${uid})`));
  const found = `this runs as ${username} (uid ${uid}), the plugin as ${serverUser}, which may not be able to read what ${username} can`;
  return only(warning(found, 'run check as root: it lowers itself as the plugin does'));
}

/** 1,000 output streams, of which each takes a file, may take half of what the limit allows. */
const ENOUGH_FILES = 2_000;

export function checkOpenFiles(limits?: string): Checked<true> {
  const limit = openFileLimit(limits);
  if (limit === undefined || limit >= ENOUGH_FILES)
    return only(ok(`${limit ?? 'any number of'} open files are allowed`));
  const found = `${limit} open files are allowed, so that at most ${Math.floor(limit / 2)} outputs can be read at a time`;
  return only(
    warning(found, "LimitNOFILE=65536 in the launcher's unit (systemctl edit rstudio-launcher); ulimit -n shows it"),
  );
}

/** Profiles, resource profiles and override files, read as the plugin does at its start. */
export async function checkProfiles(options: Options, { users }: Surroundings): Promise<Checked<PolicyFiles>> {
  try {
    const { files, warnings } = readPolicyFiles(options);
    const { profiles, resourceProfiles } = files;
    const groups = await missingGroups(profiles, users);
    return {
      findings: [
        ok(
          profiles.sections.length === 0
            ? `no restrictions: no sections in ${options.profileConfig}`
            : `${counted(profiles.sections.length, 'section')} in ${options.profileConfig}`,
        ),
        ok(`${counted(resourceProfiles.length, 'resource profile')} in ${options.resourceProfileConfig}`),
        ...warnings.map(warningOf),
        ...groups.map((found) =>
          warning(describe(found), 'correct the section, or add the group to this host: nobody gets it'),
        ),
      ],
      value: files,
    };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const remedy =
      error.code === 'unreadable' ? 'let the server user read it (chmod, chown), or correct its path' : MEND_LINE;
    return { findings: error.problems.map((found) => failed(describe(found), remedy)) };
  }
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

/** What to trust, and inside a cluster the namespace: files that are read as the server user. */
export function checkAccess(options: Options): Checked<ClusterAccess> {
  try {
    const access = readClusterAccess(options);
    const count = access.certificateAuthority?.split('-----BEGIN CERTIFICATE-----').length ?? 1;
    const found =
      access.certificateAuthority === undefined
        ? 'the roots of the system are trusted (no certificate-authority)'
        : `certificate-authority holds ${counted(count - 1, 'certificate')}`;
    return { findings: [ok(found)], value: access };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const remedy = 'correct the path, or let the server user read the file (chmod, chown)';
    return { findings: error.problems.map((found) => failed(describe(found), remedy)) };
  }
}
