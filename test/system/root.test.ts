/** Root makes directories only where nobody else could lead it, and is then given up in every thread, for good. */
import { execFile } from 'node:child_process';
import { chmodSync, chownSync, lstatSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import t from 'tap';
import { makeDirectoryAsRoot } from '../../src/system/directories.ts';

const NOBODY = { uid: 65534, gid: 65534 };
const run = promisify(execFile);

const skip = process.getuid?.() === 0 ? false : 'only root can give up root';

t.test('directories that root makes', { skip }, async (t) => {
  const top = mkdtempSync(join(tmpdir(), 'directories-'));
  t.teardown(() => rmSync(top, { recursive: true }));
  chmodSync(top, 0o755);
  const shape = (path: string): string => {
    const { uid, gid, mode } = lstatSync(join(top, path));
    return `${uid}:${gid} ${(mode & 0o7777).toString(8)}`;
  };
  const exists = (path: string): boolean => lstatSync(join(top, path), { throwIfNoEntry: false }) !== undefined;
  const make = (path: string): void => makeDirectoryAsRoot(join(top, path), NOBODY);
  process.umask(0o077);

  make('a/b/c');
  t.equal(shape('a'), '0:0 755');
  t.equal(shape('a/b'), '0:0 755');
  t.equal(shape('a/b/c'), '65534:65534 755', 'only the last one is handed over');

  make('a/b');
  t.equal(shape('a/b'), '0:0 755', 'what exists is not changed');

  mkdirSync(join(top, 'theirs'));
  chownSync(join(top, 'theirs'), 65534, 65534);
  make('theirs/log');
  t.notOk(exists('theirs/log'), 'not below a directory of the server user');

  mkdirSync(join(top, 'open'));
  chmodSync(join(top, 'open'), 0o777);
  make('open/log');
  t.notOk(exists('open/log'), 'not where everybody may write');
  chmodSync(join(top, 'open'), 0o775);
  make('open/log');
  t.notOk(exists('open/log'), 'nor a group');
  chmodSync(join(top, 'open'), 0o1777);
  make('open/log');
  t.equal(shape('open/log'), '65534:65534 755', 'except in sticky directories, as /tmp');

  symlinkSync(join(top, 'a'), join(top, 'by-root'));
  make('by-root/d');
  t.equal(shape('a/d'), '65534:65534 755', 'links of root are followed');
  symlinkSync(join(top, 'theirs'), join(top, 'to-theirs'));
  make('to-theirs/log');
  t.notOk(exists('theirs/log'), 'to where it is safe only');
  symlinkSync('../a', join(top, 'open/link'));
  make('open/link/e');
  t.ok(exists('a/e'));
  rmSync(join(top, 'open/link'));
  await run('setpriv', ['--reuid=65534', 'ln', '-s', join(top, 'a'), join(top, 'open/link')]);
  make('open/link/f');
  t.notOk(exists('a/f'), 'links of others are not');
  symlinkSync('loop', join(top, 'loop'));
  t.doesNotThrow(() => make('loop/x'));
});

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

t.test('root is given up in every thread, for good', { skip }, async (t) => {
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

t.test('refusals', { skip }, async (t) => {
  const refusal = async (code: string, wrapper?: readonly string[]): Promise<string> =>
    asRoot(`try { ${code} } catch (error) { console.log(error.name, error.code, error.message); }`, wrapper);
  t.equal(
    await refusal(`privileges.findServerUser('no-such-user')`),
    'PrivilegeError privileges server-user "no-such-user" does not exist on this host: useradd --system no-such-user, or server-user=NAME in the options file\n',
  );
  t.equal(
    await refusal(`privileges.findServerUser('root')`),
    'PrivilegeError privileges server-user "root" is root: the plugin does not run as root, name another user\n',
  );
  t.match(
    await refusal(`privileges.becomeUser({ name: 'root', uid: 0, gid: 0, home: '/' })`),
    /^PrivilegeError privileges privileges were not dropped: thread \d+ has uid 0,0,0,0; /,
  );
  t.match(
    await refusal(`privileges.becomeUser(privileges.findServerUser('nobody'))`, [
      'setpriv',
      '--securebits=+no_setuid_fixup',
    ]),
    /^PrivilegeError privileges privileges were not dropped: thread \d+ has capabilities CapPrm 0*[1-9a-f][0-9a-f]*; /,
    'capabilities that a parent made stay',
  );
  t.match(readFileSync('/proc/self/status', 'utf8'), /^Uid:\s+0\s/m, 'the test itself is root still');
});
