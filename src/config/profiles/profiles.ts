/**
 * Profiles: what users and groups may use (configuration.md section 2). Sections are read from top to bottom; of all that
 * match a user, the last one that sets a key wins, key by key; lists are replaced, not merged.
 */

import { type CamelCase, camelCase } from '../options/option-table.ts';
import { type Naming, readNamedFile, readTextFile } from '../text/file.ts';
import { type Entry, nameOnly, parseIni, type Section } from '../text/ini.ts';
import { ConfigError, type Origin, type Problem, problem } from '../text/problem.ts';
import { didYouMean } from '../text/suggest.ts';
import { checkSection, checkTogether, GPU_MAXIMA, MAXIMA, numberOf } from './profile-checks.ts';
import { isProfileKey, PROFILE_KEYS, type ProfileKey, type ProfileValues, profileRow } from './profile-table.ts';

/** A value and where it was written; no `origin`: the default. */
export interface Setting<T> {
  readonly value: T;
  readonly origin?: Origin;
}

/** What holds for one user: each key of profile-table.ts, camel-cased, with its origin. */
export type EffectiveProfile = {
  readonly [Name in keyof ProfileValues]: Setting<ProfileValues[Name]>;
};

/** The camel-cased name of each key. */
const NAMES: ReadonlyMap<ProfileKey, string> = new Map(PROFILE_KEYS.map((key) => [key, camelCase(key)]));

const nameOf = (key: ProfileKey): string => NAMES.get(key) ?? key;

/** What holds where nothing is written, by those names. */
const DEFAULTS: Readonly<Record<string, Setting<unknown>>> = Object.fromEntries(
  PROFILE_KEYS.map((key) => [nameOf(key), { value: profileRow(key).fallback }]),
);

/** Keys whose values are numbers. */
export type NumberKey = {
  [Key in ProfileKey]: ProfileValues[CamelCase<Key>] extends number ? Key : never;
}[ProfileKey];

/** What holds for a key whose values are numbers. */
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

/** Whom a section may match. */
export interface Matching {
  /** The name as given, and as the system's name services write it; empty: nobody in particular, so `[*]` only. */
  readonly names: readonly string[];
  /** Is the user in this group? */
  readonly inGroup: (group: string) => boolean;
}

/** Somebody of whom nothing is known: `[*]` only. */
export const NOBODY: Matching = { names: [], inGroup: () => false };

interface LoadedProfiles {
  readonly profiles: Profiles;
  readonly warnings: readonly Problem[];
}

/** Reads a profiles file. A missing one has no sections, unless it was named. Throws ConfigError with all problems. */
export function readProfiles(file: string, by?: Naming): LoadedProfiles {
  const found = by === undefined ? readTextFile(file) : readNamedFile(file, by);
  return found === undefined ? { profiles: { file, sections: [] }, warnings: [] } : parseProfiles(file, found.text);
}

/** Reads the text of a profiles file. Throws ConfigError `wrong` with all problems of all sections. */
export function parseProfiles(file: string, text: string): LoadedProfiles {
  const parsed = parseIni(file, text, (written) => written.replace(/^@\s+/, '@'));
  const problems: Problem[] = [...parsed.problems];
  const warnings: Problem[] = [];
  for (const { key, line } of parsed.head) {
    problems.push(
      problem({ file, line }, nameOnly(key), 'stands before the first section: begin with [*], for everybody'),
    );
  }
  const sections = parsed.sections.map((section) => readSection(file, section, problems, warnings));
  const profiles = { file, sections };
  problems.push(...sections.flatMap(checkSection));
  if (problems.length > 0) throw new ConfigError('wrong', problems);
  return { profiles, warnings: [...warnings, ...checkTogether(profiles)] };
}

/** Names of users hold no commas, and blanks only in domains. */
const SEVERAL_USERS = /^[^@].*,|^[^@\\\s]+\s/;

function readSection(file: string, section: Section, problems: Problem[], warnings: Problem[]): ProfileSection {
  const { name, line } = section;
  const at = { file, line };
  if (name === '@') problems.push(problem(at, '', '[@] names no group: write [@group]'));
  if (SEVERAL_USERS.test(name)) {
    const said = `[${name}] is taken for one user of this name: write a section for each user, or [@group]`;
    warnings.push(problem(at, '', said));
  }
  const settings = new Map<ProfileKey, Setting<unknown>>();
  for (const entry of section.entries) {
    const origin = { file, line: entry.line };
    if (!isProfileKey(entry.key)) {
      const said = `is not a key of profiles${didYouMean(entry.key, PROFILE_KEYS)}`;
      problems.push(problem(origin, nameOnly(entry.key), said));
    } else {
      const value = readValue(entry.key, entry, origin, problems, warnings);
      if (value !== undefined) settings.set(entry.key, { value: value.is, origin });
    }
  }
  if (name === '*') return { ...at, kind: 'everybody', name: '', settings };
  if (name.startsWith('@')) return { ...at, kind: 'group', name: name.slice(1), settings };
  return { ...at, kind: 'user', name, settings };
}

function readValue(
  key: ProfileKey,
  entry: Entry,
  origin: Origin,
  problems: Problem[],
  warnings: Problem[],
): { readonly is: unknown } | undefined {
  const row = profileRow(key);
  const text = row.raw ? entry.raw : entry.value;
  if (text === '') {
    if (!row.hardening) return { is: row.fallback };
    problems.push(problem(origin, key, 'has no value: write none, or leave the line out'));
    return undefined;
  }
  const parsed = row.kind.parse(text);
  if (!parsed.ok) {
    problems.push(problem(origin, key, `"${text}" must be ${parsed.reason}`));
    return undefined;
  }
  if (parsed.warning !== undefined) warnings.push(problem(origin, key, parsed.warning));
  return { is: parsed.value };
}

/** What holds for a user. A default above the maximum that other sections set is lowered to it. */
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
