/**
 * Reload by the launcher (message 202) or SIGHUP: reads the policy files again and takes the settings that the launcher
 * sends (protocol 15). Everything is checked before anything changes. The options file is not read again.
 */

import { type PolicyFiles, readPolicyFiles } from '../profiles/policy-files.ts';
import { ConfigError, type Problem } from '../text/problem.ts';
import { OPTION_TABLE, type OptionName, optionRow } from './option-table.ts';
import type { Options } from './options.ts';

/** Settings that a launcher sends; an absent field keeps the value that was sent last. */
export interface PushedSettings {
  readonly jobExpiryHours?: number | undefined;
  readonly loggingDir?: string | undefined;
  readonly enableDebugLogging?: boolean | undefined;
  readonly serverUser?: string | undefined;
  readonly scratchPath?: string | undefined;
  readonly heartbeatIntervalSeconds?: number | undefined;
  readonly pluginMetricsIntervalSeconds?: number | undefined;
}

/** Settings that take effect at once. */
const APPLIED_AT_ONCE = {
  'job-expiry-hours': 'jobExpiryHours',
  'logging-dir': 'loggingDir',
  'enable-debug-logging': 'enableDebugLogging',
} as const satisfies Partial<Record<OptionName, keyof PushedSettings>>;

/** Settings that take effect at the next start. */
const NEED_RESTART = {
  'server-user': 'serverUser',
  'scratch-path': 'scratchPath',
  'heartbeat-interval-seconds': 'heartbeatIntervalSeconds',
  'plugin-metrics-interval-seconds': 'pluginMetricsIntervalSeconds',
} as const satisfies Partial<Record<OptionName, keyof PushedSettings>>;

/** Current settings that a reload can change. */
export type RunningSettings = Pick<Options, 'jobExpiryHours' | 'loggingDir' | 'enableDebugLogging'>;

interface ReloadReport {
  /** 0 done, 1 a file cannot be read, 2 a value is invalid; 1 and 2 change nothing. */
  readonly errorType: 0 | 1 | 2;
  readonly errorMessage: string;
  /** Options with a changed current value. */
  readonly applied: readonly OptionName[];
  /** Options with a value that takes effect at the next start. */
  readonly pendingRestart: readonly OptionName[];
  readonly warnings: readonly Problem[];
}

export interface Reloadable {
  /** The current policy files. */
  readonly files: () => PolicyFiles;
  readonly settings: () => RunningSettings;
  /** Without `pushed`: the files only (SIGHUP). */
  readonly reload: (pushed?: PushedSettings) => ReloadReport;
}

interface ReloadOptions {
  /** The options of the start. */
  readonly options: Options;
  readonly files: PolicyFiles;
  /** Called after the current settings changed. */
  readonly apply: (settings: RunningSettings) => void;
  /**
   * Reads the files that other rooms parse. Throws ConfigError, and nothing is reloaded; returns what replaces the files in
   * use.
   */
  readonly prepare: () => () => void;
}

/** Owner of the policy files and settings that a reload replaces. */
export function createReloadable({ options, files: first, apply, prepare }: ReloadOptions): Reloadable {
  let files = first;
  let settings: RunningSettings = options;
  let pushedLast: PushedSettings = {};

  const resolved = (name: keyof typeof ALL, pushed: PushedSettings): unknown =>
    options.writtenInFile.has(name) ? options[ALL[name]] : (pushed[ALL[name]] ?? options[ALL[name]]);

  return {
    files: () => files,
    settings: () => settings,
    reload: (pushed = {}) => {
      const merged = { ...pushedLast, ...withoutAbsent(pushed) };
      const wrong = NAMES.flatMap((name) => {
        const value = options.writtenInFile.has(name) ? undefined : merged[ALL[name]];
        return value === undefined ? [] : invalid(name, value);
      });
      if (wrong.length > 0) return failedReload(2, wrong.join('; '));
      pushedLast = merged;
      let read: ReturnType<typeof readPolicyFiles>;
      let replace: () => void;
      try {
        read = readPolicyFiles(options, files);
        replace = prepare();
      } catch (error) {
        if (!(error instanceof ConfigError)) throw error;
        return failedReload(error.code === 'unreadable' ? 1 : 2, error.message);
      }
      files = read.files;
      replace();
      const next = { ...settings };
      const applied = names(APPLIED_AT_ONCE).filter((name) => {
        const value = resolved(name, merged);
        const changed = value !== settings[APPLIED_AT_ONCE[name]];
        Object.assign(next, { [APPLIED_AT_ONCE[name]]: value });
        return changed;
      });
      settings = next;
      if (applied.length > 0) apply(settings);
      const pendingRestart = names(NEED_RESTART).filter((name) => resolved(name, merged) !== options[ALL[name]]);
      return { errorType: 0, errorMessage: '', applied, pendingRestart, warnings: read.warnings };
    },
  };
}

const ALL = { ...APPLIED_AT_ONCE, ...NEED_RESTART };
const NAMES = names(ALL);

function names<T extends object>(table: T): readonly (keyof T)[] {
  return Object.keys(table) as (keyof T)[];
}

function withoutAbsent(pushed: PushedSettings): PushedSettings {
  return Object.fromEntries(Object.entries(pushed).filter(([, value]) => value !== undefined && value !== ''));
}

/** Why a value cannot be used, one sentence; empty if it can. */
function invalid(name: keyof typeof ALL, value: string | number | boolean): readonly string[] {
  const text = typeof value === 'boolean' ? String(Number(value)) : String(value);
  const parsed = optionRow(name).kind.parse(text);
  return parsed.ok ? [] : [`${name}: "${text}" must be ${OPTION_TABLE[name].kind.allowed}`];
}

function failedReload(errorType: 1 | 2, errorMessage: string): ReloadReport {
  return { errorType, errorMessage, applied: [], pendingRestart: [], warnings: [] };
}
