/**
 * Reload, asked for by the launcher (message 202) or by SIGHUP: the settings that the launcher pushes, and the files that
 * make the policy (protocol 15). Everything is checked before anything is changed. The options file is not read again.
 */

import { type PolicyFiles, readPolicyFiles } from '../profiles/policy-files.ts';
import { ConfigError, type Problem } from '../text/problem.ts';
import { OPTION_TABLE, type OptionName, optionRow } from './option-table.ts';
import type { Options } from './options.ts';

/** What a launcher may push; absent members keep what was pushed last. */
export interface InheritedSettings {
  readonly jobExpiryHours?: number | undefined;
  readonly loggingDir?: string | undefined;
  readonly enableDebugLogging?: boolean | undefined;
  readonly serverUser?: string | undefined;
  readonly scratchPath?: string | undefined;
  readonly heartbeatIntervalSeconds?: number | undefined;
  readonly pluginMetricsIntervalSeconds?: number | undefined;
}

/** Can be changed while the plugin runs. */
const APPLIED_AT_ONCE = {
  'job-expiry-hours': 'jobExpiryHours',
  'logging-dir': 'loggingDir',
  'enable-debug-logging': 'enableDebugLogging',
} as const satisfies Partial<Record<OptionName, keyof InheritedSettings>>;

/** Count from the next start on. */
const NEED_RESTART = {
  'server-user': 'serverUser',
  'scratch-path': 'scratchPath',
  'heartbeat-interval-seconds': 'heartbeatIntervalSeconds',
  'plugin-metrics-interval-seconds': 'pluginMetricsIntervalSeconds',
} as const satisfies Partial<Record<OptionName, keyof InheritedSettings>>;

/** Settings in force that a reload can change. */
export type RunningSettings = Pick<Options, 'jobExpiryHours' | 'loggingDir' | 'enableDebugLogging' | 'logLevel'>;

interface ReloadReport {
  /** 0 done, 1 a file cannot be read, 2 something is wrong; after 1 and 2 everything is as it was. */
  readonly errorType: 0 | 1 | 2;
  readonly errorMessage: string;
  /** Options whose running value changed now. */
  readonly applied: readonly OptionName[];
  /** Options whose value differs from the one in force since the start. */
  readonly pendingRestart: readonly OptionName[];
  readonly warnings: readonly Problem[];
}

export interface Reloadable {
  /** The policy files in force. */
  readonly files: () => PolicyFiles;
  readonly settings: () => RunningSettings;
  /** Without `pushed`: the files only (SIGHUP). */
  readonly reload: (pushed?: InheritedSettings) => ReloadReport;
}

interface ReloadOptions {
  /** Of the start. */
  readonly options: Options;
  readonly files: PolicyFiles;
  /** Called after the settings in force have changed. */
  readonly apply: (settings: RunningSettings) => void;
}

/** Holds what a reload may change. */
export function createReloadable({ options, files: first, apply }: ReloadOptions): Reloadable {
  let files = first;
  let settings: RunningSettings = options;
  let pushedLast: InheritedSettings = {};

  const resolved = (name: keyof typeof ALL, pushed: InheritedSettings): unknown =>
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
      if (wrong.length > 0) return failed(2, wrong.join('; '));
      pushedLast = merged;
      let read: ReturnType<typeof readPolicyFiles>;
      try {
        read = readPolicyFiles(options);
      } catch (error) {
        if (!(error instanceof ConfigError)) throw error;
        return failed(error.code === 'unreadable' ? 1 : 2, error.message);
      }
      files = read.files;
      const next = { ...settings };
      const applied = names(APPLIED_AT_ONCE).filter((name) => {
        const value = resolved(name, merged);
        const changed = value !== settings[APPLIED_AT_ONCE[name]];
        Object.assign(next, { [APPLIED_AT_ONCE[name]]: value });
        return changed;
      });
      settings = { ...next, logLevel: next.enableDebugLogging ? 'DEBUG' : options.baseLogLevel };
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

function withoutAbsent(pushed: InheritedSettings): InheritedSettings {
  return Object.fromEntries(Object.entries(pushed).filter(([, value]) => value !== undefined && value !== ''));
}

/** Why a pushed value cannot be used; empty: it can. */
function invalid(name: keyof typeof ALL, value: string | number | boolean): readonly string[] {
  const text = typeof value === 'boolean' ? String(Number(value)) : String(value);
  const parsed = optionRow(name).kind.parse(text);
  return parsed.ok ? [] : [`${name}: "${text}" must be ${OPTION_TABLE[name].kind.allowed}`];
}

function failed(errorType: 1 | 2, errorMessage: string): ReloadReport {
  return { errorType, errorMessage, applied: [], pendingRestart: [], warnings: [] };
}
