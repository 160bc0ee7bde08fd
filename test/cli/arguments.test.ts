/** A launcher's start always starts the plugin; a person never starts it by accident. */
import t from 'tap';
import { refusedStart } from '../../src/cli/arguments.ts';

const LAUNCHER = ['--heartbeat-interval-seconds=5', '--plugin-name=Kubernetes', '--unprivileged=0'];

t.test('a pipe and known options start the plugin', async (t) => {
  t.equal(refusedStart(LAUNCHER, false), undefined);
  t.equal(refusedStart([], false), undefined);
});

t.test('a pipe and options of a newer launcher start the plugin', async (t) => {
  t.equal(refusedStart([...LAUNCHER, '--verison=4', '--new-option=1'], false), undefined);
  t.equal(refusedStart(['--new-option=1'], false), undefined);
});

t.test('a pipe and nothing but a mistyped --help or --version: a suggestion', async (t) => {
  t.equal(
    refusedStart(['--verison'], false),
    'rstudio-kubernetes-launcher: unknown option --verison (did you mean "version"?); see --help',
  );
  t.equal(
    refusedStart(['-hlep'], false),
    'rstudio-kubernetes-launcher: unknown option --hlep (did you mean "help"?); see --help',
  );
});

t.test('a terminal never starts the plugin', async (t) => {
  t.match(refusedStart([], true), /use a command such as check or jobs; see --help$/);
  t.match(refusedStart(LAUNCHER, true), /use a command such as check or jobs; see --help$/);
});

t.test('the value of an option is not shown', async (t) => {
  t.equal(
    refusedStart(['--auth-tokn=hunter2'], true),
    'rstudio-kubernetes-launcher: unknown option --auth-tokn (did you mean "auth-token"?); see --help',
  );
});
