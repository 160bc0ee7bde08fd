/** Reading a configuration file does nothing to what is no regular file. */
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
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
