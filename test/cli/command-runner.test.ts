/** Help describes each command; each mistake is one line without a secret in it, with exit code 2 (command line) or 1 (files). */
import t, { type Test } from 'tap';
import { COMMANDS } from '../../src/cli/command-runner.ts';
import { JWT } from '../config/options/samples.ts';
import { NOWHERE, type Outcome, run } from './harness.ts';

t.test('COMMAND --help shows usage, description, flags and examples', async (t) => {
  const { out, code } = await run(t, ['profile', '--help']);
  t.equal(code, 0);
  t.equal(
    out,
    `rstudio-kubernetes-launcher profile USER [--json]

Reads the profiles file as the plugin does, looks up the groups of the user in
the name services of this host, and prints every key. Needs no cluster.

  --json
      Print one JSON object.
  --config-file FILE, and every other option of the plugin
      The default file is launcher.kubernetes.conf; with --plugin-name=NAME it
      is launcher.NAME.conf.

Examples:

  sudo rstudio-kubernetes-launcher profile jsmith
      Why may jsmith not use more than 3 CPUs?
  sudo rstudio-kubernetes-launcher profile jsmith --json
      The same as JSON, for programs.
`,
  );
});

for (const { name: command } of COMMANDS) {
  t.test(`the help of ${command} has examples and, but for them, no line over 80 characters`, async (t) => {
    const shown = await run(t, [command, '--help']);
    t.ok(shown.out.startsWith(`rstudio-kubernetes-launcher ${command}`));
    t.match(shown.out, '\nExamples:\n\n  ');
    t.ok(shown.lines.every((line) => line.length <= 80 || /^ {2}(?:sudo )?rstudio/.test(line)));
  });
}

t.test('help lists commands and options', async (t) => {
  const { code, out } = await run(t, ['help']);
  t.equal(code, 0);
  t.match(out, '  rstudio-kubernetes-launcher help [COMMAND]\n');
  t.match(out, '\n  check [--user USER] [--json] [--submit-test-job] [--image IMAGE]\n');
  t.match(
    out,
    '\nOptions, as --NAME=VALUE on the command line or NAME=VALUE in the options file.\nThe file overrides the command line.\n',
  );
});

t.test('help fits a terminal of 60 columns', async (t) => {
  const { lines } = await run(t, ['help'], { terminal: { columns: 60 } });
  t.same(
    lines.filter((line) => line.length > 60),
    [],
  );
});

t.test('help COMMAND equals COMMAND --help', async (t) => {
  t.equal((await run(t, ['help', 'rbac'])).out, (await run(t, ['rbac', '--help'])).out);
});

for (const [typed, sentence] of [
  [['chekc'], 'unknown command chekc (did you mean "check"?); see --help'],
  [['help', 'rback'], 'unknown command rback (did you mean "rbac"?); see --help'],
  [['auth-token=hunter2'], 'unknown command auth-token=...; see --help'],
  [['uninstall'], 'unknown command uninstall; see --help'],
] as const) {
  t.test(`unknown command: ${typed.join(' ')}`, async (t) => {
    const { code, out, err } = await run(t, typed);
    t.strictSame([code, out, err], [2, '', `rstudio-kubernetes-launcher: ${sentence}\n`]);
  });
}

/** Exit code and output: nothing on stdout. */
function fails(t: Test, { code, out, err }: Outcome, expected: number, message: string): void {
  t.strictSame([code, out, err], [expected, '', `rstudio-kubernetes-launcher: ${message}\n`]);
}

t.test('warns about options that have no effect', async (t) => {
  const { err } = await run(t, ['profile', 'jane', '--auth-token-path=/x', '--api-url=http://x'], { options: NOWHERE });
  t.equal(
    err,
    'warning: DIR/launcher.kubernetes.conf:3: auth-token: is ignored, because auth-token-path is set -> remove one of the two lines\nwarning: command line: api-url: has no effect, because DIR/launcher.kubernetes.conf sets it\n',
  );
});

t.test('a flag with a value that is not allowed', async (t) => {
  const outcome = await run(t, ['render', '--user=jane', '-o', 'xml'], { options: NOWHERE });
  fails(t, outcome, 2, 'render: --output is yaml or json, not "xml"');
});

t.test('an unexpected argument that may be a token is not shown', async (t) => {
  const outcome = await run(t, ['render', '--user=jane', 'job.json', JWT], { options: NOWHERE });
  fails(t, outcome, 2, 'render: unexpected argument "***"; see render --help');
});

t.test('an unknown option that may be a token is not shown', async (t) => {
  const outcome = await run(t, ['jobs', `--token-${JWT}`], { options: NOWHERE });
  fails(t, outcome, 2, 'jobs: unknown option --token-***; see jobs --help');
});

t.test('a job on stdin that is not JSON: line and column, not the content', async (t) => {
  const outcome = await run(t, ['render', '-'], { options: NOWHERE, input: '{\n"stdin": hunter2 }' });
  fails(t, outcome, 2, 'render: - is not JSON: line 2, column 10: expected a value');
});

t.test('a token file without a token: the same error as at the start of the plugin', async (t) => {
  const outcome = await run(t, ['render', '--user=jane', '-'], {
    options: { 'api-url': NOWHERE['api-url'], 'auth-token-path': 'DIR/token' },
    files: { token: '\n' },
    input: '{"name":"x","command":"true","container":{"image":"busybox"}}',
  });
  fails(t, outcome, 1, 'DIR/launcher.kubernetes.conf:3: auth-token-path: DIR/token contains no token');
});

t.test('every mistake of the options file has a line of its own', async (t) => {
  const { code, err } = await run(t, ['jobs'], { options: { 'api-ur': 'x', 'log-level': 'LOUD' } });
  t.strictSame(err.split('\n').slice(0, 2), [
    'rstudio-kubernetes-launcher: DIR/launcher.kubernetes.conf:2: api-ur: is not an option of this plugin (did you mean "api-url"?)',
    'rstudio-kubernetes-launcher: DIR/launcher.kubernetes.conf:3: log-level: "LOUD" must be one of OFF, ERROR, WARNING, INFO, DEBUG, or 0 to 4',
  ]);
  t.equal(code, 1);
});
