/**
 * The options of one start: found, read, checked and completed (configuration.md sections 0 and 1). This is the only part
 * of the configuration that is read as root, so nothing here opens any file but the options file.
 */
import type { LogLevel } from '../../system/log.ts';
import { readTextFile, type TextFile } from '../text/file.ts';
import { type Entry, nameOnly, parseIni } from '../text/ini.ts';
import { COMMAND_LINE, ConfigError, type Origin, type Problem, problem } from '../text/problem.ts';
import { didYouMean } from '../text/suggest.ts';
import type { Parsed } from '../text/values.ts';
import { decodeCertificates, decodeToken } from './cluster-credentials.ts';
import { clusterAccess } from './cluster-options.ts';
import { type CommandLine, parseCommandLine } from './command-line.ts';
import {
  camelCase,
  isOptionName,
  OPTION_NAMES,
  OPTION_TABLE,
  type OptionName,
  type OptionValues,
  optionRow,
} from './option-table.ts';
import { findOptionsFile, ownership, type Place } from './options-file.ts';

type Completed = 'apiUrl' | 'scratchPath' | 'profileConfig' | 'resourceProfileConfig' | 'configFile';

/** Every option by its camel-cased name, decoded, defaults filled in. */
export interface Options extends Omit<OptionValues, Completed> {
  /** Without a slash at its end. Inside a cluster and not written: the cluster's own. */
  readonly apiUrl: string;
  /** Level of option `log-level` alone; `logLevel` is DEBUG whenever `enable-debug-logging` is on. */
  readonly baseLogLevel: LogLevel;
  /** PEM text; undefined if none was written, or a path was. */
  readonly certificateAuthority: string | undefined;
  /** File with PEM certificates, to be read as the server user. */
  readonly certificateAuthorityPath: string | undefined;
  /** File that holds the namespace (only inside a cluster); it beats `kubernetesNamespace`. */
  readonly namespacePath: string | undefined;
  readonly scratchPath: string;
  readonly profileConfig: string;
  readonly resourceProfileConfig: string;
  /** The options file: the one that was read, else where one was looked for last. */
  readonly configFile: string;
  /** Where the options file is or would be. */
  readonly configDirectory: string;
  /** Options written in the file, even without a value: they beat what the launcher passes or pushes. */
  readonly writtenInFile: ReadonlySet<OptionName>;
  /** Options that have a value of their own which counts, and where it was written. */
  readonly origins: ReadonlyMap<OptionName, Origin>;
}

/** What a start knows of its surroundings. */
export interface Surroundings {
  /** Without the program's name and anything a command took off. */
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The real user id; 0 is root. */
  readonly uid: number;
  readonly cpus: number;
  /** Looks the server user up: who else but root may own the options file. Undefined if there is no such user. */
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
      /** Where to say so: what could be read. Undefined if that is nothing, or may be written by others. */
      readonly log: LogOptions | undefined;
    };

/** What is needed to write into the log. */
export type LogOptions = Pick<
  Options,
  'serverUser' | 'unprivileged' | 'scratchPath' | 'loggingDir' | 'logFormat' | 'logLevel' | 'pluginName'
>;

const AS_ROOT = 'run it as root, as the launcher starts the plugin';
const NEWER = 'mend that line; for the file of a newer first-party plugin write unknown-options=warn';

/** One written value; the file's beat the command line's. */
interface Written extends Origin {
  readonly text: string;
}

/** Reads and checks the options of this start. All problems come at once. */
export async function loadOptions(start: Surroundings): Promise<LoadedOptions> {
  const commandLine = parseCommandLine(start.argv);
  const problems: Problem[] = [...commandLine.problems];
  const warnings: Problem[] = [...commandLine.warnings];
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
    problems.push(problem({ file: place.file, line: 0 }, 'config-file', 'there is no such file'));
  }

  const inFile = readEntries(place.file, file?.text ?? '', commandLine, problems, warnings);
  const written = collect(commandLine, inFile, place.file);
  const values = decodeAll(written, problems, warnings);
  const completed = complete(values, written, { ...place, isMissing }, start, problems, warnings);
  let log: LogOptions | undefined = completed;
  if (file !== undefined) {
    const serverUser = await start.findUser(values.serverUser).catch(() => undefined);
    const suspicions = ownership(place.file, file, serverUser, start.uid);
    problems.push(...suspicions);
    if (suspicions.length > 0) log = undefined;
    if ((file.mode & 0o004) !== 0 && inFile.get('auth-token')?.value) {
      const message = 'everybody on this host can read the file and the token in it';
      warnings.push(problem({ file: place.file, line: 0 }, 'auth-token', message, `chmod 600 ${place.file}`));
    }
  }
  if (problems.length > 0) return { ok: false, problems, warnings, log };
  return { ok: true, options: Object.freeze(completed), warnings };
}

/** The options of the file; unknown ones are refused with the nearest known name, or only warned about if the file says so. */
function readEntries(
  file: string,
  text: string,
  commandLine: CommandLine,
  problems: Problem[],
  warnings: Problem[],
): ReadonlyMap<OptionName, Entry> {
  const parsed = parseIni(file, text);
  problems.push(...parsed.problems);
  for (const section of parsed.sections) {
    problems.push(problem({ file, line: section.line }, '', 'the options file has no sections'));
  }
  const known = new Map<OptionName, Entry>();
  const unknown: Entry[] = [];
  for (const entry of [...parsed.head, ...parsed.sections.flatMap((section) => section.entries)]) {
    const { key, line } = entry;
    if (!isOptionName(key)) unknown.push(entry);
    else if (optionRow(key).only === 'command line') {
      problems.push(problem({ file, line }, key, 'is accepted on the command line only'));
    } else known.set(key, entry);
  }
  const leniency = known.get('unknown-options')?.value || commandLine.values.get('unknown-options');
  for (const { key, line } of unknown) {
    const said = `is not an option of this plugin${didYouMean(key, OPTION_NAMES)}`;
    if (leniency === 'warn') warnings.push(problem({ file, line }, nameOnly(key), said));
    else problems.push(problem({ file, line }, nameOnly(key), said, NEWER));
  }
  return known;
}

function collect(
  commandLine: CommandLine,
  inFile: ReadonlyMap<OptionName, Entry>,
  file: string,
): ReadonlyMap<OptionName, Written> {
  const written = new Map<OptionName, Written>();
  for (const [name, text] of commandLine.values) written.set(name, { text, file: COMMAND_LINE, line: 0 });
  for (const [name, entry] of inFile) written.set(name, { text: entry.value, file, line: entry.line });
  return written;
}

function decodeAll(written: ReadonlyMap<OptionName, Written>, problems: Problem[], warnings: Problem[]): OptionValues {
  const values: Record<string, unknown> = {};
  for (const name of OPTION_NAMES) {
    const row = optionRow(name);
    const from = written.get(name);
    values[camelCase(name)] = row.fallback;
    if (from === undefined || from.text === '') continue;
    const parsed = row.kind.parse(from.text);
    const shown = row.echo?.(from.text) ?? from.text;
    const echo = row.secret ? '' : `"${shown}" `;
    if (!parsed.ok) problems.push(problem(from, name, `${echo}must be ${parsed.reason}`));
    else {
      values[camelCase(name)] = parsed.value;
      if (parsed.warning !== undefined) warnings.push(problem(from, name, `${echo}${parsed.warning}`));
    }
  }
  return values as OptionValues;
}

/** Fills in what follows from several options and from the surroundings. */
function complete(
  values: OptionValues,
  written: ReadonlyMap<OptionName, Written>,
  place: Place & { readonly isMissing: boolean },
  start: Surroundings,
  problems: Problem[],
  warnings: Problem[],
): Options {
  const origin = (name: OptionName): Origin => written.get(name) ?? { file: place.file, line: 0 };
  const warn = (name: OptionName, message: string): void => {
    warnings.push(problem(origin(name), name, message));
  };
  const given = new Map(
    [...written].flatMap(([name, { text, file, line }]) => (text === '' ? [] : [[name, { file, line }] as const])),
  );
  const beside = `${place.directory}/launcher.${values.pluginName}`;
  if (!values.verifySslCerts)
    warn('verify-ssl-certs', 'TLS certificates are not verified: anybody between can read tokens');

  const access = clusterAccess(values, given, start);
  // What is in a file that is not there cannot be told.
  const isRequired = (name: OptionName): boolean => !place.isMissing && !given.has(name);
  if (access.apiUrl === undefined && isRequired('api-url')) {
    const message = `is required outside a cluster; looked for an options file at ${place.tried.join(', ')}`;
    problems.push(problem(origin('api-url'), 'api-url', message));
  }
  if (access.inCluster) {
    for (const name of ['auth-token', 'auth-token-path', 'certificate-authority'] as const) {
      if (given.delete(name))
        warn(name, "is not used: without api-url the cluster's own address, token and CA are used");
    }
  } else if (access.apiUrl !== undefined) {
    if (isRequired('auth-token') && isRequired('auth-token-path')) {
      problems.push(problem(origin('auth-token'), 'auth-token', 'is required with api-url, or else auth-token-path'));
    }
    if (given.has('auth-token') && given.has('auth-token-path'))
      warn('auth-token', 'is not used: auth-token-path is set');
    const { protocol, hostname } = new URL(access.apiUrl);
    if (protocol === 'http:' && !/^(localhost|127(\.\d+){3}|\[::1\])$/.test(hostname)) {
      warn('api-url', 'is http: the token and all jobs can be read on the network');
    }
  }
  const decoded = <T>(name: OptionName, parsed: Parsed<T>): T | undefined => {
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
