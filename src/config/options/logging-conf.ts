/**
 * Where the log goes and what it contains: options, RS_LOG_* variables, logging.conf and the launcher's command line, of
 * which the first that sets a value decides (configuration.md section 1.1). Read after privileges were dropped.
 */
import { LOG_LEVELS, type LogLevel } from '../../system/log.ts';
import type { LogDestination } from '../../system/log-destination.ts';
import { LOG_FILE_LIMITS } from '../../system/log-file.ts';
import { readTextFile } from '../text/file.ts';
import { checkWriters, ownTrust } from '../text/file-trust.ts';
import { type IniFile, parseIni } from '../text/ini.ts';
import { BOOLEAN, kind, oneOf, PATH, type ValueKind, wholeNumber } from '../text/kinds.ts';
import { ConfigError, ENVIRONMENT, inOrder, type Origin, type Problem, problem } from '../text/problem.ts';
import { readSettings, type Setting, type SettingRow } from '../text/settings.ts';
import type { OptionName } from './option-table.ts';

const DAY_MS = 86_400_000;

/** The section of all programs, and the one of this program, which overrides it. */
const SECTIONS = ['*', '@rstudio-kubernetes-launcher'];

/** `error`, `warn`, `info`, `debug` as in logging.conf, and the levels of option `log-level`. */
const LEVEL: ValueKind<LogLevel> = kind('one of error, warn, info, debug', (text) => {
  const level = text.toUpperCase() === 'WARN' ? 'WARNING' : text.toUpperCase();
  return LOG_LEVELS.find((each) => each === level);
});

const FORMAT: ValueKind<'text' | 'json'> = kind('one of pretty, json', (text) =>
  text === 'pretty' ? 'text' : text === 'json' ? text : undefined,
);

const FILE_MODE: ValueKind<number> = kind('an octal mode such as 600', (text) =>
  /^0?[0-7]{3}$/.test(text) ? Number.parseInt(text, 8) & 0o644 : undefined,
);

const days = wholeNumber(1, 36_500);

/** Keys of logging.conf. */
const LOGGING_TABLE = {
  'log-level': { kind: LEVEL },
  'logger-type': { kind: oneOf('file', 'stderr', 'syslog') },
  'log-dir': { kind: PATH },
  'log-file-mode': { kind: FILE_MODE },
  rotate: { kind: BOOLEAN },
  'max-size-mb': { kind: wholeNumber(1, 1_000_000) },
  'rotate-days': { kind: days },
  'max-rotations': { kind: wholeNumber(1, 10_000) },
  'delete-days': { kind: days },
  'log-file-include-pid': { kind: BOOLEAN },
  'warn-syslog': { kind: BOOLEAN },
  'log-message-format': { kind: FORMAT },
} as const satisfies Readonly<Record<string, SettingRow>>;

type LoggingKey = keyof typeof LOGGING_TABLE;
type LoggingValue<Key extends LoggingKey> = (typeof LOGGING_TABLE)[Key]['kind'] extends ValueKind<infer T> ? T : never;

/** Variables of the environment, and the key that each sets. */
const VARIABLES = {
  RS_LOG_LEVEL: 'log-level',
  RS_LOGGER_TYPE: 'logger-type',
  RS_LOG_MESSAGE_FORMAT: 'log-message-format',
  RS_LOG_DIR: 'log-dir',
} as const satisfies Readonly<Record<string, LoggingKey>>;

/** The environment of logging: values of variables, and where logging.conf is. */
export interface LoggingSources {
  readonly variables: ReadonlyMap<string, Setting<unknown>>;
  readonly file: string;
  /** RS_LOG_CONF_FILE names the file, so it must exist. */
  readonly isNamed: boolean;
}

/** Reads the RS_LOG_* variables; a value that cannot be used is a problem. `found`: logging.conf in its directory. */
export function loggingSources(
  env: Readonly<Record<string, string | undefined>>,
  found: string,
  problems: Problem[],
): LoggingSources {
  const at = { file: ENVIRONMENT, line: 0 };
  const variables = new Map<string, Setting<unknown>>();
  for (const [variable, key] of Object.entries(VARIABLES)) {
    const text = env[variable] ?? '';
    if (text === '') continue;
    const parsed = LOGGING_TABLE[key].kind.parse(text);
    if (parsed.ok) variables.set(key, { value: parsed.value, origin: at });
    else problems.push(problem(at, variable, `"${text}" must be ${parsed.reason}`));
  }
  const named = env['RS_LOG_CONF_FILE'] ?? '';
  if (named !== '' && !named.startsWith('/')) {
    problems.push(problem(at, 'RS_LOG_CONF_FILE', `"${named}" must be an absolute path`));
  }
  return { variables, file: named || found, isNamed: named !== '' };
}

/** The log of this process. */
export interface LogSettings extends LogDestination {
  readonly level: LogLevel;
  readonly format: 'text' | 'json';
  /** Where each key was decided; absent: the default. */
  readonly origins: ReadonlyMap<string, Origin>;
}

/** The options that logging depends on; a reload changes some of them. */
interface LoggingOptions {
  readonly logLevel: LogLevel;
  readonly enableDebugLogging: boolean;
  readonly logFormat: 'text' | 'json';
  readonly loggingDir: string;
  readonly strictFiles: boolean;
  readonly logging: LoggingSources;
  readonly writtenInFile: ReadonlySet<OptionName>;
  readonly origins: ReadonlyMap<OptionName, Origin>;
}

/** logging.conf, read once for a start. */
export interface LoggingConf {
  readonly settings: ReadonlyMap<string, Setting<unknown>>;
  readonly warnings: readonly Problem[];
}

/**
 * Reads logging.conf. What cannot be used there is a warning, because the file belongs to other programs too. Throws
 * ConfigError if every user can change the file.
 */
export function readLoggingConf({
  logging,
  strictFiles,
}: Pick<LoggingOptions, 'logging' | 'strictFiles'>): LoggingConf {
  const { file, isNamed } = logging;
  const warnings: Problem[] = [];
  let text: string | undefined;
  try {
    text = readTextFile(file)?.text;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    warnings.push(...error.problems);
  }
  if (text === undefined) {
    if (isNamed && warnings.length === 0) {
      const remedy = 'create this file, or unset the variable';
      warnings.push(problem({ file, line: 0 }, 'RS_LOG_CONF_FILE', 'the file does not exist', remedy));
    }
    return { settings: new Map(), warnings };
  }
  const writers = checkWriters(file, undefined, ownTrust(strictFiles));
  if (writers.problems.length > 0) throw new ConfigError('invalid', writers.problems);
  const parsed = parseIni(file, text);
  warnings.push(...lineWarnings(parsed, text));
  const settings = new Map<string, Setting<unknown>>();
  for (const name of SECTIONS) {
    const entries = parsed.sections.find((section) => section.name === name)?.entries ?? [];
    const written = entries.filter(({ value }) => value !== '').map((entry) => ({ ...entry, file }));
    const found = readSettings(LOGGING_TABLE, written, 'a key of logging.conf', {
      problems: warnings,
      warnings,
    });
    for (const [key, setting] of found) settings.set(key, setting);
  }
  return { settings, warnings: inOrder([...warnings, ...writers.warnings]) };
}

/** What cannot be used outside the sections of other programs: malformed and repeated lines, keys without a section. */
function lineWarnings({ file, head, sections, problems }: IniFile, text: string): readonly Problem[] {
  const lines = text.split('\n');
  const warnings = problems.flatMap((found) => {
    const section = sections.findLast(({ line }) => line <= found.line);
    if (section?.line === found.line) {
      return SECTIONS.includes(section.name) ? [{ ...found, remedy: 'move its keys there' }] : [];
    }
    // A section without its ] may be ours.
    const isSection = lines[found.line - 1]?.trimStart().startsWith('[') === true;
    return section === undefined || SECTIONS.includes(section.name) || isSection ? [found] : [];
  });
  for (const { key, line } of head) {
    if (!Object.hasOwn(LOGGING_TABLE, key)) continue;
    const message = 'has no effect before the first section';
    warnings.push(problem({ file, line }, key, message, 'write this line below [*]'));
  }
  return warnings;
}

/** The settings that all sources together give. */
export function logSettings(options: LoggingOptions, { settings }: LoggingConf): LogSettings {
  const origins = new Map<string, Origin>();
  /** The options file, a variable, logging.conf, or the command line and the default of the option, in this order. */
  const decide = <Key extends LoggingKey>(
    key: Key,
    fallback: LoggingValue<Key>,
    option?: OptionName,
  ): LoggingValue<Key> => {
    const origin = option === undefined ? undefined : options.origins.get(option);
    const isInFile = option !== undefined && options.writtenInFile.has(option);
    const other = isInFile ? undefined : (options.logging.variables.get(key) ?? settings.get(key));
    const decided = other?.origin ?? origin;
    if (decided !== undefined) origins.set(key, decided);
    return other === undefined ? fallback : (other.value as LoggingValue<Key>);
  };
  const limits = LOG_FILE_LIMITS;
  let level = decide('log-level', options.logLevel, 'log-level');
  if (options.enableDebugLogging) {
    level = 'DEBUG';
    const origin = options.origins.get('enable-debug-logging');
    if (origin !== undefined) origins.set('log-level', origin);
  }
  return {
    level,
    format: decide('log-message-format', options.logFormat, 'log-format'),
    type: decide('logger-type', 'file'),
    directory: decide('log-dir', options.loggingDir, 'logging-dir'),
    file: {
      mode: decide('log-file-mode', limits.mode),
      rotate: decide('rotate', limits.rotate),
      bytes: decide('max-size-mb', limits.bytes / 1_000_000) * 1_000_000,
      ageMs: decide('rotate-days', limits.ageMs / DAY_MS) * DAY_MS,
      files: decide('max-rotations', limits.files),
      keptMs: decide('delete-days', limits.keptMs / DAY_MS) * DAY_MS,
      hasPid: decide('log-file-include-pid', false),
    },
    warnSyslog: decide('warn-syslog', false),
    origins,
  };
}
