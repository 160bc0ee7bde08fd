/** Steps of `check` about the configuration: options, server user, limits, directories, profiles and CA. */
import { existsSync, readdirSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { type ClusterAccess, readClusterAccess } from '../../config/options/cluster.ts';
import { type LoggingConf, type LogSettings, logSettings, readLoggingConf } from '../../config/options/logging-conf.ts';
import { type Options, rootDirectories, serverUserProblem } from '../../config/options/options.ts';
import { type PolicyFiles, readPolicyFiles } from '../../config/profiles/policy-files.ts';
import type { Profiles } from '../../config/profiles/profiles.ts';
import { missingGroups } from '../../config/profiles/user-profile.ts';
import {
  COMMAND_LINE,
  ConfigError,
  describe,
  ENVIRONMENT,
  type Origin,
  type Problem,
  place,
} from '../../config/text/problem.ts';
import { suggestion } from '../../config/text/suggest.ts';
import { directoryDenial, fileDenial, isFull, otherUser, ownUser } from '../../system/access.ts';
import { isMadeByRoot } from '../../system/directories.ts';
import { errorMessage } from '../../system/errors.ts';
import { PrivilegeError } from '../../system/privileges.ts';
import { openFileLimit } from '../../system/process-limits.ts';
import { syslogDenial } from '../../system/syslog.ts';
import type { Users } from '../../system/users.ts';
import { type CommandContext, ignoredOptions, readOptions } from '../command-session.ts';
import { programName } from '../version.ts';
import { type Checked, type Finding, failure, ok, only, warning } from './check-report.ts';

const FIX_LINE = 'fix this line; the plugin cannot start until then';
const FIX_FILE = 'fix this file; the plugin cannot start until then';
const CREATE = 'create it, or correct this line; the plugin cannot start until then';
const AS_ROOT = 'run check as root; it drops privileges as the plugin does';

function failureOf(found: Problem): Finding {
  const isMissing = found.message.endsWith('does not exist');
  if (found.line === 0) return failure(describe(found), found.remedy ?? (isMissing ? 'create this file' : FIX_FILE));
  return failure(describe(found), found.remedy ?? (isMissing ? CREATE : FIX_LINE));
}

export const warningOf = (found: Problem): Finding =>
  warning(describe(found), found.remedy ?? 'fix this line, or ignore this warning if it is intended');

/** Problems as findings. For another user than the server user, file permissions do not apply, so the remedy is to run as root. */
export function problemFindings({ problems }: ConfigError, isServerUser: boolean): readonly Finding[] {
  return problems.map((found) =>
    found.remedy === undefined || isServerUser ? failureOf(found) : failureOf({ ...found, remedy: AS_ROOT }),
  );
}

/** The options file, read before privileges are dropped. */
export async function checkOptions(argv: readonly string[], context: CommandContext): Promise<Checked<Options>> {
  const loaded = await readOptions(argv, context);
  const warnings = loaded.warnings.map(warningOf);
  if (!loaded.ok) return { findings: [...loaded.problems.map(failureOf), ...warnings] };
  const { options } = loaded;
  const count = options.writtenInFile.size;
  const found = ok(`${options.configFile}, ${count} option${count === 1 ? '' : 's'}`);
  const vain = ignoredOptions(argv, options).map(warningOf);
  return { findings: [found, ...warnings, ...vain], value: options };
}

/** Drops privileges to the server user; the value says whether this process then is that user. */
export function checkServerUser(options: Options, { dropPrivileges }: CommandContext): Checked<boolean> {
  try {
    const user = dropPrivileges(options.serverUser);
    if (user !== undefined) return only(ok(`${user.name} (uid ${user.uid})`));
  } catch (error) {
    if (!(error instanceof PrivilegeError)) throw error;
    return { findings: [failureOf(serverUserProblem(options, error))] };
  }
  const { name, text } = ownUser();
  if (otherUser(options.serverUser) === undefined) return only(ok(text));
  const found = `check runs as ${text}, but the plugin runs as ${options.serverUser}, which may not be able to read what ${name} can read`;
  return { findings: [warning(found, AS_ROOT)], value: false };
}

/** The destination of the log, and the directories that the plugin writes to. Creates nothing. */
export function checkDirectories(options: Options, isServerUser: boolean): Checked<true> {
  const { scratchPath, pluginName, origins } = options;
  const { text } = ownUser();
  let logging: LoggingConf;
  try {
    logging = readLoggingConf(options);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return { findings: problemFindings(error, isServerUser) };
  }
  const settings = logSettings(options, logging);
  const { option, origin } = logDirectoryOrigin(options, settings);
  const byRoot = rootDirectories(options);
  const file = settings.file.hasPid ? undefined : `${settings.directory}/${programName(pluginName)}.log`;
  const logRow: DirectoryRow = { option, origin, path: settings.directory, file, effect: 'the log goes to stderr' };
  const scratchRow: DirectoryRow = {
    option: 'scratch-path',
    origin: origins.get('scratch-path'),
    path: scratchPath,
    file: undefined,
    effect: 'the plugin writes nothing there',
  };
  const rows = settings.type === 'file' ? [logRow, scratchRow] : [scratchRow];
  return only(
    ...logging.warnings.map(warningOf),
    ...logDecisions(options, settings),
    ...syslogFindings(settings),
    ...rows.map((row) => {
      const { path, file: inside } = row;
      const denied = directoryDenial(path);
      const found = denied ?? (inside === undefined ? undefined : fileDenial(inside));
      const isMade = !existsSync(path) && byRoot.includes(path) && isMadeByRoot(path);
      if ((found === undefined || isMade) && row === logRow && isFull(path))
        return warning(
          `${path} is on a full file system (${row.effect} until there is space)`,
          `df -h ${path}, and delete what is not needed`,
        );
      if (isMade) return ok(`${path} does not exist; the plugin creates it when started as root`);
      if (found === undefined)
        return ok(existsSync(path) ? `${path} can be written` : `${path} does not exist; the plugin creates it`);
      const at = row.origin === undefined ? '' : `${place(row.origin)}: `;
      const what = denied === undefined ? inside : path;
      const said = `${at}${row.option}: ${what} cannot be written (${row.effect}): ${text} ${found.why}`;
      return warning(said, isServerUser ? found.remedy : AS_ROOT);
    }),
  );
}

/** A directory that the plugin writes to, and what decides it. */
interface DirectoryRow {
  readonly option: string;
  readonly origin: Origin | undefined;
  readonly path: string;
  /** In it, the file that the plugin writes. */
  readonly file: string | undefined;
  readonly effect: string;
}

/** The option, variable or key of logging.conf that decides the directory of the log. */
function logDirectoryOrigin(options: Options, { origins }: LogSettings): Pick<DirectoryRow, 'option' | 'origin'> {
  const origin = origins.get('log-dir');
  if (origin === undefined || origin === options.origins.get('logging-dir')) return { option: 'logging-dir', origin };
  return { option: origin.file === ENVIRONMENT ? 'RS_LOG_DIR' : 'log-dir', origin };
}

/** A log that needs syslog on a host without one. */
function syslogFindings({ type, warnSyslog, origins }: LogSettings): readonly Finding[] {
  const denial = type === 'syslog' || warnSyslog ? syslogDenial() : undefined;
  if (denial === undefined) return [];
  const key = type === 'syslog' ? 'logger-type' : 'warn-syslog';
  const origin = origins.get(key);
  const at = origin === undefined ? '' : `${place(origin)}: `;
  const effect = type === 'syslog' ? 'the log goes to stderr' : 'warnings and errors do not go to syslog';
  return [warning(`${at}${key}: ${denial.why} (${effect})`, `${denial.remedy}, or remove this line`)];
}

/** Where the log is decided, if not by options alone. */
function logDecisions({ configFile }: Options, { level, type, directory, origins }: LogSettings): readonly Finding[] {
  const rows = [
    ['log-level', level],
    ['logger-type', type],
    ['log-dir', directory],
  ] as const;
  const decided = rows.flatMap(([key, value]) => {
    const origin = origins.get(key);
    return origin === undefined ? [] : [{ origin, text: `${key} ${value} (${place(origin)})` }];
  });
  const isByOptions = decided.every(({ origin }) => [COMMAND_LINE, configFile].includes(origin.file));
  return isByOptions ? [] : [ok(`log: ${decided.map(({ text }) => text).join(', ')}`)];
}

/** In no file of the host, so that every name service is asked. */
const UNKNOWN_GROUP = 'rstudio-launcher-check';

/** 1,000 output streams use one file each, and may use half of the limit. */
const ENOUGH_FILES = 2_000;

export function checkOpenFiles(limits?: string): Checked<true> {
  const limit = openFileLimit(limits);
  if (limit === undefined || limit >= ENOUGH_FILES)
    return only(ok(limit === undefined ? 'no open-file limit' : `the open-file limit is ${limit}`));
  const found = `the open-file limit is ${limit}; at most ${Math.floor(limit / 2)} job outputs can be followed at a time`;
  return only(warning(found, "set LimitNOFILE=65536 in the launcher's unit: systemctl edit rstudio-launcher"));
}

/** Name services without an answer, where profiles depend on them: on groups or ids of users, or only on their names. */
async function nameServices({ sections }: Profiles, serverUser: string, users: Users): Promise<readonly Finding[]> {
  const isNeeded = sections.some(({ kind, settings }) => kind === 'group' || settings.get('run-as')?.value === 'own');
  if (!isNeeded && !sections.some(({ kind }) => kind === 'user')) return [];
  const answers = await Promise.allSettled([users.user(serverUser), users.group(UNKNOWN_GROUP)]);
  const failed = answers.find((answer) => answer.status === 'rejected');
  if (failed === undefined) return [];
  const words = errorMessage(failed.reason);
  const remedy = `start the name services of this host (SSSD, LDAP); test with: getent group ${UNKNOWN_GROUP}; id ${serverUser}`;
  if (isNeeded) return [failure(`${words}: jobs of users that were not looked up before are refused`, remedy)];
  return [warning(`${words}: a submit of a user that was not looked up before waits for it`, remedy)];
}

/** Profiles, resource profiles and override files, read as at the plugin's start. */
export async function checkProfiles(
  options: Options,
  isServerUser: boolean,
  { users }: CommandContext,
): Promise<Checked<PolicyFiles>> {
  try {
    const { files, warnings } = readPolicyFiles(options);
    const { profiles, resourceProfiles } = files;
    const unanswered = await nameServices(profiles, options.serverUser, users);
    const groups = unanswered.length > 0 ? [] : await missingGroups(profiles, users);
    return {
      findings: [
        ...fileFindings(
          options.profileConfig,
          profiles.sections.length === 0
            ? `no restrictions: no sections in ${options.profileConfig}`
            : `${counted(profiles.sections.length, 'section')} in ${options.profileConfig}`,
          'users are not restricted',
        ),
        ...fileFindings(
          options.resourceProfileConfig,
          `${counted(resourceProfiles.length, 'resource profile')} in ${options.resourceProfileConfig}`,
          'there are no resource profiles',
        ),
        ...warnings.map(warningOf),
        ...unanswered,
        ...groups.map((found) =>
          warning(
            describe(found),
            'correct the name of the section, or add the group to this host; the section applies to no user',
          ),
        ),
      ],
      value: files,
    };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return { findings: problemFindings(error, isServerUser) };
  }
}

/** What a file has; if it does not exist, its effect, and a file that may be meant. */
function fileFindings(path: string, content: string, effect: string): readonly Finding[] {
  if (existsSync(path)) return [ok(content)];
  const missing = `${path} does not exist: ${effect}`;
  const similar = similarFile(path);
  if (similar === undefined) return [ok(missing)];
  return [warning(`${missing}, although ${similar} exists`, `mv ${similar} ${path}`)];
}

/** A file beside it with a name like it, which the plugin does not read. */
function similarFile(path: string): string | undefined {
  const directory = dirname(path);
  try {
    const kind = basename(path).includes('resource') ? 'resource' : 'profile';
    const others = readdirSync(directory).filter(
      (name) => OWN_FILE.test(name) && name.includes(kind) && !READ_FILE.test(name),
    );
    const name = suggestion(basename(path), others);
    return name === undefined ? undefined : join(directory, name);
  } catch {
    return undefined;
  }
}

const OWN_FILE = /^launcher\..{1,200}(?:profile|resource)/;
/** Files of this or another cluster. */
const READ_FILE = /\.(?:profiles|resources)\.conf$/;

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

/** CA, and inside a cluster the namespace: files that the server user reads. */
export function checkAccess(options: Options, isServerUser: boolean): Checked<ClusterAccess> {
  const { origins, certificateAuthorityPath: path } = options;
  try {
    const access = readClusterAccess(options);
    const named = path === undefined || origins.has('certificate-authority') ? 'certificate-authority' : path;
    const count = access.certificateAuthority?.split('-----BEGIN CERTIFICATE-----').length ?? 1;
    const found =
      access.certificateAuthority === undefined
        ? 'the CA bundle of this host is trusted (no certificate-authority)'
        : `${named} holds ${counted(count - 1, 'certificate')}`;
    return { findings: [ok(found)], value: access };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return { findings: problemFindings(error, isServerUser) };
  }
}
