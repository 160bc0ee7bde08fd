/** What keeps the plugin from starting is told in one sentence, with file, line and remedy, on stderr and in the log. */
import { type ExecFileException, execFile, execFileSync } from 'node:child_process';
import { chmodSync, existsSync, lstatSync, readFileSync, writeFileSync } from 'node:fs';
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
    execFile(program, own, { timeout: 120_000, killSignal: 'SIGKILL' }, done).stdin?.end();
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
    '  auth-token (default: required outside a cluster, unless auth-token-path is\n      set; file only)\n',
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
    'DIR/launcher.kubernetes.conf:4: log-level: "LOUD" must be one of OFF, ERROR, WARNING, INFO, DEBUG, or 0 to 4\nrstudio-kubernetes-launcher: DIR/launcher.kubernetes.conf:8: fetch-limit: "-1" must be a whole number from 0 to 1000000',
  );
  await refuses(
    t,
    { options: ACCESS },
    'DIR/launcher.kubernetes.conf: can be changed by every user of this host -> chmod o-w DIR/launcher.kubernetes.conf',
    (directory) => chmodSync(join(directory, 'launcher.kubernetes.conf'), 0o646),
  );
});

t.test('the server user', { skip: ROOT ? false : 'only for root' }, async (t) => {
  await refuses(
    t,
    { options: { ...ACCESS, 'server-user': 'no-such-user' } },
    'DIR/launcher.kubernetes.conf:1: server-user "no-such-user" does not exist on this host -> correct server-user in the options file, or create the user: useradd --system no-such-user',
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
    'rstudio-kubernetes-launcher: refusing to run as root: the environment still contains LD_AUDIT after it was cleaned\n',
  );
  t.equal(failure.code, 1);
});

const CONF = 'DIR/launcher.kubernetes.conf';
const PRIVATE = { mode: 0o600 };

t.test('files that the server user reads', async (t) => {
  const written =
    (name: string, content: string | Buffer, mode = 0o644) =>
    (directory: string) => {
      writeFileSync(join(directory, name), content, { mode });
      chmodSync(join(directory, name), mode);
    };
  const fifo = (name: string) => (directory: string) => void execFileSync('mkfifo', [join(directory, name)]);
  const inDirectory = (name: string, value: string) => (directory: string) => {
    const file = join(directory, 'launcher.kubernetes.conf');
    writeFileSync(file, `${readFileSync(file, 'utf8')}${name}=${join(directory, value)}\n`, PRIVATE);
  };
  const both =
    (...steps: readonly ((directory: string) => void)[]) =>
    (directory: string) => {
      for (const step of steps) step(directory);
    };
  const profiles = 'launcher.kubernetes.profiles.conf';
  const url = { 'api-url': 'http://127.0.0.1:9' };
  const token = inDirectory('auth-token-path', 'token');
  const authority = inDirectory('certificate-authority', 'ca.pem');
  const huge = Buffer.alloc(1024 * 1024 + 1, 'x');

  const cases: [options: Readonly<Record<string, string>>, prepare: (directory: string) => void, string][] = [
    [url, token, `${CONF}:7: auth-token-path: DIR/token does not exist`],
    [url, both(token, written('token', ' \n')), `${CONF}:7: auth-token-path: DIR/token contains no token`],
    [url, both(token, fifo('token')), `${CONF}:7: auth-token-path: DIR/token is not a regular file`],
    [url, both(token, written('token', huge)), `${CONF}:7: auth-token-path: DIR/token is larger than 1 MiB`],
    [ACCESS, authority, `${CONF}:8: certificate-authority: DIR/ca.pem does not exist`],
    [ACCESS, both(authority, fifo('ca.pem')), `${CONF}:8: certificate-authority: DIR/ca.pem is not a regular file`],
    [
      ACCESS,
      both(authority, written('ca.pem', 'nonsense')),
      `${CONF}:8: certificate-authority: DIR/ca.pem must be base64 of a PEM certificate, a PEM certificate, or an absolute path to a PEM file: it contains no BEGIN CERTIFICATE`,
    ],
    [ACCESS, fifo(profiles), `DIR/${profiles}: is not a regular file`],
    [ACCESS, written(profiles, huge), `DIR/${profiles}: is larger than 1 MiB`],
    [ACCESS, inDirectory('profile-config', 'gone'), `${CONF}:8: profile-config: DIR/gone does not exist`],
  ];
  const overrides = (directory: string): void =>
    written(profiles, `[*]\njob-json-overrides="/spec/a":"${join(directory, 'override')}"\n`)(directory);
  cases.push(
    [ACCESS, overrides, `DIR/${profiles}:2: job-json-overrides: DIR/override does not exist`],
    [
      ACCESS,
      both(overrides, fifo('override')),
      `DIR/${profiles}:2: job-json-overrides: DIR/override is not a regular file`,
    ],
    [
      ACCESS,
      both(overrides, written('override', huge)),
      `DIR/${profiles}:2: job-json-overrides: DIR/override is larger than 1 MiB`,
    ],
  );
  const refused = 'cannot be read: nobody (uid 65534) has no permission: owner 0, group 0, mode 0600 (EACCES)';
  const unreadable: typeof cases = [
    [
      ACCESS,
      both(overrides, written('override', '1', 0o600)),
      `DIR/${profiles}:2: job-json-overrides: DIR/override ${refused} -> chgrp 65534 DIR/override && chmod g+r DIR/override`,
    ],
    [
      url,
      both(token, written('token', 'x', 0o600)),
      `${CONF}:7: auth-token-path: DIR/token ${refused} -> chgrp 65534 DIR/token && chmod g+r DIR/token`,
    ],
    [
      ACCESS,
      both(authority, written('ca.pem', 'x', 0o600)),
      `${CONF}:8: certificate-authority: DIR/ca.pem ${refused} -> chgrp 65534 DIR/ca.pem && chmod g+r DIR/ca.pem`,
    ],
    [
      ACCESS,
      written(profiles, '[*]\n', 0o600),
      `DIR/${profiles}: ${refused} -> chgrp 65534 DIR/${profiles} && chmod g+r DIR/${profiles}`,
    ],
  ];
  const all = ROOT ? [...cases, ...unreadable] : cases;
  await Promise.all(all.map(([options, prepare, sentence]) => refuses(t, { options }, sentence, prepare)));
});

t.test('what keeps the plugin from starting is in the log, too', async (t) => {
  const wrong = await start(t, { options: { ...ACCESS, 'fetch-limit': 'many', 'log-level': 'ERROR' } });
  const said = `${wrong.directory}/launcher.kubernetes.conf:8: fetch-limit: "many" must be a whole number from 0 to 1000000`;
  t.equal(wrong.stderr, `rstudio-kubernetes-launcher: ${said}\n`);
  t.match(
    readFileSync(wrong.log, 'utf8'),
    ` ERROR Plugin start failed; exiting; ConfigError error invalid (${said}); OCCURRED `,
  );
  if (ROOT) t.equal(lstatSync(wrong.log).uid, 65534, 'written by the server user');

  const suspect = await start(t, { options: { ...ACCESS, 'fetch-limit': 'many' } }, (directory) =>
    chmodSync(join(directory, 'launcher.kubernetes.conf'), 0o602),
  );
  t.match(suspect.stderr, /fetch-limit: "many" must be .*\n.*can be changed by every user/);
  t.notOk(existsSync(suspect.log), 'a file that others may write does not say where the log is');
  const { stderr, log } = await start(t, {
    options: ACCESS,
    files: { 'launcher.kubernetes.profiles.conf': '[*]\nmax-cpu=1\n' },
  });
  const sentence = /launcher\.kubernetes\.profiles\.conf:2: max-cpu: is not a key of profiles/;
  t.match(stderr, sentence);
  t.match(readFileSync(log, 'utf8'), / ERROR Plugin start failed; exiting; ConfigError error invalid \(.*max-cpu/);
});
