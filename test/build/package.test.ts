/** The package lists its content and runs on a host that has only the libraries it names. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { Ajv } from 'ajv';
import addFormats from 'ajv-formats';
import t, { type Test } from 'tap';
import { newestVersion, readNeeds } from '../../build/elf.ts';
import { nodeBinary } from '../../build/node-binary.ts';
import { EXECUTABLE, withEnvironment } from '../support/plugin.ts';

const run = promisify(execFile);
const root = resolve(import.meta.dirname, '../..');
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const SCHEMAS = join(root, 'node_modules/@cyclonedx/cyclonedx-library/res/schema');
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

t.test('node-binaries.json names the pinned Node.js and what it is made of', async (t) => {
  t.strictSame(nodeBinary(root, 'x64').versions, { ...process.versions });
  t.equal(nodeBinary(root, 'x64').file, realpathSync(process.execPath));
});

t.test('the unpacked package runs in a root directory with nothing but its libraries', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'package-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const key = join(directory, 'key');
  await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'throw-away', '-f', key]);
  await run(process.execPath, [join(root, 'build/package.ts'), '--arch', 'x64', '--format', 'tar.gz'], {
    cwd: '/',
    env: { ...process.env, RELEASE_KEY: key },
  });
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
    'config/templates/job.tpl',
    'config/templates/service.tpl',
    'config/templates/site-data.tpl',
    'sbom.cdx.json',
    'BUILDINFO',
  ]) {
    t.ok(files.includes(file), file);
  }
  checkBillOfMaterials(t, unpacked);
  const info = readFileSync(join(unpacked, 'BUILDINFO'), 'utf8');
  for (const row of [
    `release: ${title}\n`,
    /^commit: ([0-9a-f]{40}|unknown)/m,
    `Node.js program sha256: ${createHash('sha256').update(readFileSync(process.execPath)).digest('hex')}\n`,
    'needs glibc: 2.28\nneeds libstdc++: GLIBCXX_3.4.21, CXXABI_1.3.11\n',
  ])
    t.match(info, row);
  await checkSignature(t, directory, key);

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

/** It follows the schema, and names what is in the executable and no more. */
function checkBillOfMaterials(t: Test, unpacked: string): void {
  const bill = JSON.parse(readFileSync(join(unpacked, 'sbom.cdx.json'), 'utf8'));
  const ajv = addFormats.default(new Ajv({ strict: false, formats: { 'idn-email': true, 'iri-reference': true } }));
  const schema = (name: string) => JSON.parse(readFileSync(join(SCHEMAS, `${name}.SNAPSHOT.schema.json`), 'utf8'));
  for (const name of ['spdx', 'jsf-0.82', 'cryptography-defs'])
    ajv.addSchema(schema(name), `http://cyclonedx.org/schema/${name}.SNAPSHOT.schema.json`);
  const validate = ajv.compile(schema('bom-1.6'));
  validate(bill);
  t.strictSame(validate.errors, null, 'follows the schema of CycloneDX 1.6');
  validate({ ...bill, components: [{ type: 'library' }] });
  t.match(validate.errors, [{ message: "must have required property 'name'" }], 'the schema is compared');

  const { components, metadata, dependencies } = bill;
  const executable = createHash('sha256').update(readFileSync(EXECUTABLE)).digest('hex');
  t.strictSame(metadata.component.hashes, [{ alg: 'SHA-256', content: executable }]);
  const { node } = process.versions;
  t.match(components[0], { purl: `pkg:generic/node@${node}`, cpe: `cpe:2.3:a:nodejs:node.js:${node}:*:*:*:*:*:*:*` });
  const names: string[] = components.map(({ name }: { name: string }) => name);
  for (const name of ['v8', 'openssl', 'zlib', 'llhttp', 'uv', 'icu']) t.ok(names.includes(name), name);
  t.strictSame(names.slice(-3), ['ini', 'jsonpointer', 'ws'], 'exactly what is bundled');
  t.equal(dependencies.length, components.length + 1);
  const licenses = readFileSync(join(unpacked, 'THIRD-PARTY-LICENSES'), 'utf8');
  for (const name of ['node', 'ini', 'jsonpointer', 'ws'])
    t.match(licenses, new RegExp(`^${name} \\d+\\.\\d+\\.\\d+ \\((MIT|ISC)\\)$`, 'm'));
}

/** The commands that CONTRIBUTING.md and docs/operations.md name accept the signature, and refuse a changed file. */
async function checkSignature(t: Test, directory: string, key: string): Promise<void> {
  const signers = join(directory, 'allowed_signers');
  writeFileSync(signers, `release ${readFileSync(`${key}.pub`, 'utf8')}`);
  const sums = join(root, 'dist/SHA256SUMS');
  const changed = join(directory, 'changed');
  writeFileSync(
    changed,
    readFileSync(sums, 'utf8').replace(/^./, (digit) => (digit === '0' ? '1' : '0')),
  );
  const verify = (file: string) =>
    run('/bin/sh', [
      '-c',
      `ssh-keygen -Y verify -f '${signers}' -I release -n rstudio-kubernetes-launcher -s '${sums}.sig' <'${file}'`,
    ]);
  t.match((await verify(sums)).stdout, /^Good "rstudio-kubernetes-launcher" signature for release with ED25519 key/);
  await t.rejects(verify(changed), { code: 255 });
  await run('sha256sum', ['--check', '--ignore-missing', 'SHA256SUMS'], { cwd: join(root, 'dist') });
}
