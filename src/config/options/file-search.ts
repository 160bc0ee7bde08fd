/**
 * Finds configuration files (configuration.md, beginning): each file is looked up by itself, in the directory of
 * `--config-file`, in RSTUDIO_CONFIG_DIR, or as D/rstudio/FILE for each D of XDG_CONFIG_DIRS and /etc.
 */
import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import { danglingLink } from '../../system/access.ts';
import { currentDirectory } from '../../system/process.ts';
import { withoutTrailingSlashes } from '../text/kinds.ts';
import { ENVIRONMENT, type Problem, problem } from '../text/problem.ts';

/** Where one file is. */
interface FoundFile {
  /** The first one that exists, else the last path that was tried. */
  readonly path: string;
  readonly tried: readonly string[];
}

export interface FileSearch {
  readonly find: (name: string) => FoundFile;
  /** The value of `--config-file`, as an absolute path. */
  readonly configFile: string | undefined;
  readonly problems: readonly Problem[];
}

/** The search of one start. `configFile`: the value of the option, undefined if it is not set. */
export function createFileSearch(
  configFile: string | undefined,
  env: Readonly<Record<string, string | undefined>>,
): FileSearch {
  const named = configFile === undefined ? undefined : resolve(currentDirectory(), configFile);
  const own = env['RSTUDIO_CONFIG_DIR'];
  const isRelative = named === undefined && own !== undefined && own !== '' && !own.startsWith('/');
  const directories = named !== undefined ? [resolve(named, '..')] : own ? [own] : sharedDirectories(env);
  return {
    find: (name) => {
      const paths = directories.map((directory) => `${withoutTrailingSlashes(directory)}/${name}`);
      const found = paths.findIndex(exists);
      const tried = paths.slice(0, found < 0 ? undefined : found + 1);
      return { path: tried.at(-1) ?? `/etc/rstudio/${name}`, tried };
    },
    configFile: named,
    problems: isRelative
      ? [problem({ file: ENVIRONMENT, line: 0 }, 'RSTUDIO_CONFIG_DIR', `"${own}" must be an absolute path`)]
      : [],
  };
}

function sharedDirectories(env: Readonly<Record<string, string | undefined>>): readonly string[] {
  const shared = (env['XDG_CONFIG_DIRS'] ?? '').split(':').filter((each) => each.startsWith('/'));
  return [...shared.map((each) => `${withoutTrailingSlashes(each)}/rstudio`), '/etc/rstudio'];
}

/** A file that cannot be examined exists, and a link to nothing: reading it reports why, and its restrictions are not skipped. */
function exists(path: string): boolean {
  try {
    return statSync(path, { throwIfNoEntry: false }) !== undefined || danglingLink(path) !== undefined;
  } catch {
    return true;
  }
}

/** Is this an existing directory? */
export function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}
