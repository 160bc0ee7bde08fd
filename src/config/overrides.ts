/** The files that `job-json-overrides` names, as they are now (configuration.md section 4). */
import { readJsonFile } from './json-file.ts';
import type { OverrideReference } from './override-references.ts';
import { ConfigError, type Problem } from './problem.ts';
import type { Profiles } from './profiles.ts';

export interface Override extends OverrideReference {
  /** What the file holds. */
  readonly value: unknown;
}

/**
 * Reads the files of a user's overrides, as they are at this moment: a changed file counts from the next submit on.
 * Throws ConfigError naming the file that cannot be used; old content is never used instead.
 */
export function readOverrides(references: readonly OverrideReference[]): readonly Override[] {
  return references.map((reference) => ({ ...reference, value: readJsonFile(reference.file) }));
}

/** Reads every override file of every section. Throws ConfigError with all problems. */
export function checkOverrides({ sections }: Profiles): void {
  const files = new Set(
    sections.flatMap(({ settings }) => {
      const value = settings.get('job-json-overrides')?.value as readonly OverrideReference[] | undefined;
      return (value ?? []).map(({ file }) => file);
    }),
  );
  const problems: Problem[] = [];
  let unreadable = false;
  for (const file of files) {
    try {
      readJsonFile(file);
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      problems.push(...error.problems);
      unreadable ||= error.code === 'unreadable';
    }
  }
  if (problems.length > 0) throw new ConfigError(unreadable ? 'unreadable' : 'wrong', problems);
}
