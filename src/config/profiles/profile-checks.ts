/** Defaults and maxima of a profiles file that contradict each other (configuration.md section 2). */
import { type Problem, problem } from '../text/problem.ts';
import type { ProfileKey } from './profile-table.ts';
import type { ProfileSection, Profiles, Setting } from './profiles.ts';

/** Keys of which the first may not be above the second; a GPU maximum of 0 means none. */
export const MAXIMA = [
  ['default-cpus', 'max-cpus'],
  ['default-mem-mb', 'max-mem-mb'],
  ['default-cpus-request', 'max-cpus-request'],
  ['default-mem-mb-request', 'max-mem-mb-request'],
  ['default-nvidia-gpus', 'max-nvidia-gpus'],
  ['default-amd-gpus', 'max-amd-gpus'],
] as const satisfies readonly (readonly [ProfileKey, ProfileKey])[];

export const GPU_MAXIMA = MAXIMA.slice(4);

/** The number of a setting; 0 if it has none. */
export function numberOf(setting: Setting<unknown> | undefined): number {
  return typeof setting?.value === 'number' ? setting.value : 0;
}

/** In one section a default may not be above its own maximum. */
export function checkSection({ file, line, settings }: ProfileSection): readonly Problem[] {
  return MAXIMA.flatMap(([byDefault, most]) => {
    const value = settings.get(byDefault);
    const maximum = settings.get(most);
    if (numberOf(maximum) === 0 || numberOf(value) <= numberOf(maximum)) return [];
    const said = `${numberOf(value)} is above ${most}=${numberOf(maximum)} on line ${maximum?.origin?.line}`;
    return [problem(value?.origin ?? { file, line }, byDefault, said)];
  });
}

/** Most warnings about one key; the rest is counted. */
const MOST_WARNINGS = 20;

/**
 * What sections do together: for some user, a default of one section may be above the maximum of another (then the
 * maximum is the default); GPUs without a maximum anywhere are none.
 */
export function checkTogether(profiles: Profiles): readonly Problem[] {
  const warnings = MAXIMA.flatMap(([byDefault, most]) => {
    const found = conflicts(profiles, byDefault, most);
    const left = found.length - MOST_WARNINGS;
    const [first] = found;
    if (first === undefined || left <= 0) return found;
    return [...found.slice(0, MOST_WARNINGS), problem(first, byDefault, `and ${left} more such pairs of sections`)];
  });
  return [...warnings, ...uselessDefaults(profiles)].sort((a, b) => a.line - b.line);
}

/**
 * Pairs of a default and a smaller maximum that both count for some user: one whom no other sections match but `[*]`.
 * Nobody is two users.
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
      const said = `${low.value} is above ${most}=${high.value} on line ${high.setting?.origin?.line} for users whom both sections match; their default is ${high.value}`;
      found.push(problem(at, byDefault, said));
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
      const said = `${numberOf(value)} has no effect: no section sets ${most}, and without a maximum there are no GPUs`;
      return [problem(value?.origin ?? { file, line }, byDefault, said)];
    });
  });
}

/** The setting of the last section that has one. */
function lastSetting(sections: readonly ProfileSection[], key: ProfileKey): Setting<unknown> | undefined {
  return sections.findLast(({ settings }) => settings.has(key))?.settings.get(key);
}
