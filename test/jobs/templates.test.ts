/** Template files: which are read, what stops the start, and what happens when they change. */
import { mkdirSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import t, { type Test } from 'tap';
import { ConfigError } from '../../src/config/text/problem.ts';
import { Templates } from '../../src/jobs/templates.ts';
import type { Log, LogFields } from '../../src/system/log.ts';
import { toTemplateData } from '../../src/templates/language/data.ts';

interface Opened {
  readonly templates: Templates;
  readonly lines: string[];
}

function open(directory: string): Opened {
  const lines: string[] = [];
  const write = (sentence: string, fields?: LogFields): void => {
    lines.push(
      `${sentence}${fields?.['files'] === undefined ? '' : `: ${fields['files']}`}`.replaceAll(directory, 'DIR'),
    );
  };
  const log: Log = { error: write, warning: write, info: write, debug: write, notice: write };
  const options = { useTemplating: true, templatePath: directory, strictFiles: false, origins: new Map() };
  return { templates: new Templates(options, log, () => 0), lines };
}

function said(directory: string): string {
  try {
    open(directory);
    return 'opened';
  } catch (error) {
    if (error instanceof ConfigError) return error.message.replaceAll(directory, 'DIR');
    throw error;
  }
}

const render = ({ templates }: Opened, name = 'job.tpl'): string => {
  const { set, now, cpuTime } = templates.current();
  return set.render(name, toTemplateData({}), { now, monotonic: cpuTime }).text;
};

/** A directory that only this user may write. */
const directoryOf = (t: Test, files: Parameters<Test['testdir']>[0]): string => t.testdir(files);

t.test('every *.tpl is part of the set; hidden files, directories and other names are not', async (t) => {
  const directory = directoryOf(t, {
    'job.tpl': '{{/*\n# Version: 2.4.1\n*/}}{{ template "data" }}',
    'data.tpl': '{{ define "data" }}x{{ end }}',
    '.hidden.tpl': '{{ broken',
    'notes.txt': '{{ broken',
  });
  mkdirSync(`${directory}/..2026.tpl`);
  mkdirSync(`${directory}/folder.tpl`);
  const opened = open(directory);
  t.equal(render(opened), 'x');
  t.match(opened.lines[0], /^Launcher templates in use: data\.tpl, job\.tpl/);
});

t.test('a symbolic link to a file is read', async (t) => {
  const directory = directoryOf(t, { '..data': { 'job.tpl': 'linked' } });
  symlinkSync('..data/job.tpl', `${directory}/job.tpl`);
  t.equal(render(open(directory)), 'linked');
});

t.test('the version of the header is logged, and a newer one is a warning', async (t) => {
  const directory = directoryOf(t, { 'job.tpl': '# Version: 2.6.0\n', 'service.tpl': '# Version: 2.5.9\n' });
  t.strictSame(
    open(directory).lines.filter((line) => !line.includes('can be changed by')),
    [
      'Launcher templates in use: job.tpl (version 2.6.0), service.tpl (version 2.5.9)',
      'DIR/job.tpl has version 2.6.0; versions up to 2.5 are known',
    ],
  );
});

t.test('a template with an error stops the start, naming file and line', async (t) => {
  t.match(said(directoryOf(t, { 'job.tpl': 'a\n{{ if }}\n' })), /^DIR\/job\.tpl:2: missing value for if/);
});

t.test('a directory that does not exist has no templates', async (t) => {
  const { templates } = open('/nonexistent/templates');
  t.equal(templates.current().set.has('job.tpl'), false);
});

t.test('a changed file is used for the next job', async (t) => {
  const directory = directoryOf(t, { 'job.tpl': 'one' });
  const opened = open(directory);
  t.equal(render(opened), 'one');
  unlinkSync(`${directory}/job.tpl`);
  writeFileSync(`${directory}/job.tpl`, 'two and more');
  t.equal(render(opened), 'two and more');
});

t.test('a changed file with an error keeps the templates in use, and is logged once', async (t) => {
  const directory = directoryOf(t, { 'job.tpl': 'one' });
  const opened = open(directory);
  writeFileSync(`${directory}/job.tpl`, '{{ nonsense }}');
  t.equal(render(opened), 'one');
  t.equal(render(opened), 'one');
  t.strictSame(
    opened.lines.filter((line) => line.startsWith('Templates have an error')),
    ['Templates have an error; keeping the previous ones: DIR/job.tpl:1: function "nonsense" not defined'],
  );
});

t.test('two definitions of one name are a warning', async (t) => {
  const directory = directoryOf(t, { 'a.tpl': '{{ define "x" }}1{{ end }}', 'b.tpl': '{{ define "x" }}2{{ end }}' });
  t.ok(
    open(directory).lines.some((line) => /defines template "x" again/.test(line)),
    'logged',
  );
});

t.test('a change that the plugin makes is logged once', async (t) => {
  const opened = open(directoryOf(t, { 'job.tpl': 'x' }));
  for (let count = 0; count < 3; count++) opened.templates.current().onChanges('job.tpl', ['spec.backoffLimit']);
  t.equal(opened.lines.filter((line) => line === 'A template renders a field that the plugin sets itself').length, 1);
});
