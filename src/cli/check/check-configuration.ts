/** What administrators wrote, and as whom it is read: options, server user, limits, profiles and what belongs to them. */
import { type ClusterAccess, readClusterAccess } from '../../config/options/cluster-access.ts';
import type { Options } from '../../config/options/options.ts';
import { type PolicyFiles, readPolicyFiles } from '../../config/profiles/policy-files.ts';
import { missingGroups } from '../../config/profiles/user-profile.ts';
import { ConfigError, describe, type Problem, place } from '../../config/text/problem.ts';
import { directoryRefusal, fileRefusal, otherUser, ownUser } from '../../system/access.ts';
import { isMadeByRoot } from '../../system/directories.ts';
import { openFileLimit } from '../../system/limits.ts';
import { PrivilegeError } from '../../system/privileges.ts';
import { readOptions, type Surroundings, typedInVain } from '../command-session.ts';
import { programName } from '../version.ts';
import { type Checked, type Finding, failed, ok, only, warning } from './report.ts';

const MEND_LINE = 'mend that line; the plugin does not start before';
const MEND_FILE = 'the plugin does not start before this is mended';
const AS_ROOT = 'run check as root: it lowers itself as the plugin does';

function failureOf(found: Problem): Finding {
  return failed(describe(found), found.remedy ?? (found.line > 0 ? MEND_LINE : MEND_FILE));
}

export const warningOf = (found: Problem): Finding =>
  warning(describe(found), found.remedy ?? 'mend that line, or leave it if it is meant so');

/** Who is not the server user learns nothing of what that one may read. */
export function unusable({ problems }: ConfigError, isServerUser: boolean): readonly Finding[] {
  return problems.map((found) =>
    found.remedy === undefined || isServerUser ? failureOf(found) : failureOf({ ...found, remedy: AS_ROOT }),
  );
}

/** The options file, read as root if this is root. */
export async function checkOptions(argv: readonly string[], surroundings: Surroundings): Promise<Checked<Options>> {
  const loaded = await readOptions(argv, surroundings);
  const warnings = loaded.warnings.map(warningOf);
  if (!loaded.ok) return { findings: [...loaded.problems.map(failureOf), ...warnings] };
  const { options } = loaded;
  const count = options.writtenInFile.size;
  const found = ok(`${options.configFile}, ${count} option${count === 1 ? '' : 's'}`);
  const vain = typedInVain(argv, options).map(warningOf);
  return { findings: [found, ...warnings, ...vain], value: options };
}

/** Gives up root for the user as whom the plugin runs; leaves whether this is that user. */
export function checkServerUser(
  { serverUser, origins, configFile }: Options,
  { lower }: Surroundings,
): Checked<boolean> {
  try {
    const user = lower(serverUser);
    if (user !== undefined) return only(ok(`${user.name} (uid ${user.uid})`));
  } catch (error) {
    if (!(error instanceof PrivilegeError)) throw error;
    const at = place(origins.get('server-user') ?? { file: configFile, line: 0 });
    return { findings: [failed(`${at}: ${error.found}`, error.remedy ?? 'see the text')] };
  }
  const { name, text } = ownUser();
  if (otherUser(serverUser) === undefined) return only(ok(text));
  const found = `this runs as ${text}, the plugin as ${serverUser}, which may not be able to read what ${name} can`;
  return { findings: [warning(found, AS_ROOT)], value: false };
}

/** Where the plugin writes: the log, and the scratch directory. Nothing is made here. */
export function checkDirectories(
  { loggingDir, scratchPath, pluginName, unprivileged, origins }: Options,
  isServerUser: boolean,
): Checked<true> {
  const { text } = ownUser();
  const log = `${loggingDir}/${programName(pluginName)}.log`;
  const rows = [
    ['logging-dir', loggingDir, fileRefusal(log), 'the log goes to stderr'],
    ['scratch-path', scratchPath, undefined, 'nothing depends on it today'],
  ] as const;
  return only(
    ...rows.map(([option, path, inside, effect]) => {
      const found = directoryRefusal(path) ?? inside;
      if (found === undefined) return ok(`${path} can be written`);
      if (!unprivileged && isMadeByRoot(path)) return ok(`${path} is made by the plugin, started as root`);
      const origin = origins.get(option);
      const at = origin === undefined ? '' : `${place(origin)}: `;
      const said = `${at}${option}: ${found === inside ? log : path} cannot be written (${effect}): ${text} ${found.why}`;
      return warning(said, isServerUser ? found.remedy : AS_ROOT);
    }),
  );
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
export async function checkProfiles(
  options: Options,
  isServerUser: boolean,
  { users }: Surroundings,
): Promise<Checked<PolicyFiles>> {
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
    return { findings: unusable(error, isServerUser) };
  }
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

/** What to trust, and inside a cluster the namespace: files that are read as the server user. */
export function checkAccess(options: Options, isServerUser: boolean): Checked<ClusterAccess> {
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
    return { findings: unusable(error, isServerUser) };
  }
}
