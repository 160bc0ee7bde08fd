/**
 * Files of launcher templates (`use-templating=1`): reads the `*.tpl` of `template-path` as the server user, and finds out
 * whether they changed. Their content is parsed in jobs/.
 */
import { lstatSync, readdirSync, realpathSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { accessDenial, ownUser } from '../../system/access.ts';
import { codeOrText } from '../../system/errors.ts';
import { Mounts } from '../../system/file-writers.ts';
import { fileError, type Naming, namingOf, readNamedFile } from '../text/file.ts';
import { checkWriters, ownTrust, type TrustedWriters } from '../text/file-trust.ts';
import { ConfigErrors, type Origin, type Problem, problem } from '../text/problem.ts';

export interface TemplateFile {
  /** The file name, which is the name of the template as well. */
  readonly name: string;
  readonly path: string;
  readonly text: string;
  /** Of the header `# Version: 2.5.0`; undefined without one. */
  readonly version: string | undefined;
}

/** The options of the template files, and where they were written. */
export interface TemplateFileOptions {
  readonly useTemplating: boolean;
  readonly templatePath: string;
  readonly strictFiles: boolean;
  readonly origins: ReadonlyMap<string, Origin>;
}

/** Most template files of one directory. */
const MAX_FILES = 100;

/** Templates that make objects; the others are used by these. */
const OBJECT_TEMPLATES = ['job.tpl', 'service.tpl'] as const;

/** The newest templates that were compared with this plugin's data. */
const NEWEST_VERSION = [2, 5] as const;

/**
 * Reads all template files in byte order of their names; without `use-templating` there are none. Throws ConfigError with
 * the problems of all files.
 */
export function readTemplateFiles(options: TemplateFileOptions): {
  readonly files: readonly TemplateFile[];
  readonly warnings: readonly Problem[];
} {
  if (!options.useTemplating) return { files: [], warnings: [] };
  const { templatePath, strictFiles } = options;
  const by = templateNaming(options);
  const trust = ownTrust(strictFiles);
  const all = templateNames(templatePath, by);
  const foreign = new Set((all ?? []).filter(isForeignIn(templatePath, trust)));
  const names = all?.filter((name) => !foreign.has(name));
  const errors = new ConfigErrors();
  if (names !== undefined && names.length > MAX_FILES)
    throw fileError('invalid', templatePath, by, `has ${names.length} files *.tpl; at most ${MAX_FILES} are read`);
  const warnings: Problem[] = [...foreign].slice(0, MAX_FILES).map((name) => foreignFile(`${templatePath}/${name}`));
  const files = (names ?? []).flatMap((name): readonly TemplateFile[] => {
    const path = `${templatePath}/${name}`;
    const writers = checkWriters(path, undefined, trust);
    errors.add(writers.problems);
    warnings.push(...writers.warnings);
    const found = errors.attempt(() => readNamedFile(path));
    return found === undefined ? [] : [{ name, path, text: found.text, version: versionOf(found.text) }];
  });
  const error = errors.combined();
  if (error !== undefined) throw error;
  return { files, warnings: [...warnings, ...missing(options, by, names, files), ...files.flatMap(newer)] };
}

/**
 * In a directory that every user can write to, as the scratch path in a pod is: is a file neither mounted by itself nor of
 * root or the server user? It must neither be used nor stop the plugin.
 */
function isForeignIn(directory: string, { uids }: TrustedWriters): (name: string) => boolean {
  const mode = statSync(directory, { throwIfNoEntry: false })?.mode ?? 0;
  if ((mode & 0o002) === 0) return () => false;
  const mounts = Mounts.read();
  const real = realpathSync(directory);
  return (name) => {
    const uid = lstatSync(`${real}/${name}`, { throwIfNoEntry: false })?.uid ?? 0;
    return uid !== 0 && !uids.includes(uid) && !mounts.has(`${real}/${name}`);
  };
}

function foreignFile(path: string): Problem {
  const message = 'belongs to another user than root and the server user, in a directory that every user can write to';
  return problem({ file: path, line: 0 }, '', `${message}; skipping it`, `remove it, or run: chown root ${path}`);
}

/** The option that decides about the directory. */
function templateNaming({ origins, templatePath }: TemplateFileOptions): Naming {
  const named = namingOf(origins, 'template-path') ?? namingOf(origins, 'scratch-path');
  return named ?? namingOf(origins, 'use-templating') ?? { file: templatePath, line: 0, option: '' };
}

/** In byte order; undefined: there is no directory, and no option names one. */
function templateNames(directory: string, by: Naming): readonly string[] | undefined {
  try {
    return readdirSync(directory)
      .filter((name) => isTemplateName(name) && !isSubdirectory(`${directory}/${name}`))
      .toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  } catch (cause) {
    const code = codeOrText(cause);
    if (code === 'ENOENT' && by.option !== 'template-path') return undefined;
    if (code === 'ENOENT') throw fileError('unreadable', directory, by, 'does not exist', cause);
    if (code === 'ENOTDIR') throw fileError('invalid', directory, by, 'is not a directory', cause);
    const { why, remedy } = accessDenial(directory, 'read');
    throw fileError('unreadable', directory, by, `cannot be read: ${ownUser().text} ${why} (${code})`, cause, remedy);
  }
}

const isTemplateName = (name: string): boolean => name.endsWith('.tpl') && !name.startsWith('.');

function isSubdirectory(path: string): boolean {
  try {
    return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
  } catch {
    // Reading the file reports the error.
    return false;
  }
}

/** Lines in which a version header is looked for. */
const HEAD_CHARACTERS = 2_000;
const VERSION_HEADER = /^# ?Version: ?([0-9][0-9A-Za-z.+-]{0,30})/m;

function versionOf(text: string): string | undefined {
  return VERSION_HEADER.exec(text.slice(0, HEAD_CHARACTERS))?.[1];
}

function newer({ name, path, version }: TemplateFile): readonly Problem[] {
  const [major = 0, minor = 0] = (version ?? '').split('.').map(Number);
  const [newestMajor, newestMinor] = NEWEST_VERSION;
  if (major < newestMajor || (major === newestMajor && !(minor > newestMinor))) return [];
  const message = `${name} has version ${version}; this plugin was tested with templates up to ${newestMajor}.${newestMinor}`;
  const remedy = 'to see what it makes, run: rstudio-kubernetes-launcher render --user USER';
  return [problem({ file: path, line: 0 }, '', message, remedy)];
}

/** Templating without a template that makes an object. */
function missing(
  { templatePath }: TemplateFileOptions,
  by: Naming,
  names: readonly string[] | undefined,
  files: readonly TemplateFile[],
): readonly Problem[] {
  const isObject = ({ name }: TemplateFile): boolean => OBJECT_TEMPLATES.some((template) => template === name);
  if (files.some(isObject)) return [];
  const found = names === undefined ? 'does not exist' : `has no ${OBJECT_TEMPLATES.join(' and no ')}`;
  const earlier = join(dirname(templatePath), basename(templatePath).toLowerCase());
  const also = earlier !== templatePath && hasTemplates(earlier) ? `, and those in ${earlier} are not read` : '';
  const message = `templates are in use, but ${templatePath} ${found}${also}: jobs are built without templates`;
  const remedy = 'put job.tpl there; commands need --plugin-name=NAME with the name as launcher.conf has it';
  return [problem(by, by.option, message, by.option === 'use-templating' ? remedy : 'put job.tpl there')];
}

function hasTemplates(directory: string): boolean {
  try {
    return readdirSync(directory).some(isTemplateName);
  } catch {
    return false;
  }
}

/**
 * What changes when a template file, or the set of files, changes: identity, size and times. Problems of the directory are a
 * state, too: reading the files reports them.
 */
export function templateFilesState({ templatePath }: Pick<TemplateFileOptions, 'templatePath'>): string {
  try {
    const names = readdirSync(templatePath)
      .filter(isTemplateName)
      .slice(0, MAX_FILES + 1)
      .toSorted();
    return names
      .map((name) => {
        const stats = statSync(`${templatePath}/${name}`, { throwIfNoEntry: false });
        const seen = stats && [stats.dev, stats.ino, stats.size, stats.mtimeMs, stats.ctimeMs];
        return `${name}:${seen?.join(':') ?? 'missing'}`;
      })
      .join('\n');
  } catch (error) {
    return codeOrText(error);
  }
}
