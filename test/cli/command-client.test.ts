/**
 * A user who may run commands as root cannot make them send the plugin's token to a server of that user's choice: every command
 * refuses, and no connection arrives. Root itself, and a file of root with both, are as before.
 */
import { execFile } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage } from 'node:http';
import t from 'tap';
import { tokenRefusal } from '../../src/cli/command-client.ts';
import { userBehindRoot } from '../../src/cli/command-session.ts';
import { EXECUTABLE } from '../support/plugin.ts';
import { directoryOf, linesOf, listen, run, type Situation } from './harness.ts';

const skip = process.getuid?.() === 0 ? false : 'only for root';
const BEHIND = { context: { behindRoot: 'uid 1001' } };

/** A server of the attacker, and the credentials that reached it. */
const seen: (string | undefined)[] = [];
const server = createServer((request: IncomingMessage, response) => {
  seen.push(request.headers.authorization);
  response.end('{}');
});
const url = `http://127.0.0.1:${await listen(t, server)}`;

t.test('sudo and the login name the user behind root', async (t) => {
  t.equal(userBehindRoot('1001', '4294967295'), 'uid 1001');
  t.equal(userBehindRoot(undefined, '1001'), 'uid 1001');
  t.equal(userBehindRoot('0', '1001'), 'uid 1001', 'root used sudo after su');
  t.equal(userBehindRoot(undefined, '4294967295'), undefined, 'a service');
  t.equal(userBehindRoot('0', '0'), undefined, 'root logged in');
});

const COMMANDS: readonly (readonly string[])[] = [
  ['jobs'],
  ['jobs', '--watch'],
  ['explain', 'a-b'],
  ['events', 'a-b'],
  ['logs', 'a-b'],
  ['logs', 'a-b', '--follow'],
  ['top'],
  ['stop', 'a-b', '--yes'],
  ['kill', 'a-b', '--yes'],
  ['cancel', 'a-b', '--yes'],
  ['render', '-', '--user=jane', '--server-dry-run'],
];

for (const [name = '', ...args] of COMMANDS) {
  t.test(`${[name, ...args].join(' ')} sends no token to an address of the command line`, { skip }, async (t) => {
    const situation: Situation = {
      ...BEHIND,
      options: { 'auth-token': 'a-token' },
      input: '{"name":"a","command":"b","container":{"image":"c"}}',
    };
    const { code, err } = await run(t, [name, ...args, `--api-url=${url}`], situation);
    t.match(
      err,
      'rstudio-kubernetes-launcher: command line: api-url: the token is not sent, because uid 1001 started this command as root and this option is not from the file with the token and the address -> write api-url into DIR/launcher.kubernetes.conf\n',
    );
    t.equal(code, 1);
    t.strictSame(seen, []);
  });
}

t.test('the token step of check says so, and check skips what needs the token', { skip }, async (t) => {
  const outcome = await run(t, ['check', `--api-url=${url}`], { ...BEHIND, options: { 'auth-token': 'a-token' } });
  t.strictSame(linesOf(outcome, 'token'), [
    'failed token command line: api-url: the token is not sent, because uid 1001 started this command as root and this option is not from the file with the token and the address -> write api-url into DIR/launcher.kubernetes.conf',
  ]);
  t.match(outcome.out, /^skipped .* version, .* permissions, /m);
  t.strictSame(seen, []);
});

const HERE = { 'api-url': 'https://127.0.0.1:9', 'auth-token-path': '/etc/hostname' };
for (const [option, value] of [
  ['certificate-authority', '/tmp/ca.crt'],
  ['verify-ssl-certs', '0'],
  ['https-proxy', 'http://127.0.0.1:1'],
  ['no-proxy', '*'],
  ['profile-config', '/tmp/mine.conf'],
  ['template-path', '/tmp/mine'],
  ['auth-token-path', '/etc/hostname'],
] as const) {
  t.test(`${option} of the command line is refused`, { skip }, async (t) => {
    const file = { 'api-url': HERE['api-url'], ...(option === 'auth-token-path' ? {} : { 'auth-token': 'a-token' }) };
    const { err } = await run(t, ['jobs', `--${option}=${value}`], { ...BEHIND, options: file });
    t.match(err, `command line: ${option}: the token is not sent, because uid 1001 started this command as root`);
  });
}

const OPTIONS = {
  configFile: '/etc/rstudio/launcher.kubernetes.conf',
  changeableThrough: undefined,
  pluginName: 'kubernetes',
  profileConfig: '/etc/rstudio/launcher.kubernetes.profiles.conf',
  resourceProfileConfig: '/etc/rstudio/launcher.kubernetes.resources.conf',
};

t.test('the policy of another cluster, which a name or a directory of the user selects, is refused', async (t) => {
  const written = (...names: readonly string[]): ReadonlyMap<never, { file: string; line: number }> =>
    new Map(['api-url', 'auth-token', ...names].map((name) => [name as never, { file: OPTIONS.configFile, line: 1 }]));
  const because = 'the token is not sent, because uid 1001 started this command as root and';
  const found = (options: Partial<typeof OPTIONS>, ...names: readonly string[]): unknown => {
    const { option, message, remedy } =
      tokenRefusal({ ...OPTIONS, ...options, origins: written(...names) }, BEHIND.context) ?? {};
    return [option, message, remedy];
  };
  t.same(found({}), [undefined, undefined, undefined]);
  t.same(found({ pluginName: 'zz' }), [
    'plugin-name',
    `${because} "zz" selects the policy of another cluster`,
    'add --plugin-name=kubernetes',
  ]);
  t.same(found({ pluginName: 'zz' }, 'plugin-name'), [undefined, undefined, undefined], 'the name of the site');
  t.same(found({ profileConfig: '/home/jane/rstudio/launcher.kubernetes.profiles.conf' }), [
    'profile-config',
    `${because} /home/jane/rstudio/launcher.kubernetes.profiles.conf is not beside this file`,
    'write profile-config into /etc/rstudio/launcher.kubernetes.conf',
  ]);
  t.same(found({ profileConfig: '/srv/p.conf' }, 'profile-config'), [undefined, undefined, undefined]);
  t.match(found({ resourceProfileConfig: '/home/jane/r' }), ['resource-profile-config']);
});

t.test('a server user of the command line, who would run the process that has the token, is refused', async (t) => {
  const file = { file: OPTIONS.configFile, line: 1 };
  const origins = new Map([
    ['api-url', file],
    ['auth-token', file],
    ['server-user', { file: 'command line', line: 0 }],
  ] as const);
  const found = tokenRefusal({ ...OPTIONS, origins }, BEHIND.context);
  t.equal(found?.option, 'server-user');
});

t.test('the address of a pod, which the environment names, is refused', async (t) => {
  const found = tokenRefusal({ ...OPTIONS, origins: new Map() }, BEHIND.context);
  t.equal(
    found?.message,
    'the token is not sent, because uid 1001 started this command as root and the address is not from an options file',
  );
});

t.test('an options file that others than root can change is refused', { skip }, async (t) => {
  const options = { ...HERE, 'api-url': url };
  const { path, configFile } = directoryOf(t, { options });
  chownSync(configFile, 1001, 1001);
  const { err } = await run(t, ['jobs', `--config-file=${configFile}`], BEHIND);
  t.match(
    err.replaceAll(path, 'DIR'),
    'DIR/launcher.kubernetes.conf: api-url: the token is not sent, because uid 1001 started this command as root and others than root can change this file -> chown root DIR/launcher.kubernetes.conf && chmod go-w DIR/launcher.kubernetes.conf\n',
  );
  t.strictSame(seen, []);
});

t.test('an options file in a directory of another user is refused, and the directory is named', { skip }, async (t) => {
  const { path, configFile } = directoryOf(t, { options: { ...HERE, 'api-url': url } });
  chownSync(path, 1001, 1001);
  const { err } = await run(t, ['jobs', `--config-file=${configFile}`], BEHIND);
  t.match(
    err.replaceAll(path, 'DIR'),
    'and others than root can change this file through DIR -> chown root DIR && chmod go-w DIR\n',
  );
  t.strictSame(seen, []);
});

t.test(
  'an options file of another mount namespace, under the name of a file of root, is refused',
  { skip },
  async (t) => {
    const root = directoryOf(t, { options: { ...HERE, 'api-url': 'http://127.0.0.1:9' } });
    const theirs = directoryOf(t, { options: { ...HERE, 'api-url': url } });
    chownSync(theirs.configFile, 1001, 1001);
    const open = `mount --bind ${theirs.configFile} ${root.configFile} && exec 0<${root.configFile}`;
    const here = `/usr/bin/nsenter --mount=/proc/${process.pid}/ns/mnt`;
    const command = `${open} && exec ${here} ${EXECUTABLE} jobs --config-file=/dev/stdin`;
    const said = await new Promise<string>((resolve) => {
      const env = { SUDO_UID: '1001' };
      execFile('/usr/bin/unshare', ['--mount', '/bin/sh', '-c', command], { env }, (_, __, stderr) => resolve(stderr));
    });
    t.match(said, '/dev/stdin: api-url: the token is not sent, because uid 1001 started this command as root');
    t.strictSame(seen.splice(0), []);
  },
);

t.test('root itself is not restricted, nor is a file of root that has both', { skip }, async (t) => {
  await run(t, ['jobs', `--api-url=${url}`], { options: { 'auth-token': 'root-token' } });
  await run(t, ['jobs'], { ...BEHIND, options: { 'api-url': url, 'auth-token': 'file-token' } });
  t.strictSame([...new Set(seen.splice(0))], ['Bearer root-token', 'Bearer file-token']);
});

t.test('the executable sees SUDO_UID after it cleaned its environment', { skip }, async (t) => {
  const directory = t.testdir({});
  chmodSync(directory, 0o755);
  mkdirSync(`${directory}/rstudio`);
  const configFile = `${directory}/rstudio/launcher.kubernetes.conf`;
  writeFileSync(configFile, 'server-user=nobody\nauth-token=a-token\n', { mode: 0o600 });
  const started = await new Promise<string>((resolve) => {
    const args = ['jobs', `--config-file=${configFile}`, `--api-url=${url}`];
    execFile(EXECUTABLE, args, { env: { SUDO_UID: '1001' } }, (_, __, stderr) => resolve(stderr));
  });
  t.match(started, 'command line: api-url: the token is not sent, because uid 1001 started this command as root');
  t.strictSame(seen, []);
});
