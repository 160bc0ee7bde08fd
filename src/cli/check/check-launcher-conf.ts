/** Step of `check` about launcher.conf, where that file exists: whether the launcher starts this program for the cluster. */
import { type Stats, statSync } from 'node:fs';
import { createFileSearch } from '../../config/options/file-search.ts';
import type { Options } from '../../config/options/options.ts';
import { readTextFile } from '../../config/text/file.ts';
import { type IniEntry, parseIni, type Section } from '../../config/text/ini.ts';
import { ConfigError, place } from '../../config/text/problem.ts';
import type { Environment } from '../../system/environment.ts';
import { changeableThrough } from '../../system/file-writers.ts';
import { type Checked, failure, ok, only, warning } from './check-report.ts';

type LauncherOptions = Pick<Options, 'configFile' | 'origins' | 'pluginName'>;

/** The file of a program, as stat identifies it. */
type FileIdentity = Pick<Stats, 'dev' | 'ino'>;

const USUAL = '/usr/local/sbin/rstudio-kubernetes-launcher';

/** The text of launcher.conf, looked up as the options file is; undefined if it is missing or this user cannot read it. */
export function findLauncherConf(
  { configFile, origins }: LauncherOptions,
  environment: Environment,
): { readonly file: string; readonly text: string } | undefined {
  const search = createFileSearch(origins.has('config-file') ? configFile : undefined, environment);
  const file = search.find('launcher.conf').path;
  try {
    const found = readTextFile(file);
    return found === undefined ? undefined : { file, text: found.text };
  } catch (error) {
    if (error instanceof ConfigError) return undefined;
    throw error;
  }
}

/** Does a section of this text start this program? `program`: its file; undefined if it is not an executable of its own. */
export function checkLauncherConf(
  { file, text }: { readonly file: string; readonly text: string },
  { pluginName }: Pick<LauncherOptions, 'pluginName'>,
  program: FileIdentity | undefined,
): Checked<true> {
  const clusters = parseIni(file, text).sections.filter(({ name }) => name.toLowerCase() === 'cluster');
  const nameOf = (section: Section): string => entry(section, 'name')?.value ?? '';
  const cluster = clusters.find((each) => nameOf(each).toLowerCase() === pluginName);
  if (cluster === undefined) {
    const names = clusters.map(nameOf).filter(Boolean).join(', ') || 'none';
    const found = `${file} has no cluster with the name ${pluginName} (it has: ${names})`;
    return only(
      warning(found, `add a section [cluster] with name, type=Plugin and exe; or check with --plugin-name=NAME`),
    );
  }
  const name = nameOf(cluster);
  const at = (line: number): string => place({ file, line });
  const type = entry(cluster, 'type');
  if (type?.value.toLowerCase() !== 'plugin') {
    const found = `${at(type?.line ?? cluster.line)}: cluster ${name} has type ${type?.value ?? 'none'}, so the launcher does not start this plugin`;
    return only(warning(found, `to start it, write type=Plugin and exe=${USUAL}`));
  }
  const exe = entry(cluster, 'exe');
  if (exe === undefined || exe.value === '')
    return { findings: [failure(`${at(cluster.line)}: cluster ${name} has no exe`, `add the line exe=${USUAL}`)] };
  return judgeProgram(`${at(exe.line)}: exe: ${exe.value}`, exe.value, name, program);
}

/** The file that the launcher executes as root. */
function judgeProgram(at: string, path: string, name: string, program: FileIdentity | undefined): Checked<true> {
  let stats: Stats | undefined;
  try {
    stats = statSync(path, { throwIfNoEntry: false });
  } catch {
    return only(ok(`${at} cannot be examined as this user`));
  }
  if (stats === undefined)
    return { findings: [failure(`${at} does not exist`, 'correct this line, and restart the launcher')] };
  if (!stats.isFile() || (stats.mode & 0o111) === 0)
    return { findings: [failure(`${at} is not executable`, `chmod 0755 ${path}`)] };
  const through = changeableThrough(path);
  if (through !== undefined) {
    const found = `${at} can be changed by another user than root through ${through}, and the launcher starts it as root`;
    return only(warning(found, `chown root:root ${through} && chmod go-w ${through}`));
  }
  if (program !== undefined && (program.dev !== stats.dev || program.ino !== stats.ino))
    return only(warning(`${at} is another file than this program`, `run check with that one: ${path} check`));
  return only(ok(`${at} is started for cluster ${name}`));
}

function entry({ entries }: Section, key: string): IniEntry | undefined {
  return entries.find((each) => each.key === key);
}
