/** Finds the options file and judges who can change it (configuration.md, beginning and section 1). */
import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import type { TextFile } from '../text/file.ts';
import { withoutTrailingSlashes } from '../text/kinds.ts';
import { type Problem, problem } from '../text/problem.ts';
import type { CommandLine } from './command-line.ts';

export interface OptionsFilePlace {
  readonly file: string;
  readonly directory: string;
  /** Named on the command line. */
  readonly required: boolean;
  readonly tried: readonly string[];
  readonly problems: readonly Problem[];
}

/** `--config-file`, else `launcher.NAME.conf` in RSTUDIO_CONFIG_DIR, else in the first D/rstudio that exists. */
export function findOptionsFile(
  name: string,
  commandLine: CommandLine,
  env: Readonly<Record<string, string | undefined>>,
): OptionsFilePlace {
  const given = commandLine.values.get('config-file');
  if (given) {
    const file = resolve(given);
    return { file, directory: resolve(file, '..'), required: true, tried: [file], problems: [] };
  }
  const at = (directory: string): string => `${directory}/launcher.${name}.conf`;
  const own = env['RSTUDIO_CONFIG_DIR'];
  if (own) {
    const problems = own.startsWith('/')
      ? []
      : [problem({ file: 'environment', line: 0 }, 'RSTUDIO_CONFIG_DIR', `"${own}" must be an absolute path`)];
    const directory = own.length > 1 ? withoutTrailingSlashes(own) : own;
    return { file: at(directory), directory, required: false, tried: [at(directory)], problems };
  }
  const shared = (env['XDG_CONFIG_DIRS'] ?? '').split(':').filter((each) => each.startsWith('/'));
  const directories = [...shared.map((each) => `${withoutTrailingSlashes(each)}/rstudio`), '/etc/rstudio'];
  const first = directories.findIndex(isDirectory);
  const tried = directories.slice(0, first < 0 ? undefined : first + 1);
  const directory = tried.at(-1) ?? '/etc/rstudio';
  return { file: at(directory), directory, required: false, tried: tried.map(at), problems: [] };
}

/** Is this an existing directory? */
export function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

/** Other users that can change the options file. Allowed are root, the server user and the user that starts the plugin. */
export function ownership(
  path: string,
  file: TextFile,
  serverUser: { readonly uid: number; readonly gid: number } | undefined,
  uid: number,
): readonly Problem[] {
  const found: string[] = [];
  if (![0, uid, serverUser?.uid].includes(file.uid)) found.push(`its owner, user ${file.uid}`);
  if ((file.mode & 0o020) !== 0 && ![0, serverUser?.gid].includes(file.gid)) found.push(`group ${file.gid}`);
  if ((file.mode & 0o002) !== 0) found.push('every user');
  if (found.length === 0) return [];
  const message = `can be changed by ${found.join(' and ')}; only root and the server user may be able to change it`;
  return [problem({ file: path, line: 0 }, '', message, `chown root:root ${path} && chmod 600 ${path}`)];
}
