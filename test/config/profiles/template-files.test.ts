/** Files of launcher templates: which are read, in which order, and what stops them from being used. */
import { chmodSync, chownSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import t, { type Test } from 'tap';
import { readPolicyFiles } from '../../../src/config/profiles/policy-files.ts';
import {
  readTemplateFiles,
  type TemplateFileOptions,
  templateFilesState,
} from '../../../src/config/profiles/template-files.ts';
import { advise, ConfigError } from '../../../src/config/text/problem.ts';

function optionsOf(t: Test, more: Partial<TemplateFileOptions> = {}): TemplateFileOptions {
  return {
    useTemplating: true,
    templatePath: t.testdirName,
    strictFiles: false,
    origins: new Map([['use-templating', { file: '/o', line: 2 }]]),
    ...more,
  };
}

function problemsOf(options: TemplateFileOptions): readonly string[] {
  try {
    return readTemplateFiles(options).warnings.map(advise);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.problems.map(advise).map((text) => text.replaceAll(options.templatePath, 'DIR'));
  }
}

t.test('reads *.tpl in byte order, through symbolic links; skips directories and names with a dot', async (t) => {
  t.testdir({ 'Z.tpl': 'z', 'a.tpl': 'a', 'ä.tpl': 'ä', '.h.tpl': 'h', 'd.tpl': {}, 'x.txt': 'x' });
  const directory = t.testdirName;
  mkdirSync(`${directory}/..2026_1`);
  writeFileSync(`${directory}/..2026_1/job.tpl`, '# Version: 2.5.0\n');
  symlinkSync('..2026_1', `${directory}/..data`);
  symlinkSync('..data/job.tpl', `${directory}/job.tpl`);
  const { files, warnings } = readTemplateFiles(optionsOf(t));
  t.same(
    files.map(({ name, text, version }) => [name, text, version]),
    [
      ['Z.tpl', 'z', undefined],
      ['a.tpl', 'a', undefined],
      ['job.tpl', '# Version: 2.5.0\n', '2.5.0'],
      ['ä.tpl', 'ä', undefined],
    ],
  );
  t.same(warnings, []);
});

t.test('without use-templating no file is read', async (t) => {
  t.same(readTemplateFiles(optionsOf(t, { useTemplating: false, templatePath: '/nonexistent' })).files, []);
});

t.test('templates newer than 2.5 are a warning', async (t) => {
  t.testdir({
    'job.tpl': '{{- /* x */}}\n# Version: 2.6.1\n',
    'service.tpl': '# Version: 2.5.9\n',
    'x.tpl': '# Version: 3.0',
  });
  const remedy = 'to see what it makes, run: rstudio-kubernetes-launcher render --user USER';
  t.same(
    problemsOf(optionsOf(t)).map((text) => text.replaceAll(t.testdirName, 'DIR')),
    [
      `DIR/job.tpl: job.tpl has version 2.6.1; this plugin was tested with templates up to 2.5 -> ${remedy}`,
      `DIR/x.tpl: x.tpl has version 3.0; this plugin was tested with templates up to 2.5 -> ${remedy}`,
    ],
  );
});

t.test('a directory without templates of objects, or without a directory, is a warning', async (t) => {
  t.testdir({ 'data.tpl': '' });
  t.same(problemsOf(optionsOf(t)), [
    `/o:2: use-templating: templates are in use, but ${t.testdirName} has no job.tpl and no service.tpl: jobs are built without templates -> put job.tpl there; commands need --plugin-name=NAME with the name as launcher.conf has it`,
  ]);
  t.same(problemsOf(optionsOf(t, { templatePath: '/nonexistent/t' })), [
    '/o:2: use-templating: templates are in use, but /nonexistent/t does not exist: jobs are built without templates -> put job.tpl there; commands need --plugin-name=NAME with the name as launcher.conf has it',
  ]);
  const origins = new Map([['template-path', { file: '/o', line: 3 }]]);
  t.same(problemsOf(optionsOf(t, { templatePath: '/nonexistent/t', origins })), [
    '/o:3: template-path: DIR does not exist',
  ]);
  t.same(problemsOf(optionsOf(t, { templatePath: `${t.testdirName}/data.tpl`, origins })), [
    '/o:3: template-path: DIR is not a directory',
  ]);
});

t.test('templates in the scratch path of an earlier start, in lower case, are named and not read', async (t) => {
  t.testdir({ Kubernetes: {}, kubernetes: { 'job.tpl': 'x' } });
  const directory = t.testdirName;
  const options = optionsOf(t, { templatePath: `${directory}/Kubernetes` });
  t.same(readTemplateFiles(options).files, []);
  t.same(problemsOf(options), [
    `/o:2: use-templating: templates are in use, but ${directory}/Kubernetes has no job.tpl and no service.tpl, and those in ${directory}/kubernetes are not read: jobs are built without templates -> put job.tpl there; commands need --plugin-name=NAME with the name as launcher.conf has it`,
  ]);
});

t.test('unusable files are reported together', async (t) => {
  t.testdir({ 'a.tpl': 'x'.repeat(1024 * 1024 + 1), 'job.tpl': 'ok', 'open.tpl': '' });
  symlinkSync('missing', `${t.testdirName}/b.tpl`);
  writeFileSync(`${t.testdirName}/c.tpl`, Buffer.from([0xff]));
  chmodSync(`${t.testdirName}/open.tpl`, 0o666);
  t.same(problemsOf(optionsOf(t)), [
    'DIR/a.tpl: is larger than 1 MiB',
    'DIR/b.tpl: cannot be read: DIR/b.tpl is a symbolic link to DIR/missing, which does not exist -> mount or make DIR/missing, or remove the link',
    'DIR/c.tpl: is not UTF-8',
    'DIR/open.tpl: can be changed by every user of this host -> chmod o-w DIR/open.tpl',
  ]);
});

const skip = process.getuid?.() === 0 ? false : 'only root can change owners';

t.test('a file of another user in a directory that every user can write to is skipped', { skip }, async (t) => {
  t.testdir({ 'job.tpl': 'mine', 'service.tpl': 'of another user', 'x.tpl': 'of another user' });
  chmodSync(t.testdirName, 0o1777);
  for (const name of ['service.tpl', 'x.tpl']) chownSync(`${t.testdirName}/${name}`, 1234, 1234);
  const { files, warnings } = readTemplateFiles(optionsOf(t));
  t.same(
    files.map(({ name }) => name),
    ['job.tpl'],
  );
  t.same(
    warnings.map((warning) => advise(warning).replaceAll(t.testdirName, 'DIR')),
    ['service.tpl', 'x.tpl'].map(
      (name) =>
        `DIR/${name}: belongs to another user than root and the server user, in a directory that every user can write to; skipping it -> remove it, or run: chown root DIR/${name}`,
    ),
  );
  chmodSync(t.testdirName, 0o755);
  t.equal(readTemplateFiles(optionsOf(t)).files.length, 3, 'nobody else can write to the directory');
});

t.test('more than 100 files are refused', async (t) => {
  t.testdir(Object.fromEntries(Array.from({ length: 101 }, (_, i) => [`${i}.tpl`, ''])));
  t.same(problemsOf(optionsOf(t)), ['/o:2: use-templating: DIR has 101 files *.tpl; at most 100 are read']);
});

t.test('the state changes with content, names and replaced links', async (t) => {
  t.testdir({ 'job.tpl': 'one', old: { 'x.tpl': 'x' }, new: { 'x.tpl': 'x' } });
  const directory = t.testdirName;
  symlinkSync('old', `${directory}/..data`);
  symlinkSync('..data/x.tpl', `${directory}/x.tpl`);
  const seen = [templateFilesState({ templatePath: directory })];
  const changed = (what: string): void => {
    const state = templateFilesState({ templatePath: directory });
    t.notOk(seen.includes(state), what);
    t.equal(templateFilesState({ templatePath: directory }), state);
    seen.push(state);
  };
  writeFileSync(`${directory}/job.tpl`, 'longer');
  changed('content');
  symlinkSync('new', `${directory}/..tmp`);
  renameSync(`${directory}/..tmp`, `${directory}/..data`);
  changed('link');
  writeFileSync(`${directory}/y.tpl`, '');
  changed('new file');
  rmSync(directory, { recursive: true });
  changed('no directory');
});

t.test('job-json-overrides are not applied beside templates: one warning names every place', async (t) => {
  const line = 'job-json-overrides="/spec/template/spec/hostNetwork":"/nonexistent/o.json"';
  t.testdir({ p: `[*]\n${line}\n[@a]\n${line}\nmax-cpus=2\n[b]\n${line}\n` });
  const file = `${t.testdirName}/p`;
  const origins = new Map([['profile-config', { file: '/o', line: 1 }]]);
  const options = { profileConfig: file, resourceProfileConfig: '/nonexistent/r', strictFiles: false, origins };
  const { files, warnings } = readPolicyFiles({ ...options, useTemplating: true });
  t.same(warnings.map(advise), [
    `${file}:2: job-json-overrides: is not applied (the same on ${file}:4, ${file}:7), because use-templating=1 -> write it into job.tpl, and remove this line`,
  ]);
  t.same(
    files.profiles.sections.map(({ settings }) => [...settings.keys()]),
    [[], ['max-cpus'], []],
  );
  t.throws(() => readPolicyFiles({ ...options, useTemplating: false }), ConfigError);
});
