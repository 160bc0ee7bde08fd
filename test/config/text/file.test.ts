/** Reading a configuration file does nothing to what is no regular file; what cannot be read is an error, also behind a link. */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { readTextFile } from '../../../src/config/text/file.ts';

t.test('what is no regular file is not opened: a socket would refuse it', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'file-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const path = join(directory, 'socket');
  const server = createServer().listen(path);
  t.teardown(() => server.close());
  await new Promise((resolve) => server.once('listening', resolve));
  t.throws(() => readTextFile(path), { message: `${path}: is not a regular file` });
});

function directoryFor(t: Test): string {
  const directory = mkdtempSync(join(tmpdir(), 'file-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  return directory;
}

t.test(
  'a missing file is none; a symbolic link to a missing one, or in a missing directory, is an error',
  async (t) => {
    const directory = directoryFor(t);
    const path = join(directory, 'file');
    t.equal(readTextFile(path), undefined);
    symlinkSync('nfs/file', path);
    t.throws(() => readTextFile(path), {
      code: 'unreadable',
      message: `${path}: cannot be read: ${path} is a symbolic link to ${directory}/nfs/file, which does not exist -> mount or make ${directory}/nfs/file, or remove the link`,
    });
    const link = join(directory, 'link');
    symlinkSync('/nonexistent', link);
    t.throws(() => readTextFile(`${link}/file`), {
      message: `${link}/file: cannot be read: ${link} is a symbolic link to /nonexistent, which does not exist -> mount or make /nonexistent, or remove the link`,
    });
    mkdirSync(join(directory, 'nfs'));
    writeFileSync(join(directory, 'nfs/file'), 'text');
    t.equal(readTextFile(path)?.text, 'text');
  },
);

t.test('a link to itself is an error with a remedy', async (t) => {
  const path = join(directoryFor(t), 'file');
  symlinkSync('file', path);
  t.throws(() => readTextFile(path), {
    code: 'unreadable',
    message: /cannot be read: .* cannot examine it: ELOOP \(ELOOP\) -> namei -l /,
  });
});
