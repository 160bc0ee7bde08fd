/** What the text of an administrator comes to when it is read: options or problems, and the values of a profile. */
import { chmodSync } from 'node:fs';
import type { Test } from 'tap';
import { loadOptions, type Options, type StartEnvironment } from '../../../src/config/options/options.ts';
import { type EffectiveProfile, parseProfiles } from '../../../src/config/profiles/profiles.ts';
import { ConfigError, describe } from '../../../src/config/text/problem.ts';

/** A start without arguments and environment, outside a cluster. */
export const environment: StartEnvironment = {
  argv: [],
  env: {},
  uid: process.getuid?.() ?? -1,
  cpus: 4,
  findUser: async () => ({ uid: 998, gid: 998 }),
  serviceAccountDirectory: '/nonexistent',
};

/** The options file in what comes back. */
export const CONF = 'DIR/launcher.kubernetes.conf';

/** Loads the options from this text, whose file is called CONF in what is wrong with them. */
export async function load(
  test: Test,
  text: string,
  more: Partial<StartEnvironment> = {},
): Promise<{ options: Options | undefined; problems: string[]; warnings: string[] }> {
  const directory = test.testdir({ 'launcher.kubernetes.conf': text });
  const file = `${directory}/launcher.kubernetes.conf`;
  chmodSync(file, 0o600);
  const loaded = await loadOptions({ ...environment, env: { RSTUDIO_CONFIG_DIR: directory }, ...more });
  const shown = (found: Parameters<typeof describe>[0]): string => describe(found).replaceAll(directory, 'DIR');
  return {
    options: loaded.ok ? loaded.options : undefined,
    problems: loaded.ok ? [] : loaded.problems.map(shown),
    warnings: loaded.warnings.map(shown),
  };
}

/** What is wrong with this text; empty: nothing. */
export function problems(text: string, parse: (file: string, text: string) => unknown = parseProfiles): string[] {
  try {
    parse('F', text);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems.map(describe);
    throw error;
  }
}

/** The values of a profile, without where they come from. */
export function values(profile: EffectiveProfile): Record<string, unknown> {
  return Object.fromEntries(Object.entries(profile).map(([key, { value }]) => [key, value]));
}
