/** Root creates directories only below directories that nobody else can change. */
import { execFile } from 'node:child_process';
import { chmodSync, chownSync, lstatSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import t from 'tap';
import { makeDirectoryAsRoot } from '../../src/system/directories.ts';

const NOBODY = { uid: 65534, gid: 65534 };
const run = promisify(execFile);
const skip = process.getuid?.() === 0 ? false : 'only root can change owners';

t.test('directories that root creates', { skip }, async (t) => {
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
  t.throws(() => makeDirectoryAsRoot('/proc/missing', NOBODY), /mkdir '\/proc\/missing'/);
});
