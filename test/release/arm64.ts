/**
 * The executable for arm64 works: emulated by qemu-user-static with the libraries of Debian's cross packages. It starts as if
 * it had cleaned its environment already, because the kernel of this host cannot execute it a second time.
 */
import { execFile } from 'node:child_process';
import { chownSync, existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import t from 'tap';
import { newestVersion, readNeeds } from '../../build/elf.ts';
import { nodeBinary } from '../../build/node-binary.ts';
import { startCluster } from '../cluster/cluster.ts';
import { createLauncher } from '../support/launcher.ts';
import { startPlugin, withEnvironment, writeConfig } from '../support/plugin.ts';

const run = promisify(execFile);
const root = resolve(import.meta.dirname, '../..');
const QEMU = '/usr/bin/qemu-aarch64-static';
const LIBRARIES = '/usr/aarch64-linux-gnu';
const EMULATED = [QEMU, '-L', LIBRARIES];
const FILE = join(root, 'dist/rstudio-kubernetes-launcher-arm64');
/** qemu changes the user of emulated threads only, and the plugin refuses to keep a thread of root. So root starts it as nobody. */
const NOBODY = 65_534;
const isRoot = process.getuid?.() === 0;
const AS_USER = isRoot ? ['/usr/bin/setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups'] : [];
const PROGRAM = [...AS_USER, ...EMULATED, FILE, '--environment-cleaned'];
const DEADLINE_MS = 300_000;

const missing = [QEMU, join(LIBRARIES, 'lib/libstdc++.so.6')].find((path) => !existsSync(path));
const skip =
  missing !== undefined &&
  `no ${missing}: apt-get install qemu-user-static libstdc++6-arm64-cross libgcc-s1-arm64-cross`;

await run(process.execPath, [join(root, 'build/build.ts'), '--if-stale', '--arch', 'arm64']);

t.test('it needs glibc 2.28 and libstdc++ of GCC 7', async (t) => {
  const needs = readNeeds(readFileSync(FILE));
  t.equal(newestVersion(needs, 'GLIBC_'), '2.28');
  t.equal(newestVersion(needs, 'GLIBCXX_'), '3.4.21');
  t.equal(newestVersion(needs, 'CXXABI_'), '1.3.11');
});

t.test('node-binaries.json names what its Node.js is made of', { skip }, async (t) => {
  const { file, versions } = nodeBinary(root, 'arm64');
  const { stdout } = await run(QEMU, ['-L', LIBRARIES, file, '-p', 'JSON.stringify(process.versions)']);
  t.strictSame(JSON.parse(stdout), versions);
});

t.test('--version, check and a job from start to end on a simulated cluster', { skip }, async (t) => {
  const [program, args] = withEnvironment({}, [...PROGRAM, '--version']);
  t.match((await run(program, args)).stdout, /^rstudio-kubernetes-launcher [\d.]+ \(.*, Node\.js 24\.22\.3\)\n$/);

  const cluster = await startCluster({ speed: 20 });
  t.teardown(() => cluster.close());
  const options = {
    'api-url': cluster.url,
    'auth-token': cluster.token,
    'certificate-authority': Buffer.from(cluster.ca).toString('base64'),
    'kubernetes-namespace': cluster.namespace,
  };
  const directory = writeConfig({ options });
  t.teardown(directory.remove);
  if (isRoot) for (const path of [directory.path, directory.configFile]) chownSync(path, NOBODY, NOBODY);
  const [checking, checkArgs] = withEnvironment({}, [...PROGRAM, 'check', `--config-file=${directory.configFile}`]);
  const { stdout: report } = await run(checking, checkArgs);
  t.match(report, /^ok +tls +CN=kube-apiserver/m);
  t.match(report, /^ok +permissions +all 31 permissions are granted$/m);

  const plugin = await startPlugin({ command: PROGRAM, directory, env: {} });
  t.teardown(() => plugin.kill('SIGKILL'));
  const launcher = createLauncher(plugin.wire, DEADLINE_MS);
  await launcher.bootstrap();
  const { id } = await launcher.submit('ada', {
    name: 'on arm64',
    command: 'echo one; echo two; exit 3',
    container: { image: 'busybox' },
  });
  let text = '';
  const output = launcher.output('ada', id, (piece) => {
    text += piece;
  });
  await output.completed;
  t.equal(text, 'one\ntwo\n');
  t.match(await launcher.job('ada', id), { status: 'Finished', exitCode: 3 });
  t.equal((await plugin.close()).code, 0);
});
