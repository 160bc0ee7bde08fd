/** A command that root starts drops privileges first, so it reports what the server user can read and write. Each runs in its own process. */
import { execFile } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { EXECUTABLE } from '../support/plugin.ts';
import { directoryOf, linesOf, type Outcome, type Situation } from './harness.ts';

const skip = process.getuid?.() === 0 ? false : 'only for root';
const NOBODY = 65534;
const OPTIONS = { 'api-url': 'http://127.0.0.1:9', 'auth-token': 'a-token' };

interface Start {
  readonly uid?: number;
  /** Soft and hard limit of open files. */
  readonly files?: number;
  readonly prepare?: (directory: string) => void;
  readonly env?: Readonly<Record<string, string>>;
}

/** Runs the executable as root, or as another user. */
function start(
  t: Test,
  args: readonly string[],
  situation: Situation,
  { uid, files, prepare, env = {} }: Start = {},
): Promise<Outcome> {
  const { path, configFile } = directoryOf(t, situation);
  prepare?.(path);
  const [command = '', ...rest] = args;
  const run = [EXECUTABLE, command, `--config-file=${configFile}`, ...rest];
  const [program = '', ...own] = files === undefined ? run : ['/usr/bin/prlimit', `--nofile=${files}`, ...run];
  return new Promise((resolve) => {
    const options = { timeout: 120_000, cwd: '/', env: { ...env }, ...(uid === undefined ? {} : { uid, gid: uid }) };
    execFile(program, own, options, (error, stdout, stderr) => {
      const out = stdout.replaceAll(path, 'DIR');
      const code = typeof error?.code === 'number' ? error.code : error === null ? 0 : -1;
      resolve({ code, out, lines: out.split('\n').slice(0, -1), err: stderr.replaceAll(path, 'DIR') });
    });
  });
}

t.test('a server user that does not exist', { skip }, async (t) => {
  const unknown = await start(t, ['check'], { options: { ...OPTIONS, 'server-user': 'no-such-user' } });
  t.strictSame(unknown.lines.slice(0, 3), [
    'ok       options         DIR/launcher.kubernetes.conf, 3 options',
    'failed   server-user     DIR/launcher.kubernetes.conf:1: server-user "no-such-user" does not exist on this host -> correct server-user in the options file, or create the user: useradd --system no-such-user',
    'skipped  20 steps        skipped because of a failure above: open-files, directories, hardening, profiles, ca, token, name, tcp, tls, version, clock, access, namespace, permissions, nodes, metrics, constraints, launchers, accounts, root-on-node',
  ]);
  t.equal(unknown.code, 1);
  const jobs = await start(t, ['jobs'], { options: { ...OPTIONS, 'server-user': 'no-such-user' } });
  t.equal(
    jobs.err,
    'rstudio-kubernetes-launcher: DIR/launcher.kubernetes.conf:1: server-user "no-such-user" does not exist on this host -> correct server-user in the options file, or create the user: useradd --system no-such-user\n',
  );
  t.equal(jobs.code, 1);
});

t.test('files that the server user cannot read', { skip }, async (t) => {
  const secret = await start(
    t,
    ['check', '--user=nobody'],
    {
      options: { ...OPTIONS, 'auth-token-path': 'DIR/token', 'certificate-authority': 'DIR/ca.crt' },
      files: { 'launcher.kubernetes.profiles.conf': '[*]\n', token: 'a', 'ca.crt': 'b' },
    },
    {
      prepare: (path) =>
        ['token', 'ca.crt', 'launcher.kubernetes.profiles.conf'].forEach((name) => {
          chmodSync(join(path, name), 0o600);
        }),
    },
  );
  t.strictSame(linesOf(secret, 'server-user'), ['ok server-user nobody (uid 65534)']);
  t.strictSame(linesOf(secret, 'profiles'), [
    'failed profiles DIR/launcher.kubernetes.profiles.conf: cannot be read: nobody (uid 65534) has no permission: owner 0, group 0, mode 0600 (EACCES) -> chgrp 65534 DIR/launcher.kubernetes.profiles.conf && chmod g+r DIR/launcher.kubernetes.profiles.conf',
  ]);
  t.strictSame(linesOf(secret, 'ca'), [
    'failed ca DIR/launcher.kubernetes.conf:5: certificate-authority: DIR/ca.crt cannot be read: nobody (uid 65534) has no permission: owner 0, group 0, mode 0600 (EACCES) -> chgrp 65534 DIR/ca.crt && chmod g+r DIR/ca.crt',
  ]);
  t.equal(secret.err, '');
});

t.test('profiles that are a symbolic link into a directory of root: that directory is named', { skip }, async (t) => {
  const outcome = await start(
    t,
    ['check', '--user=nobody'],
    { options: OPTIONS },
    {
      prepare: (path) => {
        mkdirSync(join(path, 'closed'), { mode: 0o700 });
        writeFileSync(join(path, 'closed/profiles.conf'), '[*]\n');
        symlinkSync('closed', join(path, 'open'));
        symlinkSync('open/profiles.conf', join(path, 'launcher.kubernetes.profiles.conf'));
      },
    },
  );
  t.strictSame(linesOf(outcome, 'profiles'), [
    'failed profiles DIR/launcher.kubernetes.profiles.conf: cannot be read: nobody (uid 65534) has no access to directory DIR/closed (EACCES) -> chmod o+x DIR/closed',
  ]);
  t.equal(outcome.code, 1);
});

t.test('a low open-file limit', { skip }, async (t) => {
  const few = await start(t, ['check'], { options: OPTIONS }, { files: 256 });
  t.strictSame(linesOf(few, 'open-files'), [
    "warning open-files the open-file limit is 256; at most 128 job outputs can be followed at a time -> set LimitNOFILE=65536 in the launcher's unit: systemctl edit rstudio-launcher",
  ]);
});

t.test(
  'an options file that every user can read, and paths that need a directory where a file is',
  { skip },
  async (t) => {
    const outcome = await start(
      t,
      ['check'],
      { options: { ...OPTIONS, 'logging-dir': '/dev/null', 'scratch-path': 'DIR/launcher.kubernetes.conf/scratch' } },
      { prepare: (path) => chmodSync(join(path, 'launcher.kubernetes.conf'), 0o644) },
    );
    t.equal(
      linesOf(outcome, 'options')[1],
      'warning options DIR/launcher.kubernetes.conf: auth-token: every user of this host can read this file and the token in it -> chmod 600 DIR/launcher.kubernetes.conf',
    );
    t.strictSame(linesOf(outcome, 'directories'), [
      'warning directories DIR/launcher.kubernetes.conf:4: logging-dir: /dev/null cannot be written (the log goes to stderr): nobody (uid 65534) needs a directory, but /dev/null is a file -> correct the path, so that it names a directory',
      'warning directories DIR/launcher.kubernetes.conf:5: scratch-path: DIR/launcher.kubernetes.conf/scratch cannot be written (the plugin writes nothing there): nobody (uid 65534) needs a directory, but DIR/launcher.kubernetes.conf is a file -> correct the path, so that it names a directory',
    ]);
  },
);

t.test('a token file that only root can read', { skip }, async (t) => {
  const outcome = await start(
    t,
    ['check'],
    { options: { 'api-url': 'http://127.0.0.1:9', 'auth-token-path': 'DIR/token' }, files: { token: 'a' } },
    { prepare: (path) => chmodSync(join(path, 'token'), 0o600) },
  );
  t.strictSame(linesOf(outcome, 'token'), [
    'failed token DIR/launcher.kubernetes.conf:3: auth-token-path: DIR/token cannot be read: nobody (uid 65534) has no permission: owner 0, group 0, mode 0600 (EACCES) -> chgrp 65534 DIR/token && chmod g+r DIR/token',
  ]);
  t.equal(outcome.code, 1);
});

t.test('directories that the server user cannot use', { skip }, async (t) => {
  const directories = { 'logging-dir': 'DIR/log', 'scratch-path': 'DIR/closed/none/scratch' };
  const make =
    (mode: number, log: (path: string) => void) =>
    (path: string): void => {
      mkdirSync(join(path, 'closed'), { mode });
      log(join(path, 'log'));
    };
  const [unwritable, file, missing] = await Promise.all([
    start(t, ['check'], { options: { ...OPTIONS, ...directories } }, { prepare: make(0o700, (log) => mkdirSync(log)) }),
    start(
      t,
      ['check'],
      { options: { ...OPTIONS, ...directories, unprivileged: '1' } },
      {
        prepare: make(0o755, (log) => {
          mkdirSync(log);
          chownSync(log, NOBODY, NOBODY);
          writeFileSync(join(log, 'rstudio-kubernetes-launcher.log'), '', { mode: 0o600 });
        }),
      },
    ),
    start(
      t,
      ['check'],
      { options: { ...OPTIONS, 'logging-dir': 'DIR/log', 'scratch-path': 'DIR/log/scratch' } },
      { prepare: (path) => chownSync(path, 0, 0) },
    ),
  ]);
  t.strictSame(linesOf(unwritable, 'directories'), [
    'warning directories DIR/launcher.kubernetes.conf:4: logging-dir: DIR/log cannot be written (the log goes to stderr): nobody (uid 65534) has no permission: owner 0, group 0, mode 0755 -> chown nobody DIR/log',
    'warning directories DIR/launcher.kubernetes.conf:5: scratch-path: DIR/closed/none/scratch cannot be written (the plugin writes nothing there): nobody (uid 65534) has no access to directory DIR/closed -> chmod o+x DIR/closed',
  ]);
  t.strictSame(linesOf(file, 'directories'), [
    'warning directories DIR/launcher.kubernetes.conf:4: logging-dir: DIR/log/rstudio-kubernetes-launcher.log cannot be written (the log goes to stderr): nobody (uid 65534) has no permission: owner 0, group 0, mode 0600 -> chown nobody DIR/log/rstudio-kubernetes-launcher.log',
    'warning directories DIR/launcher.kubernetes.conf:5: scratch-path: DIR/closed/none/scratch cannot be written (the plugin writes nothing there): nobody (uid 65534) cannot create it in DIR/closed -> mkdir -p DIR/closed/none/scratch && chown nobody DIR/closed/none/scratch',
  ]);
  t.strictSame(linesOf(missing, 'directories'), [
    'ok directories DIR/log does not exist; the plugin creates it when started as root',
    'ok directories DIR/log/scratch does not exist; the plugin creates it when started as root',
  ]);
});

t.test('as an ordinary user', { skip }, async (t) => {
  const [unreadable, other] = await Promise.all([
    start(t, ['check'], { options: OPTIONS }, { uid: NOBODY }),
    start(
      t,
      ['check'],
      { options: { ...OPTIONS, 'server-user': 'rstudio-server' } },
      {
        uid: NOBODY,
        prepare: (path) => chownSync(join(path, 'launcher.kubernetes.conf'), NOBODY, NOBODY),
      },
    ),
  ]);
  t.strictSame(
    unreadable.lines[0],
    'failed   options         DIR/launcher.kubernetes.conf: cannot be read: nobody (uid 65534) has no permission: owner 0, group 0, mode 0600 (EACCES) -> run this command as root: the launcher starts the plugin as root',
  );
  t.strictSame(linesOf(other, 'server-user'), [
    'warning server-user check runs as nobody (uid 65534), but the plugin runs as rstudio-server, which may not be able to read what nobody can read -> run check as root; it drops privileges as the plugin does',
  ]);
});

t.test('usage errors, and what is on stdout', async (t) => {
  const [unknown, wrong, version] = await Promise.all([
    start(t, ['chekc'], {}),
    start(t, ['profile'], { options: OPTIONS }),
    start(t, ['rbac'], { options: { 'kubernetes-namespace': 'jobs' } }),
  ]);
  t.strictSame(
    [unknown.code, unknown.out, unknown.err],
    [2, '', 'rstudio-kubernetes-launcher: unknown command chekc (did you mean "check"?); see --help\n'],
  );
  t.strictSame(
    [wrong.code, wrong.out, wrong.err],
    [2, '', 'rstudio-kubernetes-launcher: profile: USER is missing; see profile --help\n'],
  );
  t.match(version.out, '# The namespace of the jobs.\napiVersion: v1\nkind: Namespace\nmetadata:\n  name: jobs\n');
  t.strictSame([version.code, version.err], [0, '']);
});

t.test('a job file that the server user cannot read comes through stdin', { skip }, async (t) => {
  const outcome = await start(t, ['render', '/nowhere/job.json', '--user=jane'], { options: OPTIONS });
  t.strictSame(
    [outcome.code, outcome.err],
    [2, 'rstudio-kubernetes-launcher: render: /nowhere/job.json does not exist\n'],
  );
  const file = join(t.testdir(), 'job.json');
  writeFileSync(file, '{}', { mode: 0o600 });
  chmodSync(file, 0o600);
  const secret = await start(t, ['render', file, '--user=jane'], { options: OPTIONS });
  t.match(
    secret.err,
    /^rstudio-kubernetes-launcher: render: EACCES: permission denied, open '.*'; pass it on stdin: render - <FILE\n$/,
  );
});

t.test('commands work in a directory that was removed, and name a relative file that is in it', { skip }, async (t) => {
  const { configFile } = directoryOf(t, { options: OPTIONS });
  const removed = join(t.testdir(), 'removed');
  const inRemoved = (command: string): Promise<Outcome> =>
    new Promise((resolve) => {
      mkdirSync(removed, { recursive: true });
      const script = `cd ${removed} && rmdir ${removed} && exec "$@"`;
      const args = ['-c', script, 'sh', EXECUTABLE, ...command.split(' ')];
      execFile('/bin/sh', args, { timeout: 120_000, cwd: '/', env: {} }, (error, out, err) => {
        const code = typeof error?.code === 'number' ? error.code : error === null ? 0 : -1;
        resolve({ code, out, lines: out.split('\n').slice(0, -1), err: err.replaceAll(removed, 'REMOVED') });
      });
    });
  const rbac = await inRemoved(`rbac --config-file=${configFile}`);
  t.strictSame([rbac.code, rbac.lines[0], rbac.err], [0, '# The namespace of the jobs.', '']);
  const named = await inRemoved('jobs --config-file=launcher.kubernetes.conf');
  t.strictSame(
    [named.code, named.err],
    [
      1,
      'rstudio-kubernetes-launcher: REMOVED (deleted)/launcher.kubernetes.conf: config-file: the file does not exist\n',
    ],
  );
  const job = await inRemoved(`render --config-file=${configFile} --user=jane job.json`);
  t.strictSame(
    [job.code, job.err],
    [2, 'rstudio-kubernetes-launcher: render: REMOVED (deleted)/job.json does not exist\n'],
  );
});
