/**
 * Reads and checks the options of one start (configuration.md sections 0 and 1). This is the only part of the configuration
 * that root reads, so it opens no file but the options file.
 */
import { changeableThrough } from '../../system/file-writers.ts';
import type { PrivilegeError } from '../../system/privileges.ts';
import { PROFILE_KEYS } from '../profiles/profile-table.ts';
import { readTextFile, type TextFile } from '../text/file.ts';
import { checkWriters } from '../text/file-trust.ts';
import { type IniEntry, parseIni } from '../text/ini.ts';
import { camelCase, type ParsedValue } from '../text/kinds.ts';
import { COMMAND_LINE, ConfigError, inOrder, type Origin, type Problem, problem } from '../text/problem.ts';
import { type Findings, readSettings, type SettingEntry, unknownKey } from '../text/settings.ts';
import { suggestion } from '../text/suggest.ts';
import { clusterAddress, decodeCertificates, decodeToken, isWithoutProxy, MOUNT_SERVICE_ACCOUNT } from './cluster.ts';
import { type CommandLine, parseCommandLine } from './command-line.ts';
import { createFileSearch, type FileSearch } from './file-search.ts';
import { type LoggingSources, loggingSources } from './logging-conf.ts';
import {
  isOptionName,
  OPTION_NAMES,
  OPTION_TABLE,
  type OptionName,
  type OptionValues,
  optionRow,
} from './option-table.ts';

type Completed = 'apiUrl' | 'scratchPath' | 'templatePath' | 'profileConfig' | 'resourceProfileConfig' | 'configFile';

/** Every option by its camel-cased name, decoded, defaults filled in. */
export interface Options extends Omit<OptionValues, Completed> {
  /** Without a slash at the end; default inside a cluster: its own address. */
  readonly apiUrl: string;
  /** PEM text; undefined if the option is not set or is a path. */
  readonly certificateAuthority: string | undefined;
  /** File with PEM certificates; read after privileges were dropped. */
  readonly certificateAuthorityPath: string | undefined;
  /** File with the namespace (only inside a cluster); overrides `kubernetesNamespace`. */
  readonly namespacePath: string | undefined;
  /** The proxy for the API server; undefined if none is set, or if `no-proxy` includes the API server. */
  readonly httpsProxy: string | undefined;
  readonly scratchPath: string;
  /** The directory of the templates; default: the scratch path. */
  readonly templatePath: string;
  readonly profileConfig: string;
  readonly resourceProfileConfig: string;
  /** The options file that was read, or the last path that was tried. */
  readonly configFile: string;
  /** The path through which others than root can change the options file, judged when it was read; undefined: none can. */
  readonly changeableThrough: string | undefined;
  /** What else decides about the log. */
  readonly logging: LoggingSources;
  /** Options in the file, with or without a value: they override the launcher's command line and reloads. */
  readonly writtenInFile: ReadonlySet<OptionName>;
  /** Where each option with a value was written; not for values that are ignored. */
  readonly origins: ReadonlyMap<OptionName, Origin>;
}

/** The environment of a start. */
export interface StartEnvironment {
  /** The options, without the name of the program or of a command. */
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The real user id; 0 is root. */
  readonly uid: number;
  readonly cpus: number;
  /** Looks up the server user, who may own the options file. Undefined if this user does not exist. */
  readonly findUser: (name: string) => Promise<{ readonly uid: number; readonly gid: number } | undefined>;
  /** Default `/var/run/secrets/kubernetes.io/serviceaccount`. */
  readonly serviceAccountDirectory?: string;
}

export type LoadedOptions =
  | { readonly ok: true; readonly options: Options; readonly warnings: readonly Problem[] }
  | {
      readonly ok: false;
      readonly problems: readonly Problem[];
      readonly warnings: readonly Problem[];
      /** The log to report the problems in; undefined if the options file cannot be read or others can change it. */
      readonly log: Options | undefined;
    };

/** The default scratch path is the subdirectory with the plugin's name as it is written. */
const SCRATCH_PATHS = '/var/lib/rstudio-launcher';

const AS_ROOT = 'run this command as root: the launcher starts the plugin as root';
const PROFILE_KEY = 'move this line below [*] in the profiles file: it is a key of profiles';
const NEWER = 'fix this line; if the file is for a newer first-party plugin, add unknown-options=warn';

/** Reads and checks the options of this start. Returns all problems together. */
export async function loadOptions(start: StartEnvironment): Promise<LoadedOptions> {
  const commandLine = parseCommandLine(start.argv);
  const findings: Findings = { problems: [...commandLine.problems], warnings: [...commandLine.warnings] };
  const { problems, warnings } = findings;
  const plugin = OPTION_TABLE['plugin-name'];
  const named = plugin.kind.parse(commandLine.values.get('plugin-name') || plugin.fallback);
  const search = createFileSearch(commandLine.values.get('config-file') || undefined, start.env);
  problems.push(...search.problems);
  const beside = search.find(`launcher.${named.ok ? named.value : plugin.fallback}.conf`);
  const place = search.configFile === undefined ? beside : { path: search.configFile, tried: [search.configFile] };

  let file: TextFile | undefined;
  try {
    file = search.problems.length > 0 ? undefined : readTextFile(place.path);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const found = error.problems.map((each) => (each.remedy === undefined ? each : { ...each, remedy: AS_ROOT }));
    return { ok: false, problems: [...problems, ...found], warnings, log: undefined };
  }
  const isPrivate = file?.uid === 0 && (file.mode & 0o077) === 0;
  const isMissing = file === undefined && search.configFile !== undefined;
  if (isMissing) {
    problems.push(problem({ file: place.path, line: 0 }, 'config-file', 'the file does not exist'));
  }

  const inFile = readEntries(place.path, file?.text ?? '', commandLine, findings);
  const written = collect(commandLine, inFile, place.path);
  const values = decodeAll(written, findings);
  const completed = complete(values, written, { ...place, file, isMissing, isPrivate, search }, start, findings);
  let log: Options | undefined = completed;
  if (file !== undefined) {
    const serverUser = await start.findUser(values.serverUser).catch(() => undefined);
    const trusted = serverUser === undefined ? [] : [serverUser];
    const writers = checkWriters(place.path, undefined, {
      uids: [start.uid, ...trusted.map(({ uid }) => uid)],
      gids: trusted.map(({ gid }) => gid),
      strict: values.strictFiles,
    });
    problems.push(...writers.problems);
    warnings.push(...writers.warnings);
    if (writers.problems.length > 0) log = undefined;
    if ((file.mode & 0o004) !== 0 && inFile.get('auth-token')?.value) {
      const message = 'every user of this host can read this file and the token in it';
      warnings.push(problem({ file: place.path, line: 0 }, 'auth-token', message, `chmod 600 ${place.path}`));
    }
  }
  if (problems.length > 0) return { ok: false, problems: inOrder(problems), warnings, log };
  return { ok: true, options: Object.freeze(completed), warnings };
}

/** The options of the file. An unknown one is a problem, or a warning with `unknown-options=warn`. */
function readEntries(
  file: string,
  text: string,
  commandLine: CommandLine,
  { problems, warnings }: Findings,
): ReadonlyMap<OptionName, IniEntry> {
  const parsed = parseIni(file, text);
  problems.push(...parsed.problems);
  for (const section of parsed.sections) {
    problems.push(
      problem({ file, line: section.line }, '', 'the options file must not have sections', 'remove this line'),
    );
  }
  const known = new Map<OptionName, IniEntry>();
  const unknown: IniEntry[] = [];
  for (const entry of [...parsed.head, ...parsed.sections.flatMap((section) => section.entries)]) {
    const { key, line } = entry;
    if (!isOptionName(key)) unknown.push(entry);
    else if (optionRow(key).only === 'command line') {
      problems.push(problem({ file, line }, key, 'is allowed on the command line only'));
    } else known.set(key, entry);
  }
  const leniency = known.get('unknown-options')?.value || commandLine.values.get('unknown-options');
  for (const { key, line } of unknown) {
    const found = unknownKey({ key, file, line }, OPTION_NAMES, 'an option of this plugin');
    const isProfileKey = PROFILE_KEYS.some((each) => each === key);
    // For a misspelled name, unknown-options=warn would hide the mistake.
    const isMisspelled = leniency !== 'warn' && suggestion(found.option, OPTION_NAMES) !== undefined;
    const remedy = isProfileKey ? PROFILE_KEY : isMisspelled || leniency === 'warn' ? undefined : NEWER;
    (leniency === 'warn' ? warnings : problems).push(remedy === undefined ? found : { ...found, remedy });
  }
  return known;
}

/** All written options by name; those of the file override those of the command line. */
function collect(
  commandLine: CommandLine,
  inFile: ReadonlyMap<OptionName, IniEntry>,
  file: string,
): ReadonlyMap<OptionName, SettingEntry> {
  const written = new Map<OptionName, SettingEntry>();
  for (const [key, value] of commandLine.values) {
    written.set(key, { key, value, raw: value, file: COMMAND_LINE, line: 0 });
  }
  for (const [name, entry] of inFile) written.set(name, { ...entry, file });
  return written;
}

function decodeAll(written: ReadonlyMap<OptionName, SettingEntry>, findings: Findings): OptionValues {
  const settings = readSettings(OPTION_TABLE, written.values(), 'an option of this plugin', findings);
  const values = OPTION_NAMES.map((name) => {
    const setting = settings.get(name);
    return [camelCase(name), setting === undefined ? optionRow(name).fallback : setting.value];
  });
  return Object.fromEntries(values) as OptionValues;
}

/** Where the options file is, and how the files beside it are found. */
interface OptionsPlace {
  readonly path: string;
  readonly tried: readonly string[];
  readonly file: TextFile | undefined;
  /** `config-file` names a file that does not exist. */
  readonly isMissing: boolean;
  /** Root alone can read the file. */
  readonly isPrivate: boolean;
  readonly search: FileSearch;
}

/** Fills in defaults that depend on other options and on the environment, and checks combinations of options. */
function complete(
  values: OptionValues,
  written: ReadonlyMap<OptionName, SettingEntry>,
  place: OptionsPlace,
  start: StartEnvironment,
  { problems, warnings }: Findings,
): Options {
  const origin = (name: OptionName): Origin => written.get(name) ?? { file: place.path, line: 0 };
  const warn = (name: OptionName, message: string, remedy?: string): void => {
    warnings.push(problem(origin(name), name, message, remedy));
  };
  const given = new Map(
    [...written].flatMap(([name, { value, file, line }]) => (value === '' ? [] : [[name, { file, line }] as const])),
  );
  if (!values.verifySslCerts)
    warn('verify-ssl-certs', 'TLS certificates are not verified: an attacker on the network can read the token');

  const access = clusterAddress(values, given, start);
  // A missing file is one problem; its options are not reported as missing too.
  const isRequired = (name: OptionName): boolean => !place.isMissing && !given.has(name);
  if (access.apiUrl === undefined && isRequired('api-url')) {
    const message = `is required outside a cluster; options files that were tried: ${place.tried.join(', ')}`;
    const isPod = (start.env['KUBERNETES_SERVICE_HOST'] ?? '') !== '';
    problems.push(problem(origin('api-url'), 'api-url', message, isPod ? MOUNT_SERVICE_ACCOUNT : undefined));
  }
  if (access.inCluster) {
    for (const name of ['auth-token', 'auth-token-path', 'certificate-authority'] as const) {
      if (given.delete(name))
        warn(name, "is ignored: without api-url, the address, token and CA of this pod's cluster are used");
    }
  } else if (access.apiUrl !== undefined) {
    if (isRequired('auth-token') && isRequired('auth-token-path')) {
      problems.push(
        problem(origin('auth-token'), 'auth-token', 'is required with api-url, unless auth-token-path is set'),
      );
    }
    if (given.has('auth-token') && given.has('auth-token-path'))
      warn('auth-token', 'is ignored, because auth-token-path is set', 'remove one of the two lines');
    const { protocol, hostname } = new URL(access.apiUrl);
    if (protocol === 'http:' && !/^(localhost|127(\.\d+){3}|\[::1\])$/.test(hostname)) {
      warn('api-url', 'is http: the token and all jobs are sent unencrypted');
    }
  }
  const proxy = values.httpsProxy === undefined ? undefined : new URL(values.httpsProxy);
  const hasPassword = proxy !== undefined && (proxy.username !== '' || proxy.password !== '');
  if (hasPassword && (!place.isPrivate || origin('https-proxy').file === COMMAND_LINE)) {
    const message = 'must have no user and password: only an options file that root alone can read may contain them';
    problems.push(problem(origin('https-proxy'), 'https-proxy', message, `chmod 600 ${place.path}`));
  }
  const isDirect = access.apiUrl === undefined || isWithoutProxy(new URL(access.apiUrl).hostname, values.noProxy);
  const decoded = <T>(name: OptionName, parsed: ParsedValue<T>): T | undefined => {
    if (parsed.ok) return parsed.value;
    problems.push(problem(origin(name), name, `must be ${parsed.reason}`));
    return undefined;
  };
  const writtenName = written.get('plugin-name')?.value || values.pluginName;
  const scratchPath = values.scratchPath ?? `${SCRATCH_PATHS}/${writtenName}`;
  const { authToken, certificateAuthority } = access;
  return {
    ...values,
    apiUrl: access.apiUrl ?? '',
    authToken: authToken === undefined ? undefined : decoded('auth-token', decodeToken(authToken)),
    authTokenPath: access.authTokenPath,
    certificateAuthority:
      certificateAuthority === undefined
        ? undefined
        : decoded('certificate-authority', decodeCertificates(certificateAuthority)),
    certificateAuthorityPath: access.certificateAuthorityPath,
    namespacePath: access.namespacePath,
    httpsProxy: isDirect ? undefined : values.httpsProxy,
    threadPoolSize: values.threadPoolSize || start.cpus * 2,
    scratchPath,
    templatePath: values.templatePath ?? scratchPath,
    profileConfig: values.profileConfig ?? place.search.find(`launcher.${values.pluginName}.profiles.conf`).path,
    resourceProfileConfig:
      values.resourceProfileConfig ?? place.search.find(`launcher.${values.pluginName}.resources.conf`).path,
    configFile: place.path,
    changeableThrough: changeableThrough(place.path, place.file),
    logging: loggingSources(start.env, place.search.find('logging.conf').path, problems),
    writtenInFile: new Set([...written].filter(([, { file }]) => file !== COMMAND_LINE).map(([name]) => name)),
    origins: given,
  };
}

/** A problem of the line of `server-user`, for an error of dropping privileges. */
export function serverUserProblem(
  { origins, configFile }: Pick<Options, 'origins' | 'configFile'>,
  { found, remedy }: Pick<PrivilegeError, 'found' | 'remedy'>,
): Problem {
  return problem(origins.get('server-user') ?? { file: configFile, line: 0 }, '', found, remedy);
}

/**
 * The directories that root creates for the server user before the drop: those that an option names which root alone can
 * change. Others are created after the drop.
 */
export function rootDirectories({
  unprivileged,
  scratchPath,
  loggingDir,
  origins,
  changeableThrough: changeable,
}: Pick<Options, 'unprivileged' | 'scratchPath' | 'loggingDir' | 'origins' | 'changeableThrough'>): readonly string[] {
  const isTrusted = (name: OptionName): boolean =>
    changeable === undefined || (origins.get(name)?.file ?? COMMAND_LINE) === COMMAND_LINE;
  if (unprivileged) return [];
  return [...(isTrusted('scratch-path') ? [scratchPath] : []), ...(isTrusted('logging-dir') ? [loggingDir] : [])];
}
