/**
 * Profiles: what users and groups may use (configuration.md section 2). Of all sections that match a user, the last one
 * that sets a key decides, key by key; lists are replaced, not merged.
 */
import { type Naming, readDefaultFile } from '../text/file.ts';
import { nameOnly, parseIni, type Section } from '../text/ini.ts';
import { type CamelCase, camelCase } from '../text/kinds.ts';
import { ConfigError, type Origin, type Problem, problem } from '../text/problem.ts';
import { type Findings, readSettings, type Setting } from '../text/settings.ts';
import { PROFILE_KEYS, PROFILE_TABLE, type ProfileKey, type ProfileValues, profileRow } from './profile-table.ts';

/** The profile of one user: each key of profile-table.ts, camel-cased, with its origin. */
export type EffectiveProfile = {
  readonly [Name in keyof ProfileValues]: Setting<ProfileValues[Name]>;
};

/** The camel-cased name of each key. */
const NAMES: ReadonlyMap<ProfileKey, string> = new Map(PROFILE_KEYS.map((key) => [key, camelCase(key)]));

const nameOf = (key: ProfileKey): string => NAMES.get(key) ?? key;

/** The defaults, by camel-cased name. */
const DEFAULTS: Readonly<Record<string, Setting<unknown>>> = Object.fromEntries(
  PROFILE_KEYS.map((key) => [nameOf(key), { value: profileRow(key).fallback }]),
);

/** Keys with numbers as values. */
export type NumberKey = {
  [Key in ProfileKey]: ProfileValues[CamelCase<Key>] extends number ? Key : never;
}[ProfileKey];

/** The setting of a key with numbers as values. */
export function numberSetting(profile: EffectiveProfile, key: NumberKey): Setting<number> {
  return profile[nameOf(key) as CamelCase<NumberKey>];
}

export interface ProfileSection extends Origin {
  readonly kind: 'everybody' | 'group' | 'user';
  /** The group or the user; '' for everybody. */
  readonly name: string;
  readonly settings: ReadonlyMap<ProfileKey, Setting<unknown>>;
}

export interface Profiles {
  readonly file: string;
  /** In the order of the file. */
  readonly sections: readonly ProfileSection[];
}

/** The user that sections are matched with. */
export interface Matching {
  /** The name as given, and the canonical name of the name services; empty: no user, only `[*]` matches. */
  readonly names: readonly string[];
  /** Is the user a member of this group? */
  readonly inGroup: (group: string) => boolean;
}

/** Matches `[*]` only. */
export const NOBODY: Matching = { names: [], inGroup: () => false };

interface LoadedProfiles {
  readonly profiles: Profiles;
  readonly warnings: readonly Problem[];
}

/**
 * Reads the file; a missing one has no sections unless an option names it, or it had some `before`. With problems, the
 * profiles have what could be read. Throws ConfigError if the file cannot be read.
 */
export function readProfiles(
  file: string,
  by?: Naming,
  before?: Profiles,
): LoadedProfiles & { readonly problems: readonly Problem[] } {
  const found = readDefaultFile(file, by, (before?.sections.length ?? 0) > 0);
  return found === undefined
    ? { profiles: { file, sections: [] }, warnings: [], problems: [] }
    : readText(file, found.text);
}

/** Parses the text of the file. Throws ConfigError `invalid` with all problems. */
export function parseProfiles(file: string, text: string): LoadedProfiles {
  const { problems, ...loaded } = readText(file, text);
  if (problems.length > 0) throw new ConfigError('invalid', problems);
  return loaded;
}

function readText(file: string, text: string): LoadedProfiles & { readonly problems: readonly Problem[] } {
  const parsed = parseIni(file, text, (written) => written.replace(/^@\s+/, '@'));
  const findings: Findings = { problems: [...parsed.problems], warnings: [] };
  for (const { key, line } of parsed.head) {
    const message = 'is set before the first section: begin with [*], which applies to all users';
    findings.problems.push(problem({ file, line }, nameOnly(key), message));
  }
  const sections = parsed.sections.map((section) => readSection(file, section, findings));
  const profiles = { file, sections };
  findings.problems.push(...sections.flatMap(checkSection));
  return { profiles, warnings: [...findings.warnings, ...checkTogether(profiles)], problems: findings.problems };
}

/** User names have no commas, and spaces only after a domain. */
const SEVERAL_USERS = /^[^@].*,|^[^@\\\s]+\s/;

function readSection(file: string, { name, line, entries }: Section, findings: Findings): ProfileSection {
  const at = { file, line };
  if (name === '@') findings.problems.push(problem(at, '', '[@] names no group: write [@group]'));
  if (SEVERAL_USERS.test(name)) {
    const message = `[${name}] is read as the name of a single user: write a section for each user, or [@group]`;
    findings.warnings.push(problem(at, '', message));
  }
  const written = entries.map((entry) => ({ ...entry, file }));
  const settings = readSettings(PROFILE_TABLE, written, 'a key of profiles', findings);
  if (name === '*') return { ...at, kind: 'everybody', name: '', settings };
  if (name.startsWith('@')) return { ...at, kind: 'group', name: name.slice(1), settings };
  return { ...at, kind: 'user', name, settings };
}

/** The profile of a user. A default above the maximum that another section sets is reduced to this maximum. */
export function effectiveProfile({ sections }: Profiles, user: Matching): EffectiveProfile {
  const matching = sections.filter(({ kind, name }) => {
    if (kind === 'everybody') return true;
    return kind === 'user' ? user.names.includes(name) : user.inGroup(name);
  });
  const profile: Record<string, Setting<unknown>> = { ...DEFAULTS };
  for (const section of matching) {
    for (const [key, setting] of section.settings) profile[nameOf(key)] = setting;
  }
  for (const [byDefault, most] of MAXIMA) {
    const maximum = profile[nameOf(most)];
    const isGpus = GPU_MAXIMA.some(([each]) => each === byDefault);
    const limits = isGpus || numberOf(maximum) > 0;
    if (maximum !== undefined && limits && numberOf(profile[nameOf(byDefault)]) > numberOf(maximum)) {
      profile[nameOf(byDefault)] = maximum;
    }
  }
  return Object.freeze(profile) as EffectiveProfile;
}

/** Keys of which the first may not be above the second; a GPU maximum of 0 means none. */
const MAXIMA = [
  ['default-cpus', 'max-cpus'],
  ['default-mem-mb', 'max-mem-mb'],
  ['default-cpus-request', 'max-cpus-request'],
  ['default-mem-mb-request', 'max-mem-mb-request'],
  ['default-nvidia-gpus', 'max-nvidia-gpus'],
  ['default-amd-gpus', 'max-amd-gpus'],
] as const satisfies readonly (readonly [ProfileKey, ProfileKey])[];

const GPU_MAXIMA = MAXIMA.slice(4);

/** Those, and a default request above the limit that is possible: in one section, every such job would be refused or reduced. */
const SECTION_MAXIMA = [
  ...MAXIMA,
  ['default-cpus-request', 'max-cpus'],
  ['default-mem-mb-request', 'max-mem-mb'],
] as const satisfies readonly (readonly [ProfileKey, ProfileKey])[];

/** The number of a setting; 0 if it has no number. */
function numberOf(setting: Setting<unknown> | undefined): number {
  return typeof setting?.value === 'number' ? setting.value : 0;
}

/** A default above the maximum in the same section is a problem. */
function checkSection({ file, line, settings }: ProfileSection): readonly Problem[] {
  return SECTION_MAXIMA.flatMap(([byDefault, most]) => {
    const value = settings.get(byDefault);
    const maximum = settings.get(most);
    const isNone = numberOf(maximum) === 0 && !GPU_MAXIMA.some(([each]) => each === byDefault);
    if (maximum === undefined || isNone || numberOf(value) <= numberOf(maximum)) return [];
    const message = `${numberOf(value)} is above ${most}=${numberOf(maximum)} on line ${maximum.origin?.line}`;
    return [problem(value?.origin ?? { file, line }, byDefault, message)];
  });
}

/** Most warnings about one key; the others are counted. */
const MOST_WARNINGS = 20;

/**
 * Warnings about settings of different sections: a default above the maximum of another section that matches the same
 * user, and default GPUs without a maximum in any section.
 */
function checkTogether(profiles: Profiles): readonly Problem[] {
  const warnings = MAXIMA.flatMap(([byDefault, most]) => {
    const found = conflicts(profiles, byDefault, most);
    const left = found.length - MOST_WARNINGS;
    const [first] = found;
    if (first === undefined || left <= 0) return found;
    return [
      ...found.slice(0, MOST_WARNINGS),
      problem(first, byDefault, `${left} more pairs of sections have this conflict`),
    ];
  });
  return [...warnings, ...uselessDefaults(profiles)].sort((a, b) => a.line - b.line);
}

/**
 * Pairs of a default and a smaller maximum that both apply to some user: one that matches these two sections and `[*]`.
 * No user matches two sections of users.
 */
function conflicts({ sections }: Profiles, byDefault: ProfileKey, most: ProfileKey): readonly Problem[] {
  const everybody = sections.findIndex(({ kind }) => kind === 'everybody');
  const having = (key: ProfileKey) =>
    sections.flatMap(({ kind, settings }, index) => {
      const setting = settings.get(key);
      return numberOf(setting) > 0 ? [{ index, isUser: kind === 'user', value: numberOf(setting), setting }] : [];
    });
  const maxima = having(most);
  const found: Problem[] = [];
  for (const low of having(byDefault)) {
    for (const high of maxima) {
      if (low.value <= high.value || low.index === high.index || (low.isUser && high.isUser)) continue;
      const matching = [...new Set([everybody, low.index, high.index])]
        .sort((a, b) => a - b)
        .flatMap((index) => sections[index] ?? []);
      if (lastSetting(matching, byDefault) !== low.setting || lastSetting(matching, most) !== high.setting) continue;
      const at = low.setting?.origin;
      if (at === undefined) continue;
      const message = `${low.value} is above ${most}=${high.value} on line ${high.setting?.origin?.line}; users that match both sections get ${high.value}`;
      found.push(problem(at, byDefault, message));
    }
  }
  return found;
}

function uselessDefaults({ sections }: Profiles): readonly Problem[] {
  return GPU_MAXIMA.flatMap(([byDefault, most]) => {
    if (sections.some(({ settings }) => numberOf(settings.get(most)) > 0)) return [];
    return sections.flatMap(({ settings, file, line }) => {
      const value = settings.get(byDefault);
      if (numberOf(value) === 0) return [];
      const message = `${numberOf(value)} has no effect: no section sets ${most}, so jobs get no GPUs`;
      return [problem(value?.origin ?? { file, line }, byDefault, message)];
    });
  });
}

/** The setting of the last section that has it. */
function lastSetting(sections: readonly ProfileSection[], key: ProfileKey): Setting<unknown> | undefined {
  return sections.findLast(({ settings }) => settings.has(key))?.settings.get(key);
}
