/** Launcher templates in use: what stops the start, and what happens when files change or are reloaded. */
import { mkdirSync, unlinkSync, writeFileSync } from 'node:fs';
import t, { type Test } from 'tap';
import { ConfigError } from '../../src/config/text/problem.ts';
import { Templates } from '../../src/jobs/templates.ts';
import type { Log, LogFields } from '../../src/system/log.ts';
import { runAtOnce } from '../../src/system/slices.ts';
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
  const { set, now, cpuTime } = templates.current('jane');
  return runAtOnce(set.render(name, runAtOnce(toTemplateData({})), { now, monotonic: cpuTime })).text;
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

t.test('a template with an error stops the start, naming file and line', async (t) => {
  t.match(said(directoryOf(t, { 'job.tpl': 'a\n{{ if }}\n' })), /^DIR\/job\.tpl:2: missing value for if/);
});

t.test('a directory that does not exist has no templates', async (t) => {
  const { templates } = open('/nonexistent/templates');
  t.equal(templates.current('jane').set.has('job.tpl'), false);
});

t.test('a changed file is used for the next job', async (t) => {
  const directory = directoryOf(t, { 'job.tpl': 'one' });
  const opened = open(directory);
  t.equal(render(opened), 'one');
  unlinkSync(`${directory}/job.tpl`);
  writeFileSync(`${directory}/job.tpl`, 'two and more');
  t.equal(render(opened), 'two and more');
});

t.test('the errors of all files are reported together', async (t) => {
  t.equal(
    said(directoryOf(t, { 'job.tpl': '{{ nonsense }}', 'b.tpl': 'x\n{{ end }}', 'c.tpl': 'fine' })),
    'DIR/b.tpl:2: unexpected {{end}}; DIR/job.tpl:1: function "nonsense" not defined',
  );
});

t.test(
  'a changed file with an error keeps the templates in use, is logged once, and is used when it is corrected',
  async (t) => {
    const directory = directoryOf(t, { 'job.tpl': 'one' });
    const opened = open(directory);
    writeFileSync(`${directory}/job.tpl`, '{{ nonsense }}');
    t.equal(render(opened), 'one');
    t.equal(render(opened), 'one');
    t.strictSame(
      opened.lines.filter((line) => line.includes('error')),
      [
        'Templates changed and have an error; keeping the previous ones: DIR/job.tpl:1: function "nonsense" not defined',
      ],
    );
    writeFileSync(`${directory}/job.tpl`, 'corrected');
    t.equal(render(opened), 'corrected');
  },
);

t.test('templates that all vanish stay in use until a reload', async (t) => {
  const directory = directoryOf(t, { 'job.tpl': 'one' });
  const opened = open(directory);
  unlinkSync(`${directory}/job.tpl`);
  t.equal(render(opened), 'one');
  t.equal(render(opened), 'one');
  t.strictSame(
    opened.lines.filter((line) => line.includes('error')),
    ['Templates changed and have an error; keeping the previous ones: DIR: has no templates'],
  );
  opened.templates.prepare()();
  t.equal(opened.templates.current('jane').set.has('job.tpl'), false);
});

t.test('a reload takes changed templates into use when everything else was read', async (t) => {
  const directory = directoryOf(t, { 'job.tpl': 'one' });
  const opened = open(directory);
  opened.templates.prepare()();
  t.equal(opened.lines.filter((line) => line.startsWith('Launcher templates in use')).length, 1, 'nothing changed');
  writeFileSync(`${directory}/job.tpl`, 'two and more');
  const use = opened.templates.prepare();
  use();
  t.equal(render(opened), 'two and more');
  t.equal(opened.lines.filter((line) => line.startsWith('Launcher templates in use')).length, 2);
  writeFileSync(`${directory}/job.tpl`, '{{ if }}');
  t.throws(() => opened.templates.prepare(), { message: `${directory}/job.tpl:1: missing value for if` });
  t.equal(render(opened), 'two and more');
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
  for (let count = 0; count < 3; count++) opened.templates.current('jane').onChanges('job.tpl', ['spec.backoffLimit']);
  t.equal(opened.lines.filter((line) => line === 'A template renders a field that the plugin sets itself').length, 1);
});

t.test('a Service that no template renders is logged once', async (t) => {
  const opened = open(directoryOf(t, { 'job.tpl': 'x' }));
  for (let count = 0; count < 3; count++)
    opened.templates.current('jane').onChanges('service.tpl', ['it renders no Service']);
  t.equal(
    opened.lines.filter((line) => line === 'A template renders nothing; jobs with ports get no Service').length,
    1,
  );
});
