import { type ExecFileException, execFile } from 'node:child_process';
import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import t, { type Test } from 'tap';
import { EXECUTABLE, type PluginStart, withEnvironment, writeConfig } from '../support/plugin.ts';

const ROOT = process.getuid?.() === 0;
const ACCESS = { 'api-url': 'http://127.0.0.1:9', 'auth-token': 'tok' };

interface Outcome {
  readonly code: number | string | null | undefined;
  readonly stdout: string;
  readonly stderr: string;
  readonly directory: string;
  readonly log: string;
}

/** Starts the executable, which is expected to end by itself. */
function start(t: Test, { args = [], env = {}, ...config }: PluginStart, prepare?: (directory: string) => void) {
  const directory = writeConfig(config);
  t.teardown(directory.remove);
  prepare?.(directory.path);
  const all = [`--config-file=${directory.configFile}`, ...args];
  return new Promise<Outcome>((resolve) => {
    const done = (error: ExecFileException | null, stdout: string, stderr: string): void =>
      resolve({ code: error?.code ?? 0, stdout, stderr, directory: directory.path, log: directory.logFile });
    const [program, own] = withEnvironment(env, [EXECUTABLE, ...all]);
    execFile(program, own, { timeout: 10_000, killSignal: 'SIGKILL' }, done).stdin?.end();
  });
}

/** Starts it and compares the whole of stderr; `DIR` stands for the directory of the options file. */
async function refuses(t: Test, config: PluginStart, sentence: string, prepare?: (directory: string) => void) {
  const { code, stdout, stderr, directory } = await start(t, config, prepare);
  t.equal(stderr.replaceAll(directory, 'DIR'), `rstudio-kubernetes-launcher: ${sentence}\n`);
  t.equal(code, 1);
  t.equal(stdout, '', 'nothing but frames goes to stdout');
}

t.test('help and version, with an empty environment', async (t) => {
  const version = await start(t, { args: ['--version'] });
  t.match(
    version.stdout,
    /^rstudio-kubernetes-launcher \d+\.\d+\.\d+ \(Job Launcher plugin API 3\.10\.0, Node\.js 24\.\d+\.\d+\)\n$/,
  );
  t.equal(version.code, 0);
  const help = await start(t, { args: ['--help'] });
  t.match(help.stdout, '  kubernetes-namespace (default: rstudio)\n      Namespace of the jobs.\n');
  t.match(
    help.stdout,
    '  auth-token (default: required outside a cluster, unless auth-token-path is set; file only)\n',
  );
  t.equal(help.stderr + version.stderr, '');
});

t.test('options', async (t) => {
  await refuses(
    t,
    { options: { ...ACCESS, 'fetch-limt': '5' } },
    'DIR/launcher.kubernetes.conf:8: fetch-limt: is not an option of this plugin (did you mean "fetch-limit"?)',
  );
  await refuses(
    t,
    { options: { ...ACCESS, 'fetch-limit': '-1', 'log-level': 'LOUD' } },
    'DIR/launcher.kubernetes.conf:4: log-level: "LOUD" must be one of OFF, ERROR, WARNING, INFO, DEBUG, or 0 to 4; DIR/launcher.kubernetes.conf:8: fetch-limit: "-1" must be a whole number from 0 to 1000000',
  );
  await refuses(
    t,
    { options: ACCESS },
    'DIR/launcher.kubernetes.conf: can be changed by everybody; it must be writable for root and the server user only',
    (directory) => chmodSync(join(directory, 'launcher.kubernetes.conf'), 0o646),
  );
});

t.test('the server user', { skip: ROOT ? false : 'only for root' }, async (t) => {
  await refuses(
    t,
    { options: { ...ACCESS, 'server-user': 'no-such-user' } },
    'server-user "no-such-user" is not a user of this host: create it, or set server-user to one that exists',
  );
  await refuses(
    t,
    { options: { ...ACCESS, 'server-user': 'root' } },
    'DIR/launcher.kubernetes.conf:1: server-user: "root" must be the name of a user other than root',
  );
});

t.test('an environment that is not clean after it was cleaned', { skip: ROOT ? false : 'only for root' }, async (t) => {
  const cleaned = [EXECUTABLE, '--environment-cleaned', '--version'];
  const [program, args] = withEnvironment({ LD_AUDIT: '', TZ: 'UTC' }, cleaned);
  const failure: ExecFileException = await promisify(execFile)(program, args).catch((error) => error);
  t.equal(
    failure.stderr,
    'rstudio-kubernetes-launcher: refusing to run as root: the environment still holds LD_AUDIT after it was cleaned\n',
  );
  t.equal(failure.code, 1);
});
