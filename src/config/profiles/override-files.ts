/** The files that `job-json-overrides` names, as they are now (configuration.md section 4). */
import type { Naming } from '../text/file.ts';
import { readJsonFile } from '../text/json-file.ts';
import { ConfigError, type Problem } from '../text/problem.ts';
import type { OverrideReference } from './override-references.ts';
import type { Profiles, Setting } from './profiles.ts';

export interface Override extends OverrideReference {
  /** What the file holds. */
  readonly value: unknown;
}

/**
 * Reads the files of a user's overrides, as they are at this moment: a changed file counts from the next submit on.
 * Throws ConfigError naming the file that cannot be used; old content is never used instead.
 */
export function readOverrides({ value, origin }: References): readonly Override[] {
  return value.map((reference) => ({ ...reference, value: readJsonFile(reference.file, naming(origin)) }));
}

type References = Setting<readonly OverrideReference[]>;

function naming(origin: References['origin']): Naming | undefined {
  return origin && { ...origin, option: 'job-json-overrides' };
}

/** Reads every override file of every section. Throws ConfigError with all problems. */
export function checkOverrides({ sections }: Profiles): void {
  // A file that several sections name is told of once.
  const files = new Map(
    sections.flatMap(({ settings }) => {
      const { value, origin } = (settings.get('job-json-overrides') ?? { value: [] }) as References;
      return value.map(({ file }) => [file, naming(origin)] as const);
    }),
  );
  const problems: Problem[] = [];
  let unreadable = false;
  for (const [file, by] of files) {
    try {
      readJsonFile(file, by);
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      problems.push(...error.problems);
      unreadable ||= error.code === 'unreadable';
    }
  }
  if (problems.length > 0) throw new ConfigError(unreadable ? 'unreadable' : 'wrong', problems);
}
