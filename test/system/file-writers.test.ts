/** Who can change a file: its owner and mode, every directory and link on its path, and what read-only mounts protect. */
import {
  chmodSync,
  chownSync,
  lchownSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { changeableThrough, Mounts, writersOf } from '../../src/system/file-writers.ts';

const skip = process.getuid?.() === 0 ? false : 'only root can change owners';

/** A directory of root below /tmp, which is sticky. */
function directoryOf(test: Test): string {
  const top = mkdtempSync(join(tmpdir(), 'writers-'));
  chmodSync(top, 0o755);
  test.teardown(() => rmSync(top, { recursive: true }));
  return top;
}

function file(path: string, mode: number, uid = 0, gid = 0): string {
  writeFileSync(path, '');
  chownSync(path, uid, gid);
  chmodSync(path, mode);
  return path;
}

function directory(path: string, mode: number, uid = 0, gid = 0): string {
  mkdirSync(path);
  chownSync(path, uid, gid);
  chmodSync(path, mode);
  return path;
}

function whoCanChange(path: string): Omit<ReturnType<typeof writersOf>, 'file'> {
  const { file: _, ...writers } = writersOf(path);
  return writers;
}

t.test('a file of root with mode 0644 has no other writers', { skip }, async (t) => {
  const top = directoryOf(t);
  const path = file(join(top, 'f'), 0o644);
  t.same(whoCanChange(path), { users: new Map(), groups: new Map(), everyUser: undefined });
  t.equal(changeableThrough(path), undefined);
});

t.test('a path that names another file than the one that was opened', { skip }, async (t) => {
  const top = directoryOf(t);
  const path = file(join(top, 'f'), 0o644, 0, 0);
  const other = file(join(top, 'other'), 0o644, 0, 0);
  t.equal(changeableThrough(path, statSync(path)), undefined);
  t.equal(changeableThrough(path, statSync(other)), path);
  t.equal(changeableThrough(join(top, 'missing'), statSync(path)), join(top, 'missing'));
});

t.test('owner, group and other users of the file', { skip }, async (t) => {
  const top = directoryOf(t);
  const path = file(join(top, 'f'), 0o666, 12, 34);
  t.same(whoCanChange(path), { users: new Map([[12, path]]), groups: new Map([[34, path]]), everyUser: path });
  t.equal(changeableThrough(path), path);
});

t.test('owner and group of a directory above', { skip }, async (t) => {
  const top = directoryOf(t);
  const above = directory(join(top, 'd'), 0o775, 12, 34);
  const path = join(directory(join(above, 'e'), 0o755), 'f');
  file(path, 0o644);
  t.same(whoCanChange(path), { users: new Map([[12, above]]), groups: new Map([[34, above]]), everyUser: undefined });
});

t.test('a directory that every user can write to, unless it is sticky', { skip }, async (t) => {
  const top = directoryOf(t);
  const open = directory(join(top, 'open'), 0o777);
  const sticky = directory(join(top, 'sticky'), 0o1777);
  t.equal(writersOf(file(join(open, 'f'), 0o644)).everyUser, open);
  t.equal(writersOf(file(join(sticky, 'f'), 0o644)).everyUser, undefined);
});

t.test('the owner of a symbolic link, and the directories of its target', { skip }, async (t) => {
  const top = directoryOf(t);
  const open = directory(join(top, 'open'), 0o777);
  file(join(open, 'f'), 0o644);
  const link = join(top, 'link');
  symlinkSync('open/f', link);
  lchownSync(link, 12, 12);
  t.same(whoCanChange(link), { users: new Map([[12, link]]), groups: new Map([[0, open]]), everyUser: open });
});

t.test('a loop of symbolic links ends', { skip }, async (t) => {
  const top = directoryOf(t);
  symlinkSync('loop', join(top, 'loop'));
  t.equal(writersOf(join(top, 'loop')).everyUser, undefined);
});

t.test('a ConfigMap: directories with mode 0777 on a read-only mount', { skip }, async (t) => {
  const top = directoryOf(t);
  const mount = directory(join(top, 'config map'), 0o777);
  const data = directory(join(mount, '..2026'), 0o777);
  file(join(data, 'f'), 0o644);
  symlinkSync('..2026', join(mount, '..data'));
  symlinkSync('..data/f', join(mount, 'f'));
  const mounts = new Mounts(
    `1 0 8:1 / / rw - ext4 /dev/sda rw\n2 1 8:1 /x ${mount.replace(' ', '\\040')} ro,relatime shared:1 - ext4 /dev/sda rw\n`,
  );
  t.equal(writersOf(join(mount, 'f')).everyUser, mount, 'without the mount');
  t.equal(changeableThrough(join(mount, 'f'), undefined, mounts), undefined);
});

t.test('a read-only file system is a read-only mount', async (t) => {
  const mounts = new Mounts(
    '1 0 8:1 / / rw - ext4 /dev/sda rw\n2 1 8:2 / /ro rw,nosuid master:3 - ext4 /dev/sdb ro,x\n',
  );
  t.same([mounts.isReadOnly('/ro/a/b'), mounts.isReadOnly('/ro'), mounts.isReadOnly('/rox')], [true, true, false]);
});

t.test('of two mounts at one place the later one counts', async (t) => {
  const mounts = new Mounts('1 0 8:1 / /m ro - ext4 a ro\n2 1 8:2 / /m rw - tmpfs b rw\n');
  t.notOk(mounts.isReadOnly('/m/f'));
});

t.test(
  'a file that is mounted by itself cannot be replaced in a directory that every user can write to',
  { skip },
  async (t) => {
    const top = directoryOf(t);
    const scratch = directory(join(top, 'scratch'), 0o2777);
    const template = file(join(scratch, 'job.tpl'), 0o644, 0, 0);
    const mounts = new Mounts(`1 0 8:1 / / rw - ext4 a rw\n2 1 8:1 /x ${template} ro - ext4 a rw\n`);
    t.equal(writersOf(template).everyUser, scratch);
    t.equal(changeableThrough(template, undefined, mounts), undefined);
  },
);

t.test('the mounts of this process', async (t) => {
  t.ok(Mounts.read().has('/proc'));
});
