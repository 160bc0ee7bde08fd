/** Where the options file is, and whom it may belong to (configuration.md, beginning and section 1). */
import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import type { TextFile } from '../text/file.ts';
import { type Problem, problem } from '../text/problem.ts';
import type { CommandLine } from './command-line.ts';

export interface Place {
  readonly file: string;
  readonly directory: string;
  /** Was it named on the command line? */
  readonly required: boolean;
  readonly tried: readonly string[];
  readonly problems: readonly Problem[];
}

/** `--config-file`, else `launcher.NAME.conf` in RSTUDIO_CONFIG_DIR, else in the first D/rstudio that exists. */
export function findOptionsFile(
  name: string,
  commandLine: CommandLine,
  env: Readonly<Record<string, string | undefined>>,
): Place {
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
    const directory = own.length > 1 ? own.replace(/(?<!\/)\/+$/, '') : own;
    return { file: at(directory), directory, required: false, tried: [at(directory)], problems };
  }
  const shared = (env['XDG_CONFIG_DIRS'] ?? '').split(':').filter((each) => each.startsWith('/'));
  const directories = [...shared.map((each) => `${each.replace(/(?<!\/)\/+$/, '')}/rstudio`), '/etc/rstudio'];
  const first = directories.findIndex(isDirectory);
  const tried = directories.slice(0, first < 0 ? undefined : first + 1);
  const directory = tried.at(-1) ?? '/etc/rstudio';
  return { file: at(directory), directory, required: false, tried: tried.map(at), problems: [] };
}

/** Is there a directory of this name? */
export function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

/** Who else can change the options file? Allowed are root, the server user, and whoever starts the plugin. */
export function ownership(
  path: string,
  file: TextFile,
  serverUser: { readonly uid: number; readonly gid: number } | undefined,
  uid: number,
): readonly Problem[] {
  const found: string[] = [];
  if (![0, uid, serverUser?.uid].includes(file.uid)) found.push(`its owner, user ${file.uid}`);
  if ((file.mode & 0o020) !== 0 && ![0, serverUser?.gid].includes(file.gid)) found.push(`group ${file.gid}`);
  if ((file.mode & 0o002) !== 0) found.push('everybody');
  if (found.length === 0) return [];
  const message = `can be changed by ${found.join(' and ')}; it must be writable for root and the server user only`;
  return [problem({ file: path, line: 0 }, '', message, `chown root:root ${path} && chmod 600 ${path}`)];
}
