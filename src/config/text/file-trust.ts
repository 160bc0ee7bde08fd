/**
 * Who may change the files that decide what users may do (configuration.md section 0): a file that every user can change is
 * a problem; other owners and groups than root, the server user and the user that starts the plugin are warnings.
 */
import { type Mounts, writersOf } from '../../system/file-writers.ts';
import { type Naming, namedAt } from './file.ts';
import { type Problem, problem } from './problem.ts';
import type { Findings } from './settings.ts';

/** Users and groups that may change configuration files besides root. */
export interface TrustedWriters {
  readonly uids: readonly number[];
  readonly gids: readonly number[];
  /** Option `strict-files`: other writers are problems, not warnings. */
  readonly strict: boolean;
}

/** The user of this process, after privileges were dropped. */
export function ownTrust(strict: boolean): TrustedWriters {
  const { getuid, getgid } = process;
  return { uids: getuid === undefined ? [] : [getuid()], gids: getgid === undefined ? [] : [getgid()], strict };
}

/** What is wrong with the writers of an existing file; empty for a missing one. */
export function checkWriters(file: string, by: Naming | undefined, trusted: TrustedWriters, mounts?: Mounts): Findings {
  const problems: Problem[] = [];
  const warnings: Problem[] = [];
  let writers: ReturnType<typeof writersOf>;
  try {
    writers = writersOf(file, mounts);
  } catch {
    // Reading the file reports the error.
    return { problems, warnings };
  }
  const { at, prefix } = namedAt(file, by);
  const report = (isProblem: boolean, who: string, path: string, remedy: string): void => {
    const through = path === file ? '' : ` through ${path}`;
    const found = problem(at, at.option, `${prefix}can be changed by ${who}${through}`, remedy);
    (isProblem ? problems : warnings).push(found);
  };
  const { users, groups, everyUser } = writers;
  if (everyUser !== undefined) report(true, 'every user of this host', everyUser, `chmod o-w ${everyUser}`);
  for (const [uid, path] of users) {
    if (!trusted.uids.includes(uid)) report(trusted.strict, `user ${uid}`, path, `chown root ${path}`);
  }
  for (const [gid, path] of groups) {
    if (gid !== 0 && !trusted.gids.includes(gid)) report(trusted.strict, `group ${gid}`, path, `chmod g-w ${path}`);
  }
  return { problems, warnings };
}
