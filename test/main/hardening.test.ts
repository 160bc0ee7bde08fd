/**
 * A plugin that runs is hard to misuse, whoever started it: it has given up root in every thread, took nothing of a hostile
 * environment, made only directories that are its user's, and ends when it is told to.
 */
import { type ExecFileException, execFile, execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
} from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import t, { type Test } from 'tap';
import { remainingPrivileges } from '../../src/system/privileges.ts';
import { startEmptyCluster } from '../support/empty-cluster.ts';
import { createLauncher } from '../support/launcher.ts';
import {
  BUNDLE,
  EXECUTABLE,
  type PluginProcess,
  type PluginStart,
  startPlugin,
  writeConfig,
} from '../support/plugin.ts';

const AS_NOBODY = ['/usr/bin/setpriv', '--reuid=nobody', '--regid=nogroup', '--clear-groups'];
const skip = process.getuid?.() === 0 ? false : 'only for root';
const NOBODY = 65534;
const cluster = await startEmptyCluster();
t.teardown(cluster.close);

/** A plugin that has answered Bootstrap. */
async function running(t: Test, start: PluginStart = {}): Promise<PluginProcess> {
  const plugin = await startPlugin({ ...start, options: { ...cluster.options, ...start.options } });
  t.teardown(plugin.close);
  await createLauncher(plugin.wire).bootstrap();
  return plugin;
}

/** Variables that the second execution sets. */
const MALLOC = ['MALLOC_ARENA_MAX=2', 'MALLOC_MMAP_THRESHOLD_=65536', 'MALLOC_TRIM_THRESHOLD_=65536'];

function environmentOf({ pid }: PluginProcess): readonly string[] {
  return readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0').filter(Boolean).sort();
}

t.test('every thread of a running plugin has given up root', { skip }, async (t) => {
  const plugin = await running(t);
  t.strictSame(remainingPrivileges(plugin.pid), []);
  const threads = readdirSync(`/proc/${plugin.pid}/task`);
  t.ok(threads.length > 4, `${threads.length} threads`);
  for (const thread of threads) {
    const status = readFileSync(`/proc/${plugin.pid}/task/${thread}/status`, 'utf8');
    t.match(status, `\nUid:\t${NOBODY}\t${NOBODY}\t${NOBODY}\t${NOBODY}\n`);
    t.match(status, `\nGid:\t${NOBODY}\t${NOBODY}\t${NOBODY}\t${NOBODY}\n`);
    t.match(status, /\nGroups:\t65534 ?\n/);
    t.match(status, /\nCapPrm:\t0{16}\nCapEff:\t0{16}\n/);
  }
  t.strictSame(environmentOf(plugin), ['LANG=C.UTF-8', ...MALLOC, 'PATH=/usr/sbin:/usr/bin:/sbin:/bin']);
  t.equal(plugin.stderr(), '');
});

t.test('a hostile environment', { skip }, async (t) => {
  const directory = t.testdir();
  chmodSync(directory, 0o777);
  const plugin = await running(t, {
    env: {
      PATH: directory,
      NODE_OPTIONS: `--require=${directory}/evil.cjs`,
      NODE_EXTRA_CA_CERTS: join(directory, 'missing.pem'),
      NODE_TLS_REJECT_UNAUTHORIZED: '0',
      NODE_V8_COVERAGE: join(directory, 'coverage'),
      NODE_REDIRECT_WARNINGS: join(directory, 'warnings'),
      NODE_DEBUG: 'http,tls',
      OPENSSL_CONF: join(directory, 'openssl.cnf'),
      SSL_CERT_FILE: join(directory, 'certs'),
      UV_USE_IO_URING: '1',
      UV_THREADPOOL_SIZE: '1000',
      LD_PRELOAD: join(directory, 'missing.so'),
      GLIBC_TUNABLES: 'glibc.malloc.check=3',
      HTTPS_PROXY: 'http://127.0.0.1:1',
      TZ: 'UTC',
    },
  });
  t.strictSame(environmentOf(plugin), [...MALLOC, 'PATH=/usr/sbin:/usr/bin:/sbin:/bin', 'TZ=UTC']);
  const loader = plugin
    .stderr()
    .split('\n')
    .filter((line) => !line.includes('cannot be preloaded'));
  t.strictSame(loader, [''], 'the loader alone says something, before the program replaced itself');
  t.strictSame(readdirSync(directory, { recursive: true }), []);
});

/** Every variable in the documentation of Node.js, and those of its libraries. */
const NODE_VARIABLES = [
  ...['COMPILE_CACHE', 'COMPILE_CACHE_PORTABLE', 'DEBUG', 'DEBUG_NATIVE', 'DISABLE_COLORS', 'DISABLE_COMPILE_CACHE'],
  ...['EXTRA_CA_CERTS', 'ICU_DATA', 'NO_WARNINGS', 'OPTIONS', 'PATH', 'PENDING_DEPRECATION', 'PENDING_PIPE_INSTANCES'],
  ...['PRESERVE_SYMLINKS', 'REDIRECT_WARNINGS', 'REPL_EXTERNAL_MODULE', 'REPL_HISTORY', 'SKIP_PLATFORM_CHECK'],
  ...['TEST_CONTEXT', 'TLS_REJECT_UNAUTHORIZED', 'USE_ENV_PROXY', 'USE_SYSTEM_CA', 'V8_COVERAGE'],
].map((name) => `NODE_${name}`);
const LIBRARY_VARIABLES = ['FORCE_COLOR', 'OPENSSL_CONF', 'SSL_CERT_DIR', 'SSL_CERT_FILE', 'SSLKEYLOGFILE', 'TZ'];

/** These would keep others from having an effect: each has a start of its own. */
const MASKING = ['NODE_OPTIONS', 'NODE_DISABLE_COMPILE_CACHE', 'NODE_NO_WARNINGS'];

t.test('no variable that Node.js reads makes root write or say anything', { skip }, async (t) => {
  const directory = t.testdir({});
  chmodSync(directory, 0o777);
  const others = [...NODE_VARIABLES, ...LIBRARY_VARIABLES].filter((name) => !MASKING.includes(name));
  for (const names of [others, ...MASKING.map((name) => [name])]) {
    const env = Object.fromEntries(names.map((name) => [name, join(directory, name)]));
    const { stdout } = await promisify(execFile)(EXECUTABLE, ['--version'], { env });
    t.match(stdout, /^rstudio-kubernetes-launcher \S+ \(/, names.join(', '));
    t.strictSame(readdirSync(directory, { recursive: true }), [], names.join(', '));
  }
});

t.test('a running plugin has no_new_privs, few capabilities to lose and no core dumps', { skip }, async (t) => {
  const plugin = await running(t);
  const status = readFileSync(`/proc/${plugin.pid}/status`, 'utf8');
  t.match(status, '\nNoNewPrivs:\t1\n');
  t.match(status, '\nCapInh:\t0000000000000000\n');
  t.match(status, '\nCapBnd:\t00000000000000c3\n', 'chown, dac_override, setgid, setuid');
  t.match(readFileSync(`/proc/${plugin.pid}/limits`, 'utf8'), /\nMax core file size +0 /);
  t.notMatch(plugin.log(), 'no_new_privs');
});

t.test('started by another user the plugin has no_new_privs and no core dumps', { skip }, async (t) => {
  const directory = writeConfig({ options: { ...cluster.options, 'server-user': 'nobody' } });
  t.teardown(directory.remove);
  execFileSync('chown', ['-R', 'nobody', directory.path]);
  const plugin = await running(t, { directory, command: [...AS_NOBODY, EXECUTABLE] });
  t.match(readFileSync(`/proc/${plugin.pid}/status`, 'utf8'), '\nNoNewPrivs:\t1\n');
  t.match(readFileSync(`/proc/${plugin.pid}/limits`, 'utf8'), /\nMax core file size +0 /);
});

/** A command that runs another one on a host without a program. */
const without = (program: string, ...command: readonly string[]): readonly string[] => {
  const hide = `mount --bind /dev/null ${program} && exec "$0" "$@"`;
  return ['/usr/bin/unshare', '--mount', '/bin/sh', '-c', hide, ...command];
};

t.test('without setpriv the executable restricts itself, and the bundle logs what is missing', { skip }, async (t) => {
  const missing = ' INFO Running without no_new_privs: this host has no setpriv and prlimit (util-linux)\n';
  const executable = await running(t, { command: without('/usr/bin/setpriv', EXECUTABLE) });
  t.notMatch(executable.log(), missing);
  t.match(readFileSync(`/proc/${executable.pid}/status`, 'utf8'), '\nNoNewPrivs:\t1\n');
  const bundle = await running(t, { command: without('/usr/bin/setpriv', process.execPath, BUNDLE) });
  t.match(bundle.log(), missing);
  for (const plugin of [executable, bundle]) t.strictSame(remainingPrivileges(plugin.pid), []);
});

t.test(
  'a time zone or locale that is a path is left out, and the start is restricted all the same',
  { skip },
  async (t) => {
    const plugin = await running(t, {
      env: { TZ: ':/dev/watchdog', LANG: 'C.UTF-8', LC_ALL: '/tmp/x', TERM: 'xterm' },
    });
    t.strictSame(environmentOf(plugin), [
      'LANG=C.UTF-8',
      ...MALLOC,
      'PATH=/usr/sbin:/usr/bin:/sbin:/bin',
      'TERM=xterm',
    ]);
    const status = readFileSync(`/proc/${plugin.pid}/status`, 'utf8');
    t.match(status, /\nNoNewPrivs:\t1\n/);
    t.match(status, '\nCapBnd:\t00000000000000c3\n');
    t.match(readFileSync(`/proc/${plugin.pid}/limits`, 'utf8'), /\nMax core file size +0 /);
    t.equal(plugin.stderr(), '');
  },
);

t.test('of variables with similar names, those that are allowed are kept', { skip }, async (t) => {
  const allowed = { RS_LOG_DIR: '/a', RS_LOG_LEVEL: '', LC_TIME: 'C', TZ: 'Europe/Berlin' };
  const refused = { RS_LOG_DIRS: '/a', RS_LOG: '/a', T: 'x', TZDIR: '/a', LANGUAGE: 'de', LC_: 'C', LC_time: 'C' };
  const plugin = await running(t, { env: { ...refused, ...allowed } });
  t.strictSame(environmentOf(plugin), [
    'LC_TIME=C',
    ...MALLOC,
    'PATH=/usr/sbin:/usr/bin:/sbin:/bin',
    'RS_LOG_DIR=/a',
    'RS_LOG_LEVEL=',
    'TZ=Europe/Berlin',
  ]);
});

/** What a program that fails writes to stderr. */
async function stderrOf(command: readonly string[]): Promise<string> {
  const [program = '', ...args] = command;
  const start = promisify(execFile)(program, args);
  start.child.stdin?.end();
  return start.then(
    () => 'it does not fail',
    (error: ExecFileException) => error.stderr ?? '',
  );
}

t.test('a process of the server user cannot read the memory of the plugin', { skip }, async (t) => {
  const plugin = await running(t);
  for (const file of ['mem', 'environ', 'maps'])
    t.match(await stderrOf([...AS_NOBODY, '/bin/cat', `/proc/${plugin.pid}/${file}`]), 'Permission denied');
});

t.test('capabilities of the starting process are dropped, or refused where setpriv is missing', { skip }, async (t) => {
  const directory = writeConfig({ options: cluster.options });
  t.teardown(directory.remove);
  execFileSync('chown', ['-R', 'nobody', directory.path]);
  const ambient = [...AS_NOBODY, '--inh-caps=+chown', '--ambient-caps=+chown'];
  const plugin = await running(t, { directory, command: [...ambient, EXECUTABLE] });
  t.strictSame(remainingPrivileges(plugin.pid), []);
  const bundle = [...ambient, process.execPath, BUNDLE];
  t.match(
    await stderrOf([...without('/usr/bin/prlimit', ...bundle), '--version']),
    /^rstudio-kubernetes-launcher: refusing to start with capabilities: thread \d+ has capabilities CapPrm 0{15}1; /,
  );
});

for (const set of ['-setuid', '-setgid', '-all']) {
  t.test(`root with the bounding set ${set} does not start and says what is missing`, { skip }, async (t) => {
    const directory = writeConfig({ options: cluster.options });
    t.teardown(directory.remove);
    const limited = ['/usr/bin/setpriv', `--bounding-set=${set}`, '--inh-caps=-all'];
    t.equal(
      await stderrOf([...limited, EXECUTABLE, `--config-file=${directory.configFile}`]),
      `rstudio-kubernetes-launcher: ${directory.configFile}:1: root cannot become server-user "nobody": it lacks CAP_SETUID or CAP_SETGID -> add the capabilities SETUID and SETGID to the container, or start it as nobody (runAsUser)\n`,
    );
  });
}

t.test('a command of root prints nothing of a file that is no options file', { skip }, async (t) => {
  const file = `${t.testdir({ shadow: 'root:$6$HASH:1::\npassword=SECRET\nMIIESECRET\n' })}/shadow`;
  const said = await stderrOf([EXECUTABLE, 'jobs', `--config-file=${file}`]);
  t.match(said, 'shadow:3: must be name=value');
  t.notMatch(said, /HASH|SECRET/);
});

t.test('inherited descriptors are closed, also with a clean environment', { skip }, async (t) => {
  const open = 'exec 7</etc/shadow; exec env -i "$0" "$@"';
  const plugin = await running(t, { command: ['/bin/sh', '-c', open, EXECUTABLE] });
  const descriptors = `/proc/${plugin.pid}/fd`;
  const targets = readdirSync(descriptors).map((name) => readlinkSync(join(descriptors, name)));
  t.notOk(targets.includes('/etc/shadow'));
});

t.test('a setuid program refuses to start', { skip }, async (t) => {
  const copy = `${t.testdir({})}/plugin`;
  copyFileSync(EXECUTABLE, copy);
  chmodSync(copy, 0o4755);
  t.equal(
    await stderrOf([...AS_NOBODY, copy, '--version']),
    `rstudio-kubernetes-launcher: refusing to start: real, effective and saved uid differ (65534, 0, 0): chmod u-s ${copy}\n`,
  );
});

t.test('root creates no directory that an options file of the server user names', { skip }, async (t) => {
  const directory = writeConfig({ options: cluster.options });
  t.teardown(directory.remove);
  chownSync(directory.configFile, NOBODY, NOBODY);
  const plugin = await running(t, { directory });
  t.notOk(existsSync(join(directory.path, 'log')));
  t.notOk(existsSync(join(directory.path, 'scratch')));
  t.match(plugin.stderr(), 'Cannot write the log; logging to stderr');
});

t.test('SIGUSR1 opens no debugger', async (t) => {
  const plugin = await running(t);
  plugin.kill('SIGUSR1');
  const answered = plugin.waitFor((frame) => frame.messageType === 0);
  plugin.wire.send({ messageType: 0, requestId: 0 });
  t.match(await answered, { messageType: 0, requestId: 0, responseId: 0 });
  t.equal(plugin.stderr(), '', 'no "Debugger listening on"');
  const listening = readFileSync(`/proc/${plugin.pid}/net/tcp`, 'latin1').includes(
    `:${(9229).toString(16).toUpperCase()} 00000000:0000 0A`,
  );
  t.notOk(listening);
});

/** What ends a running plugin, and its exit code. */
const ENDS: readonly (readonly [what: string, code: number, end: (plugin: PluginProcess) => void])[] = [
  ['the end of its input', 0, (plugin) => plugin.endInput()],
  ['SIGTERM', 0, (plugin) => plugin.kill('SIGTERM')],
  ['SIGINT', 0, (plugin) => plugin.kill('SIGINT')],
  [
    'an output that nobody reads',
    0,
    (plugin) => {
      plugin.endOutput();
      plugin.wire.send({ messageType: 0, requestId: 0 });
    },
  ],
  ['a frame that is no JSON', 1, (plugin) => plugin.sendBytes(Buffer.from([0, 0, 0, 1, 0x7b]))],
  ['a frame that is too long', 1, (plugin) => plugin.sendBytes(Buffer.from([0x7f, 0xff, 0xff, 0xff]))],
];

for (const [what, code, end] of ENDS) {
  t.test(`${what} ends the plugin with code ${code} and nothing on stderr`, async (t) => {
    const plugin = await running(t);
    end(plugin);
    t.strictSame(await plugin.exit, { code, signal: null });
    t.equal(plugin.stderr(), '');
  });
}

/** Owner and mode of a file. */
function shape(path: string): string {
  const { uid, mode } = lstatSync(path);
  return `${uid} ${(mode & 0o7777).toString(8)}`;
}

t.test('directories and log belong to the server user', { skip }, async (t) => {
  const plugin = await running(t);
  t.equal(shape(join(plugin.directory.path, 'log')), `${NOBODY} 755`);
  t.equal(shape(join(plugin.directory.path, 'scratch')), `${NOBODY} 755`);
  t.equal(shape(plugin.directory.logFile), `${NOBODY} 600`);
  t.equal(plugin.stderr(), '');
});

t.test('a symbolic link in a directory that every user can write is no way to files of root', { skip }, async (t) => {
  const trap = writeConfig({ options: { ...cluster.options, 'logging-dir': '/dev/null' } });
  t.teardown(trap.remove);
  chmodSync(trap.path, 0o777);
  const { 'api-url': url, 'auth-token': token } = cluster.options;
  mkdirSync(join(trap.path, 'precious'));
  symlinkSync(join(trap.path, 'precious'), join(trap.path, 'link'));
  const text = `server-user=nobody\napi-url=${url}\nauth-token=${token}\nlogging-dir=${trap.path}/link/log\nscratch-path=${trap.path}/precious\n`;
  const trapped = await running(t, { configText: text });
  t.strictSame(readdirSync(join(trap.path, 'precious')), [], 'nothing is made for a trap');
  t.equal(shape(join(trap.path, 'precious')), '0 755', 'nor is what exists given away');
  t.match(
    trapped.stderr(),
    /^\S+ \[rstudio-kubernetes-launcher\] WARNING Cannot write the log; logging to stderr; Error \(nobody \(uid 65534\) cannot write (\S+\/link\/log)\/rstudio-kubernetes-launcher\.log: mkdir -p \1 && chown nobody \1\); CAUSED BY: SystemError error EACCES \(EACCES: permission denied, mkdir '\1'\)\n/,
  );
  t.match(
    trapped.stderr(),
    / WARNING Cannot create or write the scratch path; starting anyway, because only templates are read there \[path: (\S+\/precious), remedy: "chown nobody \1"\]; SystemError error EACCES /,
  );
});

t.test('below a directory of the server user, the server user makes the directories', { skip }, async (t) => {
  const theirs = writeConfig({ options: cluster.options });
  t.teardown(theirs.remove);
  chownSync(theirs.path, NOBODY, NOBODY);
  chownSync(theirs.configFile, 0, 0);
  await running(t, { directory: theirs });
  t.equal(shape(theirs.logFile), `${NOBODY} 600`);
});

t.test('directories that cannot be made stop nothing', async (t) => {
  const plugin = await running(t, {
    options: { 'logging-dir': '/proc/none/log', 'scratch-path': '/proc/none/scratch' },
  });
  t.match(
    plugin.stderr(),
    /WARNING Cannot write the log; logging to stderr; Error \(nobody .*CAUSED BY: SystemError error ENOENT \(ENOENT: no such file or directory, mkdir '\/proc\/none'\)/,
  );
  t.match(
    plugin.stderr(),
    'WARNING Cannot create or write the scratch path; starting anyway, because only templates are read there [path: /proc/none/scratch, remedy: "mkdir -p /proc/none/scratch && chown nobody /proc/none/scratch"]',
  );
});

t.test('unprivileged: root makes no directories, and gives itself up all the same', { skip }, async (t) => {
  const plugin = await running(t, { options: { unprivileged: '1' } });
  t.strictSame(remainingPrivileges(plugin.pid), []);
  t.notOk(existsSync(join(plugin.directory.path, 'log')));
  t.match(plugin.stderr(), 'Cannot write the log; logging to stderr');
});

t.test('another user keeps own settings of malloc', { skip }, async (t) => {
  const directory = writeConfig({ options: cluster.options });
  t.teardown(directory.remove);
  execFileSync('chown', ['-R', 'nobody', directory.path]);
  const env = { MALLOC_ARENA_MAX: '8', MALLOC_TRIM_THRESHOLD_: '' };
  const plugin = await running(t, { directory, command: [...AS_NOBODY, EXECUTABLE], env });
  const expected = ['MALLOC_ARENA_MAX=8', 'MALLOC_MMAP_THRESHOLD_=65536', 'MALLOC_TRIM_THRESHOLD_='];
  t.strictSame(environmentOf(plugin), expected);
});

t.test('a start by another user than root', { skip }, async (t) => {
  const directory = writeConfig({ options: { ...cluster.options, 'server-user': 'no-such-user' } });
  t.teardown(directory.remove);
  execFileSync('chown', ['-R', 'nobody', directory.path]);
  const plugin = await running(t, {
    directory,
    command: [...AS_NOBODY, EXECUTABLE],
    env: { HOME: '/nonexistent', NODE_OPTIONS: '--require=/nonexistent.cjs' },
  });
  t.strictSame(environmentOf(plugin), ['HOME=/nonexistent', ...MALLOC, 'NODE_OPTIONS=--require=/nonexistent.cjs']);
  t.equal(lstatSync(directory.logFile).uid, NOBODY);
  t.equal(plugin.stderr(), '');
  t.match(
    plugin.log(),
    / WARNING \S+\/launcher\.kubernetes\.conf:\d+: server-user: the plugin should run as no-such-user but was started by nobody \(uid 65534\) -> start it as root, as the launcher does; it drops privileges to server-user\n/,
  );
});
