/** The package lists its content and runs on a host that has only the libraries it names. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import t from 'tap';
import { newestVersion, readNeeds } from '../../build/elf.ts';
import { makeBlob } from '../../build/executable.ts';
import { nodeBinary } from '../../build/node-binary.ts';
import { EXECUTABLE, withEnvironment } from '../support/plugin.ts';

const run = promisify(execFile);
const root = resolve(import.meta.dirname, '../..');
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const title = `rstudio-kubernetes-launcher-${version}-linux-x64`;

t.test('the executable needs glibc 2.28 and seven libraries of the host', async (t) => {
  const needs = readNeeds(readFileSync(EXECUTABLE));
  t.strictSame([...needs.libraries].sort(), [
    'ld-linux-x86-64.so.2',
    'libc.so.6',
    'libdl.so.2',
    'libgcc_s.so.1',
    'libm.so.6',
    'libpthread.so.0',
    'libstdc++.so.6',
  ]);
  t.equal(newestVersion(needs, 'GLIBC_'), '2.28');
  t.equal(newestVersion(needs, 'GLIBCXX_'), '3.4.21');
  t.equal(newestVersion(needs, 'CXXABI_'), '1.3.11');
  t.throws(() => readNeeds(Buffer.from('#!/bin/sh\n')), { message: 'not a 64-bit little-endian ELF file' });
});

t.test('the code cache does not depend on the run: two blobs are the same', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'blobs-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const [one, other] = ['one', 'other'].map((name) => {
    mkdirSync(join(directory, name));
    copyFileSync(join(root, 'dist/plugin.cjs'), join(directory, name, 'plugin.cjs'));
    return readFileSync(makeBlob(root, 'x64', join(directory, name)));
  });
  t.ok(one !== undefined && one.length > 2_000_000);
  t.ok(other !== undefined && one?.equals(other));
});

t.test('node-binaries.json names the pinned Node.js and what it is made of', async (t) => {
  t.strictSame(nodeBinary(root, 'x64').versions, { ...process.versions });
  t.equal(nodeBinary(root, 'x64').file, realpathSync(process.execPath));
});

t.test('the unpacked package runs in a root directory with nothing but its libraries', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'package-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  await run(process.execPath, [join(root, 'build/package.ts')], { cwd: '/' });
  await run('tar', ['-xzf', join(root, 'dist', `${title}.tar.gz`), '-C', directory]);
  const unpacked = join(directory, title);

  const sums = readFileSync(join(unpacked, 'SHA256SUMS'), 'utf8').trimEnd().split('\n');
  const files = sums.map((line) => {
    const [sum = '', file = ''] = line.split('  ');
    t.equal(
      createHash('sha256')
        .update(readFileSync(join(unpacked, file)))
        .digest('hex'),
      sum,
      file,
    );
    return file;
  });
  for (const file of [
    'LICENSE',
    'README.md',
    'docs/operations.md',
    'docs/reference.md',
    'THIRD-PARTY-LICENSES',
    'config/rbac.yaml',
    'sbom.cdx.json',
  ]) {
    t.ok(files.includes(file), file);
  }
  const bill = JSON.parse(readFileSync(join(unpacked, 'sbom.cdx.json'), 'utf8'));
  t.match(bill, { bomFormat: 'CycloneDX', specVersion: '1.6' });
  const names: string[] = bill.components.map(({ name }: { name: string }) => name);
  t.strictSame(names, ['node', 'ini', 'jsonpointer', 'undici', 'ws'], 'exactly what is bundled');
  const licenses = readFileSync(join(unpacked, 'THIRD-PARTY-LICENSES'), 'utf8');
  for (const name of names) t.match(licenses, new RegExp(`^${name} \\d+\\.\\d+\\.\\d+ \\((MIT|ISC)\\)$`, 'm'));

  const { stdout: libraries } = await run('ldd', [EXECUTABLE]);
  for (const [, path = ''] of libraries.matchAll(/(\/\S+) \(0x/g)) {
    mkdirSync(join(unpacked, dirname(path)), { recursive: true });
    copyFileSync(realpathSync(path), join(unpacked, path));
  }
  t.notOk(existsSync(join(unpacked, 'bin')), 'no shell');
  const namespace = process.getuid?.() === 0 ? [] : ['/usr/bin/unshare', '--map-root-user'];
  const command = [...namespace, '/usr/sbin/chroot', unpacked, '/rstudio-kubernetes-launcher', '--version'];
  const [program, args] = withEnvironment({}, command);
  const { stdout } = await run(program, args);
  t.match(stdout, /^rstudio-kubernetes-launcher \d+\.\d+\.\d+ /);

  const [, started] = withEnvironment({}, [...command.slice(0, -1), 'check']);
  await t.rejects(run(program, started), {
    code: 1,
    stderr: /refusing to start: \/proc is not mounted, so the program cannot verify that it drops privileges/,
  });
});
