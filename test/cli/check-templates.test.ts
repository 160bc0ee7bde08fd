/** `check` and `render` with launcher templates: the sample set of fixtures/templates, and templates with mistakes. */
import { readdirSync, readFileSync } from 'node:fs';
import t from 'tap';
import { checkTemplateFiles } from '../../src/cli/check/check-templates.ts';
import { SMALLEST, startChecked } from './cluster.ts';
import { linesOf, NOWHERE, run } from './harness.ts';

const folder = new URL('../../fixtures/templates/', import.meta.url);
const SAMPLE_SET = Object.fromEntries(
  readdirSync(folder).map((name) => [name, readFileSync(new URL(name, folder), 'utf8')]),
);
const OPTIONS = { 'use-templating': '1', 'template-path': 'DIR' };

const { cluster, check } = await startChecked();
t.teardown(cluster.close);

/** A small template with lines of its own in spec and in the container. */
const jobTemplate = (spec = '', container = ''): string => `apiVersion: batch/v1
kind: Job
spec:
${spec}  template:
    spec:
      containers:
        - name: rs-launcher-container
          image: {{ .Job.container.image }}
${container}`;

t.test('the sample set makes all sample jobs, and the API server accepts them', async (t) => {
  const outcome = await check(t, SMALLEST, { options: OPTIONS, files: SAMPLE_SET });
  t.strictSame(linesOf(outcome, 'templates'), [
    'ok templates job.tpl (version 2.5.0), service.tpl (version 2.5.0), site-data.tpl in DIR',
  ]);
  t.strictSame(linesOf(outcome, 'template-jobs'), [
    'ok template-jobs templates make 7 of 7 sample jobs; the API server accepts them (dry run)',
  ]);
  t.equal(outcome.code, 0);
});

t.test('each file that does not parse is reported, and nothing is made with the others', async (t) => {
  const files = { 'job.tpl': 'a: 1\n{{ if }}\n', 'service.tpl': '{{ env "HOME" }}', 'x.tpl': 'fine' };
  const outcome = await check(t, SMALLEST, { options: OPTIONS, files }, ['--user', 'root']);
  t.strictSame(linesOf(outcome, 'templates'), [
    'failed templates DIR/job.tpl:2: missing value for if -> fix this line; the plugin cannot start until then',
    'failed templates DIR/service.tpl:1: function "env" is refused: it depends on the host, which differs between instances -> fix this line; the plugin cannot start until then',
  ]);
  t.match(outcome.out, /skipped {2}template-jobs {3}skipped because of a failure above/);
  t.match(linesOf(outcome, 'user-job'), []);
  t.equal(outcome.code, 1);
});

t.test('fields that the plugin corrects are named once, with their template', async (t) => {
  const files = {
    'job.tpl': jobTemplate('  backoffLimit: 3\n', '          volumeMounts: {{ toJson .Job.volumeMounts }}\n'),
  };
  const outcome = await check(t, SMALLEST, { options: OPTIONS, files });
  t.strictSame(
    linesOf(outcome, 'template-jobs').filter((line) => line.startsWith('warning')),
    [
      'warning template-jobs DIR/job.tpl: the plugin corrects spec.backoffLimit of each job -> change the template, or ignore this warning if it is intended',
    ],
  );
});

t.test('a service.tpl that renders nothing is named: jobs with ports get no Service', async (t) => {
  const files = { ...SAMPLE_SET, 'service.tpl': '# nothing\n' };
  const outcome = await check(t, SMALLEST, { options: OPTIONS, files });
  t.strictSame(linesOf(outcome, 'template-jobs').slice(1), [
    'warning template-jobs DIR/service.tpl renders nothing: jobs with ports get no Service -> change the template, or ignore this warning if it is intended',
  ]);
  t.equal(outcome.code, 0);
  const { out } = await run(t, ['render', '--user', 'jane', '--image', 'busybox'], {
    options: { ...NOWHERE, ...OPTIONS },
    files,
  });
  t.match(out, '# DIR/service.tpl renders nothing: the job gets no Service\n');
  t.notMatch(out, 'kind: Service');
});

t.test('a sample job that the templates cannot make is named with the reason', async (t) => {
  const files = { 'job.tpl': jobTemplate() };
  const outcome = await check(t, SMALLEST, { options: OPTIONS, files });
  t.strictSame(linesOf(outcome, 'template-jobs'), [
    'ok template-jobs templates make 6 of 7 sample jobs; the API server accepts them (dry run)',
    'failed template-jobs a job with a mount: The template job.tpl cannot be used for this job: it does not render the mount at /home/sample -> correct this line of the template',
  ]);
});

t.test('templates that make no job are reported once, whatever sections and users there are', async (t) => {
  const files = {
    'job.tpl': jobTemplate('', '         volumeMounts: []\n'),
    'launcher.kubernetes.profiles.conf': '[*]\n[root]\n',
  };
  const outcome = await check(t, SMALLEST, { options: OPTIONS, files }, ['--user', 'root', '--submit-test-job']);
  const failed = outcome.lines.filter((line) => line.startsWith('failed'));
  t.equal(failed.length, 1);
  t.match(
    failed[0],
    /^failed {3}template-jobs {3}a small job; a job with exe, .* cannot be used for this job: did not find expected '-' indicator/,
  );
  const skipped = outcome.lines.filter((line) => line.startsWith('skipped')).join('\n');
  for (const step of ['sections', 'user-job', 'test-job']) t.match(skipped, step);
});

t.test('an object that the API server refuses is reported', async (t) => {
  const files = {
    'job.tpl': jobTemplate(
      '',
      '          imagePullPolicy: Sometimes\n          volumeMounts: {{ toJson .Job.volumeMounts }}\n',
    ),
  };
  const outcome = await check(t, SMALLEST, { options: OPTIONS, files });
  t.match(
    linesOf(outcome, 'template-jobs').join('\n'),
    /^failed template-jobs a small job; a job with exe, .*Job\.batch "ID" is invalid: .*imagePullPolicy/,
  );
});

t.test('a service account and a Secret that only a template names are looked up', async (t) => {
  const files = {
    'job.tpl': jobTemplate('').replace(
      '      containers:',
      '      serviceAccountName: ghost\n      volumes: [{name: v, secret: {secretName: nosuch}}]\n      containers:',
    ),
  };
  t.strictSame(
    linesOf(await check(t, SMALLEST, { options: OPTIONS, files }), 'named-objects').map((line) => line.split(';')[0]),
    [
      'ok named-objects 0 of 2 named objects exist',
      'failed named-objects DIR/job.tpl:6: template: ServiceAccount ghost does not exist in namespace rstudio',
      'failed named-objects DIR/job.tpl:7: template: Secret nosuch does not exist in namespace rstudio',
    ],
  );
});

t.test('text that is piped into regexReplaceAll is a warning with its line', async (t) => {
  const piped = '{{- $name := .Job.name | regexReplaceAll "[^a-z]" "-" }}\n';
  const files = { 'job.tpl': `${piped}${SAMPLE_SET['job.tpl']}`, 'site-data.tpl': SAMPLE_SET['site-data.tpl'] ?? '' };
  const outcome = await run(t, ['check'], { options: { ...NOWHERE, ...OPTIONS }, files });
  t.strictSame(linesOf(outcome, 'templates').slice(1), [
    'warning templates DIR/job.tpl:1: the text before "| regexReplaceAll" is used as the replacement, not as the text to change -> write regexReplaceAll REGEX TEXT REPLACEMENT without a pipe',
  ]);
});

t.test('files that are mounted one by one never change in a running pod', async (t) => {
  const templatePath = t.testdir({ 'job.tpl': 'x' });
  const options = { useTemplating: true, templatePath, strictFiles: false, origins: new Map() };
  const { findings } = checkTemplateFiles(options, true, { has: (path) => path === `${templatePath}/job.tpl` });
  t.strictSame(
    findings.map(({ status, found }) => [status, found]),
    [
      ['ok', `job.tpl in ${templatePath}`],
      ['ok', 'these files are mounted one by one (subPath): restart the pod after a change of their ConfigMap'],
    ],
  );
});

t.test('overrides beside templates are a warning with file and line, and have no step of their own', async (t) => {
  const files = {
    ...SAMPLE_SET,
    'launcher.kubernetes.profiles.conf': '[*]\njob-json-overrides="/spec/suspend":"/nonexistent/x.json"\n',
  };
  const outcome = await run(t, ['check'], { options: { ...NOWHERE, ...OPTIONS }, files });
  t.match(
    linesOf(outcome, 'profiles'),
    new Set([
      'warning profiles DIR/launcher.kubernetes.profiles.conf:2: job-json-overrides: is not applied, because use-templating=1 -> write it into job.tpl, and remove this line',
    ]),
  );
  t.strictSame(linesOf(outcome, 'overrides'), []);
});

t.test('render shows the objects and the templates that made them', async (t) => {
  const situation = { options: { ...NOWHERE, ...OPTIONS }, files: SAMPLE_SET };
  const { out, code } = await run(t, ['render', '--user', 'jane', '--image', 'busybox'], situation);
  t.equal(code, 0);
  t.strictSame(
    out.split('\n').filter((line) => line.startsWith('#')),
    [
      '# ownerReferences.uid is a placeholder: the real one exists after the Job is created',
      '# made by template DIR/job.tpl',
      '# made by template DIR/service.tpl',
    ],
  );
  t.match(out, /\n {12}site\/department: research\n|\n {8}site\/department: research\n/);
  t.match(out, '    - name: SITE_NAME\n            value: example\n'.replaceAll('            ', '          '));
});

t.test('render shows the message that only the log has', async (t) => {
  const files = { 'job.tpl': jobTemplate('', '          workingDir: {{ fail "no directory" }}\n') };
  const situation = { options: { ...NOWHERE, ...OPTIONS }, files };
  const { err, code } = await run(t, ['render', '--user', 'jane', '--image', 'busybox'], situation);
  t.equal(code, 1);
  t.match(err, 'refused; the launcher would receive Error 2: The template job.tpl:9:');
  t.match(err, /\nthe log would have: The template job\.tpl:9:\d+ cannot be used for this job: .*no directory/);
});

t.test('--json has the fields and steps that docs/operations.md lists', async (t) => {
  const page = readFileSync(new URL('../../docs/operations.md', import.meta.url), 'utf8');
  const listed = /`results\[\]\.step` \| string \|([^\n]*)/.exec(page)?.[1] ?? '';
  const files = {
    ...SAMPLE_SET,
    'launcher.kubernetes.profiles.conf': '[*]\njob-json-overrides="/spec/template/spec/x":"DIR/x.json"\n',
    'x.json': '1',
  };
  const { out } = await check(t, SMALLEST, { options: OPTIONS, files }, [
    '--json',
    '--user',
    'root',
    '--submit-test-job',
  ]);
  const { ok, seconds, results, ...more } = JSON.parse(out) as {
    readonly ok: unknown;
    readonly seconds: unknown;
    readonly results: readonly Readonly<Record<string, unknown>>[];
  };
  t.strictSame([typeof ok, typeof seconds, more], ['boolean', 'number', {}]);
  const fields = ['step', 'status', 'found', 'remedy', 'details'];
  for (const result of results) {
    t.strictSame(
      Object.keys(result).filter((field) => !fields.includes(field)),
      [],
    );
    t.ok(listed.includes(`\`${result['step']}\``), `${result['step']} is listed`);
    t.match(result['status'], /^(?:ok|warning|failed|skipped)$/);
  }
  const steps = new Set(results.map((result) => result['step']));
  for (const step of ['options', 'templates', 'named-objects', 'template-jobs', 'user', 'test-job'])
    t.ok(steps.has(step), step);
});
