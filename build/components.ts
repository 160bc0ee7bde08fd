/** What is inside the executable: Node.js, what Node.js is made of, and the bundled packages, with versions and licenses. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { locked, type NodeBinary } from './node-binary.ts';

/** Another project's work that is inside the executable. */
export interface Component {
  readonly name: string;
  readonly version: string;
  /** SPDX expression. */
  readonly license: string;
  readonly purl: string;
  /** Name in the CPE dictionary, by which scanners find vulnerabilities that no package registry lists. */
  readonly cpe?: string;
  readonly hash?: { readonly alg: 'SHA-256' | 'SHA-512'; readonly content: string };
}

interface LicensedComponent extends Component {
  readonly licenseText: string;
}

/** Vendor and product in the CPE dictionary, where it has one, and the license, for each name in `process.versions`. */
const NODE_PARTS: Readonly<Record<string, readonly [license: string, cpe?: string]>> = {
  acorn: ['MIT'],
  ada: ['MIT OR Apache-2.0'],
  amaro: ['MIT'],
  ares: ['MIT', 'c-ares:c-ares'],
  brotli: ['MIT', 'google:brotli'],
  cldr: ['Unicode-3.0'],
  icu: ['Unicode-3.0', 'icu-project:international_components_for_unicode'],
  llhttp: ['MIT', 'llhttp:llhttp'],
  merve: ['MIT'],
  nbytes: ['MIT'],
  ncrypto: ['MIT'],
  nghttp2: ['MIT', 'nghttp2:nghttp2'],
  nghttp3: ['MIT', 'nghttp2:nghttp3'],
  ngtcp2: ['MIT', 'nghttp2:ngtcp2'],
  openssl: ['Apache-2.0', 'openssl:openssl'],
  simdjson: ['MIT OR Apache-2.0', 'simdjson:simdjson'],
  simdutf: ['MIT OR Apache-2.0', 'simdutf:simdutf'],
  sqlite: ['blessing', 'sqlite:sqlite'],
  tz: ['LicenseRef-public-domain'],
  undici: ['MIT', 'nodejs:undici'],
  unicode: ['Unicode-3.0'],
  uv: ['MIT', 'libuv:libuv'],
  uvwasi: ['MIT', 'nodejs:uvwasi'],
  v8: ['BSD-3-Clause', 'google:v8'],
  zlib: ['Zlib', 'zlib:zlib'],
  zstd: ['BSD-3-Clause', 'facebook:zstandard'],
};

/** Names in `process.versions` that are no component: Node.js itself and its interfaces. */
const NO_PARTS = ['node', 'modules', 'napi'];

/** Node.js. Its license file has the licenses of all that it is made of. */
export function nodeComponent({ version, sha256, folder }: NodeBinary): LicensedComponent {
  return {
    name: 'node',
    version,
    license: 'MIT',
    purl: `pkg:generic/node@${version}`,
    cpe: cpe('nodejs:node.js', version),
    hash: { alg: 'SHA-256', content: sha256 },
    licenseText: readFileSync(join(folder, 'LICENSE'), 'utf8').trim(),
  };
}

/** What Node.js is made of. Throws an Error for a name that is not in the table: a newer Node.js may have more parts. */
export function partsOf({ versions }: NodeBinary): readonly Component[] {
  return Object.entries(versions)
    .filter(([name, version]) => !NO_PARTS.includes(name) && version !== '')
    .map(([name, version]) => {
      const [license, product] = NODE_PARTS[name] ?? [];
      if (license === undefined) throw new Error(`add ${name} of process.versions to the table in build/components.ts`);
      const part = { name, version, license, purl: `pkg:generic/${name}@${version}` };
      return product === undefined ? part : { ...part, cpe: cpe(product, version) };
    });
}

/** The bundled packages. Throws an Error naming a package whose license was not found. */
export function bundledComponents(root: string, packages: readonly string[]): readonly LicensedComponent[] {
  return packages.map((name) => {
    const folder = join(root, 'node_modules', name);
    const { version, integrity } = locked(root, name);
    const license: unknown = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')).license;
    const file = readdirSync(folder).find((entry) => /^licen[cs]e(\.(md|txt))?$/i.test(entry));
    const sha512 = /^sha512-(.+)$/.exec(integrity)?.[1];
    if (typeof license !== 'string' || file === undefined || sha512 === undefined) {
      throw new Error(`package ${name}: its hash or license was not found`);
    }
    return {
      name,
      version,
      license,
      purl: `pkg:npm/${name}@${version}`,
      hash: { alg: 'SHA-512', content: Buffer.from(sha512, 'base64').toString('hex') },
      licenseText: readFileSync(join(folder, file), 'utf8').trim(),
    };
  });
}

/** The text of THIRD-PARTY-LICENSES. */
export function thirdPartyLicenses(components: readonly LicensedComponent[]): string {
  const parts = components.map(
    ({ name, version, license, licenseText }) =>
      `${name} ${version} (${license})\n${'='.repeat(72)}\n\n${licenseText}\n`,
  );
  return `This program contains the following works of others.\n\n${parts.join('\n\n')}`;
}

/** Versions in the dictionary have no suffix, such as that of Chromium's zlib. */
const cpe = (product: string, version: string): string => `cpe:2.3:a:${product}:${version.split('-')[0]}:*:*:*:*:*:*:*`;
