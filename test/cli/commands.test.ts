/**
 * Help says what each command is for, and what was mistyped or written wrong is told in one line each, without a secret
 * in it, by an exit code of 2 or 1.
 */
import t from 'tap';
import { JWT } from '../config/options/samples.ts';
import { NOWHERE, run } from './harness.ts';

t.test('help', async (t) => {
  const { out, code } = await run(t, ['profile', '--help']);
  t.equal(code, 0);
  t.equal(
    out,
    `rstudio-kubernetes-launcher profile USER [--json]

Reads the profiles file as the plugin does, asks the name services of this host for the groups of
the user, and prints every key. Needs no cluster.

  --json
      One JSON object, for machines.
  --config-file FILE, and every other option of the plugin
      As the launcher passes them: --plugin-name=NAME reads launcher.NAME.conf.

Examples:

  sudo rstudio-kubernetes-launcher profile jsmith
      Why may jsmith not use more than 3 CPUs?
  sudo rstudio-kubernetes-launcher profile jsmith --json
      The same for programs.
`,
  );
  for (const command of ['check', 'render', 'rbac', 'jobs']) {
    const shown = await run(t, [command, '--help']);
    t.ok(shown.out.startsWith(`rstudio-kubernetes-launcher ${command}`));
    t.match(shown.out, '\nExamples:\n\n  ');
    t.ok(shown.lines.every((line) => line.length <= 100 || line.startsWith('  ') || line.startsWith('rstudio')));
  }
});

t.test('help as a word, and commands that were mistyped', async (t) => {
  const whole = await run(t, ['help']);
  t.equal(whole.code, 0);
  t.match(whole.out, '  rstudio-kubernetes-launcher help [COMMAND]\n');
  t.match(whole.out, '\n  check [--user USER] [--json] [--submit-test-job] [--image IMAGE]\n');
  t.match(
    whole.out,
    '\nOptions, as --NAME=VALUE on the command line or NAME=VALUE in the options file. If both are given, the file wins.\n',
  );
  t.equal((await run(t, ['help', 'rbac'])).out, (await run(t, ['rbac', '--help'])).out);
  for (const [typed, sentence] of [
    [['chekc'], 'there is no command chekc (did you mean "check"?); see --help'],
    [['help', 'rback'], 'there is no command rback (did you mean "rbac"?); see --help'],
    [['auth-token=hunter2'], 'there is no command auth-token=...; see --help'],
    [['uninstall'], 'there is no command uninstall; see --help'],
  ] as const) {
    const { code, out, err } = await run(t, typed);
    t.strictSame([code, out, err], [2, '', `rstudio-kubernetes-launcher: ${sentence}\n`]);
  }
});

t.test('what is wrong is said in one line each', async (t) => {
  const typed = await run(t, ['profile', 'jane', '--auth-token-path=/x', '--api-url=http://x'], { options: NOWHERE });
  t.equal(
    typed.err,
    'warning: DIR/launcher.kubernetes.conf:3: auth-token: is not used: auth-token-path is set\nwarning: command line: api-url: has no effect: DIR/launcher.kubernetes.conf sets it, which wins\n',
  );
  const unknown = await run(t, ['render', '--user=jane', '-o', 'xml'], { options: NOWHERE });
  t.strictSame(
    [unknown.code, unknown.out, unknown.err],
    [2, '', 'rstudio-kubernetes-launcher: render: --output is yaml or json, not xml\n'],
  );
  const typedToken = await run(t, ['render', '--user=jane', 'job.json', JWT], { options: NOWHERE });
  t.equal(typedToken.err, 'rstudio-kubernetes-launcher: render: "***" is too much; see render --help\n');
  const unknownToken = await run(t, ['jobs', `--token-${JWT}`], { options: NOWHERE });
  t.equal(unknownToken.err, 'rstudio-kubernetes-launcher: jobs: unknown option --token-***; see jobs --help\n');
  const json = await run(t, ['render', '-'], { options: NOWHERE, input: '{\n"stdin": hunter2 }' });
  t.strictSame(
    [json.code, json.err],
    [2, 'rstudio-kubernetes-launcher: render: - is not JSON: line 2, column 10: a value was expected\n'],
  );
  const tokenless = await run(t, ['render', '--user=jane', '-'], {
    options: { 'api-url': NOWHERE['api-url'], 'auth-token-path': 'DIR/token' },
    files: { token: '\n' },
    input: '{"name":"x","command":"true","container":{"image":"busybox"}}',
  });
  t.strictSame(
    [tokenless.code, tokenless.err],
    [1, 'rstudio-kubernetes-launcher: DIR/launcher.kubernetes.conf:3: auth-token-path: DIR/token holds no token\n'],
    'as the plugin says it',
  );
  const options = await run(t, ['jobs'], { options: { 'api-ur': 'x', 'log-level': 'LOUD' } });
  t.strictSame(options.err.split('\n').slice(0, 2), [
    'rstudio-kubernetes-launcher: DIR/launcher.kubernetes.conf:2: api-ur: is not an option of this plugin (did you mean "api-url"?) -> mend that line; for the file of a newer first-party plugin write unknown-options=warn',
    'rstudio-kubernetes-launcher: DIR/launcher.kubernetes.conf:3: log-level: "LOUD" must be one of OFF, ERROR, WARNING, INFO, DEBUG, or 0 to 4',
  ]);
  t.equal(options.code, 1);
});
