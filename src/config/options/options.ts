/**
 * Reads and checks the options of one start (configuration.md sections 0 and 1). This is the only part of the configuration
 * that root reads, so it opens no file but the options file.
 */
import type { LogLevel } from '../../system/log.ts';
import { readTextFile, type TextFile } from '../text/file.ts';
import { type IniEntry, parseIni } from '../text/ini.ts';
import { camelCase, type ParsedValue } from '../text/kinds.ts';
import { COMMAND_LINE, ConfigError, inOrder, type Origin, type Problem, problem } from '../text/problem.ts';
import { type Findings, readSettings, type SettingEntry, unknownKey } from '../text/settings.ts';
import { clusterAddress, decodeCertificates, decodeToken } from './cluster.ts';
import { type CommandLine, parseCommandLine } from './command-line.ts';
import { findOptionsFile, type OptionsFilePlace, ownership } from './file-search.ts';
import {
  isOptionName,
  OPTION_NAMES,
  OPTION_TABLE,
  type OptionName,
  type OptionValues,
  optionRow,
} from './option-table.ts';

type Completed = 'apiUrl' | 'scratchPath' | 'profileConfig' | 'resourceProfileConfig' | 'configFile';

/** Every option by its camel-cased name, decoded, defaults filled in. */
export interface Options extends Omit<OptionValues, Completed> {
  /** Without a slash at the end; default inside a cluster: its own address. */
  readonly apiUrl: string;
  /** The level of option `log-level`; `logLevel` is DEBUG if `enable-debug-logging` is set. */
  readonly baseLogLevel: LogLevel;
  /** PEM text; undefined if the option is not set or is a path. */
  readonly certificateAuthority: string | undefined;
  /** File with PEM certificates; read after privileges were dropped. */
  readonly certificateAuthorityPath: string | undefined;
  /** File with the namespace (only inside a cluster); overrides `kubernetesNamespace`. */
  readonly namespacePath: string | undefined;
  readonly scratchPath: string;
  readonly profileConfig: string;
  readonly resourceProfileConfig: string;
  /** The options file that was read, or the last path that was tried. */
  readonly configFile: string;
  /** The directory of `configFile`. */
  readonly configDirectory: string;
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
      readonly log: LogOptions | undefined;
    };

/** The options that opening the log needs. */
export type LogOptions = Pick<
  Options,
  'serverUser' | 'unprivileged' | 'scratchPath' | 'loggingDir' | 'logFormat' | 'logLevel' | 'pluginName'
>;

const AS_ROOT = 'run this command as root: the launcher starts the plugin as root';
const NEWER = 'fix this line; if the file is for a newer first-party plugin, add unknown-options=warn';

/** Reads and checks the options of this start. Returns all problems together. */
export async function loadOptions(start: StartEnvironment): Promise<LoadedOptions> {
  const commandLine = parseCommandLine(start.argv);
  const findings: Findings = { problems: [...commandLine.problems], warnings: [...commandLine.warnings] };
  const { problems, warnings } = findings;
  const plugin = OPTION_TABLE['plugin-name'];
  const named = plugin.kind.parse(commandLine.values.get('plugin-name') || plugin.fallback);
  const place = findOptionsFile(named.ok ? named.value : plugin.fallback, commandLine, start.env);
  problems.push(...place.problems);

  let file: TextFile | undefined;
  try {
    file = place.problems.length > 0 ? undefined : readTextFile(place.file);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const found = error.problems.map((each) => (each.remedy === undefined ? each : { ...each, remedy: AS_ROOT }));
    return { ok: false, problems: [...problems, ...found], warnings, log: undefined };
  }
  const isMissing = file === undefined && place.required && place.problems.length === 0;
  if (isMissing) {
    problems.push(problem({ file: place.file, line: 0 }, 'config-file', 'the file does not exist'));
  }

  const inFile = readEntries(place.file, file?.text ?? '', commandLine, findings);
  const written = collect(commandLine, inFile, place.file);
  const values = decodeAll(written, findings);
  const completed = complete(values, written, { ...place, isMissing }, start, findings);
  let log: LogOptions | undefined = completed;
  if (file !== undefined) {
    const serverUser = await start.findUser(values.serverUser).catch(() => undefined);
    const suspicions = ownership(place.file, file, serverUser, start.uid);
    problems.push(...suspicions);
    if (suspicions.length > 0) log = undefined;
    if ((file.mode & 0o004) !== 0 && inFile.get('auth-token')?.value) {
      const message = 'every user of this host can read this file and the token in it';
      warnings.push(problem({ file: place.file, line: 0 }, 'auth-token', message, `chmod 600 ${place.file}`));
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
      problem({ file, line: section.line }, '', 'the options file must not have sections: remove this line'),
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
    if (leniency === 'warn') warnings.push(found);
    else problems.push({ ...found, remedy: NEWER });
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

/** Fills in defaults that depend on other options and on the environment, and checks combinations of options. */
function complete(
  values: OptionValues,
  written: ReadonlyMap<OptionName, SettingEntry>,
  place: OptionsFilePlace & { readonly isMissing: boolean },
  start: StartEnvironment,
  { problems, warnings }: Findings,
): Options {
  const origin = (name: OptionName): Origin => written.get(name) ?? { file: place.file, line: 0 };
  const warn = (name: OptionName, message: string): void => {
    warnings.push(problem(origin(name), name, message));
  };
  const given = new Map(
    [...written].flatMap(([name, { value, file, line }]) => (value === '' ? [] : [[name, { file, line }] as const])),
  );
  const beside = `${place.directory}/launcher.${values.pluginName}`;
  if (!values.verifySslCerts)
    warn('verify-ssl-certs', 'TLS certificates are not verified: an attacker on the network can read the token');

  const access = clusterAddress(values, given, start);
  // A missing file is one problem; its options are not reported as missing too.
  const isRequired = (name: OptionName): boolean => !place.isMissing && !given.has(name);
  if (access.apiUrl === undefined && isRequired('api-url')) {
    const message = `is required outside a cluster; options files that were tried: ${place.tried.join(', ')}`;
    problems.push(problem(origin('api-url'), 'api-url', message));
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
      warn('auth-token', 'is ignored: auth-token-path is set');
    const { protocol, hostname } = new URL(access.apiUrl);
    if (protocol === 'http:' && !/^(localhost|127(\.\d+){3}|\[::1\])$/.test(hostname)) {
      warn('api-url', 'is http: the token and all jobs are sent unencrypted');
    }
  }
  const decoded = <T>(name: OptionName, parsed: ParsedValue<T>): T | undefined => {
    if (parsed.ok) return parsed.value;
    problems.push(problem(origin(name), name, `must be ${parsed.reason}`));
    return undefined;
  };
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
    logLevel: values.enableDebugLogging ? 'DEBUG' : values.logLevel,
    baseLogLevel: values.logLevel,
    threadPoolSize: values.threadPoolSize || start.cpus * 2,
    scratchPath: values.scratchPath ?? `/var/lib/rstudio-launcher/${values.pluginName}`,
    profileConfig: values.profileConfig ?? `${beside}.profiles.conf`,
    resourceProfileConfig: values.resourceProfileConfig ?? `${beside}.resources.conf`,
    configFile: place.file,
    configDirectory: place.directory,
    writtenInFile: new Set([...written].filter(([, { file }]) => file !== COMMAND_LINE).map(([name]) => name)),
    origins: given,
  };
}
