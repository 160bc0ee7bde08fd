/**
 * The launcher templates of `use-templating=1`: reads `*.tpl` of `template-path`, again when a file changed. The set is
 * replaced together; templates with an error keep the previous set in use.
 */
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Options } from '../config/options/options.ts';
import { namingOf, readNamedFile } from '../config/text/file.ts';
import { checkWriters, ownTrust } from '../config/text/file-trust.ts';
import { advise, ConfigError, type Problem, problem } from '../config/text/problem.ts';
import type { Log } from '../system/log.ts';
import { TemplateError, type TemplateSet, type TemplateSource } from '../templates/contract.ts';
import { TEMPLATE_FUNCTIONS } from '../templates/functions/function-table.ts';
import { parseTemplates } from '../templates/language/set.ts';
import type { TemplateContext } from './objects/template-objects.ts';

type TemplateOptions = Pick<Options, 'useTemplating' | 'templatePath' | 'strictFiles' | 'origins'>;

/** Files of one set. */
const MOST_FILES = 100;

/** The newest version of the published templates that this language follows, `major.minor`. */
const NEWEST_VERSION = [2, 5] as const;

interface LoadedTemplates {
  readonly set: TemplateSet;
  /** By file name, the version of its header or ''. */
  readonly files: ReadonlyMap<string, string>;
  readonly warnings: readonly string[];
}

/** Reads and parses the templates of a directory. Throws ConfigError with file and line. */
function readTemplates({ templatePath, strictFiles, origins }: TemplateOptions): LoadedTemplates {
  const by = namingOf(origins, 'template-path');
  const trust = ownTrust(strictFiles);
  const problems: Problem[] = [];
  const warnings: string[] = [];
  const sources: TemplateSource[] = [];
  for (const name of templateNames(templatePath)) {
    const file = join(templatePath, name);
    const writers = checkWriters(file, undefined, trust);
    problems.push(...writers.problems);
    warnings.push(...writers.warnings.map(advise));
    sources.push({ name, text: readNamedFile(file, by).text });
  }
  if (problems.length > 0) throw new ConfigError('invalid', problems);
  const versions = sources.map(
    ({ name, text }) => [name, /^\s*(?:\{\{-?\s*\/\*\s*)?# Version: (\S{1,20})/.exec(text)?.[1] ?? ''] as const,
  );
  for (const [name, version] of versions) {
    if (isNewer(version))
      warnings.push(
        `${join(templatePath, name)} has version ${version}; versions up to ${NEWEST_VERSION.join('.')} are known`,
      );
  }
  try {
    const parsed = parseTemplates(sources, TEMPLATE_FUNCTIONS);
    return { set: parsed.set, files: new Map(versions), warnings: [...warnings, ...parsed.warnings] };
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error;
    const { template, line } = error.place;
    throw new ConfigError('invalid', [problem({ file: join(templatePath, template), line }, '', error.reason)], {
      cause: error,
    });
  }
}

function isNewer(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major > NEWEST_VERSION[0] || (major === NEWEST_VERSION[0] && minor > NEWEST_VERSION[1]);
}

/** Names of the template files, sorted. A directory that does not exist has none. */
function templateNames(directory: string): readonly string[] {
  let names: string[];
  try {
    names = readdirSync(directory);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    const words = error instanceof Error ? error.message : String(error);
    throw new ConfigError('unreadable', [problem({ file: directory, line: 0 }, '', `cannot be read: ${words}`)]);
  }
  const found = names.filter((name) => name.endsWith('.tpl') && !name.startsWith('.')).sort();
  const files = found.filter((name) => statSync(join(directory, name), { throwIfNoEntry: false })?.isFile() === true);
  if (files.length <= MOST_FILES) return files;
  const why = `has ${files.length} templates; at most ${MOST_FILES} are read`;
  throw new ConfigError('invalid', [problem({ file: directory, line: 0 }, '', why)]);
}

/** Changes whenever a file is added, removed, replaced or written. */
function signatureOf(directory: string): string {
  return templateNames(directory)
    .map((name) => {
      const stat = statSync(join(directory, name), { throwIfNoEntry: false });
      return `${name} ${stat?.ino} ${stat?.size} ${stat?.mtimeMs}`;
    })
    .join('\n');
}

const words = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** CPU time rather than wall time, so that a busy host fails no job. */
function contextOf(set: TemplateSet, now: number, onChanges: TemplateContext['onChanges']): TemplateContext {
  const cpuTime = (): number => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1000;
  };
  return { set, now, cpuTime, onChanges };
}

/** The templates for one job of a command; undefined: `use-templating` is off. Throws ConfigError. */
export function openTemplates(
  options: TemplateOptions,
  now: number,
  onChanges: TemplateContext['onChanges'] = () => {},
): TemplateContext | undefined {
  return options.useTemplating ? contextOf(readTemplates(options).set, now, onChanges) : undefined;
}

/** The templates in use, read again when a file changed. */
export class Templates {
  readonly #options: TemplateOptions;
  readonly #log: Log;
  readonly #now: () => number;
  readonly #logged = new Set<string>();
  #signature = '';
  #set: TemplateSet;

  /** Throws ConfigError for templates that cannot be used. `now`: milliseconds since 1970. */
  constructor(options: TemplateOptions, log: Log, now: () => number) {
    this.#options = options;
    this.#log = log;
    this.#now = now;
    this.#signature = signatureOf(options.templatePath);
    this.#set = this.#load();
  }

  /** The templates for one job. */
  current(): TemplateContext {
    this.#refresh();
    return contextOf(this.#set, this.#now(), (template, changes) => {
      for (const change of changes) {
        this.#once(`${template}: ${change}`, () =>
          this.#log.warning('A template renders a field that the plugin sets itself', { template, field: change }),
        );
      }
    });
  }

  #load(): TemplateSet {
    const { set, files, warnings } = readTemplates(this.#options);
    const list = [...files].map(([name, version]) => (version === '' ? name : `${name} (version ${version})`));
    this.#log.notice('Launcher templates in use', { directory: this.#options.templatePath, files: list.join(', ') });
    for (const warning of warnings) this.#log.warning(warning);
    return set;
  }

  /** Reads changed files; an error is logged once and keeps the set. */
  #refresh(): void {
    try {
      const signature = signatureOf(this.#options.templatePath);
      if (signature === this.#signature) return;
      this.#signature = signature;
      this.#set = this.#load();
      this.#logged.clear();
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      this.#once(words(error), () =>
        this.#log.error(`Templates have an error; keeping the previous ones: ${words(error)}`),
      );
    }
  }

  #once(key: string, report: () => void): void {
    if (this.#logged.has(key) || this.#logged.size > MOST_LOGGED) return;
    this.#logged.add(key);
    report();
  }
}

/** Different changes and errors that are logged until the templates change. */
const MOST_LOGGED = 1000;
