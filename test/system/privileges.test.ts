/** Root privileges are dropped in every thread, permanently and verified; unusual privileges stop the start. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import t from 'tap';

const run = promisify(execFile);

const skip = process.getuid?.() === 0 ? false : 'only root can drop privileges';

/** Runs statements after `import * as privileges` in a process of root, and gives what they print. */
async function asRoot(code: string, wrapper: readonly string[] = []): Promise<string> {
  const module = JSON.stringify(new URL('../../src/system/privileges.ts', import.meta.url).href);
  const script = `
    import { readdirSync, readFileSync } from 'node:fs';
    import * as fs from 'node:fs/promises';
    import * as privileges from ${module};
    await fs.stat('/'); // the thread pool exists
    ${code}`;
  const [program, ...args] = [...wrapper, process.execPath, '--input-type=module', '-e', script];
  const { stdout } = await run(program ?? '', args, { encoding: 'utf8' });
  return stdout;
}

t.test('root privileges are dropped in every thread, permanently', { skip }, async (t) => {
  const output = await asRoot(`
    const user = privileges.findServerUser('nobody');
    privileges.becomeUser(user);
    await fs.stat('/');
    const fields = ['Uid', 'Gid', 'Groups', 'CapPrm', 'CapEff', 'CapAmb'];
    const threads = readdirSync('/proc/self/task').map((thread) => {
      const status = readFileSync('/proc/self/task/' + thread + '/status', 'utf8');
      return fields.map((field) => new RegExp('^' + field + ':\\\\s*(.*?)\\\\s*$', 'm').exec(status)[1]).join(' | ');
    });
    let back = 'setuid(0) worked';
    try { process.setuid(0); } catch (error) { back = error.code; }
    const { HOME, USER, LOGNAME } = process.env;
    console.log(JSON.stringify({ user, threads, back, cwd: process.cwd(), HOME, USER, LOGNAME }));
  `);
  const { threads, ...rest } = JSON.parse(output);
  t.strictSame(rest, {
    user: { name: 'nobody', uid: 65534, gid: 65534, home: '/nonexistent' },
    back: 'EPERM',
    cwd: '/',
    HOME: '/nonexistent',
    USER: 'nobody',
    LOGNAME: 'nobody',
  });
  t.ok(threads.length > 4, 'V8 and the thread pool');
  t.strictSame(
    new Set(threads),
    new Set([
      '65534\t65534\t65534\t65534 | 65534\t65534\t65534\t65534 | 65534 | 0000000000000000 | 0000000000000000 | 0000000000000000',
    ]),
  );
});

/** What a statement throws, in a process of root. */
const refusal = (code: string, wrapper?: readonly string[]): Promise<string> =>
  asRoot(`try { ${code} } catch (error) { console.log(error.name, error.code, error.message); }`, wrapper);

t.test('server-user must exist', { skip }, async (t) => {
  t.equal(
    await refusal(`privileges.findServerUser('no-such-user')`),
    'PrivilegeError privileges server-user "no-such-user" does not exist on this host: correct server-user in the options file, or create the user: useradd --system no-such-user\n',
  );
});

t.test('server-user must not be root', { skip }, async (t) => {
  t.equal(
    await refusal(`privileges.findServerUser('root')`),
    'PrivilegeError privileges server-user "root" is root: the plugin does not run as root, name another user\n',
  );
});

/** A command that runs another one with these lines at the end of /etc/passwd, in a mount namespace of its own. */
const withAccounts = (...lines: readonly string[]): readonly string[] => [
  ...['/usr/bin/unshare', '--mount', '/bin/sh', '-c'],
  'file=$(mktemp) && (cat /etc/passwd && echo "$0") >$file && chmod 644 $file && mount --bind $file /etc/passwd && rm $file && exec "$@"',
  lines.join('\n'),
];

t.test('server-user must not share its uid with another account', { skip }, async (t) => {
  const first = withAccounts('rs:x:4711:4711::/:/bin/sh', 'other:x:4711:4711::/:/bin/sh');
  const message = (name: string, other: string): string =>
    `PrivilegeError privileges server-user "${name}" shares its uid 4711 with the account ${other}: usermod -u UID ${name}, with a uid of its own\n`;
  t.equal(await refusal(`privileges.findServerUser('rs')`, first), message('rs', 'other'));
  t.equal(await refusal(`privileges.findServerUser('other')`, first), message('other', 'rs'));
});

t.test('the primary group of server-user must not be gid 0', { skip }, async (t) => {
  t.equal(
    await refusal(`privileges.findServerUser('rs')`, withAccounts('rs:x:4711:0::/:/bin/sh')),
    'PrivilegeError privileges the primary group of server-user "rs" is root\'s (gid 0): usermod -g GROUP rs\n',
  );
});

for (const capability of ['setuid', 'setgid']) {
  t.test(`root without CAP_${capability.toUpperCase()} cannot become server-user`, { skip }, async (t) => {
    t.equal(
      await refusal(`privileges.becomeUser(privileges.findServerUser('nobody'))`, [
        ...['/usr/bin/setpriv', `--bounding-set=-${capability}`],
      ]),
      'PrivilegeError privileges root cannot become server-user "nobody": it lacks CAP_SETUID or CAP_SETGID: add the capabilities SETUID and SETGID to the container, or start it as nobody (runAsUser)\n',
    );
  });
}

t.test('uid 0 after the drop is found', { skip }, async (t) => {
  t.match(
    await refusal(`privileges.becomeUser({ name: 'root', uid: 0, gid: 0, home: '/' })`),
    /^PrivilegeError privileges privileges were not dropped: thread \d+ has uid 0,0,0,0; /,
  );
});

t.test('capabilities that the parent process keeps are found', { skip }, async (t) => {
  t.match(
    await refusal(`privileges.becomeUser(privileges.findServerUser('nobody'))`, [
      'setpriv',
      '--securebits=+no_setuid_fixup',
    ]),
    /^PrivilegeError privileges privileges were not dropped: thread \d+ has capabilities CapPrm 0*[1-9a-f][0-9a-f]*; /,
  );
});

t.test('threads that exit while they are listed have no privileges', { skip }, async (t) => {
  const output = await asRoot(`
    const { Worker } = await import('node:worker_threads');
    privileges.becomeUser(privileges.findServerUser('nobody'));
    let ended = 0;
    const spawn = () => new Worker('', { eval: true }).on('exit', () => { ended++; if (ended < 24) spawn(); });
    for (let i = 0; i < 8; i++) spawn();
    let checks = 0;
    while (ended < 12) {
      for (let i = 0; i < 20; i++) { checks++; const left = privileges.remainingPrivileges(); if (left.length > 0) throw new Error(left.join()); }
      await new Promise((resolve) => setImmediate(resolve));
    }
    console.log(checks > 0);
    process.exit();
  `);
  t.equal(output, 'true\n');
});

t.test('root, other users, capabilities and setuid programs are distinguished', { skip }, async (t) => {
  const started = (wrapper: readonly string[]): Promise<string> =>
    refusal('console.log(privileges.isStartedByRoot()); privileges.refuseCapabilities();', wrapper);
  t.match(await started([]), /^true\nPrivilegeError/);
  t.equal(await started(['/usr/bin/setpriv', '--reuid=65534', '--regid=65534', '--clear-groups']), 'false\n');
  t.match(
    await started([
      ...['/usr/bin/setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', '--inh-caps=+chown'],
      '--ambient-caps=+chown',
    ]),
    /^false\nPrivilegeError privileges refusing to start with capabilities: thread \d+ has capabilities CapPrm 0000000000000001; .*: start it without AmbientCapabilities or file capabilities, or as root\n$/,
  );
  t.match(
    await started(['/usr/bin/setpriv', '--ruid=65534']),
    /^PrivilegeError privileges refusing to start: real, effective and saved uid differ \(65534, 0, 0\): chmod u-s \/\S+\n$/,
  );
  t.match(
    await started(['/usr/bin/setpriv', '--rgid=65534', '--keep-groups']),
    /^PrivilegeError privileges refusing to start: real, effective and saved gid differ \(65534, 0, 0\): chmod g-s /,
  );
});
