/** The packages of Debian and Red Hat: install, upgrade while the plugin runs, remove, in a root directory of their own. */
import { execFile } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import t, { type Test } from 'tap';
import { makeDeb, makeRpm } from '../../build/system-packages.ts';
import { startEmptyCluster } from '../support/empty-cluster.ts';
import { lastRelease } from '../support/last-release.ts';
import { createLauncher } from '../support/launcher.ts';
import { startPlugin } from '../support/plugin.ts';

const run = promisify(execFile);
const root = resolve(import.meta.dirname, '../..');
const NAME = 'rstudio-kubernetes-launcher';
const { version: VERSION } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const TIME = 1_795_000_000;
const DOCUMENTS = [
  'BUILDINFO',
  'CHANGELOG.md',
  'LICENSE',
  'README.md',
  'THIRD-PARTY-LICENSES',
  'docs',
  'examples',
  'sbom.cdx.json',
];

const work = mkdtempSync(join(tmpdir(), 'packages-'));
t.teardown(() => rmSync(work, { recursive: true }));
await run(process.execPath, [join(root, 'build/package.ts'), '--arch', 'x64', '--format', 'tar.gz']);
const { stdout: archive } = await run('tar', [
  '-xzvf',
  join(root, `dist/${NAME}-${VERSION}-linux-x64.tar.gz`),
  '-C',
  work,
]);
const stage = join(work, archive.split('/')[0] ?? '');
const lastStage = join(work, 'last');
cpSync(stage, lastStage, { recursive: true });
cpSync(lastRelease(), join(lastStage, NAME));

interface Manager {
  readonly make: typeof makeDeb;
  /** Commands for a root directory. */
  readonly prepare: (directory: string) => Promise<unknown>;
  readonly install: (directory: string, file: string) => Promise<unknown>;
  readonly remove: readonly ((directory: string) => Promise<unknown>)[];
  readonly documents: readonly string[];
}

const dpkg = (directory: string, ...args: readonly string[]) =>
  run('dpkg', [`--root=${directory}`, '--force-depends', ...args]);
const rpm = (directory: string, ...args: readonly string[]) => run('rpm', [`--root=${directory}`, ...args]);

const DEBIAN: Manager = {
  make: makeDeb,
  prepare: async (directory) => {
    for (const folder of ['info', 'updates']) mkdirSync(join(directory, 'var/lib/dpkg', folder), { recursive: true });
    for (const file of ['status', 'available']) writeFileSync(join(directory, 'var/lib/dpkg', file), '');
  },
  install: (directory, file) => dpkg(directory, '--install', file),
  remove: [(directory) => dpkg(directory, '--remove', NAME), (directory) => dpkg(directory, '--purge', NAME)],
  documents: [...DOCUMENTS, 'copyright'],
};

const RED_HAT: Manager = {
  make: makeRpm,
  prepare: (directory) => rpm(directory, '--initdb'),
  install: (directory, file) => rpm(directory, '--nodeps', '--upgrade', file),
  remove: [(directory) => rpm(directory, '--erase', NAME)],
  documents: DOCUMENTS,
};

for (const [format, tool, manager] of [
  ['deb', '/usr/bin/dpkg-deb', DEBIAN],
  ['rpm', '/usr/bin/rpmbuild', RED_HAT],
] as const) {
  const missing = !existsSync(tool)
    ? `no ${tool} on this host`
    : process.getuid?.() !== 0 && 'only root installs packages';
  t.test(`${format}: install, upgrade while it runs, remove`, { skip: missing }, (t) => lifeOf(t, format, manager));
}

async function lifeOf(t: Test, format: string, { make, prepare, install, remove, documents }: Manager): Promise<void> {
  const build = (version: string, from: string): string => {
    const folder = join(work, `${format}-${version}`);
    mkdirSync(folder);
    return make({ name: NAME, version, architecture: 'x64', stage: from, work: folder, time: TIME });
  };
  const host = join(work, `${format}-host`);
  const config = join(host, 'etc/rstudio/launcher.kubernetes.conf');
  mkdirSync(join(host, 'etc/rstudio'), { recursive: true });
  writeFileSync(config, 'api-url=https://203.0.113.7\n');
  await prepare(host);

  await install(host, build('0.1.0', lastStage));
  t.same(readdirSync(join(host, 'usr/share/doc', NAME)).sort(), [...documents].sort());
  t.same(readdirSync(join(host, 'usr/share/man/man8')), [`${NAME}.8.gz`]);
  t.same(readdirSync(join(host, 'usr/share/bash-completion/completions')), [NAME]);
  const cluster = await startEmptyCluster();
  t.teardown(() => cluster.close());
  const program = join(host, 'usr/sbin', NAME);
  const start = async () => {
    const plugin = await startPlugin({ command: [program], options: cluster.options });
    t.teardown(() => plugin.kill('SIGKILL'));
    const launcher = createLauncher(plugin.wire);
    await launcher.bootstrap();
    return { plugin, launcher };
  };
  const running = await start();

  await install(host, build(VERSION, stage));
  t.same(await running.launcher.jobs('*'), [], 'the plugin that runs still answers');
  t.equal((await running.plugin.close()).code, 0);
  const upgraded = await start();
  t.ok(upgraded.plugin.log().includes(`version: ${VERSION}`));

  for (const step of remove) await step(host);
  t.same(await upgraded.launcher.jobs('*'), [], 'the plugin that runs survives the removal');
  t.equal((await upgraded.plugin.close()).code, 0);
  const left = readdirSync(host, { recursive: true, encoding: 'utf8' }).filter((path) => path.includes(NAME));
  t.same(left, [], 'nothing of the package is left');
  t.equal(readFileSync(config, 'utf8'), 'api-url=https://203.0.113.7\n');
}
