/**
 * The launcher templates in use (`use-templating=1`): parses the files of `template-path`, and reads them again when one
 * changed. The set is replaced together; templates with an error keep the previous set in use.
 */
import {
  readTemplateFiles,
  type TemplateFile,
  type TemplateFileOptions,
  templateFilesState,
} from '../config/profiles/template-files.ts';
import { advise, ConfigError, type Problem, problem } from '../config/text/problem.ts';
import type { Log } from '../system/log.ts';
import { Slices, Turns } from '../system/slices.ts';
import { TemplateError, type TemplateSet } from '../templates/contract.ts';
import { TEMPLATE_FUNCTIONS } from '../templates/functions/function-table.ts';
import { parseTemplates } from '../templates/language/set.ts';
import { NO_SERVICE, type TemplateContext } from './objects/template-objects.ts';

/** Templates that were read and parsed together. */
interface LoadedTemplates {
  readonly set: TemplateSet;
  readonly files: readonly TemplateFile[];
  readonly warnings: readonly Problem[];
  /** Changes when a file changes. */
  readonly state: string;
}

/** Reads and parses the templates. Throws ConfigError with the problems of all files. */
export function loadTemplates(options: TemplateFileOptions): LoadedTemplates {
  const state = templateFilesState(options);
  const { files, warnings } = readTemplateFiles(options);
  const problems = files.flatMap(syntaxProblem);
  if (problems.length > 0) throw new ConfigError('invalid', problems);
  const parsed = parseTemplates(files, TEMPLATE_FUNCTIONS);
  const repeated = parsed.warnings.map((text) => problem({ file: options.templatePath, line: 0 }, '', text));
  return { set: parsed.set, files, warnings: [...warnings, ...repeated], state };
}

/** The first error of a file, which parses by itself. */
function syntaxProblem(file: TemplateFile): readonly Problem[] {
  try {
    parseTemplates([file], TEMPLATE_FUNCTIONS);
    return [];
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error;
    return [problem({ file: file.path, line: error.place.line }, '', error.reason)];
  }
}

/** `job.tpl (version 2.5.0), site-data.tpl` */
export function templateList(files: readonly TemplateFile[]): string {
  return files.map(({ name, version }) => (version === undefined ? name : `${name} (version ${version})`)).join(', ');
}

/** Milliseconds of CPU time of this thread rather than wall time, so that a busy host fails no job. */
function threadTime(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}

function contextOf(
  set: TemplateSet,
  turns: Turns,
  now: number,
  onChanges: TemplateContext['onChanges'],
  user = '',
): TemplateContext {
  const slices = new Slices(turns, threadTime, user);
  return { set, now, slices, cpuTime: slices.cpuTime, onChanges };
}

/** The templates for one job of a command; undefined: `use-templating` is off. Throws ConfigError. `now`: milliseconds since 1970. */
export function openTemplates(
  options: TemplateFileOptions,
  now: number,
  onChanges: TemplateContext['onChanges'] = () => {},
): TemplateContext | undefined {
  return options.useTemplating ? contextOf(loadTemplates(options).set, new Turns(), now, onChanges) : undefined;
}

/** Different changes and errors that are logged until the templates change. */
const MOST_LOGGED = 1000;

/** The templates of a running plugin. */
export class Templates {
  readonly #options: TemplateFileOptions;
  readonly #log: Log;
  readonly #now: () => number;
  readonly #logged = new Set<string>();
  readonly #turns = new Turns();
  #loaded: LoadedTemplates;
  /** Of the files that were read last, usable or not. */
  #state: string;

  /** Throws ConfigError for templates that cannot be used. `now`: milliseconds since 1970. */
  constructor(options: TemplateFileOptions, log: Log, now: () => number) {
    this.#options = options;
    this.#log = log;
    this.#now = now;
    this.#loaded = loadTemplates(options);
    this.#state = this.#loaded.state;
    this.#report();
  }

  /** The templates for one job of this user; files that changed are read before. */
  current(user: string): TemplateContext {
    this.#refresh();
    const report: TemplateContext['onChanges'] = (template, changes) => {
      for (const change of changes) this.#once(`${template}: ${change}`, () => this.#logChange(template, change));
    };
    return contextOf(this.#loaded.set, this.#turns, this.#now(), report, user);
  }

  #logChange(template: string, change: string): void {
    if (change === NO_SERVICE)
      this.#log.warning('A template renders nothing; jobs with ports get no Service', { template });
    else this.#log.warning('A template renders a field that the plugin sets itself', { template, field: change });
  }

  /** Reads the files for a reload; what it returns takes them into use. Throws ConfigError. */
  prepare(): () => void {
    const loaded = loadTemplates(this.#options);
    return () => this.#use(loaded);
  }

  #use(loaded: LoadedTemplates): void {
    const isChanged = loaded.state !== this.#loaded.state;
    this.#loaded = loaded;
    this.#state = loaded.state;
    this.#logged.clear();
    if (isChanged) this.#report();
  }

  #report(): void {
    const { files, warnings } = this.#loaded;
    const { templatePath: directory } = this.#options;
    this.#log.notice('Launcher templates in use', { directory, files: templateList(files) });
    for (const warning of warnings) this.#log.warning(advise(warning));
  }

  /** An error is logged once and keeps the set. */
  #refresh(): void {
    const state = templateFilesState(this.#options);
    if (state === this.#state) return;
    this.#state = state;
    try {
      const loaded = loadTemplates(this.#options);
      // A directory that is replaced is empty for a moment; a reload takes an empty one into use.
      if (loaded.files.length === 0)
        throw new ConfigError('unreadable', [
          problem({ file: this.#options.templatePath, line: 0 }, '', 'has no templates'),
        ]);
      this.#use(loaded);
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      this.#once(error.message, () =>
        this.#log.error(`Templates changed and have an error; keeping the previous ones: ${error.message}`),
      );
    }
  }

  #once(key: string, report: () => void): void {
    if (this.#logged.has(key) || this.#logged.size > MOST_LOGGED) return;
    this.#logged.add(key);
    report();
  }
}
