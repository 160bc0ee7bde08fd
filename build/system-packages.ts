/** The packages of Debian and Red Hat, made of the content of the archive by dpkg-deb and rpmbuild. */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { settle } from './contents.ts';
import { newestVersion, readNeeds } from './elf.ts';
import type { Architecture } from './node-binary.ts';

interface PackageParts {
  readonly name: string;
  readonly version: string;
  readonly architecture: Architecture;
  /** Folder with the content of the archive. */
  readonly stage: string;
  /** Empty folder to work in. */
  readonly work: string;
  /** Seconds since 1970. */
  readonly time: number;
}

const SUMMARY = 'Kubernetes plugin of the RStudio / Posit Job Launcher';
const DESCRIPTION =
  'Runs each launcher job as a Kubernetes Job, follows its state and streams its output.\nOne executable; Node.js is inside.';
const DEBIAN_NAMES = { x64: 'amd64', arm64: 'arm64' };
const RPM_NAMES = { x64: 'x86_64', arm64: 'aarch64' };

/** Writes the .deb below `work` and returns its path. */
export function makeDeb(parts: PackageParts): string {
  const { name, version, architecture, stage, work, time } = parts;
  const tree = join(work, 'tree');
  const documents = writeTree(tree, parts, 'usr/share/zsh/vendor-completions');
  cpSync(join(stage, 'LICENSE'), join(tree, documents, 'copyright'));
  mkdirSync(join(tree, 'DEBIAN'));
  const control = [
    `Package: ${name}`,
    `Version: ${version}`,
    `Architecture: ${DEBIAN_NAMES[architecture]}`,
    'Maintainer: The rstudio-kubernetes-launcher maintainers',
    'Section: admin',
    'Priority: optional',
    `Depends: libc6 (>= ${newestVersion(needsOf(stage, name), 'GLIBC_')}), libstdc++6 (>= 7), libgcc-s1 | libgcc1`,
    `Description: ${SUMMARY}`,
    ...DESCRIPTION.split('\n').map((line) => ` ${line}`),
    '',
  ];
  writeFileSync(join(tree, 'DEBIAN/control'), control.join('\n'));
  settle(tree, time);
  const file = join(work, `${name}_${version}_${DEBIAN_NAMES[architecture]}.deb`);
  run('dpkg-deb', ['--root-owner-group', '-Zgzip', '--build', tree, file], time);
  return file;
}

/** Writes the .rpm below `work` and returns its path. */
export function makeRpm(parts: PackageParts): string {
  const { name, version, architecture, stage, work, time } = parts;
  const tree = join(work, 'tree');
  const documents = writeTree(tree, parts, 'usr/share/zsh/site-functions');
  settle(tree, time);
  const needs = [...needsOf(stage, name).versions].flatMap(([library, versions]) =>
    versions.map((symbols) => `Requires: ${library}(${symbols})(64bit)`),
  );
  const spec = [
    `Name: ${name}`,
    `Version: ${version}`,
    'Release: 1',
    `Summary: ${SUMMARY}`,
    'License: MIT',
    'AutoReqProv: no',
    ...needs,
    '%description',
    DESCRIPTION,
    '%install',
    `mkdir -p %{buildroot} && cp -a ${tree}/. %{buildroot}`,
    '%files',
    '%defattr(-,root,root)',
    `/usr/lib/${name}`,
    `/usr/sbin/${name}`,
    `/usr/share/man/man8/${name}.8.gz`,
    `/usr/share/bash-completion/completions/${name}`,
    `/usr/share/zsh/site-functions/_${name}`,
    `%dir /${documents}`,
    ...LICENSES.map((file) => `%license /${documents}/${file}`),
    ...['BUILDINFO', 'CHANGELOG.md', 'README.md', 'docs', 'examples', 'sbom.cdx.json'].map(
      (file) => `%doc /${documents}/${file}`,
    ),
    '',
  ];
  writeFileSync(join(work, 'package.spec'), spec.join('\n'));
  const macros = {
    _topdir: join(work, 'rpm'),
    _rpmfilename: '%{NAME}-%{VERSION}-%{RELEASE}.%{ARCH}.rpm',
    _buildhost: 'reproducible',
    _build_id_links: 'none',
    _binary_payload: 'w6.gzdio',
    debug_package: '%{nil}',
    __os_install_post: '%{nil}',
    use_source_date_epoch_as_buildtime: '1',
    clamp_mtime_to_source_date_epoch: '1',
  };
  const defined = Object.entries(macros).flatMap(([macro, value]) => ['--define', `${macro} ${value}`]);
  const target = RPM_NAMES[architecture];
  run('rpmbuild', ['-bb', '--nodeps', '--target', `${target}-linux`, ...defined, join(work, 'package.spec')], time);
  return join(work, 'rpm/RPMS', `${name}-${version}-1.${target}.rpm`);
}

const LICENSES = ['LICENSE', 'THIRD-PARTY-LICENSES'];

/** Lays the content out as a Linux host has it. Returns the folder of documents. */
function writeTree(tree: string, { name, stage }: PackageParts, zsh: string): string {
  const documents = `usr/share/doc/${name}`;
  const copy = (from: string, to: string): void => cpSync(join(stage, from), join(tree, to), { recursive: true });
  copy(name, `usr/lib/${name}/${name}`);
  mkdirSync(join(tree, 'usr/sbin'), { recursive: true });
  symlinkSync(`../lib/${name}/${name}`, join(tree, 'usr/sbin', name));
  copy(`completions/${name}.bash`, `usr/share/bash-completion/completions/${name}`);
  copy(`completions/_${name}`, `${zsh}/_${name}`);
  for (const file of [...LICENSES, 'BUILDINFO', 'CHANGELOG.md', 'README.md', 'docs', 'sbom.cdx.json'])
    copy(file, `${documents}/${file}`);
  copy('config', `${documents}/examples`);
  const manual = join(tree, 'usr/share/man/man8');
  mkdirSync(manual, { recursive: true });
  writeFileSync(join(manual, `${name}.8.gz`), gzipSync(readFileSync(join(stage, 'man', `${name}.8`)), { level: 9 }));
  return documents;
}

const needsOf = (stage: string, name: string) => readNeeds(readFileSync(join(stage, name)));

function run(program: string, args: readonly string[], time: number): void {
  execFileSync(program, args, { stdio: 'pipe', env: { ...process.env, SOURCE_DATE_EPOCH: String(time) } });
}
